#!/usr/bin/env bash
# CalculiX 2.20 exits with 0, and without a word, where its results could not be written.
#
# A write that the system refuses (here by a limit on the size of files whose signal is ignored; a
# full disk does the same) is not noticed: ccx goes on to the end of the step, says how long it took,
# and leaves an .frd file that stops in the middle of a number. Expected: an error and another exit
# status. What tells the two apart is the last line of an .frd file that is whole, " 9999".
# Seen with calculix-ccx 2.20-1 of Debian 12, a C3D8 cube under tension: .frd of 2,127 bytes, of
# which 1,024 are written, exit status 0 both times.
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
cat > cube.inp <<'INP'
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
5, 3, 3, 0.001
6, 3, 3, 0.001
7, 3, 3, 0.001
8, 3, 3, 0.001
*NODE FILE
U
*END STEP
INP
ccx -i cube > /dev/null
whole=$(stat -c %s cube.frd)
tail -n 1 cube.frd | grep -q '^ *9999$'
status=0
(trap '' XFSZ; ulimit -f 1; ccx -i cube 2>&1) | cat > said || status=$?
written=$(stat -c %s cube.frd)
echo "exit status $status, $written of $whole bytes"
[ "$status" = 0 ] && [ "$written" -lt "$whole" ]
grep -q "Total CalculiX Time" said
if grep -qi "error\|space\|too large" said; then exit 1; fi
if tail -n 1 cube.frd | grep -q '^ *9999$'; then exit 1; fi
