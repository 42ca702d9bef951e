"""Compare distributions of the response of parts: quantiles, tests and confidence bands.

Quantities are {name: {source: values (part,)}}; the source DIRECT is what others are compared with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import beta, ks_2samp, quantile_test, wilcoxon

from svevae.physics.part import Response

SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)
CONFIDENCE = 0.95
DIRECT = "direct"
ENCODED = "the direct ones, encoded"  # the same parts as the direct ones, so values are paired
QUANTITIES: dict[str, Callable[[Response], np.ndarray]] = {
    "yield load / area [MPa]": lambda response: response.yield_stress,
    "stiffness [MPa]": lambda response: response.stiffness,
    "peak plastic strain of an SVE": lambda response: (
        response.plastic[:, -1].reshape(len(response.plastic), -1).max(axis=1)
    ),
}


class Band(NamedTuple):
    """Limits `low` and `high` of the share of parts below each of `values`, all (part,)."""

    values: np.ndarray
    low: np.ndarray
    high: np.ndarray


def quantities_of(sources: Mapping[str, Response]) -> dict[str, dict[str, np.ndarray]]:
    """Take each of QUANTITIES from the responses of each source."""
    return {
        name: {source: take(response) for source, response in sources.items()}
        for name, take in QUANTITIES.items()
    }


def quantile_table(quantities: Mapping[str, Mapping[str, np.ndarray]]) -> pd.DataFrame:
    """Estimate the quantiles SHARES of each quantity and source, with 95 % confidence intervals
    from order statistics.

    An end is NaN where the sample is too small to have one: of 24 parts the lower one at 5 % and
    the upper one at 95 %.
    """
    rows = []
    for name, sources in quantities.items():
        for source, values in sources.items():
            for share in SHARES:
                interval = quantile_test(values, p=share).confidence_interval(CONFIDENCE)
                row = {
                    "quantity": name,
                    "source": source,
                    "quantile": share,
                    "value": np.quantile(values, share),
                }
                rows.append(row | {"low": interval.low, "high": interval.high})
    return pd.DataFrame(rows)


def distribution_scores(quantities: Mapping[str, Mapping[str, np.ndarray]]) -> dict:
    """Summarise each quantity and source: mean, standard deviation, and the p-value of a
    Kolmogorov-Smirnov test against the direct simulations.

    ENCODED are the same parts as the direct ones: their p-value is that of Wilcoxon's test of the
    differences, given with mean and standard deviation of these (`off`, `off_std`).
    """
    scores: dict = {}
    for name, sources in quantities.items():
        key = name.partition(" /")[0].partition(" [")[0].replace(" ", "_")
        for source, values in sources.items():
            entry = {"mean": float(values.mean()), "std": float(values.std(ddof=1))}
            if source == ENCODED:
                off = values - sources[DIRECT]
                entry |= {
                    "off": float(off.mean()),
                    "off_std": float(off.std(ddof=1)),
                    "p_value": float(wilcoxon(off).pvalue),
                }
            elif source != DIRECT:
                entry["p_value"] = float(ks_2samp(sources[DIRECT], values).pvalue)
            scores.setdefault(key, {})[source.replace(", ", "_").replace(" ", "_")] = entry
    return scores


def confidence_band(values: np.ndarray) -> Band:
    """Bound the distribution that a sample (part,) was drawn from: 95 % limits (Clopper-Pearson) of
    the share below each value, for one value at a time.
    """
    ordered, count = np.sort(values), len(values)
    below = np.arange(1, count + 1)
    tail = (1 - CONFIDENCE) / 2
    low = beta.ppf(tail, below, count - below + 1)
    high = np.where(below < count, beta.ppf(1 - tail, below + 1, np.maximum(count - below, 1)), 1.0)
    return Band(ordered, low, high)
