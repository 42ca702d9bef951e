#!/usr/bin/env bash
# meshio 5.3.5 does not read the Nastran files that gmsh 4.15.2 writes, nor its MED files of all
# entities (Mesh.SaveAll), as Salome does.
#
# gmsh writes bulk data alone, to be included behind BEGIN BULK, without which meshio reads nothing;
# and families of MED for entities that are in no physical group, without the list of groups GRO,
# which meshio expects in each. Expected: a mesh of gmsh that meshio lists as readable.
# Seen: RuntimeError '"BEGIN BULK" statement not found'; KeyError for the object 'GRO'. With the
# lines BEGIN BULK and ENDDATA round it the Nastran file is read, with all its tetrahedra.
# gmsh's library needs libGLU1-mesa, libXft2, libXcursor1 and libXinerama1 of Debian.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    gmsh==4.15.2 meshio==5.3.5 h5py==3.16.0 numpy==2.4.6
cd "$folder"
cat > both.py <<'PY'
from pathlib import Path

import gmsh
import meshio

gmsh.initialize()
gmsh.option.setNumber("General.Verbosity", 1)
gmsh.model.occ.addBox(0, 0, 0, 1, 1, 1)
gmsh.model.occ.synchronize()
gmsh.model.addPhysicalGroup(3, [1], name="CUBE")
gmsh.model.mesh.generate(3)
count = len(gmsh.model.mesh.getElementsByType(4)[0])
gmsh.write("cube.bdf")
gmsh.write("groups.med")
gmsh.option.setNumber("Mesh.SaveAll", 1)
gmsh.write("all.med")
gmsh.finalize()


def seen(name):
    try:
        return len(meshio.read(name).cells_dict["tetra"])
    except (RuntimeError, KeyError) as error:
        return f"{type(error).__name__}: {error}"


wrapped = f"BEGIN BULK\n{Path('cube.bdf').read_text()}ENDDATA\n"
Path("wrapped.bdf").write_text(wrapped)
read = {name: seen(name) for name in ("cube.bdf", "wrapped.bdf", "groups.med", "all.med")}
for name, what in read.items():
    print(f"{name}: {what}")
assert "BEGIN BULK" in str(read["cube.bdf"]) and read["wrapped.bdf"] == count
assert read["groups.med"] == count and "GRO" in str(read["all.med"])
PY
"$folder/venv/bin/python" both.py
