"""The law of `svevae.physics.porous` at the Gauss points of one row of voxels.

MISES and PRESSURE are of the trial stress; SLIP is the multiplier k.
"""

from __future__ import annotations

import numpy as np

from svevae.physics.cpu.element import DILATATION, GAUSS_POINTS
from svevae.physics.cpu.plasticity import (
    ACCUMULATED,
    BULK,
    DILATANCY,
    HARDENING,
    ISOTROPIC,
    MISES,
    MOST,
    PRESSURE,
    S0,
    SHEAR,
    SLIP,
    SPHERICAL,
    TANGENT_BULK,
    VOLUME,
    B,
    Q,
    add_mean_tangent,
    saturation,
)
from svevae.physics.cpu.rows import ROW, STRIDE, kernel
from svevae.physics.elasticity import WEAKEST


@kernel
def elliptic_return(s, material, state):
    """Trial stresses at GAUSS_POINTS, instead of strains; MISES, PRESSURE and SLIP of the return
    from them.
    """
    number = s.dtype.type
    two, root, zero = number(2), number(1.5**0.5), number(0)
    for g in range(8):
        t, strain = s[g * STRIDE :], state[g * ROW :]
        for k in range(ROW):
            twice = two * material[SHEAR + k]
            a = twice * (t[GAUSS_POINTS + k] - strain[k])
            b = twice * (t[GAUSS_POINTS + 8 * STRIDE + k] - strain[8 * ROW + k])
            c = twice * (t[GAUSS_POINTS + 16 * STRIDE + k] - strain[16 * ROW + k])
            d = twice * (t[GAUSS_POINTS + 24 * STRIDE + k] - strain[24 * ROW + k])
            e = twice * (t[GAUSS_POINTS + 32 * STRIDE + k] - strain[32 * ROW + k])
            t[GAUSS_POINTS + k], t[GAUSS_POINTS + 8 * STRIDE + k] = a, b
            t[GAUSS_POINTS + 16 * STRIDE + k], t[GAUSS_POINTS + 24 * STRIDE + k] = c, d
            t[GAUSS_POINTS + 32 * STRIDE + k] = e
            t[MISES + k] = root * np.sqrt(a * a + b * b + c * c + d * d + e * e)
            t[PRESSURE + k] = material[BULK + k] * (s[DILATATION + k] - strain[VOLUME + k])
            t[SLIP + k] = zero
        for _ in range(MOST):
            if not _improve(t, material, strain):
                break


@kernel
def _at(k, q, p, shear, bulk, a, s0, Q, b, hardening):
    """Equivalent and flow stress at the multiplier k, how fast the one falls, how fast the other
    rises with the plastic strain, and the slope of their difference, downwards.
    """
    number = type(k)
    zero, one, three, nine = number(0), number(1), number(3), number(9)
    soft, softer = one + three * shear * k, one + nine * a * bulk * k
    deviatoric, spherical = q / soft, p / softer
    equivalent = np.sqrt((deviatoric * deviatoric + nine * a * spherical * spherical) / (one + a))
    some = equivalent if equivalent > zero else one
    falls = three * shear * deviatoric * deviatoric / soft
    falls += number(81) * a * a * bulk * spherical * spherical / softer
    falls /= (one + a) * some
    left = Q * (one - hardening)
    gone = left * saturation(b * (one + a) * k * equivalent)
    harder = b * (left - gone)
    slope = falls * (one - harder * (one + a) * k) + harder * (one + a) * equivalent
    return equivalent, s0 + Q * hardening + gone, falls, harder, slope


@kernel
def _flow_stress(material, k):
    """The yield stress s0 of a voxel, a little of it where it is none."""
    least = type(material[0])(WEAKEST) * material[SHEAR + k]
    s0 = material[S0 + k]
    return s0 if s0 > least else least


@kernel
def _improve(t, material, strain):
    """One step of Newton's method for SLIP, on the flow stress over the equivalent stress, which is
    nearly linear in it; whether any Gauss point was not done.
    """
    number = type(t[0])
    zero, one = number(0), number(1)
    tolerance = number(8) * number(np.finfo(t.dtype).eps)
    unfinished = 0
    for k in range(ROW):
        slip, s0 = t[SLIP + k], _flow_stress(material, k)
        equivalent, flow, falls, _, slope = _at(
            slip,
            t[MISES + k],
            t[PRESSURE + k],
            material[SHEAR + k],
            material[BULK + k],
            material[DILATANCY + k],
            s0,
            material[Q + k],
            material[B + k],
            strain[HARDENING + k],
        )
        strength = (s0 if np.isfinite(s0) else zero) + material[Q + k]
        far = equivalent - flow
        over = far > zero
        far = -far if slip > zero and not over else far
        unfinished += 1 if far > tolerance * (equivalent + strength) else 0
        some = equivalent if equivalent > zero else one
        rise = slope - falls + falls * flow / some
        going = rise > zero and (slip > zero or over)
        new = slip + (equivalent - flow) / (rise if going else one)
        new = new if new > zero else zero
        t[SLIP + k] = new if going else slip
    return unfinished > 0


@kernel
def elliptic_tangent(s, material, state, tangent):
    """Stress at GAUSS_POINTS and mean stress at DILATATION from the trial stress after
    `elliptic_return`; its tangent, added to MEAN_TANGENT.
    """
    number = s.dtype.type
    zero, one, two, three = number(0), number(1), number(2), number(3)
    nine, root, eighth = number(9), number(6**0.5), number(1 / 8)
    for k in range(ROW):
        s[DILATATION + k] = zero
        tangent[TANGENT_BULK + k] = zero
    for g in range(8):
        t, strain, flow = s[g * STRIDE :], state[g * ROW :], tangent[g * ROW :]
        for k in range(ROW):
            q, p, slip = t[MISES + k], t[PRESSURE + k], t[SLIP + k]
            shear, bulk, a = material[SHEAR + k], material[BULK + k], material[DILATANCY + k]
            equivalent, _, _, harder, slope = _at(
                slip,
                q,
                p,
                shear,
                bulk,
                a,
                _flow_stress(material, k),
                material[Q + k],
                material[B + k],
                strain[HARDENING + k],
            )
            shrink, spherical = (
                one / (one + three * shear * slip),
                one / (one + nine * a * bulk * slip),
            )
            plastic = slip > zero
            share = (one - harder * (one + a) * slip) / (
                slope * (one + a) * equivalent if plastic else one
            )
            share = np.sqrt(share) if plastic and share > zero else zero
            # the trial deviator is q sqrt(2/3) long
            along = share * root * shear * shrink * shrink * number(1.5**0.5)
            for c in range(5):
                value = t[GAUSS_POINTS + 8 * c * STRIDE + k]
                flow[8 * c * ROW + k] = along * value
                t[GAUSS_POINTS + 8 * c * STRIDE + k] = shrink * value
            flow[ISOTROPIC + k] = two * shear * shrink
            flow[SPHERICAL + k] = share * nine * a * bulk * spherical * spherical * p
            tangent[TANGENT_BULK + k] += eighth * bulk * spherical
            s[DILATATION + k] += eighth * spherical * p
        add_mean_tangent(s, flow)


@kernel
def commit_porous(s, material, state):
    """Let the state follow `elliptic_return`."""
    number = s.dtype.type
    zero, one, three, nine = number(0), number(1), number(3), number(9)
    for g in range(8):
        t, strain, mean = s[g * STRIDE :], state[g * ROW :], state[ACCUMULATED:]
        for k in range(ROW):
            q, p, slip = t[MISES + k], t[PRESSURE + k], t[SLIP + k]
            shear, bulk, a = material[SHEAR + k], material[BULK + k], material[DILATANCY + k]
            equivalent, _, _, _, _ = _at(slip, q, p, shear, bulk, a, zero, zero, zero, zero)
            shrink, spherical = (
                one / (one + three * shear * slip),
                one / (one + nine * a * bulk * slip),
            )
            along = number(1.5) * slip * shrink
            for c in range(5):
                strain[8 * c * ROW + k] += along * t[GAUSS_POINTS + 8 * c * STRIDE + k]
            strain[VOLUME + k] += nine * a * slip * spherical * p
            grown = (one + a) * slip * equivalent
            left = one - strain[HARDENING + k]
            strain[HARDENING + k] += left * saturation(material[B + k] * grown)
            mean[k] += number(1 / 8) * grown
