"""Blocks of the VAE, written as functions of Keras tensors.

They use built-in Keras layers and operations only, so that a saved model loads where svevae is not
installed. Fields are (batch, x, y, z, channels).
"""

from __future__ import annotations

import keras
from keras import layers, ops

ACTIVATION = "relu"


def residual_block(x: keras.KerasTensor) -> keras.KerasTensor:
    """relu(x + conv(relu(conv(x)))) with 3x3x3 convolutions (He et al. 2016); the shape is kept.

    The second kernel starts at zero, so that the block starts as the identity and needs no
    normalisation (Zhang et al. 2019).
    """
    filters = x.shape[-1]
    h = layers.Conv3D(filters, 3, padding="same", activation=ACTIVATION)(x)
    h = layers.Conv3D(filters, 3, padding="same", kernel_initializer="zeros")(h)
    return layers.Activation(ACTIVATION)(layers.Add()([x, h]))


def bottleneck_block(x: keras.KerasTensor) -> keras.KerasTensor:
    """relu(x + dense(relu(conv(relu(dense(x)))))), the 3x3x3 convolution in half of the channels;
    the shape is kept.

    He et al. 2016, figure 5, right, with a half where they have a quarter; a dense layer is a
    convolution of 1x1x1. The last kernel starts at zero, as in `residual_block`.
    """
    filters = x.shape[-1]
    half = max(1, filters // 2)
    h = layers.Dense(half, activation=ACTIVATION)(x)
    h = layers.Conv3D(half, 3, padding="same", activation=ACTIVATION)(h)
    h = layers.Dense(filters, kernel_initializer="zeros")(h)
    return layers.Activation(ACTIVATION)(layers.Add()([x, h]))


def plain_block(x: keras.KerasTensor) -> keras.KerasTensor:
    """relu(conv(relu(conv(x)))) with 3x3x3 convolutions, `residual_block` without its skip
    connection; the shape is kept.
    """
    filters = x.shape[-1]
    for _ in range(2):
        x = layers.Conv3D(filters, 3, padding="same", activation=ACTIVATION)(x)
    return x


BLOCKS = {"residual": residual_block, "bottleneck": bottleneck_block, "plain": plain_block}


def space_to_depth(x: keras.KerasTensor, step: int) -> keras.KerasTensor:
    """Each patch of step^3 voxels becomes one: (batch, a, b, c, channels) -> (batch, a / step, b /
    step, c / step, step^3 channels).

    A dense layer behind it is a convolution with stride = kernel = step, and trains faster than one
    on a CPU.
    """
    a, b, c, channels = x.shape[1:]
    x = layers.Reshape((a // step, step, b // step, step, c // step, step * channels))(x)
    x = layers.Permute((1, 3, 5, 2, 4, 6))(x)
    return layers.Reshape((a // step, b // step, c // step, step**3 * channels))(x)


def depth_to_space(x: keras.KerasTensor, step: int) -> keras.KerasTensor:
    """The inverse: (batch, a, b, c, step^3 channels) -> (batch, a step, b step, c step, channels).

    Behind a dense layer it is a transposed convolution with stride = kernel = step.
    """
    a, b, c, depth = x.shape[1:]
    channels = depth // step**3
    x = layers.Reshape((a, b, c, step, step, step * channels))(x)
    x = layers.Permute((1, 4, 2, 5, 3, 6))(x)
    return layers.Reshape((a * step, b * step, c * step, channels))(x)


def pool(x: keras.KerasTensor) -> keras.KerasTensor:
    """Mean and maximum over a field: (batch, x, y, z, channels) -> (batch, 2 channels).

    Labels do not change under periodic shifts, and nor do these, up to the stride that made the
    field.
    """
    return layers.Concatenate()(
        [layers.GlobalAveragePooling3D()(x), layers.GlobalMaxPooling3D()(x)]
    )


def sample(mean: keras.KerasTensor, log_var: keras.KerasTensor) -> keras.KerasTensor:
    """Reparameterised sample mean + exp(log_var / 2) eps, eps ~ N(0, I) (Kingma and Welling 2014,
    section 2.4).

    Shapes: (batch, latent), (batch, latent) -> (batch, latent). Random in training; at inference
    the mean itself.
    """
    noise = layers.GaussianNoise(1.0, name="noise", dtype=mean.dtype)(ops.zeros_like(mean))
    return mean + ops.exp(log_var / 2) * noise
