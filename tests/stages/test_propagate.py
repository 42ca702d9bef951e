"""What is said of distributions: quantiles with their confidence, tests against the direct ones,
bands that hold.
"""

from __future__ import annotations

import numpy as np
import pytest

from svevae.stages.propagate import ENCODED, QUANTILES, band, quantile_table, summary

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
    found = summary({"yield load / area [MPa]": sources})["yield_load"]
    assert found["latent"]["p_value"] > 0.05
    assert found["the_direct_ones_encoded"]["p_value"] < 1e-5
    assert found["the_direct_ones_encoded"]["off"] == pytest.approx(0.9, abs=0.2)
    assert "p_value" not in found["direct"]


def test_quantiles_have_intervals_where_the_sample_has() -> None:
    table = quantile_table(
        {"load": {"direct": DIRECT, "latent": RANDOM.normal(235, 4.5, 200)}}
    ).set_index(["source", "quantile"])
    few, many = table.loc["direct"], table.loc["latent"]
    np.testing.assert_allclose(few["value"], np.quantile(DIRECT, QUANTILES))
    assert few["low"].isna().tolist() == [True, False, False, False, False]
    assert few["high"].isna().tolist() == [False, False, False, False, True]
    assert (many["low"] < many["value"]).all()
    assert (many["value"] < many["high"]).all()
    assert (many["high"] - many["low"])[0.5] < (few["high"] - few["low"])[0.5]


def test_a_band_holds_the_distribution_as_often_as_it_says() -> None:
    """Of uniform numbers the share below a value is the value."""
    held = []
    for seed in range(400):
        ordered, low, high = band(np.random.default_rng(seed).random(24))
        middle = len(ordered) // 2
        held.append(low[middle] <= ordered[middle] <= high[middle])
    assert np.mean(held) >= 0.95
