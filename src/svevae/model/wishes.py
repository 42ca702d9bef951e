"""Latent vectors of SVEs with wished properties, by sequential Monte Carlo, and what is said where
there are none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from svevae.errors import DataError
from svevae.model.protocols import GenerativeModel

PARTICLES = 1024
KNOWN = 4096  # SVEs of the model's own that say which properties there are
RANGE, TOGETHER = (0.001, 0.999), 0.99
MOVES = 4  # Metropolis steps at each temperature
STAGES = 30  # temperatures before a target counts as out of reach
# SVEs nearest to the targets: their standard deviation is the tolerance, the first of them is
# reported as the closest.
NEAREST = 32
FAR = 3.0  # standard deviations from the targets, root mean square: that is not what was asked for
FARTHEST = 1e6  # standard deviations


class OutOfReachError(DataError):
    """No SVE that the model knows has the targets: the `reason` in words, and the `latent` vectors
    (sve, latent) that come nearest.
    """

    def __init__(self, reason: str, nearest: str, latent: np.ndarray):
        super().__init__(f"{reason}; the nearest found: {nearest}")
        self.reason, self.latent = reason, latent


def sample_latent(
    model: GenerativeModel,
    count: int,
    random: np.random.Generator,
    targets: Mapping[str, float] | None = None,
) -> np.ndarray:
    """Latent vectors (count, latent) of the aggregate posterior; with `targets`, in units of the
    properties, conditional on them.

    The condition is a likelihood: the predicted property is normal about its target, with the
    standard deviation that the predictor has for SVEs near the target. It is the same for all SVEs,
    since otherwise those would be preferred that the predictor is unsure of. And all properties
    must be such as the model's own SVEs have, see `_Known`. The condition is sampled by sequential
    Monte Carlo (Del Moral, Doucet and Jasra 2006), from the posterior to the condition in steps
    that leave half of the effective number of particles.

    Raises DataError for a property that the model lacks, and OutOfReachError where no SVE that the
    model knows has such properties; it says what the model knows, and the nearest that was found.
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
    own = model.prediction(posterior.to_latent(scores))
    known = _Known(own.properties)
    std = np.median(own.std[:, columns], axis=0)
    nearest = np.argsort(_away(own.properties[:, columns], wished, std))[:NEAREST]
    std = np.median(own.std[nearest][:, columns], axis=0)

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
            accepted = np.log(random.random(len(scores))) < gain
            scores = np.where(accepted[:, None], moved, scores)
            cost = np.where(accepted, moved_cost, cost)
            density = np.where(accepted, moved_density, density)
        if temperature >= 1:
            break
    latent = posterior.to_latent(scores)
    if temperature < 1 or np.median(cost) > FAR**2 / 2 * len(columns):
        closest = np.argsort(cost)[:NEAREST]
        properties = model.predict_from_latent(latent[closest[:1]])[0]
        raise OutOfReachError(
            _reason(model, targets, known), in_words(model, targets, properties), latent[closest]
        )
    return latent[random.permutation(len(latent))[:count]]


def _away(properties: np.ndarray, wished: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Squared distances (sve,) in standard deviations; those of a property are cut off at FARTHEST,
    so that no square overflows.
    """
    return np.square(np.clip((properties - wished) / std, -FARTHEST, FARTHEST)).sum(axis=1)


class _Known:
    """Which properties the model's own SVEs (sve, property) have, one by one and together.

    Known is what lies between the quantiles RANGE of each property and, by the covariance, no
    farther from the mean than the share TOGETHER of these SVEs. Beyond, the predictor extrapolates,
    to more stiffness than the matrix has.
    """

    def __init__(self, properties: np.ndarray):
        properties = properties.astype(np.float64)
        self.low, self.high = np.quantile(properties, RANGE, axis=0)
        self.centre = properties.mean(axis=0)
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


def _reason(model: GenerativeModel, targets: Mapping[str, float], known: _Known) -> str:
    """Say what was asked for and why there is none."""
    beyond = []
    for name, value in targets.items():
        low, high = (bound[model.names.index(name)] for bound in (known.low, known.high))
        if not low <= value <= high:
            beyond.append(f"{name} from {_four_digits(low)} to {_with_unit(model, name, high)}")
    why = (
        f"SVEs that the model knows have {', '.join(beyond)}"
        if beyond
        else "each is known, but not together"
    )
    asked = ", ".join(
        f"{name} = {_with_unit(model, name, value)}" for name, value in targets.items()
    )
    return f"target {asked}: out of reach: {why}"


def in_words(model: GenerativeModel, targets: Iterable[str], properties: np.ndarray) -> str:
    """Say which values the targets have among the properties (property,) of one SVE."""
    return ", ".join(
        f"{name} = {_with_unit(model, name, properties[model.names.index(name)])}"
        for name in targets
    )


def _with_unit(model: GenerativeModel, name: str, value: float) -> str:
    unit = model.units[model.names.index(name)]
    return f"{_four_digits(value)} {unit}".removesuffix(" -")


def _four_digits(value: float) -> str:
    """Format four digits without a power of ten: 44540."""
    return f"{float(f'{value:.4g}'):.10g}"
