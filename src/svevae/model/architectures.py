"""How encoder and decoder go between voxels and features: strided convolutions, with blocks or
without, or patches that dense layers embed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import keras
from keras import layers

from svevae.model.layers import ACTIVATION, BLOCKS, depth_to_space, pool, space_to_depth

if TYPE_CHECKING:  # the GPU kit trains without pydantic
    from svevae.config import Train

PATCH = 4  # voxels along the edge of a patch in the "patch" architecture
# channels of the coarsest grid, between it and the dense layers of the "patch" architecture
SEED_CHANNELS = 16


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
