"""Tension curves of Voce's law: that of a bulk material, and the one through what is predicted of
a porous SVE: its modulus, its 0.2 % yield stress and its flow stress.

A porous SVE yields bit by bit, and yet its curve under uniaxial stress is near that of a bulk
material with the matrix's b,

    sigma_y(p) = s0 + Q (1 - exp(-b p)),    sigma = E (strain - p),

with p the plastic part of the mean strain. Numpy alone; every argument broadcasts.
"""

from __future__ import annotations

import numpy as np

OFFSET = 0.002  # plastic strain at the yield stress: the 0.2 % proof stress of ISO 6892-1
NEWTON = 50


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
