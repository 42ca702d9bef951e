"""Faces of elements: the surface of a box, also of what is left of it."""

from __future__ import annotations

import numpy as np
import pytest

from svevae.explore.mesh_faces import Faces, outline, triangles
from svevae.meshes.elements import ELEMENTS
from svevae.meshes.mesh import Mesh
from tests.meshes.bars import bar


def area(mesh: Mesh, corners: np.ndarray) -> float:
    a, b, c = mesh.points[triangles(corners)[0]].transpose(1, 0, 2)
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


@pytest.mark.parametrize("kind", ELEMENTS)
def test_a_box_cut_open(kind: str) -> None:
    """2 x 1 x 3 cubes, and the lower two layers of it alone; each face of its own element."""
    mesh = bar(kind, (2, 1, 3))
    faces, centres = Faces.of(mesh), mesh.geometry()[0]
    corners, element = faces.seen(np.ones(len(centres), bool))
    assert area(mesh, corners) == pytest.approx(2 * (2 + 6 + 3))
    kept = centres[:, 2] < 2
    corners, element = faces.seen(kept)
    assert area(mesh, corners) == pytest.approx(2 * (2 + 4 + 2))
    assert kept[element].all()
    cells, face = triangles(corners)
    nodes = np.concatenate([mesh.rows(block.nodes) for block in mesh.blocks])
    for cell, own in zip(cells, element[face], strict=True):
        assert np.isin(cell, nodes[own]).all()
    assert not len(faces.seen(np.zeros(len(centres), bool))[0])
    assert faces.nbytes == 4 * faces.corners.size + 4 * faces.sides.size


def test_lines_round_faces() -> None:
    """A square and a triangle, each closed, with a gap behind."""
    found = outline(np.array([[0, 1, 2, 3], [4, 5, 6, -1]])).tolist()
    assert found == [0, 1, 2, 3, 0, -1, 4, 5, 6, 6, 4, -1]
