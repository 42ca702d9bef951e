"""The predictor: latent vectors, and the law of the matrix where curves are read, to properties,
their standard deviations and how new an SVE is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import layers, ops

from svevae.dataset.curves import Curves
from svevae.model.layers import ACTIVATION
from svevae.model.reading import reading
from svevae.physics.alloys import LAW

if TYPE_CHECKING:  # the GPU kit trains without pydantic
    from svevae.config import Train

INFORMED_UNITS = 16  # at most: 24 were no better (docs/model-log.md)
RESPONSE = "response"  # of `get_layer`: the trained part of the predictor
# standard deviations, of statistics, informed units and properties, within which anything but a
# linear law is learnt
FAMILIAR = 3.0


@dataclass(frozen=True)
class Read:
    """Properties called `names` that are to be read off `curves`."""

    names: tuple[str, ...]
    curves: Curves


def informed_units(config: Train, targets: int) -> int:
    """How many latent units the `targets` of the predictor follow from, the first ones: as many as
    INFORMED_UNITS, one for each target, and half of all units allow.

    All of them where the encoder has no elastic statistics.
    """
    if not config.elastic:
        return config.latent_dim
    return min(targets, INFORMED_UNITS, max(1, config.latent_dim // 2))


def build_predictor(
    config: Train, mean: np.ndarray, std: np.ndarray, read: Read | None
) -> keras.Model:
    """Latent vectors (batch, latent), and the laws (batch, 5) where curves are read -> properties
    and their standard deviations, and how new the latent vector is.

    With `elastic` the properties follow from the units that have the elastic statistics, see
    `svevae.model.vae`. The frozen layers `log_std` and `whitening` are as
    `svevae.model.uncertainty` fits them after training.
    """
    z = keras.Input((config.latent_dim,), name="latent")
    inputs, known = [z], [z[:, : informed_units(config, len(mean))]]
    if read is not None:
        law = keras.Input((len(LAW),), name="law")
        inputs, known = [z, law], [*known, law]
    standardised = _response(config, len(mean), read)(alone(known))
    scale, shift = list(map(float, std)), list(map(float, mean))

    def frozen(units: int, name: str) -> layers.Dense:
        return layers.Dense(
            units, kernel_initializer="zeros", trainable=False, dtype="float32", name=name
        )

    whitened = frozen(config.latent_dim, "whitening")(z)
    novelty = ops.sqrt(ops.mean(ops.square(whitened), axis=-1, keepdims=True))
    # Far outside the validation SVEs an exponential would say anything.
    within = ops.clip(known[0], -FAMILIAR, FAMILIAR)
    spread = ops.exp(frozen(len(mean), "log_std")(within)) * ops.maximum(novelty, 1.0)
    targets = layers.Rescaling(scale, shift, name="physical_units", dtype="float32")(standardised)
    spread = layers.Rescaling(scale, name="physical_std", dtype="float32")(spread)
    if read is None:
        outputs = {"properties": targets, "properties_std": spread}
    else:
        outputs = reading(read.names, read.curves)([targets, spread, law])
    return keras.Model(alone(inputs), outputs | {"novelty": novelty}, name="predictor")


def alone(tensors: list[keras.KerasTensor]) -> keras.KerasTensor | list[keras.KerasTensor]:
    """What Keras wants in place of a list of one."""
    return tensors[0] if len(tensors) == 1 else tensors


def _response(config: Train, targets: int, read: Read | None) -> keras.Model:
    """Informed units, and the law where curves are read -> standardised targets (batch, target)."""
    known = keras.Input((informed_units(config, targets),), name="informed")
    inputs = [known]
    if read is not None:
        law = keras.Input((len(LAW),), name="law")
        inputs.append(law)
        known = layers.Concatenate(dtype="float32")([known, _law_features(read.curves, law)])
    h = layers.Dense(config.predictor_width, activation=ACTIVATION, name="hidden")(
        ops.clip(known, -FAMILIAR, FAMILIAR)
    )
    h = layers.Dropout(config.dropout)(h)
    h = layers.Concatenate(dtype="float32")([h, known])
    standardised = layers.Dense(targets, name="standardised", dtype="float32")(h)
    return keras.Model(alone(inputs), standardised, name=RESPONSE)


def _law_features(curves: Curves, law: keras.KerasTensor) -> keras.KerasTensor:
    """`svevae.dataset.curves.law_features`, standardised: (batch, 3)."""
    E, nu, s0, Q, b = (law[:, i : i + 1] for i in range(len(LAW)))
    hardening, rate = (ops.log(ops.maximum(x, 1e-30)) for x in (Q / s0, b * s0 / E))
    scale = 1 / np.array(curves.law_std)
    return layers.Rescaling(
        scale.tolist(), (-np.array(curves.law_mean) * scale).tolist(), dtype="float32"
    )(layers.Concatenate(dtype="float32")([nu, hardening, rate]))


def usual_law(curves: Curves) -> layers.Dense:
    """The usual law for each SVE, whatever it is."""
    return layers.Dense(
        len(LAW),
        kernel_initializer="zeros",
        bias_initializer=keras.initializers.Constant(list(curves.law)),
        trainable=False,
        dtype="float32",
        name="law",
    )
