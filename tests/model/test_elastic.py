"""The elastic statistics: of coarse voxels, saved, the same for mirrors, shifts and turns."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import keras
import numpy as np
import pytest

from svevae.dataset.batches import PackedVoxels
from svevae.dataset.store import LabelledDataset
from svevae.model import elastic
from svevae.model.coarse_solve import coarse_statistics
from svevae.model.elastic import (
    STATISTICS,
    at_once,
    elastic_statistics,
    statistics_of,
    transposed,
)
from svevae.model.first_order import first_order_statistics


def grains(count: int = 3, n: int = 16) -> np.ndarray:
    return (np.random.default_rng(1).random((count, n, n, n)) < 0.1).astype(np.uint8)


def statistics(voxels: np.ndarray) -> np.ndarray:
    return elastic_statistics(voxels.shape[1]).predict(voxels, verbose=0)


@pytest.mark.parametrize(("n", "step"), [(16, 2), (4, 2), (9, 1)])
def test_they_are_of_voxels_averaged_in_cubes_of_two_where_n_is_even(n: int, step: int) -> None:
    voxels, m = grains(n=n), n // step
    pores = voxels.reshape(-1, m, step, m, step, m, step).mean(axis=(2, 4, 6)).astype(np.float32)
    parts = [first_order_statistics(m), coarse_statistics(m)]
    expected = np.hstack([part.predict(pores, verbose=0) for part in parts])
    assert expected.shape == (3, STATISTICS)
    np.testing.assert_allclose(statistics(voxels), expected, rtol=1e-4, atol=1e-6)


def test_mirrors_and_shifts_by_coarse_voxels_change_nothing() -> None:
    voxels = grains()
    found = statistics(voxels)
    for axis in (1, 2, 3):
        for same in (np.flip(voxels, axis), np.roll(voxels, 6, axis)):
            np.testing.assert_allclose(statistics(same), found, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("turn", list(permutations(range(3))))
def test_where_the_statistics_go_when_axes_change_places(turn: tuple[int, int, int]) -> None:
    voxels = grains(n=8)
    moved = voxels.transpose(0, *(1 + axis for axis in turn))
    expected = statistics(voxels)[:, transposed(turn)]
    np.testing.assert_allclose(statistics(moved), expected, rtol=1e-4, atol=1e-6)


def test_it_is_saved_with_built_in_layers_and_nothing_is_trained(tmp_path: Path) -> None:
    model = elastic_statistics(8)
    assert not model.trainable_weights
    model.save(tmp_path / "statistics.keras")
    copy, x = keras.saving.load_model(tmp_path / "statistics.keras"), grains(n=8)
    np.testing.assert_array_equal(copy.predict(x, verbose=0), model.predict(x, verbose=0))


def test_statistics_of_the_same_voxels_are_computed_once(
    tiny: LabelledDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (PackedVoxels(tiny, np.arange(start, start + 8)) for start in (0, 8))
    monkeypatch.setattr(elastic, "_known", {})
    found = statistics_of(first)
    np.testing.assert_allclose(found, statistics(first[:]), rtol=1e-5, atol=1e-7)
    assert not np.allclose(statistics_of(second), found)
    monkeypatch.setattr(elastic, "elastic_statistics", None)
    assert statistics_of(PackedVoxels(tiny, np.arange(8))) is found


def test_batches_of_large_sves_are_small() -> None:
    assert [at_once(n, 64) for n in (32, 64, 128, 300)] == [64, 32, 4, 1]
