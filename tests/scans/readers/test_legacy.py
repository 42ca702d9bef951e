"""Legacy .vtk files as VTK writes them: images of points or cells, and surfaces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import vtk
from vtk.util.numpy_support import numpy_to_vtk

from svevae.errors import DataError
from svevae.scans.volume import Lengths, corner_of, notes_of, read_volume, voxel_edges
from tests.scans.readers.surfaces import cuboid, save
from tests.scans.readers.volumes import GREYS, SHAPE


def save_image(path: Path, points: bool, names=("greys", "ids"), text: bool = False) -> Path:
    """Arrays of a spacing of 0.01 x 0.02 x 0.03 from (1, 2, -3), of points or of cells."""
    data = vtk.vtkStructuredPoints()
    data.SetDimensions(*(n if points else n + 1 for n in SHAPE))
    data.SetSpacing(0.01, 0.02, 0.03)
    data.SetOrigin(1, 2, -3)
    held = data.GetPointData() if points else data.GetCellData()
    for i, name in enumerate(names):
        array = numpy_to_vtk((GREYS // (1 + 6 * i)).ravel(order="F"), deep=True)
        array.SetName(name)
        held.AddArray(array)
    held.SetActiveScalars(names[0])
    writer = vtk.vtkStructuredPointsWriter()
    writer.SetFileName(str(path))
    (writer.SetFileTypeToASCII if text else writer.SetFileTypeToBinary)()
    writer.SetInputData(data)
    writer.Write()
    return path


@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize("points", [True, False])
def test_images(tmp_path: Path, points: bool, text: bool) -> None:
    path = save_image(tmp_path / "image.vtk", points, ("greys",), text)
    found = read_volume(path)
    np.testing.assert_array_equal(found, GREYS)
    assert found.dtype == np.uint16
    assert voxel_edges(path) is None
    assert voxel_edges(path, lengths=Lengths("mm")) == (10, 20, 30)
    assert voxel_edges(path, lengths=Lengths("um")) == (0.01, 0.02, 0.03)
    # the origin is the centre of the first point, or the corner of the first cell
    corner = np.array([1000, 2000, -3000]) - (np.array([5, 10, 15]) if points else 0)
    np.testing.assert_allclose(corner_of(path, lengths=Lengths("mm")), corner)
    assert corner_of(path) is None
    origin = "the origin of the image is at (1, 2, -3)"
    assert notes_of(path, lengths=Lengths("mm")) == (f"{origin} mm",)
    assert notes_of(path) == (
        origin,
        "VTK has no units: the voxel size is not known; --unit says that of its spacing",
    )


@pytest.mark.parametrize("points", [True, False])
def test_one_of_several_arrays(tmp_path: Path, points: bool) -> None:
    path = save_image(tmp_path / "image.vtk", points)
    np.testing.assert_array_equal(read_volume(path, dataset="ids"), GREYS // 7)
    np.testing.assert_array_equal(read_volume(path, dataset="greys"), GREYS)
    with pytest.raises(DataError, match=r"image\.vtk: expected one array .* greys .*, ids "):
        read_volume(path)


def test_surfaces(tmp_path: Path) -> None:
    path = save(tmp_path / "pores.vtk", cuboid(2, 3, 4, 7, 9, 11))
    found = read_volume(path, lengths=Lengths("um", 1.0, (0, 0, 0, 12, 12, 12)))
    assert (found.sum(), found[2:7, 3:9, 4:11].sum()) == (210, 210)
    with pytest.raises(DataError, match="expected no --dataset with surfaces, received greys"):
        read_volume(path, dataset="greys")


def test_another_kind(tmp_path: Path) -> None:
    path = tmp_path / "mesh.vtk"
    path.write_text(
        "# vtk DataFile Version 3.0\nmesh\nASCII\nDATASET UNSTRUCTURED_GRID\n", encoding="utf-8"
    )
    with pytest.raises(DataError, match="STRUCTURED_POINTS or POLYDATA, received UNSTRUCTURED_G"):
        read_volume(path)
    path.write_text("a table", encoding="utf-8")
    with pytest.raises(DataError, match="received no DATASET"):
        read_volume(path)


def test_a_box_with_an_image(tmp_path: Path) -> None:
    path = save_image(tmp_path / "image.vtk", True, ("greys",))
    with pytest.raises(DataError, match=r"image\.vtk: expected no --box with an image"):
        read_volume(path, lengths=Lengths(box=(0, 0, 0, 1, 1, 1)))


@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize("share", [0, 0.2, 0.6, 0.9])
def test_cut_files_print_nothing(tmp_path: Path, share: float, text: bool, capfd) -> None:
    path = save_image(tmp_path / "image.vtk", True, ("greys",), text)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(DataError, match=r"image\.vtk: "):
        read_volume(path)
    assert capfd.readouterr() == ("", "")


def test_a_size_beyond_the_file(tmp_path: Path) -> None:
    path = save_image(tmp_path / "image.vtk", True, ("greys",))
    path.write_bytes(path.read_bytes().replace(b"DIMENSIONS 5 6 7", b"DIMENSIONS 9999 9999 9999"))
    with pytest.raises(DataError, match=r"image\.vtk: expected at most .* 9999 x 9999 x 9999"):
        read_volume(path)
