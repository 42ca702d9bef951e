"""The knee of a porous metal: what its tension curve is between the few strains of its labels, the
0.2 % yield read from it, and the table of hardening that reproduces it.

Pores make a metal yield bit by bit: long before the bulk of it beside pores, where stress gathers,
so that the knee of its curve is round where that of the matrix is sharp. The labels have two or
three strains about the knee, and a ratio to the matrix's curve that is linear between them is up to
12 % too strong there. So the ratio is taken to a curve that is as round as the SVE's own:

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
from svevae.physics.voce import OFFSET, voce_curve

SHARE = 7.0
# of n: what is rounder is no knee, what is sharper the matrix's
ROUND, SHARP = 2.0, 60.0
# of what a knee can lose: less is rounding
LEAST_LOST = 1e-6
BISECTIONS = 40  # 1e-12 of what is looked for
TINY = 1e-12  # in place of 0 below a fraction
# between the strains of the labels, in units of the matrix's yield strain: fine about the knee,
# then in growing steps
ABOUT, STEP, GROWTH = (0.5, 1.5), 0.1, 1.3
# of another point to one of the labels
NEAR = 0.03
# how far a table goes, in the last strain of the labels
REACH = 5.0
# of each strain the least plastic share, so that those of a table grow
LEAST = 1e-4


class RoundCurve:
    """Curves (..., increment) at `strain` (..., increment) that start at 0 with the slope `modulus`
    (...), between their increments as above; `law` (..., 5) is the matrix's, (E, nu, s0, Q, b).
    """

    def __init__(
        self, strain: np.ndarray, stress: np.ndarray, modulus: np.ndarray, law: np.ndarray
    ):
        self._law = np.moveaxis(np.asarray(law, float)[..., None], -2, 0)
        E, _, s0, _, _ = self._law
        start = np.asarray(modulus, float)[..., None] / E
        self._share = 1 - np.clip(start, 0.0, 1.0) ** SHARE
        # the last increment before the matrix yields
        before = (strain < s0 / E).sum(axis=-1, keepdims=True) - 1
        at = _along(strain, np.maximum(before, 0))
        elastic = E * start * at
        kept = _over(_along(stress, np.maximum(before, 0)), elastic)
        lost = _over(1 - kept, self._share)
        self._n = np.where(before >= 0, sharpness(lost, _over(E * at, s0)), SHARP)
        self._knots = np.concatenate([np.zeros_like(strain[..., :1]), strain], axis=-1)
        self._ratio = np.concatenate([start, stress / self._reference(strain)], axis=-1)

    def __call__(self, at: np.ndarray) -> np.ndarray:
        """Stress (..., any) at the strains `at` (..., any). Beyond the last increment the ratio to
        the round curve stays.
        """
        right = (self._knots[..., None, :] <= at[..., None]).sum(axis=-1)
        right = right.clip(1, self._knots.shape[-1] - 1)
        x0, x1 = (_along(self._knots, k) for k in (right - 1, right))
        y0, y1 = (_along(self._ratio, k) for k in (right - 1, right))
        share = np.minimum((at - x0) / (x1 - x0), 1.0)
        return (y0 + share * (y1 - y0)) * self._reference(at)

    def _reference(self, strain: np.ndarray) -> np.ndarray:
        E, _, s0, Q, b = self._law
        matrix = voce_curve(E, s0, Q, b, strain)
        flow = s0 - Q * np.expm1(-b * (strain - matrix / E))
        bent = np.minimum(E * strain, flow) * bend(_over(E * strain, flow), self._n)
        return (1 - self._share) * matrix + self._share * bent


def _along(values: np.ndarray, index: np.ndarray) -> np.ndarray:
    """values[..., index] (..., any), where what stands before the last axis broadcasts."""
    shape = np.broadcast_shapes(values.shape[:-1], index.shape[:-1])
    return np.take_along_axis(
        np.broadcast_to(values, shape + values.shape[-1:]),
        np.broadcast_to(index, shape + index.shape[-1:]),
        -1,
    )


def _over(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return x / np.maximum(y, TINY)


def bend(x: np.ndarray, n: np.ndarray) -> np.ndarray:
    """What the round knee x / (1 + x^n)^(1/n) is of the sharp one, the lesser of x and 1."""
    return (1 + np.minimum(x, 1 / np.maximum(x, 1.0)) ** n) ** (-1 / n)


def sharpness(lost: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The n at which the knee at `x`, below 1, has lost the share `lost` of x."""
    lost = np.maximum(lost, LEAST_LOST)
    low, high = np.full(lost.shape, 1 / SHARP), np.full(lost.shape, 1 / ROUND)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        sharp = 1 - bend(x, 1 / middle) < lost
        low, high = np.where(sharp, middle, low), np.where(sharp, high, middle)
    return 2 / (low + high)


def proof_stress(
    strain: np.ndarray,
    stress: np.ndarray,
    modulus: np.ndarray,
    law: np.ndarray,
    offset: float = OFFSET,
) -> np.ndarray:
    """Stress (...) in MPa at which a `RoundCurve` of these meets the line of slope `modulus` (...)
    through (`offset`, 0). 0 for a modulus of 0, NaN where a curve ends above that line.
    """
    curve, modulus = RoundCurve(strain, stress, modulus, law), np.asarray(modulus, float)
    last = np.broadcast_to(strain, np.shape(stress))[..., -1]
    low, high = np.zeros(modulus.shape), last.astype(float)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        above = curve(middle[..., None])[..., 0] > modulus * (middle - offset)
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    ended = stress[..., -1] >= modulus * (last - offset)
    return np.where(modulus > 0, np.where(ended, np.nan, modulus * (high - offset)), 0.0)


def tension_table(
    strain: np.ndarray, stress: np.ndarray, modulus: np.ndarray, law: np.ndarray
) -> Hardening:
    """The hardening of materials of Young's `modulus` (sve, x, y, z) that answer to uniaxial
    tension as a `RoundCurve` of these does: `strain` (increment,), `stress` (sve, x, y, z,
    increment), `law` (5,).

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
        RoundCurve(strain, stress, modulus, law)(at), ends[..., before], ends[..., 1 + after]
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
