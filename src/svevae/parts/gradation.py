"""Parts with a notch or a hole whose porosity varies with the distance from it; the least mass that
carries a load.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
import optuna
import pandas as pd
from scipy.optimize import brentq

from svevae.dataset.statistics import read_position
from svevae.dataset.store import SVEDataset
from svevae.errors import ConfigError, DataError, SolverError
from svevae.model.latent import LatentModel
from svevae.parts.config import Multiscale
from svevae.parts.direct import Direct, joined
from svevae.parts.fields import PropertyField
from svevae.parts.ground import Ground, series, simulate
from svevae.parts.latent_field import LatentField
from svevae.physics.microstructure import graded
from svevae.physics.part import Response, block_means

WIDTHS = (0.25, 4.0)  # SVE edges
# of the load that a design carries beyond the target, at most; it covers the root's tolerance
SPARE = 1e-4
SECTION = 0.05  # relative error of the net section


@dataclass(frozen=True)
class Gradation:
    """Porosity from `near` the notch or hole to `far` from it: far + (near - far) exp(-(d /
    width)^2), d in SVE edges from its surface.
    """

    near: float
    far: float
    width: float

    def porosity(self, distance: np.ndarray) -> np.ndarray:
        """At distances (...) in SVE edges; in the void, where it is negative, as at the surface."""
        return self.far + (self.near - self.far) * np.exp(
            -np.square(np.maximum(distance, 0.0) / self.width)
        )


def distance(shape: str, part: tuple[int, ...], radius: float, n: int) -> np.ndarray:
    """Distance from the notches (two half circles at mid-height of the x faces) or the hole (along
    y), in SVE edges; negative in the void.

    (x, y, z) at the centres of `n` elements along each edge of an SVE; the part has `part` SVEs.
    """
    x, _, z = (np.arange(edge * n) + 0.5 for edge in part)
    across, along = np.meshgrid(x / n, z / n - part[2] / 2, indexing="ij")
    centres = (0.0, float(part[0])) if shape == "notched" else (part[0] / 2,)
    found = np.min([np.hypot(across - centre, along) for centre in centres], axis=0) - radius
    return np.broadcast_to(found[:, None, :], (part[0] * n, part[1] * n, part[2] * n))


def fit_trend(model: LatentModel, data: SVEDataset) -> LatentField:
    """The latent field about its trend with porosity, of all SVEs of a dataset. Raises DataError
    where it does not say which SVEs are neighbours.
    """
    position = read_position(data)
    if position is None:
        raise DataError(
            f"{data.path}: /position is missing: the latent field is fitted to neighbours"
        )
    latent = np.concatenate([model.encode(voxels)[0] for _, voxels in data.slabs()])
    return LatentField.fit(latent, data.porosity(), data.part_id, position, trend=True)


class GradationStudy:
    """Designs of one part: their latent load, the search, direct simulation."""

    def __init__(self, params: Multiscale, ground: Ground, model: LatentModel, field: LatentField):
        """`field` is the latent field about its trend with porosity, as `fit_trend` gives it.

        Raises ConfigError for a part or porosities that neither elements nor field can have.
        """
        self.params, self.settings = params, params.grade
        self.ground, self.model, self.field = ground, model, field
        shape = (self.settings.shape, self.settings.part, self.settings.radius)
        self.elements = distance(*shape, params.parts.refine)
        self.voxels = distance(*shape, self.model.n)
        self.sves = distance(*shape, 1)
        _check_section(self.elements, self.voxels)
        self._check_porosity()
        self.cache: dict[Gradation, float] = {}

    def _check_porosity(self) -> None:
        """Raises ConfigError where designs may have porosities that the latent field does not
        know.
        """
        low, high = self.field.porosities
        if not low <= self.settings.porosity[0] < self.settings.porosity[1] <= high:
            received = f"received {list(self.settings.porosity)}"
            text = (
                f"grade.porosity: expected porosities of SVEs of {self.ground.data.path}, {low:.4f}"
                f" to {high:.4f}, {received}"
            )
            raise ConfigError(f"multiscale/params.yaml: {text}")

    def sve_porosity(self, design: Gradation) -> np.ndarray:
        """Of each SVE within the part's outline, (x, y, z); as at its centre where it lies
        outside.
        """
        inside = (self.voxels > 0)[None].astype(float)
        share, pores = (
            block_means(field, self.model.n)[0]
            for field in (inside, inside * design.porosity(self.voxels))
        )
        return np.where(
            share > 0, pores / np.where(share > 0, share, 1), design.porosity(self.sves)
        )

    def mean_porosity(self, design: Gradation) -> float:
        """Within the part's outline."""
        return float(design.porosity(self.voxels)[self.voxels > 0].mean())

    def porosity(self, design: Gradation) -> np.ndarray:
        """Of a slice across y, (x, z), NaN in the void."""
        return np.where(self.voxels[:, 0] > 0, design.porosity(self.voxels[:, 0]), np.nan)

    def load(self, design: Gradation) -> float:
        """Yield load over the area of the box, MPa: mean over sampled latent fields, the same
        random numbers for each design.
        """
        if design not in self.cache:
            random = np.random.default_rng(series("grade: fields", self.params.parts.seed))
            fields = []
            for _ in range(self.settings.fields):
                latent, porosity = self.field.sample(
                    self.settings.part, random, porosity=self.sve_porosity(design)
                )
                fields.append(PropertyField.predicted(self.model, latent, porosity))
            response = simulate(
                fields, self.ground.law, self.params.parts, outline=self.elements > 0
            )
            self.cache[design] = float(response.yield_stress.mean())
        return self.cache[design]

    def fill(self, make: Callable[[float], Gradation], target: float) -> Gradation | None:
        """make(x) of the highest porosity x at which it carries the load; None where it does at
        none. The load falls as x grows.
        """
        low, high = self.settings.porosity
        if self.load(make(high)) >= target:
            return make(high)
        if self.load(make(low)) < target * (1 + SPARE):
            return make(low) if self.load(make(low)) >= target else None
        return make(
            brentq(lambda x: self.load(make(x)) - target * (1 + SPARE), low, high, xtol=SPARE / 10)
        )

    def uniform(self, target: float) -> Gradation:
        """The highest uniform porosity that carries the load. Raises ConfigError where every one
        does.
        """
        found = self.fill(lambda x: Gradation(x, x, 1.0), target)
        if found is None or found.near == self.settings.porosity[1]:
            text = (
                f"grade.load: {self.settings.load:g} is carried at the highest porosity"
                f" {self.settings.porosity[1]:g} everywhere"
            )
            raise ConfigError(f"multiscale/params.yaml: {text}: nothing to grade")
        return found

    def search(self, target: float, start: Gradation) -> tuple[Gradation, pd.DataFrame]:
        """The gradation of highest mean porosity that carries the load, and all that were tried:
        Optuna has `near` and `width`, `far` is filled up to the load, so that each trial is as
        light as it may be.
        """
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        low, high = self.settings.porosity
        designs = [start]

        def objective(trial: optuna.Trial) -> float:
            near, width = (
                trial.suggest_float("near", low, high),
                trial.suggest_float("width", *WIDTHS, log=True),
            )
            design = self.fill(lambda x: Gradation(near, x, width), target)
            if design is None:
                raise optuna.TrialPruned
            designs.append(design)
            return self.mean_porosity(design)

        study = optuna.create_study(
            direction="maximize", sampler=optuna.samplers.TPESampler(seed=self.params.parts.seed)
        )
        study.enqueue_trial({"near": low, "width": 1.0})
        study.optimize(
            objective, n_trials=self.settings.trials, show_progress_bar=sys.stderr.isatty()
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

    def verify(self, name: str, design: Gradation) -> Response:
        """Direct simulation of generated microstructures of a design; one that does not converge is
        told, and another takes its place.

        Raises SolverError where as many as were asked for do not.
        """
        settings, parts = self.settings, self.params.parts
        direct = Direct(self.ground.material, settings.strain, parts.tolerance, self.model.n)
        found, failed, k = [], 0, 0
        while len(found) < settings.direct:
            random = np.random.default_rng([series("grade: pores", parts.seed), k])
            pores = graded(
                design.porosity(self.voxels),
                random,
                pore_length=settings.pore_length,
                elongation=settings.elongation,
            )
            try:
                found.append(direct.simulate(pores, self.voxels > 0, f"{name} {k}")[0])
            except SolverError as error:
                failed += 1
                if failed == settings.direct:
                    raise
                print(f"{error}; microstructure {k + 1} takes its place", file=sys.stderr)
            k += 1
        return joined(found)


def _check_section(elements: np.ndarray, voxels: np.ndarray) -> None:
    """Raises ConfigError where the elements' net section, which carries the load, is not that of
    the voxels.
    """
    coarse, fine = ((field > 0).mean(axis=(0, 1)).min() for field in (elements, voxels))
    if abs(coarse / fine - 1) > SECTION:
        expected = f"elements fine enough for the net section, {fine:.3f} of the gross one"
        raise ConfigError(
            f"multiscale/params.yaml: parts.refine: expected {expected}, received one of"
            f" {coarse:.3f}; raise it"
        )
