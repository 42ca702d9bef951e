"""The path from the elastic statistics through the informed latent units to what the predictor
learns: it is trained first and by itself, and stays as it is when the rest is trained.

Nothing else of the model acts on it, and it sees 114 numbers an SVE in place of all voxels, so that
hundreds of passes take seconds. A ridge regression is where it begins.
"""

from __future__ import annotations

import math
import sys
from typing import Any

import keras
import numpy as np
from keras import ops
from sklearn.linear_model import RidgeCV
from tqdm import tqdm

from svevae.dataset.batches import Batches, StatisticsBatches
from svevae.model.baselines import PENALTIES
from svevae.model.predictor import RESPONSE
from svevae.model.vae import INFORMED, core_of, warmed_cosine

# standard deviation of an informed unit, in those of the targets, that is scaled up to 1
SMALLEST = 0.05
RATE, WARMUP, DECAY = 2e-3, 100, 1e-3  # learning rate, its first steps, weight decay of AdamW
LOOKS = 20  # at the validation SVEs


def train_property_path(
    vae: keras.Model, train: StatisticsBatches, validation: StatisticsBatches, epochs: int
) -> None:
    """Train the path for `epochs` passes over the training SVEs, each with its axes in any order
    that its labels know; it ends with the weights that did best on the validation SVEs.
    """
    start_from_ridge(vae, train)
    if not epochs:
        return
    freeze(vae, False)
    path = property_path(vae)
    steps = epochs * len(train)
    optimizer = keras.optimizers.AdamW(
        warmed_cosine(RATE, min(WARMUP, steps // 10), steps), weight_decay=DECAY
    )
    path.compile(optimizer)
    path.fit(
        train,
        validation_data=validation,
        validation_freq=max(1, epochs // LOOKS),
        epochs=epochs,
        shuffle=False,  # `train` deals its own
        verbose=0,
        callbacks=[_Best(train, epochs)],
    )
    freeze(vae)


def freeze(vae: keras.Model, frozen: bool = True) -> None:
    """Leave the path as it is when the rest is trained, or not."""
    for part in (core_of(vae).get_layer(INFORMED), vae.get_layer("predictor").get_layer(RESPONSE)):
        part.trainable = not frozen


class PropertyPath(keras.Model):
    """Statistics, or a pair with the law -> standardised targets (batch, target); learns by their
    mean squared error, weighted where the batches say how.
    """

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        squared = ops.square(y - y_pred)
        return ops.mean(squared if sample_weight is None else sample_weight * squared)


def property_path(vae: keras.Model) -> PropertyPath:
    """The path of `vae`, which shares its weights."""
    informed = core_of(vae).get_layer(INFORMED)
    response = vae.get_layer("predictor").get_layer(RESPONSE)
    inputs = [keras.Input(x.shape[1:]) for x in (*informed.inputs, *response.inputs[1:])]
    known = informed(inputs[0])
    if len(inputs) == 1:
        return PropertyPath(inputs[0], response(known))
    return PropertyPath(tuple(inputs), response([known, *inputs[1:]]))


def scale_statistics(vae: keras.Model, train: Batches) -> None:
    """Scale the elastic statistics over the training SVEs, also where a training goes on: Keras
    takes a layer's scale from its weights when it is adapted or loaded, not when they are set.
    """
    assert train.statistics is not None
    turned = [train.statistics[:, train.orders[turn]] for turn in train.targets]
    core_of(vae).get_layer(INFORMED).get_layer("scale").adapt(np.concatenate(turned))


def start_from_ridge(vae: keras.Model, train: StatisticsBatches) -> None:
    """Let the path begin as a ridge regression from the scaled statistics.

    The informed latent units start as the principal axes of the standardised targets that the
    regression finds, scaled to variance 1 where they vary enough, the predictor as their linear map
    back to targets.
    """
    statistics, targets = train.whole()
    informed = core_of(vae).get_layer(INFORMED)
    scale, means = informed.get_layer("scale"), informed.get_layer("means")
    scaled = ops.convert_to_numpy(scale(statistics)).astype(np.float64)
    ridge = RidgeCV(PENALTIES).fit(scaled, targets)
    slopes = ridge.coef_.reshape(targets.shape[1], -1)  # of one target scikit-learn drops the axis
    found = ridge.predict(scaled).reshape(targets.shape) - ridge.intercept_
    _, spread, axes = np.linalg.svd(found, full_matrices=False)
    spread, axes = spread[: means.units] / np.sqrt(len(scaled)), axes[: means.units]
    spread = np.maximum(spread, SMALLEST)[:, None]
    kernel, bias = (np.zeros_like(weight) for weight in means.get_weights())
    kernel[-scaled.shape[1] :, : len(axes)] = (axes / spread @ slopes).T
    means.set_weights([kernel, bias])
    response = vae.get_layer("predictor").get_layer(RESPONSE)
    last = response.get_layer("standardised")
    kernel, bias = (np.zeros_like(weight) for weight in last.get_weights())
    units = slice(response.get_layer("hidden").units, None)  # rows of the hidden layer come first
    kernel[units][: len(axes)] = axes * spread
    last.set_weights([kernel, bias + ridge.intercept_])


class _Best(keras.callbacks.Callback):
    """Ends with the best weights by the validation SVEs; draws a bar."""

    def __init__(self, train: StatisticsBatches, epochs: int):
        super().__init__()
        self.train, self.best, self.weights = train, math.inf, None
        self.bar = tqdm(
            total=epochs, unit="epoch", desc="properties", disable=not sys.stderr.isatty()
        )

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.train.start_epoch(epoch)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.bar.update()
        loss = (logs or {}).get("val_loss", math.inf)
        if loss < self.best:
            self.best, self.weights = loss, self.model.get_weights()

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        self.bar.close()
        if self.weights is not None:
            self.model.set_weights(self.weights)
