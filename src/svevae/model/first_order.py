"""Statistics of the first-order elastic response of an SVE, as fixed Keras layers.

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
is mirrored, nor when it is shifted periodically, by whole voxels.
"""

from __future__ import annotations

from itertools import combinations_with_replacement

import keras
import numpy as np
from keras import layers, ops

from svevae.model.fourier import fixed_product, fourier_basis, wave_numbers

EVEN = ((4, 0, 0), (0, 4, 0), (0, 0, 4), (0, 2, 2), (2, 0, 2), (2, 2, 0))  # powers of n_x, n_y, n_z
SHEAR = (
    ((2, 1, 1), (0, 3, 1), (0, 1, 3)),
    ((3, 0, 1), (1, 2, 1), (1, 0, 3)),
    ((3, 1, 0), (1, 3, 0), (1, 1, 2)),
)
# of fields that change sign under the same mirrors
PAIRS = [pair for group in (EVEN, *SHEAR) for pair in combinations_with_replacement(group, 2)]
STATISTICS = len(EVEN) + 2 * len(PAIRS)


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


def first_order_statistics(n: int) -> keras.Model:
    """Pore fractions of voxels (batch, n, n, n) -> the statistics (batch, 84), dimensionless.
    Nothing in it is trained.
    """
    pores = keras.Input((n, n, n), name="pores", dtype="float32")
    basis, powers = fourier_basis(n), range(5)
    wave = sum(np.square(k) for k in np.meshgrid(*[wave_numbers(n)] * 3)) ** 2
    spectrum = fixed_product("bxyz,kx->bkyz", basis)(pores)
    spectrum = fixed_product("bkyz,ly->bklz", basis)(spectrum)
    spectrum = fixed_product("bklz,mz->bklm", basis)(spectrum)
    spectrum = fixed_product(
        "bklm,klm->bklm", np.divide(1.0, wave, out=np.zeros((n,) * 3), where=wave > 0)
    )(spectrum)
    # Back again with derivatives: all powers along x, all along y, and along z the one that makes
    # four with them.
    derivatives = np.stack([fourier_basis(n, power) for power in powers])
    strain = fixed_product("bklm,pkx->bpxlm", derivatives)(spectrum)
    strain = fixed_product("bpxlm,qly->bpqxym", derivatives)(strain)
    fields = [*EVEN, *(field for group in SHEAR for field in group)]
    strain = layers.Reshape((len(powers) ** 2, n, n, n), dtype="float32")(strain)
    strain = ops.take(strain, [len(powers) * x + y for x, y, _ in fields], axis=1)
    strain = fixed_product("bfxym,fmz->bfxyz", derivatives[[z for *_, z in fields]])(strain)
    strain = layers.Reshape((len(fields), n**3), dtype="float32")(strain)

    chi = layers.Reshape((1, n**3), dtype="float32")(pores)
    chosen = [len(fields) * fields.index(a) + fields.index(b) for a, b in PAIRS]
    statistics = [ops.take(ops.mean(strain * chi, axis=2), list(range(len(EVEN))), axis=1)]
    for phase in (1.0 - chi, chi):
        products = layers.Dot(axes=2, dtype="float32")([strain * phase, strain])
        statistics.append(
            ops.take(layers.Flatten(dtype="float32")(products), chosen, axis=1) / n**3
        )
    model = keras.Model(pores, layers.Concatenate(dtype="float32")(statistics), name="first_order")
    model.trainable = False
    return model
