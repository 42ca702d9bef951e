"""Tension curves beside that of the bulk matrix: read between their increments, and a Voce law
through what is predicted of one: its modulus, its 0.2 % yield stress and its flow stress.

A porous SVE yields bit by bit, and yet its curve under uniaxial stress is near that of a bulk
material with the matrix's b,

    sigma_y(p) = s0 + Q (1 - exp(-b p)),    sigma = E (strain - p),

with p the plastic part of the mean strain. Numpy alone; every argument broadcasts.
"""

from __future__ import annotations

import numpy as np

OFFSET = 0.002  # plastic strain at the yield stress: the 0.2 % proof stress of ISO 6892-1
NEWTON = 50
BISECTIONS = 40  # 1e-12 of the last strain


def fit_voce(
    E: float | np.ndarray,
    yield_stress: float | np.ndarray,
    flow_stress: float | np.ndarray,
    flow_strain: float | np.ndarray,
    b: float | np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """s0 and Q in MPa of the law through `yield_stress` at the plastic strain 0.002 and
    `flow_stress` at the total `flow_strain`.

    Moduli and stresses in MPa, the strain a fraction, b > 0 without unit. NaN where no such curve
    is: for E <= 0, and where the plastic strain at `flow_strain` is not above 0.002.
    """
    E, yield_stress, flow_stress, flow_strain, b = (
        np.asarray(x, float) for x in (E, yield_stress, flow_stress, flow_strain, b)
    )
    plastic = flow_strain - flow_stress / np.where(E > 0, E, np.nan)
    plastic = np.where(plastic > OFFSET, plastic, np.nan)
    at_yield = -np.expm1(-b * OFFSET)
    Q = (flow_stress - yield_stress) / (-np.expm1(-b * plastic) - at_yield)
    return yield_stress - Q * at_yield, Q


def voce_curve(
    E: float | np.ndarray,
    s0: float | np.ndarray,
    Q: float | np.ndarray,
    b: float | np.ndarray,
    strain: float | np.ndarray,
) -> np.ndarray:
    """Stress in MPa at the total strains `strain`, fractions that only grow: E strain below s0,
    else the root p of both equations above.

    The excess E (strain - p) - sigma_y(p) is convex and falls with p where Q >= 0, so Newton's
    method from 0 climbs to the root.
    """
    E, s0, Q, b, strain = np.broadcast_arrays(
        *(np.asarray(x, float) for x in (E, s0, Q, b, strain))
    )
    plastic = np.zeros(strain.shape)
    for _ in range(NEWTON):
        left = Q * np.exp(-b * plastic)
        step = (E * (strain - plastic) - s0 - Q + left) / (E + b * left)
        new = np.maximum(plastic + step, 0.0)
        done = np.abs(new - plastic) <= 1e-15 + 1e-12 * np.abs(new)
        plastic = new
        if (done | np.isnan(new)).all():
            break
    return E * (strain - plastic)


def curve_at(
    strain: np.ndarray, stress: np.ndarray, modulus: np.ndarray, law: np.ndarray, at: np.ndarray
) -> np.ndarray:
    """Stress at the strains `at` (..., any) of curves (..., increment) that start at 0 with the
    slope `modulus` (...); `law` (..., 5) is the matrix's, (E, nu, s0, Q, b).

    Between two increments the ratio to the matrix's own curve is linear in strain, so that a
    pore-free curve is exact and the knee of any other is where the matrix has it. Beyond the last
    increment the ratio stays.
    """
    E, _, s0, Q, b = np.moveaxis(np.asarray(law, float)[..., None], -2, 0)
    matrix = voce_curve(E, s0, Q, b, strain)
    start = np.asarray(modulus, float)[..., None] / E
    ratio = np.concatenate([start, stress / np.where(matrix > 0, matrix, np.inf)], axis=-1)
    knots = np.concatenate([np.zeros_like(start), np.broadcast_to(strain, stress.shape)], axis=-1)
    right = (knots[..., None, :] <= at[..., :, None]).sum(axis=-1).clip(1, knots.shape[-1] - 1)
    left = right - 1
    x0, x1 = np.take_along_axis(knots, left, -1), np.take_along_axis(knots, right, -1)
    y0, y1 = np.take_along_axis(ratio, left, -1), np.take_along_axis(ratio, right, -1)
    share = np.minimum((at - x0) / (x1 - x0), 1.0)
    return (y0 + share * (y1 - y0)) * voce_curve(E, s0, Q, b, at)


def proof_stress(
    strain: np.ndarray,
    stress: np.ndarray,
    modulus: np.ndarray,
    law: np.ndarray,
    offset: float = OFFSET,
) -> np.ndarray:
    """Stress (...) in MPa at which curves as `curve_at` takes them meet the line of slope `modulus`
    (...) through (`offset`, 0). 0 for a modulus of 0, NaN where a curve ends above that line.
    """
    modulus = np.asarray(modulus, float)
    strain = np.broadcast_to(strain, np.shape(stress))
    ends = stress[..., -1] - modulus * (strain[..., -1] - offset)
    low, high = np.zeros(modulus.shape), strain[..., -1].astype(float)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        above = curve_at(strain, stress, modulus, law, middle[..., None])[..., 0] > modulus * (
            middle - offset
        )
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    found = np.where(ends < 0, modulus * (high - offset), np.nan)
    return np.where(modulus > 0, found, 0.0)
