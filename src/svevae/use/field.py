"""`svevae field`: turn a scanned volume of any size into fields of elastoplastic properties, layer
by layer of SVEs.
"""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from svevae.dataset.cut import cut
from svevae.dataset.vtk import SUFFIXES
from svevae.errors import DataError
from svevae.files import check_target, load_arrays, save_arrays
from svevae.model.latent import LatentModel
from svevae.parts.fields import Law, PropertyField
from svevae.scans.importers import Volumes, remarks
from svevae.scans.layouts import ImportOptions, Source, find_sources
from svevae.scans.segmentation import Segmentation
from svevae.use.champion import load
from svevae.words import counted, some

CACHE = Path(".checkpoints/field")
SAME = 1e-3  # relative difference of voxel sizes that is none


@dataclass(frozen=True)
class Tiles:
    """A volume (x, y, z), 1 where there is a pore, as SVEs of n voxels; at the far borders mirror
    images fill up the last ones.
    """

    volume: np.ndarray
    n: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """SVEs along x, y, z."""
        return tuple(-(-edge // self.n) for edge in self.volume.shape)

    @property
    def padded(self) -> tuple[int, int, int]:
        """Voxels along x, y, z that are mirror images."""
        return tuple(
            count * self.n - edge for count, edge in zip(self.shape, self.volume.shape, strict=True)
        )

    def layer(self, i: int) -> np.ndarray:
        """SVEs of the i-th layer across x: (sve, n, n, n), z fastest."""
        slab = np.asarray(self.volume[i * self.n : (i + 1) * self.n])
        target = (self.n, self.shape[1] * self.n, self.shape[2] * self.n)
        slab = np.pad(
            slab,
            [(0, whole - edge) for whole, edge in zip(target, slab.shape, strict=True)],
            "symmetric",
        )
        return cut(slab, self.n)[0]


def encode_volume(
    model: LatentModel, tiles: Tiles, rule: Segmentation, folder: Path
) -> tuple[np.ndarray, np.ndarray]:
    """Encode all SVEs: latent means (x, y, z, latent) and porosities (x, y, z); each layer is
    cached in `folder` when it is done.

    `rule.apply` makes the volume's values binary. Memory: a layer of SVEs, and the latent codes.
    """
    codes, porosity = [], []
    layers, each = tiles.shape[0], tiles.shape[1] * tiles.shape[2]
    with tqdm(
        total=layers * each, unit="SVE", desc="encode", disable=not sys.stderr.isatty()
    ) as bar:
        for i in range(layers):
            path = folder / f"layer-{i:05d}.npz"
            found = load_arrays(path)
            if found is None:
                sves = rule.apply(tiles.layer(i))
                found = {"latent": model.encode(sves)[0], "porosity": sves.mean(axis=(1, 2, 3))}
                save_arrays(path, found)
            codes.append(found["latent"])
            porosity.append(found["porosity"])
            bar.update(each)
    return np.concatenate(codes).reshape(*tiles.shape, -1), np.concatenate(porosity).reshape(
        tiles.shape
    )


def field_file(source: Path, target: Path, uri: str, options: ImportOptions) -> str:
    """Write the property fields of a volume as .vtkhdf or .csv (`PropertyField.write`), whole or
    not at all; a report for people.

    `options` say how the volume is read, segmented and cropped, as by `svevae import`. Raises
    DataError for what is not one volume, for one that is pore all over, for voxels of another size
    than the model's, and for a model that does not say of which material it is.
    """
    if target.suffix not in (".csv", *SUFFIXES):
        raise DataError(
            f"{target}: expected a name that ends in .csv or {' or '.join(SUFFIXES)}, received"
            f" {target.suffix or 'none'}"
        )
    check_target(target, [source])
    found = _one_volume(source, options)
    volumes = Volumes(found)
    with volumes.named():
        rule = volumes.segment(options)
        [volume] = volumes
    model = load(uri)
    law = Law.of(model)
    size = options.voxel_size or next(iter(found.edges), None)
    _check_voxels(source, size, model)
    tiles = Tiles(volume, model.n)
    files = [
        (str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in found.files
    ]
    identity = repr((files, options, str(rule), model.digest()))
    folder = CACHE / hashlib.sha256(identity.encode()).hexdigest()[:24]
    latent, porosity = encode_volume(model, tiles, rule, folder)
    field = PropertyField.predicted(model, latent, porosity)
    if not field.solid.any():
        raise DataError(
            f"{source}: expected a part, received a volume that is pore in every SVE; say what"
            " pores are with --pores"
        )
    field.write(target, law)
    lines = _report(tiles, field, law)
    if size is None and model.voxel_size:
        lines.append(
            f"voxel size unknown, taken for the {model.voxel_size:g} um that the model was trained"
            " on; --voxel-size says it"
        )
    return "\n  ".join([f"{target}: {lines[0]}", *remarks(found, rule), *lines[1:]])


def _one_volume(source: Path, options: ImportOptions) -> Source:
    """Find the single volume at a path as `svevae import` does. Raises DataError for another
    number.
    """
    [found] = find_sources([source], replace(options, labels=False))
    if len(found.samples) != 1:
        listed = some([sample.name for sample in found.samples], 4)
        raise DataError(
            f"{source}: expected one volume, found {len(found.samples)}: {listed}; --dataset names"
            " one in a file"
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
            f"{count} voxels along {axis}"
            for axis, count in zip("xyz", tiles.padded, strict=True)
            if count
        )
        lines.append(
            f"SVEs of {tiles.n} voxels do not divide the volume: filled up by mirror images,"
            f" {padded}"
        )
    if not solid.all():
        lines.append(
            f"{counted(int((~solid).sum()), 'SVE')} mostly pore, taken for air around the part: no"
            " material there"
        )
    constants = field.constants(law)
    ranges = [
        f"{name} {constants[name][solid].min():.4g} to {constants[name][solid].max():.4g}"
        for name in ("E", "s0", "Q")
    ]
    lines.append(f"{', '.join(ranges)} MPa; Voce's b is the matrix's, {law.b:g}")
    if unfamiliar := int((field.novelty[solid] > 1).sum()):
        lines.append(
            f"{counted(unfamiliar, 'SVE')} unlike those that the model was trained on (novelty"
            " above 1)"
        )
    return lines


def _check_voxels(source: Path, size: float | None, model: LatentModel) -> None:
    if size and model.voxel_size and abs(size / model.voxel_size - 1) > SAME:
        expected = f"voxels of {model.voxel_size:g} um as the model was trained on"
        raise DataError(f"{source}: expected {expected}, received {size:g} um; resample the volume")
