"""The porosity as one more property of a model, so that it can be wished for."""

from __future__ import annotations

import numpy as np

from svevae.model.latent import LatentModel, Prediction
from svevae.model.protocols import GenerativeModel
from svevae.model.sampling import binarise

NAME = "porosity"
FITTED = 512  # SVEs that the regression is fitted to: 5 s at 32^3 on 2 cores
FLOOR = 0.005  # porosity: errors are weighed by their size over the porosity and this
SMALLEST = 1e-6  # standard deviation over porosity


class PorosityModel:
    """`model` with `porosity` as its last property: a `GenerativeModel`.

    It is a quadratic regression from the predicted properties, which follow the pores so closely
    that it leaves 2 % of the porosity. The decoder's expected porosity would be slower and worse:
    half the reconstructions are off by more than 6 %. The regression is fitted to SVEs that the
    model makes itself (`binarise` of decoded samples of the aggregate posterior, encoded again),
    whose porosity is counted; it needs no dataset. Errors grow with the porosity: the standard
    deviation is `spread` times porosity and FLOOR.
    """

    def __init__(self, model: LatentModel, random: np.random.Generator):
        self.model, self.grain, self.posterior = model, model.grain, model.posterior
        self.names, self.units = (*model.names, NAME), (*model.units, "-")
        probability = model.decode(model.posterior.sample(FITTED, random))
        voxels = binarise(probability, model.grain, random)
        properties = model.prediction(model.encode(voxels)[0]).properties
        # beyond these a quadratic means nothing
        self.low, self.high = properties.min(axis=0), properties.max(axis=0)
        self.centre, self.scale = properties.mean(axis=0), properties.std(axis=0)
        porosity = voxels.mean((1, 2, 3), dtype=np.float64)
        weight = 1 / (porosity + FLOOR)
        design = self._features(properties) * weight[:, None]
        self.weights = np.linalg.lstsq(design, porosity * weight, rcond=1e-6)[0]
        residual = design @ self.weights - porosity * weight
        self.spread = max(
            SMALLEST, float(np.sqrt(np.square(residual).sum() / (FITTED - design.shape[1])))
        )

    def decode(self, latent: np.ndarray) -> np.ndarray:
        """As `LatentModel.decode`."""
        return self.model.decode(latent)

    def prediction(self, latent: np.ndarray) -> Prediction:
        """As `LatentModel.prediction`, with the porosity in the last column: a regression."""
        properties, std, novelty = self.model.prediction(latent)
        porosity = np.clip(self._features(properties) @ self.weights, 0, 1)
        porosity_std = self.spread * (porosity + FLOOR)
        return Prediction(
            np.column_stack([properties, porosity]).astype(np.float32),
            np.column_stack([std, porosity_std]).astype(np.float32),
            novelty,
        )

    def predict_from_latent(self, latent: np.ndarray) -> np.ndarray:
        """As `LatentModel.predict_from_latent`, with the porosity as in `prediction`."""
        return self.prediction(latent).properties

    def predict(self, voxels: np.ndarray) -> np.ndarray:
        """As `LatentModel.predict`, with the porosity in the last column: counted."""
        porosity = voxels.mean((1, 2, 3), dtype=np.float64)
        return np.column_stack([self.model.predict(voxels), porosity]).astype(np.float32)

    def _features(self, properties: np.ndarray) -> np.ndarray:
        scores = (np.clip(properties, self.low, self.high) - self.centre) / self.scale
        return np.column_stack([np.ones(len(scores)), scores, np.square(scores)])


def with_porosity(model: LatentModel, random: np.random.Generator) -> GenerativeModel:
    """`model`, with the porosity as a property unless it has one of that name."""
    return model if NAME in model.names else PorosityModel(model, random)
