"""Points of elements, each of which stands for a share of the volume: what is known in space is
averaged over elements by them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from svevae.meshes.elements import pieces
from svevae.meshes.mesh import CHUNK, Mesh

ALONG = 3  # points along each edge of a cell, in an element of a few of them
FINE = 12  # along the edge of an element, up to which a cell has more than one along its own
MOST = 30  # along the edge of an element
ROUNDING = 1e-6


@dataclass(frozen=True)
class Points:
    """Points `at` (point, 3) in elements, by their place among all (point,), and the `volume`
    (point,) that each stands for.
    """

    element: np.ndarray
    at: np.ndarray
    volume: np.ndarray


def points_of(mesh: Mesh, cell: float) -> tuple[Points, np.ndarray]:
    """The centroid of each element that is at most as large as a cube of the edge `cell`, and in
    those that are larger one to `ALONG` points along each edge of such a cube, fewer where it is
    longer than `MOST` of them; which these are, (element,) bool. Raises DataError as
    `Mesh.geometry`.
    """
    centres, volumes = mesh.geometry()
    larger = volumes > cell**3 * (1 + ROUNDING)
    small = np.flatnonzero(~larger)
    found = [Points(small, centres[small], volumes[small])]
    start = 0
    for block in mesh.blocks:
        own = np.flatnonzero(larger[start : start + len(block.numbers)])
        corners = mesh.points[mesh.rows(block.nodes[own])]
        spans = np.ptp(corners, axis=1).max(axis=1) if own.size else np.empty(0)
        cells = spans / cell
        each = np.floor(FINE / cells + ROUNDING).clip(1, ALONG)
        counts = np.ceil(each * cells - ROUNDING).clip(ALONG, MOST).astype(int)
        for count in np.unique(counts):
            here = counts == count
            found += _within(block.kind, int(count), corners[here], start + own[here])
        start += len(block.numbers)
    element, at, volume = (
        np.concatenate([getattr(one, name) for one in found])
        for name in ("element", "at", "volume")
    )
    return Points(element, at, volume), larger


def _within(kind: str, count: int, corners: np.ndarray, rows: np.ndarray) -> list[Points]:
    """Points of elements of one type with the nodes `corners` (element, node, 3), their volumes
    brought to those of the elements.
    """
    weights, shape, derivatives = pieces(kind, count)
    found = []
    chunk = max(1, CHUNK * 8 // len(weights))
    for start in range(0, len(rows), chunk):
        own = corners[start : start + chunk]
        jacobian = np.linalg.det(np.einsum("gij,ejk->egik", derivatives, own))
        share = jacobian.clip(0) * weights
        at = np.einsum("gj,ejk->egk", shape, own)
        element = np.repeat(rows[start : start + chunk], len(weights))
        found.append(Points(element, at.reshape(-1, 3), share.ravel()))
    return found
