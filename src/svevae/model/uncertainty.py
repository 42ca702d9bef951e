"""How sure the predictor is: standard deviations calibrated on the validation parts, and how new a
latent vector is.

Both are fitted after training into frozen layers of the predictor, so that the plain Keras file
gives them; training does not see them.

Novelty is the Mahalanobis distance of a latent mean from the training SVEs, divided by what 99 % of
the validation SVEs stay below: above 1 an SVE is unlike those that the model knows. The standard
deviation of a property, or of what properties are read off, is

    std_p = s_p exp(a_p + b_p . y) max(1, novelty)

with y the means of the informed latent units, clipped at +-3, and s_p the scaler of targets: a, b
are fitted by the Gaussian likelihood of the validation residuals, and a is then moved so that the
interval of 90 % holds 90 % of them (a scaled quantile, as in conformal prediction).
"""

from __future__ import annotations

import keras
import numpy as np
from scipy.optimize import minimize

from svevae.model.metrics import QUANTILE_90
from svevae.model.predictor import FAMILIAR

KNOWN = 0.99  # share of the validation SVEs with a novelty below 1
RIDGE = 10.0  # on b, in SVEs: with few of them the standard deviation is the same everywhere
SMALLEST = 1e-4  # residual, in standard deviations of the property


def fit_uncertainty(
    predictor: keras.Model,
    train: tuple[np.ndarray, np.ndarray],
    validation: np.ndarray | list[np.ndarray],
    true: np.ndarray,
) -> None:
    """Set the layers `whitening` and `log_std` of a predictor.

    `train` holds the latent means and standard deviations (sve, latent) of the training SVEs,
    `validation` what the predictor takes of the validation ones: latent means, or these and laws;
    `true` their targets (sve, target): the properties, or what these are read off.
    """
    latent = validation[0] if isinstance(validation, list) else validation
    _fit_novelty(predictor.get_layer("whitening"), *train, latent)
    scaler = predictor.get_layer("physical_units")
    std = np.array(scaler.scale)
    scaled = keras.Model(predictor.input, [scaler.output, predictor.output["novelty"]]).predict(
        validation, verbose=0
    )
    residual = np.maximum(np.abs(true - scaled[0]) / std, SMALLEST)
    layer = predictor.get_layer("log_std")
    y = np.clip(latent[:, : layer.kernel.shape[0]], -FAMILIAR, FAMILIAR)
    novelty = np.maximum(scaled[1], 1.0)
    kernel, bias = [], []
    for column in (residual / novelty).T:
        b, a = _fit_log_std(y, column)
        inside = np.sort(column / np.exp(y @ b + a))
        rank = min(len(inside) - 1, int(np.ceil(0.9 * (len(inside) + 1))) - 1)
        kernel.append(b)
        bias.append(a + np.log(inside[rank] / QUANTILE_90))
    layer.set_weights([np.stack(kernel, axis=1), np.array(bias)])


def _fit_novelty(
    layer: keras.layers.Dense, mean: np.ndarray, std: np.ndarray, validation: np.ndarray
) -> None:
    """Whiten by the covariance of the aggregate posterior, whose eigenvalues are not small even
    where a latent unit has collapsed.
    """
    centre = mean.mean(axis=0)
    covariance = np.cov(mean.T).reshape(mean.shape[1], -1) + np.diag(np.square(std).mean(axis=0))
    kernel = np.linalg.inv(np.linalg.cholesky(covariance)).T
    distance = np.sqrt(np.square((validation - centre) @ kernel).mean(axis=1))
    kernel = kernel / np.quantile(distance, KNOWN)
    layer.set_weights([kernel, -centre @ kernel])


def _fit_log_std(y: np.ndarray, residual: np.ndarray) -> tuple[np.ndarray, float]:
    """b (unit,) and a of log std = a + b . y, by penalised likelihood of the residuals (sve,)
    given y (sve, unit).
    """
    design = np.column_stack([y, np.ones(len(y))])

    def objective(weights: np.ndarray) -> tuple[float, np.ndarray]:
        log_std = design @ weights
        squared = np.square(residual * np.exp(-log_std))
        penalty = np.append(RIDGE * weights[:-1], 0.0)
        return (
            float((log_std + squared / 2).sum() + penalty @ weights / 2),
            design.T @ (1 - squared) + penalty,
        )

    start = np.append(np.zeros(y.shape[1]), np.log(np.sqrt(np.square(residual).mean())))
    minimum = minimize(objective, start, jac=True, method="L-BFGS-B")
    return minimum.x[:-1], float(minimum.x[-1])
