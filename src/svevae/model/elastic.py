"""Statistics of the first-order elastic response of an SVE, as fixed Keras layers: the mechanics an
encoder need not learn.

In a periodic matrix of isotropic stiffness C0 a pore pattern chi changes a uniform strain e, to the
first order in chi, by the strain field Gamma0 C0 e chi (Torquato 2002, Random Heterogeneous
Materials, chapter 20). In Fourier space Gamma0 depends on the direction n = k / |k| alone, and
every component of that field, for every e, is a linear combination of the fifteen fields

    g_ijkl = F^-1[n_i n_j n_k n_l F[chi]],  ijkl = xxxx, yyyy, zzzz, yyzz, xxzz, xxyy,
                                                   and three each for shear in yz, xz, xy.

The statistics are the means over the SVE of g_a g_b over the pores and over the matrix, which
three-point estimates of the stiffness are made of (op. cit., chapters 20 and 21), and of chi g_a,
which two-point ones are. Only products of fields that change sign under the same mirrors are kept:
the others average to zero over mirrors. So the statistics, as the labels, do not change when an SVE
is mirrored, nor when it is shifted periodically, by whole coarse voxels.

chi is the pore fraction of coarse voxels, two fine ones wide, which costs an eighth and loses
little: a ridge regression from the statistics to the properties has R2 = 0.9960 on validation
parts, 0.9962 from all voxels (docs/model-log.md). Where n is odd it is that of the voxels.

The transforms are products with matrices along each axis, in the real Fourier basis: no backend's
Fourier transform is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations_with_replacement

import keras
import numpy as np
from keras import layers, ops

EVEN = ((4, 0, 0), (0, 4, 0), (0, 0, 4), (0, 2, 2), (2, 0, 2), (2, 2, 0))  # powers of n_x, n_y, n_z
SHEAR = (
    ((2, 1, 1), (0, 3, 1), (0, 1, 3)),
    ((3, 0, 1), (1, 2, 1), (1, 0, 3)),
    ((3, 1, 0), (1, 3, 0), (1, 1, 2)),
)
# of fields that change sign under the same mirrors
PAIRS = [pair for group in (EVEN, *SHEAR) for pair in combinations_with_replacement(group, 2)]
STATISTICS = len(EVEN) + 2 * len(PAIRS)
COARSE = 2  # voxels along the edge of a coarse one


def transposed(axes: tuple[int, int, int]) -> np.ndarray:
    """Where each statistic of voxels.transpose(axes) is among those of the voxels themselves: (84,)
    integers.
    """

    def moved(field: tuple[int, int, int]) -> tuple[int, int, int]:
        x, y, z = (field[axes.index(old)] for old in range(3))
        return x, y, z

    pairs = [frozenset(pair) for pair in PAIRS]
    means = [EVEN.index(moved(field)) for field in EVEN]
    products = [pairs.index(frozenset((moved(a), moved(b)))) for a, b in PAIRS]
    matrix = len(EVEN) + np.array(products)
    return np.concatenate([means, matrix, matrix + len(PAIRS)])


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


def elastic_statistics(n: int) -> keras.Model:
    """Voxels (batch, n, n, n) of 0 and 1 -> the statistics (batch, 84), dimensionless.
    Nothing in it is trained.
    """
    voxels = keras.Input((n, n, n), name="voxels")
    field = layers.Reshape((n, n, n, 1), dtype="float32")(voxels)
    if n % COARSE == 0:
        n = n // COARSE
        field = layers.AveragePooling3D(COARSE, dtype="float32")(field)
    chi = layers.Reshape((n, n, n), dtype="float32")(field)
    basis, powers = fourier_basis(n), range(5)
    wave = sum(np.square(k) for k in np.meshgrid(*[wave_numbers(n)] * 3)) ** 2
    spectrum = _fixed("bxyz,kx->bkyz", basis)(chi)
    spectrum = _fixed("bkyz,ly->bklz", basis)(spectrum)
    spectrum = _fixed("bklz,mz->bklm", basis)(spectrum)
    spectrum = _fixed(
        "bklm,klm->bklm", np.divide(1.0, wave, out=np.zeros((n,) * 3), where=wave > 0)
    )(spectrum)
    # Back again with derivatives: all powers along x, all along y, and along z the one that makes
    # four with them.
    derivatives = np.stack([fourier_basis(n, power) for power in powers])
    strain = _fixed("bklm,pkx->bpxlm", derivatives)(spectrum)
    strain = _fixed("bpxlm,qly->bpqxym", derivatives)(strain)
    fields = [*EVEN, *(field for group in SHEAR for field in group)]
    strain = layers.Reshape((len(powers) ** 2, n, n, n), dtype="float32")(strain)
    strain = ops.take(strain, [len(powers) * x + y for x, y, _ in fields], axis=1)
    strain = _fixed("bfxym,fmz->bfxyz", derivatives[[z for *_, z in fields]])(strain)
    strain = layers.Reshape((len(fields), n**3), dtype="float32")(strain)

    chi = layers.Reshape((1, n**3), dtype="float32")(chi)
    chosen = [len(fields) * fields.index(a) + fields.index(b) for a, b in PAIRS]
    statistics = [ops.take(ops.mean(strain * chi, axis=2), list(range(len(EVEN))), axis=1)]
    for phase in (1.0 - chi, chi):
        products = layers.Dot(axes=2, dtype="float32")([strain * phase, strain])
        statistics.append(
            ops.take(layers.Flatten(dtype="float32")(products), chosen, axis=1) / n**3
        )
    model = keras.Model(
        voxels, layers.Concatenate(dtype="float32")(statistics), name="elastic_statistics"
    )
    model.trainable = False
    return model


def _fixed(equation: str, kernel: np.ndarray) -> Callable[[keras.KerasTensor], keras.KerasTensor]:
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
