"""Gradations: where the void is, and what the porosity is near to it and far from it."""

from __future__ import annotations

import numpy as np
import pytest

from svevae.errors import ConfigError
from svevae.use.gradation import Gradation, _check_section, distance


def test_a_hole_and_notches_take_out_their_circles() -> None:
    hole = distance("hole", (4, 2, 6), 1.0, 16)
    assert hole.shape == (64, 32, 96)
    assert (hole[:, 0] < 0).sum() / 16**2 == pytest.approx(np.pi, rel=0.01)
    notched = distance("notched", (4, 2, 6), 1.0, 16)
    assert (notched[:, 0] < 0).sum() / 16**2 == pytest.approx(np.pi, rel=0.01)  # two halves
    assert (notched[:, :, 48] < 0).sum(axis=0)[0] == 2 * 16 - 0  # as deep as the radius on both sides
    np.testing.assert_array_equal(notched, notched[::-1, :, ::-1])


def test_porosity_goes_from_near_to_far() -> None:
    design = Gradation(0.01, 0.05, 1.5)
    assert design.porosity(np.array([-0.3, 0.0, 100.0])) == pytest.approx([0.01, 0.01, 0.05])
    assert design.porosity(np.array([1.5])) == pytest.approx(0.05 - 0.04 * np.exp(-1))


def test_elements_too_coarse_for_a_notch_are_refused() -> None:
    """Half circles of half an SVE edge lie between the centres of elements as large as SVEs, and take half the section of the voxels."""
    shape = ("notched", (2, 1, 2), 0.5)
    _check_section(distance(*shape, 2), distance(*shape, 32))
    with pytest.raises(ConfigError, match=r"parts.refine: expected elements fine enough for the net section, 0.500 of the gross one"):
        _check_section(distance(*shape, 1), distance(*shape, 32))
