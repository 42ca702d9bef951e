"""Samples in .npy, .npz and HDF5 files: the same voxels, parts, labels and units; each fault by
name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from svevae.dataset.store import write_dataset
from svevae.errors import DataError
from svevae.scans.importers import read_samples
from svevae.scans.options import ImportOptions
from tests.scans.sources import COUNT, CUBES, NU, STIFF, imported, labels_of, write_hdf5

TABLE = np.stack([STIFF, NU], axis=1)


def write_stack(folder: Path, kind: str) -> Path:
    """Labels as a table with names, one without, a compound table, or an array each."""
    if kind == "npz":
        np.savez(
            folder / "set.npz",
            images=CUBES,
            table=TABLE,
            names=["E_x", "nu"],
            units=["MPa", "-"],
            part_id=np.arange(COUNT) // 2,
        )
        return folder / "set.npz"
    compound = np.array(list(zip(STIFF, NU, strict=True)), [("E_x [MPa]", float), ("nu", float)])
    columns = {"data/E_x": STIFF, "data/nu": NU}
    labels = {
        "named": {"properties": TABLE},
        "bare": {"labels": TABLE},
        "compound": {"labels": compound},
        "columns": columns,
    }[kind]
    attributes = {
        "named": {"properties": {"names": ["E_x", "nu"], "units": ["MPa", "-"]}},
        "columns": {"data/E_x": {"units": "MPa"}},
    }
    content = {"microstructures": CUBES, "part_id": np.arange(COUNT) // 2, "seed": 3, **labels}
    return write_hdf5(folder / "set.h5", content, attributes.get(kind))


@pytest.mark.parametrize("kind", ["npz", "named", "bare", "compound", "columns"])
def test_an_array_of_samples(tmp_path: Path, kind: str) -> None:
    file, _ = imported([write_stack(tmp_path, kind)], tmp_path)
    names = {"bare": {"labels_0": "-", "labels_1": "-"}}.get(kind, {"E_x": "MPa", "nu": "-"})
    with file:
        np.testing.assert_array_equal(file["voxels"][:], CUBES)
        np.testing.assert_array_equal(file["part_id"][:], np.arange(COUNT) // 2)
        assert labels_of(file) == dict(
            zip(names, zip(names.values(), TABLE.T.tolist(), strict=True), strict=True)
        )


def test_a_file_of_the_contract_comes_back(tmp_path: Path) -> None:
    """Its table is found among other arrays with a row for each SVE."""
    content = {
        "voxels": CUBES,
        "properties": TABLE,
        "part_id": np.arange(COUNT) + 3,
        "porosity": CUBES.mean((1, 2, 3)),
    }
    content |= {
        "position": np.zeros((COUNT, 3), int),
        "tension/strain": np.arange(COUNT) / 100,
        "tension/stress_x": np.ones((COUNT, COUNT)),
    }
    write_dataset(tmp_path / "a.h5", content, ("E_x", "nu"), ("MPa", "-"), {"voxel_size_um": 10.0})
    read = read_samples([tmp_path / "a.h5"], ImportOptions())
    for key in ("voxels", "properties", "part_id"):
        np.testing.assert_array_equal(read.arrays[key], content[key])
    assert (read.names, read.units, read.attributes["voxel_size_um"]) == (
        ("E_x", "nu"),
        ("MPa", "-"),
        10,
    )


def test_axes_of_a_stack(tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", v=CUBES.transpose(0, 3, 2, 1))
    np.testing.assert_array_equal(
        read_samples([tmp_path / "set.npz"], ImportOptions(axes="zyx")).arrays["voxels"], CUBES
    )
    with pytest.raises(
        DataError,
        match=(
            r"set\.npz: v\[0\]: axes: expected an order of the letters x, y and z such as zyx,"
            r" received 'zxx'"
        ),
    ):
        read_samples([tmp_path / "set.npz"], ImportOptions(axes="zxx"))


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (
            {"a": CUBES, "b": CUBES},
            {},
            (
                r"expected one array \(sve, x, y, z\), or volumes \(x, y, z\), received a \(5, 6,"
                r" 6, 6\), b"
            ),
        ),
        (
            {"a": CUBES},
            {"dataset": "c"},
            r"expected volumes in c, received a \(5, 6, 6, 6\); name one with --dataset",
        ),
        (
            {"a": STIFF},
            {},
            r"expected one array \(sve, x, y, z\), or volumes \(x, y, z\), received a \(5,\)",
        ),
        (
            {"a": CUBES, "t": TABLE, "u": TABLE},
            {},
            r"expected one table of properties, found t, u; say which with --table",
        ),
        (
            {"a": CUBES, "t": TABLE},
            {"table": "u"},
            r"--table: expected one of t, with a row for each sample, received 'u'",
        ),
        (
            {"a": CUBES, "t": TABLE, "names": ["E"]},
            {},
            r"t: expected 2 names, one for each column, received E",
        ),
        (
            {"a": CUBES, "E": np.where(NU > 0.25, np.nan, 1)},
            {},
            r"E of 3: expected a finite number, received nan",
        ),
        ({"a": CUBES[:0]}, {}, r"a: expected at least one volume, received shape \(0, 6, 6, 6\)"),
    ],
)
def test_each_fault_of_a_stack_is_named(
    tmp_path: Path, content: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=r"set\.h5: " + message):
        read_samples([write_hdf5(tmp_path / "set.h5", content)], ImportOptions(**options))


# samples with attributes


def test_datasets_with_attributes(tmp_path: Path) -> None:
    attributes = {
        f"s{i}": {"E_x [MPa]": STIFF[i], "nu": NU[i], "part": "ab"[i % 2], "who": "me"}
        for i in range(COUNT)
    }
    file, _ = imported(
        [
            write_hdf5(
                tmp_path / "set.h5", {f"s{i}": cube for i, cube in enumerate(CUBES)}, attributes
            )
        ],
        tmp_path,
    )
    with file:
        np.testing.assert_array_equal(file["voxels"][:], CUBES)
        assert labels_of(file) == {"E_x": ("MPa", list(STIFF)), "nu": ("-", list(NU))}
        np.testing.assert_array_equal(file["part_id"][:], [0, 1, 0, 1, 0])


def test_groups_with_attributes(tmp_path: Path) -> None:
    """Attributes of a group count where it holds one array; one that is missing is named."""
    attributes = {f"s{i}": {"E_x": STIFF[i]} for i in range(COUNT)} | {"/": {"voxel_size_um": 4.0}}
    path = write_hdf5(
        tmp_path / "set.h5", {f"s{i}/image": cube for i, cube in enumerate(CUBES)}, attributes
    )
    file, _ = imported([path], tmp_path)
    with file:
        np.testing.assert_array_equal(file["voxels"][:], CUBES)
        assert labels_of(file) == {"E_x": ("-", list(STIFF))}
        assert file.attrs["voxel_size_um"] == 4
    with h5py.File(path, "a") as changed:
        del changed["s3"].attrs["E_x"]
    with pytest.raises(
        DataError, match=r"set\.h5: E_x of s3/image: expected a finite number, received nothing"
    ):
        read_samples([path], ImportOptions())
