#!/usr/bin/env bash
# meshio 5.3.5 reads the solid elements of a MED file inside out.
#
# MED numbers the nodes of tetrahedra, hexahedra and wedges the other way round than VTK, Abaqus and
# gmsh do; meshio passes them on as they are, so a mesh that it converts from .med to .inp, .vtu or
# .msh has negative volumes, which solvers refuse, or worse, do not.
# Expected: the same cells from the .msh and the .med file that one program wrote of one mesh.
# Seen: gmsh 4.15.2 writes a cube in both formats; read by meshio its tetrahedra have a volume of
# 1 from the .msh file and of -1 from the .med file, its hexahedra 1 and -1.
# gmsh's library needs libGLU1-mesa, libXft2, libXcursor1 and libXinerama1 of Debian.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    gmsh==4.15.2 meshio==5.3.5 h5py==3.16.0 numpy==2.4.6
cd "$folder"
cat > cube.py <<'PY'
import contextlib
import io

import gmsh
import meshio
import numpy as np

gmsh.initialize()
gmsh.option.setNumber("General.Verbosity", 1)
for kind in ("tetra", "hexahedron"):
    gmsh.model.add(kind)
    gmsh.model.occ.addBox(0, 0, 0, 1, 1, 1)
    gmsh.model.occ.synchronize()
    if kind == "hexahedron":
        for curve in gmsh.model.getEntities(1):
            gmsh.model.mesh.setTransfiniteCurve(curve[1], 4)
        for surface in gmsh.model.getEntities(2):
            gmsh.model.mesh.setTransfiniteSurface(surface[1])
            gmsh.model.mesh.setRecombine(2, surface[1])
        gmsh.model.mesh.setTransfiniteVolume(1)
    gmsh.model.addPhysicalGroup(3, [1], name="CUBE")
    gmsh.model.mesh.generate(3)
    for suffix in ("msh", "med"):
        gmsh.write(f"{kind}.{suffix}")
gmsh.finalize()


def volume(name, kind):
    with contextlib.redirect_stdout(io.StringIO()):
        mesh = meshio.read(name)
    corners = mesh.points[mesh.cells_dict[kind]]
    # tetrahedra by three edges; parallelepipeds by the same edges of a hexahedron
    ends = (1, 2, 3) if kind == "tetra" else (1, 3, 4)
    edges = np.stack([corners[:, end] - corners[:, 0] for end in ends], axis=1)
    return float(np.linalg.det(edges).sum()) / (6 if kind == "tetra" else 1)


seen = {
    (kind, suffix): round(volume(f"{kind}.{suffix}", kind), 6)
    for kind in ("tetra", "hexahedron")
    for suffix in ("msh", "med")
}
print(meshio.__version__, seen)
assert list(seen.values()) == [1.0, -1.0, 1.0, -1.0], seen
PY
"$folder/venv/bin/python" cube.py
