"""The knee between the strains of labels: exact where it must be, near what the solver finds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq

from svevae.physics.elasticity import PRESETS, PorousMaterial, young
from svevae.physics.homogenize import Loading, Settings, Solver
from svevae.physics.knee import REACH, RoundCurve, proof_stress, tension_table
from svevae.physics.microstructure import make_part
from svevae.physics.voce import OFFSET, voce_curve

MATRIX = PRESETS["as-built-z"]
LAW = np.array([MATRIX.E, MATRIX.nu, MATRIX.s0, MATRIX.Q, MATRIX.b])
LABELS = np.array([0.00082, 0.00233, 0.00427, 0.00658, 0.00919, 0.01523, 0.0222, 0.03])
BETWEEN = np.linspace(0.0005, 0.1, 400)


def test_without_a_pore_the_curve_is_the_matrix_own() -> None:
    """Between the strains of the labels and far beyond them; no stiffness has no stress."""
    stress = voce_curve(*LAW[[0, 2, 3, 4]], LABELS)
    curves, moduli = np.stack([stress, 0 * stress]), np.array([MATRIX.E, 0.0])
    found = RoundCurve(LABELS, curves, moduli, LAW)(BETWEEN)
    np.testing.assert_allclose(found[0], voce_curve(*LAW[[0, 2, 3, 4]], BETWEEN), rtol=1e-12)
    assert not found[1].any()


@pytest.mark.parametrize("labels", [LABELS, LABELS[2:], LABELS[[3, 7]]], ids=len)
def test_a_table_is_exact_at_the_strains_of_the_labels(labels: np.ndarray) -> None:
    """And so is the solver with it; also where no label is below the matrix's yield."""
    modulus = np.array([60e3, 50e3]).reshape(2, 1, 1, 1)
    stress = modulus[..., None] * labels * (1 + (labels / 0.003) ** 6) ** (-0.14)
    table = tension_table(labels, stress, modulus, LAW)
    np.testing.assert_allclose(table.tension(modulus, labels), stress, rtol=1e-4)
    far = table.strain[..., -1] + table.stress[..., -1] / modulus
    np.testing.assert_allclose(far, REACH * labels[-1], rtol=1e-9)
    path = Solver((1, 1, 1), Settings("float64", tolerance=1e-8)).path(
        PorousMaterial(modulus, 0.3, nu_p=0.4, hardening=table),
        Loading.uniaxial_stress("z", labels),
    )
    np.testing.assert_allclose(path.stress[:, :, 2], stress[:, 0, 0, 0], rtol=1e-4)


def test_noise_makes_no_bad_table() -> None:
    """Curves above their elastic line, that fall, or below zero, as a predictor may say."""
    random = np.random.default_rng(0)
    modulus = random.uniform(0, 70e3, (4, 5, 5, 5))
    stress = voce_curve(*LAW[[0, 2, 3, 4]], LABELS) * random.uniform(-0.2, 1.5, (4, 5, 5, 5, 1))
    stress = stress + random.normal(0, 30, stress.shape)
    for labels in (slice(None), slice(2, None), [3, 7], slice(1, 4)):
        table = tension_table(LABELS[labels], stress[..., labels], modulus, LAW)
        assert np.isfinite(table.stress).all()
        assert (np.diff(table.strain.astype(np.float32)) > 0).all()


@pytest.mark.slow
def test_the_knee_of_porous_cells() -> None:
    """Curves that the solver found in fine steps, of cells unlike those that the constant was
    fitted to; the labels' strains alone are given.
    """
    how = {"pore_length": 4.0, "elongation": 1.5, "modulation_length": 24}
    how |= {"modulation_strength": 0.5}
    parts = [
        make_part("gaussian", (24, 24, 24), 3, k, how | {"porosity": porosity})
        for k, porosity in enumerate((0.01, 0.04, 0.07, 0.12))
    ]
    voxels, fine = np.stack(parts), np.unique(np.append(np.linspace(0.0018, 0.0058, 21), LABELS))
    solver = Solver((24, 24, 24), Settings(tolerance=1e-4))
    elastic = solver.elastic(MATRIX, voxels)
    stress = solver.path(MATRIX, Loading.uniaxial_stress("z", fine), voxels, elastic).stress[..., 2]
    labelled = stress[:, np.searchsorted(fine, LABELS)]
    found = RoundCurve(LABELS, labelled, young(elastic.stiffness, "z"), LAW)(fine)
    np.testing.assert_allclose(found, stress, rtol=0.015)


LAWS = np.array([[70_000.0, 0.33, 216.0, 312.0, 40.0], [190_000.0, 0.29, 450.0, 300.0, 10.0]])
COARSE = np.array([[0.002, 0.006, 0.012], [0.0015, 0.006, 0.012]])  # (curve, increment)


def coarse_curves() -> tuple[np.ndarray, np.ndarray]:
    """The matrix's stress at COARSE and its modulus, for both LAWS."""
    E, _, s0, Q, b = LAWS.T[..., None]
    return voce_curve(E, s0, Q, b, COARSE), LAWS[:, 0]


def test_the_curve_passes_through_its_increments() -> None:
    """Whatever the curve, here of a ratio to the matrix that falls from 0.9 to 0.6; in between it
    has no more than the larger of two ratios, and beyond the last about that one.
    """
    matrix, modulus = coarse_curves()
    stress = matrix * [0.8, 0.7, 0.6]
    curve = RoundCurve(COARSE, stress, 0.9 * modulus, LAWS)
    np.testing.assert_allclose(curve(COARSE), stress, rtol=1e-12)
    E, _, s0, Q, b = LAWS.T[..., None]
    for at, most in ((0.001, 0.9), (0.004, 0.8), (0.009, 0.7)):
        there = np.full((2, 1), at)
        assert (curve(there) <= most * voce_curve(E, s0, Q, b, there)).all()
    there = np.full((2, 1), 0.05)
    np.testing.assert_allclose(curve(there), 0.6 * voce_curve(E, s0, Q, b, there), rtol=0.03)


def test_a_round_knee_is_found_again() -> None:
    """Of a share m of the matrix's modulus so small that it is round all over: from three strains
    its n, its curve, and its 0.2 % yield as a root finder has it; for both laws at once.
    """
    E, _, s0, Q, b = LAWS.T[..., None]
    m, n = 0.1, np.array([[4.0], [9.0]])

    def true(strain: np.ndarray) -> np.ndarray:
        flow = s0 - Q * np.expm1(-b * (strain - voce_curve(E, s0, Q, b, strain) / E))
        x = E * strain / flow
        return m * flow * x * (1 + x**n) ** (-1 / n)

    curve = RoundCurve(COARSE, true(COARSE), m * LAWS[:, 0], LAWS)
    at = np.linspace(0.0005, 0.02, 50)
    np.testing.assert_allclose(curve(at), true(at), rtol=1e-5)
    expected = []
    for i in range(2):
        slope = m * LAWS[i, 0]
        excess = lambda e, i=i, slope=slope: float(true(e)[i, 0] - slope * (e - OFFSET))  # noqa: E731
        expected.append(slope * (brentq(excess, 1e-3, 0.012, xtol=1e-12) - OFFSET))
    found = proof_stress(COARSE, true(COARSE), m * LAWS[:, 0], LAWS)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_proof_stress_of_the_matrix() -> None:
    """s0 + Q (1 - exp(-0.002 b)) from three increments."""
    stress, modulus = coarse_curves()
    _, _, s0, Q, b = LAWS.T
    exact = s0 + Q * (1 - np.exp(-0.002 * b))
    np.testing.assert_allclose(proof_stress(COARSE, stress, modulus, LAWS), exact, rtol=1e-9)


def test_proof_stress_of_a_curve_that_ends_early_and_of_none() -> None:
    """NaN where the last increment lies above the line from 0.2 %; 0 for a modulus of 0."""
    stress, modulus = coarse_curves()
    early = COARSE * [[1.0], [0.3]]  # to 0.36 %, where the second law is elastic to 0.24 %
    E, _, s0, Q, b = LAWS.T[..., None]
    found = proof_stress(early, voce_curve(E, s0, Q, b, early), modulus, LAWS)
    assert found[0] > 0
    assert np.isnan(found[1])
    np.testing.assert_array_equal(proof_stress(COARSE, 0 * stress, 0 * modulus, LAWS), [0, 0])


@pytest.mark.parametrize("s0", [0.0, 1e-6, np.inf])
def test_matrices_that_yield_at_once_or_never(s0: float) -> None:
    """Their own curve is exact, and nothing is divided by 0."""
    law, strain = np.array([70e3, 0.33, s0, 300.0, 20.0]), np.append(0.0, LABELS)
    matrix = voce_curve(*law[[0, 2, 3, 4]], strain)
    curve = RoundCurve(LABELS, matrix[1:], law[0], law)
    np.testing.assert_allclose(curve(strain), matrix, rtol=1e-12)
    assert np.isnan(proof_stress(LABELS, matrix[1:], law[0], law)) == np.isinf(s0)
