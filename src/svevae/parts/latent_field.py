"""Latent codes that vary over a part as those of real neighbouring SVEs do: a Gaussian random
field, fitted and sampled.

Each latent unit is mapped to normal scores by its quantiles, as is the porosity, which goes along
as one more variable. The scores follow a linear model of coregionalization (Goulard and Voltz,
Math. Geol. 24 (1992) 269): their covariance matrix at the distance h is

    C(h) = B_0 [h = 0] + sum_j B_j exp(-(h / l_j)^2) + B_inf,    each B positive semidefinite,

of which B_inf is what SVEs of one part share. Distances are in SVE edges.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtri

from svevae.dataset.statistics import lags_within, pairs_apart
from svevae.errors import DataError
from svevae.physics.level_sets import gaussian_field

LENGTHS = (0.75, 1.5, 3.0, 6.0)  # of the nested structures, in SVE edges
REACH = 6  # farthest lag that correlations are estimated at, SVE edges
KNOTS = 512
SWEEPS = 100  # of the fit over the structures
NEGLIGIBLE = 1e-6  # of the largest eigenvalue of a B
FEWEST = 64  # SVEs


@dataclass(frozen=True)
class LatentField:
    """A stationary Gaussian field of `variables` = latent units and porosity, or one about a trend
    in the porosity.

    `knots` (knot, variable) at the normal scores `levels` (knot,) are the marginal distributions;
    `roots` are those of B_0, B_1 ..., B_inf, each (variable, rank). `trend` (3, latent) are the
    coefficients of 1, g and g^2 of the porosity's score g, and the variables of the field then are
    the latent units alone. `correlation` has, over all variables, what was estimated beside what
    was fitted.
    """

    knots: np.ndarray
    levels: np.ndarray
    roots: tuple[np.ndarray, ...]
    trend: np.ndarray | None
    correlation: pd.DataFrame

    @property
    def porosities(self) -> tuple[float, float]:
        """The lowest and the highest that it knows."""
        return float(self.knots[0, -1]), float(self.knots[-1, -1])

    @classmethod
    def fit(
        cls,
        latent: np.ndarray,
        porosity: np.ndarray,
        part_id: np.ndarray,
        position: np.ndarray,
        trend: bool = False,
    ) -> LatentField:
        """Fit to the SVEs of some parts: latent means (sve, latent), porosity and part_id (sve,),
        position (sve, 3) in SVE edges.

        With `trend` the field is what is left once porosity is known, for parts whose porosity is
        given in space. Raises DataError for fewer than 64 SVEs or no neighbours.
        """
        values = np.column_stack([latent, porosity]).astype(float)
        if len(values) < FEWEST:
            raise DataError(
                f"latent field: expected at least {FEWEST} SVEs to fit it to, received"
                f" {len(values)}"
            )
        share = (np.arange(KNOTS) + 0.5) / KNOTS
        knots = np.quantile(values, share, axis=0)
        levels = ndtri(share)
        scores = _to_scores(values, knots, levels)
        powers = _powers(scores[:, -1])
        coefficients = np.linalg.lstsq(powers, scores[:, :-1], rcond=None)[0] if trend else None
        rest = (
            scores - scores.mean(axis=0)
            if coefficients is None
            else scores[:, :-1] - powers @ coefficients
        )
        squared, pairs, covariance = _covariances(rest, part_id, position)
        matrices = _coregionalize(
            squared, pairs, covariance, np.diag(covariance[0]) if trend else np.ones(rest.shape[1])
        )
        fitted = np.tensordot(_structures(squared), matrices, axes=1)
        table = pd.DataFrame({"distance": np.sqrt(squared), "pairs": pairs})
        traces = [np.trace(found, axis1=1, axis2=2) for found in (covariance, fitted)]
        table["estimated"], table["fitted"] = (trace / trace[0] for trace in traces)
        roots = tuple(_root(matrix) for matrix in matrices)
        return cls(knots, levels, roots, coefficients, table[1:].reset_index(drop=True))

    def sample(
        self,
        shape: tuple[int, int, int],
        random: np.random.Generator,
        porosity: np.ndarray | None = None,
        correlated: bool = True,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Sample a new part of `shape` SVEs: latent vectors (x, y, z, latent) float32 and
        porosities (x, y, z).

        A field with a trend needs the `porosity` (x, y, z) to follow, within `porosities`. Without
        `correlated` SVEs are independent draws of the same marginal distributions: what ignoring
        the spatial correlation amounts to.
        """
        if (porosity is None) != (self.trend is None):
            raise DataError(
                "latent field: expected a porosity for a field with a trend, and none for a"
                " stationary one"
            )
        lengths = (0.0, *LENGTHS, np.inf) if correlated else (0.0,) * len(self.roots)
        scores = sum(
            _noise(shape, root.shape[1], length, random) @ root.T
            for root, length in zip(self.roots, lengths, strict=True)
        )
        if porosity is not None:
            given = _to_scores(
                np.asarray(porosity, float).reshape(-1, 1), self.knots[:, -1:], self.levels
            )
            scores = np.concatenate(
                [
                    scores + (_powers(given[:, 0]) @ self.trend).reshape(scores.shape),
                    given.reshape(*shape, 1),
                ],
                axis=-1,
            )
        values = np.stack(
            [np.interp(scores[..., k], self.levels, knots) for k, knots in enumerate(self.knots.T)],
            axis=-1,
        )
        return values[..., :-1].astype(np.float32), values[..., -1]


def _noise(
    shape: tuple[int, int, int], count: int, length: float, random: np.random.Generator
) -> np.ndarray:
    """Independent fields of variance 1 and one structure, (x, y, z, count): white for the length 0,
    constant for an infinite one.
    """
    if length == 0:
        return random.standard_normal((*shape, count))
    if np.isinf(length):
        return np.broadcast_to(random.standard_normal(count), (*shape, count))
    return np.stack([gaussian_field(shape, random, (length,) * 3) for _ in range(count)], axis=-1)


def _structures(squared: np.ndarray) -> np.ndarray:
    """Correlations of the nested structures at squared lags (lag,): (lag, structure)."""
    return np.column_stack(
        [squared == 0, *(np.exp(-squared / length**2) for length in LENGTHS), np.ones(len(squared))]
    )


def _covariances(
    scores: np.ndarray, part_id: np.ndarray, position: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Covariance matrices (lag, variable, variable) of centred scores between SVEs of one part,
    squared lags and numbers of pairs (lag,).

    The first is that within an SVE. Raises DataError where no SVE has a neighbour.
    """
    part, lags = np.unique(part_id, return_inverse=True)[1], lags_within(position, REACH)
    squared, row = np.unique(np.square(lags).sum(axis=1), return_inverse=True)
    pairs, sums = np.zeros(len(squared)), np.zeros((len(squared), scores.shape[1], scores.shape[1]))
    for k, (i, j) in zip(row, pairs_apart(part, position, lags), strict=True):
        pairs[k] += len(i)
        sums[k] += scores[i].T @ scores[j]
    known = pairs > 0
    if not known.any():
        raise DataError(
            "latent field: expected SVEs that have neighbours in their part, found none; /position"
            " is needed"
        )
    between = sums[known] / pairs[known, None, None]
    within = scores.T @ scores / len(scores)
    symmetric = np.concatenate([within[None], (between + between.transpose(0, 2, 1)) / 2])
    return np.append(0, squared[known]), np.append(len(scores), pairs[known]).astype(int), symmetric


def _coregionalize(
    squared: np.ndarray, pairs: np.ndarray, covariance: np.ndarray, variance: np.ndarray
) -> np.ndarray:
    """B_0, B_1 ..., B_inf (structure, variable, variable), by weighted least squares, one after the
    other in turn (Goulard and Voltz).

    Lags weigh by their pairs over the squared lag: near ones count; that within an SVE as all of
    them together. In the end they are scaled to the `variance` (variable,) within an SVE: where
    many SVEs share a value their scores vary less than the normal ones they stand for.
    """
    weight = np.append(0.0, pairs[1:] / squared[1:])
    weight[0] = weight.sum()
    structures = _structures(squared)
    count = structures.shape[1]
    matrices = np.repeat(covariance[:1] / count, count, axis=0)
    rest = covariance - np.tensordot(structures, matrices, axes=1)
    for _ in range(SWEEPS):
        for k, structure in enumerate(structures.T):
            rest += structure[:, None, None] * matrices[k]
            best = np.tensordot(weight * structure, rest, axes=1) / (weight @ np.square(structure))
            values, vectors = np.linalg.eigh(best)
            matrices[k] = (vectors * np.maximum(values, 0)) @ vectors.T
            rest -= structure[:, None, None] * matrices[k]
    scale = np.sqrt(variance / np.maximum(np.diag(matrices.sum(axis=0)), np.finfo(float).tiny))
    return matrices * np.outer(scale, scale)


def _root(matrix: np.ndarray) -> np.ndarray:
    """(variable, rank) whose product with its transpose is the positive semidefinite `matrix`."""
    values, vectors = np.linalg.eigh(matrix)
    values = np.maximum(values, 0)
    kept = values >= NEGLIGIBLE * values[-1]
    return vectors[:, kept] * np.sqrt(values[kept])


def _powers(g: np.ndarray) -> np.ndarray:
    return np.column_stack([np.ones_like(g), g, np.square(g)])


def _to_scores(values: np.ndarray, knots: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Normal scores (sve, variable) of values (sve, variable); what many SVEs share, as no
    porosity, has the mean of their levels.
    """
    columns = []
    for value, knot in zip(values.T, knots.T, strict=True):
        known, which, count = np.unique(knot, return_inverse=True, return_counts=True)
        columns.append(np.interp(value, known, np.bincount(which, levels) / count))
    return np.column_stack(columns)
