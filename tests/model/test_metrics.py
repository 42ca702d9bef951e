"""Each figure of merit against a case whose value is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ks_2samp

from svevae.model import metrics


def test_r2_of_truth_of_the_mean_and_of_half_the_variance() -> None:
    true = np.array([[0.0], [1.0], [2.0], [3.0]])
    assert metrics.r2(true, true) == 1
    assert metrics.r2(true, np.full_like(true, true.mean())) == 0
    error = np.sqrt(true.var() / 2) * np.array([[1], [-1], [1], [-1]])
    assert metrics.r2(true, true + error) == pytest.approx(0.5)


def test_r2_of_a_constant_column_is_undefined() -> None:
    true = np.array([[1.0, 1.0], [1.0, 2.0], [1.0, 3.0]])
    np.testing.assert_array_equal(metrics.r2(true, true), [np.nan, 1.0])
    of_one_sve = metrics.r2(true[:1], true[:1])
    assert np.isnan(of_one_sve).all()


def test_no_halves_of_one_part_and_no_cross_entropy_of_no_pores() -> None:
    one = metrics.half_distances(np.zeros(3, int), lambda a, b: 1.0, np.random.default_rng(0))
    assert one.shape == (0,)
    np.testing.assert_array_equal(metrics.constant_cross_entropy(np.zeros(2), 0.0, 4), [0, 0])
    assert metrics.correlation_distance(np.ones(3), np.zeros(3)) == np.inf


def test_constant_cross_entropy_is_that_of_constant_logits() -> None:
    voxels = (np.random.default_rng(0).random((3, 6, 6, 6)) < 0.1).astype(np.uint8)
    logits = np.full(voxels.shape, np.log(0.1 / 0.9))
    np.testing.assert_allclose(
        metrics.constant_cross_entropy(voxels.mean((1, 2, 3)), 0.1, voxels.shape[1]),
        metrics.voxel_cross_entropy(voxels, logits),
    )


def test_overlap_counts_as_dice_defines_it() -> None:
    """Three pores of which two are found, and one found that is none: Dice 2 * 2 / (3 + 3)."""
    voxels = np.array([1, 1, 1, 0, 0, 0, 0, 0], np.uint8).reshape(1, 2, 2, 2)
    logits = np.array([1, 1, -1, 1, -1, -1, -1, -1.0]).reshape(1, 2, 2, 2)
    assert metrics.overlap(voxels, logits) == (4, 6)


def test_active_units_ignore_a_collapsed_one() -> None:
    random = np.random.default_rng(0)
    latent = np.column_stack(
        [random.standard_normal(500), 0.05 * random.standard_normal(500), np.ones(500)]
    )
    assert metrics.active_units(latent) == 1


def test_two_point_correlation_of_a_laminate() -> None:
    """Pores in 2 of 8 layers across x: S2 is 1/4 along y and z at any distance; along x 1/4, 1/8,
    0, 0, 0. Their mean follows.
    """
    field = np.zeros((1, 8, 8, 8))
    field[0, :2] = 1
    along_x = np.array([2, 1, 0, 0, 0]) / 8
    np.testing.assert_allclose(
        metrics.two_point_correlation(field), (along_x + 2 * 0.25) / 3, atol=1e-7
    )


def test_two_point_correlation_of_independent_voxels_is_the_porosity_squared() -> None:
    field = np.random.default_rng(0).random((4, 32, 32, 32)) < 0.1
    correlation = metrics.two_point_correlation(field)
    assert correlation[0] == pytest.approx(field.mean(), rel=1e-6)
    np.testing.assert_allclose(correlation[1:], field.mean() ** 2, rtol=0.06)


def test_coverage_of_normal_errors() -> None:
    error = np.random.default_rng(0).standard_normal((20_000, 2))
    np.testing.assert_allclose(
        metrics.coverage(error, np.zeros_like(error), np.array([1.0, 2.0]) * np.ones_like(error)),
        [0.9, 0.999],
        atol=0.005,
    )


def test_distribution_distance_is_scipys() -> None:
    a, b = np.random.default_rng(0).integers(0, 9, (2, 40))
    assert metrics.distribution_distance(a, b[:30]) == pytest.approx(ks_2samp(a, b[:30]).statistic)
    assert metrics.distribution_distance(np.zeros(1), np.zeros(1)) == 0
    assert metrics.distribution_distance(np.zeros(1), np.ones(3)) == 1


def test_half_distances_divide_parts_not_sves() -> None:
    """Parts of two SVEs that are alike: within a half they never part."""
    part_id = np.repeat(np.arange(6), 2)
    seen = []

    def distance(a: np.ndarray, b: np.ndarray) -> float:
        assert not set(part_id[a]) & set(part_id[b])
        assert len(a) == len(b) == 6
        seen.append(tuple(a))
        return 1.0

    assert (
        len(metrics.half_distances(part_id, distance, np.random.default_rng(0)))
        == metrics.HALVINGS
        == len(seen)
    )
    assert len(set(seen)) > 10


def test_divergence_of_the_aggregate_posterior() -> None:
    """KL(N(m, s^2) || N(0, 1)) = (s^2 + m^2 - 1 - log s^2) / 2; means spread by 0.3 and samples by
    0.4 make s = 0.5.
    """
    mean = 2 + 0.3 * np.array([[-1.0], [1.0]])
    expected = (0.25 + 4 - 1 - np.log(0.25)) / 2
    assert metrics.divergence_from_prior(mean, np.full((2, 1), 0.4)) == pytest.approx(expected)
    independent = np.random.default_rng(0).standard_normal((20_000, 3))
    assert metrics.divergence_from_prior(
        np.sqrt(0.5) * independent, np.full((20_000, 3), np.sqrt(0.5))
    ) == pytest.approx(0, abs=1e-3)
