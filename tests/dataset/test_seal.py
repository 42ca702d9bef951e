"""Digests depend on values alone; large datasets are compared by a full check, not at opening."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from svevae.dataset import seal as module
from svevae.dataset.seal import item_digest, pack, row_slabs, seal, seal_problems


def test_the_digest_of_a_dataset_depends_on_its_values_alone(tmp_path: Path) -> None:
    values = np.arange(60, dtype="<i4").reshape(10, 6)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["plain"] = values
        file["big"] = values.astype(">i4")
        file.create_dataset("packed", data=values, chunks=(3, 2), compression="lzf", shuffle=True)
        file["other"] = values + 1
        digests = {name: item_digest(item) for name, item in file.items()}
    assert digests["plain"] == digests["big"] == digests["packed"] != digests["other"]


def test_slabs_are_whole_chunks_and_cover_all_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of 4 bytes, slabs of 40 bytes, chunks of 3 rows: 9 rows at a time."""
    monkeypatch.setattr(module, "SLAB", 40)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        item = file.create_dataset("a", data=np.zeros((20, 4), np.uint8), chunks=(3, 4))
        assert list(row_slabs(item)) == [slice(0, 9), slice(9, 18), slice(18, 20)]


def test_large_datasets_are_compared_by_a_full_check_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    voxels = np.zeros((2, 2, 2, 2), np.uint8)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["voxels"], file["curves"] = voxels, np.zeros((2, 100))
        seal(file)
        digest = item_digest(file["voxels"])
        assert seal_problems(file, digest) == []
        file["curves"][1, 5] = 1
        monkeypatch.setattr(module, "SLAB", 1000)
        assert seal_problems(file) == []
        (found,) = seal_problems(file, digest)
        assert found.startswith("/curves: the values are not those that were written; where")


def test_bits_of_any_type() -> None:
    voxels = np.random.default_rng(0).integers(0, 2, (3, 5, 5, 5))
    bits = np.unpackbits(pack(voxels.astype(np.uint8)), axis=1, count=125)
    np.testing.assert_array_equal(bits, voxels.reshape(3, -1))
    for kind in (bool, np.int64, np.float32):
        np.testing.assert_array_equal(pack(voxels.astype(kind)), pack(voxels.astype(np.uint8)))
