"""The first-order statistics against closed forms, sum rules, symmetries and numpy's Fourier
transform.
"""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import keras
import numpy as np
import pytest

from svevae.model.first_order import EVEN, SHEAR, first_order_statistics, transposed

EVEN_PAIRS = list(zip(*np.triu_indices(6), strict=True))


def statistics(voxels: np.ndarray) -> np.ndarray:
    found = first_order_statistics(voxels.shape[1]).predict(voxels.astype(np.float32), verbose=0)
    return found.astype(np.float64)


def blobs(count: int = 3, n: int = 16) -> np.ndarray:
    return (
        (np.random.default_rng(0).random((count, n // 4, n // 4, n // 4)) < 0.2)
        .repeat(4, 1)
        .repeat(4, 2)
        .repeat(4, 3)
    )


def grains(count: int = 3, n: int = 16) -> np.ndarray:
    return np.random.default_rng(1).random((count, n, n, n)) < 0.1


def by_fft(voxels: np.ndarray) -> np.ndarray:
    """The 84 statistics by numpy's transform, straight from their definition."""
    n, chi = voxels.shape[1], voxels
    k = np.fft.fftfreq(n, 1 / n)
    k = np.stack(np.meshgrid(k, k, k, indexing="ij"))
    length = np.sqrt(np.square(k).sum(axis=0))
    length[0, 0, 0] = np.inf
    fields = {}
    for powers in [*EVEN, *(powers for group in SHEAR for powers in group)]:
        factor = np.prod([(k[i] / length) ** p for i, p in enumerate(powers)], axis=0)
        for i, p in enumerate(powers):
            factor = np.where((p % 2 == 1) & (np.abs(k[i]) == n / 2), 0, factor)  # no sign to tell
        fields[powers] = np.fft.ifftn(
            factor * np.fft.fftn(chi, axes=(1, 2, 3)), axes=(1, 2, 3)
        ).real
    rows = [(chi * fields[powers]).mean(axis=(1, 2, 3)) for powers in EVEN]
    for phase in (1 - chi, chi):
        for group in (EVEN, *SHEAR):
            for i, a in enumerate(group):
                rows += [(phase * fields[a] * fields[b]).mean(axis=(1, 2, 3)) for b in group[i:]]
    return np.stack(rows, axis=1)


@pytest.mark.parametrize("voxels", [blobs(), grains(), grains(n=12), grains(n=9)])
def test_against_the_fourier_transform(voxels: np.ndarray) -> None:
    expected = by_fft(voxels)
    np.testing.assert_allclose(statistics(voxels), expected, atol=1e-5 * np.abs(expected).max())


def test_a_laminate() -> None:
    """Layers across x of pore fraction c: g_xxxx is chi - c and all other fields are zero."""
    voxels = np.zeros((1, 16, 16, 16))
    voxels[:, :4] = 1
    found, c = statistics(voxels)[0], 0.25
    expected = np.zeros(84)
    expected[0] = c * (1 - c)
    expected[6], expected[45] = (1 - c) * c**2, c * (1 - c) ** 2
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_sum_rule() -> None:
    """(n_x^2 + n_y^2 + n_z^2)^2 is 1, so g_xxxx + g_yyyy + g_zzzz + 2 (g_yyzz + g_xxzz + g_xxyy) is
    chi less its mean.
    """
    voxels = blobs()
    c = voxels.mean((1, 2, 3))
    weights = np.array([1, 1, 1, 2, 2, 2])
    found = statistics(voxels)
    np.testing.assert_allclose(found[:, :6] @ weights, c * (1 - c), rtol=1e-5)
    products = sum(
        found[:, 45 + at] * weights[i] * weights[j] * (1 if i == j else 2)
        for at, (i, j) in enumerate(EVEN_PAIRS)
    )
    np.testing.assert_allclose(products, c * (1 - c) ** 2, rtol=1e-5)


def test_mirrors_and_shifts_change_nothing_and_swaps_only_the_order() -> None:
    voxels = grains()
    found = statistics(voxels)
    tolerance = 1e-6 * np.abs(found).max()
    for axis in (1, 2, 3):
        np.testing.assert_allclose(statistics(np.flip(voxels, axis)), found, atol=tolerance)
        np.testing.assert_allclose(statistics(np.roll(voxels, 6, axis)), found, atol=tolerance)
    np.testing.assert_allclose(
        statistics(voxels.swapaxes(1, 2))[:, [1, 0, 2, 4, 3, 5]], found[:, :6], atol=tolerance
    )


def test_it_is_saved_with_built_in_layers_and_nothing_is_trained(tmp_path: Path) -> None:
    model = first_order_statistics(8)
    assert not model.trainable_weights
    model.save(tmp_path / "statistics.keras")
    copy, x = keras.saving.load_model(tmp_path / "statistics.keras"), grains(n=8).astype(np.float32)
    np.testing.assert_array_equal(copy.predict(x, verbose=0), model.predict(x, verbose=0))


@pytest.mark.parametrize("axes", list(permutations(range(3))))
def test_where_the_statistics_go_when_axes_change_places(axes: tuple[int, int, int]) -> None:
    voxels = (np.random.default_rng(0).random((3, 8, 8, 8)) < 0.2).astype(np.float32)
    moved = voxels.transpose(0, *(1 + axis for axis in axes))
    np.testing.assert_allclose(
        statistics(moved), statistics(voxels)[:, transposed(axes)], atol=1e-6
    )
