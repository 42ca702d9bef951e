"""The faces of the elements of a mesh, and which of them are seen when it is cut open."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from svevae.meshes.elements import ELEMENTS
from svevae.meshes.mesh import Mesh


@dataclass(frozen=True)
class Faces:
    """Faces, each once: `corners` (face, 4), rows of the mesh's points, -1 for the fourth of a
    triangle; nodes between corners are left out. `sides` (face, 2) are the elements on both sides,
    by their places among all, -1 where there is none.
    """

    corners: np.ndarray
    sides: np.ndarray

    @classmethod
    def of(cls, mesh: Mesh) -> Faces:
        corners, owners, start = [], [], 0
        for block in mesh.blocks:
            rows = mesh.rows(block.nodes).astype(np.int32)
            own = np.arange(start, start + len(rows), dtype=np.int32)
            start += len(rows)
            for face in ELEMENTS[block.kind].family.faces:
                missing = [(0, 0), (0, 4 - len(face))]
                corners.append(np.pad(rows[:, list(face)], missing, constant_values=-1))
                owners.append(own)
        found, owner = np.concatenate(corners), np.concatenate(owners)
        key = np.sort(found, axis=1)
        order = np.lexsort(key.T)
        key = key[order]
        again = np.append((key[1:] == key[:-1]).all(axis=1), False)  # the next one is the same
        first = np.flatnonzero(~np.append(False, again[:-1]))
        other = np.where(again[first], owner[order[(first + 1) % len(order)]], -1)
        return cls(found[order[first]], np.column_stack([owner[order[first]], other]))

    def seen(self, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The faces with an element that is `kept` (element,) bool on one side alone: their corners
        (face, 4), and that element (face,).
        """
        there = np.append(kept, False)[self.sides]  # -1 is the last, which is never there
        seen = there[:, 0] != there[:, 1]
        return self.corners[seen], np.where(there[seen, 0], *self.sides[seen].T)

    @property
    def nbytes(self) -> int:
        """Bytes of both arrays."""
        return self.corners.nbytes + self.sides.nbytes


def triangles(corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Faces (face, 4) as triangles (triangle, 3), and the face (triangle,) that each is of."""
    four = np.flatnonzero(corners[:, 3] >= 0)
    made = np.concatenate([corners[:, :3], corners[four][:, [0, 2, 3]]])
    return made, np.concatenate([np.arange(len(corners)), four])


def outline(corners: np.ndarray) -> np.ndarray:
    """The edges of faces (face, 4) as one line: rows of points, -1 between two faces."""
    last = np.where(corners[:, 3:] >= 0, corners[:, 3:], corners[:, 2:3])
    closed = np.hstack([corners[:, :3], last, corners[:, :1], np.full((len(corners), 1), -1)])
    return closed.ravel()
