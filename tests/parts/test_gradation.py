"""Gradations: where the void is, and what the porosity is near to it and far from it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from svevae.errors import ConfigError, SolverError
from svevae.parts.direct import Direct
from svevae.parts.gradation import GradationStudy, Outline, distance, verify
from svevae.parts.lightest import Gradation
from svevae.physics.elasticity import PRESETS
from svevae.physics.part import Response, block_means

NOTCHED = Outline("notched", (4, 2, 6), 1.0, n=8, refine=4)


def test_porosity_of_sves_is_that_of_their_solid() -> None:
    """The mean over the SVEs, by how much of each is solid, is the part's; within the notch there
    is nothing to be the mean of.
    """
    design = Gradation(0.005, 0.08, 0.25)
    porosity = NOTCHED.sve_porosity(design)
    share = block_means((NOTCHED.voxels > 0)[None].astype(float), 8)[0]
    assert np.average(porosity, weights=share) == pytest.approx(
        NOTCHED.mean_porosity(design), rel=1e-12
    )
    assert porosity[0, 0, 2] > 1.5 * design.porosity(NOTCHED.sves)[0, 0, 2], (
        "a quarter of it is solid, and most of that is not near the notch"
    )


def test_a_microstructure_that_does_not_converge_is_replaced(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """The first of them; where all do not, that is an error."""
    solved: list[str] = []
    direct = Direct(PRESETS["as-built-z"], (0.001,), 1e-3, 8)

    def verified() -> Response:
        design, pores = Gradation(0.02, 0.02, 1.0), {"pore_length": 5.0, "elongation": 1.5}
        return verify("a", design, NOTCHED, direct, count=2, seed=0, **pores)

    def simulate(_: object, pores: np.ndarray, outline: np.ndarray, name: str) -> tuple:
        solved.append(name)
        if name in failing:
            raise SolverError(f"{name}: residual 0.1")
        return Response(*(np.full((1, 1), float(len(solved))) for _ in range(5))), 0.0

    monkeypatch.setattr("svevae.parts.direct.Direct.simulate", simulate)
    failing = {"a 0"}
    assert verified().strain.ravel().tolist() == [2, 3]
    assert solved == ["a 0", "a 1", "a 2"]
    assert "a 0: residual 0.1; microstructure 1 takes its place" in capsys.readouterr().err
    failing = {"a 0", "a 1"}
    with pytest.raises(SolverError, match="a 1: residual"):
        verified()


def test_porosities_beyond_the_data_are_refused() -> None:
    narrow = SimpleNamespace(porosities=(0.001, 0.07))
    with pytest.raises(
        ConfigError,
        match=(
            r"^porosity: expected porosities of SVEs of the dataset, 0.0010 to 0.0700, a lower and"
            r" a higher one, received 0.005 and 0.08"
        ),
    ):
        GradationStudy(NOTCHED, None, narrow, None, porosity=(0.005, 0.08), fields=1, seed=0)


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


def test_elements_too_coarse_for_a_notch_are_refused() -> None:
    """Half circles of half an SVE edge lie between the centres of elements as large as SVEs, and
    take half the section of the voxels.
    """
    shape = ("notched", (2, 1, 2), 0.5)
    Outline(*shape, n=32, refine=2)
    with pytest.raises(
        ConfigError,
        match=(
            r"^refine: expected elements fine enough for the net section, 0.500 of the gross one,"
            r" received one of"
        ),
    ):
        Outline(*shape, n=32, refine=1)
