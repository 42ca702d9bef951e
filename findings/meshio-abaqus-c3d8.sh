#!/bin/sh
# meshio 5.3.5 does not write the hexahedron that it read from an Abaqus or CalculiX deck.
#
# It reads C3D8, C3D8I and C3D8R all as "hexahedron", and writes every one as C3D8RH: reduced
# integration with pressure as an unknown. Numbers of nodes and elements begin at 1 again.
#
# Seen: "*ELEMENT, TYPE=C3D8RH" for all three, node 11 as 1, element 7 as 1.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check meshio==5.3.5 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import meshio

corners = [(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)]
nodes = "".join(f"{11 + i}, {x}.0, {y}.0, {z}.0\n" for i, (x, y, z) in enumerate(corners))
for kind in ("C3D8", "C3D8I", "C3D8R"):
    with open("read.inp", "w") as deck:
        deck.write(f"*NODE\n{nodes}*ELEMENT, TYPE={kind}\n7, {', '.join(map(str, range(11, 19)))}\n")
    meshio.write("written.inp", meshio.read("read.inp"), file_format="abaqus")
    with open("written.inp") as deck:
        lines = [line.strip() for line in deck]
    (element,) = (line for line in lines if line.upper().startswith("*ELEMENT"))
    node, number = (lines[lines.index(card) + 1].split(",")[0] for card in ("*NODE", element))
    print(f"{kind}: {element}; node 11 is now {node}, element 7 is {number}")
    assert element.upper() == "*ELEMENT, TYPE=C3D8RH", element
    assert (node, number) == ("1", "1"), (node, number)
EOF
