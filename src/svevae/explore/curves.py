"""Curves of one SVE under tension as the model has them, with the band that 90 % lie in: strain
(point,), stress (point,) and its 5 and 95 % quantiles (2, point), MPa.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from svevae.explore.directions import SEED
from svevae.model.latent import LatentModel, Prediction
from svevae.model.metrics import QUANTILE_90
from svevae.physics.elasticity import AXES
from svevae.physics.knee import RoundCurve
from svevae.physics.voce import fit_voce, voce_curve

DRAWS, POINTS = 200, 61  # curves that the band is taken from, strains on each


def learnt_curve(
    model: LatentModel, latent: np.ndarray, axis: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of a latent vector (latent,) by a model that learnt curves."""
    response = model.response(latent[None])
    along = [a for a in AXES if f"flow_{a}" in model.names].index(axis)
    at = np.linspace(0, float(response.strain[0, -1]), POINTS)
    modulus = float(response.constants[0, AXES[axis]])
    stress = response.stress[0, along]
    half = QUANTILE_90 * response.stress_std[0, along]
    middle, low, high = (
        RoundCurve(
            response.strain[0].astype(float),
            curve.astype(float),
            np.asarray(modulus * (curve[0] / stress[0] if stress[0] > 0 else 1.0)),
            np.array(model.contract.law),
        )(at)
        for curve in (stress, stress - half, stress + half)
    )
    return at, middle, np.stack([low, high])


def voce_band(
    names: Sequence[str], prediction: Prediction, axis: str, end: float, b: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """To the strain `end`, a Voce law with the matrix's `b` through modulus, yield and flow stress
    (`svevae.physics.voce`) of a prediction of the properties `names`.

    The band takes these as normal and independent. NaN where no law goes through them.
    """
    columns = [list(names).index(f"{name}_{axis}") for name in ("E", "yield", "flow")]
    mean, std = (
        prediction.properties[0, columns].astype(float),
        prediction.std[0, columns].astype(float),
    )
    noise = np.random.default_rng(SEED).standard_normal((DRAWS, 3))
    E, proof, flow = np.concatenate([mean[None], mean + std * noise]).T[:, :, None]
    strain = np.linspace(0, end, POINTS)
    s0, Q = fit_voce(E, proof, flow, end, b)
    stress = voce_curve(E, s0, Q, b, strain)
    drawn = stress[1:][np.isfinite(stress[1:]).all(axis=1)]
    band = np.quantile(drawn, (0.05, 0.95), axis=0) if len(drawn) else np.full((2, POINTS), np.nan)
    return strain, stress[0], band
