"""Properties read off curves in Keras are those that the labels' own reading gives."""

from __future__ import annotations

import numpy as np
import pytest

from svevae.dataset.curves import Curves
from svevae.model.reading import reading
from svevae.physics.alloys import PRINTED
from svevae.physics.knee import proof_stress
from svevae.physics.label import property_names
from svevae.physics.voce import voce_curve

AXES = ("x", "y", "z")
REFERENCE = np.array([70_000.0, 0.33, 216.0, 312.0, 40.0])
STRAIN = np.array(
    [0.00082, 0.00233, 0.00427, 0.00658, 0.00919, 0.01209, 0.01523, 0.01861, 0.0222, 0.026, 0.03]
)
KNOTS = STRAIN * REFERENCE[0] / REFERENCE[2]


def laws(count: int) -> np.ndarray:
    """Corners and middles of what printed alloys have."""
    random, rows = np.random.default_rng(0), []
    for i in range(count):
        ranges = list(PRINTED.values())[i % len(PRINTED)].values()
        rows.append([low + random.choice([0.0, 0.5, 1.0]) * (high - low) for low, high in ranges])
    return np.array(rows)


@pytest.fixture(scope="module")
def read() -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """What is read off made up responses, these (sve, target), and their laws."""
    random, law = np.random.default_rng(1), laws(60)
    moduli = random.uniform(0.05, 1.0, (60, 3, 1))
    knots = np.linspace(0.0, 1.0, len(KNOTS))
    ratios = moduli * (1 - random.uniform(0.0, 0.3, (60, 3, 1)) * knots)
    constants = [moduli[:, :, 0], random.uniform(0.1, 1, (60, 3)), random.uniform(0, 0.4, (60, 3))]
    targets = np.hstack([*constants, ratios.reshape(60, -1)]).astype(np.float32)
    curves = Curves(AXES, tuple(KNOTS), tuple(REFERENCE), (0.33, 0.4, -2.0), (0.01, 0.5, 0.5))
    model = reading(property_names(AXES)[0], curves)
    spread = np.full_like(targets, 0.01)
    return model.predict([targets, spread, law.astype(np.float32)], verbose=0), targets, law


def test_stress_is_the_ratio_times_the_curve_of_the_matrix(read) -> None:
    found, targets, law = read
    E, _, s0, Q, b = law.T[..., None]
    strain = KNOTS * s0 / E
    np.testing.assert_allclose(found["strain"], strain, rtol=1e-5)
    matrix = voce_curve(E, s0, Q, b, strain)
    ratios = targets[:, 9:].reshape(len(law), 3, -1)
    np.testing.assert_allclose(found["stress"], ratios * matrix[:, None], rtol=2e-5)
    np.testing.assert_allclose(found["stress_std"], 0.01 * matrix[:, None].repeat(3, 1), rtol=2e-5)


def test_properties_are_those_of_the_labels_reading(read) -> None:
    """Yields within 1e-4 of `proof_stress` on the same curves, the others to rounding."""
    found, targets, law = read
    E, nu = law[:, :1], law[:, 1:2]
    moduli = targets[:, :3] * E
    np.testing.assert_allclose(found["constants"][:, :3], moduli, rtol=1e-5)
    shears = targets[:, 3:6] * E / (2 * (1 + nu))
    np.testing.assert_allclose(found["constants"][:, 3:6], shears, rtol=1e-5)
    strain, stress = found["strain"].astype(float), found["stress"].astype(float)
    yields = np.stack(
        [proof_stress(strain, stress[:, i], moduli[:, i], law) for i in range(3)], axis=1
    )
    expected = np.hstack([moduli, targets[:, 6:8], yields, stress[:, :, -1]])
    assert np.isfinite(expected).all()
    np.testing.assert_allclose(found["properties"], expected, rtol=1e-4)


def test_standard_deviations_have_the_units_of_their_properties(read) -> None:
    """0.01 of the matrix's own modulus and stress, and of Poisson's ratio."""
    found, _, law = read
    std = found["properties_std"]
    np.testing.assert_allclose(std[:, :3], 0.01 * law[:, :1].repeat(3, 1), rtol=1e-5)
    np.testing.assert_allclose(std[:, 3:5], 0.01, rtol=1e-5)
    np.testing.assert_allclose(std[:, 8:], found["stress_std"][:, :, -1], rtol=1e-5)
    at_yield = std[:, 5:8] / 0.01
    assert (at_yield > 0.9 * law[:, 2:3]).all()
    assert (at_yield <= std[:, 8:] / 0.01).all()


def test_no_stiffness_no_yield_and_a_curve_that_ends_too_early_yields_at_its_end() -> None:
    curves = Curves(("z",), tuple(KNOTS[:3]), tuple(REFERENCE), (0.0,) * 3, (1.0,) * 3)
    model = reading(("E_z", "yield_z", "flow_z"), curves)
    targets = np.zeros((2, 12), np.float32)
    targets[1, [2, 9, 10, 11]] = 0.1, 0.1, 0.1, 0.1
    found = model.predict([targets, targets, np.float32([REFERENCE] * 2)], verbose=0)
    np.testing.assert_allclose(found["properties"][0], 0.0, atol=1e-4)
    assert found["properties"][1, 1] > 0
    assert np.isfinite(found["properties_std"]).all()
    spread = np.full_like(targets, 0.01)
    found = model.predict([-targets, spread, np.float32([REFERENCE] * 2)], verbose=0)
    assert (found["properties_std"] > 0).all()
