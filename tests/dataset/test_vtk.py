"""VTKHDF files: structure and axis order by h5py and, where VTK is installed, by its own reader."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from svevae.dataset import vtk as module
from svevae.dataset.store import SVEDataset, open_dataset, write_dataset
from svevae.dataset.vtk import MISSING, export_part, export_sve, write_vtkhdf
from svevae.errors import DataError
from tests.conftest import Run

N = 3
NUMBERED = np.arange(2 * 3 * 4, dtype=np.float32).reshape(2, 3, 4)

Read = Callable[[Path], tuple[dict[str, np.ndarray], dict[str, tuple]]]


def make(
    path: Path,
    position: np.ndarray | None,
    part_id: np.ndarray,
    names: tuple[str, ...] = ("E_x", "E_z"),
    **attributes: float,
) -> SVEDataset:
    """Random SVEs of 3^3 voxels at `position`; property k of SVE i is 100 k + i."""
    count = len(part_id)
    arrays = {
        "voxels": (np.random.default_rng(0).random((count, N, N, N)) < 0.4).astype(np.uint8),
        "properties": (
            (np.arange(count)[:, None] + 100.0 * np.arange(len(names))).astype(np.float32)
        ),
        "part_id": part_id,
    }
    write_dataset(
        path,
        arrays | ({} if position is None else {"position": position}),
        names,
        ("MPa",) * len(names),
        attributes,
    )
    return open_dataset(path)


@pytest.fixture
def data(tmp_path: Path) -> SVEDataset:
    """Part 4: a box of 1 x 2 x 3 SVEs that starts at (1, 0, 2), out of order, one missing. Part 9:
    one SVE.
    """
    places = np.array([[1, 1, 4], [1, 0, 2], [0, 0, 0], [1, 0, 3], [1, 1, 2], [1, 1, 3]])
    return make(tmp_path / "sves.h5", places, np.array([4, 4, 9, 4, 4, 4]), voxel_size_um=5.0)


def by_h5py(path: Path) -> tuple[dict[str, np.ndarray], dict[str, tuple]]:
    """Fields (x, y, z, ...) and geometry as the format's specification has it."""
    with h5py.File(path, "r") as file:
        root = file["VTKHDF"]
        geometry = {
            key: tuple(root.attrs[key].tolist()) for key in ("WholeExtent", "Origin", "Spacing")
        }
        return {name: item[:].swapaxes(0, 2) for name, item in root["CellData"].items()}, geometry


def by_vtk(path: Path) -> tuple[dict[str, np.ndarray], dict[str, tuple]]:
    """The same as VTK's reader has it; VTK counts x fastest."""
    reader = pytest.importorskip("vtkmodules.vtkIOHDF").vtkHDFReader()
    to_numpy = pytest.importorskip("vtkmodules.util.numpy_support").vtk_to_numpy
    assert reader.CanReadFile(str(path))
    reader.SetFileName(str(path))
    reader.Update()
    image = reader.GetOutputDataObject(0)
    cells = image.GetCellData()
    shape = tuple(edge - 1 for edge in image.GetDimensions())
    fields = {}
    for i in range(cells.GetNumberOfArrays()):
        flat = to_numpy(cells.GetArray(i))
        fields[cells.GetArrayName(i)] = np.stack(
            [part.reshape(shape, order="F") for part in flat.reshape(len(flat), -1).T], axis=-1
        ).squeeze(axis=() if flat.ndim == 2 else -1)
    return fields, {
        "WholeExtent": image.GetExtent(),
        "Origin": image.GetOrigin(),
        "Spacing": image.GetSpacing(),
    }


@pytest.fixture(params=[by_h5py, by_vtk])
def read(request: pytest.FixtureRequest) -> Read:
    return request.param


def test_round_trip_of_an_asymmetric_volume(tmp_path: Path, read: Read) -> None:
    """2 x 3 x 4 voxels, each its own number: every axis, component and type comes back where it
    was.
    """
    fields = {
        "number": NUMBERED,
        "vector": np.stack([NUMBERED, NUMBERED + 100, NUMBERED + 200], axis=-1).astype(np.float64),
        "odd": NUMBERED % 2 == 1,
        "index": NUMBERED.astype(np.int32),
    }
    write_vtkhdf(tmp_path / "a.vtkhdf", fields, (1, 2, 3), (10, 20, 30))
    found, geometry = read(tmp_path / "a.vtkhdf")
    assert geometry == {
        "WholeExtent": (0, 2, 0, 3, 0, 4),
        "Origin": (10, 20, 30),
        "Spacing": (1, 2, 3),
    }
    assert set(found) == set(fields)
    for name, field in fields.items():
        np.testing.assert_array_equal(found[name], field)
        assert found[name].dtype == (np.uint8 if name == "odd" else field.dtype)


def test_structure_follows_the_specification(tmp_path: Path) -> None:
    """Group VTKHDF, its attributes and their types; x fastest on disk; the first field is the
    active one.
    """
    write_vtkhdf(tmp_path / "a.vtkhdf", {"number": NUMBERED, "other": NUMBERED}, 10.0)
    with h5py.File(tmp_path / "a.vtkhdf", "r") as file:
        root = file["VTKHDF"]
        assert (root.attrs["Type"], root.attrs["Version"][0]) == (b"ImageData", 2)
        assert root.attrs.get_id("Type").get_type().get_cset() == h5py.h5t.CSET_ASCII
        assert not root.attrs.get_id("Type").get_type().is_variable_str()
        np.testing.assert_array_equal(root.attrs["Direction"], np.eye(3).ravel())
        number = root["CellData/number"]
        assert number.shape == (4, 3, 2)
        assert number[3, 1, 0] == NUMBERED[0, 1, 3]
        assert number.attrs["Attribute"] == b"Scalars"
        assert "Attribute" not in root["CellData/other"].attrs
    assert [path.name for path in tmp_path.iterdir()] == ["a.vtkhdf"]


def test_vtk_finds_a_voxel_in_its_place(tmp_path: Path) -> None:
    """Voxel (1, 2, 3) of spacing (1, 2, 3) from origin (10, 20, 30) fills 11-12, 24-26, 39-42; the
    active field is the first.
    """
    reader = pytest.importorskip("vtkmodules.vtkIOHDF").vtkHDFReader()
    write_vtkhdf(
        tmp_path / "a.vtkhdf", {"number": NUMBERED, "other": -NUMBERED}, (1, 2, 3), (10, 20, 30)
    )
    reader.SetFileName(str(tmp_path / "a.vtkhdf"))
    reader.Update()
    image = reader.GetOutputDataObject(0)
    cell = image.ComputeCellId((1, 2, 3))
    assert image.GetCellData().GetScalars().GetValue(cell) == NUMBERED[1, 2, 3]
    assert image.GetCell(cell).GetBounds() == (11, 12, 24, 26, 39, 42)


def test_one_sve(tmp_path: Path, data: SVEDataset, read: Read) -> None:
    """Its voxels as they are, its properties constant, in its place in the part: (1, 1, 3) times 3
    voxels of 5 um.
    """
    export_sve(data, 5, tmp_path / "sve.vtkhdf")
    fields, geometry = read(tmp_path / "sve.vtkhdf")
    assert geometry == {
        "WholeExtent": (0, 3, 0, 3, 0, 3),
        "Origin": (15, 15, 45),
        "Spacing": (5, 5, 5),
    }
    np.testing.assert_array_equal(fields["pore"], data.voxels(np.array([5]))[0])
    assert fields["pore"].dtype == np.uint8
    for name, value in {"sve": 5, "E_x": 5, "E_z": 105}.items():
        np.testing.assert_array_equal(fields[name], np.full((N, N, N), value))
    assert fields["E_z"].dtype == np.float32


def test_a_part_is_put_together(tmp_path: Path, data: SVEDataset, read: Read) -> None:
    """1 x 2 x 3 SVEs, each in its place whatever its order; the missing one is 255, -1 and NaN."""
    export_part(data, 4, tmp_path / "part.vtkhdf")
    fields, geometry = read(tmp_path / "part.vtkhdf")
    assert geometry == {
        "WholeExtent": (0, 3, 0, 6, 0, 9),
        "Origin": (15, 0, 30),
        "Spacing": (5, 5, 5),
    }
    cubes = data.voxels(np.arange(6))
    for sve, (y, z) in {0: (1, 2), 1: (0, 0), 3: (0, 1), 4: (1, 0), 5: (1, 1)}.items():
        place = np.s_[:, N * y : N * (y + 1), N * z : N * (z + 1)]
        np.testing.assert_array_equal(fields["pore"][place], cubes[sve])
        assert (fields["sve"][place] == sve).all()
        assert (fields["E_x"][place] == sve).all()
        assert (fields["E_z"][place] == 100 + sve).all()
    hole = np.s_[:, :N, 2 * N :]
    assert (fields["pore"][hole] == MISSING).all()
    assert (fields["sve"][hole] == -1).all()
    assert np.isnan(fields["E_z"][hole]).all()
    assert np.isnan(fields["E_z"]).sum() == N**3


def test_unlabelled_sves_without_size_or_position(tmp_path: Path) -> None:
    """Lengths are in voxels, the SVE stands at the origin, and there is no property."""
    write_dataset(
        tmp_path / "a.h5",
        {"voxels": np.eye(4, dtype=np.uint8)[None, :, :, None].repeat(4, 3)},
        (),
        (),
        {},
    )
    export_sve(open_dataset(tmp_path / "a.h5", labelled=False), 0, tmp_path / "a.vtkhdf")
    fields, geometry = by_h5py(tmp_path / "a.vtkhdf")
    assert set(fields) == {"pore", "sve"}
    assert geometry == {
        "WholeExtent": (0, 4, 0, 4, 0, 4),
        "Origin": (0, 0, 0),
        "Spacing": (1, 1, 1),
    }


def test_overlapping_sves_stand_a_stride_apart(tmp_path: Path) -> None:
    """Position (0, 0, 2) in steps of 2 voxels of 5 um is 20 um; a part of SVEs that overlap cannot
    be put together.
    """
    data = make(
        tmp_path / "a.h5",
        np.array([[0, 0, 0], [0, 0, 2]]),
        np.zeros(2, int),
        voxel_size_um=5.0,
        stride=2,
    )
    export_sve(data, 1, tmp_path / "a.vtkhdf")
    assert by_h5py(tmp_path / "a.vtkhdf")[1]["Origin"] == (0, 0, 20)
    with pytest.raises(
        DataError, match="stride: expected SVEs that fill the part, 3 voxels apart, received 2"
    ):
        export_part(data, 0, tmp_path / "b.vtkhdf")


@pytest.mark.parametrize("stride", ["2", 0, np.nan, np.array([2, 2])])
def test_a_stride_that_is_no_number_above_0(tmp_path: Path, stride: object) -> None:
    data = make(tmp_path / "a.h5", np.array([[0, 0, 0]]), np.zeros(1, int), stride=stride)
    with pytest.raises(DataError, match=r"a\.h5: stride: expected voxels from one SVE to the next"):
        export_sve(data, 0, tmp_path / "a.vtkhdf")


@pytest.mark.parametrize(
    ("fields", "spacing", "name", "message"),
    [
        ({}, 1, "a.vtkhdf", "expected at least one field, received none"),
        (
            {"a": np.zeros((2, 2))},
            1,
            "a.vtkhdf",
            r"a: expected \(x, y, z\) or \(x, y, z, component\), received shape \(2, 2\)",
        ),
        ({"a": np.zeros((2, 0, 2))}, 1, "a.vtkhdf", r"received shape \(2, 0, 2\)"),
        (
            {"a": NUMBERED, "b": NUMBERED.T},
            1,
            "a.vtkhdf",
            r"b: expected \(2, 3, 4\) voxels as a has, received \(4, 3, 2\)",
        ),
        ({"a/b": NUMBERED}, 1, "a.vtkhdf", "expected names of fields without '/', received 'a/b'"),
        (
            {"a": NUMBERED.astype(np.float16)},
            1,
            "a.vtkhdf",
            "a: expected integers, float32 or float64, received float16",
        ),
        ({"a": NUMBERED.astype(complex)}, 1, "a.vtkhdf", "received complex128"),
        ({"a": NUMBERED}, 0, "a.vtkhdf", "spacing: expected lengths above 0, received 0"),
        ({"a": NUMBERED}, (1, np.nan, 1), "a.vtkhdf", "spacing: expected lengths above 0"),
        ({"a": NUMBERED}, 1, "a.vti", r"a\.vti: expected a name that ends in \.vtkhdf or \.hdf"),
        ({"a": NUMBERED}, 1, "none/a.vtkhdf", r"none/a\.vtkhdf: not written"),
    ],
)
def test_bad_fields(
    tmp_path: Path, fields: dict[str, np.ndarray], spacing: float, name: str, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        write_vtkhdf(tmp_path / name, fields, spacing)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("index", [-1, 6])
def test_an_sve_that_is_not_there(tmp_path: Path, data: SVEDataset, index: int) -> None:
    with pytest.raises(
        DataError, match=rf"sves\.h5: SVE: expected an index from 0 to 5, received {index}"
    ):
        export_sve(data, index, tmp_path / "a.vtkhdf")


def test_a_part_that_is_not_there(tmp_path: Path, data: SVEDataset) -> None:
    with pytest.raises(
        DataError, match=r"sves\.h5: part: expected one of 2 parts from 4 to 9, received 5"
    ):
        export_part(data, 5, tmp_path / "a.vtkhdf")


def test_the_only_part(tmp_path: Path) -> None:
    data = make(tmp_path / "a.h5", None, np.zeros(2, int))
    with pytest.raises(DataError, match=r"part: expected one of 1 part from 0 to 0, received 5"):
        export_part(data, 5, tmp_path / "a.vtkhdf")


def test_a_part_without_position(tmp_path: Path) -> None:
    data = make(tmp_path / "a.h5", None, np.zeros(2, int))
    with pytest.raises(DataError, match=r"a\.h5: /position is missing"):
        export_part(data, 0, tmp_path / "a.vtkhdf")


def test_a_part_too_large(tmp_path: Path) -> None:
    data = make(tmp_path / "a.h5", np.array([[0, 0, 0], [5000, 5000, 5000]]), np.zeros(2, int))
    with pytest.raises(
        DataError,
        match=(
            "expected a part of at most 1073741824 voxels, received one of 5001 x 5001 x 5001 SVEs,"
            " 2 of them"
        ),
    ):
        export_part(data, 0, tmp_path / "a.vtkhdf")


def test_a_property_named_as_the_voxels(tmp_path: Path) -> None:
    data = make(tmp_path / "a.h5", None, np.zeros(2, int), names=("E_x", "pore"))
    with pytest.raises(
        DataError, match=r"a\.h5: /properties: `pore` is the name of a field of voxels"
    ):
        export_sve(data, 0, tmp_path / "a.vtkhdf")


def test_an_older_file_survives_a_full_disk(
    tmp_path: Path, data: SVEDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_sve(data, 0, tmp_path / "a.vtkhdf")
    before = (tmp_path / "a.vtkhdf").read_bytes()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, "_write_field", full)
    with pytest.raises(DataError, match=r"a\.vtkhdf: not written: .*No space left"):
        export_sve(data, 1, tmp_path / "a.vtkhdf")
    assert (tmp_path / "a.vtkhdf").read_bytes() == before
    assert not list(tmp_path.glob(".*"))


def test_a_full_disk_is_told_in_a_line(tmp_path: Path, data: SVEDataset, run: Run) -> None:
    """In a process whose files may have 1,000 bytes, which to it is a full disk: no text of h5py,
    which crashes on one.
    """
    limit = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))"
    export = [
        sys.executable,
        "-c",
        f"{limit}; from svevae.cli import main; sys.exit(main())",
        "export",
        data.path,
    ]
    for which in (["--sve", "0"], ["--part", "4"]):
        done = run(*export, *which, "-o", "a.vtkhdf", cwd=tmp_path, code=2)
        assert done.stderr == "svevae export: a.vtkhdf: not written: File too large\n"
    assert [path.name for path in tmp_path.iterdir()] == [data.path.name]
