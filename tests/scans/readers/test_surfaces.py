"""Surfaces of pores from the files that VTK and meshio write, and from damaged ones."""

from __future__ import annotations

import struct
from pathlib import Path

import meshio
import numpy as np
import pytest
import vtk
from scipy.ndimage import gaussian_filter
from skimage.measure import marching_cubes

from svevae.errors import DataError
from svevae.scans.volume import Lengths, notes_of, read_volume, voxel_edges
from tests.scans.readers.surfaces import WRITERS, ball, cuboid, save, sphere

N = 16
ONE, TWO = ((5.1, 6.2, 7.3), 4.0), ((10.7, 9.1, 8.2), 3.6)
# voxels of 10 um where the file counts in mm: the surfaces are scaled to that
LENGTHS = Lengths("mm", 10.0, (0.0, 0.0, 0.0, 0.16, 0.16, 0.16))


def scaled(shell, factor: float = 0.01, shift: float = 0.0):
    """`shell`, which counts in voxels, in another unit."""
    move = vtk.vtkTransform()
    move.Translate(shift, shift, shift)
    move.Scale(factor, factor, factor)
    moved = vtk.vtkTransformFilter()
    moved.SetTransform(move)
    moved.SetInputData(shell)
    moved.Update()
    return moved.GetOutput()


def pores():
    return [scaled(sphere(*ONE)), scaled(sphere(*TWO))]


def exact() -> np.ndarray:
    return ball(N, *ONE) | ball(N, *TWO)


@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.parametrize("text", [False, True])
def test_every_format_gives_the_same_voxels(tmp_path: Path, suffix: str, text: bool) -> None:
    path = save(tmp_path / f"pores{suffix}", *pores(), text=text)
    found = read_volume(path, lengths=LENGTHS)
    assert (found != exact()).sum() / exact().sum() < 0.02
    stl = save(tmp_path / "again.stl", *pores())
    assert (found != read_volume(stl, lengths=LENGTHS)).sum() <= 2  # of other roundings
    assert notes_of(path, lengths=LENGTHS) == (
        "2 closed surfaces; voxels from (0, 0, 0) to (0.16, 0.16, 0.16) mm",
    )
    assert voxel_edges(path, lengths=LENGTHS) is None


def test_squares_of_meshio(tmp_path: Path) -> None:
    """They are halved."""
    corners = np.array([(x, y, z) for z in (3, 9) for y in (2, 7) for x in (1, 6)], float)
    squares = [(0, 2, 3, 1), (4, 5, 7, 6), (0, 1, 5, 4), (2, 6, 7, 3), (0, 4, 6, 2), (1, 3, 7, 5)]
    path = tmp_path / "cuboid.ply"
    meshio.write_points_cells(path, corners, [("quad", np.array(squares))])
    found = read_volume(path, lengths=Lengths("um", 1.0, (0, 0, 0, 10, 10, 10)))
    assert (found.sum(), found[1:6, 2:7, 3:9].sum()) == (150, 150)


def test_units_and_places(tmp_path: Path) -> None:
    """The same voxels from a file in micrometres, and beside another corner."""
    wanted = read_volume(save(tmp_path / "mm.stl", *pores()), lengths=LENGTHS)
    shells = [scaled(sphere(*one), 10.0, -500.0) for one in (ONE, TWO)]
    path = save(tmp_path / "um.vtp", *shells)
    lengths = Lengths("um", 10.0, (-500.0, -500.0, -500.0, -340.0, -340.0, -340.0))
    assert (read_volume(path, lengths=lengths) != wanted).sum() <= 2


def test_the_box_around_the_pores(tmp_path: Path) -> None:
    """Its corner is that of the pores, and people are told that the part is larger."""
    path = save(tmp_path / "pores.stl", cuboid(2, 3, 4, 7, 9, 11), cuboid(10, 3, 4, 12, 9, 11))
    lengths = Lengths("um", 1.0)
    found = read_volume(path, lengths=lengths)
    assert (found.shape, found.sum()) == ((10, 6, 7), 7 * 6 * 7)
    [note] = notes_of(path, lengths=lengths)
    assert note == (
        "2 closed surfaces; voxels from (2, 3, 4) to (12, 9, 11) um, the box around the pores: the"
        " part is larger and its porosity smaller, --box says its corners"
    )


def test_shells_wound_inwards_are_told(tmp_path: Path) -> None:
    shells = [scaled(sphere((8, 8, 8), 6)), scaled(sphere((8, 8, 8), 3, inward=True))]
    path = save(tmp_path / "pores.ply", *shells)
    [note] = notes_of(path, lengths=LENGTHS)
    assert note.startswith("2 closed surfaces, of which 1 wound inwards: solid where they lie")
    found = read_volume(path, lengths=LENGTHS)
    assert found[8, 8, 3] == 1
    assert found[8, 8, 8] == 0


def test_several_solids_in_one_text(tmp_path: Path) -> None:
    """Texts of a pore each, one after another; VTK reads all."""
    parts = [save(tmp_path / f"{i}.stl", pore, text=True) for i, pore in enumerate(pores())]
    path = tmp_path / "pores.stl"
    path.write_text("".join(part.read_text(encoding="utf-8") for part in parts), encoding="utf-8")
    whole = save(tmp_path / "whole.stl", *pores(), text=True)
    np.testing.assert_array_equal(
        read_volume(path, lengths=LENGTHS), read_volume(whole, lengths=LENGTHS)
    )


@pytest.mark.parametrize("turned", [False, True])
def test_surfaces_of_marching_cubes(tmp_path: Path, turned: bool) -> None:
    """Winding pores whose surface runs through lines of centres, in a text of six digits, whichever
    way round: the very voxels that it was made of.
    """
    greys = gaussian_filter(np.random.default_rng(0).standard_normal((32, 32, 32)), 2)
    voxels = np.zeros(greys.shape, np.uint8)
    voxels[1:-1, 1:-1, 1:-1] = (greys > np.quantile(greys, 0.8))[1:-1, 1:-1, 1:-1]
    points, triangles, _, _ = marching_cubes(voxels.astype(np.float32), 0.5)
    corners = 0.01 * (points + 0.5)[triangles[:, ::-1] if turned else triangles]
    facets = [
        "facet normal 0 0 0\nouter loop\n"
        + "".join(f"vertex {x:.6e} {y:.6e} {z:.6e}\n" for x, y, z in facet)
        + "endloop\nendfacet\n"
        for facet in corners
    ]
    path = tmp_path / "pores.stl"
    path.write_text(f"solid pores\n{''.join(facets)}endsolid pores\n", encoding="utf-8")
    found = read_volume(path, lengths=Lengths("mm", 10.0, (0, 0, 0, 0.32, 0.32, 0.32)))
    np.testing.assert_array_equal(found, voxels)


def test_a_binary_file_that_begins_with_solid(tmp_path: Path) -> None:
    path = save(tmp_path / "pores.stl", *pores())
    wanted = read_volume(path, lengths=LENGTHS)
    path.write_bytes(b"solid of some program".ljust(80) + path.read_bytes()[80:])
    np.testing.assert_array_equal(read_volume(path, lengths=LENGTHS), wanted)


def test_unit_and_voxel_size_are_asked_for(tmp_path: Path) -> None:
    path = save(tmp_path / "pores.stl", scaled(cuboid(2, 3, 4, 7, 9, 11)))
    with pytest.raises(
        DataError,
        match=r"pores\.stl: expected --unit um, .* span \(0\.02, 0\.03, 0\.04\) to \(0\.07,",
    ):
        read_volume(path, lengths=Lengths(None, 10.0))
    with pytest.raises(DataError, match=r"expected --voxel-size .* 0\.11\) mm"):
        read_volume(path, lengths=Lengths("mm"))


def test_a_wrong_unit(tmp_path: Path) -> None:
    """Micrometres taken for metres: more voxels than memory has."""
    path = save(tmp_path / "pores.stl", sphere((8, 8, 8), 6))
    for unit, edge, received in (
        (
            "m",
            10.0,
            r"16384 along an axis, .* 1\.\d+e\+06 x .* voxels: another --unit or --voxel-size\?",
        ),
        ("um", 1e-3, "the .* of free memory, received a box of 1\\d+ x "),
        ("m", 1e-4, r"at most 1e\+09 voxels, received some from \(2\.\d+, "),
        ("m", 1e-320, r"at most 1e\+09 voxels, received some from \(2\.\d+, "),
    ):
        with pytest.raises(DataError, match=rf"pores\.stl: expected .*{received}"):
            read_volume(path, lengths=Lengths(unit, edge))
    with pytest.raises(DataError, match="another --unit or --voxel-size"):
        read_volume(path, lengths=Lengths("m", 10.0, (0, 0, 0, 1e-4, 1e-4, 1e-4)))
    for far in (1e9, 1e300):
        with pytest.raises(DataError, match=r"pores\.stl: expected"):
            read_volume(path, lengths=Lengths("um", 1e-9, (0, 0, 0, far, far, far)))


def test_a_box_of_parts_of_voxels(tmp_path: Path) -> None:
    path = save(tmp_path / "pores.stl", *pores())
    box = (0.0, 0.0, 0.0, 0.16, 0.165, 0.16)
    with pytest.raises(DataError, match=r"--box of whole voxels, received 16 x 16\.5 x 16 voxels"):
        read_volume(path, lengths=Lengths("mm", 10.0, box))


def test_an_open_surface(tmp_path: Path) -> None:
    whole = sphere((8, 8, 8), 6)
    half = vtk.vtkClipPolyData()
    plane = vtk.vtkPlane()
    plane.SetOrigin(8, 8, 8.1)
    half.SetClipFunction(plane)
    half.SetInputData(scaled(whole, 1.0))
    half.Update()
    path = save(tmp_path / "pores.vtp", half.GetOutput())
    with pytest.raises(
        DataError, match=r"pores\.vtp: expected closed surfaces, received \d\d+ edges of one .*8\.1"
    ):
        read_volume(path, lengths=Lengths("um", 1.0))


@pytest.mark.parametrize("count", [0, 5, 2**31 - 1, 2**32 - 1])
def test_binary_stl_that_claims_other_triangles(tmp_path: Path, count: int) -> None:
    path = save(tmp_path / "pores.stl", *pores())
    whole = path.read_bytes()
    path.write_bytes(whole[:80] + struct.pack("<I", count) + whole[84:])
    with pytest.raises(
        DataError,
        match=rf"expected an \.stl file, 84 bytes and 50 .* {count} triangles in {len(whole)} b",
    ):
        read_volume(path, lengths=LENGTHS)


@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.97])
def test_cut_files_print_nothing(
    tmp_path: Path, suffix: str, text: bool, share: float, capfd
) -> None:
    path = save(tmp_path / f"pores{suffix}", *pores(), text=text)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(DataError, match=rf"pores\{suffix}: "):
        read_volume(path, lengths=LENGTHS)
    assert capfd.readouterr() == ("", "")


def test_counts_beyond_memory(tmp_path: Path) -> None:
    """VTK makes room for what the header of a .ply file claims."""
    path = save(tmp_path / "pores.ply", *pores(), text=True)
    text = path.read_text(encoding="utf-8")
    count = text.split("element face ")[1].split()[0]
    path.write_text(
        text.replace(f"element face {count}", "element face 2000000000"), encoding="utf-8"
    )
    with pytest.raises(DataError, match=r"pores\.ply: "):
        read_volume(path, lengths=LENGTHS)


def test_coordinates_that_are_not_finite(tmp_path: Path) -> None:
    path = save(tmp_path / "pores.stl", *pores())
    whole = path.read_bytes()
    path.write_bytes(whole[:96] + struct.pack("<f", np.nan) + whole[100:])
    with pytest.raises(DataError, match=r"pores\.stl: .* cannot be read: vertex 1 non-finite"):
        read_volume(path, lengths=LENGTHS)
    path = save(tmp_path / "pores.ply", cuboid(2, 3, 4, 7, 9, 11), text=True)
    path.write_text(
        path.read_text(encoding="utf-8").replace("end_header\n2 ", "end_header\nnan "),
        encoding="utf-8",
    )
    with pytest.raises(DataError, match=r"pores\.ply: expected coordinates that are finite"):
        read_volume(path, lengths=LENGTHS)


def test_no_triangle(tmp_path: Path) -> None:
    line = vtk.vtkLineSource()
    line.Update()
    path = tmp_path / "line.vtp"
    writer = vtk.vtkXMLPolyDataWriter()
    writer.SetFileName(str(path))
    writer.SetInputData(line.GetOutput())
    writer.Write()
    with pytest.raises(DataError, match=r"line\.vtp: expected surfaces, received no triangle"):
        read_volume(path, lengths=LENGTHS)


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = save(tmp_path / "pores.stl", cuboid(2, 3, 4, 7, 9, 11))
    lengths = Lengths("um", 1.0)
    assert "to (7, 9, 11)" in notes_of(path, lengths=lengths)[0]
    save(path, cuboid(2, 3, 4, 8, 9, 11), cuboid(2, 3, 4, 5, 6, 7))
    assert "to (8, 9, 11)" in notes_of(path, lengths=lengths)[0]
    assert read_volume(path, lengths=lengths).shape == (6, 6, 7)
