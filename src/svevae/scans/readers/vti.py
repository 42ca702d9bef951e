"""VTK's image data, .vti, as DAMASK (`GeomGrid.save`), ParaView and PyVista write it: x fastest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
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
        origin = information.Get(vtk.vtkDataObject.ORIGIN())
        direction = information.Get(vtk.vtkDataObject.DIRECTION()) or tuple(np.eye(3).ravel())
        damask = "material" in _shapes(reader)
    unit = wanted.lengths.unit or ("m" if damask else None)
    return image_header(spacing, origin, turned(direction, 3), unit)


def image_header(
    spacing: Sequence[float],
    origin: Sequence[float],
    notes: tuple[str, ...] = (),
    unit: str | None = None,
) -> Header:
    """What an image says whose lengths are in `unit`, None where that is not known."""
    if any(origin):
        place = ", ".join(f"{x:.6g}" for x in origin)
        notes = (*notes, f"the origin of the image is at ({place}){f' {unit}' if unit else ''}")
    if unit is None:
        return Header(
            "zyx",
            (),
            (
                *notes,
                "VTK has no units: the voxel size is not known; --unit says that of its spacing",
            ),
        )
    return Header("zyx", tuple(MICROMETRES[unit] * edge for edge in reversed(spacing)), notes)


VTI = Format((".vti",), read_vti, vti_header, of_arrays=True, apart=True, unitless=True)
