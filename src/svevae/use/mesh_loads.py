"""Yield loads of gradations of porosity on a mesh, by CalculiX."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pandas as pd

from svevae.dataset.cluster import Cluster
from svevae.errors import SolverError
from svevae.meshes.mesh import Mesh
from svevae.meshes.points import points_of
from svevae.meshes.runs import Run
from svevae.meshes.surface import distance
from svevae.parts.lightest import Gradation, GradationSearch
from svevae.use.mesh_porosity import OfElements
from svevae.use.mesh_sample import Parts
from svevae.use.pulled import Pulled, run_parts
from svevae.words import some

USUAL = (0.05, 0.95)  # shares of the SVEs between whose porosities a design is, unless it is said
NARROW = 0.25  # SVE edges, the least width; what is finer an SVE averages away
SHOWN = 3  # runs in a message
YIELD = "yield load [N]"


class MeshLoads(GradationSearch):
    """Loads of designs on a mesh, by CalculiX; widths in the unit of the mesh."""

    spare = close = 5e-4  # a load takes seconds to minutes
    thrifty = True
    starts = (0.5, 0.25, 0.75)

    def __init__(
        self,
        mesh: Mesh,
        parts: Parts,
        title: str,
        triangles: np.ndarray,
        porosity: tuple[float, float] | None,
        samples: int,
        folder: Path,
        cluster: Callable[[], Cluster],
    ):
        """Distances count from `triangles`. `porosity` is the lowest and the highest of a design,
        None for USUAL; a load is the mean over `samples` parts, with the seeds from that of the
        options of `parts` on. Finished runs are kept in `folder`, `title` is the first line of
        decks. `cluster` gives the workers, when the first run needs them.
        """
        self._points, _ = points_of(mesh, parts.grid.edge)
        self.distance = distance(triangles, self._points.at)
        usual = np.quantile(parts.process.porosity, USUAL).tolist()
        seed, edge = parts.chosen.sample or 0, parts.grid.edge
        widths = (NARROW * edge, max(float(self.distance.max()), edge))
        known = parts.process.about_trend.porosities
        super().__init__(porosity or usual, known, widths, seed)
        self.seeds = range(seed, seed + samples)
        self.said: list[str] = []
        self._others = False
        self.idle: Callable[[], None] = lambda: None
        self._mesh, self._parts, self._cluster = mesh, parts, cluster
        self._pulled = Pulled(title, mesh, parts, folder)
        self._known: dict[Gradation, float] = {}

    def porosity(self, design: Gradation) -> np.ndarray:
        """The porosity of each element, (element,)."""
        element, volume = self._points.element, self._points.volume
        own = design.porosity(self.distance)
        return np.bincount(element, volume * own) / np.bincount(element, volume)

    def mean_porosity(self, design: Gradation) -> float:
        return float(np.average(design.porosity(self.distance), weights=self._points.volume))

    def load(self, design: Gradation) -> float:
        """Newtons: the mean over the parts of the search, the same random numbers for each design.
        Raises SolverError where one does not yield.
        """
        if design not in self._known:
            runs = dict(self.run(design, self.seeds))
            lost = [
                f"seed {seed}: {run.failed or '0.2 % was not reached'}"
                for seed, run in runs.items()
                if np.isnan(run.yield_load)
            ]
            if lost:
                given = "displacement" if self._parts.chosen.strain is None else "strain"
                raise SolverError(
                    f"{given}: expected one at which parts yield, received at porosities of"
                    f" {design.near:.3%} near and {design.far:.3%} far: {some(lost, SHOWN)}"
                )
            # in the order of seeds, not in that in which they finish
            self._known[design] = float(np.mean([runs[seed].yield_load for seed in self.seeds]))
        return self._known[design]

    def fill(
        self, make: Callable[[float], Gradation], target: float, least: float | None = None
    ) -> Gradation | None:
        """As in every search; a trial in which a part does not yield is given up."""
        try:
            return super().fill(make, target, least)
        except SolverError as error:
            if least is None:  # uniform porosity, which the search begins with
                raise
            self.said.append(f"a trial was given up: {error}")
            raise optuna.TrialPruned from error

    def run(
        self, design: Gradation, seeds: range, drawn: bool = False
    ) -> Iterator[tuple[int, Run]]:
        """The parts of a design, their seeds and runs, with the predictor's best properties or with
        `drawn` ones.
        """
        parts = replace(self._parts, chosen=replace(self._parts.chosen, drawn=drawn))
        asked = OfElements(self.porosity(design))
        pulled = self._pulled.of(parts.with_porosity(asked, self._mesh))
        found = pulled.finished(seeds)
        yield from ((seed, run) for seed, (run, _) in found.items())
        if missing := [seed for seed in seeds if seed not in found]:
            if not self._others and (said := pulled.say_others(missing)):
                self._others = True  # those of the first design stand for all
                self.said.append(said)
            for seed, run, _ in run_parts(pulled, missing, self._cluster(), self.idle):
                yield seed, run

    def table(self) -> pd.DataFrame:
        """Of each design whose load is known."""
        rows = [
            {"near": one.near, "far": one.far, f"width [{self._parts.chosen.unit}]": one.width}
            | {"mean porosity": self.mean_porosity(one), YIELD: load}
            for one, load in self._known.items()
        ]
        return pd.DataFrame(rows)
