"""Directions in latent space that sliders move along: properties, morphology, single units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from svevae.model.latent import LatentModel

SAMPLES = 4096  # of the aggregate posterior, that the directions are found from
# The directions of the properties explain this share of their variance, but are at most this many.
EXPLAINED, MOST = 0.99, 4
# At most this many directions of the rest, each with at least this share of the rest's variance.
MORPHOLOGY, LEAST = 6, 0.01
# One field of noise for every draw, so that pores grow and shrink under a slider without flicker.
SEED = 0


@dataclass(frozen=True)
class Directions:
    """Along which sliders move: `names`, what a step of 1 does in words (`effects`), and the
    `steps` (direction, latent) themselves.

    The first `properties` change the predicted properties, the next `morphology` leave them, the
    last are the latent units, one by one.
    """

    names: tuple[str, ...]
    effects: tuple[str, ...]
    steps: np.ndarray
    properties: int
    morphology: int


def find_directions(model: LatentModel) -> Directions:
    """Find the principal directions of the aggregate posterior: first in the space of the
    properties, then of what these do not explain.

    With t_k the standardised principal components of the properties predicted for samples of the
    posterior, a step of direction k is the regression of the latent vector on t_k: what SVEs with a
    t_k of 1 more have in common. The directions of the morphology are the largest principal
    components of the latent vectors without their regression on all t_k. A step is one standard
    deviation.
    """
    latent = model.posterior.sample(SAMPLES, np.random.default_rng(SEED)).astype(np.float64)
    predicted = model.predict_from_latent(latent)
    spread = predicted.std(axis=0) + 1e-12
    z, y = latent - latent.mean(axis=0), (predicted - predicted.mean(axis=0)) / spread
    variance, vectors = (
        part[..., ::-1] for part in np.linalg.eigh(np.cov(y.T).reshape(y.shape[1], -1))
    )
    share = variance / variance.sum()
    count = min(int(np.searchsorted(np.cumsum(share), EXPLAINED)) + 1, MOST, len(share))
    vectors = fix_signs(vectors[:, :count])
    t = y @ vectors / np.sqrt(variance[:count])
    steps = t.T @ z / len(z)
    rest, shapes = (
        part[..., ::-1]
        for part in np.linalg.eigh(np.cov((z - t @ steps).T).reshape(z.shape[1], -1))
    )
    left = rest / max(rest.sum(), 1e-12)
    shown = min(MORPHOLOGY, int((left > LEAST).sum()))
    shapes = (shapes * np.sqrt(np.maximum(rest, 0)))[:, :shown].T
    names = [f"Properties {k + 1}" for k in range(count)] + [
        f"Morphology {k + 1}" for k in range(shown)
    ]
    effects = [
        _effect(model, vectors[:, k] * np.sqrt(variance[k]), spread, share[k]) for k in range(count)
    ]
    effects += [f"{100 * part:.0f} % of what the properties leave open" for part in left[:shown]]
    names += [f"Unit {unit}" for unit in range(z.shape[1])]
    effects += [f"standard deviation {std:.2g}" for std in z.std(axis=0)]
    return Directions(
        tuple(names),
        tuple(effects),
        np.concatenate([steps, shapes, np.diag(z.std(axis=0))]),
        count,
        shown,
    )


def fix_signs(vectors: np.ndarray) -> np.ndarray:
    """Make the largest component of each column of vectors (component, vector) positive: the sign
    of an eigenvector is arbitrary.
    """
    largest = np.abs(vectors).argmax(axis=0)[None]
    return vectors * np.where(np.take_along_axis(vectors, largest, axis=0) < 0, -1, 1)


def _effect(model: LatentModel, change: np.ndarray, spread: np.ndarray, share: float) -> str:
    """List the three properties that change most, in their spreads, and by how much."""
    chosen = np.argsort(-np.abs(change), kind="stable")[:3]
    listed = [
        f"{model.names[i]}"
        f" {_signed(change[i] * spread[i])}{'' if model.units[i] == '-' else f' {model.units[i]}'}"
        for i in chosen
    ]
    return f"{100 * share:.0f} % of the variance; +1: {', '.join(listed)}"


def _signed(value: float) -> str:
    digits = max(0, 1 - int(np.floor(np.log10(abs(value))))) if value else 0
    return f"{value:+,.{digits}f}".replace("-", "\u2212").replace(",", "\u2009")
