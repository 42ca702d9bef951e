"""Shape functions and Gauss points: polynomials are reproduced, integrals are those of the form."""

from __future__ import annotations

import numpy as np
import pytest

from svevae.meshes.elements import ELEMENTS, TETRAHEDRON, WEDGE, quadrature


@pytest.mark.parametrize("name", ELEMENTS)
def test_a_reference_element_is_itself(name: str) -> None:
    """Shape functions sum to 1, the identity maps a form to itself, the weights are its volume."""
    element = ELEMENTS[name]
    weights, shape, derivatives = quadrature(name)
    np.testing.assert_allclose(shape.sum(axis=1), 1)
    np.testing.assert_allclose(
        derivatives @ element.nodes, np.tile(np.eye(3), (len(weights), 1, 1)), atol=1e-13
    )
    volume = {TETRAHEDRON: 1 / 6, WEDGE: 1.0}.get(element.family, 8.0)
    assert weights.sum() == pytest.approx(volume)
    assert element.count == int(name.removeprefix("C3D").rstrip("IR"))


@pytest.mark.parametrize("name", ELEMENTS)
def test_a_mirrored_element_is_inverted(name: str) -> None:
    """Its Jacobian is -1 everywhere: the nodes between corners go with them."""
    element = ELEMENTS[name]
    _, _, derivatives = quadrature(name)
    np.testing.assert_allclose(np.linalg.det(derivatives @ element.nodes[element.mirror]), -1)
    assert sorted(element.mirror) == list(range(element.count))


@pytest.mark.parametrize("name", ELEMENTS)
def test_faces_close_the_element(name: str) -> None:
    """Each edge of an element belongs to two of its faces; each node to three at a corner."""
    element = ELEMENTS[name]
    faces = [element.face(k + 1) for k in range(len(element.family.faces))]
    for node in range(element.count):
        expected = 3 if node < len(element.family.corners) else 2
        assert sum(node in face for face in faces) == expected
