"""`svevae field`: a scanned volume of any size to fields of elastoplastic properties, layer by layer of SVEs."""

from __future__ import annotations

import hashlib
import io
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from svevae.dataset.layouts import ImportOptions
from svevae.dataset.store import check_target, counted, written_whole
from svevae.dataset.vtk import SUFFIXES
from svevae.errors import DataError
from svevae.model.latent import LatentModel
from svevae.physics import volume as vol
from svevae.physics.segmentation import segmentation
from svevae.use.champion import load
from svevae.use.fields import Law, PropertyField

JOURNAL = Path(".checkpoints/field")
SAME = 1e-3  # relative difference of voxel sizes that is none


@dataclass(frozen=True)
class Tiles:
    """A volume (x, y, z), 1 where there is a pore, as SVEs of n voxels; at the far borders mirror images fill up the last ones."""

    volume: np.ndarray
    n: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """SVEs along x, y, z."""
        return tuple(-(-edge // self.n) for edge in self.volume.shape)

    @property
    def padded(self) -> tuple[int, int, int]:
        """Voxels along x, y, z that are mirror images."""
        return tuple(count * self.n - edge for count, edge in zip(self.shape, self.volume.shape, strict=True))

    def layer(self, i: int) -> np.ndarray:
        """SVEs of the i-th layer across x: (sve, n, n, n), z fastest."""
        slab = np.asarray(self.volume[i * self.n : (i + 1) * self.n])
        target = (self.n, self.shape[1] * self.n, self.shape[2] * self.n)
        slab = np.pad(slab, [(0, whole - edge) for whole, edge in zip(target, slab.shape, strict=True)], "symmetric")
        return vol.cut(slab, self.n)[0]


def encode_volume(model: LatentModel, tiles: Tiles, rule: object, journal: Path) -> tuple[np.ndarray, np.ndarray]:
    """Latent means (x, y, z, latent) and porosities (x, y, z) of all SVEs; each layer is kept in `journal` when it is done.

    `rule.apply` makes the volume's values binary. Memory: a layer of SVEs, and the latent codes.
    """
    codes, porosity = [], []
    layers, each = tiles.shape[0], tiles.shape[1] * tiles.shape[2]
    with tqdm(total=layers * each, unit="SVE", desc="encode", disable=not sys.stderr.isatty()) as bar:
        for i in range(layers):
            path = journal / f"layer-{i:05d}.npz"
            found = _read(path, each)
            if found is None:
                sves = rule.apply(tiles.layer(i))
                found = model.encode(sves)[0], sves.mean(axis=(1, 2, 3))
                _keep(path, *found)
            codes.append(found[0])
            porosity.append(found[1])
            bar.update(each)
    return np.concatenate(codes).reshape(*tiles.shape, -1), np.concatenate(porosity).reshape(tiles.shape)


def field_file(source: Path, target: Path, uri: str, options: ImportOptions) -> str:
    """Write the property fields of a volume as .vtkhdf or .csv (`PropertyField.write`), whole or not at all; a report for people.

    `options` say how the volume is read, cropped and segmented. Raises DataError for what is not a volume, for voxels of another size
    than the model's, and for a model that does not say of which material it is.
    """
    if target.suffix not in (".csv", *SUFFIXES):
        raise DataError(f"{target}: expected a name that ends in .csv or {' or '.join(SUFFIXES)}, received {target.suffix or 'none'}")
    check_target(target)
    volume = vol.read_volume(source, options.shape, options.dtype, options.dataset, options.axes)
    if options.crop is not None:
        volume = vol.crop(volume, options.crop)
    rule = segmentation([volume], options.threshold, options.pores)
    model = load(uri)
    law = Law.of(model)
    _check_voxels(source, options.voxel_size or vol.voxel_size(source), model)
    tiles = Tiles(volume, model.n)
    stat = source.stat()
    identity = repr((str(source.resolve()), stat.st_size, stat.st_mtime_ns, options, str(rule), model.contract))
    journal = JOURNAL / hashlib.sha256(identity.encode()).hexdigest()[:24]
    latent, porosity = encode_volume(model, tiles, rule, journal)
    field = PropertyField.predicted(model, latent, porosity)
    field.write(target, law)
    return f"{target}: {_report(tiles, field, law)}"


def _report(tiles: Tiles, field: PropertyField, law: Law) -> str:
    solid = field.solid
    lines = [f"{' x '.join(map(str, tiles.shape))} SVEs of {tiles.n}^3 voxels, porosity {field.porosity[solid].mean():.3%}"]
    if any(tiles.padded):
        padded = ", ".join(f"{count} voxels along {axis}" for axis, count in zip("xyz", tiles.padded, strict=True) if count)
        lines.append(f"SVEs of {tiles.n} voxels do not divide the volume: filled up by mirror images, {padded}")
    if not solid.all():
        lines.append(f"{counted(int((~solid).sum()), 'SVE')} mostly pore, taken for air around the part: no material there")
    constants = field.constants(law)
    ranges = [f"{name} {constants[name][solid].min():.4g} to {constants[name][solid].max():.4g}" for name in ("E", "s0", "Q")]
    lines.append(f"{', '.join(ranges)} MPa; Voce's b is the matrix's, {law.b:g}")
    if unfamiliar := int((field.novelty[solid] > 1).sum()):
        lines.append(f"{counted(unfamiliar, 'SVE')} unlike those that the model was trained on (novelty above 1)")
    return "\n  ".join(lines)


def _check_voxels(source: Path, size: float | None, model: LatentModel) -> None:
    if size and model.voxel_size and abs(size / model.voxel_size - 1) > SAME:
        expected = f"voxels of {model.voxel_size:g} um as the model was trained on"
        raise DataError(f"{source}: expected {expected}, received {size:g} um; resample the volume")


def _keep(path: Path, latent: np.ndarray, porosity: np.ndarray) -> None:
    content = io.BytesIO()
    np.savez(content, latent=latent, porosity=porosity)
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as beside:
        beside.write_bytes(content.getvalue())


def _read(path: Path, count: int) -> tuple[np.ndarray, np.ndarray] | None:
    try:
        with path.open("rb") as stream, np.load(stream) as file:
            found = file["latent"], file["porosity"]
    except (OSError, EOFError, ValueError, KeyError):
        return None
    return found if len(found[0]) == count else None
