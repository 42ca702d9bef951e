"""Neighbour correlation of processes whose correlation is known, and the diameters of pores set by
hand.
"""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import h5py
import numpy as np
import pytest

from svevae.dataset.statistics import neighbour_correlation, pore_sizes, read_position
from svevae.dataset.store import SVEDataset, open_dataset, write_dataset
from svevae.errors import ConfigError, DataError
from tests.conftest import REFERENCE


def grid(parts: int, *extent: int) -> tuple[np.ndarray, np.ndarray]:
    """part_id (sve,) and position (sve, 3) of `parts` boxes of `extent` SVEs, part by part."""
    places = np.array(list(np.ndindex(*extent)))
    return np.repeat(np.arange(parts), len(places)), np.tile(places, (parts, 1))


def chains(parts: int, length: int, rho: float, random: np.random.Generator) -> np.ndarray:
    """Stationary series v_k+1 = rho v_k + sqrt(1 - rho^2) e, unit variance: (parts, length)."""
    values = [random.standard_normal(parts)]
    for _ in range(length - 1):
        values.append(rho * values[-1] + np.sqrt(1 - rho**2) * random.standard_normal(parts))
    return np.stack(values, axis=1)


def test_part_effect_and_noise() -> None:
    """v = a(part) + e, variances 0.3 and 0.7: correlation 0.3 at every distance, 0 between parts.

    With P parts of N SVEs, c = 0.3 + 0.7/N, the estimator expects (0.3 - c/P) / (1 - c/P) and the
    baseline -c/(P - c).
    """
    parts, random = 200, np.random.default_rng(1)
    part, position = grid(parts, 3, 3, 3)
    values = np.sqrt(0.3) * random.standard_normal(parts)[part] + np.sqrt(
        0.7
    ) * random.standard_normal(len(part))
    table = neighbour_correlation(5 + 2 * values, part, position)
    c = 0.3 + 0.7 / 27
    expected = np.append(
        np.full(len(table) - 1, (0.3 - c / parts) / (1 - c / parts)), -c / (parts - c)
    )
    assert (np.abs(table["correlation"] - expected) < 4 * table["standard_error"]).all()
    assert table["standard_error"][:6].max() < 0.05
    np.testing.assert_allclose(table["distance"], [*np.sqrt([1, 2, 3, 4, 5, 6, 8, 9, 12]), np.inf])
    np.testing.assert_array_equal(
        table["pairs"],
        [parts * k for k in (54, 72, 32, 27, 72, 48, 18, 24, 4)] + [parts * 199 // 2 * 27**2],
    )


def test_white_noise_has_no_neighbours() -> None:
    """Independent values: -1/(SVEs - 1) at every distance, within four standard errors."""
    part, position = grid(100, 3, 2, 4)
    table = neighbour_correlation(
        np.random.default_rng(2).standard_normal(len(part)), part, position
    )
    assert len(table) == 13
    assert (np.abs(table["correlation"] + 1 / (len(part) - 1)) < 4 * table["standard_error"]).all()


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_exponential_decay_along_one_axis(axis: str) -> None:
    """Chains of correlation 0.8^d along one axis, independent of each other: 0.8^d along it, 0
    along the two others.
    """
    random, rho, length = np.random.default_rng(3), 0.8, 6
    values = chains(150 * 4, length, rho, random).reshape(150, 2, 2, length)
    values = np.moveaxis(values, 3, "xyz".index(axis) + 1)
    part, position = grid(150, *values.shape[1:])
    for along in "xyz":
        table = neighbour_correlation(values.ravel(), part, position, along)
        expected = rho ** np.arange(1, length) if along == axis else np.zeros(1)
        np.testing.assert_array_equal(table["distance"][:-1], np.arange(1, len(expected) + 1))
        assert (
            np.abs(table["correlation"][:-1] - expected) < 4 * table["standard_error"][:-1] + 0.01
        ).all()
        assert table["standard_error"][:-1].max() < 0.06


def test_two_parts_by_hand() -> None:
    """Values 1, 3 and -1, -3: m = 0, s^2 = 5, so 3/5 within and (-1 -3 -3 -9)/4/5 = -4/5 between;
    either part alone gives -1.
    """
    table = neighbour_correlation(
        np.array([1, 3, -1, -3]), np.array([7, 7, 9, 9]), np.array([[4, 0, 0], [5, 0, 0]] * 2)
    )
    np.testing.assert_array_equal(table["distance"], [1, np.inf])
    np.testing.assert_array_equal(table["pairs"], [2, 4])
    np.testing.assert_allclose(table["correlation"], [0.6, -0.8])
    np.testing.assert_allclose(table["standard_error"], [0, np.nan], atol=1e-12)


def by_definition(
    values: np.ndarray, part: np.ndarray, position: np.ndarray, reach: float = np.inf
) -> dict[int, float]:
    """The estimator of the docstring, pair by pair; squared distance -> correlation, -1 for pairs
    of different parts.
    """
    products, mean = {}, values.mean()
    for i, j in combinations(range(len(values)), 2):
        squared = int(np.square(position[i] - position[j]).sum()) if part[i] == part[j] else -1
        products.setdefault(squared, []).append((values[i] - mean) * (values[j] - mean))
    return {
        key: np.mean(found) / values.var() for key, found in products.items() if key <= reach**2
    }


def test_scattered_positions_agree_with_the_definition() -> None:
    """Parts with holes, of different sizes and origins, SVEs in any order: every pair counted once,
    jackknife by leaving parts out.
    """
    random = np.random.default_rng(4)
    part, position = grid(5, 3, 4, 2)
    position[part == 2] += [-7, 100, 3]
    kept = random.permutation(len(part))[: len(part) * 2 // 3]
    part, position = part[kept], position[kept]
    values = random.standard_normal(len(part)) + part
    table = neighbour_correlation(values, part, position, reach=3)
    expected = by_definition(values, part, position, reach=3)
    keys = [*sorted(set(expected) - {-1}), -1]
    np.testing.assert_allclose(table["distance"][:-1], np.sqrt(keys[:-1]))
    np.testing.assert_allclose(table["correlation"], [expected[key] for key in keys])
    without = [
        by_definition(values[part != p], part[part != p], position[part != p]) for p in range(5)
    ]
    rows = np.array([[found[key] for key in keys] for found in without])
    np.testing.assert_allclose(
        table["standard_error"], np.sqrt(4 / 5 * np.square(rows - rows.mean(axis=0)).sum(axis=0))
    )


def test_standard_error_is_the_scatter_of_repetitions() -> None:
    """60 repetitions of 40 parts: the mean jackknife error is the standard deviation of the
    estimates, within a quarter.
    """
    random, found = np.random.default_rng(5), []
    part, position = grid(40, 2, 2, 3)
    for _ in range(60):
        values = random.standard_normal(40)[part] + random.standard_normal(len(part))
        found.append(
            neighbour_correlation(values, part, position)[
                ["correlation", "standard_error"]
            ].to_numpy()[[0, 1, 3]]
        )
    correlation, error = np.moveaxis(found, 2, 0)
    np.testing.assert_allclose(error.mean(axis=0) / correlation.std(axis=0), 1, atol=0.25)


def test_one_part_alone() -> None:
    """No baseline and no error; since deviations sum to 0, the mean over all pairs of N SVEs is
    exactly -1/(N - 1).
    """
    part, position = grid(1, 2, 3, 2)
    table = neighbour_correlation(np.random.default_rng(6).standard_normal(12), part, position)
    assert np.isfinite(table["distance"]).all()
    assert table["standard_error"].isna().all()
    assert np.average(table["correlation"], weights=table["pairs"]) == pytest.approx(-1 / 11)


def test_reference_dataset() -> None:
    """Face neighbours share the local porosity and the part's mean, SVEs far apart in a part the
    mean alone, parts nothing.
    """
    data = open_dataset(REFERENCE)
    with h5py.File(REFERENCE, "r") as file:
        table = neighbour_correlation(
            file["porosity"][:], data.part_id, read_position(data)
        ).set_index("distance")
    assert table.loc[1.0, "pairs"] == 64 * 3 * 48
    assert table.loc[1.0, "correlation"] == pytest.approx(0.567, abs=1e-3)
    assert table.loc[3.0, "correlation"] == pytest.approx(0.414, abs=1e-3)
    assert table.loc[np.inf, "correlation"] == pytest.approx(-0.007, abs=1e-3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"values": np.zeros((8, 2))},
            r"values: expected one number for each SVE, received shape \(8, 2\)",
        ),
        ({"values": np.full(8, np.nan)}, "values: expected finite numbers, received nan"),
        (
            {"values": np.full(8, 3.0)},
            "values: expected them to vary over the SVEs, received 3 everywhere",
        ),
        ({"part_id": np.zeros(7, int)}, r"part_id: expected shape \(8,\), received \(7,\)"),
        ({"part_id": np.zeros(8)}, "part_id: expected integers, received float64"),
        (
            {"position": np.zeros((8, 2), int)},
            r"position: expected shape \(8, 3\), received \(8, 2\)",
        ),
        (
            {"position": np.arange(24).reshape(8, 3) * 10**7},
            "position: expected indices of SVEs in their part, received a part of",
        ),
    ],
)
def test_bad_input(change: dict[str, np.ndarray], message: str) -> None:
    part, position = grid(1, 2, 2, 2)
    good = {"values": np.arange(8.0), "part_id": part, "position": position}
    with pytest.raises(DataError, match=message):
        neighbour_correlation(**good | change)


def test_bad_options() -> None:
    part, position = grid(1, 2, 2, 2)
    with pytest.raises(
        ConfigError, match="separation: expected one of euclidean, x, y, z, received 'r'"
    ):
        neighbour_correlation(np.arange(8), part, position, "r")
    with pytest.raises(ConfigError, match="reach: expected at least 1 SVE edge, received 0"):
        neighbour_correlation(np.arange(8), part, position, reach=0)


def with_position(path: Path, position: np.ndarray | None) -> SVEDataset:
    arrays = {"voxels": np.zeros((4, 2, 2, 2), np.uint8), "part_id": np.array([0, 0, 5, 5])}
    write_dataset(path, arrays | ({} if position is None else {"position": position}), (), (), {})
    return open_dataset(path, labelled=False)


def test_read_position(tmp_path: Path) -> None:
    """Whole numbers of any type; the same place in another part is no clash."""
    position = np.array([[0, 0, 0], [0, 0, 1], [0, 0, 0], [0, 0, 1]], np.float32)
    read = read_position(with_position(tmp_path / "a.h5", position))
    assert read.dtype == np.int64
    np.testing.assert_array_equal(read, position)
    assert read_position(with_position(tmp_path / "b.h5", None)) is None


def test_positions_that_make_no_sense(tmp_path: Path) -> None:
    fractions = with_position(tmp_path / "a.h5", np.full((4, 3), 0.5))
    with pytest.raises(DataError, match=r"a\.h5: /position: expected whole numbers"):
        read_position(fractions)
    far = with_position(tmp_path / "c.h5", np.full((4, 3), 1e30))
    with pytest.raises(DataError, match=r"c\.h5: /position: expected indices .* received 1e\+30"):
        read_position(far)
    twice = with_position(tmp_path / "b.h5", np.array([[0, 0, 0], [0, 0, 1], [2, 1, 0], [2, 1, 0]]))
    with pytest.raises(
        DataError,
        match=(
            r"b\.h5: /position: expected one SVE .* received 2 and 3 both at \[2, 1, 0\] of part 5"
        ),
    ):
        read_position(twice)


def test_pore_sizes() -> None:
    """Cubes of edge a: d = a (6/pi)^(1/3). Voxels that meet in a corner are one pore; pores of
    different SVEs never are.
    """
    voxels = np.zeros((3, 8, 8, 8), np.uint8)
    voxels[0, 1:3, 1:3, 1:3] = 1
    voxels[0, 5:8, 5:8, 5:8] = 1
    voxels[0, 7, 0, 0] = 1
    voxels[2, 0, 0, 0] = voxels[2, 1, 1, 1] = 1
    ball = np.cbrt(6 / np.pi)
    np.testing.assert_allclose(
        np.sort(pore_sizes(voxels, 10.0)), 10 * ball * np.array([1, np.cbrt(2), 2, 3])
    )
    assert pore_sizes(voxels[1:2], 10.0).shape == (0,)


def test_pore_size_of_a_ball() -> None:
    """A ball of diameter 20 in voxels keeps its diameter within 1 %."""
    x, y, z = np.indices((24, 24, 24)) - 11.5
    assert pore_sizes((x**2 + y**2 + z**2 <= 100)[None].astype(np.uint8), 1.0) == pytest.approx(
        20, rel=0.01
    )


def test_pore_sizes_of_bad_input() -> None:
    with pytest.raises(
        DataError, match=r"voxels: expected \(sve, n, n, n\), received shape \(8, 8, 8\)"
    ):
        pore_sizes(np.zeros((8, 8, 8), np.uint8), 1.0)
    with pytest.raises(DataError, match="voxel_size: expected a length above 0, received 0"):
        pore_sizes(np.zeros((1, 8, 8, 8), np.uint8), 0)
