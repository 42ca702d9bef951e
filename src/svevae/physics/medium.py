"""The preconditioner: the inverse of the same finite element on a homogeneous medium, applied by
FFT.

Its stiffness is the mean of the current tangent, so that without pores one iteration solves.
Ladecky et al., Appl. Math. Comput. 446 (2023) 127835, show for elasticity that the number of
iterations then does not grow with the grid.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from svevae.physics import element
from svevae.physics.elasticity import DEVIATORIC_BASIS, TRACE

PAIRS = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))
MANDEL_INDEX = {(0, 0): 0, (1, 1): 1, (2, 2): 2, (1, 2): 3, (0, 2): 4, (0, 1): 5}
SVE = (slice(None), None, None, None)  # a value for each SVE beside a field (sve, x, y, z)


class Point(NamedTuple):
    """A vector of the solver: nodal displacement (3, sve, x, y, z) in voxel edges and mean strain
    (6, sve); or forces and stress sum.
    """

    nodal: jax.Array
    mean: jax.Array


class Spectrum(NamedTuple):
    """What `element.fourier_gradient` gives: the Gram matrix (9, x, y, z//2+1) and the products of
    the mean gradients (6, x, y, z//2+1).
    """

    gram: jax.Array
    bulk: jax.Array


class Medium(NamedTuple):
    """Inverses: six entries (PAIRS) of the Fourier symbol, each (sve, x, y, z//2+1), and the
    compliance (6, 6, sve).
    """

    symbol: tuple[jax.Array, ...]
    compliance: jax.Array


def spectrum(shape: tuple[int, int, int], dtype: str) -> Spectrum:
    """The spectrum of a grid of `shape` voxels; made once for each shape."""
    gram, mean = element.fourier_gradient(shape)
    gram = gram.reshape(9, *gram.shape[2:])
    bulk = np.stack([mean[i] * mean[k] for i, k in PAIRS])
    return Spectrum(jnp.asarray(gram, dtype), jnp.asarray(bulk, dtype))


def homogeneous_medium(
    bulk: jax.Array,
    deviatoric: jax.Array,
    free: jax.Array,
    shape: tuple[int, ...],
    waves: Spectrum,
) -> Medium:
    """Inverse of media of bulk modulus (sve,) and stiffness on deviators (5, 5, sve); `free` (6,)
    is 1 where the mean stress is given.
    """
    # numbers near 1, whatever the unit, keep determinants within float32
    scale = bulk + jnp.trace(deviatoric) / 5
    scale = jnp.where(scale > 0, scale, 1.0)
    bulk = bulk / scale
    basis = jnp.asarray(DEVIATORIC_BASIS, bulk.dtype)
    stiffness = jnp.einsum("ai,abs,bj->ijs", basis, deviatoric / scale, basis)
    symbol = (
        jnp.einsum("rcs,cxyz->rsxyz", _pair_tensor(stiffness), waves.gram)
        + bulk[SVE] * waves.bulk[:, None]
    )
    stiffness = stiffness + bulk * jnp.asarray(np.outer(TRACE, TRACE), bulk.dtype)[..., None]
    both = free[:, None] * free
    # the given strains apart, as a unit block
    block = stiffness * both[..., None] + jnp.diag(1 - free)[..., None]
    compliance = jnp.moveaxis(jnp.linalg.inv(jnp.moveaxis(block, -1, 0)), 0, -1) * both[..., None]
    return Medium(_symmetric_inverse(symbol, scale[SVE]), compliance / (scale * np.prod(shape)))


def precondition(r: Point, medium: Medium) -> Point:
    """The displacement and mean strain that the forces and stress sum `r` cause in the homogeneous
    medium.
    """
    a, b, c, d, e, f = medium.symbol
    x, y, z = jnp.fft.rfftn(r.nodal, axes=element.GRID)
    waves = [a * x + d * y + e * z, d * x + b * y + f * z, e * x + f * y + c * z]
    nodal = jnp.fft.irfftn(jnp.stack(waves), s=r.nodal.shape[-3:], axes=element.GRID)
    return Point(nodal, jnp.einsum("ijs,js->is", medium.compliance, r.mean))


def _pair_tensor(stiffness: jax.Array) -> jax.Array:
    """C_ijkl of a Mandel stiffness (6, 6, sve) as (6 PAIRS ik, 9 pairs jl, sve): the contraction
    with the Gram matrix.
    """

    def entry(i: int, j: int, k: int, m: int) -> jax.Array:
        shears = (i != j) + (k != m)
        return stiffness[
            MANDEL_INDEX[min(i, j), max(i, j)], MANDEL_INDEX[min(k, m), max(k, m)]
        ] * 2 ** (-shears / 2)

    return jnp.stack(
        [jnp.stack([entry(i, j, k, m) for j in range(3) for m in range(3)]) for i, k in PAIRS]
    )


def _symmetric_inverse(symbol: jax.Array, scale: jax.Array) -> tuple[jax.Array, ...]:
    """Inverse of `scale` times the symmetric 3x3 matrices with entries PAIRS, (6, sve, x, y, z);
    zero at frequency zero.
    """
    a, b, c, d, e, f = symbol
    cofactors = [
        b * c - f * f,
        a * c - e * e,
        a * b - d * d,
        e * f - c * d,
        d * f - b * e,
        d * e - a * f,
    ]
    determinant = (
        ((a * cofactors[0] + d * cofactors[3] + e * cofactors[4]) * scale).at[:, 0, 0, 0].set(1.0)
    )
    return tuple(cofactor.at[:, 0, 0, 0].set(0.0) / determinant for cofactor in cofactors)
