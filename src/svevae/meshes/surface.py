"""The surface of a mesh, and how far from it points are."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.spatial import cKDTree

from svevae.errors import DataError
from svevae.meshes.elements import ELEMENTS, Element
from svevae.meshes.mesh import Mesh
from svevae.physics.cpu.rows import kernel
from svevae.words import counted

NEAR = 8  # triangles that are looked at first
PAIRS = 1 << 18  # of points and triangles, in memory at a time


def triangles_of(mesh: Mesh, name: str | None = None) -> np.ndarray:
    """The faces that belong to one element alone, as triangles (triangle, corner, 3); faces with
    nodes between corners are cut at these. With the `name` of a face as `Mesh.face` takes it, those
    all of whose corners are in it; raises DataError where there are none.
    """
    nodes = None if name is None else mesh.face(name)
    corners, cut = [], []
    for block in mesh.blocks:
        element = ELEMENTS[block.kind]
        for number in range(1, len(element.family.faces) + 1):
            places = list(element.family.faces[number - 1])
            own = np.sort(block.nodes[:, places], axis=1)
            corners.append(np.pad(own, [(0, 0), (0, 4 - len(places))], constant_values=-1))
            cut.append([block.nodes[:, list(one)] for one in _cut(element, number)])
    tips = np.concatenate(corners)
    _, which, times = np.unique(tips, axis=0, return_inverse=True, return_counts=True)
    ends = np.cumsum([0, *map(len, corners)])
    outer = times[which.ravel()] == 1
    if nodes is not None:
        outer &= (np.isin(tips, nodes) | (tips < 0)).all(axis=1)
        if not outer.any():
            raise DataError(
                f"{name}: expected nodes of whole faces of elements on the surface, received"
                f" {counted(len(nodes), 'node')} of none"
            )
    rows = [
        nodes[outer[start:stop]]
        for (start, stop), triangles in zip(pairwise(ends.tolist()), cut, strict=True)
        for nodes in triangles
    ]
    return mesh.points[mesh.rows(np.concatenate(rows))]


def _cut(element: Element, number: int) -> list[tuple[int, int, int]]:
    """The places of the nodes of the triangles that a face consists of."""
    corners = element.family.faces[number - 1]
    if not element.quadratic:
        return [(corners[0], one, other) for one, other in pairwise(corners[1:])]
    edges = [set(edge) for edge in element.family.edges]
    first = len(element.family.corners)
    ring = [(one, corners[(k + 1) % len(corners)]) for k, one in enumerate(corners)]
    between = [first + edges.index(set(pair)) for pair in ring]
    tips = [(corner, between[k], between[k - 1]) for k, corner in enumerate(corners)]
    return tips + [(between[0], one, other) for one, other in pairwise(between[1:])]


def distance(triangles: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The distance (point,) of points (point, 3) from the nearest of some triangles (triangle,
    corner, 3).

    Of each point the triangles with the nearest centroids are looked at, more of them as long as
    one farther off might be nearer: the result is exact.
    """
    centroids = triangles.mean(axis=1)
    reach = np.linalg.norm(triangles - centroids[:, None], axis=2).max()
    tree = cKDTree(centroids)
    found, left, count = np.full(len(at), np.inf), np.arange(len(at)), NEAR
    while left.size:
        count = min(count, len(triangles))
        later = []
        for rows in np.array_split(left, -(-len(left) * count // PAIRS)):
            far, near = tree.query(at[rows], count)
            far, near = far.reshape(len(rows), -1), near.reshape(len(rows), -1)
            own = found[rows]
            _nearest(at[rows], triangles, near, own)
            found[rows] = own
            later.append(rows[far[:, -1] - reach < own])
        left = np.concatenate(later) if count < len(triangles) else np.empty(0, int)
        count *= 4
    return found


@kernel
def _nearest(at: np.ndarray, triangles: np.ndarray, near: np.ndarray, found: np.ndarray) -> None:
    """Lower `found` (point,) to the distance of each point (point, 3) from those of the triangles
    (triangle, corner, 3) whose places are `near` (point, any).

    Where the foot of a point lies within a triangle it is the height above it, else the distance
    from an edge.
    """
    edge, offset, normal = np.empty((3, 3)), np.empty((3, 3)), np.empty(3)
    for i in range(len(at)):
        for j in range(near.shape[1]):
            corner = triangles[near[i, j]]
            for k in range(3):
                for c in range(3):
                    edge[k, c] = corner[(k + 1) % 3, c] - corner[k, c]
                    offset[k, c] = at[i, c] - corner[k, c]
            size = height = 0.0
            for c in range(3):
                d, e = (c + 1) % 3, (c + 2) % 3
                normal[c] = edge[0, d] * edge[1, e] - edge[0, e] * edge[1, d]
                size += normal[c] * normal[c]
                height += normal[c] * offset[0, c]
            above = size > 0
            for k in range(3):
                length = dot = side = 0.0
                for c in range(3):
                    d, e = (c + 1) % 3, (c + 2) % 3
                    length += edge[k, c] * edge[k, c]
                    dot += edge[k, c] * offset[k, c]
                    side += normal[c] * (edge[k, d] * offset[k, e] - edge[k, e] * offset[k, d])
                share = min(max(dot / length, 0.0), 1.0) if length > 0 else 0.0
                apart = 0.0
                for c in range(3):
                    apart += (offset[k, c] - share * edge[k, c]) ** 2
                found[i] = min(found[i], np.sqrt(apart))
                above = above and side >= 0
            if above:
                found[i] = min(found[i], abs(height) / np.sqrt(size))
