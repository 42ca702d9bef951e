"""Encoder, decoder and predictor, assembled into one Functional Keras model, and the trainer around
it.

The saved model is the Functional one: built-in layers only, so it loads wherever Keras does, under
any backend:

    voxels (batch, n, n, n) of 0 and 1 ->
        {"latent_mean", "latent_log_var": (batch, latent), "logits": (batch, n, n, n),
         "properties", "properties_std": (batch, property), in their units, "novelty": (batch, 1)}

with the sub-models `encoder`, `decoder` and `predictor` under `get_layer`. Trained on stress-strain
curves, it gives these too, as `svevae.model.reading` has them; its predictor takes the latent
vectors and the law of the matrix, the whole model has the law of most of its training SVEs. Outputs
are float32 under any dtype policy. Standard deviations and novelty mean something once
`svevae.model.uncertainty` has fitted them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import layers, ops

from svevae.dataset.curves import Curves
from svevae.errors import ConfigError
from svevae.model.elastic import STATISTICS, elastic_statistics
from svevae.model.layers import ACTIVATION, BLOCKS, depth_to_space, pool, sample, space_to_depth
from svevae.model.losses import kl_divergence, property_loss, reconstruction_loss
from svevae.model.reading import reading
from svevae.physics.alloys import LAW

if TYPE_CHECKING:  # the GPU kit trains without pydantic
    from svevae.config import Train

SMALLEST = 4  # voxels along the edge of an SVE
PATCH = 4  # voxels along the edge of a patch in the "patch" architecture
# channels of the coarsest grid, between it and the dense layers of the "patch" architecture
SEED_CHANNELS = 16
INFORMED_UNITS = 16  # at most: 24 were no better (docs/model-log.md)
# of `get_layer`: the trained part of the encoder, of the elastic statistics and the informed units
# in it, and the trained part of the predictor
CORE, INFORMED, RESPONSE = "core", "informed", "response"
# standard deviations, of statistics, informed units and properties, within which anything but a
# linear law is learnt
FAMILIAR = 3.0
# a posterior of std 0.14 at first: the decoder learns to use z before the KL widens it (BCE 0.74
# against 0.91)
LOG_VAR_START = -4.0


@dataclass(frozen=True)
class Read:
    """Properties called `names` that are to be read off `curves`."""

    names: tuple[str, ...]
    curves: Curves


@dataclass(frozen=True)
class Architecture:
    """`encode` turns a field (batch, n, n, n, 1) into features (batch, any); `decode` turns latents
    (batch, latent) into logits.

    `reduction` is the factor between n and the coarsest grid: `build_vae` pads to a multiple of it.
    """

    encode: Callable[[keras.KerasTensor, Train], keras.KerasTensor]
    decode: Callable[[keras.KerasTensor, Train, int], keras.KerasTensor]
    reduction: Callable[[Train], int]


def encode_conv(x: keras.KerasTensor, config: Train) -> keras.KerasTensor:
    """The plain one, `encode_residual` without its blocks: strided convolutions alone."""
    return encode_residual(x, replace(config, blocks=0))


def decode_conv(z: keras.KerasTensor, config: Train, n: int) -> keras.KerasTensor:
    """The mirror of `encode_conv`: dense, then transposed convolutions alone."""
    return decode_residual(z, replace(config, blocks=0), n)


def encode_residual(x: keras.KerasTensor, config: Train) -> keras.KerasTensor:
    """One strided 3x3x3 convolution for each of `widths`, each halving the grid, and blocks behind
    each.
    """
    for width in config.widths:
        x = layers.Conv3D(width, 3, strides=2, padding="same", activation=ACTIVATION)(x)
        x = _blocks(x, config)
    return layers.Concatenate()([layers.Flatten()(x), pool(x)])


def decode_residual(z: keras.KerasTensor, config: Train, n: int) -> keras.KerasTensor:
    """The mirror of `encode_residual`: dense, then for each of `widths` blocks and a transposed
    convolution that doubles the grid.
    """
    x = _seed_grid(z, n // 2**config.depth, config.widths[-1])
    for width in (*reversed(config.widths[:-1]), None):
        x = _blocks(x, config)
        x = layers.Conv3DTranspose(
            width or 1,
            4,
            strides=2,
            padding="same",
            activation=width and ACTIVATION,
            bias_initializer="zeros" if width else _rare_pores(),
        )(x)
    return x


def encode_patch(x: keras.KerasTensor, config: Train) -> keras.KerasTensor:
    """Patches of 4^3 voxels embedded by a dense layer, then blocks at n/4, n/8, ...

    Features see each level's mean and maximum as well as the coarsest grid itself.
    """
    features = []
    for level, width in enumerate(config.widths):
        x = layers.Dense(width, activation=ACTIVATION)(space_to_depth(x, 2 if level else PATCH))
        x = _blocks(x, config)
        features.append(pool(x))
    grid = layers.Dense(SEED_CHANNELS, activation=ACTIVATION)(x)
    return layers.Concatenate()([layers.Flatten()(grid), *features])


def decode_patch(z: keras.KerasTensor, config: Train, n: int) -> keras.KerasTensor:
    """The mirror of `encode_patch`: the last layer writes whole patches."""
    x = _seed_grid(z, n // _patch_reduction(config), SEED_CHANNELS)
    x = layers.Dense(config.widths[-1])(x)
    for width in (*reversed(config.widths[:-1]), None):
        x = _blocks(x, config)
        if width:
            x = depth_to_space(layers.Dense(2**3 * width, activation=ACTIVATION)(x), 2)
    return depth_to_space(layers.Dense(PATCH**3, bias_initializer=_rare_pores())(x), PATCH)


def _blocks(x: keras.KerasTensor, config: Train) -> keras.KerasTensor:
    for _ in range(config.blocks):
        x = BLOCKS[config.block](x)
    return x


def _seed_grid(z: keras.KerasTensor, edge: int, channels: int) -> keras.KerasTensor:
    """Dense layer onto the coarsest grid: (batch, any) -> (batch, edge, edge, edge, channels)."""
    x = layers.Dense(edge**3 * channels, activation=ACTIVATION)(z)
    return layers.Reshape((edge, edge, edge, channels))(x)


def _rare_pores() -> keras.initializers.Initializer:
    """Logit of a porosity of 3 %, near which the decoder's last bias settles."""
    return keras.initializers.Constant(-3.5)


def _residual_reduction(config: Train) -> int:
    return 2**config.depth


def _patch_reduction(config: Train) -> int:
    return PATCH * 2 ** (config.depth - 1)


ARCHITECTURES = {
    "conv": Architecture(encode_conv, decode_conv, _residual_reduction),
    "residual": Architecture(encode_residual, decode_residual, _residual_reduction),
    "patch": Architecture(encode_patch, decode_patch, _patch_reduction),
}


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

    predictor = _predictor(config, mean, std, read)
    encoded = encoder(voxels)
    known = [encoded[0]] if read is None else [encoded[0], _law(read.curves)(encoded[0])]
    outputs = _outputs(encoded, decoder, predictor(_alone(known)))
    return keras.Model(voxels, outputs, name="svevae")


def _law(curves: Curves) -> layers.Dense:
    """The usual law for each SVE, whatever it is."""
    return layers.Dense(
        len(LAW),
        kernel_initializer="zeros",
        bias_initializer=keras.initializers.Constant(list(curves.law)),
        trainable=False,
        dtype="float32",
        name="law",
    )


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
    encoded = core(_alone([inputs[name] for name in names]))
    known = [encoded[0]]
    if len(predictor.inputs) > 1:
        inputs["law"] = keras.Input(predictor.inputs[1].shape[1:], name="law")
        known.append(inputs["law"])
    scaled = predictor.get_layer("physical_units").output
    predicted = keras.Model(_alone(predictor.inputs), {"targets": scaled})(_alone(known))
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
        _alone(inputs),
        [latent_mean, latent_log_var, sample(decoded_mean, latent_log_var)],
        name=CORE if config.elastic else "encoder",
    )


def _informed(config: Train, targets: int) -> keras.Model:
    """Elastic statistics (batch, 84) -> means of the informed latent units (batch, informed).

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


def informed_units(config: Train, targets: int) -> int:
    """How many latent units the `targets` of the predictor follow from, the first ones: as many as
    INFORMED_UNITS, one for each target, and half of all units allow.

    All of them where the encoder has no elastic statistics.
    """
    if not config.elastic:
        return config.latent_dim
    return min(targets, INFORMED_UNITS, max(1, config.latent_dim // 2))


def _predictor(config: Train, mean: np.ndarray, std: np.ndarray, read: Read | None) -> keras.Model:
    """Latent vectors (batch, latent), and the laws (batch, 5) where curves are read -> properties
    and their standard deviations, and how new the latent vector is.

    With `elastic` the properties follow from the units that have the elastic statistics, see
    `_core`. The frozen layers `log_std` and `whitening` are as `svevae.model.uncertainty` fits
    them after training.
    """
    z = keras.Input((config.latent_dim,), name="latent")
    inputs, known = [z], [z[:, : informed_units(config, len(mean))]]
    if read is not None:
        law = keras.Input((len(LAW),), name="law")
        inputs, known = [z, law], [*known, law]
    standardised = _response(config, len(mean), read)(_alone(known))
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
    return keras.Model(_alone(inputs), outputs | {"novelty": novelty}, name="predictor")


def _alone(tensors: list[keras.KerasTensor]) -> keras.KerasTensor | list[keras.KerasTensor]:
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
    return keras.Model(_alone(inputs), standardised, name=RESPONSE)


def _law_features(curves: Curves, law: keras.KerasTensor) -> keras.KerasTensor:
    """`svevae.dataset.curves.law_features`, standardised: (batch, 3)."""
    E, nu, s0, Q, b = (law[:, i : i + 1] for i in range(len(LAW)))
    hardening, rate = (ops.log(ops.maximum(x, 1e-30)) for x in (Q / s0, b * s0 / E))
    scale = 1 / np.array(curves.law_std)
    return layers.Rescaling(
        scale.tolist(), (-np.array(curves.law_mean) * scale).tolist(), dtype="float32"
    )(layers.Concatenate(dtype="float32")([nu, hardening, rate]))


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
            property_loss(y, y_pred["targets"], self.std),
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
