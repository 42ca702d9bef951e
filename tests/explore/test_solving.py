"""Tension of one SVE by the solver."""

from __future__ import annotations

import numpy as np
import pytest

from svevae.errors import DataError
from svevae.explore.solving import pulled
from svevae.physics.elasticity import PRESETS
from svevae.physics.voce import voce_curve

MATRIX = PRESETS["as-built-z"]
SOLID = np.zeros((4, 4, 4), np.uint8)


def test_a_solid_sve_has_the_curve_of_the_matrix() -> None:
    strain, said = np.array([0.005, 0.02]), []
    found, stress = pulled(MATRIX, strain, SOLID, "y", said.append)
    np.testing.assert_allclose(
        stress, voce_curve(MATRIX.E, MATRIX.s0, MATRIX.Q, MATRIX.b, strain), rtol=1e-3
    )
    assert found["E_y"] == pytest.approx(MATRIX.E, rel=1e-4)
    assert found["flow_y"] == stress[-1]
    assert said[-1] == "increment 2 of 2"


def test_a_curve_that_ends_before_the_yield() -> None:
    with pytest.raises(DataError, match=r"the curve ends before the 0\.2 % yield, at 0\.001"):
        pulled(MATRIX, np.array([0.0005, 0.001]), SOLID, "z", lambda _: None)


def test_an_sve_without_a_load_path() -> None:
    cut = SOLID.copy()
    cut[2] = 1
    with pytest.raises(DataError, match="does not hang together along x"):
        pulled(MATRIX, np.array([0.005]), cut, "x", lambda _: None)
