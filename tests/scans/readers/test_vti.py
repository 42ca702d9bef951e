"""VTK's image data as DAMASK and VTK write them; ids are voxels like any others."""

from __future__ import annotations

from pathlib import Path

import damask
import numpy as np
import pytest
import vtk
from vtk.util.numpy_support import numpy_to_vtk

from svevae.errors import DataError
from svevae.scans.volume import Lengths, corner_of, notes_of, read_volume, voxel_edges
from tests.scans.readers.volumes import GREYS, SHAPE


def save_damask(path: Path, compress: bool = True) -> Path:
    """5 x 6 x 7 cells of 10 um; DAMASK counts in metres."""
    grid = damask.GeomGrid(GREYS.astype(int), size=1e-5 * np.array(SHAPE))
    grid.save(path, compress)
    return path


@pytest.mark.parametrize("compress", [True, False])
def test_materials_of_damask(tmp_path: Path, compress: bool) -> None:
    path = save_damask(tmp_path / "grid.vti", compress)
    np.testing.assert_array_equal(read_volume(path), GREYS)
    assert voxel_edges(path) == (10, 10, 10)


def save_vtk(path: Path, points: bool) -> Path:
    """Two arrays of cells, or of points, as VTK itself writes them."""
    data = vtk.vtkImageData()
    data.SetDimensions(*(n if points else n + 1 for n in SHAPE))
    data.SetDirectionMatrix(0, 1, 0, 1, 0, 0, 0, 0, 1)
    for name, values in (("greys", GREYS), ("ids", GREYS // 7)):
        array = numpy_to_vtk(values.ravel(order="F"), deep=True)
        array.SetName(name)
        (data.GetPointData() if points else data.GetCellData()).AddArray(array)
    writer = vtk.vtkXMLImageDataWriter()
    writer.SetFileName(str(path))
    writer.SetInputData(data)
    writer.Write()
    return path


@pytest.mark.parametrize("points", [True, False])
def test_one_of_several_arrays_of_vtk(tmp_path: Path, points: bool) -> None:
    path = save_vtk(tmp_path / "grid.vti", points)
    np.testing.assert_array_equal(read_volume(path, dataset="ids"), GREYS // 7)
    with pytest.raises(
        DataError, match=r"grid\.vti: expected one array .* received greys .*, ids "
    ):
        read_volume(path)
    assert voxel_edges(path) is None
    assert [note.partition(",")[0] for note in notes_of(path)] == [
        "voxels are taken as stored",
        "VTK has no units: the voxel size is not known; --unit says that of its spacing",
    ]
    assert voxel_edges(path, lengths=Lengths("mm")) == (1000, 1000, 1000)


@pytest.mark.parametrize("points", [True, False])
def test_spacing_and_origin(tmp_path: Path, points: bool) -> None:
    """Of an image of VTK in the unit that people say, where points are numbered from 1 along x."""
    data = vtk.vtkImageData()
    data.SetExtent(1, 4, 0, 3, 0, 3)
    data.SetSpacing(2, 3, 4)
    data.SetOrigin(-2, 3, 0.5)
    count = 64 if points else 27
    array = numpy_to_vtk(np.arange(count), deep=True)
    array.SetName("ids")
    (data.GetPointData() if points else data.GetCellData()).AddArray(array)
    path = tmp_path / "grid.vti"
    writer = vtk.vtkXMLImageDataWriter()
    writer.SetFileName(str(path))
    writer.SetInputData(data)
    writer.Write()
    assert read_volume(path)[1, 0, 0] == 1
    corner = (-1, 1.5, -1.5) if points else (0, 3, 0.5)
    assert corner_of(path, lengths=Lengths("um")) == corner
    assert voxel_edges(path, lengths=Lengths("mm")) == (2000, 3000, 4000)
    assert notes_of(path, lengths=Lengths("um")) == (
        "the origin of the image is at (0, 3, 0.5) um",
    )


@pytest.mark.parametrize("share", [0, 0.2, 0.6, 0.9])
def test_cut_files_print_nothing(tmp_path: Path, share: float, capfd) -> None:
    path = save_damask(tmp_path / "grid.vti")
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(
        DataError, match=r"grid\.vti: expected a \.vti file of VTK, cannot be read: "
    ):
        read_volume(path)
    assert capfd.readouterr() == ("", "")


def test_a_size_beyond_memory(tmp_path: Path) -> None:
    path = save_damask(tmp_path / "grid.vti")
    path.write_text(
        path.read_text(encoding="utf-8").replace("0 5 0 6 0 7", "0 9999 0 9999 0 9999"),
        encoding="utf-8",
    )
    with pytest.raises(DataError, match=r"grid\.vti: expected at most .* 9999 x 9999 x 9999"):
        read_volume(path)
