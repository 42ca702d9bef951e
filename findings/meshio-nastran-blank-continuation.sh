#!/usr/bin/env bash
# meshio 5.3.5 loses nodes of Nastran elements whose lines go on without a mark, and says nothing.
#
# A card goes on where the first field of the next line is blank, or + or *; the tenth field of the
# line before may be left out, as gmsh 4.15 does in its large format (Mesh.BdfFieldFormat=2), whose
# CTETRA of ten nodes have six nodes on the first line. Expected: ten nodes, or an error.
# Seen: the same tetrahedron with + in both fields has 10 nodes, with the tenth one filled with
# blanks too; without the tenth field it has 6, in a block that is called tetra10.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check meshio==5.3.5 numpy==2.4.6
cd "$folder"
cat > read.py <<'PY'
from pathlib import Path

import meshio

corners = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]
pairs = [(0, 1), (1, 2), (2, 0), (0, 3), (1, 3), (2, 3)]
middles = [tuple((a + b) / 2 for a, b in zip(corners[i], corners[j])) for i, j in pairs]
grid = [
    f"{'GRID':8}{k:<8}{'':8}" + "".join(f"{one:<8.1f}" for one in point)
    for k, point in enumerate(corners + middles, 1)
]
first = f"{'CTETRA':8}" + "".join(f"{one:<8}" for one in (1, 1, 1, 2, 3, 4, 5, 6))
second = "".join(f"{one:<8}" for one in (7, 8, 9, 10))
ways = {
    "marked": (f"{first}{'+E1':8}", f"{'+E1':8}{second}"),
    "blanks": (f"{first}{'':8}", f"{'':8}{second}"),
    "left out": (first, f"{'':8}{second}"),
}
seen = {}
for name, lines in ways.items():
    Path("one.bdf").write_text("\n".join(["BEGIN BULK", *grid, *lines, "ENDDATA", ""]))
    [block] = meshio.read("one.bdf").cells
    seen[name] = (block.type, block.data.shape[1])
print(meshio.__version__, seen)
assert seen == {"marked": ("tetra10", 10), "blanks": ("tetra10", 10), "left out": ("tetra10", 6)}
PY
"$folder/venv/bin/python" read.py
