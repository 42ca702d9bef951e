"""Where training starts: with a ridge regression from the elastic statistics to the properties
already in the weights.
"""

from __future__ import annotations

import keras
import numpy as np
from sklearn.linear_model import RidgeCV

from svevae.model.baselines import PENALTIES
from svevae.model.vae import INFORMED, STATISTICS_SCALE, core_of

# standard deviation of an informed unit, in those of the properties, that is scaled up to 1
SMALLEST = 0.05


def start_from_statistics(
    vae: keras.Model,
    statistics: np.ndarray,
    properties: np.ndarray,
    mean: np.ndarray,
    std: np.ndarray,
) -> None:
    """Scale the encoder's elastic statistics over the training SVEs, and let encoder and predictor
    begin as a ridge regression.

    statistics (sve, statistic), properties (sve, property), label scaler mean, std (property,). The
    informed latent units start as the principal axes of the standardised properties that the
    regression finds, scaled to variance 1 where they vary enough, the predictor as their linear map
    back to properties.
    """
    core, predictor = core_of(vae), vae.get_layer("predictor")
    scale = core.get_layer(STATISTICS_SCALE)
    scale.adapt(statistics)
    scaled = keras.ops.convert_to_numpy(scale(statistics)).astype(np.float64)
    ridge = RidgeCV(PENALTIES).fit(scaled, (properties - mean) / std)
    slopes = ridge.coef_.reshape(len(mean), -1)  # of one property scikit-learn drops the axis
    informed = core.get_layer(INFORMED)
    found = ridge.predict(scaled).reshape(-1, len(mean)) - ridge.intercept_
    _, spread, axes = np.linalg.svd(found, full_matrices=False)
    spread, axes = spread[: informed.units] / np.sqrt(len(scaled)), axes[: informed.units]
    spread = np.maximum(spread, SMALLEST)[:, None]
    kernel, bias = (np.zeros_like(weight) for weight in informed.get_weights())
    kernel[-scaled.shape[1] :, : len(axes)] = (axes / spread @ slopes).T
    informed.set_weights([kernel, bias])
    last = predictor.get_layer("standardised")
    kernel, bias = (np.zeros_like(weight) for weight in last.get_weights())
    first = len(kernel) - informed.units
    kernel[first : first + len(axes)] = axes * spread
    last.set_weights([kernel, bias + ridge.intercept_])
