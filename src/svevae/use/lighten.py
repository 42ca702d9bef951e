"""`svevae lighten SVES.h5 --mesh MESH`: the gradation of porosity by the distance from a surface
that carries a load at least mass, on a mesh by CalculiX.

What `svevae grade` does with a box and our own solver. Finished runs are kept in `KEPT`, see
`svevae.use.pulled`.
"""

from __future__ import annotations

import shlex
from contextlib import ExitStack
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from svevae.dataset.cluster import HERE, Work, open_cluster, progress
from svevae.errors import DataError
from svevae.files import written_whole
from svevae.meshes.runs import Run
from svevae.meshes.surface import triangles_of
from svevae.parts.lightest import Gradation
from svevae.scans.options import ImportOptions
from svevae.use.mesh_file import mesh_of
from svevae.use.mesh_loads import MeshLoads
from svevae.use.mesh_options import MeshOptions
from svevae.use.mesh_sample import Parts
from svevae.use.on_mesh import say_pull, with_pull
from svevae.use.pulled import check_before, claimed
from svevae.use.spread import curve_of
from svevae.words import counted

KEPT = Path(".checkpoints/lighten")


@dataclass(frozen=True)
class Wish:
    """What is looked for: `load` is a share of the yield load at the lowest porosity, `near` the
    name of a face from which distances count, None for the whole surface, `porosity` the lowest and
    the highest. Loads are means over `samples` parts; `verify` others are run in the end.
    """

    near: str | None = None
    porosity: tuple[float, float] | None = None
    load: float = 0.95
    trials: int = 20
    samples: int = 4
    verify: int = 8

    def __post_init__(self) -> None:
        if not 0 < self.load <= 1:
            raise DataError(f"load: expected a share above 0 and up to 1, received {self.load:g}")
        for name, least in (("trials", 1), ("samples", 1), ("verify", 2)):
            if (value := getattr(self, name)) < least:
                raise DataError(f"{name}: expected at least {least}, received {value}")


@dataclass(frozen=True)
class Lightened:
    """`tried` has a row for each design whose load is known: near, far, width in the `unit` of the
    mesh, mean porosity, yield load; `designs` are the best `uniform` and the `graded` one, `means`
    their mean porosities. `verified` has the yield loads of fresh parts, a column for each design
    and a row for each seed, `curves` a row for each increment of each. `porosity` is that of the
    `elements` of the graded part, `reach` the largest distance. `remarks` are for people, `field`
    is the command that makes its deck.
    """

    tried: pd.DataFrame
    designs: dict[str, Gradation]
    means: dict[str, float]
    target: float
    verified: pd.DataFrame
    curves: pd.DataFrame
    elements: np.ndarray
    porosity: np.ndarray
    reach: float
    unit: str
    remarks: tuple[str, ...]
    field: str

    @property
    def saved(self) -> float:
        """The share of the uniform part's mass that the graded one saves."""
        return (self.means["graded"] - self.means["uniform"]) / (1 - self.means["uniform"])

    def write(self, target: Path) -> None:
        """Write the table of designs and that of the elements' porosity, each whole or not at
        all.
        """
        elements = pd.DataFrame({"element": self.elements, "porosity": self.porosity})
        for path, table in zip(tables_of(target), (self.tried, elements), strict=True):
            with written_whole(path) as beside:
                table.to_csv(beside, index=False, float_format="%.9g")


def tables_of(target: Path) -> tuple[Path, Path]:
    """The .csv files of designs and of elements."""
    return target, target.with_name(f"{target.stem}-porosity.csv")


def lighten_file(
    source: Path,
    target: Path,
    uri: str,
    options: ImportOptions,
    chosen: MeshOptions,
    wish: Wish,
    material: Any = None,
    work: Work = HERE,
) -> Lightened:
    """Find the lightest gradation; tables will be written to `target`. Seeds count from
    `chosen.sample` on, first those of the search. Other arguments as
    `svevae.use.spread.spread_of_file`.

    Raises DataError as that does, ConfigError for porosities that SVEs of the file do not have and
    where nothing needs to be graded, SolverError where parts of uniform porosity do not yield.
    """
    check_before(source, target, (*tables_of(target), target.with_suffix(".png")), chosen, work)
    mesh = mesh_of(chosen.mesh)
    pull = with_pull(mesh, chosen)
    assert pull is not None
    try:
        triangles = triangles_of(mesh, wish.near)
    except DataError as error:
        raise DataError(f"near {error}") from error
    parts = Parts.of(source, uri, options, chosen, mesh, material)
    title = f"svevae lighten {source.name} --mesh {chosen.mesh.name}"
    with claimed(KEPT, "lighten"), ExitStack() as stack:
        opened = cache(lambda: stack.enter_context(open_cluster(work)))
        loads = MeshLoads(mesh, parts, title, triangles, wish.porosity, wish.samples, KEPT, opened)
        designs, target_load = _search(loads, wish)
        runs = _verify(loads, designs, wish)
    first = chosen.sample or 0
    means = {name: loads.mean_porosity(design) for name, design in designs.items()}
    curves = [
        curve_of(seed, run, pull.length, chosen.unit).assign(design=name)
        for (name, seed), run in runs.items()
    ]
    return Lightened(
        loads.table(),
        designs,
        means,
        target_load,
        pd.Series({at: run.yield_load for at, run in runs.items()}).unstack(0)[list(designs)],
        pd.concat(curves, ignore_index=True),
        mesh.elements,
        loads.porosity(designs["graded"]),
        float(loads.distance.max()),
        chosen.unit,
        (
            f"{parts.say()}, of {parts.say_field()}; loads of the search are means of seeds {first}"
            f" to {first + wish.samples - 1}",
            *parts.remarks,
            *mesh.remarks,
            *parts.grid.tilt(pull),
            say_pull(pull, chosen),
            *loads.said,
        ),
        _field(source, target, uri, options, chosen, material),
    )


def describe_lightened(found: Lightened, wish: Wish) -> str:
    """Tell people of both designs, what they carry and what is saved."""
    uniform, graded = found.designs.values()
    where = f"near {wish.near}" if wish.near else "near the surface"
    head = "no gradation that was tried is lighter than uniform porosity"
    if found.saved > 0:
        head = f"{found.saved:.2%} of the mass saved by grading"
    lines = [head, *found.remarks]
    lines.append(
        f"yield load wanted: {found.target:.5g} N, {wish.load:g} of that at the lowest porosity"
    )
    lines.append(f"uniform: porosity {uniform.near:.3%}")
    lines.append(
        f"graded: porosity {graded.near:.3%} {where}, {graded.far:.3%} far from it, width"
        f" {graded.width:.4g} {found.unit}, mean {found.means['graded']:.3%}"
    )
    lines.append(
        f"yield load of {counted(len(found.verified), 'fresh part')}, seeds"
        f" {found.verified.index[0]} to {found.verified.index[-1]}, properties drawn from the"
        " predictor's uncertainty: "
        + ", ".join(
            f"{name} {loads.mean():.5g} +- {loads.std():.3g} N"
            for name, loads in found.verified.items()
        )
    )
    if missing := int(found.verified.isna().sum().sum()):
        lines.append(f"{counted(missing, 'part')} of them without a yield load")
    lines.append(f"next: {found.field}")
    return "\n  ".join(lines)


def _field(
    source: Path,
    target: Path,
    uri: str,
    options: ImportOptions,
    chosen: MeshOptions,
    material: Any,
) -> str:
    """The command that makes a deck of the graded part."""
    words: list[Any] = ["svevae", "field", source, "--mesh", chosen.mesh, "-m", uri]
    words += ["--sample", chosen.sample or 0, "--porosity", tables_of(target)[1]]
    for one in fields(chosen):
        value = getattr(chosen, one.name)
        if one.name in ("mesh", "sample", "porosity") or value == one.default:
            continue
        words.append(chosen.option(one.name))
        words += [] if isinstance(value, bool) else np.atleast_1d(value).tolist()
    if options.voxel_size is not None:
        words += ["--voxel-size", options.voxel_size]
    if material is not None:
        law = material if isinstance(material, str) else [f"{k}={v}" for k, v in material.items()]
        words += ["--material", law if isinstance(law, str) else ",".join(law)]
    return shlex.join(map(str, [*words, "-o", target.with_name(f"{target.stem}-part.inp")]))


def _search(loads: MeshLoads, wish: Wish) -> tuple[dict[str, Gradation], float]:
    """The best uniform and the best graded design, and the load that they carry."""
    total = wish.trials + 1
    with progress(total, total, "designs", "design", "uniform porosity first") as bar:
        loads.idle = bar.idle
        target = wish.load * loads.load(Gradation(loads.low, loads.low, 1.0))
        uniform = loads.uniform(target)
        bar.update()

        def tell(best: Gradation) -> None:
            bar.set_postfix_str(f"mean porosity {loads.mean_porosity(best):.3%}", refresh=False)
            bar.update()

        graded, _ = loads.search(target, uniform, wish.trials, tell)
    return {"uniform": uniform, "graded": graded}, target


def _verify(
    loads: MeshLoads, designs: dict[str, Gradation], wish: Wish
) -> dict[tuple[str, int], Run]:
    """Runs of fresh parts of each design with drawn properties, by its name and the seed."""
    seeds = range(loads.seeds.stop, loads.seeds.stop + wish.verify)
    total, runs = len(designs) * len(seeds), {}
    with progress(total, total, "verification", "part", "CalculiX goes on") as bar:
        loads.idle = bar.idle
        for name, design in designs.items():
            for seed, run in loads.run(design, seeds, drawn=True):
                runs[name, seed] = run
                bar.update()
    return {(name, seed): runs[name, seed] for name in designs for seed in seeds}
