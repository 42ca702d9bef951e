#!/usr/bin/env bash
# CalculiX 2.20 cuts a job's name at its first blank for half of its files: the results of
# `bar two.inp` go into `bar.dat`, where those of `bar.inp` were.
#
# The mesh is read from `bar two.inp` and displacements are written to `bar two.frd`, but what is
# printed goes to `bar.dat`, increments to `bar.sta` and convergence to `bar.cvg`, over what another
# job left there. The exit status is 0. Expected: all files under the one name, or an error.
# Seen with calculix-ccx 2.20-1 of Debian 12, a C3D8 cube under tension: forces in bar.dat become
# half of what they were, and `bar two.dat` is not there.
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
cube() { # displacement
cat <<INP
*NODE, NSET=ALL
1, 0, 0, 0
2, 1, 0, 0
3, 1, 1, 0
4, 0, 1, 0
5, 0, 0, 1
6, 1, 0, 1
7, 1, 1, 1
8, 0, 1, 1
*ELEMENT, TYPE=C3D8, ELSET=CUBE
1, 1, 2, 3, 4, 5, 6, 7, 8
*MATERIAL, NAME=STEEL
*ELASTIC
210000, 0.3
*SOLID SECTION, ELSET=CUBE, MATERIAL=STEEL
*BOUNDARY
1, 1, 3
2, 2, 3
3, 3, 3
4, 3, 3
*STEP
*STATIC
*BOUNDARY
5, 3, 3, $1
6, 3, 3, $1
7, 3, 3, $1
8, 3, 3, $1
*NODE FILE
U
*NODE PRINT, NSET=ALL
RF
*END STEP
INP
}
cube 0.001 > bar.inp
cube 0.0005 > "bar two.inp"
ccx -i bar > /dev/null
cp bar.dat before.dat
ccx -i "bar two" > /dev/null
ls bar*
[ -e "bar two.frd" ]
[ ! -e "bar two.dat" ]
if cmp -s bar.dat before.dat; then exit 1; fi
ccx -i bar > /dev/null
cmp bar.dat before.dat # as it was, from its own deck
