"""Plasticity of a porous metal as a whole, which does not keep its volume: yield in an ellipse of
shear and mean stress.

V. S. Deshpande and N. A. Fleck, J. Mech. Phys. Solids 48 (2000) 1253: the equivalent stress is

    sqrt((q^2 + 9 a p^2) / (1 + a)),    a = (1/2 - nu_p) / (1 + nu_p),

q the von Mises and p the mean stress, nu_p the plastic Poisson's ratio: lateral over axial plastic
strain under uniaxial tension, where the equivalent stress is the stress and the accumulated plastic
strain that along the axis, whatever nu_p is. Arrays as in `plasticity`.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from svevae.physics.elasticity import WEAKEST
from svevae.physics.plasticity import Constants, PlasticState, Tangent, inner


def elliptic_return(
    deviator: jax.Array, dilatation: jax.Array, state: PlasticState, constants: Constants
) -> tuple[jax.Array, jax.Array, Tangent, PlasticState]:
    """Stress deviator, mean stress (8, sve, x, y, z), consistent tangent and new state at the
    strain `deviator` (5, 8, sve, x, y, z) and `dilatation` (sve, x, y, z).

    With k the plastic increment over (1 + a) times the equivalent stress, the trial stresses shrink
    to 1 / (1 + 3 mu k) and 1 / (1 + 9 a K k) of themselves; k is where that meets the flow stress.
    """
    bulk, shear, _, _, _, a = constants
    assert a is not None  # else `plasticity.radial_return` is called
    assert state.dilatation is not None
    trial, pressure = 2 * shear * (deviator - state.strain), bulk * (dilatation - state.dilatation)
    squared = inner(trial, trial)
    norm = jnp.sqrt(jnp.where(squared > 0, squared, 1.0))
    direction, q = trial / norm, jnp.sqrt(1.5) * jnp.where(squared > 0, norm, 0.0)
    k, equivalent, slope, harder = _multiplier(q, pressure, state.accumulated, constants)
    shrink, spherical = 1 / (1 + 3 * shear * k), 1 / (1 + 9 * a * bulk * k)
    slip = (1 + a) * k * equivalent
    plastic = k > 0
    share = jnp.where(
        plastic,
        (1 - harder * (1 + a) * k) / jnp.where(plastic, slope * (1 + a) * equivalent, 1.0),
        0.0,
    )
    root = jnp.sqrt(jnp.maximum(share, 0.0))
    flow = root * jnp.sqrt(6.0) * shear * shrink**2 * q * direction
    tangent = Tangent(
        2 * shear * shrink, flow, bulk * spherical, root * 9 * a * bulk * spherical**2 * pressure
    )
    stress, mean = shrink * trial, spherical * pressure
    new = PlasticState(
        state.strain + 1.5 * k * stress,
        state.accumulated + slip,
        state.dilatation + 9 * a * k * mean,
    )
    return stress, mean, tangent, new


def _multiplier(
    q: jax.Array, pressure: jax.Array, accumulated: jax.Array, constants: Constants
) -> tuple[jax.Array, ...]:
    """k >= 0, the equivalent stress there, how fast its excess over the flow stress falls with k,
    and how fast the flow stress rises with the plastic strain.

    Newton's method on the flow stress over the equivalent stress, which is nearly linear in k.
    """
    bulk, shear, s0, Q, b, a = constants
    assert a is not None
    s0 = jnp.maximum(s0, WEAKEST * shear)
    left = Q * jnp.exp(-b * accumulated)
    tolerance, strength = 8 * jnp.finfo(q.dtype).eps, jnp.where(jnp.isfinite(s0), s0, 0.0) + Q

    def at(k: jax.Array) -> tuple[jax.Array, ...]:
        deviatoric, spherical = q / (1 + 3 * shear * k), pressure / (1 + 9 * a * bulk * k)
        equivalent = jnp.sqrt((deviatoric**2 + 9 * a * spherical**2) / (1 + a))
        some = jnp.where(equivalent > 0, equivalent, 1.0)
        falls = (
            (
                3 * shear * deviatoric**2 / (1 + 3 * shear * k)
                + 81 * a**2 * bulk * spherical**2 / (1 + 9 * a * bulk * k)
            )
            / (1 + a)
            / some
        )
        rest = left * jnp.exp(-b * (1 + a) * k * equivalent)
        harder = b * rest
        slope = falls * (1 - harder * (1 + a) * k) + harder * (1 + a) * equivalent
        return equivalent, s0 + Q - rest, falls, harder, slope

    def unfinished(carry: tuple[jax.Array, int]) -> jax.Array:
        k, count = carry
        equivalent, flow_stress, *_ = at(k)
        far = jnp.where(k > 0, jnp.abs(equivalent - flow_stress), equivalent - flow_stress)
        return (count < 30) & (far > tolerance * (equivalent + strength)).any()

    def improve(carry: tuple[jax.Array, int]) -> tuple[jax.Array, int]:
        k, count = carry
        equivalent, flow_stress, falls, _, slope = at(k)
        some = jnp.where(equivalent > 0, equivalent, 1.0)
        # d/dk (flow stress / equivalent) = (slope - falls + falls flow stress / equivalent) /
        # equivalent
        rise = slope - falls + falls * flow_stress / some
        going = (rise > 0) & ((k > 0) | (equivalent > flow_stress))
        return (
            jnp.where(
                going,
                jnp.maximum(k + (equivalent - flow_stress) / jnp.where(going, rise, 1.0), 0.0),
                k,
            ),
            count + 1,
        )

    k, _ = jax.lax.while_loop(unfinished, improve, (jnp.zeros_like(q), 0))
    equivalent, _, _, harder, slope = at(k)
    return k, equivalent, slope, harder
