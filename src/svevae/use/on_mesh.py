"""`svevae field SOURCE --mesh MESH`: the properties of a scanned volume on the elements of a mesh,
as a deck for finite element codes.

Each element gets those of the SVE round its centroid. Stresses are in MPa, so that forces are in
newtons where the unit of the mesh is the millimetre.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from svevae.errors import DataError
from svevae.files import check_target, written_whole
from svevae.meshes.bins import Bins, Curves, binned
from svevae.meshes.deck import Pull, write_deck
from svevae.meshes.mesh import Mesh
from svevae.meshes.reading import read_mesh
from svevae.meshes.vtu import write_vtu
from svevae.parts.fields import AXIS, PropertyField, column_head
from svevae.scans.options import ImportOptions
from svevae.use.field import Scan, read_scan
from svevae.words import counted, some

UNITS = {"um": 1.0, "mm": 1e3, "cm": 1e4, "m": 1e6}  # micrometres
WITHOUT = ("error", "nearest", "drop")  # what to do with elements round which there is no material
BETTER = {"C3D8": "C3D8I"}  # C3D8 locks in plastic flow in CalculiX, 20 times too strong in a punch


@dataclass(frozen=True)
class MeshOptions:
    """How a mesh takes properties. `origin` is the corner of the scan's first voxel in the `unit`
    of the mesh, None: where its file says, or 0, 0, 0; `without` says what becomes of elements
    round which there is no material; stresses are within `tolerance`; `keep_types` leaves C3D8 as
    it is. `pull` and `hold` name faces, moved by `strain` of their distance or by `displacement` in
    the unit of the mesh.
    """

    mesh: Path
    origin: tuple[float, float, float] | None = None
    unit: str = "mm"
    without: str = "error"
    tolerance: float = 0.002
    keep_types: bool = False
    pull: str | None = None
    hold: str | None = None
    strain: float | None = None
    displacement: float | None = None
    increments: int = 50

    def __post_init__(self) -> None:
        if (self.pull is None) != (self.hold is None):
            raise DataError("--pull, --hold: expected both or none, received one")
        if self.pull is None and (self.strain, self.displacement) != (None, None):
            raise DataError("--strain, --displacement: expected --pull and --hold with it")
        if self.pull is not None and (self.strain is None) == (self.displacement is None):
            raise DataError("--strain, --displacement: expected one of them with --pull and --hold")
        if not 0 < self.tolerance < 1:
            raise DataError(
                f"--stress-error: expected a fraction between 0 and 1, received {self.tolerance:g}"
            )


def deck_file(
    source: Path,
    target: Path,
    uri: str,
    options: ImportOptions,
    chosen: MeshOptions,
    material: Any = None,
) -> str:
    """Write the deck `target` (.inp), a table and a .vtu file of the elements beside it, each whole
    or not at all; a report for people. Arguments and errors as `svevae.use.field.field_file`.

    Raises DataError, too, for what is no mesh of solids, for one that does not overlap the scan,
    and for elements without material, unless `chosen.without` says what becomes of them.
    """
    if target.suffix != ".inp":
        raise DataError(
            f"{target}: expected a name that ends in .inp for a deck of --mesh, received"
            f" {target.suffix or 'none'}"
        )
    table, picture = target.with_suffix(".csv"), target.with_suffix(".vtu")
    for path in (target, table, picture):
        check_target(path, [source, chosen.mesh])
    mesh = read_mesh(chosen.mesh)
    remarks = list(mesh.remarks)
    with_pull(mesh, chosen)  # names of faces are wrong before hours of work, not after
    centres, volumes = mesh.geometry()
    scan = read_scan(source, uri, options, material)
    curves, solid = curves_of(scan.field)
    places = _Places(scan, chosen, centres)
    sves, missing = places.sves(solid.reshape(scan.field.porosity.shape))
    kept = np.ones(len(sves), bool)
    if missing.any():
        remarks.append(places.say(mesh, missing))
        if chosen.without == "error":
            raise DataError(f"{chosen.mesh}: {remarks[-1]}")
        if chosen.without == "drop":
            kept = ~missing
            if not kept.any():
                raise DataError(f"{chosen.mesh}: expected elements in the part, received none")
            mesh = mesh.only(kept)
    if not chosen.keep_types:
        mesh = _better(mesh, remarks)
    sves, centres, volumes = sves[kept], centres[kept], volumes[kept]
    used, which = np.unique(sves, return_inverse=True)
    where = np.cumsum(solid) - 1  # of an SVE among those with material
    rows = where[used]
    own = Curves(curves.strain, curves.E[rows], curves.nu[rows], curves.stress[rows])
    bins = binned(own, chosen.tolerance)
    pull = with_pull(mesh, chosen)
    heading = [f"svevae field {source.name} --mesh {chosen.mesh.name}: MPa, {chosen.unit}"]
    write_deck(target, mesh, bins, bins.which[which], heading, pull)
    columns = {"volume": volumes, "sve": sves, "material": bins.which[which] + 1}
    columns |= {name: value.ravel()[sves] for name, value in scan.field.columns(scan.law).items()}
    _write_table(table, mesh, centres, columns, chosen.unit)
    write_vtu(picture, mesh, {column_head(name): value for name, value in columns.items()})
    lines = [_summary(mesh, bins, chosen), *scan.remarks, *remarks, *places.sizes(volumes)]
    if pull is not None:
        lines.append(
            f"tension: {chosen.pull} ({counted(len(pull.pulled), 'node')}) moves by"
            f" {abs(pull.displacement):.6g} {chosen.unit} along {'xyz'[pull.axis]},"
            f" {chosen.hold} ({counted(len(pull.held), 'node')}) is held in its plane, at a"
            f" distance of {pull.length:.6g} {chosen.unit}; next: svevae run {target}"
        )
    lines.append(f"of each element: {table}, {picture}")
    return "\n  ".join([f"{target}: {lines[0]}", *lines[1:]])


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
    )


def curves_of(field: PropertyField) -> tuple[Curves, np.ndarray]:
    """Curves of the SVEs that have material, and which these are, (x * y * z,) bool. Raises
    DataError where the field has no whole curves.
    """
    if field.hardening is None:
        raise DataError(
            "contract.json: law: expected a model that predicts whole curves, for the tables of a"
            " deck; this one does not say the law of its matrix"
        )
    E = field.column(f"E_{AXIS}").ravel()
    lateral = [field.column(name) for name in field.names if name.startswith(f"nu_{AXIS}")]
    if not lateral:
        raise DataError(f"nu_{AXIS}: expected a Poisson's ratio among {', '.join(field.names)}")
    nu = np.mean(lateral, axis=0).ravel().clip(0.0, 0.49)
    points = field.hardening.strain.shape[-1]
    plastic, stress = (
        np.broadcast_to(one, (1, *field.porosity.shape, points)).reshape(-1, points)
        for one in (field.hardening.strain, field.hardening.stress)
    )
    solid = field.solid.ravel() & (E > 0) & (stress > 0).all(axis=1)
    if not solid.any():
        raise DataError("part: expected SVEs with stiffness and strength, received none")
    E, nu, plastic, stress = E[solid], nu[solid], plastic[solid], stress[solid]
    # the tables have one set of total strains, but for what makes plastic strains grow
    strain = np.median(plastic + stress / E[:, None], axis=0)
    return Curves(strain, E, nu, stress), solid


class _Places:
    """Where the centroids of elements are in a scan."""

    def __init__(self, scan: Scan, chosen: MeshOptions, centres: np.ndarray):
        if scan.edge is None:
            raise DataError(
                "--voxel-size: expected micrometres for --mesh; neither file nor model says them"
            )
        self.chosen, self.shape = chosen, scan.tiles.shape
        voxel = scan.edge / UNITS[chosen.unit]
        self.edge = scan.tiles.n * voxel
        # voxels are counted from the first of the file, also where it is cropped
        begin = np.array([span.start for span in scan.tiles.view.box])
        corner = np.array(scan.corner or (0.0, 0.0, 0.0)) / UNITS[chosen.unit]
        self.low = (corner if chosen.origin is None else np.array(chosen.origin)) + begin * voxel
        self.high = self.low + np.array(scan.tiles.view.shape) * voxel
        self.centres = centres
        self.outside = ((centres < self.low) | (centres > self.high)).any(axis=1)
        if self.outside.all():
            boxes = [
                " to ".join(", ".join(f"{one:.4g}" for one in end) for end in box)
                for box in ((centres.min(0), centres.max(0)), (self.low, self.high))
            ]
            raise DataError(
                f"{chosen.mesh}: expected elements in the scan, received a mesh from {boxes[0]} and"
                f" a scan from {boxes[1]} {chosen.unit}; --mesh-unit and --origin place it"
            )

    def sves(self, solid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The SVE (element,) round each centroid, by its place among all, and which elements have
        no material there, bool; these get the nearest SVE that has.
        """
        index = np.floor((self.centres - self.low) / self.edge).astype(np.int64)
        index = index.clip(0, np.array(self.shape) - 1)
        self.void = ~solid[tuple(index.T)] & ~self.outside
        missing = self.void | self.outside
        if missing.any():
            there = np.argwhere(solid)
            middles = self.low + (there + 0.5) * self.edge
            _, nearest = cKDTree(middles).query(self.centres[missing])
            index[missing] = there[nearest]
        return np.ravel_multi_index(tuple(index.T), self.shape), missing

    def say(self, mesh: Mesh, missing: np.ndarray) -> str:
        count = counted(int(missing.sum()), "element")
        told = {
            "error": f"expected material round each element, received {count} without",
            "nearest": f"{count} without material have that of the nearest SVE",
            "drop": f"{count} without material are left out",
        }[self.chosen.without]
        kinds = [
            f"{number} {what}"
            for what, number in (
                ("outside the scan", int(self.outside.sum())),
                ("in SVEs that are mostly pore or outside the field of view", int(self.void.sum())),
            )
            if number
        ]
        names = some([str(one) for one in mesh.elements[missing].tolist()], 10)
        hint = "; --without nearest or drop" if self.chosen.without == "error" else ""
        return f"{told}: {', '.join(kinds)}: {names}{hint}"

    def sizes(self, volumes: np.ndarray) -> Iterator[str]:
        if larger := int((volumes > self.edge**3).sum()):
            yield (
                f"{counted(larger, 'element')} larger than an SVE of {self.edge:.4g}"
                f" {self.chosen.unit}: each has the properties of the one at its centroid alone"
            )


def _better(mesh: Mesh, remarks: list[str]) -> Mesh:
    for old, new in BETTER.items():
        if old in {block.kind for block in mesh.blocks}:
            remarks.append(
                f"{old} is written as {new}, since it locks in plastic flow; --keep-types leaves it"
            )
    return mesh.with_kinds(BETTER)


def _summary(mesh: Mesh, bins: Bins, chosen: MeshOptions) -> str:
    kinds: dict[str, int] = {}
    for block in mesh.blocks:
        kinds[block.kind] = kinds.get(block.kind, 0) + len(block.numbers)
    counts = ", ".join(f"{count} of {kind}" for kind, count in kinds.items())
    elements, nodes = counted(len(mesh.elements), "element"), counted(len(mesh.numbers), "node")
    materials, sves = counted(len(bins.curves), "material"), counted(len(bins.which), "SVE")
    return (
        f"{elements} ({counts}), {nodes}, {materials} for {sves}, stress within {bins.error:.2%} of"
        f" each SVE's own ({chosen.tolerance:.3g} asked for)"
    )


def _write_table(
    path: Path, mesh: Mesh, centres: np.ndarray, columns: dict[str, np.ndarray], unit: str
) -> None:
    table = {"element": mesh.elements}
    table |= {f"{axis} [{unit}]": centres[:, k] for k, axis in enumerate("xyz")}
    heads = {"volume": f"volume [{unit}^3]"}
    table |= {heads.get(name, column_head(name)): value for name, value in columns.items()}
    with written_whole(path) as beside:
        pd.DataFrame(table).to_csv(beside, index=False, float_format="%.7g")
