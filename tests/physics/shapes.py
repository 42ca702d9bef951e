"""SVEs of 8 voxels along each edge whose load paths are known: slabs, rods, helices, a hinge."""

from __future__ import annotations

import numpy as np

SHAPE = (8, 8, 8)  # of test_homogenize, for which the solver is compiled once


def solid() -> np.ndarray:
    return np.zeros(SHAPE, np.uint8)


def void(*voxels: tuple) -> np.ndarray:
    """Pores but for these voxels (or slices)."""
    sve = np.ones(SHAPE, np.uint8)
    for voxel in voxels:
        sve[voxel] = 0
    return sve


def cracked(thickness: int, at: int = 0) -> np.ndarray:
    """A slab with an open crack normal to z, which may go round the faces."""
    sve = solid()
    sve[:, :, (np.arange(thickness) + at) % 8] = 1
    return sve


def helices() -> np.ndarray:
    """Two strands that turn half round each other in the cell: each goes on as the other, and comes
    back after two cells.
    """
    angle = np.pi * (np.arange(8) / 8 + np.array([[0], [1]]))
    y, z = (np.rint(3 + 2.5 * f(angle)).astype(int) for f in (np.cos, np.sin))
    return void(
        *(
            (x, slice(y[s, x], y[s, x] + 2), slice(z[s, x], z[s, x] + 2))
            for s in (0, 1)
            for x in range(8)
        )
    )


def hinged() -> np.ndarray:
    """Slabs normal to z, 5 voxels thick, joined across the crack by three voxels that meet at
    corners, on a slant: a hinged strut.
    """
    sve = cracked(3)
    sve[2, 2, 0] = sve[3, 3, 1] = sve[4, 4, 2] = 0
    return sve
