"""The mixture against closed forms and scipy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import multivariate_normal, spearmanr

from svevae.model.posterior import Posterior, fit_posterior

MIXTURE = Posterior(
    np.array([0.3, 0.7]),
    np.array([[2.0, 0.0], [-1.0, 1.0]]),
    np.array([[[1.0, 0.5], [0.5, 1.0]], np.eye(2) / 4]),
)


def test_density_is_that_of_scipy() -> None:
    z = np.random.default_rng(0).standard_normal((20, 2))
    expected = sum(
        weight * multivariate_normal(mean, covariance).pdf(z)
        for weight, mean, covariance in zip(
            MIXTURE.weights, MIXTURE.means, MIXTURE.covariances, strict=True
        )
    )
    np.testing.assert_allclose(MIXTURE.log_density(z), np.log(expected), rtol=1e-10)


def test_samples_have_the_mixtures_mean_and_covariance() -> None:
    z = MIXTURE.sample(200_000, np.random.default_rng(0))
    mean = np.array([-0.1, 0.7])
    np.testing.assert_allclose(z.mean(axis=0), mean, atol=0.02)
    spread = MIXTURE.means - mean
    covariance = (
        0.3 * MIXTURE.covariances[0]
        + 0.7 * MIXTURE.covariances[1]
        + (MIXTURE.weights * spread.T) @ spread
    )
    np.testing.assert_allclose(np.cov(z.T), covariance, atol=0.03)


def test_fit_gives_samples_with_the_marginals_and_the_dependence_of_the_means() -> None:
    """Skewed units, one of which follows the other: samples keep the range, the quantiles and the
    rank correlation.
    """
    random = np.random.default_rng(0)
    first = random.standard_normal(3000)
    mean = np.column_stack(
        [np.exp(first), 0.8 * first + 0.6 * random.standard_normal(3000)]
    ).astype(np.float32)
    z = fit_posterior(mean, 2, seed=0).sample(20_000, random)
    assert mean.min() <= z.min()
    assert z.max() <= mean.max() + 1e-5
    levels = [0.05, 0.25, 0.5, 0.75, 0.95]
    np.testing.assert_allclose(
        np.quantile(z, levels, axis=0), np.quantile(mean, levels, axis=0), atol=0.1, rtol=0.05
    )
    assert spearmanr(z).statistic == pytest.approx(spearmanr(mean).statistic, abs=0.03)


def test_fit_finds_clusters() -> None:
    """Two clusters across the diagonal, next to each other in normal scores: nearly all samples are
    in one of them.
    """
    random = np.random.default_rng(0)
    mean = np.concatenate(
        [random.normal([-3, 3], 0.5, (400, 2)), random.normal([3, -3], 0.5, (400, 2))]
    )
    z = fit_posterior(mean, 2, seed=0).sample(2000, random)
    assert (np.sign(z[:, 0]) == -np.sign(z[:, 1])).mean() > 0.88


def test_units_behind_the_informed_ones_follow_them() -> None:
    """A unit whose spread and whose sign follow the first one, which alone makes the components."""
    random = np.random.default_rng(0)
    first = random.standard_normal(4000)
    mean = np.column_stack(
        [
            first,
            np.where(first > 0, 2.0, -2.0) + 0.1 * random.standard_normal(4000),
            random.standard_normal(4000),
        ]
    )
    z = fit_posterior(mean, 1, seed=0).sample(4000, random)
    sure = np.abs(z[:, 0]) > 0.5
    assert (np.sign(z[sure, 0]) == np.sign(z[sure, 1])).mean() > 0.9
    assert abs(np.corrcoef(z[:, 0], z[:, 2])[0, 1]) < 0.1


def test_a_handful_of_sves_and_values_that_repeat() -> None:
    random = np.random.default_rng(0)
    mean = random.standard_normal((5, 8))
    mean[:, 2] = 0
    found = fit_posterior(mean, 2, seed=0)
    assert len(found.weights) == 1
    assert np.isfinite(found.sample(3, random)).all()
    assert np.isfinite(found.log_density(found.sample_scores(3, random))).all()


def test_round_trip(tmp_path: Path) -> None:
    MIXTURE.save(tmp_path / "posterior.npz")
    copy = Posterior.load(tmp_path / "posterior.npz")
    np.testing.assert_array_equal(copy.means, MIXTURE.means)
    np.testing.assert_array_equal(copy.covariances, MIXTURE.covariances)
    assert copy.quantiles is None
    fitted = fit_posterior(np.random.default_rng(0).standard_normal((50, 2)), 2, seed=0)
    fitted.save(tmp_path / "posterior.npz")
    same = [
        posterior.sample(5, np.random.default_rng(1))
        for posterior in (fitted, Posterior.load(tmp_path / "posterior.npz"))
    ]
    np.testing.assert_array_equal(*same)
