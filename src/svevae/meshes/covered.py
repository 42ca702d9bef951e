"""Which voxels a mesh covers.

An element is the tetrahedra between its middle and triangles of its faces, these between the middle
of the face and its edges, bent at the nodes between corners: two neighbours share them, so that no
gap is left.
"""

from __future__ import annotations

import sys

import numpy as np
from tqdm import tqdm

from svevae.meshes.elements import ELEMENTS, Element
from svevae.meshes.mesh import Mesh
from svevae.physics.cpu.rows import kernel

CHUNK = 1 << 13  # elements whose tetrahedra are in memory at a time
NEAR = 1e-9  # of a voxel: centres so near a tetrahedron are in it


def covered(mesh: Mesh, shape: tuple[int, int, int]) -> np.ndarray:
    """Whether the centre of each voxel is in an element, (x, y, z) bool; of a mesh whose unit is
    the edge of a voxel and whose origin is the corner of the first one.
    """
    found = np.zeros(shape, np.bool_)
    count, hidden = len(mesh.elements), not sys.stderr.isatty()
    with tqdm(total=count, unit="element", desc="cover", disable=hidden) as bar:
        for block in mesh.blocks:
            element, rows = ELEMENTS[block.kind], mesh.rows(block.nodes)
            for start in range(0, len(rows), CHUNK):
                own = rows[start : start + CHUNK]
                corners = _tetrahedra(element, mesh.points[own])
                low = np.ceil(corners.min(axis=1) - 0.5 - NEAR).clip(0, shape)
                high = (np.floor(corners.max(axis=1) - 0.5 + NEAR) + 1).clip(0, shape)
                low, high = low.astype(np.int64), high.astype(np.int64)  # clipped, they fit
                there = (low < high).all(axis=1)
                _fill(_planes(corners[there]), low[there], high[there], found)
                bar.update(len(own))
    return found


def _tetrahedra(element: Element, nodes: np.ndarray) -> np.ndarray:
    """Corners (tetrahedron, 4, 3) that elements of these nodes (element, node, 3) consist of."""
    middle, found = nodes.mean(axis=1), []
    for corners in element.family.faces:
        around = _around(element, corners)
        centre = nodes[:, around].mean(axis=1)
        for a, b in zip(around, np.roll(around, -1).tolist(), strict=True):
            found.append(np.stack([middle, centre, nodes[:, a], nodes[:, b]], axis=1))
    return np.concatenate(found)


def _around(element: Element, corners: tuple[int, ...]) -> list[int]:
    """The places of the nodes of a face, one after another round it."""
    if not element.quadratic:
        return list(corners)
    edges = [set(edge) for edge in element.family.edges]
    found = []
    for a, b in zip(corners, np.roll(corners, -1).tolist(), strict=True):
        found += [a, len(element.family.corners) + edges.index({a, b})]
    return found


def _planes(corners: np.ndarray) -> np.ndarray:
    """Of tetrahedra (tetrahedron, 4, 3) the planes of their faces (tetrahedron, 4, 4): a point is
    inside where the product with (x, y, z, 1) of none is below 0; lengths are distances.
    """
    planes = []
    for k in range(4):
        a, b, c = (corners[:, (k + j) % 4] for j in (1, 2, 3))
        normal = np.cross(b - a, c - a)
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-300)
        offset = -(normal * a).sum(axis=1)
        inside = (normal * corners[:, k]).sum(axis=1) + offset
        sign = np.where(inside < 0, -1.0, 1.0)[:, None]
        planes.append(np.column_stack([normal, offset]) * sign)
    return np.stack(planes, axis=1)


@kernel
def _fill(planes: np.ndarray, low: np.ndarray, high: np.ndarray, found: np.ndarray) -> None:
    """Set what tetrahedra between the voxels `low` and `high` (tetrahedron, 3) cover: along each
    column of voxels an interval that the four planes leave.
    """
    for t in range(len(planes)):
        for i in range(low[t, 0], high[t, 0]):
            for j in range(low[t, 1], high[t, 1]):
                begin, end = low[t, 2] + 0.5, high[t, 2] - 0.5
                for k in range(4):
                    x, y, z, offset = planes[t, k]
                    distance = x * (i + 0.5) + y * (j + 0.5) + offset + NEAR
                    if z > NEAR:
                        begin = max(begin, -distance / z)
                    elif z < -NEAR:
                        end = min(end, -distance / z)
                    elif distance < 0:
                        end = begin - 1.0
                first = int(np.ceil(begin - 0.5))
                for k in range(first, int(np.floor(end - 0.5)) + 1):
                    found[i, j, k] = True
