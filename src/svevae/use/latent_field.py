"""Latent codes that vary over a part as those of real neighbouring SVEs do: a Gaussian random field, fitted and sampled.

Each latent unit is mapped to normal scores by its quantiles, as is the porosity, which goes along as one more variable. The scores are
decomposed into min/max autocorrelation factors, uncorrelated with each other within an SVE and between neighbours (Switzer and Green,
Stanford Technical Report 6 (1984); Desbarats and Dimitrakopoulos, Math. Geol. 32 (2000) 919, for pore-size distributions). Each factor
is then a field by itself, with the correlation

    rho(h) = a_0 [h = 0] + sum_j a_j exp(-(h / l_j)^2) + a_inf,    a >= 0, sum a = 1,

of which a_inf is what SVEs of one part share. Distances are in SVE edges.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.linalg import eigh
from scipy.optimize import nnls
from scipy.special import ndtri

from svevae.dataset.statistics import lags_within, pairs_apart
from svevae.errors import DataError
from svevae.physics.microstructure import gaussian_field

LENGTHS = (0.75, 1.5, 3.0, 6.0)  # of the nested structures, in SVE edges
REACH = 6  # farthest lag that correlations are estimated at, SVE edges
KNOTS = 512
SHRINK = 0.02  # share of the identity in the covariance within an SVE: units that hardly vary do not become factors
FEWEST = 64  # SVEs


@dataclass(frozen=True)
class LatentField:
    """A stationary Gaussian field of `variables` = latent units and porosity, or one about a trend in the porosity.

    `knots` (knot, variable) at the normal scores `levels` (knot,) are the marginal distributions; `factors` (factor, variable) takes a
    factor's values back to scores; `shares` (factor, structure) are a_0, a_1 ..., a_inf. `trend` (3, latent) are the coefficients of
    1, g and g^2 of the porosity's score g, and factors then are of latent units alone. `correlation` has, of all factors together, what
    was estimated beside what was fitted.
    """

    knots: np.ndarray
    levels: np.ndarray
    factors: np.ndarray
    shares: np.ndarray
    trend: np.ndarray | None
    correlation: pd.DataFrame

    @classmethod
    def fit(cls, latent: np.ndarray, porosity: np.ndarray, part_id: np.ndarray, position: np.ndarray, trend: bool = False) -> LatentField:
        """Of SVEs of some parts: latent means (sve, latent), porosity and part_id (sve,), position (sve, 3) in SVE edges.

        With `trend` the field is what is left once porosity is known, for parts whose porosity is given in space. Raises DataError
        for fewer than 64 SVEs or no neighbours.
        """
        values = np.column_stack([latent, porosity]).astype(float)
        if len(values) < FEWEST:
            raise DataError(f"latent field: expected at least {FEWEST} SVEs to fit it to, received {len(values)}")
        share = (np.arange(KNOTS) + 0.5) / KNOTS
        knots = np.quantile(values, share, axis=0)
        levels = ndtri(share)
        scores = _to_scores(values, knots, levels)
        powers = _powers(scores[:, -1])
        coefficients = np.linalg.lstsq(powers, scores[:, :-1], rcond=None)[0] if trend else None
        rest = scores - scores.mean(axis=0) if coefficients is None else scores[:, :-1] - powers @ coefficients
        within = rest.T @ rest / len(rest)
        scale = np.diag(np.diag(within) + 1e-12)
        first, second, lag = _pairs(part_id, position)
        near = lag == lag.min()
        between = rest[first[near]].T @ rest[second[near]] / near.sum()
        _, weights = eigh((between + between.T) / 2, (1 - SHRINK) * within + SHRINK * scale)  # factors of variance 1
        found = rest @ weights
        lags = np.unique(lag)
        products = np.stack([(found[first[lag == h]] * found[second[lag == h]]).mean(axis=0) for h in lags])
        pairs = np.array([(lag == h).sum() for h in lags])
        estimated = products / np.square(found).mean(axis=0)
        shares = np.stack([_fit_shares(lags, pairs, column) for column in estimated.T])
        fitted = _structures(lags) @ shares.T
        factors = np.linalg.inv(weights)
        weight = np.square(factors).sum(axis=1)  # of a factor: the variance of scores that it explains
        table = pd.DataFrame({"distance": np.sqrt(lags), "pairs": pairs})
        table["estimated"] = estimated @ weight / weight.sum()
        table["fitted"] = fitted @ weight / weight.sum()
        return cls(knots, levels, factors, shares, coefficients, table)

    def sample(
        self, shape: tuple[int, int, int], random: np.random.Generator, porosity: np.ndarray | None = None, correlated: bool = True
    ) -> tuple[np.ndarray, np.ndarray]:
        """Latent vectors (x, y, z, latent) float32 and porosities (x, y, z) of a new part of `shape` SVEs.

        A field with a trend needs the `porosity` (x, y, z) to follow. Without `correlated` SVEs are independent draws of the same
        marginal distributions: what ignoring the spatial correlation amounts to.
        """
        if (porosity is None) != (self.trend is None):
            raise DataError("latent field: expected a porosity for a field with a trend, and none for a stationary one")
        scores = np.stack([_draw(shape, share, random, correlated) for share in self.shares], axis=-1) @ self.factors
        if porosity is not None:
            given = _to_scores(np.asarray(porosity, float).reshape(-1, 1), self.knots[:, -1:], self.levels)
            scores = np.concatenate([scores + (_powers(given[:, 0]) @ self.trend).reshape(scores.shape), given.reshape(*shape, 1)], axis=-1)
        values = np.stack([np.interp(scores[..., k], self.levels, knots) for k, knots in enumerate(self.knots.T)], axis=-1)
        return values[..., :-1].astype(np.float32), values[..., -1]


def _draw(shape: tuple[int, int, int], share: np.ndarray, random: np.random.Generator, correlated: bool) -> np.ndarray:
    """One factor over a part, (x, y, z)."""
    if not correlated:
        return random.standard_normal(shape)
    parts = [random.standard_normal(shape), *(gaussian_field(shape, random, (length,) * 3) for length in LENGTHS)]
    parts.append(np.full(shape, random.standard_normal()))
    return sum(np.sqrt(weight) * part for weight, part in zip(share, parts, strict=True))


def _structures(squared: np.ndarray) -> np.ndarray:
    """Correlations of the nested structures at squared lags (lag,): (lag, structure)."""
    return np.column_stack([squared == 0, *(np.exp(-squared / length**2) for length in LENGTHS), np.ones(len(squared))])


def _fit_shares(squared: np.ndarray, pairs: np.ndarray, correlation: np.ndarray) -> np.ndarray:
    """Shares of the structures, at least 0 and 1 together, by least squares weighted by pairs over squared lag: near ones count."""
    weight = np.sqrt(pairs / squared / pairs.sum())
    design, target = _structures(squared) * weight[:, None], correlation * weight
    anchor = 1e3 * np.ones((1, design.shape[1]))  # correlation 1 at distance 0, exactly
    shares = nnls(np.vstack([design, anchor]), np.append(target, 1e3))[0]
    return shares / shares.sum()


def _pairs(part_id: np.ndarray, position: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All pairs of SVEs of one part up to REACH apart: two indices and the squared distance, (pair,)."""
    part, lags = np.unique(part_id, return_inverse=True)[1], lags_within(position, REACH)
    found = list(pairs_apart(part, position, lags))
    if not any(len(first) for first, _ in found):
        raise DataError("latent field: expected SVEs that have neighbours in their part, found none; /position is needed")
    first, second = (np.concatenate(indices) for indices in zip(*found, strict=True))
    return first, second, np.repeat(np.square(lags).sum(axis=1), [len(one) for one, _ in found])


def _powers(g: np.ndarray) -> np.ndarray:
    return np.column_stack([np.ones_like(g), g, np.square(g)])


def _to_scores(values: np.ndarray, knots: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Normal scores (sve, variable) of values (sve, variable); what many SVEs share, as no porosity, has the mean of their levels."""
    columns = []
    for value, knot in zip(values.T, knots.T, strict=True):
        known, which, count = np.unique(knot, return_inverse=True, return_counts=True)
        columns.append(np.interp(value, known, np.bincount(which, levels) / count))
    return np.column_stack(columns)
