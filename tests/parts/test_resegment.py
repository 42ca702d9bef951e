"""Another threshold: how many voxels it makes pore, and where."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from svevae.parts.resegment import SegmentationShift, resegment
from svevae.physics.microstructure import make_part

PORES = make_part(
    "spheres", (32, 32, 32), 0, 0, {"porosity": 0.04, "diameter": 6.0, "diameter_spread": 0.2}
)


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.25])
def test_the_porosity_is_met_to_the_voxel_and_pores_only_grow_or_shrink(factor: float) -> None:
    changed = resegment(PORES, factor)
    assert changed.sum() == round(factor * int(PORES.sum()))
    assert set(np.unique(changed)) <= {0, 1}
    inner, outer = (PORES, changed) if factor > 1 else (changed, PORES)
    assert (inner <= outer).mean() > 0.999  # a voxel alone may go where others grow
    assert (outer <= binary_dilation(inner, np.ones((3, 3, 3)))).all()


def test_nothing_grows_where_there_are_no_pores() -> None:
    assert not resegment(np.zeros((8, 8, 8), np.uint8), 1.3).any()


def test_a_linear_shift_is_found_again() -> None:
    random = np.random.default_rng(0)
    latent, porosity = random.standard_normal((400, 3)), random.random(400)
    shift = 0.1 * latent @ random.standard_normal((3, 3)) + porosity[:, None]
    found = SegmentationShift.fit(latent, porosity, latent - shift, latent + shift)
    moved = found.apply(latent.reshape(20, 20, 3), porosity.reshape(20, 20), 2.0)
    np.testing.assert_allclose(moved.reshape(-1, 3), latent + 2 * shift, atol=0.2)
