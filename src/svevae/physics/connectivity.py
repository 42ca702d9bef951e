"""Load paths: percolation of the matrix of a periodic SVE."""

from __future__ import annotations

from itertools import product

import numpy as np
from scipy import ndimage


def load_path(sve: np.ndarray) -> np.ndarray:
    """Find the axes along which a body of the matrix goes on for ever, (3,) bool for x, y, z; `sve`
    (x, y, z) is periodic, 1 where there is a pore.

    Voxels that share a corner count as connected, so False means no stiffness at all along that
    axis. True does not mean stiffness: such a body may hinge, or run at an angle.
    """
    solid = np.asarray(sve) == 0
    # pieces within the box; what follows joins them across its faces
    pieces = np.asarray(ndimage.label(solid, np.ones((3, 3, 3)))[0])
    place = np.moveaxis(np.indices(solid.shape), 0, -1)
    bonds: set[tuple[int, ...]] = set()
    for step in [s for s in product((-1, 0, 1), repeat=3) if s > (0, 0, 0)]:
        crossed = (place + step) // solid.shape
        rows = np.stack(
            [pieces, np.roll(pieces, np.negative(step), (0, 1, 2)), *np.moveaxis(crossed, -1, 0)],
            axis=-1,
        )
        bonds.update(
            map(
                tuple,
                np.unique(rows[crossed.any(-1) & (rows[..., :2] > 0).all(-1)], axis=0).tolist(),
            )
        )
    # of each piece: its body's name, and the image it lies in
    body = {piece: (piece, np.zeros(3, int)) for piece in range(1, pieces.max() + 1)}
    endless = np.zeros(3, bool)
    for a, b, *image in bonds:
        (name, here), (other, there) = body[a], body[b]
        shift = here + image - there
        if name == other:
            endless |= shift != 0  # back at the same body in another image
        else:
            body |= {piece: (name, at + shift) for piece, (old, at) in body.items() if old == other}
    return endless
