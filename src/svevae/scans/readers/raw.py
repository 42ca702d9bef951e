"""Raw voxels: .raw, .bin and .vol files that say nothing of themselves, and VGStudio's .vgi, which
says it for the .vol beside it.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from svevae.errors import DataError
from svevae.scans.readers.base import (
    MICROMETRES,
    Format,
    Header,
    Wanted,
    reading_as,
    times,
)
from svevae.words import counted, short

VGI_KINDS = {"unsigned integer": "u", "signed integer": "i", "integer": "i", "float": "f"}


def read_raw(path: Path, wanted: Wanted) -> np.ndarray:
    if wanted.shape is None or wanted.dtype is None:
        beside = path.with_suffix(".vgi")
        hint = f"; {beside.name} beside it says it: import that" if beside.is_file() else ""
        raise DataError(
            f"{path}: a raw file says nothing of itself: give its --shape and --dtype, e.g. --shape"
            f" 800 512 512 --dtype uint16{hint}"
        )
    try:
        kind = np.dtype(wanted.dtype)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"{path}: --dtype: expected a type of numpy such as uint16 or >u2 (big-endian),"
            f" received {wanted.dtype!r}"
        ) from error
    return mapped(path, wanted.shape, kind, wanted.skip)


def mapped(path: Path, shape: tuple[int, ...], kind: np.dtype, skip: int) -> np.ndarray:
    """The voxels that follow `skip` bytes of a file, and nothing else does, memory-mapped."""
    expected, received = int(np.prod(shape, dtype=object)) * kind.itemsize, path.stat().st_size
    if skip < 0 or expected != received - skip or not expected:
        spare = received - skip - expected
        after = f" after the {skip} of its header" if skip else ""
        hint = f"; leave out a header of that many by --skip-header {spare}" if spare > 0 else ""
        size, rest = divmod((received - skip) * kind.itemsize, expected or 1)
        if spare > 0 and not rest and size in (1, 2, 4, 8):
            hint = f"; that is {counted(size, 'byte')} a voxel: is --dtype {kind} right?"
        raise DataError(
            f"{path}: expected {expected} bytes, {times(shape)} of {kind},{after} received"
            f" {received - skip} bytes{f', {spare} more{hint}' if spare > 0 else ''}"
        )
    return np.memmap(path, kind, "r", offset=skip, shape=tuple(shape))


def read_vgi(path: Path, wanted: Wanted) -> np.ndarray:
    """The .vol file as [file1] describes it; [representation] says what VGStudio shows."""
    said = _vgi(path, "file1")
    with reading_as(path, "a .vgi file of VGStudio"):
        size = [int(part) for part in said["size"].split()]
        kind, bits = said["datatype"].lower(), int(said["bitsperelement"])
        skip, format_ = int(said.get("skipheader", "0")), said.get("fileformat", "raw").lower()
    if len(size) != 3 or kind not in VGI_KINDS or bits not in (8, 16, 32, 64) or format_ != "raw":
        raise DataError(
            f"{path}: [file1]: expected three sizes, a datatype of {', '.join(VGI_KINDS)}, 8 to 64"
            f" bits and the format raw, received {short(times(size))}, {short(kind)!r},"
            f" {short(str(bits))} and {short(format_)!r}"
        )
    data = vgi_data(path)
    if not data.is_file():
        raise DataError(f"{path}: expected the voxels in {data.name} beside it, found nothing")
    with reading_as(path, "a .vgi file of VGStudio"):
        order = ">" if said.get("endian", "little").lower().startswith("big") else "<"
        dtype = np.dtype(f"{order}{VGI_KINDS[kind]}{bits // 8}")
    return mapped(data, (size[2], size[1], size[0]), dtype, skip)


def vgi_data(path: Path) -> Path:
    """The file beside a .vgi file that holds its voxels; a folder in its name is that of another
    machine.
    """
    name = re.split(r"[/\\]", _vgi(path, "file1").get("name", "").strip('"'))[-1]
    return path.with_name(name or f"{path.stem}.vol")


def vgi_header(path: Path, wanted: Wanted) -> Header:
    said = _vgi(path, "geometry")
    with reading_as(path, "a .vgi file of VGStudio"):
        unit = MICROMETRES.get(said.get("unit", "").lower())
        edges = tuple(float(part) for part in said.get("resolution", "").split())
    return Header("zyx", tuple(unit * edge for edge in reversed(edges)) if unit else ())


def _vgi(path: Path, section: str) -> dict[str, str]:
    """The keys, in lower case, of the first section of a name; none where there is none."""
    with reading_as(path, "a .vgi file of VGStudio"):
        text = path.read_bytes()[: 1 << 20].decode("latin-1")
    if re.search(r"^\s*\[file2\]", text, re.IGNORECASE | re.MULTILINE):
        raise DataError(f"{path}: expected one file of voxels, received [file1] and [file2]")
    found = re.search(
        rf"^\s*\[{section}\]\s*$(.*?)(?=^\s*[\[{{]|\Z)",
        text,
        re.IGNORECASE | re.MULTILINE | re.DOTALL,
    )
    if found is None and section == "file1":
        raise DataError(f"{path}: expected a section [file1] that describes the voxels, found none")
    lines = found[1].splitlines() if found else []
    return {
        key.strip().lower(): value.strip()
        for key, _, value in (line.partition("=") for line in lines)
    }


RAW = Format((".raw", ".bin", ".vol"), read_raw, lambda path, wanted: Header("zyx"))
VGI = Format((".vgi",), read_vgi, vgi_header)
