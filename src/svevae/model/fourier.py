"""Fourier transforms as products with matrices along each axis, in the real Fourier basis: no
backend's Fourier transform is needed, and Keras saves them.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
from keras import layers


def wave_numbers(n: int) -> np.ndarray:
    """|k| of each function of `fourier_basis`: (n,) integers 0, 1, 1, 2, 2, ..."""
    return (np.arange(n) + 1) // 2


def fourier_basis(n: int, power: int = 0) -> np.ndarray:
    """(d/dx / k0)^power of the orthonormal real Fourier basis 1, cos, sin, cos 2, sin 2, ... on n
    voxels, k0 = 2 pi / n.

    (function, voxel). Functions whose derivative the voxels cannot tell, the cosine of n / 2, have
    zero for odd powers.
    """
    k = wave_numbers(n)[:, None]
    phase = 2 * np.pi * k * np.arange(n) / n
    sine = (np.arange(n) % 2 == 0)[:, None] & (k > 0)
    basis = (
        np.where(sine, np.sin(phase + power * np.pi / 2), np.cos(phase + power * np.pi / 2))
        * np.float64(k) ** power
    )
    single = (k == 0) | (2 * k == n)
    if power % 2:
        basis[single[:, 0]] = 0.0
    return basis * np.sqrt(np.where(single, 1.0, 2.0) / n)


def fixed_product(
    equation: str, kernel: np.ndarray
) -> Callable[[keras.KerasTensor], keras.KerasTensor]:
    """A product with constants, which are weights of a layer: what Keras saves well."""

    def apply(x: keras.KerasTensor) -> keras.KerasTensor:
        sizes = dict(zip(equation.split(",")[0], x.shape, strict=True))
        sizes |= dict(zip(equation.split(",")[1].split("->")[0], kernel.shape, strict=True))
        layer = layers.EinsumDense(
            equation, tuple(sizes[axis] for axis in equation.split("->")[1][1:]), dtype="float32"
        )
        product = layer(x)
        layer.set_weights([kernel])
        return product

    return apply


def fixed_dense(kernel: np.ndarray) -> Callable[[keras.KerasTensor], keras.KerasTensor]:
    """The product of the last axis with constants (before, after), as weights of a layer: a third
    of the time that TensorFlow takes for the same as an Einstein sum.
    """

    def apply(x: keras.KerasTensor) -> keras.KerasTensor:
        layer = layers.Dense(kernel.shape[1], use_bias=False, dtype="float32")
        product = layer(x)
        layer.set_weights([kernel])
        return product

    return apply
