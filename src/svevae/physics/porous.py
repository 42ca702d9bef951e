"""Plasticity of a porous metal as a whole, which does not keep its volume: yield in an ellipse of
shear and mean stress.

V. S. Deshpande and N. A. Fleck, J. Mech. Phys. Solids 48 (2000) 1253: the equivalent stress is

    sqrt((q^2 + 9 a p^2) / (1 + a)),    a = (1/2 - nu_p) / (1 + nu_p),

q the von Mises and p the mean stress, nu_p the plastic Poisson's ratio: lateral over axial plastic
strain under uniaxial tension, where the equivalent stress is the stress and the accumulated plastic
strain that along the axis, whatever nu_p is. It hardens by Voce's law or by a table
(`svevae.physics.hardening`). Arrays as in `plasticity`.
"""

from __future__ import annotations

from collections.abc import Callable

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

    The tangent is exact where the slope of the hardening times the plastic increment is at most the
    flow stress, as under all concave hardening. Elsewhere, which a step over a convex corner of a
    table may reach, its rank-one part would add stiffness, and is left out.
    """
    bulk, shear, a = constants.bulk, constants.shear, constants.dilatancy
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


# flow stress, and how fast it rises, after more plastic strain
Flow = Callable[[jax.Array], tuple[jax.Array, jax.Array]]


def _multiplier(
    q: jax.Array, pressure: jax.Array, accumulated: jax.Array, constants: Constants
) -> tuple[jax.Array, ...]:
    """k >= 0, the equivalent stress there, how fast its excess over the flow stress falls with k,
    and how fast the flow stress rises with the plastic strain.

    Newton's method on the flow stress over the equivalent stress, which is nearly linear in k.
    """
    a = constants.dilatancy
    assert a is not None
    if constants.hardening is None:
        start, strength, flow = _voce(q, accumulated, constants)
    else:
        start, strength, flow = _line(q, pressure, accumulated, constants)
    tolerance = 8 * jnp.finfo(q.dtype).eps

    def at(k: jax.Array) -> tuple[jax.Array, ...]:
        equivalent, falls = _equivalent(k, q, pressure, constants)
        flow_stress, harder = flow((1 + a) * k * equivalent)
        slope = falls * (1 - harder * (1 + a) * k) + harder * (1 + a) * equivalent
        return equivalent, flow_stress, falls, harder, slope

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

    k, _ = jax.lax.while_loop(unfinished, improve, (start, 0))
    equivalent, _, _, harder, slope = at(k)
    return k, equivalent, slope, harder


def _equivalent(
    k: jax.Array, q: jax.Array, pressure: jax.Array, constants: Constants
) -> tuple[jax.Array, jax.Array]:
    """Equivalent stress at the multiplier k, and how fast it falls."""
    bulk, shear, a = constants.bulk, constants.shear, constants.dilatancy
    assert a is not None
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
    return equivalent, falls


def _voce(
    q: jax.Array, accumulated: jax.Array, constants: Constants
) -> tuple[jax.Array, jax.Array, Flow]:
    """Where to begin, the largest flow stress, and the flow stress of Voce's law."""
    Q, b = constants.Q, constants.b
    s0 = jnp.maximum(constants.s0, WEAKEST * constants.shear)
    left = Q * jnp.exp(-b * accumulated)

    def flow(slip: jax.Array) -> tuple[jax.Array, jax.Array]:
        rest = left * jnp.exp(-b * slip)
        return s0 + Q - rest, b * rest

    return jnp.zeros_like(q), jnp.where(jnp.isfinite(s0), s0, 0.0) + Q, flow


def _line(
    q: jax.Array, pressure: jax.Array, accumulated: jax.Array, constants: Constants
) -> tuple[jax.Array, jax.Array, Flow]:
    """The line of the table that the return ends on: where to begin on it, its flow stress at
    `accumulated`, and the flow stress along it.

    At the multiplier that would bring a Gauss point to a point of the table, an equivalent stress
    above the flow stress says that the return goes beyond: the excess falls with the multiplier,
    so it ends on the line that begins at the last such point.
    """
    a, table = constants.dilatancy, constants.hardening
    assert a is not None
    assert table is not None

    def follow(before: tuple[jax.Array, ...], point: jax.Array) -> tuple[tuple, None]:
        strain, stress, slope = point
        stress = jnp.maximum(stress, WEAKEST * constants.shear)
        ahead = strain - accumulated
        k = jnp.where(ahead > 0, ahead / ((1 + a) * stress), 0.0)
        beyond = (ahead <= 0) | (_equivalent(k, q, pressure, constants)[0] > stress)
        here = k, stress - slope * ahead, slope
        return tuple(jnp.where(beyond, *pair) for pair in zip(here, before, strict=True)), None

    (start, begins, slope), _ = jax.lax.scan(follow, (jnp.zeros_like(q),) * 3, table)
    strength = jnp.where(jnp.isfinite(begins), jnp.abs(begins), 0.0)
    return start, strength, lambda slip: (begins + slope * slip, jnp.broadcast_to(slope, q.shape))
