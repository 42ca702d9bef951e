"""Gradations: where the void is, and what the porosity is near to it and far from it."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from tests.conftest import ROOT

from svevae.errors import ConfigError, SolverError
from svevae.parts.config import load_multiscale
from svevae.parts.gradation import Gradation, GradationStudy, _check_section, distance
from svevae.physics.part import Response, block_means


class Linear(GradationStudy):
    """A part whose load falls with the porosity near the notch five times as fast as with that far
    from it.
    """

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
    with pytest.raises(
        ConfigError, match=r"carried at the highest porosity 0\.08 everywhere: nothing to grade"
    ):
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


def test_a_design_that_just_carries_the_load_is_filled_no_further() -> None:
    """Its load lies between the target and what the root is sought at: there is no sign change to
    find.
    """
    just = Gradation(near := (5 - 60 * 0.005 - 0.004) / 300, 0.005, 1.0)
    assert 155 < Linear().load(just) < 155 * (1 + 1e-4)
    assert Linear().fill(lambda x: Gradation(near, x, 1.0), 155.0) == just


def test_porosity_of_sves_is_that_of_their_solid() -> None:
    """The mean over the SVEs, by how much of each is solid, is the part's; within the notch there
    is nothing to be the mean of.
    """
    study = Linear()
    study.model, study.sves = SimpleNamespace(n=8), distance("notched", (4, 2, 6), 1.0, 1)
    design = Gradation(0.005, 0.08, 0.25)
    found = study.sve_porosity(design)
    share = block_means((study.voxels > 0)[None].astype(float), 8)[0]
    assert np.average(found, weights=share) == pytest.approx(study.mean_porosity(design), rel=1e-12)
    assert found[0, 0, 2] > 1.5 * design.porosity(study.sves)[0, 0, 2], (
        "a quarter of it is solid, and most of that is not near the notch"
    )


def test_a_microstructure_that_does_not_converge_is_replaced(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """The first of them; where all do not, that is an error."""
    study, solved = Linear(), []
    study.settings = replace(study.settings, direct=2)
    study.ground, study.model = SimpleNamespace(material=None), SimpleNamespace(n=8)

    def simulate(_: object, pores: np.ndarray, outline: np.ndarray, name: str) -> tuple:
        solved.append(name)
        if name in failing:
            raise SolverError(f"{name}: residual 0.1")
        return Response(*(np.full((1, 1), float(len(solved))) for _ in range(5))), 0.0

    monkeypatch.setattr("svevae.parts.direct.Direct.simulate", simulate)
    failing = {"a 0"}
    assert study.verify("a", Gradation(0.02, 0.02, 1.0)).strain.ravel().tolist() == [2, 3]
    assert solved == ["a 0", "a 1", "a 2"]
    assert "a 0: residual 0.1; microstructure 1 takes its place" in capsys.readouterr().err
    failing = {"a 0", "a 1"}
    with pytest.raises(SolverError, match="a 1: residual"):
        study.verify("a", Gradation(0.02, 0.02, 1.0))


def test_porosities_beyond_the_data_are_refused() -> None:
    study = Linear()
    study.field, study.ground = (
        SimpleNamespace(porosities=(0.001, 0.07)),
        SimpleNamespace(data=SimpleNamespace(path="data/mine.h5")),
    )
    with pytest.raises(
        ConfigError,
        match=(
            r"grade.porosity: expected porosities of SVEs of data/mine.h5, 0.0010 to 0.0700,"
            r" received"
        ),
    ):
        study._check_porosity()


def test_what_is_too_weak_near_the_notch_is_no_design() -> None:
    assert Linear().fill(lambda x: Gradation(0.03, x, 1.0), 155.0) is None


def test_a_hole_and_notches_take_out_their_circles() -> None:
    hole = distance("hole", (4, 2, 6), 1.0, 16)
    assert hole.shape == (64, 32, 96)
    assert (hole[:, 0] < 0).sum() / 16**2 == pytest.approx(np.pi, rel=0.01)
    notched = distance("notched", (4, 2, 6), 1.0, 16)
    assert (notched[:, 0] < 0).sum() / 16**2 == pytest.approx(np.pi, rel=0.01)  # two halves
    assert (notched[:, :, 48] < 0).sum(axis=0)[
        0
    ] == 2 * 16 - 0  # as deep as the radius on both sides
    np.testing.assert_array_equal(notched, notched[::-1, :, ::-1])


def test_porosity_goes_from_near_to_far() -> None:
    design = Gradation(0.01, 0.05, 1.5)
    assert design.porosity(np.array([-0.3, 0.0, 100.0])) == pytest.approx([0.01, 0.01, 0.05])
    assert design.porosity(np.array([1.5])) == pytest.approx(0.05 - 0.04 * np.exp(-1))


def test_elements_too_coarse_for_a_notch_are_refused() -> None:
    """Half circles of half an SVE edge lie between the centres of elements as large as SVEs, and
    take half the section of the voxels.
    """
    shape = ("notched", (2, 1, 2), 0.5)
    _check_section(distance(*shape, 2), distance(*shape, 32))
    with pytest.raises(
        ConfigError,
        match=(
            r"parts.refine: expected elements fine enough for the net section, 0.500 of the"
            r" gross one"
        ),
    ):
        _check_section(distance(*shape, 1), distance(*shape, 32))
