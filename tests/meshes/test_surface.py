"""The surface of meshes, and distances from it, beside those of boxes and random triangles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from svevae.errors import DataError
from svevae.meshes.elements import ELEMENTS
from svevae.meshes.surface import distance, triangles_of
from tests.meshes.bars import bar


@pytest.mark.parametrize("kind", ELEMENTS)
def test_a_box(kind: str) -> None:
    """2 x 1 x 3: triangles cover its surface, and within it the nearest face tells the distance."""
    triangles = triangles_of(bar(kind, (2, 1, 3)))
    a, b, c = triangles.transpose(1, 0, 2)
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2
    assert area == pytest.approx(2 * (2 + 6 + 3))
    size = np.array([2.0, 1, 3])
    at = np.random.default_rng(0).random((500, 3)) * size
    exact = np.minimum(at, size - at).min(axis=1)
    np.testing.assert_allclose(distance(triangles, at), exact, atol=1e-12)


def test_any_triangles() -> None:
    """Large and small ones mixed, points anywhere: as the densest sampling of them says."""
    random = np.random.default_rng(1)
    triangles = random.random((60, 3, 3)) * np.where(random.random(60) < 0.1, 2, 0.1)[:, None, None]
    at = random.random((40, 3)) * 2
    u, v = np.meshgrid(np.linspace(0, 1, 120), np.linspace(0, 1, 120))
    weights = np.stack([(1 - u), u * (1 - v), u * v], axis=-1).reshape(-1, 3)
    dense = np.concatenate([weights @ one for one in triangles])
    sampled = np.array([np.linalg.norm(dense - one, axis=1).min() for one in at])
    found = distance(triangles, at)
    assert (found <= sampled + 1e-12).all()
    np.testing.assert_allclose(found, sampled, atol=0.01)


@pytest.mark.parametrize("kind", ELEMENTS)
def test_a_named_face(kind: str) -> None:
    """The end of a bar covers its section, and the height above it tells the distance."""
    mesh = bar(kind, (2, 1, 3))
    triangles = triangles_of(mesh, "BOTTOM")
    a, b, c = triangles.transpose(1, 0, 2)
    assert np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2 == pytest.approx(2)
    at = np.random.default_rng(0).random((50, 3)) * np.array([2.0, 1, 3])
    np.testing.assert_allclose(distance(triangles, at), at[:, 2], atol=1e-12)
    with pytest.raises(DataError, match=r"^LID: expected a set of nodes, a surface"):
        triangles_of(mesh, "LID")
    alone = replace(mesh, node_sets={"ONE": mesh.used()[:1]})
    with pytest.raises(DataError, match=r"^ONE: expected nodes of whole faces .* 1 node of none"):
        triangles_of(alone, "ONE")
