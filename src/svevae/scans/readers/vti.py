"""VTK's image data, .vti, as DAMASK (`GeomGrid.save`), ParaView and PyVista write it: x fastest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from svevae.errors import DataError
from svevae.scans.readers.base import (
    DEFLATE,
    MICROMETRES,
    Format,
    Header,
    Wanted,
    chosen,
    fits,
    reading_as,
    turned,
)

if TYPE_CHECKING:
    import vtk


@contextmanager
def watched(path: Path, kind: str) -> Iterator[Callable[[], None]]:
    """Turns what VTK prints while the context lasts into a DataError, at its end and where the
    function that it gives is called. `kind` is what `path` should be, such as "a .vti file of VTK".
    """
    import vtk

    window, before = vtk.vtkStringOutputWindow(), vtk.vtkOutputWindow.GetInstance()
    verbosity = vtk.vtkLogger.GetCurrentVerbosityCutoff()
    vtk.vtkLogger.SetStderrVerbosity(vtk.vtkLogger.VERBOSITY_OFF)
    vtk.vtkOutputWindow.SetInstance(window)
    try:
        with reading_as(path, kind):
            yield partial(_no_errors, window)
            _no_errors(window)
    finally:
        vtk.vtkOutputWindow.SetInstance(before)
        vtk.vtkLogger.SetStderrVerbosity(verbosity)


@contextmanager
def opened(path: Path) -> Iterator[vtk.vtkXMLImageDataReader]:
    """A reader that has read the header. What VTK prints while the context lasts becomes a
    DataError.
    """
    import vtk

    with watched(path, "a .vti file of VTK") as no_errors:
        reader = vtk.vtkXMLImageDataReader()
        reader.SetFileName(str(path))
        reader.UpdateInformation()
        no_errors()
        yield reader


def _no_errors(window: vtk.vtkStringOutputWindow) -> None:
    lines = [line for line in window.GetOutput().splitlines() if line.strip()]
    if lines:
        said = next((line for line in lines if not line.startswith("ERROR: In")), lines[0])
        raise ValueError(said.partition("): ")[2] or said)


def _shapes(reader: vtk.vtkXMLImageDataReader) -> dict[str, tuple[int, ...]]:
    """The arrays (z, y, x) by name: of the cells, and of the points where no cell has one."""
    import vtk

    key = vtk.vtkStreamingDemandDrivenPipeline.WHOLE_EXTENT()
    extent = np.reshape(reader.GetOutputInformation(0).Get(key), (3, 2))
    points = tuple(int(n) for n in (extent[:, 1] - extent[:, 0] + 1)[::-1])
    shapes = {reader.GetPointArrayName(i): points for i in range(reader.GetNumberOfPointArrays())}
    cells = tuple(max(n - 1, 1) for n in points)
    return shapes | {
        reader.GetCellArrayName(i): cells for i in range(reader.GetNumberOfCellArrays())
    }


def read_vti(path: Path, wanted: Wanted) -> np.ndarray:
    """The array that `wanted.dataset` names, DAMASK's `material`, or the only one."""
    from vtk.util.numpy_support import vtk_to_numpy

    with opened(path) as reader:
        shapes = _shapes(reader)
        default = "material" if "material" in shapes else None
        name = chosen(path, shapes, wanted.dataset or default)
        # the widest type, since the header that VTK offers has none
        fits(path, shapes[name], np.dtype("f8"), path.stat().st_size, DEFLATE)
        for selection in (reader.GetCellDataArraySelection(), reader.GetPointDataArraySelection()):
            selection.DisableAllArrays()
            selection.EnableArray(name)
        reader.Update()
        data = reader.GetOutput()
        found = data.GetCellData().GetArray(name) or data.GetPointData().GetArray(name)
        if found is None:
            raise ValueError(f"no numbers in {name}")
        array = vtk_to_numpy(found)
    if array.size != np.prod(shapes[name]):
        raise DataError(
            f"{path}: {name}: expected one number for each of {shapes[name]} voxels, received"
            f" shape {array.shape}"
        )
    return array.reshape(shapes[name])


def vti_header(path: Path, wanted: Wanted) -> Header:
    """Spacing in metres where DAMASK wrote the file; VTK itself has no units."""
    import vtk

    with opened(path) as reader:
        information = reader.GetOutputInformation(0)
        spacing = information.Get(vtk.vtkDataObject.SPACING())
        extent = information.Get(vtk.vtkStreamingDemandDrivenPipeline.WHOLE_EXTENT())
        # where the first point is, whose number need not be 0
        origin = np.add(
            information.Get(vtk.vtkDataObject.ORIGIN()), np.multiply(spacing, extent[::2])
        )
        direction = information.Get(vtk.vtkDataObject.DIRECTION()) or tuple(np.eye(3).ravel())
        damask = "material" in _shapes(reader)
        points = _of_points(reader, wanted.dataset or ("material" if damask else None))
    unit = wanted.lengths.unit or ("m" if damask else None)
    found = image_header(spacing, origin, points, unit)
    turns = turned(direction, 3)
    return replace(found, notes=(*turns, *found.notes), corner=None if turns else found.corner)


def _of_points(reader: vtk.vtkXMLImageDataReader, name: str | None) -> bool:
    """Whether an array has a number for each point, not for each cell; of the only one if it is not
    named.
    """
    cells = [reader.GetCellArrayName(i) for i in range(reader.GetNumberOfCellArrays())]
    return name not in cells if name else not cells


def image_header(
    spacing: Sequence[float],
    origin: Sequence[float],
    points: bool,
    unit: str | None = None,
) -> Header:
    """What an image says whose lengths are in `unit`, None where that is not known. The origin is
    the centre of the first voxel where `points` have the numbers, its corner where cells have.
    """
    notes: tuple[str, ...] = ()
    if any(origin):
        place = ", ".join(f"{x:.6g}" for x in origin)
        notes = (f"the origin of the image is at ({place}){f' {unit}' if unit else ''}",)
    if unit is None:
        return Header(
            "zyx",
            (),
            (
                *notes,
                "VTK has no units: the voxel size is not known; --unit says that of its spacing",
            ),
        )
    x, y, z = (
        float(MICROMETRES[unit] * (place - (edge / 2 if points else 0)))
        for place, edge in zip(origin, spacing, strict=True)
    )
    edges = tuple(MICROMETRES[unit] * edge for edge in reversed(spacing))
    return Header("zyx", edges, notes, (x, y, z))


VTI = Format((".vti",), read_vti, vti_header, of_arrays=True, apart=True, unitless=True)
