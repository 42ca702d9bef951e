"""Make new SVEs: latent vectors from the aggregate posterior, with wished properties if any, and
binary voxels for them.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.special import ndtri
from tqdm import tqdm

from svevae.errors import DataError
from svevae.model.protocols import GenerativeModel
from svevae.model.wishes import OutOfReachError, in_words, sample_latent

# Shifts of the quantile of a pore's probability that `realise` tries.
OFFSETS = (0.0, -0.6, -0.4, -0.25, -0.12, 0.12, 0.25, 0.4, 0.6)
STEPS, STEP_LENGTHS = 30, (0.1, 0.2, 0.4)  # moves of the field
SPARE = 1.5  # latent vectors for each SVE that is wanted
AIMED_SPARE, AIMED_STEPS = 3, 90
BLOCK = 64  # SVEs decoded at a time


class Realised(NamedTuple):
    """Binary SVEs (sve, n, n, n) uint8, and how far each is from the properties that it was to have
    (sve,): the squares of the differences over the predictor's standard deviations, summed.
    """

    voxels: np.ndarray
    distance: np.ndarray


class _Attempt(NamedTuple):
    """Gaussian fields (sve, n, n, n), shifts of the quantile (sve, 1, 1, 1), and what they give."""

    field: np.ndarray
    shift: np.ndarray
    voxels: np.ndarray
    distance: np.ndarray

    def or_closer(self, other: _Attempt) -> _Attempt:
        """Take for each SVE the attempt that is closer."""
        closer = other.distance < self.distance
        return _Attempt(
            *(
                np.where(closer.reshape(-1, *[1] * (old.ndim - 1)), new, old)
                for old, new in zip(self, other, strict=True)
            )
        )


def binarise(probability: np.ndarray, grain: float, random: np.random.Generator) -> np.ndarray:
    """Binary SVEs of which each voxel is a pore with its decoded probability: (sve, n, n, n) ->
    (sve, n, n, n) uint8.

    A voxel is a pore where a Gaussian field is below the probability's quantile, so the expected
    porosity is the sum of the probabilities, in each voxel and altogether. The field is white noise
    smoothed over `grain` voxels: where the decoder is unsure of a small pore it comes whole or not
    at all, and a threshold of 1/2 never shows it.
    """
    return (_field(probability.shape, grain, random) < _quantile(probability)).astype(np.uint8)


def sample_sves(
    model: GenerativeModel,
    count: int,
    random: np.random.Generator,
    targets: Mapping[str, float] | None = None,
    aimed: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Latent vectors (count, latent) and binary SVEs (count, n, n, n) uint8 with the properties
    predicted for them.

    Half as many again are sampled by `sample_latent`, and those are left out whose SVEs come least
    close: vectors that no SVE is encoded to. With `aimed`, the SVEs are moved towards the `targets`
    themselves, with three times as many vectors and more steps: they are not samples of the SVEs
    that have about such properties, but have them as exactly as can be. Raises DataError as
    `sample_latent`.
    """
    candidates = int(np.ceil((AIMED_SPARE if aimed else SPARE) * count))
    try:
        latent = sample_latent(model, candidates, random, targets)
    except OutOfReachError as error:
        if not aimed or targets is None:
            raise
        # vectors promise more than their SVEs keep
        made = realise(model, error.latent, random, targets)
        best = model.predict(made.voxels[[made.distance.argmin()]])[0]
        raise DataError(
            f"{error.reason}; the nearest that was made: {in_words(model, targets, best)}"
        ) from error
    blocks = []
    with tqdm(total=candidates, unit="SVE", desc="sample", disable=not sys.stderr.isatty()) as bar:
        for start in range(0, candidates, BLOCK):
            block = latent[start : start + BLOCK]
            blocks.append(realise(model, block, random, targets if aimed else None))
            bar.update(len(block))
    voxels, distance = (np.concatenate(arrays) for arrays in zip(*blocks, strict=True))
    closest = np.sort(np.argsort(distance, kind="stable")[:count])
    return latent[closest], voxels[closest]


def realise(
    model: GenerativeModel,
    latent: np.ndarray,
    random: np.random.Generator,
    targets: Mapping[str, float] | None = None,
) -> Realised:
    """Binary SVEs of latent vectors (sve, latent) that have, by the model's own encoder and
    predictor, the properties predicted for these vectors.

    What `binarise` makes of a vector scatters, in porosity first of all, and the units of a vector
    need not quite agree with each other. So the probabilities are shifted by the one of OFFSETS
    that comes closest; then the Gaussian field is moved by steps that keep its distribution
    (preconditioned Crank-Nicolson: Cotter et al. 2013), and the steps that come closer are kept.
    With `targets` (name: value) these properties are to have these values, and the others are free.
    """
    predicted = model.prediction(latent)
    if targets:
        columns: list[int] | slice = [model.names.index(name) for name in targets]
        goal: list[float] | np.ndarray = list(targets.values())
    else:
        columns, goal = slice(None), predicted.properties
    std = predicted.std[:, columns]
    quantile = _quantile(model.decode(latent))

    def attempt(field: np.ndarray, shift: np.ndarray) -> _Attempt:
        voxels = (field < quantile + shift).astype(np.uint8)
        distance = np.square((model.predict(voxels)[:, columns] - goal) / std).sum(axis=1)
        return _Attempt(field, shift, voxels, distance)

    best = _Attempt(
        field=_field(quantile.shape, model.grain, random),
        shift=np.zeros((len(latent), 1, 1, 1), np.float32),
        voxels=np.zeros(quantile.shape, np.uint8),
        distance=np.full(len(latent), np.inf),
    )
    for offset in OFFSETS:
        best = best.or_closer(attempt(best.field, np.full_like(best.shift, offset)))
    for _ in range(AIMED_STEPS if targets else STEPS):
        best = best.or_closer(attempt(_moved(best.field, model.grain, random), best.shift))
    return Realised(best.voxels, best.distance)


def _moved(field: np.ndarray, grain: float, random: np.random.Generator) -> np.ndarray:
    """A step from `field` that keeps its distribution."""
    length = STEP_LENGTHS[int(random.integers(len(STEP_LENGTHS)))]
    noise = _field(field.shape, grain, random)
    return np.sqrt(1 - length**2, dtype=np.float32) * field + np.float32(length) * noise


def _field(shape: tuple[int, ...], grain: float, random: np.random.Generator) -> np.ndarray:
    """Gaussian fields (sve, n, n, n) of mean 0 and variance 1, periodic, smoothed over `grain`
    voxels.
    """
    noise = random.standard_normal(shape, dtype=np.float32)
    if grain:
        noise = gaussian_filter(noise, (0, grain, grain, grain), mode="wrap") / np.float32(
            _smoothed_std(grain, shape[-1])
        )
    return noise


def _quantile(probability: np.ndarray) -> np.ndarray:
    return ndtri(np.clip(probability.astype(np.float64), 1e-12, 1 - 1e-12)).astype(np.float32)


def _smoothed_std(grain: float, n: int) -> float:
    """Standard deviation of white noise after `gaussian_filter` on a periodic cube of n voxels."""
    pulse = np.zeros(n)
    pulse[0] = 1.0
    return float(np.square(gaussian_filter(pulse, grain, mode="wrap")).sum() ** 1.5)
