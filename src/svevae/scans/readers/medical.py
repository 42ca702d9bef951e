"""Volumes that SimpleITK reads: NRRD, MetaImage, NIfTI, and DICOM series in a folder.

SimpleITK's array is (z, y, x), x fastest, its spacing x, y, z. Voxels are taken as stored:
direction cosines turn nothing, a note tells of them.
"""

from __future__ import annotations

import gzip
import math
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

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
)
from svevae.words import some

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


_ONE_AT_A_TIME = threading.RLock()


@contextmanager
def silent() -> Iterator[None]:
    """Nothing on the standard error of the process: ITK's readers print there beside what they
    raise.
    """
    with _ONE_AT_A_TIME, open(os.devnull, "wb") as nowhere:
        before = os.dup(2)
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(before, 2)
            os.close(before)


def read_image(path: Path, wanted: Wanted) -> np.ndarray:
    import SimpleITK

    reader = _reader(path)
    voxels = tuple(reversed(reader.GetSize()))
    kind = SimpleITK.GetPixelIDValueAsString(reader.GetPixelID())
    if kind not in TYPES:
        raise DataError(f"{path}: expected a volume of one number a voxel, received {kind}")
    dtype = np.dtype(TYPES[kind])
    said = _text(path)
    files = [path, *(path.parent / name for name in detached(path))]
    stored = sum(file.stat().st_size for file in files if file.is_file())
    # ITK refuses what is too short and not packed; bzip2 has no bound worth naming
    packed = said.get("encoding", "gzip").lower()
    fits(path, voxels, dtype, stored, None if packed.startswith("bz") else DEFLATE)
    fits(path, (2, *voxels), dtype)  # SimpleITK's image, and the array of it
    with reading_as(path, _kind(path)), silent():
        if path.name.lower().endswith(NIFTI):
            _check_length(path, reader, voxels)
        return SimpleITK.GetArrayFromImage(reader.Execute())


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
            raise DataError(f"{path}: expected voxels in a file beside it, received {name!r}")
        if not (path.parent / name).is_file():
            raise DataError(f"{path}: expected the voxels in {name} beside it, found nothing")
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    with reading_as(path, _kind(path)), silent():
        if path.name.lower().endswith(META):
            _check_meta(_text(path))
        reader.ReadImageInformation()
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
            f"{path}: expected the names of its files of voxels, one or a LIST, received {name!r}"
        )
    return [] if not name or name.upper() == "LOCAL" else [name]


def turned(direction: tuple[float, ...], rank: int) -> tuple[str, ...]:
    """A note where direction cosines are not identity."""
    if np.allclose(direction, np.eye(rank).ravel(), atol=1e-4):
        return ()
    cosines = np.reshape(direction, (rank, rank))
    rows = "; ".join(" ".join(f"{round(x, 4) + 0.0:g}" for x in row) for row in cosines)
    return (f"voxels are taken as stored, not turned by the direction cosines {rows}",)


def is_dicom(folder: Path) -> bool:
    return any(_is_dicom_file(path) for path in sorted(folder.iterdir())[:20])


def _is_dicom_file(path: Path) -> bool:
    try:
        if path.name.startswith(".") or path.name == "DICOMDIR" or not path.is_file():
            return False
        with open(path, "rb") as stream:
            return stream.read(132)[128:] == b"DICM"
    except OSError:
        return False


def read_series(folder: Path, wanted: Wanted) -> np.ndarray:
    """The one DICOM series of a folder, or the one whose UID `wanted.dataset` is."""
    import SimpleITK

    reader, files = _series(folder, wanted.dataset)
    first = SimpleITK.ImageFileReader()
    first.SetFileName(files[0])
    with reading_as(folder, "a DICOM series"), silent():
        first.ReadImageInformation()
    columns, rows, *depth = first.GetSize()
    shape = (max(len(files), *depth), rows, columns)
    kind = SimpleITK.GetPixelIDValueAsString(first.GetPixelID())
    if kind not in TYPES:
        raise DataError(f"{folder}: expected a volume of one number a voxel, received {kind}")
    fits(folder, (2, *shape), np.dtype(TYPES[kind]))
    with reading_as(folder, "a DICOM series"), silent():
        image = reader.Execute()
    _step(folder, files)
    return SimpleITK.GetArrayFromImage(image)


def series_header(folder: Path, wanted: Wanted) -> Header:
    import SimpleITK

    _, files = _series(folder, wanted.dataset)
    first = SimpleITK.ImageFileReader()
    first.SetFileName(files[0])
    with reading_as(folder, "a DICOM series"), silent():
        first.ReadImageInformation()
    x, y, *z = first.GetSpacing()
    step = _step(folder, files) if len(files) > 1 else (z[0] if z else 0.0)
    notes = turned(first.GetDirection(), len(first.GetSize()))
    stated = any(first.HasMetaDataKey(key) for key in ("0028|0030", "0018|1164"))
    return Header(
        "zyx", tuple(1e3 * edge for edge in (step, y, x)) if stated and step else (), notes
    )


def _series(folder: Path, dataset: str | None) -> tuple[SimpleITK.ImageSeriesReader, list[str]]:
    """A reader of the chosen series, and its files in the order of their positions."""
    import SimpleITK

    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    reader = SimpleITK.ImageSeriesReader()
    with reading_as(folder, "a DICOM series"), silent():
        uids = reader.GetGDCMSeriesIDs(str(folder))
        files = {uid: reader.GetGDCMSeriesFileNames(str(folder), uid) for uid in uids}
    known = {Path(name).name for names in files.values() for name in names}
    found = [path.name for path in sorted(folder.iterdir()) if _is_dicom_file(path)]
    if lost := [name for name in found if name not in known]:
        raise DataError(
            f"{folder}: expected DICOM files of a series, cannot be read: {some(lost, 5)}"
        )
    chosen = [uid for uid in files if dataset in (None, uid)]
    if len(chosen) != 1:
        listed = some(
            [f"{uid} ({len(files[uid])} files, {Path(files[uid][0]).name})" for uid in files], 5
        )
        expected = f"the DICOM series {dataset}" if dataset else "one DICOM series"
        raise DataError(
            f"{folder}: expected {expected}, received {listed or 'none'}; name one with --dataset"
        )
    reader.SetFileNames(files[chosen[0]])
    return reader, list(files[chosen[0]])


def _step(folder: Path, files: list[str]) -> float:
    """The distance in millimetres of neighbouring slices along their normal; 0 without positions.

    Raises DataError where it is not one distance: a slice is missing, or there twice.
    """
    import SimpleITK

    positions, normal = [], np.zeros(3)
    for file in files if len(files) > 1 else []:
        reader = SimpleITK.ImageFileReader()
        reader.SetFileName(file)
        with reading_as(Path(file), "a DICOM file"), silent():
            reader.ReadImageInformation()
            if not reader.HasMetaDataKey("0020|0032"):
                return 0.0
            positions.append([float(x) for x in reader.GetMetaData("0020|0032").split("\\")])
            if len(reader.GetDirection()) == 9:
                normal = np.reshape(reader.GetDirection(), (3, 3))[:, 2]
    if not positions:
        return 0.0
    along = np.array(positions) @ normal
    steps = np.abs(np.diff(along))
    typical = float(np.median(steps))
    if not np.allclose(steps, typical, rtol=0.05, atol=1e-6) or typical == 0:
        i = int(np.argmax(np.abs(steps - typical)))
        names = " and ".join(Path(file).name for file in files[i : i + 2])
        raise DataError(
            f"{folder}: expected slices at one distance, {typical:g} mm, received {steps[i]:g} mm"
            f" between {names}: a slice is missing, or there twice"
        )
    return typical


MEDICAL = Format((*NRRD, *META, *NIFTI), read_image, image_header)
DICOM = Format((), read_series, series_header, is_dicom)
