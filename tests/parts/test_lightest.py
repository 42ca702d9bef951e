"""The lightest gradation that carries a load, of parts whose loads are known in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from svevae.errors import ConfigError
from svevae.parts.lightest import Gradation, GradationSearch

DISTANCE = np.linspace(0, 3, 200)


class Linear(GradationSearch):
    """A part whose load falls with the porosity near the surface five times as fast as with that
    far from it.
    """

    def __init__(self, porosity: tuple[float, float] = (0.005, 0.08)) -> None:
        super().__init__(porosity, (0.001, 0.2), (0.25, 4.0), seed=0)
        self.asked: set[Gradation] = set()

    def load(self, design: Gradation) -> float:
        self.asked.add(design)
        return 160 - 300 * design.near - 60 * design.far

    def mean_porosity(self, design: Gradation) -> float:
        return float(design.porosity(DISTANCE).mean())


def test_the_highest_uniform_porosity_that_carries_a_load() -> None:
    found = Linear().uniform(150.0)
    assert found.near == found.far == pytest.approx(10 / 360, rel=2e-3)
    assert Linear().load(found) >= 150
    with pytest.raises(
        ConfigError,
        match=r"^load: 0\.63\d* is carried at the highest porosity 0\.08 everywhere: nothing",
    ):
        Linear().uniform(100.0)


def test_porosities_the_wrong_way_round() -> None:
    with pytest.raises(ConfigError, match=r"a lower and a higher one, received 0\.08 and 0\.005$"):
        Linear((0.08, 0.005))


def test_the_search_is_lighter_than_uniform_porosity_and_carries_the_load() -> None:
    """As dense as may be near the surface, where porosity costs most, and filled up far from it."""
    study, target = Linear(), 155.0
    uniform = study.uniform(target)
    best, trials = study.search(target, uniform, trials=8)
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


def test_a_load_that_falls_steeply_is_carried_all_the_same() -> None:
    """A drop by a fifth at some porosity: the root may lie on either side of it, the design on
    the side that carries.
    """

    class Steep(Linear):
        def load(self, design: Gradation) -> float:
            return super().load(design) + 40 * (design.far <= drop)

    for drop in np.random.default_rng(0).uniform(0.03, 0.07, 30):
        found = Steep().fill(lambda x: Gradation(0.005, x, 1.0), 157.0)
        assert found is not None
        assert Steep().load(found) >= 157
        assert found.far == pytest.approx(drop, abs=2e-5)


class Thrifty(Linear):
    thrifty = True
    starts = (0.5, 0.25, 0.75)
    spare = close = 1e-3


def test_a_thrifty_search_fills_up_what_is_lighter_alone() -> None:
    """It finds what is lightest with fewer loads, each within what it may be off,
    and tells after each trial what is the lightest so far.
    """
    searches, found = (Linear(), Thrifty()), []
    told: list[Gradation] = []
    for search in searches:
        uniform = search.uniform(155.0)
        found.append(search.search(155.0, uniform, trials=20, tell=told.append))
    (best, _), (thrifty, trials) = found
    least, most = (len(search.asked) for search in reversed(searches))
    assert least < 0.8 * most
    assert searches[1].mean_porosity(thrifty) == pytest.approx(
        searches[0].mean_porosity(best), rel=0.1
    )
    assert (trials["mean porosity"].diff().dropna() > -1e-12).all()
    assert (trials.load >= 155).all()
    assert (trials.load <= 155 * 1.002).all()
    assert len(told) == 40
    assert told[-1] == thrifty


def test_what_is_filled_begins_where_it_is_said() -> None:
    def make(x: float) -> Gradation:
        return Gradation(0.005, x, 1.0)

    search = Linear()
    full, again = search.fill(make, 155.0), search.fill(make, 155.0, least=0.05)
    assert full is not None
    assert again is not None
    assert again.far == pytest.approx(full.far, rel=1e-6)
    assert search.fill(make, 155.0, least=0.06) is None


def test_what_is_too_weak_near_the_notch_is_no_design() -> None:
    assert Linear().fill(lambda x: Gradation(0.03, x, 1.0), 155.0) is None


def test_porosity_goes_from_near_to_far() -> None:
    design = Gradation(0.01, 0.05, 1.5)
    assert design.porosity(np.array([-0.3, 0.0, 100.0])) == pytest.approx([0.01, 0.01, 0.05])
    assert design.porosity(np.array([1.5])) == pytest.approx(0.05 - 0.04 * np.exp(-1))
