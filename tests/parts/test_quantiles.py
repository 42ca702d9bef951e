"""Quantiles with their confidence, tests against direct simulation, confidence bands."""

from __future__ import annotations

import numpy as np
import pytest

from svevae.parts.quantiles import (
    ENCODED,
    SHARES,
    confidence_band,
    distribution_scores,
    quantile_table,
    quantities_of,
)
from svevae.physics.part import Response

RANDOM = np.random.default_rng(0)
DIRECT = RANDOM.normal(235, 4.5, 24)


def test_the_encoded_parts_are_paired_with_the_direct_ones() -> None:
    """A shift of a fifth of the scatter: nothing to two samples of 24, all there is to see between
    pairs.
    """
    sources = {
        "direct": DIRECT,
        "latent": RANDOM.normal(235.9, 4.5, 24),
        ENCODED: DIRECT + RANDOM.normal(0.9, 0.3, 24),
    }
    found = distribution_scores({"yield load / area [MPa]": sources})["yield_load"]
    assert found["latent"]["p_value"] > 0.05
    assert found["the_direct_ones_encoded"]["p_value"] < 1e-5
    assert found["the_direct_ones_encoded"]["off"] == pytest.approx(0.9, abs=0.2)
    assert "p_value" not in found["direct"]


def test_quantiles_have_intervals_where_the_sample_has() -> None:
    table = quantile_table(
        {"load": {"direct": DIRECT, "latent": RANDOM.normal(235, 4.5, 200)}}
    ).set_index(["source", "quantile"])
    few, many = table.loc["direct"], table.loc["latent"]
    np.testing.assert_allclose(few["value"], np.quantile(DIRECT, SHARES))
    assert few["low"].isna().tolist() == [True, False, False, False, False]
    assert few["high"].isna().tolist() == [False, False, False, False, True]
    assert (many["low"] < many["value"]).all()
    assert (many["value"] < many["high"]).all()
    assert (many["high"] - many["low"])[0.5] < (few["high"] - few["low"])[0.5]


def test_a_band_holds_the_distribution_as_often_as_it_says() -> None:
    """Of uniform numbers the share below a value is the value."""
    held = []
    for seed in range(400):
        ordered, low, high = confidence_band(np.random.default_rng(seed).random(24))
        middle = len(ordered) // 2
        held.append(low[middle] <= ordered[middle] <= high[middle])
    assert np.mean(held) >= 0.95


def test_quantities_are_those_of_each_part() -> None:
    """Linear up to 200 MPa at 0.2 %, then flat: the yield load is 200 MPa; the peak is that of the
    last increment.
    """
    strain = np.array([[0.001, 0.002, 0.01]])
    plastic = np.zeros((1, 3, 2, 1, 2))
    plastic[0, 1, 0, 0, 0], plastic[0, 2, 1, 0, 1] = 0.9, 0.02
    response = Response(
        strain, np.array([[100.0, 200.0, 200.0]]), -0.3 * strain, plastic, np.ones((1, 3))
    )
    values = quantities_of({"direct": response})
    assert values["stiffness [MPa]"]["direct"] == pytest.approx([100_000])
    assert values["yield load / area [MPa]"]["direct"] == pytest.approx([200])
    assert values["peak plastic strain of an SVE"]["direct"] == pytest.approx([0.02])


def test_means_and_standard_deviations_are_those_of_the_sample() -> None:
    scores = distribution_scores({"stiffness [MPa]": {"direct": np.array([1.0, 2.0, 3.0])}})
    assert scores == {"stiffness": {"direct": {"mean": 2.0, "std": 1.0}}}


def test_the_limits_of_a_band_are_those_of_a_binomial_share() -> None:
    """Of two parts one lies below the smaller value: limits 1 - sqrt(0.975) and sqrt(0.975)."""
    ordered, low, high = confidence_band(np.array([7.0, 5.0]))
    assert ordered.tolist() == [5.0, 7.0]
    np.testing.assert_allclose(low, [1 - np.sqrt(0.975), np.sqrt(0.025)])
    np.testing.assert_allclose(high, [np.sqrt(0.975), 1.0])
