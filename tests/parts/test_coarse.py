"""Parts simulated from property fields: in batches as alone, within their outline."""

from __future__ import annotations

import numpy as np
import pytest

from svevae.parts.coarse import Coarse
from svevae.parts.fields import Law, PropertyField
from svevae.physics.voce import voce_curve

NAMES, UNITS = ("E_z", "nu_zx", "nu_zy", "yield_z", "flow_z"), ("MPa", "-", "-", "MPa", "MPa")
COARSE = Coarse(Law((0.03,), 40.0, 0.33), (0.001, 0.004, 0.01), 1e-4, refine=1)


def field(E: float = 65e3) -> PropertyField:
    """Two SVEs: E in MPa, nu 0.31, s0 200 MPa, Q 280 MPa."""
    strength = 200 + 280 * (1 - np.exp(-40 * 0.002))
    flow = voce_curve(65e3, 200.0, 280.0, 40.0, np.array([0.03]))[0]
    values = np.broadcast_to([E, 0.31, 0.31, strength, flow], (1, 1, 2, 5)).copy()
    return PropertyField.known(NAMES, UNITS, values, np.full((1, 1, 2), 0.03), 320.0)


def test_a_batch_of_parts_answers_as_single_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three parts in batches of two; their stiffnesses are as their moduli."""
    moduli = (65e3, 60e3, 55e3)
    monkeypatch.setattr("svevae.parts.coarse.BATCH", 2)
    response = COARSE.simulate_all(lambda k: field(moduli[k]), 3, "parts")
    assert response.plastic.shape == (3, 3, 1, 1, 2)
    np.testing.assert_allclose(
        response.stiffness / response.stiffness[0], np.divide(moduli, 65e3), rtol=1e-4
    )
    alone = COARSE.simulate([field(moduli[2])])
    np.testing.assert_allclose(response.stress[2], alone.stress[0], rtol=1e-4)


def test_the_outline_is_where_sves_are_no_air_unless_it_is_given() -> None:
    """Half of the section bears half of the load."""
    values = np.broadcast_to(field().values, (2, 1, 2, 5)).copy()
    porosity = np.full((2, 1, 2), 0.03)
    whole = PropertyField.known(NAMES, UNITS, values, porosity, 320.0)
    porosity = porosity.copy()
    porosity[1] = 0.9
    half = PropertyField.known(NAMES, UNITS, values, porosity, 320.0)
    outline = np.ones((2, 1, 2), bool)
    outline[1] = False
    loads = [
        COARSE.simulate([whole]).stress,
        COARSE.simulate([half]).stress,
        COARSE.simulate([whole], outline).stress,
    ]
    np.testing.assert_allclose(loads[1], loads[2], rtol=1e-5)
    np.testing.assert_allclose(loads[1], loads[0] / 2, rtol=0.05)
