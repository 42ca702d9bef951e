"""VTK's legacy files, .vtk: an image (STRUCTURED_POINTS) or surfaces (POLYDATA)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from svevae.errors import DataError
from svevae.scans.readers.apart import apart
from svevae.scans.readers.base import Format, Header, Wanted, chosen, fits, reading_as
from svevae.scans.readers.surfaces import read_surface, surface_header
from svevae.scans.readers.vti import image_header, watched

if TYPE_CHECKING:
    import vtk

FIRST = 1 << 14  # bytes in which the header ends
KIND = "a legacy .vtk file of VTK"
BITS = 8  # voxels that a byte of the file may hold, of type bit


def read_legacy(path: Path, wanted: Wanted) -> np.ndarray:
    """The array (z, y, x) of an image that `wanted.dataset` names, or its only one; or surfaces,
    filled with voxels (x, y, z).
    """
    if _is_surface(path):
        if wanted.dataset:
            raise DataError(
                f"{path}: expected no --dataset with surfaces, received {wanted.dataset}"
            )
        return read_surface(path, wanted)
    if wanted.lengths.box is not None:
        raise DataError(
            f"{path}: expected no --box with an image, which has voxels; --crop counts them"
        )
    return apart(path, read_image, path, wanted)


def legacy_header(path: Path, wanted: Wanted) -> Header:
    if _is_surface(path):
        return surface_header(path, wanted)
    spacing, origin, points = apart(path, read_place, path, wanted.dataset)
    return image_header(spacing, origin, points, wanted.lengths.unit)


def _is_surface(path: Path) -> bool:
    """Whether the file holds surfaces, not an image. DataError for anything else."""
    with path.open("rb") as file:
        head = file.read(FIRST).decode("latin-1")
    found = re.search(r"^\s*DATASET\s+(\S+)", head, re.IGNORECASE | re.MULTILINE)
    kind = found[1].upper() if found and head.startswith("# vtk DataFile") else "no DATASET"
    if kind not in ("STRUCTURED_POINTS", "POLYDATA"):
        raise DataError(
            f"{path}: expected {KIND} with DATASET STRUCTURED_POINTS or POLYDATA, received {kind}"
        )
    return kind == "POLYDATA"


@contextmanager
def _read(path: Path) -> Iterator[vtk.vtkStructuredPoints]:
    """The image of a file, with all its arrays, if its size and memory allow what it claims."""
    import vtk

    fits(path, _points(path), np.dtype(np.uint8), path.stat().st_size, BITS)
    with watched(path, KIND) as no_errors:
        reader = vtk.vtkStructuredPointsReader()
        reader.SetFileName(str(path))
        reader.ReadAllScalarsOn()
        reader.ReadAllFieldsOn()
        reader.Update()
        no_errors()
        yield reader.GetOutput()


def read_place(
    path: Path, dataset: str | None
) -> tuple[tuple[float, ...], tuple[float, ...], bool]:
    """Spacing and origin of an image along x, y and z, and whether points have the numbers of the
    array, not cells.
    """
    with _read(path) as data:
        cells = data.GetCellData()
        names = [cells.GetArrayName(i) for i in range(cells.GetNumberOfArrays())]
        points = dataset not in names if dataset else not names
        return data.GetSpacing(), data.GetOrigin(), points


def read_image(path: Path, wanted: Wanted) -> np.ndarray:
    """The array (z, y, x) of an image, of cells or of points."""
    from vtk.util.numpy_support import vtk_to_numpy

    with _read(path) as data:
        points = tuple(reversed(data.GetDimensions()))
        cells = tuple(max(n - 1, 1) for n in points)
        arrays = {}
        for shape, held in ((points, data.GetPointData()), (cells, data.GetCellData())):
            for i in range(held.GetNumberOfArrays()):
                if (array := held.GetArray(i)) is not None:
                    size = array.GetNumberOfComponents()
                    arrays[held.GetArrayName(i)] = (array, shape if size == 1 else (*shape, size))
        shapes = {name: shape for name, (_, shape) in arrays.items()}
        name = chosen(path, shapes, wanted.dataset)
        found = vtk_to_numpy(arrays[name][0])
        if found.size != np.prod(shapes[name]):
            raise ValueError(f"{name}: {found.size} numbers for {shapes[name]} voxels")
        return found.reshape(shapes[name])


def _points(path: Path) -> tuple[int, ...]:
    """How many points the header claims along z, y and x."""
    with path.open("rb") as file, reading_as(path, KIND):
        head = file.read(FIRST).decode("latin-1")
        found = re.search(
            r"^\s*DIMENSIONS\s+(\d+)\s+(\d+)\s+(\d+)", head, re.IGNORECASE | re.MULTILINE
        )
        if found is None:
            raise ValueError("no DIMENSIONS in its header")
        return tuple(int(count) for count in reversed(found.groups()))


LEGACY = Format((".vtk",), read_legacy, legacy_header, of_arrays=True, unitless=True, surfaces=True)
