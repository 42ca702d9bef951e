"""`svevae spread SVES.h5 --mesh MESH`: many parts that a process might have made, each sampled on a
mesh and pulled by CalculiX, and how their load curves spread.

What is finished is kept in `KEPT`, see `svevae.use.pulled`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from svevae.dataset.cluster import HERE, Work, open_cluster, progress
from svevae.errors import DataError
from svevae.files import written_whole
from svevae.meshes.results import PEAK
from svevae.meshes.runs import Run
from svevae.parts.quantiles import quantile_table
from svevae.scans.options import ImportOptions
from svevae.use.mesh_file import mesh_of
from svevae.use.mesh_options import MeshOptions
from svevae.use.mesh_sample import Parts
from svevae.use.on_mesh import say_pull, with_pull
from svevae.use.pulled import Pulled, check_before, claimed, run_parts
from svevae.words import counted, some

KEPT = Path(".checkpoints/spread")
FEWEST = 2  # samples
TOLD = (0.05, 0.5, 0.95)  # quantiles in the report
SHOWN = 3  # failures in the report


@dataclass(frozen=True)
class Spread:
    """`table` has a row for each part: seed, mean porosity, stiffness, yield load, force at the
    end, the largest equivalent plastic strain and where, and why a run `failed`; `curves` a row for
    each increment of each. `length` is the distance of the faces, `strain` that of the end, in
    lengths of the `unit` of the mesh; `remarks` are for people.
    """

    table: pd.DataFrame
    curves: pd.DataFrame
    length: float
    strain: float
    unit: str
    remarks: tuple[str, ...]

    @property
    def whole(self) -> pd.DataFrame:
        """The rows of the parts whose run reached the end of the step."""
        return self.table[self.table["failed"] == ""]

    @property
    def quantities(self) -> dict[str, np.ndarray]:
        """What spreads, (part,) each, of the parts that have it."""
        names = ("porosity", f"stiffness [N/{self.unit}]", "yield load [N]", "force [N]", PEAK)
        values = {name: self.whole[name].dropna().to_numpy(float) for name in names}
        return {name: value for name, value in values.items() if len(value) >= FEWEST}

    @property
    def quantiles(self) -> pd.DataFrame:
        """As `svevae.parts.quantiles.quantile_table`, without its sources."""
        table = quantile_table({name: {"": one} for name, one in self.quantities.items()})
        return table.drop(columns="source", errors="ignore")

    def write(self, target: Path) -> None:
        """Write the tables, each whole or not at all: `target`, and beside it those whose names end
        in -curves and -quantiles.
        """
        tables = (self.table, self.curves, self.quantiles)
        for path, table in zip(tables_of(target), tables, strict=True):
            with written_whole(path) as beside:
                table.to_csv(beside, index=False, float_format="%.7g")


def tables_of(target: Path) -> tuple[Path, Path, Path]:
    """The .csv files of parts, curves and quantiles."""
    curves, quantiles = (
        target.with_name(f"{target.stem}-{name}.csv") for name in ("curves", "quantiles")
    )
    return target, curves, quantiles


def spread_of_file(
    source: Path,
    target: Path,
    uri: str,
    options: ImportOptions,
    chosen: MeshOptions,
    count: int,
    material: Any = None,
    work: Work = HERE,
) -> Spread:
    """Sample `count` parts with the seeds from `chosen.sample` on, run and gather them; tables will
    be written to `target`. Other arguments and errors as `svevae.use.on_mesh.deck_file`.

    Raises DataError, too, where there is no ccx, no step of tension, or fewer than two parts, and
    where another process does the same in this folder.
    """
    if count < FEWEST:
        raise DataError(f"count: expected at least {FEWEST}, received {count}")
    check_before(source, target, (*tables_of(target), target.with_suffix(".png")), chosen, work)
    mesh = mesh_of(chosen.mesh)
    pull = with_pull(mesh, chosen)
    assert pull is not None
    parts = Parts.of(source, uri, options, chosen, mesh, material)
    first = chosen.sample or 0
    seeds = range(first, first + count)
    title = f"svevae spread {source.name} --mesh {chosen.mesh.name}"
    with claimed(KEPT, "spread"):
        found = _run_all(Pulled(title, mesh, parts, KEPT), seeds, work)
    unit, length = chosen.unit, pull.length
    strain = abs(pull.displacement) / length
    rows = [_row(seed, *found[seed], unit) for seed in seeds]
    curves = [curve_of(seed, found[seed][0], length, unit) for seed in seeds]
    known = [one for one in curves if len(one)] or curves[:1]
    remarks = (
        f"{parts.say()}, seeds {first} to {seeds[-1]}, of {parts.say_field()}",
        *parts.remarks,
        "properties drawn from the predictor's uncertainty"
        if chosen.drawn
        else "properties: the predictor's best",
        *mesh.remarks,
        *parts.grid.tilt(pull),
        say_pull(pull, chosen),
    )
    table = pd.concat(known, ignore_index=True)
    return Spread(pd.DataFrame(rows), table, length, strain, unit, remarks)


def describe_spread(spread: Spread) -> str:
    """Tell people of quantiles, of where parts flow, and of runs that failed."""
    whole, total = spread.whole, len(spread.table)
    if whole.empty:
        head = f"none of {counted(total, 'part')} reached the end of the step"
    else:
        head = f"{counted(len(whole), 'part')} at a strain of {spread.strain:.4g}"
    lines = [head, *spread.remarks]
    table = spread.quantiles
    for name, values in spread.quantities.items():
        own = table[(table["quantity"] == name) & table["quantile"].isin(TOLD)]
        numbers = own[["quantile", "value", "low", "high"]].to_numpy(float)
        told = ", ".join(_interval(*row) for row in numbers.tolist())
        mean, std = values.mean(), values.std(ddof=1)
        lines.append(f"{name}: {mean:.5g} +- {std:.3g}; {told}")
    if not whole.empty:
        lines.append("quantiles in brackets with their 95 % confidence intervals")
    if missing := int(whole["yield load [N]"].isna().sum()):
        lines.append(f"{counted(missing, 'part')} without a yield load: 0.2 % was not reached")
    places = whole.loc[whole["element"] > 0, "sve"].value_counts()
    if len(places):
        lines.append(
            f"the plastic strain is largest in {counted(len(places), 'SVE')}, most often in SVE"
            f" {places.index[0]}: of {places.iloc[0]} in {counted(int(places.sum()), 'part')}"
        )
    failed = spread.table[spread.table["failed"] != ""]
    if len(failed):
        reasons = [f"seed {row.seed}: {row.failed}" for row in failed.itertuples()]
        lines.append(f"{counted(len(failed), 'run')} failed: {some(reasons, SHOWN)}")
    return "\n  ".join(lines)


def _interval(share: float, value: float, low: float, high: float) -> str:
    ends = ["?" if np.isnan(one) else f"{one:.5g}" for one in (low, high)]
    return f"{share:.0%} {value:.5g} ({' to '.join(ends)})"


def _run_all(pulled: Pulled, seeds: range, work: Work) -> dict[int, tuple[Run, float]]:
    """Run the part of each seed: what CalculiX found, and the part's mean porosity."""
    found = pulled.finished(seeds)
    missing = [seed for seed in seeds if seed not in found]
    if not missing:
        return found
    pulled.deck(missing[0])  # what cannot be made is told before workers start
    with open_cluster(work) as cluster:
        workers = min(cluster.workers, len(missing))
        with progress(len(seeds), len(missing), "parts", "part", "CalculiX starts", workers) as bar:
            if others := pulled.say_others(missing):
                bar.say(f"svevae spread: {others}")
            for seed, run, porosity in run_parts(pulled, missing, cluster, bar.idle):
                found[seed] = run, porosity
                bar.update()
    return found


def _row(seed: int, run: Run, porosity: float, unit: str) -> dict[str, Any]:
    row: dict[str, Any] = {"seed": seed, "porosity": porosity}
    row |= {f"stiffness [N/{unit}]": run.stiffness, "yield load [N]": run.yield_load}
    row |= {"force [N]": run.force[-1] if len(run.force) else np.nan, PEAK: run.peak}
    row |= {f"{axis} [{unit}]": one for axis, one in zip("xyz", run.place, strict=True)}
    return row | {
        "node": run.node,
        "element": run.element,
        "sve": run.sve,
        "failed": run.failed,
    }


def curve_of(seed: int, run: Run, length: float, unit: str) -> pd.DataFrame:
    """The load curve of a part, a row for each increment; `length` is the distance of the faces in
    the `unit` of the mesh.
    """
    columns = {
        "seed": np.full(len(run.force), seed),
        "increment": np.arange(len(run.force)),
        f"displacement [{unit}]": run.displacement,
        "strain": run.displacement / length,
        "force [N]": run.force,
        PEAK: run.peaks,
    }
    return pd.DataFrame(columns)
