"""`svevae field`: turn a scanned volume of any size into fields of elastoplastic properties, layer
by layer of SVEs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from svevae.dataset.cut import cut
from svevae.dataset.journal import voxel_digest
from svevae.dataset.problems import same_size
from svevae.errors import DataError
from svevae.files import load_arrays, save_arrays
from svevae.model.latent import LatentModel
from svevae.parts.fields import AXIS, Law, PropertyField
from svevae.scans.options import ImportOptions
from svevae.scans.rim import filled
from svevae.scans.segmentation import Segmentation
from svevae.scans.sources import Source
from svevae.scans.view import OUTSIDE, View
from svevae.scans.volumes import Volumes, source_digest, sources_of
from svevae.use.champion import load
from svevae.use.targets import check_output
from svevae.words import counted, some

CACHE = Path(".checkpoints/field")
Corner = tuple[float, float, float]
# (shape of a volume, edge of its voxels and its corner in micrometres) -> (x, y, z) bool
Covers = Callable[[tuple[int, int, int], float, Corner | None], np.ndarray]
Tell = Callable[[int, int], object]  # (SVEs that are done, of how many)


@dataclass(frozen=True)
class Tiles:
    """A view of a volume (x, y, z) as SVEs of n voxels, binary by `rule`; at the far borders mirror
    images fill up the last ones. With `rim` they do so, too, in SVEs that are partly outside.
    """

    view: View
    n: int
    rule: Segmentation
    rim: bool = False

    @property
    def axis(self) -> int:
        """The axis that layers lie along: the one that is read in order."""
        return self.view.axis

    @property
    def shape(self) -> tuple[int, int, int]:
        """SVEs along x, y, z."""
        x, y, z = (-(-edge // self.n) for edge in self.view.shape)
        return x, y, z

    @property
    def padded(self) -> tuple[int, int, int]:
        """Voxels along x, y, z that are mirror images."""
        x, y, z = (
            count * self.n - edge for count, edge in zip(self.shape, self.view.shape, strict=True)
        )
        return x, y, z

    def layer(self, i: int) -> np.ndarray:
        """Binary SVEs of the i-th layer across `axis`: (sve, n, n, n), z fastest; OUTSIDE where a
        voxel does not count.
        """
        stop, edge = (i + 1) * self.n, self.view.shape[self.axis]
        missing = max(0, stop - edge)
        # a thin last layer mirrors voxels of the one before
        start = max(0, min(i * self.n, edge - missing))
        where = [slice(0, edge) for edge in self.view.shape]
        where[self.axis] = slice(start, min(stop, edge))
        padded = [(0, count) for count in self.padded]
        padded[self.axis] = (0, missing)
        slab = np.pad(self.view.segmented(self.rule, tuple(where)), padded, "symmetric")
        layer = [slice(None)] * 3
        layer[self.axis] = slice(-self.n, None)
        return cut(slab[tuple(layer)], self.n)[0]


def encode_volume(
    model: LatentModel, tiles: Tiles, folder: Path, tell: Tell = lambda done, total: None
) -> tuple[np.ndarray, np.ndarray]:
    """Encode all SVEs: latent means (x, y, z, latent) and porosities (x, y, z); each layer is
    cached in `folder` when it is done. `tell` hears how many are done, and of how many.

    The porosity of SVEs that touch the outside is NaN, with `tiles.rim` of those that are mostly
    outside. Memory: two layers of SVEs, and the latent codes.
    """
    codes, porosity = [], []
    others = [count for axis, count in enumerate(tiles.shape) if axis != tiles.axis]
    layers, each = tiles.shape[tiles.axis], int(np.prod(others))
    tell(0, layers * each)
    with tqdm(
        total=layers * each, unit="SVE", desc="encode", disable=not sys.stderr.isatty()
    ) as bar:
        for i in range(layers):
            path = folder / f"layer-{i:05d}.npz"
            found = load_arrays(path)
            if found is None:
                found = _encoded(model, tiles.layer(i), tiles.rim)
                save_arrays(path, found)
            codes.append(found["latent"].reshape(*others, -1))
            porosity.append(found["porosity"].reshape(others))
            bar.update(each)
            tell((i + 1) * each, layers * each)
    return np.stack(codes, tiles.axis), np.stack(porosity, tiles.axis)


def _encoded(model: LatentModel, sves: np.ndarray, rim: bool) -> dict[str, np.ndarray]:
    """Latent means and porosities of binary SVEs. Those that are solid, or pore, all through are
    encoded once, as are those outside, whose codes are not used.
    """
    if rim:
        sves, whole = filled(sves)
        outside = ~whole
    else:
        outside = (sves == OUTSIDE).any(axis=(1, 2, 3))
    porosity = np.count_nonzero(sves, axis=(1, 2, 3)) / sves[0].size
    porosity[outside] = 0.0
    alike = outside | (porosity == 0) | (porosity == 1)
    kinds = np.where(alike, porosity, 2.0 + np.arange(len(sves)))
    _, first, which = np.unique(kinds, return_index=True, return_inverse=True)
    chosen = np.where(outside[first, None, None, None], 0, sves[first])
    latent = model.encode(chosen)[0][which]
    return {"latent": latent, "porosity": np.where(outside, np.nan, porosity)}


@dataclass(frozen=True)
class Scan:
    """A volume and the properties of its SVEs. `edge` is that of a voxel in micrometres, None where
    neither file nor model says; `remarks` tell people how it was segmented and what was taken for
    granted; `corner` is that of the first voxel of the file in micrometres, None where this does
    not place itself. `share` (x, y, z) of each SVE is the part, where the user has said what is.
    """

    tiles: Tiles
    field: PropertyField
    law: Law
    edge: float | None
    remarks: tuple[str, ...]
    corner: Corner | None = None
    share: np.ndarray | None = None

    @property
    def begin(self) -> tuple[float, float, float]:
        """The corner of the first voxel that is left of a crop, in micrometres; 0, 0, 0 where the
        file does not place itself.
        """
        if self.corner is None or self.edge is None:
            return (0.0, 0.0, 0.0)
        x, y, z = (
            place + span.start * self.edge
            for place, span in zip(self.corner, self.tiles.view.box, strict=True)
        )
        return x, y, z


def read_scan(
    source: Path,
    uri: str,
    options: ImportOptions,
    material: Any = None,
    covers: Covers | None = None,
) -> Scan:
    """Read, segment and encode a volume, and predict the properties of its SVEs; the arguments and
    errors of `field_file`.

    `covers` says which voxels are the part, whose air around it is no pore: SVEs that are partly
    outside are filled up by mirror images, those that are mostly outside have no material.
    """
    return scan_of(load(uri, material=material), source, options, covers)


def scan_of(
    model: LatentModel,
    source: Path,
    options: ImportOptions,
    covers: Covers | None = None,
    cache: Path = CACHE,
    tell: Tell = lambda done, total: None,
) -> Scan:
    """As `read_scan`, by a model that is loaded; finished work is kept in `cache`, `tell` as
    `encode_volume` takes it.
    """
    found = _one_volume(source, options)
    digest = source_digest([found], options)
    volumes = Volumes(found, options)
    with volumes.named():
        rule = volumes.segment(cache / digest)
        [view] = volumes
    law = Law.of(model)
    given = options.voxel_size if options.resample is None else None
    size = given or next(iter(found.edges), None)
    check_voxels(source, size, model)
    edge, folder, share = model.voxel_size or size, model.digest()[:24], None
    if covers is not None:
        if edge is None:
            raise DataError(
                "voxel_size: expected micrometres for --mesh; neither file nor model says them"
            )
        x, y, z = view.volume.shape
        part = covers((x, y, z), edge, found.corner)
        share = shares(part[view.box], model.n)
        folder += f"-{voxel_digest(part)}"
        view = replace(view, mask=part if view.mask is None else part & (view.mask != 0))
    tiles = Tiles(view, model.n, rule, covers is not None)
    latent, porosity = encode_volume(model, tiles, cache / digest / folder, tell)
    field = PropertyField.predicted(model, latent, porosity)
    if not field.solid.any():
        raise DataError(
            f"{source}: expected a part, received a volume that is pore in every SVE, or"
            " outside the field of view; say what pores are with --pores"
        )
    remarks = volumes.remarks(rule)
    summary, *rest = _report(tiles, field, law)
    said = (summary, *remarks, *rest, *say_unknown(size, model))
    return Scan(tiles, field, law, edge, said, found.corner, share)


def shares(part: np.ndarray, n: int) -> np.ndarray:
    """The share of each SVE of n voxels, (x, y, z), that is the part (x, y, z), bool; of the last
    ones the share of what is there.
    """
    layers = [part[start : start + n].sum(axis=0) for start in range(0, len(part), n)]
    count = np.stack(layers)  # layer by layer, as sums in whole numbers are wider than voxels
    size = np.ones((1, 1, 1))
    for axis, edge in enumerate(part.shape):
        starts = np.arange(0, edge, n)
        if axis:
            count = np.add.reduceat(count, starts, axis)
        shape = [1, 1, 1]
        shape[axis] = -1
        size = size * np.minimum(n, edge - starts).reshape(shape)
    return count / size


def field_file(
    source: Path, target: Path, uri: str, options: ImportOptions, material: Any = None
) -> str:
    """Write the property fields of a volume as .vtkhdf or .csv (`PropertyField.write`), whole or
    not at all; a report for people.

    `options` say how the volume is read, segmented and cropped, as by `svevae import`, `material`
    of what matrix it is (`svevae.use.champion.load`). Raises
    DataError for what is not one volume, for one that is pore all over, for voxels of another size
    than the model's, and for a model that does not say of which material it is.
    """
    check_output("field", target, [source])
    scan = read_scan(source, uri, options, material)
    scan.field.write(target, scan.law, scan.begin)
    return "\n  ".join([f"{target}: {scan.remarks[0]}", *scan.remarks[1:]])


def _one_volume(source: Path, options: ImportOptions) -> Source:
    """Find the single volume at a path as `svevae import` does. Raises DataError for another
    number.
    """
    [found] = sources_of([source], replace(options, labels=False))
    if len(found.samples) != 1:
        listed = some([sample.name for sample in found.samples], 4)
        raise DataError(
            f"{source}: expected one volume, found {len(found.samples)}: {listed}; --dataset names"
            " one in a file; --sample SEED, with --mesh, makes a part of the SVEs of one"
        )
    return found


def _report(tiles: Tiles, field: PropertyField, law: Law) -> list[str]:
    solid = field.solid
    lines = [
        f"{' x '.join(map(str, tiles.shape))} SVEs of {tiles.n}^3 voxels, porosity"
        f" {field.porosity[solid].mean():.3%}"
    ]
    if any(tiles.padded):
        padded = ", ".join(
            f"{counted(count, 'voxel')} along {axis}"
            for axis, count in zip("xyz", tiles.padded, strict=True)
            if count
        )
        lines.append(
            f"SVEs of {tiles.n} voxels do not divide the volume: filled up by mirror images,"
            f" {padded}"
        )
    if left_out := int(np.isnan(field.porosity).sum()):
        where = "touching the outside of the field of view"
        if tiles.rim:
            where = "mostly outside of the part"
        lines.append(f"{counted(left_out, 'SVE')} {where}: no material there, porosity nan")
    if air := int((~solid).sum()) - left_out:
        lines.append(
            f"{counted(air, 'SVE')} mostly pore, taken for air around the part: no material there"
        )
    return lines + describe(field, law)


def describe(field: PropertyField, law: Law) -> list[str]:
    """Tell people what properties a field has, and how many of its SVEs are unfamiliar."""
    solid, constants = field.solid, field.constants(law)
    ranges = [
        f"{name} {constants[name][solid].min():.4g} to {constants[name][solid].max():.4g}"
        for name in ("E", "s0", "Q")
    ]
    lines = [f"{', '.join(ranges)} MPa; Voce's b is the matrix's, {law.b:g}"]
    if field.hardening is not None:
        ends = f"stress_{law.strain[0]:.4g} to stress_{law.strain[-1]:.4g}"
        lines.append(
            f"tension along {AXIS} at {counted(len(law.strain), 'strain')}, {ends}: nearer than s0,"
            " Q and b, which go through yield and flow stress alone"
        )
    if unfamiliar := int((field.novelty[solid] > 1).sum()):
        lines.append(
            f"{counted(unfamiliar, 'SVE')} unlike those that the model was trained on (novelty"
            " above 1)"
        )
    return lines


def check_voxels(source: Path, size: float | None, model: LatentModel) -> None:
    """Raise DataError where voxels have another size than those that a model was trained on."""
    if size and model.voxel_size and not same_size(size, model.voxel_size):
        expected = f"voxels of {model.voxel_size:g} um as the model was trained on"
        raise DataError(f"{source}: expected {expected}, received {size:g} um; resample the volume")


def say_unknown(size: float | None, model: LatentModel) -> list[str]:
    """Tell people what size voxels are taken for where nothing says it."""
    if size or not model.voxel_size:
        return []
    taken = f"the {model.voxel_size:g} um that the model was trained on"
    return [f"voxel size unknown, taken for {taken}; --voxel-size says it"]
