"""What sampling, design and the closed loop ask of a model."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np

from svevae.model.latent import Prediction
from svevae.model.posterior import Posterior


class Named(Protocol):
    """Properties by name, predicted from latent vectors."""

    @property
    def names(self) -> tuple[str, ...]: ...

    def predict_from_latent(self, latent: np.ndarray) -> np.ndarray:
        """Latent vectors (sve, latent) -> properties (sve, property) in their units."""


@runtime_checkable
class GenerativeModel(Named, Protocol):
    """A model that SVEs with given properties can be sampled from.

    `LatentModel` is one, `PorosityModel` another. `grain` is the correlation length of decoded
    pores in voxels, `posterior` is where the latent vectors of real SVEs are.
    """

    @property
    def units(self) -> tuple[str, ...]: ...

    @property
    def grain(self) -> float: ...

    @property
    def posterior(self) -> Posterior: ...

    def decode(self, latent: np.ndarray) -> np.ndarray:
        """Latent vectors (sve, latent) -> probabilities of a pore (sve, n, n, n)."""

    def predict(self, voxels: np.ndarray) -> np.ndarray:
        """Voxels (sve, n, n, n) -> properties (sve, property) in `units`."""

    def prediction(self, latent: np.ndarray) -> Prediction:
        """Latent vectors (sve, latent) -> properties, their standard deviations, novelty."""
