#!/usr/bin/env bash
# SimpleITK 2.5.7 (PyPI, manylinux wheel, Python 3.11): writing a DICOM slice that has an Image
# Position (0020|0032) leaves the whole process in the locale C.
#
# Expected: a writer leaves the locale alone, as it does for the same slice without a position.
# Seen: LC_CTYPE is C.UTF-8 before and C after; from then on Python's open() and read_text() without
# an encoding take files for ASCII, and the first one with an umlaut raises UnicodeDecodeError, far
# from the call that caused it. Python in UTF-8 mode (PYTHONUTF8=1) is not touched.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet SimpleITK==2.5.7 numpy==2.4.6
cat > "$folder/slice.py" <<'PY'
import locale
import sys

import numpy as np
import SimpleITK


def after(tags):
    locale.setlocale(locale.LC_ALL, "C.UTF-8")
    image = SimpleITK.GetImageFromArray(np.zeros((4, 4), np.int16))
    for tag, value in tags.items():
        image.SetMetaData(tag, value)
    writer = SimpleITK.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    writer.SetFileName(sys.argv[1])
    writer.Execute(image)
    return locale.setlocale(locale.LC_CTYPE), locale.getencoding()


plain, placed = after({"0008|0060": "CT"}), after({"0020|0032": "0\\0\\0.02"})
print("without a position:", *plain, "- with one:", *placed)
assert plain == ("C.UTF-8", "UTF-8"), plain
assert placed[0] == "C" and placed[1] != "UTF-8", placed
PY
PYTHONUTF8=0 "$folder/venv/bin/python" "$folder/slice.py" "$folder/slice.dcm"
