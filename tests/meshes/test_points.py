"""Points within elements: their volumes are those of the elements, their shares those of cells."""

from __future__ import annotations

import numpy as np
import pytest

from svevae.meshes.elements import ELEMENTS
from svevae.meshes.points import points_of
from tests.meshes.bars import bar


@pytest.mark.parametrize("kind", ELEMENTS)
def test_volumes_and_centroids_are_those_of_the_elements(kind: str) -> None:
    """Of a sheared box; centroids to the width of a piece."""
    mesh = bar(kind, (1, 2, 1), 2.0)
    mesh.points[:, 0] += 0.3 * mesh.points[:, 2]
    centres, volumes = mesh.geometry()
    points, larger = points_of(mesh, 0.4)
    assert larger.all()
    total = np.bincount(points.element, points.volume)
    np.testing.assert_allclose(total, volumes, rtol=1e-12)
    for axis in range(3):
        own = np.bincount(points.element, points.volume * points.at[:, axis]) / total
        np.testing.assert_allclose(own, centres[:, axis], atol=0.03)


def test_small_elements_have_their_centroid() -> None:
    """One as large as a cell is not larger than it."""
    mesh = bar("C3D8", (2, 1, 1), 1.0)
    mesh.points[mesh.points[:, 0] == 2, 0] = 3
    points, larger = points_of(mesh, 1.0)
    assert larger.tolist() == [False, True]
    np.testing.assert_allclose(points.at[points.element == 0], [[0.5, 0.5, 0.5]])
    x = points.at[points.element == 1, 0]
    assert np.bincount(np.floor(x).astype(int)).tolist() == [0, len(x) // 2, len(x) // 2]


def test_the_shares_of_cells_in_a_tetrahedron() -> None:
    """That whose tip is at x = 0 and whose base at x = 4 has 37/64 of its volume beyond x = 3."""
    mesh = bar("C3D4", (1, 1, 1), 4.0)
    points, _ = points_of(mesh, 1.0)
    own = points.element == 0
    at, volume = points.at[own], points.volume[own]
    corner = mesh.points[mesh.rows(mesh.blocks[0].nodes[0])]
    assert sorted(corner.tolist()) == [[0, 0, 0], [4, 0, 0], [4, 0, 4], [4, 4, 0]]
    assert volume[at[:, 0] > 3].sum() / volume.sum() == pytest.approx(37 / 64, abs=0.01)
