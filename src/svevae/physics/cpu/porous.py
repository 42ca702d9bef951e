"""The law of `svevae.physics.porous` at the Gauss points of one row of voxels.

MISES and PRESSURE are of the trial stress; SLIP is the multiplier k.
"""

from __future__ import annotations

import numpy as np

from svevae.physics.cpu.element import DILATATION, GAUSS_POINTS
from svevae.physics.cpu.plasticity import (
    ACCUMULATED,
    BEGINS,
    BULK,
    DILATANCY,
    HARDENING,
    HARDER,
    ISOTROPIC,
    MISES,
    MOST,
    PRESSURE,
    S0,
    SHEAR,
    SLIP,
    SPHERICAL,
    TABLE,
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
    """Trial stresses at GAUSS_POINTS, instead of strains; MISES, PRESSURE, SLIP and HARDER of the
    return from them.
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
        if len(material) > TABLE:
            _find_line(t, material, strain)
            for _ in range(MOST):
                if not _improve_on_line(t, material):
                    break
        else:
            for _ in range(MOST):
                if not _improve(t, material, strain):
                    break


@kernel
def _equivalent(k, q, p, shear, bulk, a):
    """Equivalent stress at the multiplier k, and how fast it falls."""
    number = type(k)
    zero, one, three, nine = number(0), number(1), number(3), number(9)
    soft, softer = one + three * shear * k, one + nine * a * bulk * k
    deviatoric, spherical = q / soft, p / softer
    equivalent = np.sqrt((deviatoric * deviatoric + nine * a * spherical * spherical) / (one + a))
    some = equivalent if equivalent > zero else one
    falls = three * shear * deviatoric * deviatoric / soft
    falls += number(81) * a * a * bulk * spherical * spherical / softer
    falls /= (one + a) * some
    return equivalent, falls


@kernel
def _stepped(k, a, equivalent, falls, flow, harder):
    """The multiplier after a step of Newton's method on the flow stress over the equivalent stress,
    which is nearly linear in it.
    """
    number = type(k)
    zero, one = number(0), number(1)
    some = equivalent if equivalent > zero else one
    rise = harder * (one + a) * (equivalent - falls * k) + falls * flow / some
    going = rise > zero and (k > zero or equivalent > flow)
    new = k + (equivalent - flow) / (rise if going else one)
    new = new if new > zero else zero
    return new if going else k


@kernel
def _far(k, equivalent, flow, tolerance):
    """1 where the equivalent stress is not near the flow stress, or is above it without a slip."""
    number = type(k)
    far = equivalent - flow
    far = -far if k > number(0) and far < number(0) else far
    return 1 if far > tolerance else 0


@kernel
def _improve(t, material, strain):
    """One step for SLIP under Voce's law; whether any Gauss point was not done. HARDER is that
    before the step.
    """
    number = type(t[0])
    zero, one, tolerance = number(0), number(1), number(8 * np.finfo(t.dtype).eps)
    unfinished = 0
    for k in range(ROW):
        slip, a, Q_, b = t[SLIP + k], material[DILATANCY + k], material[Q + k], material[B + k]
        equivalent, falls = _equivalent(
            slip,
            t[MISES + k],
            t[PRESSURE + k],
            material[SHEAR + k],
            material[BULK + k],
            a,
        )
        s0, least = material[S0 + k], number(WEAKEST) * material[SHEAR + k]
        s0 = s0 if s0 > least else least
        left = Q_ * (one - strain[HARDENING + k])
        gone = left * saturation(b * (one + a) * slip * equivalent)
        flow, harder = s0 + Q_ * strain[HARDENING + k] + gone, b * (left - gone)
        strength = (s0 if np.isfinite(s0) else zero) + Q_
        unfinished += _far(slip, equivalent, flow, tolerance * (equivalent + strength))
        t[SLIP + k] = _stepped(slip, a, equivalent, falls, flow, harder)
        t[HARDER + k] = harder
    return unfinished > 0


@kernel
def _find_line(t, material, strain):
    """BEGINS and HARDER of the line that the return ends on, and as SLIP where to begin on it: see
    `svevae.physics.porous`.

    HARDER first counts the points of the table that the return goes beyond, the first ones.
    """
    number = type(t[0])
    zero, one, three, nine = number(0), number(1), number(3), number(9)
    least = number(WEAKEST)
    for k in range(ROW):
        t[HARDER + k] = zero
    for point in range(TABLE, len(material), 3 * ROW):
        ahead = 0
        for k in range(ROW):
            ahead += 1 if material[point + k] > strain[HARDENING + k] else 0
        if ahead == 0:
            for k in range(ROW):
                t[HARDER + k] += one
            continue
        beyond = 0
        for k in range(ROW):
            shear, a, stress = (
                material[SHEAR + k],
                material[DILATANCY + k],
                material[point + ROW + k],
            )
            bulk, way = material[BULK + k], material[point + k] - strain[HARDENING + k]
            stress = stress if stress > least * shear else least * shear
            # the multiplier is way / (one + a) / stress
            scale = (one + a) * stress
            deviatoric = t[MISES + k] * scale / (scale + three * shear * way)
            spherical = t[PRESSURE + k] * scale / (scale + nine * a * bulk * way)
            square = deviatoric * deviatoric + nine * a * spherical * spherical
            more = one if way <= zero or square > scale * stress else zero
            t[HARDER + k] += more
            beyond += 1 if more > zero else 0
        if beyond == 0:
            break
    for k in range(ROW):
        point = TABLE + (int(t[HARDER + k]) - 1) * 3 * ROW + k
        stress, floor = material[point + ROW], least * material[SHEAR + k]
        stress = stress if stress > floor else floor
        way, slope = material[point] - strain[HARDENING + k], material[point + 2 * ROW]
        t[SLIP + k] = way / ((one + material[DILATANCY + k]) * stress) if way > zero else zero
        t[BEGINS + k] = stress - slope * way
        t[HARDER + k] = slope


@kernel
def _improve_on_line(t, material):
    """One step for SLIP on the line of a table; whether any Gauss point was not done."""
    number = type(t[0])
    zero, one, tolerance = number(0), number(1), number(8 * np.finfo(t.dtype).eps)
    unfinished = 0
    for k in range(ROW):
        slip, a, harder = t[SLIP + k], material[DILATANCY + k], t[HARDER + k]
        equivalent, falls = _equivalent(
            slip,
            t[MISES + k],
            t[PRESSURE + k],
            material[SHEAR + k],
            material[BULK + k],
            a,
        )
        begins = t[BEGINS + k]
        flow = begins + harder * (one + a) * slip * equivalent
        strength = abs(begins) if np.isfinite(begins) else zero
        unfinished += _far(slip, equivalent, flow, tolerance * (equivalent + strength))
        t[SLIP + k] = _stepped(slip, a, equivalent, falls, flow, harder)
    return unfinished > 0


@kernel
def elliptic_tangent(s, material, tangent):
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
        t, flow = s[g * STRIDE :], tangent[g * ROW :]
        for k in range(ROW):
            q, p, slip = t[MISES + k], t[PRESSURE + k], t[SLIP + k]
            shear, bulk, a = material[SHEAR + k], material[BULK + k], material[DILATANCY + k]
            equivalent, falls = _equivalent(slip, q, p, shear, bulk, a)
            harder = t[HARDER + k]
            slope = falls * (one - harder * (one + a) * slip) + harder * (one + a) * equivalent
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
    one, three, nine = number(1), number(3), number(9)
    tabulated = len(material) > TABLE
    for g in range(8):
        t, strain, mean = s[g * STRIDE :], state[g * ROW :], state[ACCUMULATED:]
        for k in range(ROW):
            q, p, slip = t[MISES + k], t[PRESSURE + k], t[SLIP + k]
            shear, bulk, a = material[SHEAR + k], material[BULK + k], material[DILATANCY + k]
            equivalent, _ = _equivalent(slip, q, p, shear, bulk, a)
            shrink, spherical = (
                one / (one + three * shear * slip),
                one / (one + nine * a * bulk * slip),
            )
            along = number(1.5) * slip * shrink
            for c in range(5):
                strain[8 * c * ROW + k] += along * t[GAUSS_POINTS + 8 * c * STRIDE + k]
            strain[VOLUME + k] += nine * a * slip * spherical * p
            grown = (one + a) * slip * equivalent
            if tabulated:
                strain[HARDENING + k] += grown
            else:
                left = one - strain[HARDENING + k]
                strain[HARDENING + k] += left * saturation(material[B + k] * grown)
            mean[k] += number(1 / 8) * grown
