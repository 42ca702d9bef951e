"""Directions of a linear model, whose principal components are known."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from svevae.explore.directions import find_directions, fix_signs
from svevae.model.posterior import Posterior


def test_directions_of_a_linear_model() -> None:
    """E = 10 z0 and flow = 20 z0 with z ~ N(0, diag(1, 9, 1)): one direction says both, z0, and the
    rest is led by z1 with a step of 3.
    """
    matrix = np.array([[10.0, 20.0], [0.0, 0.0], [0.0, 0.0]])
    posterior = Posterior(np.ones(1), np.zeros((1, 3)), np.diag([1.0, 9.0, 1.0])[None])
    model = SimpleNamespace(
        names=("E", "flow"),
        units=("MPa", "MPa"),
        posterior=posterior,
        predict_from_latent=lambda z: z @ matrix,
    )
    found = find_directions(model)
    assert (found.properties, found.morphology) == (1, 2)
    assert found.names == (
        "Properties 1",
        "Morphology 1",
        "Morphology 2",
        "Unit 0",
        "Unit 1",
        "Unit 2",
    )
    assert "100 % of the variance" in found.effects[0]
    assert "E +10 MPa" in found.effects[0]
    assert "flow +20 MPa" in found.effects[0]
    np.testing.assert_allclose(found.steps[0], [1, 0, 0], atol=0.1)
    np.testing.assert_allclose(np.abs(found.steps[1]), [0, 3, 0], atol=0.1)
    # pores that the properties do not see
    np.testing.assert_allclose(found.steps[1:3] @ matrix, 0, atol=0.1)
    np.testing.assert_allclose(found.steps[3:], np.diag([1, 3, 1]), atol=0.1)


def test_the_largest_component_of_a_vector_is_positive() -> None:
    vectors = np.array([[0.6, 0.8], [-0.8, 0.6]])
    np.testing.assert_array_equal(fix_signs(vectors), [[-0.6, 0.8], [0.8, 0.6]])
