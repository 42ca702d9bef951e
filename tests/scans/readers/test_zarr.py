"""Zarr, versions 2 and 3, and OME-Zarr as ome-zarr lays it out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import zarr

from svevae.errors import DataError
from svevae.scans.volume import default_axes, is_slices, read_volume, voxel_edges
from tests.scans.readers.volumes import GREYS, STACK


@pytest.mark.parametrize("version", [2, 3])
def test_an_array(tmp_path: Path, version: int) -> None:
    """A plain array is (x, y, z), as numpy has it."""
    path = tmp_path / "scan.zarr"
    zarr.save_array(path, GREYS, zarr_format=version)
    assert is_slices(path)
    assert (default_axes(path), voxel_edges(path)) == ("xyz", None)
    np.testing.assert_array_equal(read_volume(path), GREYS)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["z", "y", "x"], "zyx"),
        (["Y", "Z", "X"], "yzx"),
        (None, "xyz"),
    ],
)
@pytest.mark.parametrize("version", [2, 3])
def test_an_array_that_names_its_axes(
    tmp_path: Path, version: int, names: list[str] | None, expected: str
) -> None:
    """By dimension_names of version 3, or as xarray names them in version 2."""
    path = tmp_path / "scan.zarr"
    stored = GREYS.transpose(["xyz".index(axis) for axis in expected])
    named = {"dimension_names": names} if version == 3 else {}
    array = zarr.create_array(path, data=stored, chunks=(2, 2, 2), zarr_format=version, **named)
    if version == 2 and names:
        array.attrs["_ARRAY_DIMENSIONS"] = names
    assert default_axes(path) == expected
    np.testing.assert_array_equal(read_volume(path), GREYS)


def test_slices_in_time_are_no_volume(tmp_path: Path) -> None:
    path = tmp_path / "scan.zarr"
    zarr.create_array(path, data=GREYS, chunks=(2, 2, 2), dimension_names=["time", "y", "x"])
    with pytest.raises(DataError, match=r"letters x, y and z.*time:y:x"):
        read_volume(path)
    assert read_volume(path, axes="zyx").shape == GREYS.T.shape


@pytest.mark.parametrize("version", [2, 3])
def test_one_array_of_a_group(tmp_path: Path, version: int) -> None:
    path = tmp_path / "scans.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=version)
    group.create_array("a/greys", data=GREYS, chunks=(2, 3, 4))
    group.create_array("b/greys", data=GREYS + 1, chunks=(2, 3, 4))
    np.testing.assert_array_equal(read_volume(path, dataset="b/greys"), GREYS + 1)
    with pytest.raises(
        DataError, match=r"scans\.zarr: expected one array .* received ./greys .*, ./greys "
    ):
        read_volume(path)


def save_ome(path: Path, array: np.ndarray, axes: str, version: str) -> Path:
    """10 x 10 x 20 um, told in millimetres along z, laid out as ome-zarr 0.18.0 does."""
    units = {"x": "micrometer", "y": "micrometer", "z": "millimeter"}
    described = [
        {"name": axis, "type": "space", "unit": units[axis]}
        if axis in units
        else {"name": axis, "type": "channel"}
        for axis in axes
    ]
    scale = {"x": 10.0, "y": 10.0, "z": 0.02, "c": 1.0}
    levels = [
        {
            "path": f"s{level}",
            "coordinateTransformations": [
                {
                    "type": "scale",
                    "scale": [
                        scale[axis] * (2**level if axis in "xy" else 1)  # slices are kept
                        for axis in axes
                    ],
                }
            ],
        }
        for level in range(2)
    ]
    multiscales = [{"axes": described, "datasets": levels}]
    group = zarr.open_group(path, mode="w", zarr_format=2 if version == "0.4" else 3)
    if version == "0.4":
        group.attrs["multiscales"] = [multiscales[0] | {"version": version}]
    else:
        group.attrs["ome"] = {"version": version, "multiscales": multiscales}
    group.create_array("s0", data=array)
    group.create_array("s1", data=np.ascontiguousarray(array[..., ::2, ::2]))
    return path


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_ome_zarr(tmp_path: Path, version: str) -> None:
    """The first level, in the axes and units that it names."""
    path = save_ome(tmp_path / "ome.zarr", STACK[None], "czyx", version)
    np.testing.assert_array_equal(read_volume(path), GREYS)
    assert voxel_edges(path) == (10, 10, 20)
    two = save_ome(tmp_path / "two.zarr", np.stack([STACK, STACK]), "czyx", version)
    with pytest.raises(
        DataError, match=r"two\.zarr: expected one volume, received 2 of c \(axes czyx"
    ):
        read_volume(two)


def test_damaged_and_oversized(tmp_path: Path) -> None:
    path = tmp_path / "scan.zarr"
    zarr.save_array(path, GREYS)
    said = json.loads((path / "zarr.json").read_text(encoding="utf-8"))
    (path / "zarr.json").write_text(json.dumps(said | {"shape": [10**5] * 3}), encoding="utf-8")
    with pytest.raises(
        DataError, match=r"scan\.zarr: expected at most .* 100000 x 100000 x 100000"
    ):
        read_volume(path)
    (path / "zarr.json").write_text(json.dumps(said)[:50], encoding="utf-8")
    with pytest.raises(DataError, match=r"scan\.zarr: expected a Zarr store, cannot be read"):
        read_volume(path)
