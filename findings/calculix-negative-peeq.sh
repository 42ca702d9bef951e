#!/usr/bin/env bash
# CalculiX 2.20: the equivalent plastic strain of an .frd file (PE of *EL FILE, PEEQ) can be below 0.
#
# PEEQ only grows, from 0, at the Gauss points, which the .dat file shows (*EL PRINT, PEEQ). What
# stands in the .frd file is carried from there to the nodes by the shape functions, and falls below
# 0 where plastic flow ends within an element. Expected: 0 there; who takes logarithms, the smallest
# value, or sums over nodes finds other numbers.
# Seen with calculix-ccx 2.20-1 of Debian 12, a cantilever of eight C3D20R that yields at its root:
# at Gauss points at least 0, at nodes down to less than -0.0001.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
# into the folder, not the system: the package and the libraries that it needs beyond the C library
needed=$(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks \
    --no-replaces --no-enhances calculix-ccx | grep '^lib' | grep -v '^libc6$\|^libgcc-s1$' | sort -u)
apt-get -qq download calculix-ccx=2.20-1 $needed
for package in *.deb; do dpkg -x "$package" installed; done
libraries=$(find "$PWD/installed" -name '*.so.*' -printf '%h\n' | sort -u | paste -s -d :)
ccx() { LD_LIBRARY_PATH=$libraries "$folder/installed/usr/bin/ccx" "$@"; }
(ccx -v || true) | grep "Version 2.20" # its exit status is 201
python3 - > beam.inp <<'PY'
# eight C3D20R along x, 1 x 1 x 1 each
number = {}


def node(*point):
    return number.setdefault(point, len(number) + 1)


CORNERS = [(0, 0, 0), (2, 0, 0), (2, 2, 0), (0, 2, 0), (0, 0, 2), (2, 0, 2), (2, 2, 2), (0, 2, 2)]
EDGES = [(0, 1), (1, 2), (2, 3), (3, 0), (4, 5), (5, 6), (6, 7), (7, 4), (0, 4), (1, 5), (2, 6), (3, 7)]
places = list(CORNERS)
places += [tuple((CORNERS[a][k] + CORNERS[b][k]) // 2 for k in range(3)) for a, b in EDGES]
elements = [[node(2 * e + x, y, z) for x, y, z in places] for e in range(8)]
print("*NODE, NSET=ALL")
for (x, y, z), k in number.items():
    print(f"{k}, {x / 2}, {y / 2}, {z / 2}")
print("*ELEMENT, TYPE=C3D20R, ELSET=BEAM")
for e, nodes in enumerate(elements):
    print(f"{e + 1}, {', '.join(map(str, nodes[:10]))},")
    print(", ".join(map(str, nodes[10:])))
for name, end in (("ROOT", 0), ("TIP", 16)):
    print(f"*NSET, NSET={name}")
    for (x, _, _), k in number.items():
        if x == end:
            print(k)
print("*MATERIAL, NAME=STEEL\n*ELASTIC\n210000, 0.3\n*PLASTIC\n300, 0\n500, 0.1")
print("*SOLID SECTION, ELSET=BEAM, MATERIAL=STEEL")
print("*BOUNDARY\nROOT, 1, 3\n*STEP, INC=100\n*STATIC\n0.1, 1\n*BOUNDARY\nTIP, 3, 3, 0.2")
print("*EL PRINT, ELSET=BEAM\nPEEQ\n*EL FILE\nPEEQ\n*END STEP")
PY
ccx -i beam > beam.log
python3 - <<'PY'
points = []
for line in open("beam.dat"):
    words = line.split()
    if len(words) == 3 and words[0].isdigit():
        points.append(float(words[2]))
nodes, inside = [], False
for line in open("beam.frd"):
    if line.startswith(" -4"):
        inside = line.split()[1] == "PE"
    elif line.startswith(" -1") and inside:
        nodes.append(float(line[13:25]))
print(f"PEEQ at Gauss points {min(points):.3g} to {max(points):.3g}, at nodes {min(nodes):.3g} to {max(nodes):.3g}")
assert min(points) >= 0 and max(points) > 1e-3
assert min(nodes) < -1e-4
PY
