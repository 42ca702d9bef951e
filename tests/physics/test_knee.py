"""The knee between the strains of labels: exact where it must be, near what the solver finds."""

from __future__ import annotations

import numpy as np
import pytest

from svevae.physics.elasticity import PRESETS, PorousMaterial, young
from svevae.physics.homogenize import Loading, Settings, Solver
from svevae.physics.knee import REACH, round_curve, tension_table
from svevae.physics.microstructure import make_part
from svevae.physics.voce import voce_curve

MATRIX = PRESETS["as-built-z"]
LAW = np.array([MATRIX.E, MATRIX.nu, MATRIX.s0, MATRIX.Q, MATRIX.b])
LABELS = np.array([0.00082, 0.00233, 0.00427, 0.00658, 0.00919, 0.01523, 0.0222, 0.03])
BETWEEN = np.linspace(0.0005, 0.1, 400)


def test_without_a_pore_the_curve_is_the_matrix_own() -> None:
    """Between the strains of the labels and far beyond them; no stiffness has no stress."""
    stress = voce_curve(*LAW[[0, 2, 3, 4]], LABELS)
    curves, moduli = np.stack([stress, 0 * stress]), np.array([MATRIX.E, 0.0])
    found = round_curve(LABELS, curves, moduli, LAW, BETWEEN)
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
    found = round_curve(LABELS, labelled, young(elastic.stiffness, "z"), LAW, fine)
    np.testing.assert_allclose(found, stress, rtol=0.015)
