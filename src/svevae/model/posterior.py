"""Where the latent means of real SVEs are: a Gaussian mixture behind their own marginal
distributions, that samples are drawn from.

The prior N(0, I) is what the KL term pulls towards; what it leaves between the two makes samples of
the prior unlike the data (Tomczak and Welling 2018, VAE with a VampPrior). Each latent unit is
first mapped to normal scores by its quantiles over the training SVEs, so that no sample leaves the
range that was seen, nor has a stiffness above the matrix's. numpy alone, so that a registered model
needs nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

import numpy as np

# 2 leave samples with properties that no SVE has together, 16 are too few SVEs each:
# docs/model-log.md
COMPONENTS = 8
PRIOR_SVES = 100
SMALLEST = 1e-4  # variance of a normal score
KNOTS = 256  # of each unit's quantile function
WIDEST = 3.5  # normal score of the smallest and the largest mean that was seen


@dataclass(frozen=True)
class Posterior:
    """Mixture of the normal scores: weights (component,), means (component, latent), covariances
    (component, latent, latent).

    A score, interpolated between `scores` (knot,), becomes a latent vector by `quantiles` (knot,
    latent); without them it is one.
    """

    weights: np.ndarray
    means: np.ndarray
    covariances: np.ndarray
    scores: np.ndarray | None = None
    quantiles: np.ndarray | None = None

    @classmethod
    def prior(cls, latent_dim: int) -> Posterior:
        """N(0, I)."""
        return cls(np.ones(1), np.zeros((1, latent_dim)), np.eye(latent_dim)[None])

    @classmethod
    def load(cls, path: Path) -> Posterior:
        """Read what `save` wrote. Raises ValueError that names an array of no mixture."""
        with np.load(path) as arrays:
            found = {key: _finite(key, arrays[key]) for key in arrays}
        posterior = cls(**found)
        posterior._check()
        return posterior

    def _check(self) -> None:
        components, latent = len(np.atleast_1d(self.weights)), self.means.shape[-1:]
        knots = () if self.scores is None else self.scores.shape[:1]
        expected = {
            "weights": (components,),
            "means": (components, *latent),
            "covariances": (components, *latent, *latent),
            "scores": knots,
            "quantiles": (*knots, *latent),
        }
        for key, value in vars(self).items():
            if value is not None and value.shape != expected[key]:
                raise ValueError(f"{key}: expected shape {expected[key]}, received {value.shape}")
        if (self.scores is None) != (self.quantiles is None):
            raise ValueError("scores, quantiles: expected both or none, received one")
        if self.weights.min() < 0 or abs(self.weights.sum() - 1) > 1e-6:
            raise ValueError("weights: expected shares that sum to 1, received others")
        np.linalg.cholesky(self.covariances)  # LinAlgError, a ValueError

    def save(self, path: Path) -> None:
        """As .npz."""
        np.savez(path, **{key: value for key, value in vars(self).items() if value is not None})

    def sample(self, count: int, random: np.random.Generator) -> np.ndarray:
        """Latent vectors (count, latent) float32."""
        return self.to_latent(self.sample_scores(count, random))

    def sample_scores(self, count: int, random: np.random.Generator) -> np.ndarray:
        """(count, latent)."""
        component = random.choice(len(self.weights), count, p=self.weights)
        roots = np.linalg.cholesky(self.covariances)
        noise = random.standard_normal((count, self.means.shape[1], 1))
        return self.means[component] + (roots[component] @ noise)[..., 0]

    def to_latent(self, scores: np.ndarray) -> np.ndarray:
        """Normal scores (sve, latent) -> latent vectors (sve, latent) float32."""
        if self.quantiles is None or self.scores is None:
            return scores.astype(np.float32)
        columns = [
            np.interp(score, self.scores, knots)
            for score, knots in zip(scores.T, self.quantiles.T, strict=True)
        ]
        return np.column_stack(columns).astype(np.float32)

    def log_density(self, scores: np.ndarray) -> np.ndarray:
        """Log density of normal scores: (sve, latent) -> (sve,), nats."""
        terms = []
        for weight, mean, root in zip(
            self.weights, self.means, np.linalg.cholesky(self.covariances), strict=True
        ):
            white = np.linalg.solve(root, (scores - mean).T)
            constant = np.log(np.diag(root)).sum() + len(mean) * np.log(2 * np.pi) / 2
            terms.append(np.log(weight) - np.square(white).sum(axis=0) / 2 - constant)
        return np.logaddexp.reduce(terms, axis=0)


def _finite(key: str, array: np.ndarray) -> np.ndarray:
    if array.dtype.kind != "f" or not np.isfinite(array).all():
        raise ValueError(f"{key}: expected finite numbers, received others or {array.dtype}")
    return array


def fit_posterior(mean: np.ndarray, informed: int, seed: int) -> Posterior:
    """Fit the mixture to the latent means (sve, latent) of the training SVEs.

    It takes means, not samples: the predictor reads means, and the noise of a sample would part a
    unit's property from its pores. The first `informed` units, which the properties follow from,
    say which component an SVE belongs to; the covariance of all units in a component is moved
    towards that of all components as if by PRIOR_SVES more SVEs, except that of the informed units
    themselves.
    """
    from sklearn.mixture import GaussianMixture  # not needed where a model is only used

    share = (np.arange(KNOTS) + 0.5) / KNOTS
    scores = np.concatenate([[-WIDEST], [NormalDist().inv_cdf(p) for p in share], [WIDEST]])
    quantiles = np.quantile(mean.astype(np.float64), np.concatenate([[0.0], share, [1.0]]), axis=0)
    # where values repeat, as those of pore-free SVEs do
    quantiles += np.linspace(0, 1e-9, len(quantiles))[:, None]
    normal = np.column_stack(
        [np.interp(unit, knots, scores) for unit, knots in zip(mean.T, quantiles.T, strict=True)]
    )
    count = max(1, min(COMPONENTS, len(mean) // (4 * informed)))
    mixture = GaussianMixture(count, reg_covar=SMALLEST, max_iter=500, random_state=seed).fit(
        normal[:, :informed]
    )
    members = mixture.predict_proba(normal[:, :informed])
    sizes = members.sum(axis=0)
    means = members.T @ normal / sizes[:, None]
    scatters = np.stack(
        [
            ((normal - centre) * share_of[:, None]).T @ (normal - centre)
            for centre, share_of in zip(means, members.T, strict=True)
        ]
    )
    pooled = scatters.sum(axis=0) / len(mean)
    covariances = (scatters + PRIOR_SVES * pooled) / (sizes + PRIOR_SVES)[:, None, None]
    covariances[:, :informed, :informed] = mixture.covariances_
    # the exchange of a block may leave a negative one
    values, vectors = np.linalg.eigh(covariances)
    covariances = (vectors * np.maximum(values, SMALLEST)[:, None]) @ vectors.swapaxes(1, 2)
    return Posterior(sizes / len(mean), means, covariances, scores, quantiles)
