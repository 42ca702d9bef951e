"""`svevae field SOURCE --mesh MESH`: the properties of a scanned volume, or of a sampled part, on
the elements of a mesh, as a deck for finite element codes.

Each element gets those of the SVE round its centroid, one larger than an SVE averages of those in
it. Stresses are in MPa, so that forces are in newtons where the unit of the mesh is the millimetre.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any

import numpy as np
import pandas as pd

from svevae.errors import DataError
from svevae.files import check_target, written_whole
from svevae.meshes.bins import Bins, Curves, binned
from svevae.meshes.calculix import takes_name
from svevae.meshes.deck import Pull, from_folder, write_deck
from svevae.meshes.mesh import Mesh
from svevae.meshes.vtu import write_vtu
from svevae.parts.fields import AXIS, Law, PropertyField, column_head
from svevae.physics.voce import OFFSET
from svevae.scans.options import ImportOptions
from svevae.use.field import Corner, Covers, Scan, read_scan
from svevae.use.mesh_average import Averages
from svevae.use.mesh_curves import curves_of
from svevae.use.mesh_file import mesh_of
from svevae.use.mesh_options import MeshOptions
from svevae.use.mesh_places import Grid, Places
from svevae.use.mesh_sample import Sample, sampled_part
from svevae.use.targets import check_output
from svevae.words import counted

BETTER = {"C3D8": "C3D8I"}  # C3D8 locks in plastic flow in CalculiX, 20 times too strong in a punch


Plot = Callable[[Path, Path, "Deck"], None]  # (picture, .vtu file, deck)


def deck_file(
    source: Path,
    target: Path,
    uri: str,
    options: ImportOptions,
    chosen: MeshOptions,
    material: Any = None,
    plot: Plot | None = None,
) -> str:
    """Write the deck `target` (.inp), a table and a .vtu file of the elements beside it, each whole
    or not at all; a report for people. Arguments and errors as `svevae.use.field.field_file`.
    `plot` makes a picture (.png) beside them, from the .vtu file and the deck; where it raises
    DataError, or a module is not installed, the report says why there is none.

    With `chosen.sample` the source is an SVE file of parts of a process
    (`svevae.use.mesh_sample.sampled_part`). Raises DataError, too, for what is no mesh of solids,
    for one that does not overlap the scan, and for elements without material, unless
    `chosen.without` says what becomes of them.
    """
    check_output("deck", target)
    table, fields, picture = (target.with_suffix(one) for one in (".csv", ".vtu", ".png"))
    read = [source, chosen.mesh, *([chosen.step] if chosen.step else [])]
    read += [Path(chosen.porosity)] if chosen.porosity else []
    for path in (target, table, fields, *([picture] if plot else [])):
        check_target(path, read)
    mesh = mesh_of(chosen.mesh)
    remarks = list(mesh.remarks)
    with_pull(mesh, chosen)  # names of faces are wrong before hours of work, not after
    part = _part(source, uri, options, chosen, mesh, material)
    share = part.share if isinstance(part, Scanned) else None
    curves, solid = curves_of(part.field, part.law)
    places = Places.of(mesh, part.grid, solid, chosen, share)
    made = deck_of(mesh, part, curves, places, chosen)
    made.write(target, f"svevae field {source.name} --mesh {chosen.mesh.name}")
    made.write_table(table)
    write_vtu(fields, made.mesh, {column_head(name): one for name, one in made.columns.items()})
    lines = [made.summary, *part.remarks]
    if isinstance(part, Sample):
        wish = "none asked for" if part.asked is None else f"{part.asked:.3%} asked for"
        lines.append(f"mean porosity of the part {made.porosity:.3%}, {wish}")
    lines += [*made.told, *remarks, *made.remarks, *part.grid.tilt(made.pull)]
    if made.pull is not None:
        lines.append(f"{say_pull(made.pull, chosen)}; next: svevae run {quote(str(target))}")
    if made.step is not None:
        step = from_folder(made.step, target)
        job = f": ccx {quote(target.stem)}"
        if not takes_name(target):
            job = ", under a short name without blanks: ccx NAME"
        lines.append(f"step: {step}, included; next, in {target.parent}{job}")
    lines.append(f"of each element: {table}, {fields}")
    if plot is not None:
        lines.append(_plotted(plot, picture, fields, made))
    return "\n  ".join([f"{target}: {lines[0]}", *lines[1:]])


def _plotted(plot: Plot, picture: Path, fields: Path, deck: Deck) -> str:
    picture.unlink(missing_ok=True)  # of a deck before
    try:
        plot(picture, fields, deck)
    except DataError as error:
        return f"no picture of the part: {error}"
    except ModuleNotFoundError as error:
        return f"no picture of the part: needs {error.name}: pip install 'svevae[mesh]'"
    return f"the part cut open, porosity and yield stress: {picture}"


@dataclass(frozen=True)
class Deck:
    """What a deck has, and its table: for each element of the `mesh` its material `which`
    (element,) of `bins`, its centre, and `columns` (element,). `pull` or `step` load it. `summary`,
    `told` and `remarks` are for people.
    """

    mesh: Mesh
    bins: Bins
    which: np.ndarray
    centres: np.ndarray
    columns: dict[str, np.ndarray]
    pull: Pull | None
    step: Path | None
    unit: str
    summary: str
    told: tuple[str, ...]
    remarks: tuple[str, ...]

    @property
    def porosity(self) -> float:
        """The mean over the volume of the mesh."""
        return float(np.average(self.columns["porosity"], weights=self.columns["volume"]))

    @property
    def axis(self) -> int:
        """Of tension: that of the step, without one that of the properties."""
        return "xyz".index(AXIS) if self.pull is None else self.pull.axis

    def write(self, target: Path, title: str) -> None:
        """Write the .inp file, whole or not at all; `title` is its first line."""
        step = None if self.step is None else from_folder(self.step, target)
        heading = [f"{title}: MPa, {self.unit}"]
        write_deck(target, self.mesh, self.bins, self.which, heading, self.pull, step)

    def write_table(self, path: Path) -> None:
        """Write the .csv table of the elements, whole or not at all."""
        _write_table(path, self.mesh, self.centres, self.columns, self.unit)


def deck_of(
    mesh: Mesh,
    part: Scanned | Sample,
    curves: Curves,
    places: Places,
    chosen: MeshOptions,
) -> Deck:
    """Give each element the properties of a part, by its `places`; `curves` are those of the SVEs
    that are solid there. Raises DataError for elements without material, unless `chosen.without`
    says what becomes of them.
    """
    solid, remarks, told = places.solid, [], []
    centres, volumes = mesh.geometry()
    weights, kept = places.weights, np.ones(len(volumes), bool)
    if places.missing.any():
        remarks.append(places.say(mesh, chosen.without))
        if chosen.without == "error":
            raise DataError(f"{chosen.mesh}: {remarks[-1]}")
        if chosen.without == "drop":
            kept = ~places.missing
            if not kept.any():
                raise DataError(f"{chosen.mesh}: expected elements in the part, received none")
            mesh = mesh.only(kept)
    if not chosen.keep_types:
        mesh = _better(mesh, remarks)
    averages = Averages(weights[np.flatnonzero(kept)])
    centres, volumes = centres[kept], volumes[kept]
    own, which = averages.curves(curves, solid)
    bins = binned(own, chosen.tolerance)
    columns = {"volume": volumes, "sve": places.sves[kept], "sves": averages.counts}
    columns |= {"material": bins.which[which] + 1}
    columns |= {"yield": bins.curves.proof(OFFSET)[bins.which[which]]}
    columns |= averages.columns(part.field.columns(part.law))
    if surface := int(places.surface[kept].sum()):
        told.append(
            f"{counted(surface, 'element')} in SVEs that are mostly outside of the part: of the"
            " nearest SVE within"
        )
    if part.field.hardening is None:
        remarks.append(
            "the model predicts no whole curves: tables are of Voce's law through yield and flow"
            f" stress, with the matrix's b, {part.law.b:g}"
        )
    remarks += averages.say(places.larger[kept], part.grid)
    return Deck(
        mesh,
        bins,
        bins.which[which],
        centres,
        columns,
        with_pull(mesh, chosen),
        chosen.step,
        chosen.unit,
        _summary(mesh, bins, averages, chosen),
        tuple(told),
        tuple(remarks),
    )


def say_pull(pull: Pull, chosen: MeshOptions) -> str:
    """Tell people of a step of tension."""
    return (
        f"tension: {chosen.pull} ({counted(len(pull.pulled), 'node')}) moves by"
        f" {abs(pull.displacement):.6g} {chosen.unit} along {'xyz'[pull.axis]},"
        f" {chosen.hold} ({counted(len(pull.held), 'node')}) is held in its plane,"
        f" {'both clamped' if pull.clamped else 'both free to contract'}, at a distance of"
        f" {pull.length:.6g} {chosen.unit}"
    )


@dataclass(frozen=True)
class Scanned:
    """Properties of the SVEs of a scan, and where they are in a mesh."""

    field: PropertyField
    law: Law
    grid: Grid
    remarks: tuple[str, ...]
    share: np.ndarray | None

    @classmethod
    def of(cls, scan: Scan, chosen: MeshOptions) -> Scanned:
        """Place a scan. Raises DataError where the size of its voxels is unknown."""
        return cls(scan.field, scan.law, Grid.of_scan(scan, chosen), scan.remarks, scan.share)


def _part(
    source: Path, uri: str, options: ImportOptions, chosen: MeshOptions, mesh: Mesh, material: Any
) -> Scanned | Sample:
    if chosen.sample is not None:
        return sampled_part(source, uri, options, chosen, mesh, material)
    scan = read_scan(source, uri, options, material, covering(mesh, chosen))
    return Scanned.of(scan, chosen)


def covering(mesh: Mesh, chosen: MeshOptions) -> Covers:
    """Which voxels of a scan a mesh covers."""

    def covers(shape: tuple[int, int, int], edge: float, corner: Corner | None) -> np.ndarray:
        return Grid.of_voxels(shape, edge, corner, chosen).covered(mesh)

    return covers


def with_pull(mesh: Mesh, chosen: MeshOptions) -> Pull | None:
    """The step of tension that the options ask for."""
    if chosen.pull is None or chosen.hold is None:
        return None
    return Pull.between(
        mesh,
        chosen.pull,
        chosen.hold,
        chosen.strain,
        chosen.displacement,
        chosen.unit,
        chosen.increments,
        chosen.clamp,
    )


def _better(mesh: Mesh, remarks: list[str]) -> Mesh:
    for old, new in BETTER.items():
        if old in {block.kind for block in mesh.blocks}:
            remarks.append(
                f"{old} is written as {new}, since it locks in plastic flow; --keep-types leaves it"
            )
    return mesh.with_kinds(BETTER)


def _summary(mesh: Mesh, bins: Bins, averages: Averages, chosen: MeshOptions) -> str:
    kinds: dict[str, int] = {}
    for block in mesh.blocks:
        kinds[block.kind] = kinds.get(block.kind, 0) + len(block.numbers)
    counts = ", ".join(f"{count} of {kind}" for kind, count in kinds.items())
    elements, nodes = counted(len(mesh.elements), "element"), counted(len(mesh.numbers), "node")
    mixed = int((averages.counts > 1).sum())
    materials, sves = counted(len(bins.curves), "material"), counted(len(bins.which) - mixed, "SVE")
    more = f" and {counted(mixed, 'average')}" if mixed else ""
    return (
        f"{elements} ({counts}), {nodes}, {materials} for {sves}{more}, stress within"
        f" {bins.error:.2%} of each SVE's own ({chosen.tolerance:.3g} asked for)"
    )


def _write_table(
    path: Path, mesh: Mesh, centres: np.ndarray, columns: dict[str, np.ndarray], unit: str
) -> None:
    """Elements of one SVE alone have the same columns, but for their volume: these are put into
    text once, which takes a tenth of the time where elements are many.
    """
    alone = columns["sves"] == 1
    kinds = np.where(alone, columns["sve"], -1 - np.arange(len(alone)))
    _, first, which = np.unique(kinds, return_index=True, return_inverse=True)
    shared = {column_head(name): one[first] for name, one in columns.items() if name != "volume"}
    text = pd.DataFrame(shared).to_csv(index=False, float_format="%.7g", lineterminator="\n")
    head, *rows = text.splitlines()
    places = ",".join([f"{axis} [{unit}]" for axis in "xyz"] + [f"volume [{unit}^3]"])
    each = (mesh.elements, centres, columns["volume"], which)
    own = zip(*(one.tolist() for one in each), strict=True)
    with written_whole(path) as beside, beside.open("w", encoding="utf-8", newline="\n") as file:
        file.write(f"element,{places},{head}\n")
        for number, (x, y, z), volume, k in own:
            file.write(f"{number},{x:.7g},{y:.7g},{z:.7g},{volume:.7g},{rows[k]}\n")
