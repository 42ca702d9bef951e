"""DREAM3D files, read as DAMASK's reader takes them: damask 3.1 `GeomGrid.load_DREAM3D`."""

from __future__ import annotations

from pathlib import Path

import damask
import h5py
import numpy as np
import pytest

from svevae.errors import DataError
from svevae.scans.volume import read_volume, voxel_edges
from tests.scans.readers.volumes import GREYS, SHAPE, STACK


def save(path: Path, version: str) -> Path:
    """Laid out as simplnx (8.0) and SIMPL (7.0) do: (z, y, x, component)."""
    with h5py.File(path, "w") as file:
        file.attrs["FileVersion"] = np.bytes_(version)
        group = file.create_group(
            "DataStructure/DataContainer" if version == "8.0" else "DataContainers/Image"
        )
        spacing = np.array([0.5, 0.25, 2], np.float32)
        if version == "8.0":
            group.attrs["_DIMENSIONS"] = np.array(SHAPE, np.uint64)
            group.attrs["_SPACING"] = spacing
            group.attrs["_ORIGIN"] = np.zeros(3, np.float32)
        else:
            group["_SIMPL_GEOMETRY/DIMENSIONS"] = np.array(SHAPE, np.int64)
            group["_SIMPL_GEOMETRY/SPACING"] = spacing
            group["_SIMPL_GEOMETRY/ORIGIN"] = np.zeros(3, np.float32)
        group["CellData/FeatureIds"] = STACK.astype(np.int32)[..., None]
        group["CellData/EulerAngles"] = np.zeros((*STACK.shape, 3), np.float32)
    return path


@pytest.mark.parametrize("version", ["7.0", "8.0"])
def test_feature_ids(tmp_path: Path, version: str) -> None:
    path = save(tmp_path / "grains.dream3d", version)
    theirs = damask.GeomGrid.load_DREAM3D(path, "FeatureIds")
    np.testing.assert_array_equal(read_volume(path), theirs.material)
    np.testing.assert_array_equal(read_volume(path, dataset="FeatureIds"), GREYS)
    assert voxel_edges(path) == (0.5, 0.25, 2)
    np.testing.assert_allclose(voxel_edges(path), theirs.size / theirs.cells)


def test_what_is_not_there(tmp_path: Path) -> None:
    path = save(tmp_path / "grains.dream3d", "8.0")
    with pytest.raises(
        DataError, match=r"dream3d: expected the array Phases, received .*FeatureIds"
    ):
        read_volume(path, dataset="Phases")
    with h5py.File(path, "a") as file:
        file["DataStructure/DataContainer/CellData/Mask"] = np.ones((*STACK.shape, 1), np.uint8)
    with pytest.raises(DataError, match=r"dream3d: expected one array .* received .*Ids .*Mask "):
        read_volume(path)
    with h5py.File(path, "w") as file:
        file["voxels"] = GREYS
    with pytest.raises(
        DataError, match=r"dream3d: expected a DREAM3D file with one image geometry"
    ):
        read_volume(path)
