"""Latent fields, on fields whose correlation is known: what is fitted, and what samples have."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri

from svevae.dataset.statistics import neighbour_correlation
from svevae.errors import DataError
from svevae.parts.latent_field import LatentField, _to_scores
from svevae.physics.level_sets import gaussian_field

PARTS, SHAPE = 60, (4, 4, 4)
POSITION = np.tile(np.indices(SHAPE).reshape(3, -1).T, (PARTS, 1))
PART = np.repeat(np.arange(PARTS), 64)
COMMON = 0.3  # variance of the first unit that a part shares


def known(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Latent vectors (sve, 3) and porosities: a unit that is common to a part and smooth in it, one
    smooth, white noise; porosity follows the first.
    """
    random = np.random.default_rng(seed)
    columns = []
    for _ in range(PARTS):
        smooth = [gaussian_field(SHAPE, random, (1.5,) * 3).ravel() for _ in range(2)]
        first = np.sqrt(COMMON) * random.standard_normal() + np.sqrt(1 - COMMON) * smooth[0]
        columns.append(
            np.column_stack(
                [first, np.exp(smooth[1]), random.standard_normal(64), 0.03 * np.exp(0.8 * first)]
            )
        )
    found = np.concatenate(columns)
    return found[:, :3], found[:, 3]


def drawn(
    field: LatentField, count: int, **how: object
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(5)
    latent, porosity = zip(*(field.sample(SHAPE, random, **how) for _ in range(count)), strict=True)
    flat = np.concatenate([part.reshape(-1, 3) for part in latent])
    return (
        flat,
        np.concatenate([part.ravel() for part in porosity]),
        np.repeat(np.arange(count), 64),
        np.tile(POSITION[:64], (count, 1)),
    )


def test_samples_have_the_marginals_and_correlations_of_the_parts() -> None:
    latent, porosity = known(0)
    field = LatentField.fit(latent, porosity, PART, POSITION)
    samples, drawn_porosity, part, position = drawn(field, 400)
    for truth, sample in zip((*latent.T, porosity), (*samples.T, drawn_porosity), strict=True):
        np.testing.assert_allclose(
            np.quantile(sample, [0.1, 0.5, 0.9]),
            np.quantile(truth, [0.1, 0.5, 0.9]),
            atol=0.15 * truth.std(),
        )
    lags = np.array([1.0, 2**0.5, 2.0])
    for column, smooth in ((0, 1 - COMMON), (2, 0.0)):
        found = (
            neighbour_correlation(samples[:, column], part, position, reach=2)
            .set_index("distance")
            .correlation
        )
        common = COMMON if column == 0 else 0.0
        expected = common + smooth * np.exp(-np.square(lags / 1.5)) if smooth else 0 * lags
        np.testing.assert_allclose(
            [found.iloc[np.argmin(np.abs(found.index - lag))] for lag in lags], expected, atol=0.12
        )
    np.testing.assert_allclose(
        np.corrcoef(samples[:, 0], np.log(drawn_porosity))[0, 1], 1, atol=0.05
    )
    assert np.abs(field.correlation.estimated - field.correlation.fitted).max() < 0.1


def test_independent_samples_have_the_marginals_alone() -> None:
    latent, porosity = known(1)
    field = LatentField.fit(latent, porosity, PART, POSITION)
    samples, _, part, position = drawn(field, 60, correlated=False)
    assert np.quantile(samples[:, 1], 0.9) == pytest.approx(np.quantile(latent[:, 1], 0.9), rel=0.1)
    assert (
        np.abs(neighbour_correlation(samples[:, 0], part, position, reach=2).correlation).max()
        < 0.06
    )


def test_a_field_with_a_trend_follows_the_porosity_it_is_given() -> None:
    latent, porosity = known(2)
    field = LatentField.fit(latent, porosity, PART, POSITION, trend=True)
    wished = np.linspace(0.01, 0.06, 4)[None, None] * np.ones(SHAPE)
    samples, given, *_ = drawn(field, 40, porosity=wished)
    np.testing.assert_allclose(given.reshape(-1, *SHAPE).mean(axis=0), wished, rtol=0.02)
    first = samples[:, 0].reshape(-1, *SHAPE).mean(axis=(0, 1, 2))
    np.testing.assert_allclose(first, np.log(wished[0, 0] / 0.03) / 0.8, atol=0.1)
    assert samples[:, 1].std() > 0.5, "what porosity does not say goes on varying"


def test_what_no_field_can_be_fitted_to() -> None:
    latent, porosity = known(0)
    with pytest.raises(DataError, match="at least 64 SVEs to fit it to, received 10"):
        LatentField.fit(latent[:10], porosity[:10], PART[:10], POSITION[:10])
    with pytest.raises(DataError, match="neighbours in their part, found none"):
        LatentField.fit(latent[:64], porosity[:64], np.arange(64), POSITION[:64])
    with pytest.raises(DataError, match="expected a porosity for a field with a trend"):
        LatentField.fit(latent, porosity, PART, POSITION).sample(
            SHAPE, np.random.default_rng(0), porosity=np.ones(SHAPE)
        )


def test_sves_without_pores_are_no_extremes() -> None:
    """A third of the SVEs has no pore at all: they share one score, the mean of the lowest third's,
    and samples have as many.
    """
    latent, porosity = known(3)
    porosity = np.maximum(porosity - np.quantile(porosity, 1 / 3), 0)
    field = LatentField.fit(latent, porosity, PART, POSITION)
    scores = _to_scores(np.column_stack([latent, porosity]), field.knots, field.levels)[:, -1]
    [lowest] = np.unique(scores[porosity == 0])
    # mean of a truncated normal
    assert lowest == pytest.approx(
        -np.exp(-(ndtri(1 / 3) ** 2) / 2) / np.sqrt(2 * np.pi) * 3, rel=0.02
    )
    assert np.mean(drawn(field, 60)[1] == 0) == pytest.approx(1 / 3, abs=0.05)


@pytest.mark.parametrize("dense", [0.5, 0.7, 0.9])
def test_a_process_with_few_pores_has_samples_with_as_many(dense: float) -> None:
    """Most SVEs share one score, which varies less than a normal one; the porous tail must be as
    long all the same.
    """
    latent, porosity = known(3)
    porosity = np.maximum(porosity - np.quantile(porosity, dense), 0)
    found = drawn(LatentField.fit(latent, porosity, PART, POSITION), 400)[1]
    assert np.mean(found == 0) == pytest.approx(dense, abs=0.03)
    assert found.mean() == pytest.approx(porosity.mean(), rel=0.15)
    assert np.quantile(found, 0.99) == pytest.approx(np.quantile(porosity, 0.99), rel=0.15)
