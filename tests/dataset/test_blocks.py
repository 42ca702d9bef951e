"""Scatter of block means against closed forms: independent SVEs, a sum of common and own parts, an
autoregressive field.
"""

from __future__ import annotations

import numpy as np
import pytest

from svevae.dataset.blocks import block_scatter, block_shapes, scatter_exponent
from svevae.errors import DataError


def grid(parts: int, shape: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """part_id (sve,) and position (sve, 3) of parts of `shape` SVEs, shuffled."""
    cells = np.array(list(np.ndindex(shape)))
    order = np.random.default_rng(9).permutation(parts * len(cells))
    return np.repeat(np.arange(parts), len(cells))[order], np.tile(cells, (parts, 1))[order]


def test_shapes_double_where_there_is_room() -> None:
    part_id, position = grid(2, (4, 4, 3))
    assert block_shapes(position, part_id) == [
        (1, 1, 1),
        (2, 1, 1),
        (2, 2, 1),
        (2, 2, 2),
        (4, 2, 2),
    ]
    assert block_shapes(position * [1, 0, 0], part_id * 0)[-1] == (2, 1, 1)


def test_independent_sves_average_out() -> None:
    """std = s / sqrt(V) and alpha = 1, whatever the parts' own means."""
    part_id, position = grid(200, (4, 4, 4))
    random = np.random.default_rng(0)
    values = 3 * random.standard_normal(len(part_id)) + 50 * part_id
    table = block_scatter(values, part_id, position)
    law = 3 / np.sqrt(table["sves"])
    np.testing.assert_allclose(table["std"][:4], law[:4], rtol=0.04)
    assert (np.abs(table["std"] - law) < 3 * table["standard_error"]).all()
    np.testing.assert_allclose(table["independent"], law, rtol=0.02)
    assert scatter_exponent(table) == pytest.approx(1, abs=0.1)


def test_what_a_part_has_in_common_does_not_count() -> None:
    part_id, position = grid(5, (2, 2, 2))
    np.testing.assert_allclose(
        block_scatter(1.0 * part_id, part_id, position)["std"], 0, atol=1e-12
    )


def test_autoregressive_neighbours_average_out_less() -> None:
    """Along x v_i = a v_(i-1) + sqrt(1 - a^2) e_i: a mean over L has variance s(L) = (1/L) (1 + 2
    sum_(k<L) (1 - k/L) a^k).

    About the mean of a part of N blocks the expected variance of a block is (s(L) - s(N L)) N / (N
    - 1), exactly.
    """

    def variance(edge: int) -> float:
        return (1 + 2 * sum((1 - k / edge) * a**k for k in range(1, edge))) / edge

    a, length = 0.6, 256
    part_id, position = grid(60, (length, 1, 1))
    random = np.random.default_rng(1)
    fields = np.empty((60, length))
    fields[:, 0] = random.standard_normal(60)
    for i in range(1, length):
        fields[:, i] = a * fields[:, i - 1] + np.sqrt(1 - a**2) * random.standard_normal(60)
    shapes = [(edge, 1, 1) for edge in (1, 2, 4, 8, 16)]
    table = block_scatter(fields[part_id, position[:, 0]], part_id, position, shapes)
    expected = [
        np.sqrt((variance(edge) - variance(length)) / (1 - edge / length)) for edge, *_ in shapes
    ]
    np.testing.assert_allclose(table["std"], expected, rtol=0.05)
    assert (np.abs(table["std"] - expected) < 4 * table["standard_error"]).all()
    assert 0.4 < scatter_exponent(table) < 0.9


def test_blocks_that_are_not_full_are_left_out() -> None:
    """Five in a row: two pairs, and one SVE over."""
    part_id, position = grid(1, (5, 1, 1))
    values = np.array([0.0, 2.0, 10.0, 12.0, 1e9])[position[:, 0]]
    table = block_scatter(values, part_id, position, [(2, 1, 1)])
    assert table["blocks"].tolist() == [2]
    assert table["std"][0] == pytest.approx(np.sqrt(50))  # of 1 and 11
    assert np.isnan(table["standard_error"][0])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda v, p, x: (v, p, x[:, :2]),
            r"position \(sve, 3\), received \(8,\), \(8,\), \(8, 2\)",
        ),
        (lambda v, p, x: (v * np.nan, p, x), "expected finite numbers, received nan"),
        (lambda v, p, x: (v, np.arange(8), x), "expected parts of two SVEs or more"),
    ],
)
def test_wrong_arrays(spoil, message: str) -> None:
    part_id, position = grid(1, (2, 2, 2))
    with pytest.raises(DataError, match=message):
        block_scatter(*spoil(np.arange(8.0), part_id, position))
