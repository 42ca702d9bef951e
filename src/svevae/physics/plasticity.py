"""J2 plasticity with isotropic hardening, integrated by the radial return, and its consistent
tangent.

Simo and Hughes, Computational Inelasticity (1998), section 3.3. Deviators are five numbers in
`elasticity.DEVIATORIC_BASIS`, so arrays are (5, gauss, sve, x, y, z), scalars (gauss, sve, x, y,
z). MPa.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp


class Constants(NamedTuple):
    """Material of every voxel: bulk and shear modulus (sve, x, y, z), and the Voce constants, each
    (sve or 1, x or 1, y or 1, z or 1).

    `dilatancy` is that of `svevae.physics.porous`, None where plastic flow keeps its volume;
    `hardening` (point, 3, sve or 1, x or 1, y or 1, z or 1) its table of plastic strain, flow
    stress and slope, None where Voce's law is taken.
    """

    bulk: jax.Array
    shear: jax.Array
    s0: jax.Array
    Q: jax.Array
    b: jax.Array
    dilatancy: jax.Array | None = None
    hardening: jax.Array | None = None


class PlasticState(NamedTuple):
    """Plastic strain deviator (5, 8, sve, x, y, z), accumulated plastic strain (8, sve, x, y, z),
    and plastic volume change of that shape, None where there can be none.
    """

    strain: jax.Array
    accumulated: jax.Array
    dilatation: jax.Array | None = None


class Tangent(NamedTuple):
    """Consistent tangent, from strain deviator and dilatation to stress deviator and mean stress:
    `isotropic` and `bulk` on a diagonal, less flow flow^T, of which `flow` is the deviator and
    `spherical` the rest, None where plastic flow keeps its volume.

    `isotropic`, `spherical` (8, sve, x, y, z), `flow` (5, 8, sve, x, y, z), `bulk` as either or
    without the first axis.
    """

    isotropic: jax.Array
    flow: jax.Array
    bulk: jax.Array
    spherical: jax.Array | None = None

    def __call__(self, deviator: jax.Array, dilatation: jax.Array) -> tuple[jax.Array, jax.Array]:
        along, mean = inner(self.flow, deviator), self.bulk * dilatation
        if self.spherical is not None:
            along = along + self.spherical * dilatation
            mean = mean - self.spherical * along
        return self.isotropic * deviator - self.flow * along, mean


def inner(a: jax.Array, b: jax.Array) -> jax.Array:
    """Scalar product over the first axis, which is short: unrolled, since XLA reduces short axes
    slowly on a CPU.
    """
    return sum((a[i] * b[i] for i in range(1, len(a))), a[0] * b[0])


def radial_return(
    deviator: jax.Array, state: PlasticState, constants: Constants
) -> tuple[jax.Array, Tangent, PlasticState]:
    """Stress deviator, consistent tangent and new state at the strain `deviator` (5, 8, sve, x, y,
    z).
    """
    bulk, shear, s0, Q, b, *_ = constants
    trial = 2 * shear * (deviator - state.strain)
    squared = inner(trial, trial)
    norm = jnp.sqrt(jnp.where(squared > 0, squared, 1.0))
    q = jnp.sqrt(1.5) * jnp.where(squared > 0, norm, 0.0)
    left = Q * jnp.exp(-b * state.accumulated)  # hardening still to come
    flow_stress = s0 + Q - left
    slip = _plastic_increment(q, flow_stress, left, shear, b)
    plastic = slip > 0
    ratio = jnp.where(plastic, slip / jnp.where(plastic, q, 1.0), 0.0)
    slope = 3 * shear + b * left * jnp.exp(-b * slip)
    isotropic = 2 * shear * (1 - 3 * shear * ratio)
    drop = jnp.where(plastic, 6 * shear**2 * (1 / jnp.where(plastic, slope, 1.0) - ratio), 0.0)
    direction = trial / norm
    tangent = Tangent(isotropic, jnp.sqrt(jnp.maximum(drop, 0.0)) * direction, bulk)
    new = PlasticState(state.strain + jnp.sqrt(1.5) * slip * direction, state.accumulated + slip)
    return (1 - 3 * shear * ratio) * trial, tangent, new


def _plastic_increment(
    q: jax.Array, flow_stress: jax.Array, left: jax.Array, shear: jax.Array, b: jax.Array
) -> jax.Array:
    """The root dp >= 0 of q - 3 mu dp = flow stress after dp; 0 where elastic.

    The excess is convex and falls with dp, so Newton's method from 0 climbs to the root and never
    passes it.
    """
    tolerance = 8 * jnp.finfo(q.dtype).eps

    def excess(slip: jax.Array, rest: jax.Array) -> jax.Array:
        return q - flow_stress - 3 * shear * slip - (left - rest)

    def unfinished(carry: tuple[jax.Array, jax.Array, int]) -> jax.Array:
        slip, rest, count = carry
        return (count < 30) & (excess(slip, rest) > tolerance * q).any()

    def improve(carry: tuple[jax.Array, jax.Array, int]) -> tuple[jax.Array, jax.Array, int]:
        slip, rest, count = carry
        slope = 3 * shear + b * rest
        slip = jnp.maximum(slip + excess(slip, rest) / jnp.where(slope > 0, slope, 1.0), 0.0)
        return slip, left * jnp.exp(-b * slip), count + 1

    start = jnp.zeros_like(q), jnp.broadcast_to(left, q.shape), 0
    return jax.lax.while_loop(unfinished, improve, start)[0]
