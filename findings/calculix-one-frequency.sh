#!/bin/sh
# CalculiX 2.20 has one FREQUENCY for all output: that of the last card counts for every other one.
#
# With *NODE PRINT, FREQUENCY=1 and behind it *NODE FILE, FREQUENCY=5 the printed forces come at
# every fifth increment too, without a warning; in the other order both come at every increment.
# Who thins out the large .frd file this way loses points of the load curve in the .dat file.
#
# Seen with calculix-ccx 2.20-1 of Debian 12, whose apt the script needs, and ten increments of one
# C3D8: forces in the .dat file and displacements in the .frd file 2 and 2, then 10 and 10.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
# into the folder, not the system: the package and the libraries that it needs beyond the C library
needed=$(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks \
    --no-replaces --no-enhances calculix-ccx | grep '^lib' | grep -v '^libc6$\|^libgcc-s1$' | sort -u)
apt-get -qq download calculix-ccx=2.20-1 $needed
for package in *.deb; do dpkg -x "$package" installed; done
export LD_LIBRARY_PATH=$(find "$PWD/installed" -name '*.so.*' -printf '%h\n' | sort -u | paste -s -d :)
PATH=$PWD/installed/usr/bin:$PATH
ccx -v | grep "Version 2.20"
deck() {
    cat <<'EOF'
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
*NSET, NSET=TOP
5, 6, 7, 8
*MATERIAL, NAME=STEEL
*ELASTIC
210000, 0.3
*PLASTIC
300, 0
500, 0.1
*SOLID SECTION, ELSET=CUBE, MATERIAL=STEEL
*BOUNDARY
1, 1, 3
2, 2, 3
3, 3, 3
4, 3, 3
*STEP, INC=100
*STATIC
0.1, 1, 0.1, 0.1
*BOUNDARY
TOP, 3, 3, 0.01
EOF
    for card in "$@"; do
        echo "$card"
        case $card in *PRINT*) echo RF ;; *) echo U ;; esac
    done
    echo "*END STEP"
}
print="*NODE PRINT, NSET=TOP, TOTALS=ONLY, FREQUENCY=1"
file="*NODE FILE, FREQUENCY=5"
deck "$print" "$file" >file-last.inp
deck "$file" "$print" >print-last.inp
for name in file-last print-last; do
    ccx -i "$name" >"$name.log"
    seen="$(grep -c 'total force' "$name.dat") $(grep -c ' -4  DISP' "$name.frd")"
    echo "$name: forces and displacements $seen"
    case $name in file-last) [ "$seen" = "2 2" ] ;; *) [ "$seen" = "10 10" ] ;; esac
done
