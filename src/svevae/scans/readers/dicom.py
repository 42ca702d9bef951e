"""DICOM: the slices of one series in a folder, in the order of their positions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from svevae.errors import DataError
from svevae.scans.readers.base import Format, Header, Wanted, fits, reading_as, turned
from svevae.scans.readers.medical import TYPES
from svevae.words import counted, some

if TYPE_CHECKING:
    import SimpleITK


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
    with reading_as(folder, "a DICOM series"):
        first.ReadImageInformation()
    columns, rows, *depth = first.GetSize()
    shape = (max(len(files), *depth), rows, columns)
    kind = SimpleITK.GetPixelIDValueAsString(first.GetPixelID())
    if kind not in TYPES:
        raise DataError(f"{folder}: expected a volume of one number a voxel, received {kind}")
    fits(folder, (3, *shape), np.dtype(TYPES[kind]))  # as in medical.py
    with reading_as(folder, "a DICOM series"):
        image = reader.Execute()
    _step(folder, files)
    return SimpleITK.GetArrayFromImage(image)


def series_header(folder: Path, wanted: Wanted) -> Header:
    import SimpleITK

    _, files = _series(folder, wanted.dataset)
    first = SimpleITK.ImageFileReader()
    first.SetFileName(files[0])
    with reading_as(folder, "a DICOM series"):
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
    with reading_as(folder, "a DICOM series"):
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
            [
                f"{uid} ({counted(len(files[uid]), 'file')}, {Path(files[uid][0]).name})"
                for uid in files
            ],
            5,
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
        with reading_as(Path(file), "a DICOM file"):
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


DICOM = Format((), read_series, series_header, is_dicom, of_arrays=True, apart=True)
