"""The Voce law through three numbers of a curve, against the law that these were taken from and
against solved curves.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.optimize import brentq

from svevae.physics.elasticity import PRESETS
from svevae.physics.homogenize import Loading, Settings, Solver
from svevae.physics.voce import OFFSET, fit_voce, voce_curve

REFERENCE = Path(__file__).parents[2] / "data" / "reference_32.h5"
STRAIN = np.linspace(0, 0.03, 61)


@pytest.mark.parametrize("name", PRESETS)
def test_the_curve_solves_the_equation(name: str) -> None:
    """E (strain - p) = s0 + Q (1 - exp(-b p)), solved by brentq; below s0 / E the curve is
    elastic.
    """
    E, _, s0, Q, b = (float(x) for x in vars(PRESETS[name]).values())
    stress = voce_curve(E, s0, Q, b, STRAIN)
    for strain, found in zip(STRAIN, stress, strict=True):
        excess = [E * (strain - p) - s0 - Q * (1 - np.exp(-b * p)) for p in (0.0, 0.03)]
        p = (
            brentq(
                lambda p, e=strain: E * (e - p) - s0 - Q * (1 - np.exp(-b * p)), 0, 0.03, xtol=1e-15
            )
            if excess[0] > 0
            else 0.0
        )
        assert found == pytest.approx(E * (strain - p), abs=1e-6)


def test_fit_finds_the_law_again() -> None:
    """Yield and flow stress of known laws, four at once: s0 and Q come back."""
    E, s0, Q, b = (
        60_000.0,
        np.array([150.0, 200.0, 216.0, 216.0]),
        np.array([0.0, 100.0, 312.0, -20.0]),
        40.0,
    )
    yielded = s0 + Q * (1 - np.exp(-b * OFFSET))
    flow = voce_curve(E, s0, Q, b, 0.03)
    np.testing.assert_allclose(fit_voce(E, yielded, flow, 0.03, b), (s0, Q), rtol=1e-9, atol=1e-7)


def test_shapes_broadcast() -> None:
    s0, Q = fit_voce(np.full((5, 1), 60_000.0), 200.0, 300.0, 0.03, 40.0)
    assert s0.shape == Q.shape == (5, 1)
    assert voce_curve(60_000.0, s0, Q, 40.0, STRAIN).shape == (5, len(STRAIN))


@pytest.mark.parametrize(("E", "flow_strain"), [(0.0, 0.03), (-1.0, 0.03), (60_000.0, 0.006)])
def test_no_such_curve_is_nan(E: float, flow_strain: float) -> None:
    """Without stiffness, or with 0.001 of plastic strain at the flow stress, before the 0.2 %
    yield.
    """
    s0, Q = fit_voce(E, 200.0, 300.0, flow_strain, 40.0)
    assert np.isnan([s0, Q, voce_curve(E, s0, Q, 40.0, 0.01)]).all()


def test_solved_curves_are_met() -> None:
    """The reference's curves along z through their own E, yield and flow: within 1 % of the flow
    stress, rms over the increments.
    """
    with h5py.File(REFERENCE, "r") as file:
        names = list(file["properties"].attrs["names"])
        E, yielded, flow = (
            file["properties"][:256][:, [names.index(f"{name}_z")]]
            for name in ("E", "yield", "flow")
        )
        strain, stress = file["tension/strain"][:], file["tension/stress_z"][:256]
    s0, Q = fit_voce(E, yielded, flow, strain[-1], 40.0)
    error = (voce_curve(E, s0, Q, 40.0, strain) - stress) / flow
    assert np.sqrt(np.square(error).mean()) < 0.01


def test_the_curve_is_the_solvers_without_pores() -> None:
    material = PRESETS["as-built-z"]
    strain = STRAIN[10::10]
    path = Solver((2, 2, 2), Settings("float64", tolerance=1e-8)).path(
        material, Loading.uniaxial_stress("z", strain)
    )
    expected = voce_curve(material.E, material.s0, material.Q, material.b, strain)
    np.testing.assert_allclose(path.stress[0, :, 2], expected, rtol=1e-6)
