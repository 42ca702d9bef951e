"""Encoder, decoder and predictor, assembled into one Functional Keras model, and the trainer around
it.

The saved model is the Functional one: built-in layers only, so it loads wherever Keras does, under
any backend:

    voxels (batch, n, n, n) of 0 and 1 ->
        {"latent_mean", "latent_log_var": (batch, latent), "logits": (batch, n, n, n),
         "properties", "properties_std": (batch, property), in their units, "novelty": (batch, 1)}

with the sub-models `encoder`, `decoder` and `predictor` under `get_layer`. Trained on stress-strain
curves, it gives these too, as `svevae.model.reading` has them; its predictor takes the latent
vectors and the law of the matrix, the whole model has the law that its file is labelled by. Outputs
are float32 under any dtype policy. Standard deviations and novelty mean something once
`svevae.model.uncertainty` has fitted them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import layers, ops

from svevae.errors import ConfigError
from svevae.model.architectures import ARCHITECTURES, Architecture
from svevae.model.elastic import STATISTICS, elastic_statistics
from svevae.model.layers import ACTIVATION, sample
from svevae.model.losses import kl_divergence, property_loss, reconstruction_loss
from svevae.model.predictor import (
    FAMILIAR,
    Read,
    alone,
    build_predictor,
    informed_units,
    usual_law,
)

if TYPE_CHECKING:  # the GPU kit trains without pydantic
    from svevae.config import Train

SMALLEST = 4  # voxels along the edge of an SVE
# of `get_layer`: the trained part of the encoder, and what is of the elastic statistics in it
CORE, INFORMED = "core", "informed"
# a posterior of std 0.14 at first: the decoder learns to use z before the KL widens it (BCE 0.74
# against 0.91)
LOG_VAR_START = -4.0


def build_vae(
    config: Train, n: int, mean: np.ndarray, std: np.ndarray, read: Read | None = None
) -> keras.Model:
    """The Functional model described above; mean and std (target,) are the scaler of what the
    predictor learns: the properties, in their units, or where they are to be `read` off curves,
    `svevae.dataset.curves`.

    Where the architecture cannot halve n often enough, it works on the next larger n that it can:
    the encoder pads the voxels with solid ones, the decoder crops its logits. Raises ConfigError
    for an n below SMALLEST, and for a depth that takes more than twice as many voxels an edge.
    """
    architecture = ARCHITECTURES[config.architecture]
    reduction = architecture.reduction(config)
    if n < SMALLEST:
        raise ConfigError(
            f"architecture: expected SVEs of n = {SMALLEST} or more, received n = {n}"
        )
    if reduction > 2 * n:
        raise ConfigError(
            f"depth: expected a smaller one, received {config.depth}: {config.architecture} would"
            f" take {reduction} voxels along an edge, SVEs have n = {n}"
        )
    pad = -n % reduction
    voxels = keras.Input((n, n, n), name="voxels")
    encoder = _core(architecture, config, n, pad, len(mean))
    if config.elastic:
        statistics = elastic_statistics(n)(voxels)
        encoder = keras.Model(voxels, encoder([voxels, statistics]), name="encoder")

    z = keras.Input((config.latent_dim,), name="latent")
    h = layers.Dense(config.dense_width, activation=ACTIVATION)(z)
    field = architecture.decode(h, config, n + pad)
    if pad:
        field = layers.Cropping3D(((0, pad),) * 3)(field)
    logits = layers.Reshape((n, n, n), dtype="float32")(field)
    decoder = keras.Model(z, logits, name="decoder")

    predictor = build_predictor(config, mean, std, read)
    encoded = encoder(voxels)
    known = [encoded[0]] if read is None else [encoded[0], usual_law(read.curves)(encoded[0])]
    outputs = _outputs(encoded, decoder, predictor(alone(known)))
    return keras.Model(voxels, outputs, name="svevae")


def _outputs(
    encoded: list[keras.KerasTensor],
    decoder: keras.Model,
    predicted: dict[str, keras.KerasTensor],
) -> dict[str, keras.KerasTensor]:
    latent_mean, latent_log_var, latent = encoded
    return {
        "latent_mean": latent_mean,
        "latent_log_var": latent_log_var,
        "logits": decoder(latent),
        **predicted,
    }


def core_of(vae: keras.Model) -> keras.Model:
    """What of the encoder is trained: of voxels, and of their elastic statistics where it has
    them.
    """
    encoder = vae.get_layer("encoder")
    return encoder.get_layer(CORE) if any(x.name == CORE for x in encoder.layers) else encoder


def training_model(vae: keras.Model) -> keras.Model:
    """The same model, its layers and outputs and "targets", of what `svevae.dataset.batches` gives
    in training: {"voxels"}, the "statistics" where the encoder has them, which need not be computed
    in each step, and the "law" of each SVE where the predictor has it.
    """
    core, predictor = core_of(vae), vae.get_layer("predictor")
    names = ["voxels"] + (["statistics"] if core.name == CORE else [])
    inputs = {
        name: keras.Input(tensor.shape[1:], name=name)
        for name, tensor in zip(names, core.inputs, strict=True)
    }
    encoded = core(alone([inputs[name] for name in names]))
    known = [encoded[0]]
    if len(predictor.inputs) > 1:
        inputs["law"] = keras.Input(predictor.inputs[1].shape[1:], name="law")
        known.append(inputs["law"])
    scaled = predictor.get_layer("physical_units").output
    predicted = keras.Model(alone(predictor.inputs), {"targets": scaled})(alone(known))
    return keras.Model(inputs, _outputs(encoded, vae.get_layer("decoder"), predicted))


def _core(
    architecture: Architecture,
    config: Train,
    n: int,
    pad: int,
    targets: int,
) -> keras.Model:
    """Voxels, with `elastic` also their elastic statistics -> mean, log variance and a sample of
    the posterior. The architecture sees the voxels with `pad` solid ones behind the last along each
    axis.

    With `elastic` the means of the first latent units come from the elastic statistics alone,
    those of the others from the voxels.

    Mixed, each spoils the other: the gradient of the properties fills all units with the porosity,
    and what convolutions add to the properties is learnt by heart (docs/model-log.md).
    """
    voxels = keras.Input((n, n, n), name="voxels")
    inputs = [voxels]
    field = layers.Reshape((n, n, n, 1))(voxels)
    porosity = layers.Rescaling(20.0)(layers.GlobalAveragePooling3D()(field))
    if pad:
        field = layers.ZeroPadding3D(((0, pad),) * 3)(field)
    h = layers.Concatenate()([architecture.encode(field, config), porosity])
    h = layers.Dense(config.dense_width, activation=ACTIVATION)(h)
    if config.elastic:
        statistics = keras.Input((STATISTICS,), name="statistics")
        inputs.append(statistics)
        informed = _informed(config, targets)(statistics)
        means = [informed, layers.Dense(config.latent_dim - informed.shape[1], dtype="float32")(h)]
        latent_mean = layers.Concatenate(name="latent_mean", dtype="float32")(means)
        # The decoder reads the informed units but does not teach them: its gradient, noisy and
        # large, would drown the properties'.
        decoded_mean = layers.Concatenate(dtype="float32")([ops.stop_gradient(means[0]), means[1]])
    else:
        latent_mean = decoded_mean = layers.Dense(
            config.latent_dim, name="latent_mean", dtype="float32"
        )(h)
    latent_log_var = layers.Dense(
        config.latent_dim,
        kernel_initializer="zeros",
        bias_initializer=keras.initializers.Constant(LOG_VAR_START),
        name="latent_log_var",
        dtype="float32",
    )(h)
    return keras.Model(
        alone(inputs),
        [latent_mean, latent_log_var, sample(decoded_mean, latent_log_var)],
        name=CORE if config.elastic else "encoder",
    )


def _informed(config: Train, targets: int) -> keras.Model:
    """Elastic statistics (batch, 114) -> means of the informed latent units (batch, informed).

    Trained by itself (`svevae.model.property_path`). Beyond what is familiar only the linear part
    goes on, as the regression does that training starts from.
    """
    statistics = keras.Input((STATISTICS,), name="statistics")
    scaled = layers.Normalization(name="scale", dtype="float32")(statistics)
    h = layers.Dense(config.predictor_width, activation=ACTIVATION)(
        ops.clip(scaled, -FAMILIAR, FAMILIAR)
    )
    h = layers.Concatenate(dtype="float32")([h, scaled])
    means = layers.Dense(informed_units(config, targets), name="means", dtype="float32")(h)
    return keras.Model(statistics, means, name=INFORMED)


class Trainer(keras.Model):
    """Trains a VAE by the weighted ELBO of `losses`; never saved itself.

    In training the KL weight rises linearly over the first `warmup_steps` steps; validation uses
    the full weight.
    """

    def __init__(self, vae: keras.Model, config: Train, std: np.ndarray, warmup_steps: int):
        super().__init__()
        self.vae = vae
        self.config, self.of_batches = config, training_model(vae)
        self.std = np.asarray(std, np.float32)
        self.weights_of_terms = (
            config.reconstruction_weight,
            config.kl_weight,
            config.property_weight,
        )
        self.warmup_steps = warmup_steps
        # A weight of its own: under JAX the optimizer's step cannot be read inside a step.
        self.step = self.add_weight(shape=(), initializer="zeros", trainable=False, name="step")
        self.terms = [keras.metrics.Mean(name) for name in ("reconstruction", "kl", "property")]

    def call(self, x: Any, training: bool | None = None) -> dict[str, Any]:
        """Of what `training_model` takes."""
        return self.of_batches(x, training=training)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Mean over the batch of the weighted sum; each term's own mean, unweighted, goes into its
        metric.
        """
        terms = (
            reconstruction_loss(x["voxels"], y_pred["logits"]),
            ops.sum(kl_divergence(y_pred["latent_mean"], y_pred["latent_log_var"]), axis=-1),
            property_loss(
                y, y_pred["targets"], self.std, 1.0 if sample_weight is None else sample_weight
            ),
        )
        for metric, term in zip(self.terms, terms, strict=True):
            metric.update_state(term)
        reconstruction, kl, properties = self.weights_of_terms
        if training and self.warmup_steps:
            kl = kl * ops.minimum(self.step / self.warmup_steps, 1.0)
            self.step.assign_add(1.0)
        return ops.mean(reconstruction * terms[0] + kl * terms[1] + properties * terms[2])


def learning_rate(
    config: Train, steps_per_epoch: int
) -> keras.optimizers.schedules.LearningRateSchedule:
    """Warmed up linearly and then decayed by a cosine to 1 % over all epochs."""
    warmup = config.learning_rate_warmup * steps_per_epoch
    return warmed_cosine(config.learning_rate, warmup, config.epochs * steps_per_epoch)


def warmed_cosine(
    rate: float, warmup: int, steps: int
) -> keras.optimizers.schedules.LearningRateSchedule:
    """Up to `rate` linearly in `warmup` steps, then down by a cosine to 1 % at `steps`."""
    return keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warmup), alpha=0.01, warmup_target=rate, warmup_steps=warmup
    )


def compile_trainer(
    vae: keras.Model, config: Train, std: np.ndarray, steps_per_epoch: int
) -> Trainer:
    """A trainer with AdamW."""
    trainer = Trainer(vae, config, std, config.kl_warmup * steps_per_epoch)
    optimizer = keras.optimizers.AdamW(
        learning_rate(config, steps_per_epoch), weight_decay=config.weight_decay
    )
    # XLA slows 3-D convolutions 5 to 20 times on a CPU under TensorFlow; JAX compiles through it
    # anyway.
    trainer.compile(optimizer=optimizer, jit_compile=keras.backend.backend() == "jax")
    optimizer.build(trainer.trainable_variables)
    return trainer


def parameter_count(model: keras.Model) -> int:
    """Trainable numbers in `model`."""
    return sum(math.prod(weight.shape) for weight in model.trainable_weights)
