"""What a page shows of SVEs."""

from __future__ import annotations

import numpy as np

from svevae.explore.views import Solved, Start


def test_voxels_are_not_printed() -> None:
    """A log of them would be megabytes."""
    voxels = np.zeros((8, 8, 8), np.uint8)
    solved = Solved({"E_z": 1.0}, {}, voxels)
    assert "array" not in repr(Start("SVE 0", np.zeros(0), voxels, solved=solved)).replace(
        "array([], dtype=float64)", ""
    )
