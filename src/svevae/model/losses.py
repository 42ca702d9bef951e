"""The terms of the ELBO, in nats.

-ELBO(x, y) = -log p(x | z) + KL(q(z | x) || N(0, I)) - log p(y | mean), one consistent sum (Kingma
and Welling 2014, eq. 3, and a likelihood of the properties): Bernoulli reconstruction summed over
voxels, KL summed over latent units, Gaussian likelihood of the standardised properties summed over
properties. The objective is the mean over the batch of the weighted sum of the terms, the same in
training and validation; weights of 1, 1, 1 are the ELBO of a predictor with a standard error of one
standard deviation.
"""

from __future__ import annotations

from typing import Any

from keras import ops

Tensor = Any


def reconstruction_loss(voxels: Tensor, logits: Tensor) -> Tensor:
    """-log Bernoulli(voxels; sigmoid(logits)), summed over voxels; (batch, n, n, n) twice ->
    (batch,).
    """
    voxels, logits = ops.cast(voxels, "float32"), ops.cast(logits, "float32")
    return ops.sum(ops.softplus(logits) - voxels * logits, axis=(1, 2, 3))


def kl_divergence(mean: Tensor, log_var: Tensor) -> Tensor:
    """KL(N(mean, exp(log_var)) || N(0, 1)) of each latent unit; the shape (batch, latent) is kept:
    sum it for the ELBO.
    """
    mean, log_var = ops.cast(mean, "float32"), ops.cast(log_var, "float32")
    return 0.5 * (ops.exp(log_var) + ops.square(mean) - 1 - log_var)


def property_loss(targets: Tensor, predicted: Tensor, std: Tensor, weights: Tensor = 1.0) -> Tensor:
    """-log N(targets / std; predicted / std, I) without its constant, summed over targets: the
    properties, or what they are read off.

    Shapes: (batch, target) twice and (target,), all in the targets' units, and the `weights` of the
    squares, (batch, target) -> (batch,).
    """
    error = (ops.cast(targets, "float32") - predicted) / std
    return 0.5 * ops.sum(weights * ops.square(error), axis=-1)


def mean_squared_error(loss: float, targets: int) -> float:
    """The mean squared standardised error of each of `targets` targets whose `property_loss`, half
    the sum of the squares, is `loss`.
    """
    return 2 * loss / targets
