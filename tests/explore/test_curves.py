"""Curves of one SVE as the model has them; those that are learnt: test_session.py."""

from __future__ import annotations

import numpy as np
import pytest

from svevae.explore.curves import voce_band
from svevae.model.latent import Prediction

NAMES = ["E_z", "nu_zx", "yield_z", "flow_z"]


def test_the_curve_goes_through_the_predicted_properties() -> None:
    """Flow stress at the last strain, modulus at the first; the band is of 1.645 standard
    deviations where one property counts.
    """
    properties, std = np.array([[66_000.0, 0.3, 229.0, 390.0]]), np.array([[0.0, 0.0, 0.0, 4.0]])
    strain, stress, band = voce_band(
        NAMES, Prediction(properties, std, np.zeros(1)), "z", 0.03, 40.0
    )
    assert stress[-1] == pytest.approx(390.0)
    assert stress[1] == pytest.approx(66_000 * strain[1])
    np.testing.assert_allclose(band[:, -1], 390 + np.array([-1, 1]) * 1.645 * 4.0, atol=1.5)
    assert (band[0] <= stress + 1e-9).all()
    assert (stress <= band[1] + 1e-9).all()


def test_no_curve_without_stiffness() -> None:
    _, stress, band = voce_band(
        NAMES, Prediction(np.zeros((1, 4)), np.zeros((1, 4)), np.zeros(1)), "z", 0.03, 40.0
    )
    assert np.isnan(stress).all()
    assert np.isnan(band).all()
