"""The laws of `svevae.physics.plasticity` and `porous` at the Gauss points of one row of voxels.

Rows of the solver's own, in the words of `Constants`, `PlasticState` and `Tangent`.
"""

from __future__ import annotations

import numpy as np

from svevae.physics.cpu.element import DILATATION, GAUSS_POINTS, SCRATCH_ROWS
from svevae.physics.cpu.rows import ROW, STRIDE, kernel

# rows of the material: bulk and shear modulus, s0, Q, b, of a porous one its dilatancy, and where
# it hardens by a table plastic strain, flow stress and slope at each point
BULK, SHEAR, S0, Q, B, DILATANCY, TABLE = range(0, 7 * ROW, ROW)
# of the state: eight for each of five deviators of plastic strain; 1 - exp(-b p), or p where there
# is a table, eight; the mean p of the voxel; volume, eight
HARDENING, ACCUMULATED, VOLUME = 40 * ROW, 48 * ROW, 49 * ROW
STATE_ROWS, POROUS_STATE_ROWS = 49, 57
# of the tangent: flow, as the plastic strain, then isotropic, bulk, spherical
ISOTROPIC, TANGENT_BULK, SPHERICAL = 40 * ROW, 48 * ROW, 49 * ROW
TANGENT_ROWS, POROUS_TANGENT_ROWS = 49, 57

# more rows of the scratch array
MEAN_TANGENT = SCRATCH_ROWS * STRIDE  # 16: sums of isotropic and of flow flow^T, lower triangle
MISES = (SCRATCH_ROWS + 16) * STRIDE  # 8: of the trial stress
EXCESS = (SCRATCH_ROWS + 24) * STRIDE  # 8: of that over the flow stress, 0 where it is below
SLIP = (SCRATCH_ROWS + 32) * STRIDE  # 8: growth of p
SLOPE = (SCRATCH_ROWS + 40) * STRIDE  # 8: of the excess over the slip, downwards
PRESSURE = (SCRATCH_ROWS + 48) * STRIDE  # 8: trial mean stress of a porous material
# 8 each, in place of two above: flow stress before the slip of the line that a table's return ends
# on, and how fast it rises, of any porous material
BEGINS, HARDER = EXCESS, SLOPE
_MEAN = (SCRATCH_ROWS + 56) * STRIDE
ALL_ROWS = SCRATCH_ROWS + 57
MOST = 30  # iterations of a return

# Taylor coefficients of (exp(x) - 1) / x
_SERIES = tuple(1 / float(np.prod(np.arange(2, n + 1))) for n in range(1, 14))


def law_scratch(dtype: str) -> np.ndarray:
    """A scratch array for the kernels with a law, one for each thread."""
    return np.zeros(ALL_ROWS * STRIDE, dtype)


@kernel
def saturation(x):
    """1 - exp(-x) for x >= 0, without a call, so that loops over it become vector instructions: a
    series at x / 256, doubled eight times.
    """
    number = type(x)
    y = -min(x, number(64.0)) * number(1 / 256)
    w = number(_SERIES[11])
    for n in range(10, -1, -1):
        w = w * y + number(_SERIES[n])
    w *= y
    for _ in range(8):
        w = w * (w + number(2.0))
    return -w


@kernel
def radial_return(s, material, state):
    """Trial stresses at GAUSS_POINTS, instead of strains, and mean stress at DILATATION; MISES,
    SLIP and SLOPE of the return from them.
    """
    for k in range(ROW):
        s[DILATATION + k] *= material[BULK + k]
    for g in range(8):
        if try_elastic(s, material, state, g):
            return_to_yield(s, material, state, g)


@kernel
def try_elastic(s, material, state, g):
    """Trial stress of a Gauss point, MISES and EXCESS; whether any is above 0. SLIP and SLOPE are a
    guess by the second order of the slip.
    """
    number = s.dtype.type
    two, half, zero, one = number(2), number(0.5), number(0), number(1)
    root, tolerance = number(1.5**0.5), number(8 * np.finfo(s.dtype).eps)
    t = s[g * STRIDE :]
    strain = state[g * ROW :]
    plastic = 0
    for k in range(ROW):
        twice = two * material[SHEAR + k]
        a = twice * (t[GAUSS_POINTS + k] - strain[k])
        b = twice * (t[GAUSS_POINTS + 8 * STRIDE + k] - strain[8 * ROW + k])
        c = twice * (t[GAUSS_POINTS + 16 * STRIDE + k] - strain[16 * ROW + k])
        d = twice * (t[GAUSS_POINTS + 24 * STRIDE + k] - strain[24 * ROW + k])
        e = twice * (t[GAUSS_POINTS + 32 * STRIDE + k] - strain[32 * ROW + k])
        t[GAUSS_POINTS + k], t[GAUSS_POINTS + 8 * STRIDE + k], t[GAUSS_POINTS + 16 * STRIDE + k] = (
            a,
            b,
            c,
        )
        t[GAUSS_POINTS + 24 * STRIDE + k], t[GAUSS_POINTS + 32 * STRIDE + k] = d, e
        q = root * np.sqrt(a * a + b * b + c * c + d * d + e * e)
        hard = material[Q + k] * strain[HARDENING + k]
        excess = q - material[S0 + k] - hard
        above = excess > tolerance * q
        excess = excess if above else zero
        plastic += 1 if above else 0
        curve = material[B + k] * (material[Q + k] - hard)
        slope = number(3) * material[SHEAR + k] + curve
        slope = slope if slope > zero else one
        slip = excess / slope
        slip *= one + half * material[B + k] * curve * slip / slope
        t[MISES + k], t[EXCESS + k] = q, excess
        t[SLIP + k], t[SLOPE + k] = slip, slope
    return plastic > 0


@kernel
def return_to_yield(s, material, state, g):
    """SLIP at which the stress meets the flow stress, and SLOPE there, by Newton's method.

    The excess is convex in the slip, so what is left of it after a step is at most half its second
    derivative times the step squared.
    """
    number = s.dtype.type
    half, zero, one, three = number(0.5), number(0), number(1), number(3)
    tolerance = number(8 * np.finfo(s.dtype).eps)
    t, hardening = s[g * STRIDE :], state[HARDENING + g * ROW :]
    for _ in range(MOST):
        unfinished = 0
        for k in range(ROW):
            slip, b = t[SLIP + k], material[B + k]
            left = material[Q + k] * (one - hardening[k])
            gone = left * saturation(b * slip)
            stiff = three * material[SHEAR + k]
            curve = b * (left - gone)
            slope = stiff + curve
            slope = slope if slope > zero else one
            step = (t[EXCESS + k] - stiff * slip - gone) / slope
            step = step if slip + step > zero else -slip
            t[SLIP + k] = slip + step
            t[SLOPE + k] = slope - b * curve * step
            unfinished += 1 if half * b * curve * step * step > tolerance * t[MISES + k] else 0
        if unfinished == 0:
            break


@kernel
def consistent_tangent(s, material, tangent):
    """Stress at GAUSS_POINTS from the trial stress after `radial_return`; its tangent, added to
    MEAN_TANGENT.
    """
    number = s.dtype.type
    zero, one, two, three = number(0), number(1), number(2), number(3)
    six, root = number(6), number(1.5**0.5)
    for k in range(ROW):
        tangent[TANGENT_BULK + k] = material[BULK + k]
    for g in range(8):
        t = s[g * STRIDE :]
        flow = tangent[g * ROW :]
        for k in range(ROW):
            q, slip, shear = t[MISES + k], t[SLIP + k], material[SHEAR + k]
            plastic = slip > zero
            some = q if plastic else one
            ratio = slip / some
            drop = six * shear * shear * (one / t[SLOPE + k] - ratio)
            drop = drop if plastic and drop > zero else zero
            shrink = one - three * shear * ratio
            along = root * np.sqrt(drop) / some
            a, b, c = (
                t[GAUSS_POINTS + k],
                t[GAUSS_POINTS + 8 * STRIDE + k],
                t[GAUSS_POINTS + 16 * STRIDE + k],
            )
            d, e = t[GAUSS_POINTS + 24 * STRIDE + k], t[GAUSS_POINTS + 32 * STRIDE + k]
            flow[k], flow[8 * ROW + k], flow[16 * ROW + k] = along * a, along * b, along * c
            flow[24 * ROW + k], flow[32 * ROW + k] = along * d, along * e
            flow[40 * ROW + k] = two * shear * shrink
            t[GAUSS_POINTS + k], t[GAUSS_POINTS + 8 * STRIDE + k] = shrink * a, shrink * b
            t[GAUSS_POINTS + 16 * STRIDE + k], t[GAUSS_POINTS + 24 * STRIDE + k] = (
                shrink * c,
                shrink * d,
            )
            t[GAUSS_POINTS + 32 * STRIDE + k] = shrink * e
        add_mean_tangent(s, flow)


@kernel
def commit(s, material, state):
    """Let the state follow the slip of `radial_return`: the plastic strain grows by sqrt(3/2) of it
    along the trial stress over its norm.
    """
    number = s.dtype.type
    zero, one = number(0), number(1)
    for g in range(8):
        t = s[g * STRIDE :]
        strain, mean = state[g * ROW :], state[ACCUMULATED : ACCUMULATED + ROW]
        for k in range(ROW):
            q, slip = t[MISES + k], t[SLIP + k]
            along = number(1.5) * slip / (q if q > zero else one)
            strain[k] += along * t[GAUSS_POINTS + k]
            strain[8 * ROW + k] += along * t[GAUSS_POINTS + 8 * STRIDE + k]
            strain[16 * ROW + k] += along * t[GAUSS_POINTS + 16 * STRIDE + k]
            strain[24 * ROW + k] += along * t[GAUSS_POINTS + 24 * STRIDE + k]
            strain[32 * ROW + k] += along * t[GAUSS_POINTS + 32 * STRIDE + k]
            left = one - strain[HARDENING + k]
            strain[HARDENING + k] += left * saturation(material[B + k] * slip)
            mean[k] += number(1 / 8) * slip


@kernel
def add_mean_tangent(s, flow):
    """Add flow flow^T and, 40 rows on, the isotropic part of a Gauss point to MEAN_TANGENT."""
    m = s[MEAN_TANGENT:]
    for k in range(ROW):
        a, b, c = flow[k], flow[8 * ROW + k], flow[16 * ROW + k]
        d, e = flow[24 * ROW + k], flow[32 * ROW + k]
        m[k] += flow[40 * ROW + k]
        m[STRIDE + k] += a * a
        m[2 * STRIDE + k] += b * a
        m[3 * STRIDE + k] += b * b
        m[4 * STRIDE + k] += c * a
        m[5 * STRIDE + k] += c * b
        m[6 * STRIDE + k] += c * c
        m[7 * STRIDE + k] += d * a
        m[8 * STRIDE + k] += d * b
        m[9 * STRIDE + k] += d * c
        m[10 * STRIDE + k] += d * d
        m[11 * STRIDE + k] += e * a
        m[12 * STRIDE + k] += e * b
        m[13 * STRIDE + k] += e * c
        m[14 * STRIDE + k] += e * d
        m[15 * STRIDE + k] += e * e


@kernel
def linear(s, tangent):
    """Replace the strains at GAUSS_POINTS, and DILATATION, by what `tangent` makes of them."""
    number = s.dtype.type
    porous = len(tangent) > TANGENT_ROWS * ROW
    if porous:
        for k in range(ROW):
            s[_MEAN + k] = number(0)
    for g in range(8):
        t = s[g * STRIDE :]
        flow = tangent[g * ROW :]
        if porous:
            sphere = tangent[SPHERICAL + g * ROW : SPHERICAL + (g + 1) * ROW]
            for k in range(ROW):
                a, b, c = (
                    t[GAUSS_POINTS + k],
                    t[GAUSS_POINTS + 8 * STRIDE + k],
                    t[GAUSS_POINTS + 16 * STRIDE + k],
                )
                d, e = t[GAUSS_POINTS + 24 * STRIDE + k], t[GAUSS_POINTS + 32 * STRIDE + k]
                along = flow[k] * a + flow[8 * ROW + k] * b + flow[16 * ROW + k] * c
                along += flow[24 * ROW + k] * d + flow[32 * ROW + k] * e
                along += sphere[k] * s[DILATATION + k]
                s[_MEAN + k] += sphere[k] * along
                isotropic = flow[40 * ROW + k]
                t[GAUSS_POINTS + k] = isotropic * a - flow[k] * along
                t[GAUSS_POINTS + 8 * STRIDE + k] = isotropic * b - flow[8 * ROW + k] * along
                t[GAUSS_POINTS + 16 * STRIDE + k] = isotropic * c - flow[16 * ROW + k] * along
                t[GAUSS_POINTS + 24 * STRIDE + k] = isotropic * d - flow[24 * ROW + k] * along
                t[GAUSS_POINTS + 32 * STRIDE + k] = isotropic * e - flow[32 * ROW + k] * along
        else:
            for k in range(ROW):
                a, b, c = (
                    t[GAUSS_POINTS + k],
                    t[GAUSS_POINTS + 8 * STRIDE + k],
                    t[GAUSS_POINTS + 16 * STRIDE + k],
                )
                d, e = t[GAUSS_POINTS + 24 * STRIDE + k], t[GAUSS_POINTS + 32 * STRIDE + k]
                along = flow[k] * a + flow[8 * ROW + k] * b + flow[16 * ROW + k] * c
                along += flow[24 * ROW + k] * d + flow[32 * ROW + k] * e
                isotropic = flow[40 * ROW + k]
                t[GAUSS_POINTS + k] = isotropic * a - flow[k] * along
                t[GAUSS_POINTS + 8 * STRIDE + k] = isotropic * b - flow[8 * ROW + k] * along
                t[GAUSS_POINTS + 16 * STRIDE + k] = isotropic * c - flow[16 * ROW + k] * along
                t[GAUSS_POINTS + 24 * STRIDE + k] = isotropic * d - flow[24 * ROW + k] * along
                t[GAUSS_POINTS + 32 * STRIDE + k] = isotropic * e - flow[32 * ROW + k] * along
    for k in range(ROW):
        s[DILATATION + k] *= tangent[TANGENT_BULK + k]
    if porous:
        for k in range(ROW):
            s[DILATATION + k] -= number(1 / 8) * s[_MEAN + k]
