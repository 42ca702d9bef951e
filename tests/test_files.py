"""Arrays are kept whole, found again, and not found where they are damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from svevae.files import load_arrays, save_arrays


def test_what_is_kept_is_found(tmp_path: Path) -> None:
    path = tmp_path / "below" / "work.npz"
    assert load_arrays(path) is None
    save_arrays(path, {"codes": np.arange(6.0).reshape(2, 3), "name": np.array(["bar"])})
    found = load_arrays(path)
    np.testing.assert_array_equal(found["codes"], np.arange(6.0).reshape(2, 3))
    assert found["name"].tolist() == ["bar"]
    assert [file.name for file in path.parent.iterdir()] == ["work.npz"]


@pytest.mark.parametrize("damage", ["cut", "scrambled", "empty", "text", "array"])
def test_what_is_damaged_is_not_found(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "work.npz"
    save_arrays(path, {"codes": np.random.default_rng(0).random(1000)})
    whole = path.read_bytes()
    if damage == "array":  # .npy beneath the name of .npz
        with path.open("wb") as file:
            np.save(file, np.zeros(3))
    else:
        path.write_bytes(
            {
                "cut": whole[:200],
                "scrambled": whole[:150] + bytes(50) + whole[200:],
                "empty": b"",
                "text": b"hello",
            }[damage]
        )
    assert load_arrays(path) is None
