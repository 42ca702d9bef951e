"""New SVEs: latent vectors from the aggregate posterior, with wished properties if need be, decoded
to binary voxels.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.special import ndtri
from tqdm import tqdm

from svevae.errors import DataError
from svevae.model.latent import LatentModel
from svevae.model.metrics import two_point_correlation

LENGTHS = (0.0, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5)  # voxels, that `fit_grain` tries
OFFSETS = (
    0.0,
    -0.6,
    -0.4,
    -0.25,
    -0.12,
    0.12,
    0.25,
    0.4,
    0.6,
)  # of the quantile of a pore's probability, that `realise` tries
STEPS, STEP_LENGTHS = 30, (0.1, 0.2, 0.4)  # of the field's moves
SPARE = 1.5  # latent vectors for each SVE that is wanted
AIMED_SPARE, AIMED_STEPS = 3, 90
BLOCK = 64  # SVEs decoded at a time
PARTICLES = 1024
KNOWN = 4096  # SVEs of the model's own that say which properties there are
RANGE, TOGETHER = (0.001, 0.999), 0.99
MOVES = 4  # Metropolis steps at each temperature
STAGES = 30  # temperatures before a target counts as out of reach
NEAREST = (
    32  # SVEs that say how sure the predictor is about such as are wished, or how near one comes
)
FAR = 3.0  # standard deviations from the targets, root mean square: that is not what was asked for
FARTHEST = 1e6  # standard deviations


class OutOfReachError(DataError):
    """No SVE that the model knows has the targets: the `reason` in words, and the `latent` vectors
    (sve, latent) that come nearest.
    """

    def __init__(self, reason: str, nearest: str, latent: np.ndarray):
        super().__init__(f"{reason}; the nearest found: {nearest}")
        self.reason, self.latent = reason, latent


def draw(probability: np.ndarray, grain: float, random: np.random.Generator) -> np.ndarray:
    """Binary SVEs of which each voxel is a pore with its decoded probability: (sve, n, n, n) ->
    (sve, n, n, n) uint8.

    A voxel is a pore where a Gaussian field is below the probability's quantile, so the expected
    porosity is the sum of the probabilities, in each voxel and altogether. The field is white noise
    smoothed over `grain` voxels: where the decoder is unsure of a small pore it comes whole or not
    at all, and a threshold of 1/2 never shows it.
    """
    return (_field(probability.shape, grain, random) < _quantile(probability)).astype(np.uint8)


def sample_sves(
    model: LatentModel,
    count: int,
    random: np.random.Generator,
    targets: Mapping[str, float] | None = None,
    aimed: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Latent vectors (count, latent) and binary SVEs (count, n, n, n) uint8 with the properties
    predicted for them.

    Of half as many again, drawn by `sample_latent`, those are left out whose SVEs come least close:
    vectors that no SVE is encoded to. `aimed` makes the SVEs for `targets` themselves, of three
    times as many and with more steps: not samples of what has about such properties, but SVEs that
    have them as exactly as can be. Raises DataError as `sample_latent`.
    """
    more = int(np.ceil((AIMED_SPARE if aimed else SPARE) * count))
    try:
        latent = sample_latent(model, more, random, targets)
    except OutOfReachError as error:
        if not aimed:
            raise
        made, distance = realise(
            model, error.latent, random, targets
        )  # vectors promise more than their SVEs keep
        best = model.predict(made[[distance.argmin()]])[0]
        raise DataError(
            f"{error.reason}; the nearest that was made: {_listed(model, targets, best)}"
        ) from error
    found = []
    with tqdm(total=more, unit="SVE", desc="sample", disable=not sys.stderr.isatty()) as bar:
        for start in range(0, more, BLOCK):
            found.append(
                realise(model, latent[start : start + BLOCK], random, targets if aimed else None)
            )
            bar.update(len(found[-1][1]))
    voxels, distance = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
    kept = np.sort(np.argsort(distance, kind="stable")[:count])
    return latent[kept], voxels[kept]


def realise(
    model: LatentModel,
    latent: np.ndarray,
    random: np.random.Generator,
    targets: Mapping[str, float] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Binary SVEs of latent vectors that have, by the model's own encoder and predictor, the
    properties predicted for these vectors.

    (sve, latent) -> (sve, n, n, n) uint8, and how far they are from that: the squares of the
    properties over the predictor's standard deviations, summed (sve,). What `draw` makes of a
    vector scatters, in porosity first of all, and the units of a vector need not quite agree with
    each other. So the field of `draw` is moved, with the probabilities shifted by the one of
    OFFSETS that comes closest, by steps that keep its distribution (preconditioned Crank-Nicolson:
    Cotter et al. 2013), and those are kept that come closer. With `targets` (name: value) these
    properties are to have these values, and the others are free.
    """
    wished = model.prediction(latent)
    columns = [model.names.index(name) for name in targets] if targets else slice(None)
    goal, std = list(targets.values()) if targets else wished.properties, wished.std[:, columns]
    quantile = _quantile(model.decode(latent))
    field = _field(quantile.shape, model.grain, random)
    shift = np.zeros((len(latent), 1, 1, 1), np.float32)
    best, least = np.zeros(quantile.shape, np.uint8), np.full(len(latent), np.inf)
    for offset in (*OFFSETS, *[None] * (AIMED_STEPS if targets else STEPS)):
        moved, shifted = field, shift
        if offset is None:
            length = STEP_LENGTHS[int(random.integers(len(STEP_LENGTHS)))]
            moved = np.sqrt(1 - length**2, dtype=np.float32) * field + np.float32(length) * _field(
                field.shape, model.grain, random
            )
        else:
            shifted = np.full_like(shift, offset)
        drawn = (moved < quantile + shifted).astype(np.uint8)
        distance = np.square((model.predict(drawn)[:, columns] - goal) / std).sum(axis=1)
        closer = distance < least
        best[closer], least[closer] = drawn[closer], distance[closer]
        field, shift = (
            np.where(closer[:, None, None, None], new, old)
            for new, old in ((moved, field), (shifted, shift))
        )
    return best, least


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


def fit_grain(voxels: np.ndarray, probability: np.ndarray, random: np.random.Generator) -> float:
    """The grain with which `draw` makes of reconstructions (sve, n, n, n) the two-point correlation
    of the SVEs (sve, n, n, n).
    """
    truth = two_point_correlation(voxels)
    misfit = [
        np.square(two_point_correlation(draw(probability, grain, random)) - truth).sum()
        for grain in LENGTHS
    ]
    return LENGTHS[int(np.argmin(misfit))]


def sample_latent(
    model: LatentModel,
    count: int,
    random: np.random.Generator,
    targets: Mapping[str, float] | None = None,
) -> np.ndarray:
    """Latent vectors (count, latent) of the aggregate posterior; with `targets`, in units of the
    properties, conditional on them.

    The condition is a likelihood: the predicted property is normal about its target with the
    standard deviation that the predictor has for SVEs near by, the same for all, or those would be
    preferred that it is unsure of; and all properties are such as the model's own SVEs have, see
    `_Known`. It is sampled by sequential Monte Carlo (Del Moral, Doucet and Jasra 2006), from the
    posterior to the condition in steps that leave half the particles' weight.

    Raises DataError for a property that the model lacks, and where no SVE that the model knows has
    such ones; it says what the model knows, and the nearest that was found.
    """
    if not targets:
        return model.posterior.sample(count, random)
    for name, value in targets.items():
        if name not in model.names:
            raise DataError(f"target {name}: expected one of {', '.join(model.names)}")
        if not np.isfinite(value):
            raise DataError(f"target {name}: expected a number, received {value}")
    columns = [model.names.index(name) for name in targets]
    wished = np.array(list(targets.values()))
    posterior = model.posterior
    scores = posterior.sample_scores(max(count, KNOWN), random)
    drawn = model.prediction(posterior.to_latent(scores))
    known = _Known(drawn.properties)
    std = np.median(drawn.std[:, columns], axis=0)
    nearest = np.argsort(_away(drawn.properties[:, columns], wished, std))[:NEAREST]
    std = np.median(drawn.std[nearest][:, columns], axis=0)

    def misfit(scores: np.ndarray) -> np.ndarray:
        properties = model.prediction(posterior.to_latent(scores)).properties
        return np.where(
            known.holds(properties), _away(properties[:, columns], wished, std) / 2, np.inf
        )

    scores = scores[: max(count, PARTICLES)]
    cost, density = misfit(scores), posterior.log_density(scores)
    temperature, units = 0.0, scores.shape[1]
    for _ in range(STAGES):
        step = _half_step(cost, 1.0 - temperature)
        temperature += step
        weight = np.exp(-step * (cost - cost.min()))
        chosen = random.choice(len(scores), len(scores), p=weight / weight.sum())
        scores, cost, density = scores[chosen], cost[chosen], density[chosen]
        root = np.linalg.cholesky(np.cov(scores.T).reshape(units, units) + 1e-6 * np.eye(units))
        for _ in range(MOVES):
            moved = scores + 2.38 / np.sqrt(units) * random.standard_normal(scores.shape) @ root.T
            moved_cost, moved_density = misfit(moved), posterior.log_density(moved)
            gain = moved_density - density - temperature * (moved_cost - cost)
            taken = np.log(random.random(len(scores))) < gain
            scores = np.where(taken[:, None], moved, scores)
            cost, density = (
                np.where(taken, moved_cost, cost),
                np.where(taken, moved_density, density),
            )
        if temperature >= 1:
            break
    latent = posterior.to_latent(scores)
    if temperature < 1 or np.median(cost) > FAR**2 / 2 * len(columns):
        least = np.argsort(cost)[:NEAREST]
        found = model.predict_from_latent(latent[least[:1]])[0]
        raise OutOfReachError(
            _reason(model, targets, known), _listed(model, targets, found), latent[least]
        )
    return latent[random.permutation(len(latent))[:count]]


def _away(properties: np.ndarray, wished: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Squared distances (sve,) in standard deviations; beyond FARTHEST of them all wishes are
    alike, and no square overflows.
    """
    return np.square(np.clip((properties - wished) / std, -FARTHEST, FARTHEST)).sum(axis=1)


class _Known:
    """Which properties the model's own SVEs (sve, property) have, by themselves and together.

    Nothing beyond RANGE of each, and nothing farther from their mean, by their covariance, than
    TOGETHER of them are: there the predictor extrapolates, to more stiffness than the matrix has.
    """

    def __init__(self, properties: np.ndarray):
        properties = properties.astype(np.float64)
        (self.low, self.high), self.centre = (
            np.quantile(properties, RANGE, axis=0),
            properties.mean(axis=0),
        )
        self.scale = np.maximum(properties.std(axis=0), 1e-12)
        self.precision = np.linalg.pinv(
            np.corrcoef((properties - self.centre).T).reshape(len(self.low), -1), hermitian=True
        )
        self.farthest = np.quantile(self._distance(properties), TOGETHER)

    def holds(self, properties: np.ndarray) -> np.ndarray:
        """(sve, property) -> (sve,) of booleans."""
        inside = (self.low <= properties) & (properties <= self.high)
        return inside.all(axis=1) & (self._distance(properties) <= self.farthest)

    def _distance(self, properties: np.ndarray) -> np.ndarray:
        scores = (properties - self.centre) / self.scale
        return np.einsum("ij,jk,ik->i", scores, self.precision, scores)


def _reason(model: LatentModel, targets: Mapping[str, float], known: _Known) -> str:
    """What was asked for and why there is none, in words."""
    beyond = []
    for name, value in targets.items():
        low, high = (bound[model.names.index(name)] for bound in (known.low, known.high))
        if not low <= value <= high:
            beyond.append(f"{name} from {_short(low)} to {_with_unit(model, name, high)}")
    why = (
        f"SVEs that the model knows have {', '.join(beyond)}"
        if beyond
        else "each is known, but not together"
    )
    asked = ", ".join(
        f"{name} = {_with_unit(model, name, value)}" for name, value in targets.items()
    )
    return f"target {asked}: out of reach: {why}"


def _listed(model: LatentModel, targets: Iterable[str], properties: np.ndarray) -> str:
    """The targeted ones of the properties (property,) of one SVE, in words."""
    return ", ".join(
        f"{name} = {_with_unit(model, name, properties[model.names.index(name)])}"
        for name in targets
    )


def _with_unit(model: LatentModel, name: str, value: float) -> str:
    return f"{_short(value)} {model.units[model.names.index(name)]}".removesuffix(" -")


def _short(value: float) -> str:
    """Four digits, and no power of ten: 44540."""
    return f"{float(f'{value:.4g}'):.10g}"


def _half_step(cost: np.ndarray, longest: float) -> float:
    """The step in temperature that leaves half of the effective number of particles, by
    bisection.
    """

    def effective(step: float) -> float:
        weight = np.exp(-step * (cost - cost.min()))
        return float(weight.sum() ** 2 / np.square(weight).sum())

    if effective(longest) >= len(cost) / 2:
        return longest
    low, high = 0.0, longest
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if effective(middle) >= len(cost) / 2 else (low, middle)
    return low


def _smoothed_std(grain: float, n: int) -> float:
    """Standard deviation of white noise after `gaussian_filter` on a periodic cube of n voxels."""
    pulse = np.zeros(n)
    pulse[0] = 1.0
    return float(np.square(gaussian_filter(pulse, grain, mode="wrap")).sum() ** 1.5)
