"""Gradations: where the void is, and what the porosity is near to it and far from it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.conftest import ROOT

from svevae.config import load_multiscale
from svevae.errors import ConfigError
from svevae.use.gradation import Gradation, GradationStudy, _check_section, distance


class Linear(GradationStudy):
    """A part whose load falls with the porosity near the notch five times as fast as with that far from it."""

    def __init__(self, trials: int = 8):
        self.params = load_multiscale(ROOT / "multiscale" / "params.yaml")
        self.settings = replace(self.params.grade, porosity=(0.005, 0.08), trials=trials)
        self.voxels = distance("notched", (4, 2, 6), 1.0, 8)

    def load(self, design: Gradation) -> float:
        return 160 - 300 * design.near - 60 * design.far


def test_the_highest_uniform_porosity_that_carries_a_load() -> None:
    found = Linear().uniform(150.0)
    assert found.near == found.far == pytest.approx(10 / 360, rel=2e-3)
    assert Linear().load(found) >= 150
    with pytest.raises(ConfigError, match=r"carried at the highest porosity 0\.08 everywhere: nothing to grade"):
        Linear().uniform(100.0)


def test_the_search_is_lighter_than_uniform_porosity_and_carries_the_load() -> None:
    """As dense as may be near the notch, where porosity costs most, and filled up far from it."""
    study, target = Linear(), 155.0
    uniform = study.uniform(target)
    best, trials = study.search(target, uniform)
    assert best.near == 0.005
    assert best.far == pytest.approx((5 - 300 * 0.005) / 60, rel=5e-3)
    assert study.mean_porosity(best) > 2 * study.mean_porosity(uniform)
    assert (trials.load >= target).all()
    assert study.mean_porosity(best) == trials["mean porosity"].max()


def test_what_is_too_weak_near_the_notch_is_no_design() -> None:
    assert Linear().fill(lambda x: Gradation(0.03, x, 1.0), 155.0) is None


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
