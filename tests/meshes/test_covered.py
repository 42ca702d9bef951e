"""Which voxels a mesh covers: exact for boxes, without gaps, near the volume of curved bodies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from svevae.meshes.covered import covered
from svevae.meshes.elements import ELEMENTS, TETRAHEDRON, WEDGE
from svevae.meshes.mesh import Block, Mesh


def grid(kind: str, counts: tuple[int, int, int], edge: float) -> Mesh:
    """A box of elements of `edge` at the origin; of a cell two wedges or six tetrahedra."""
    element = ELEMENTS[kind]
    corners = np.indices(counts).reshape(3, -1).T
    if element.family is TETRAHEDRON:
        # along the diagonal, so that neighbours fit together
        steps = [np.eye(3, dtype=int)[list(order)] for order in ORDERS]
        cells = [np.cumsum(np.vstack([np.zeros(3, int), one]), axis=0) for one in steps]
        cells = [c if np.linalg.det(c[1:] - c[0]) > 0 else c[[0, 2, 1, 3]] for c in cells]
    elif element.family is WEDGE:
        below = [
            np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]]),
            np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0]]),
        ]
        cells = [np.vstack([one, one + np.array([0, 0, 1])]) for one in below]
    else:
        cells = [(np.array(element.family.corners) + 1) // 2]
    places = np.concatenate([corners[:, None] + cell for cell in cells]).astype(float)
    if element.quadratic:
        pairs = np.array(element.family.edges)
        places = np.concatenate([places, places[:, pairs].mean(axis=2)], axis=1)
    points, which = np.unique(places.reshape(-1, 3), axis=0, return_inverse=True)
    nodes = which.reshape(len(places), -1) + 1
    block = Block(kind, np.arange(1, len(nodes) + 1), nodes)
    return Mesh(np.arange(1, len(points) + 1), points * edge, (block,))


ORDERS = ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))


@pytest.mark.parametrize("kind", ["C3D4", "C3D10", "C3D6", "C3D15", "C3D8", "C3D20R"])
def test_a_box_covers_its_own_voxels(kind: str) -> None:
    """Also where faces go through centres of voxels, and where the box leaves the voxels."""
    mesh = grid(kind, (2, 3, 2), 2.5)
    expected = np.zeros((8, 8, 4), bool)
    expected[:5, :, :] = np.arange(8)[:, None] < 7.5
    np.testing.assert_array_equal(covered(mesh, (8, 8, 4)), expected)
    low, high = np.array([0.2, -1.0, 1.4]), np.array([5.2, 6.5, 6.4])
    centres = np.stack(np.meshgrid(*[np.arange(8) + 0.5] * 3, indexing="ij"), axis=-1)
    inside = ((centres >= low) & (centres <= high)).all(axis=-1)
    shifted = replace(mesh, points=mesh.points + low)
    np.testing.assert_array_equal(covered(shifted, (8, 8, 8)), inside)


@pytest.mark.parametrize("kind", ["C3D4", "C3D10", "C3D6", "C3D15", "C3D8", "C3D20"])
def test_distorted_elements_leave_no_gaps(kind: str) -> None:
    """Inside, whatever the nodes between; small against voxels, and large."""
    random = np.random.default_rng(3)
    for count, edge in ((4, 5.0), (20, 1.0), (40, 0.5)):
        mesh = grid(kind, (count,) * 3, edge)
        inner = ((mesh.points > 0) & (mesh.points < count * edge)).all(axis=1)
        moved = (
            mesh.points + 0.08 * edge * random.uniform(-1, 1, mesh.points.shape) * inner[:, None]
        )
        assert covered(replace(mesh, points=moved), (20, 20, 20)).all()


def test_curved_faces_bend_at_the_nodes_between_corners() -> None:
    """One element of 27 voxels' edge blown up to a ball: nodes on a sphere of radius 12."""
    mesh = grid("C3D20", (1, 1, 1), 2.0)
    straight = mesh.points - 1.0
    ball = 12.0 * straight / np.linalg.norm(straight, axis=1, keepdims=True)
    found = covered(replace(mesh, points=ball + 13.0), (26, 26, 26))
    straight_volume = (2 * 12.0 / np.sqrt(3)) ** 3
    assert straight_volume < found.sum() < 4 / 3 * np.pi * 12.0**3
    np.testing.assert_array_equal(found, found[::-1])
    np.testing.assert_array_equal(found, found.transpose(2, 0, 1))


def test_a_mesh_elsewhere_covers_nothing() -> None:
    mesh = grid("C3D8", (1, 1, 1), 2.0)
    assert not covered(replace(mesh, points=mesh.points + 50), (4, 4, 4)).any()
    assert not covered(replace(mesh, points=mesh.points - 50), (4, 4, 4)).any()
    assert not covered(replace(mesh, points=mesh.points - 1e300), (4, 4, 4)).any()
