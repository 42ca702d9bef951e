"""Volumes in a file that SimpleITK reads: NRRD, MetaImage and NIfTI.

SimpleITK's array is (z, y, x), x fastest, its spacing x, y, z. Voxels are taken as stored:
direction cosines turn nothing, a note tells of them.
"""

from __future__ import annotations

import gzip
import math
import re
import zlib
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from svevae.errors import DataError
from svevae.scans.readers.base import (
    DEFLATE,
    MICROMETRES,
    Format,
    Header,
    Wanted,
    fits,
    reading_as,
    times,
    turned,
)
from svevae.words import short

if TYPE_CHECKING:
    import SimpleITK

NRRD, META, NIFTI = (".nrrd", ".nhdr"), (".mha", ".mhd"), (".nii", ".nii.gz")
KINDS = {NRRD: "an NRRD file", META: "a MetaImage file", NIFTI: "a NIfTI file"}
TYPES = {
    "8-bit unsigned integer": "u1",
    "8-bit signed integer": "i1",
    "16-bit unsigned integer": "u2",
    "16-bit signed integer": "i2",
    "32-bit unsigned integer": "u4",
    "32-bit signed integer": "i4",
    "64-bit unsigned integer": "u8",
    "64-bit signed integer": "i8",
    "32-bit float": "f4",
    "64-bit float": "f8",
}


def read_image(path: Path, wanted: Wanted) -> np.ndarray:
    import SimpleITK

    reader = _reader(path)
    voxels = tuple(reversed(reader.GetSize()))
    kind = SimpleITK.GetPixelIDValueAsString(reader.GetPixelID())
    if kind not in TYPES:
        raise DataError(f"{path}: expected a volume of one number a voxel, received {kind}")
    dtype = np.dtype(TYPES[kind])
    with reading_as(path, _kind(path)):
        found = _voxels(path, reader, voxels, dtype)
    if found is not None and not found.packed:
        return np.memmap(found.file, found.dtype, "r", found.offset, voxels)
    said = _text(path)
    files = [path, *(path.parent / name for name in detached(path))]
    stored = sum(file.stat().st_size for file in files if file.is_file())
    # ITK refuses what is too short and not packed; bzip2 has no bound worth naming
    packed = said.get("encoding", "gzip").lower()
    fits(path, voxels, dtype, stored, None if packed.startswith("bz") else DEFLATE)
    if found is not None:
        with reading_as(path, _kind(path)):
            return _unpacked(found, voxels)
    fits(path, (3, *voxels), dtype)  # SimpleITK's image, the array of it, and that of who asked
    with reading_as(path, _kind(path)):
        if path.name.lower().endswith(NIFTI):
            _check_length(path, reader, voxels)
        try:
            return SimpleITK.GetArrayFromImage(reader.Execute())
        except RuntimeError as error:
            if "File cannot be read" in str(error):  # its reason is an errno of something else
                raise EOFError("voxels that are cut off or damaged") from error
            raise


class _Stored(NamedTuple):
    """Voxels that lie in one file from a byte on, `packed` by zlib or gzip, or as they are."""

    file: Path
    offset: int
    dtype: np.dtype
    packed: bool


def _voxels(
    path: Path, reader: SimpleITK.ImageFileReader, voxels: tuple[int, ...], dtype: np.dtype
) -> _Stored | None:
    """Where the voxels lie, in one file as the header says; else None, and ITK knows better."""
    said, files = _text(path), detached(path)
    data = path.parent / files[0] if files else path
    with open(path, "rb") as stream:
        start = stream.read(1 << 16)
    packed = False
    if path.name.lower().endswith(NRRD):
        packed = said.get("encoding", "").lower() in ("gz", "gzip")
        plain = packed or said.get("encoding") == "raw"
        plain &= not {"byte skip", "line skip"} & set(said)
        big, end = said.get("endian") == "big", re.search(rb"\r?\n\r?\n", start)
    elif path.name.lower().endswith(META):
        orders = ("binarydatabyteordermsb", "elementbyteordermsb")
        big = any(said.get(key, "").lower() == "true" for key in orders)
        plain = said.get("binarydata", "").lower() == "true" and "headersize" not in said
        packed = said.get("compresseddata", "false").lower() == "true"
        end = re.search(rb"ElementDataFile *= *LOCAL\r?\n", start)
    else:
        big, end = start[:4] == (348).to_bytes(4, "big"), re.match(rb"(?s).{352}", start)
        numbers = ("vox_offset", "scl_slope", "scl_inter")
        offset, slope, shift = (float(reader.GetMetaData(key)) for key in numbers)
        plain = path.suffix.lower() == ".nii" and (offset, shift) == (352, 0) and slope in (0, 1)
        plain &= int(reader.GetMetaData("bitpix")) == 8 * dtype.itemsize
    offset = end.end() if end and not files else 0
    size = math.prod(voxels) * dtype.itemsize
    if not plain or len(files) > 1 or not (files or end):
        return None
    if not packed and data.stat().st_size != offset + size:
        return None
    return _Stored(data, int(offset), dtype.newbyteorder(">" if big else "<"), packed)


def _unpacked(found: _Stored, voxels: tuple[int, ...]) -> np.ndarray:
    """Packed voxels, whose checksum is compared: MetaIO and teem read on past damage. Raises
    EOFError where they are damaged, or another number than the header says.
    """
    array = np.empty(voxels, found.dtype)
    content = array.reshape(-1).view(np.uint8)
    either = 32 + zlib.MAX_WBITS  # zlib or gzip, by their heads
    stream, filled, rest = zlib.decompressobj(either), 0, b""
    with open(found.file, "rb") as file:
        file.seek(found.offset)
        while not (stream.eof and filled == len(content)) and (piece := rest or file.read(1 << 16)):
            if stream.eof:  # gzip of several members
                stream = zlib.decompressobj(either)
            try:
                out = np.frombuffer(stream.decompress(piece), np.uint8)
            except zlib.error as error:
                raise EOFError(f"voxels that are damaged: {error}") from error
            if filled + len(out) > len(content):
                raise EOFError(f"voxels of {array.nbytes} bytes are expected, received more")
            content[filled : filled + len(out)] = out
            filled += len(out)
            rest = stream.unused_data
    if not stream.eof or filled < len(content):
        raise EOFError(f"voxels of {array.nbytes} bytes are expected, {filled} are there")
    return array


def _check_length(path: Path, reader: SimpleITK.ImageFileReader, voxels: tuple[int, ...]) -> None:
    """Raises EOFError where a NIfTI file is too short, of which ITK says nothing, or what gzip
    raises.
    """
    bits = int(reader.GetMetaData("bitpix"))
    expected = int(float(reader.GetMetaData("vox_offset"))) + math.prod(voxels) * bits // 8
    received = 0
    with (gzip.open if path.name.lower().endswith(".gz") else open)(path, "rb") as stream:
        while received <= expected and (piece := stream.read(1 << 20)):
            received += len(piece)
    if received < expected:
        raise EOFError(f"expected {expected} bytes, received {received}")


def image_header(path: Path, wanted: Wanted) -> Header:
    """Spacing and unit. MetaImage and NRRD without a unit are in millimetres, as ITK and Slicer
    take them; a spacing of 1 without a unit is no statement, since programs fill it in.
    """
    reader = _reader(path)
    spacing, said = reader.GetSpacing()[:3], _text(path)
    if path.name.lower().endswith(NIFTI):  # ITK makes millimetres of the units that NIfTI has
        codes = reader.GetMetaData("xyzt_units") if reader.HasMetaDataKey("xyzt_units") else "0"
        stated = int(codes) & 7 in (1, 2, 3)
        units = ["mm"] * 3
    else:
        units = re.findall(r'"([^"]*)"', said.get("space units", said.get("units", "")))
        if reader.HasMetaDataKey("ITK_VoxelUnits"):
            units = [reader.GetMetaData("ITK_VoxelUnits")] * 3
        stated = len(units) == 3
        units = units if stated else ["mm"] * 3
    notes = turned(reader.GetDirection(), len(reader.GetSize()))
    factors = [MICROMETRES.get(unit.lower()) for unit in units]
    if None in factors or (not stated and set(spacing) == {1.0}):
        return Header("zyx", (), notes)
    if not stated:
        notes += ("no unit in the header: its spacing is taken in millimetres",)
    edges = [factor * length for factor, length in zip(factors, spacing, strict=False) if factor]
    return Header("zyx", tuple(reversed(edges)), notes)


def _reader(path: Path) -> SimpleITK.ImageFileReader:
    """A reader that has read the header of `path`."""
    import SimpleITK

    for name in detached(path):
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise DataError(
                f"{path}: expected voxels in a file beside it, received {short(name)!r}"
            )
        if not (path.parent / name).is_file():
            raise DataError(f"{path}: expected the voxels in {name} beside it, found nothing")
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    with reading_as(path, _kind(path)):
        if path.name.lower().endswith(META):
            _check_meta(_text(path))
        try:
            reader.ReadImageInformation()
        except RuntimeError:
            if path.suffix.lower() == ".gz":  # of a damaged one ITK says that it knows no reader
                with gzip.open(path) as stream:
                    while stream.read(1 << 20):
                        pass
            raise
    return reader


def _check_meta(said: dict[str, str]) -> None:
    """Raises ValueError for sizes that MetaIO would believe: it counts by them without a bound."""
    rank, sizes = int(said.get("ndims", "0")), said.get("dimsize", "").split()
    if not 2 <= rank <= 4 or len(sizes) != rank or not all(0 < int(n) < 1 << 31 for n in sizes):
        raise ValueError(
            f"2 to 4 NDims and as many DimSize are expected, received {rank} and {times(sizes[:9])}"
        )
    channels = said.get("elementnumberofchannels", "1")
    if int(channels) != 1:
        raise ValueError(f"one channel is expected, received {channels[:20]}")


def _kind(path: Path) -> str:
    return next(kind for ends, kind in KINDS.items() if path.name.lower().endswith(ends))


def _text(path: Path) -> dict[str, str]:
    """The keys, in lower case, of the header of an NRRD or MetaImage file; none of NIfTI."""
    if not path.name.lower().endswith((*NRRD, *META)):
        return {}
    with open(path, "rb") as stream:
        text = stream.read(1 << 16).decode("latin-1").replace("\r", "")
    nrrd = path.name.lower().endswith(NRRD)
    said: dict[str, str] = {}
    for line in text.partition("\n\n")[0].split("\n") if nrrd else text.split("\n"):
        key, separator, value = line.partition(":" if nrrd else "=")
        if separator and not line.startswith("#"):
            said.setdefault(key.strip().lower(), value.removeprefix("=").strip())
        if key.strip() == "ElementDataFile":
            break
    return said


def detached(path: Path) -> list[str]:
    """The names of the files that hold the voxels of a header; [] where it holds them itself.

    Raises DataError for a pattern of names, which nobody can tell from a name.
    """
    said = _text(path)
    name = said.get("data file", said.get("datafile", said.get("elementdatafile", "LOCAL")))
    if name.upper().startswith("LIST"):
        with open(path, "rb") as stream:
            lines = stream.read(1 << 20).decode("latin-1").splitlines()
        start = next(i for i, line in enumerate(lines) if line.rstrip().endswith(name)) + 1
        return [line.strip() for line in lines[start:] if line.strip()]
    if "%" in name:
        raise DataError(
            f"{path}: expected the names of its files of voxels, one or a LIST, received"
            f" {short(name)!r}"
        )
    return [] if not name or name.upper() == "LOCAL" else [name]


MEDICAL = Format((*NRRD, *META, *NIFTI), read_image, image_header, apart=True)
