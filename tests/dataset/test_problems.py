"""What is wrong with a file of the contract, in words; files as a whole are in test_store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from svevae.dataset.problems import cube_edge, find_problems
from svevae.errors import DataError


@pytest.mark.parametrize("stored", [5, np.float32(5), np.array([5.0]), np.array([5.0, 5.0, 5.0])])
def test_an_edge_is_one_number_or_three_that_are_equal(stored: Any) -> None:
    assert cube_edge(stored) == 5.0


@pytest.mark.parametrize(
    ("stored", "received"),
    [
        (np.nan, "received nan"),
        (0, "received 0"),
        (-1.0, "received -1.0"),
        ("10 um", "received '10 um'"),
        (h5py.Empty("f4"), "received nothing"),
        (np.array([1.0, 1.0, 2.0]), "cubes, received 1 x 1 x 2 um"),
        (np.array([1.0, 1.0]), r"received \[1.0, 1.0\]"),
    ],
)
def test_other_edges_are_refused(stored: Any, received: str) -> None:
    with pytest.raises(DataError, match=f"^voxel_size_um: expected .*{received}$"):
        cube_edge(stored)


@pytest.mark.parametrize(
    ("part_id", "properties", "name", "problem"),
    [
        (np.zeros(2, np.uint64) + 2**63, [[1.0], [2.0]], "E_x", "/part_id"),
        (np.arange(2), [[1.0], [1e39]], "E_x", "/properties"),
        (np.arange(2), [[1.0], [2.0]], " ", "/properties"),
        (np.arange(2), [[1.0], [2.0]], "E\nx", "/properties"),
    ],
)
def test_values_are_checked_as_they_are_used(
    tmp_path: Path, part_id: np.ndarray, properties: list, name: str, problem: str
) -> None:
    """Parts as int64, properties as float32, names on one line."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["voxels"], file["part_id"] = np.zeros((2, 4, 4, 4), np.uint8), part_id
        file["properties"] = np.array(properties)
        file["properties"].attrs["names"], file["properties"].attrs["units"] = [name], ["MPa"]
    (found,) = find_problems(tmp_path / "a.h5")
    assert found.startswith(problem)
