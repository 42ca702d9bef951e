"""Porosity that varies with the distance from a notch, a hole or a surface: the least mass that
carries a load, of parts whose loads somebody else computes.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import optuna
import pandas as pd
from scipy.optimize import brentq

from svevae.errors import ConfigError

# of the load that a design carries beyond the target, at most; it covers the root's tolerance
SPARE = 1e-4


@dataclass(frozen=True)
class Gradation:
    """Porosity from `near` a surface to `far` from it: far + (near - far) exp(-(d / width)^2), d in
    the unit of `width`.
    """

    near: float
    far: float
    width: float

    def porosity(self, distance: np.ndarray) -> np.ndarray:
        """At distances (...) in the unit of `width`; in the void, where it is negative, as at the
        surface.
        """
        return self.far + (self.near - self.far) * np.exp(
            -np.square(np.maximum(distance, 0.0) / self.width)
        )


class GradationSearch(ABC):
    """The search for the lightest gradation of a part that carries a load.

    `spare` is what of the target a design carries beyond it, and a load as near as `close` to that
    is near enough. A `thrifty` search does not fill up what is no lighter than the best so far: for
    loads that take long. `starts` are the widths of the first trials, with the lowest porosity
    near: 0 is the least width and 1 the largest, on a logarithmic scale.
    """

    spare = SPARE
    close = 0.0
    thrifty = False
    starts: Sequence[float] = (0.5,)

    def __init__(
        self,
        porosity: Sequence[float],
        known: tuple[float, float],
        widths: tuple[float, float],
        seed: int,
    ):
        """`porosity` is the lowest and the highest of a design, `known` those of the data, `widths`
        the least and the largest width. Raises ConfigError for porosities that are not known.
        """
        self.low, self.high = porosity
        self.widths, self.seed = widths, seed
        lowest, highest = known
        if not lowest <= self.low < self.high <= highest:
            raise ConfigError(
                f"porosity: expected porosities of SVEs of the dataset, {lowest:.4f} to"
                f" {highest:.4f}, a lower and a higher one, received {self.low:g} and {self.high:g}"
            )

    @abstractmethod
    def load(self, design: Gradation) -> float:
        """The yield load of a design, the same whenever it is asked for."""

    @abstractmethod
    def mean_porosity(self, design: Gradation) -> float:
        """The mean over the part, linear in the porosity."""

    def fill(
        self, make: Callable[[float], Gradation], target: float, least: float | None = None
    ) -> Gradation | None:
        """Find the highest porosity x from `least` on, by default the lowest, at which the design
        make(x) carries the load `target`; None where it does at none. The load falls as x grows.
        """
        low = self.low if least is None else least
        if (first := self.load(make(low))) < target:
            return None
        if self.load(make(self.high)) >= target:
            return make(self.high)
        aim = target * (1 + self.spare)
        if first < aim:
            return make(low)
        carrying = [low]

        def spare(x: float) -> float:
            load = self.load(make(x))
            if load >= target:
                carrying.append(x)
            return 0.0 if abs(load - aim) <= self.close * target else load - aim

        root = brentq(spare, low, self.high, xtol=self.spare / 10)
        # where the load falls steeply, the root's tolerance may cost more than is spared
        return make(root if self.load(make(root)) >= target else max(carrying))

    def uniform(self, target: float) -> Gradation:
        """Find the highest uniform porosity that carries the load. Raises ConfigError where every
        one does.
        """
        design = self.fill(lambda x: Gradation(x, x, 1.0), target)
        if design is None or design.near == self.high:
            share = target / self.load(Gradation(self.low, self.low, 1.0))
            raise ConfigError(
                f"load: {share:g} is carried at the highest porosity {self.high:g} everywhere:"
                " nothing to grade"
            )
        return design

    def search(
        self,
        target: float,
        start: Gradation,
        trials: int,
        tell: Callable[[Gradation], None] | None = None,
    ) -> tuple[Gradation, pd.DataFrame]:
        """Find the gradation of highest mean porosity that carries the load; all that do are the
        rows of the table, `start` the first.

        Optuna chooses `near` and `width`, `far` is filled up to the load, so that each trial is as
        light as it may be. After each trial, `tell` gets the lightest so far; without it there is a
        bar of Optuna's.
        """
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        designs = [start]

        def objective(trial: optuna.Trial) -> float:
            near, width = (
                trial.suggest_float("near", self.low, self.high),
                trial.suggest_float("width", *self.widths, log=True),
            )

            def make(x: float) -> Gradation:
                return Gradation(near, x, width)

            least = self.low
            if self.thrifty:
                least = self._as_light(make, max(map(self.mean_porosity, designs)))
            if least > self.high:
                raise optuna.TrialPruned
            design = self.fill(make, target, least)
            if (
                design is None and self.thrifty
            ):  # how much it lacks tells the sampler where to go on
                lacks = 1 - self.load(make(least)) / target
                return self.mean_porosity(make(least)) - lacks
            if design is None:
                raise optuna.TrialPruned
            designs.append(design)
            return self.mean_porosity(design)

        study = optuna.create_study(
            direction="maximize", sampler=optuna.samplers.TPESampler(seed=self.seed)
        )
        for share in self.starts:
            width = float(self.widths[0] * (self.widths[1] / self.widths[0]) ** share)
            study.enqueue_trial({"near": self.low, "width": width})
        study.optimize(
            objective,
            n_trials=trials,
            callbacks=[lambda *_: tell(max(designs, key=self.mean_porosity))] if tell else None,
            show_progress_bar=tell is None and sys.stderr.isatty(),
        )
        rows = [
            asdict(design)
            | {
                "mean porosity": self.mean_porosity(design),
                "load": self.load(design),
            }
            for design in designs
        ]
        return max(designs, key=self.mean_porosity), pd.DataFrame(rows)

    def _as_light(self, make: Callable[[float], Gradation], mean: float) -> float:
        """The least porosity x, from the lowest on, at which the mean of make(x) is at least
        `mean`.
        """
        low, high = (self.mean_porosity(make(x)) for x in (self.low, self.high))
        return max(self.low, self.low + (self.high - self.low) * (mean - low) / (high - low))
