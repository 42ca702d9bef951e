"""The knee of a porous metal: what its tension curve is between the few strains of its labels, and
the table of hardening that reproduces it.

Pores make a metal yield bit by bit: long before the bulk of it beside pores, where stress gathers,
so that the knee of its curve is round where that of the matrix is sharp. The labels have two or
three strains about the knee, and a ratio to the matrix's curve that is linear between them, as
`svevae.physics.voce.curve_at` takes it, is up to 12 % too strong there. So the ratio is taken to a
curve that is as round as the SVE's own:

    R = (1 - w) M + w S,    S = P x / (1 + x^n)^(1/n),    x = E strain / P,

M the matrix's curve, P its flow stress (s0 below yield), S the round knee of Richard and Abbott (J.
Eng. Mech. Div. ASCE 101 (1975) 511) between the two. n follows from what the SVE has lost at the
last strain before the matrix yields. w, the share of the matrix that pores disturb, grows with the
lost modulus, w = 1 - (E / E of the matrix)^SHARE, whose only constant is fitted: of 56 SVEs of
eight families of pores, in the metals that people print, that the solver pulled in fine steps,
curves are then 0.19 % off (root mean square; 0.7 % at their worst strain, 1.5 % at most), by the
matrix's alone 1.7 % (6 and 12 %): `python benchmarks/knee.py`. Numpy alone; stresses in MPa,
strains are fractions.
"""

from __future__ import annotations

import numpy as np

from svevae.physics.hardening import Hardening
from svevae.physics.voce import voce_curve

SHARE = 7.0
# of n: what is rounder is no knee, what is sharper the matrix's
ROUND, SHARP = 2.0, 60.0
BISECTIONS = 40
# between the strains of the labels, in units of the matrix's yield strain: fine about the knee,
# then in growing steps
ABOUT, STEP, GROWTH = (0.5, 1.5), 0.1, 1.3
# of another point to one of the labels
NEAR = 0.03
# how far a table goes, in the last strain of the labels
REACH = 5.0
# of each strain the least plastic share, so that those of a table grow
LEAST = 1e-4


def round_curve(
    strain: np.ndarray, stress: np.ndarray, modulus: np.ndarray, law: np.ndarray, at: np.ndarray
) -> np.ndarray:
    """Stress (..., any) at the strains `at` (any,) of curves (..., increment) at `strain`
    (increment,) that start at 0 with the slope `modulus` (...); `law` (5,) is the matrix's, (E, nu,
    s0, Q, b). Beyond the last strain the ratio to the round curve stays.
    """
    E, _, s0, Q, b = np.asarray(law, float)
    start = np.asarray(modulus, float)[..., None] / E
    share = 1 - np.clip(start, 0.0, 1.0) ** SHARE

    def reference(strain: np.ndarray, n: np.ndarray) -> np.ndarray:
        matrix = voce_curve(E, s0, Q, b, strain)
        flow = s0 - Q * np.expm1(-b * (strain - matrix / E))
        x = E * strain / flow
        return (1 - share) * matrix + share * E * strain * (1 + x**n) ** (-1 / n)

    n = np.full(start.shape, SHARP)
    if (before := np.flatnonzero(strain < s0 / E)).size:
        last = before[-1:]
        kept = stress[..., last] / np.where(start > 0, start, 1.0)
        low, high = np.full(start.shape, 1 / SHARP), np.full(start.shape, 1 / ROUND)
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            sharp = reference(strain[last], 1 / middle) > kept
            low, high = np.where(sharp, middle, low), np.where(sharp, high, middle)
        n = 2 / (low + high)
    ratio = np.append(start, stress / reference(strain, n), axis=-1)
    knots = np.append(0.0, strain)
    between = np.stack([np.interp(at, knots, one) for one in np.eye(len(knots))])
    return ratio @ between * reference(at, n)


def tension_table(
    strain: np.ndarray, stress: np.ndarray, modulus: np.ndarray, law: np.ndarray
) -> Hardening:
    """The hardening of materials of Young's `modulus` (sve, x, y, z) that answer to uniaxial
    tension as `round_curve` says: its arguments, with curves (sve, x, y, z, increment).

    The table has the strains of the labels among its points, so that there the curve is exact. It
    begins at half the first, as good as elastic, and goes on to REACH times the last, since parts
    strain more here and there than on average. Where there is no stiffness, there is no strength.
    """
    strain, modulus = np.asarray(strain, float), np.asarray(modulus, float)
    at = _points(strain, law[2] / law[0])
    solid = modulus > 0
    stress = np.maximum(stress, 0.0)
    # between two labels it stays between their stresses, so that theirs need not give way
    before, after = (np.searchsorted(strain, at, side) for side in ("right", "left"))
    ends = np.concatenate(
        [np.zeros_like(stress[..., :1]), stress, np.full_like(stress[..., :1], np.inf)], axis=-1
    )
    flow = np.clip(
        round_curve(strain, stress, modulus, law, at), ends[..., before], ends[..., 1 + after]
    )
    flow = np.where(solid[..., None], np.maximum.accumulate(flow, axis=-1), 0.0)
    plastic = at - flow / np.where(solid, modulus, 1.0)[..., None]
    plastic[..., 0] = 0.0
    least = LEAST * (at - at[0])
    return Hardening(np.maximum.accumulate(plastic - least, axis=-1) + least, flow)


def _points(strain: np.ndarray, unit: float) -> np.ndarray:
    """The total strains (point,) of a table: where it begins, those of the labels, and others that
    are near neither; `unit` is the matrix's yield strain.
    """
    far, given = REACH * strain[-1], np.append(min(strain[0], unit) / 2, strain)
    count = max(2, round(np.log(far / unit / ABOUT[1]) / np.log(GROWTH)))
    others = np.append(np.arange(*ABOUT, STEP) * unit, np.geomspace(ABOUT[1] * unit, far, count))
    apart = np.abs(others[:, None] - given).min(axis=1) > NEAR * unit
    return np.sort(np.append(given, others[apart & (others > given[0]) & (others <= far)]))
