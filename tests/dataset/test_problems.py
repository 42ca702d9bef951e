"""What is wrong with a file of the contract, in words; files as a whole are in test_store."""

from __future__ import annotations

import re
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


LAW = np.array([[70_000.0, 0.33, 216.0, 312.0, 40.0]] * 2)


def told(path: Path, names: tuple[str, ...] = ("gas", "foam"), **arrays: Any) -> list[str]:
    """What is wrong with a file of 2 SVEs that has the given arrays too, / written as __; `names`
    are those of /family.
    """
    with h5py.File(path / "a.h5", "w") as file:
        file["voxels"], file["part_id"] = np.zeros((2, 4, 4, 4), np.uint8), np.arange(2)
        file["properties"] = np.ones((2, 1))
        file["properties"].attrs["names"], file["properties"].attrs["units"] = ["E_x"], ["MPa"]
        for name, array in arrays.items():
            file[name.replace("__", "/")] = array
        if names and "family" in file:
            file["family"].attrs["names"] = list(names)
    return find_problems(path / "a.h5")


def test_laws_families_and_strains_of_each_sve_are_valid(tmp_path: Path) -> None:
    """Strains of all SVEs in one row too; /law and /family may be left out."""
    strain, stress = np.array([[0.01, 0.02], [0.02, 0.04]]), np.ones((2, 2))
    arrays = {"law": LAW, "family": [0, 1], "tension__stress_x": stress}
    assert told(tmp_path, **arrays, tension__strain=strain) == []
    assert told(tmp_path, tension__stress_x=stress, tension__strain=strain[0]) == []


@pytest.mark.parametrize(
    ("law", "problem"),
    [
        (LAW[:, :4], r"/law: expected shape \(sve, 5\), received \(2, 4\)"),
        (LAW[:1], "/law: expected 2 rows, one for each SVE of /voxels, received 1"),
        (LAW[0], "/law: expected 2 axes, received 1: shape .*"),
        (
            LAW * [1, 1, 1, np.nan, 1],
            r"/law: expected finite numbers, received nan at \(0, 3\); .*",
        ),
        (LAW * [[1] * 5, [0, 1, 1, 1, 1]], "/law: expected E above 0, received 0 in SVE 1"),
        (LAW * [1, 2, 1, 1, 1], "/law: expected nu between -1 and 0.5, received 0.66 in SVE 0"),
        (LAW * [1, 1, 0, 1, 1], "/law: expected s0 above 0, received 0 in SVE 0"),
        (LAW * [1, 1, 1, -1, 1], "/law: expected Q at least 0, received -312 in SVE 0"),
        (LAW * [1, 1, 1, 1, -1], "/law: expected b at least 0, received -40 in SVE 0"),
    ],
)
def test_laws_that_are_none(tmp_path: Path, law: np.ndarray, problem: str) -> None:
    assert any(re.fullmatch(problem, found) for found in told(tmp_path, law=law))


@pytest.mark.parametrize(
    ("family", "names", "problem"),
    [
        ([0.0, 1.0], ("gas", "foam"), "/family: expected integers, received float64"),
        ([0, 1], (), "/family: the attribute `names` is missing or not a list of strings"),
        ([0, 2], ("gas", "foam"), "/family: expected 0 to 1, .* its 2 names, received 0 to 2"),
        ([-1, 0], ("gas", "foam"), "/family: expected 0 to 1, .* received -1 to 0"),
        ([0, 1, 0], ("gas", "foam"), "/family: expected 2 rows, .* received 3"),
        ([[0, 1]], ("gas", "foam"), "/family: expected 1 axes, received 2: shape .*"),
    ],
)
def test_families_that_are_none(
    tmp_path: Path, family: list, names: tuple[str, ...], problem: str
) -> None:
    found = told(tmp_path, names, family=np.array(family))
    assert any(re.fullmatch(problem, one) for one in found)


@pytest.mark.parametrize(
    ("strain", "stress", "problem"),
    [
        ((3, 4), (2, 4), r"/tension/strain: expected shape \(2, 4\), received \(3, 4\)"),
        ((1, 4), (2, 4), r"/tension/strain: expected shape \(2, 4\), received \(1, 4\)"),
        ((2, 4), (2, 3), r"/tension/stress_x: expected shape \(2, 4\), received \(2, 3\)"),
        ((4,), (2, 3), r"/tension/stress_x: expected shape \(2, 4\), received \(2, 3\)"),
        ((2, 4, 1), (2, 4), r"/tension: expected a group with strain \(increment,\) or .*"),
    ],
)
def test_curves_that_do_not_fit(
    tmp_path: Path, strain: tuple[int, ...], stress: tuple[int, ...], problem: str
) -> None:
    [found] = told(tmp_path, tension__strain=np.ones(strain), tension__stress_x=np.ones(stress))
    assert re.fullmatch(problem, found)


def test_strains_are_numbers(tmp_path: Path) -> None:
    [found] = told(tmp_path, tension__strain=[0.01, np.nan], tension__stress_x=np.ones((2, 2)))
    assert found == "/tension/strain: expected finite numbers, received nan at (1,); 1 in all"
