"""Parts of any shape that a process might have made: latent codes sampled over the box of a mesh,
in place of a scan.

The latent field is fitted to the SVEs of a file. Without a wish it is stationary, and the porosity
comes out of it. Where the porosity of each SVE is given, it is the field about its trend with it
(`svevae.parts.gradation`). Where its mean is given, the porosity is a field of its own, whose
normal scores are shifted until the mean is met, and the codes follow from it by the trend.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import brentq

from svevae.dataset.curves import laws_of_file
from svevae.dataset.digest import file_md5
from svevae.dataset.label_settings import read_material
from svevae.dataset.statistics import read_position
from svevae.dataset.store import SVEDataset, open_dataset
from svevae.errors import DataError, blaming
from svevae.files import load_arrays, save_arrays
from svevae.meshes.mesh import Mesh
from svevae.meshes.points import points_of
from svevae.model.latent import LatentModel
from svevae.model.metal import in_metal
from svevae.parts.fields import Law, PropertyField
from svevae.parts.latent_field import LatentField
from svevae.physics.alloys import LAW
from svevae.scans.options import ImportOptions
from svevae.use.champion import load
from svevae.use.field import CACHE, Tell, check_voxels, describe, say_unknown
from svevae.use.mesh_options import MeshOptions
from svevae.use.mesh_places import Grid
from svevae.use.mesh_porosity import Asked, read_porosity
from svevae.use.scatter import encode_sves
from svevae.words import counted

CLOSE = 1e-12  # of the mean porosity
ERRORS = 1  # the series of random numbers that the predictor's errors have, beside the part's own


@dataclass(frozen=True)
class Sample:
    """Properties of the SVEs of a sampled part, and their `latent` vectors (x, y, z, latent);
    `asked` is the mean porosity that it shall have, None without a wish; `remarks` tell people what
    was fitted and sampled.
    """

    field: PropertyField
    law: Law
    grid: Grid
    asked: float | None
    remarks: tuple[str, ...]
    latent: np.ndarray


@dataclass(frozen=True)
class Process:
    """SVEs of parts of a process: latent means (sve, latent), porosity and part_id (sve,), position
    (sve, 3) in SVE edges.
    """

    path: Path
    latent: np.ndarray
    porosity: np.ndarray
    part_id: np.ndarray
    position: np.ndarray

    @classmethod
    def encoded(
        cls, data: SVEDataset, model: LatentModel, tell: Tell = lambda done, total: None
    ) -> Process:
        """Encode the SVEs of a file, once: what is done is kept in `CACHE`, `tell` as `encode_sves`
        takes it. Raises DataError where the file does not say which are neighbours, or where these
        overlap.
        """
        position, stride = read_position(data), data.attributes.get("stride", data.n)
        if position is None:
            raise DataError(
                f"{data.path}: /position is missing: the latent field is fitted to neighbours"
            )
        if stride != data.n:
            raise DataError(
                f"{data.path}: stride: expected SVEs side by side, {data.n} voxels apart, received"
                f" {stride}"
            )
        kept = CACHE / f"codes-{file_md5(data.path)[:24]}-{model.digest()}.npz"
        found = load_arrays(kept)
        if found is None:
            found = {"latent": encode_sves(model, data, (), tell), "porosity": data.porosity()}
            save_arrays(kept, found)
        return cls(data.path, found["latent"], found["porosity"], data.part_id, position)

    def sample(
        self,
        shape: tuple[int, int, int],
        seed: int,
        asked: float | np.ndarray | None = None,
        share: np.ndarray | None = None,
        correlated: bool = True,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Latent vectors (x, y, z, latent) and porosities (x, y, z) of a part of `shape` SVEs. What
        is `asked` is the mean of the porosity, weighted by `share` (x, y, z), or the porosity
        itself, (x, y, z). Without `correlated` SVEs are independent.

        Raises DataError for porosities that the SVEs do not have, and as `LatentField.fit`.
        """
        random = np.random.default_rng(seed)
        if asked is None:
            return self.stationary.sample(shape, random, correlated=correlated)
        field = self.about_trend
        if isinstance(asked, float):
            weights = np.ones(shape) if share is None else share
            asked = with_mean(self.of_porosity, shape, random, asked, weights, correlated)
        low, high = field.porosities
        if not (low - CLOSE <= asked.min() and asked.max() <= high + CLOSE):
            raise DataError(
                f"porosity: expected porosities of SVEs of {self.path}, {low:.4g} to {high:.4g},"
                f" received {asked.min():.4g} to {asked.max():.4g}"
            )
        return field.sample(shape, random, porosity=asked, correlated=correlated)

    @cached_property
    def stationary(self) -> LatentField:
        """The field of codes and porosity."""
        return self._fit(self.latent)

    @cached_property
    def about_trend(self) -> LatentField:
        """The field of codes about their trend with a porosity that is given."""
        return self._fit(self.latent, trend=True)

    @cached_property
    def of_porosity(self) -> LatentField:
        """The field of the porosity alone."""
        return self._fit(np.empty((len(self.porosity), 0)))

    def _fit(self, latent: np.ndarray, trend: bool = False) -> LatentField:
        try:
            return LatentField.fit(latent, self.porosity, self.part_id, self.position, trend)
        except DataError as error:
            raise DataError(f"{self.path}: {error}") from error

    def say(self) -> str:
        """Tell what the latent field is fitted to."""
        parts = counted(len(np.unique(self.part_id)), "part")
        return (
            f"{counted(len(self.porosity), 'SVE')} of {parts} of {self.path.name}, porosity"
            f" {self.porosity.mean():.3%}"
        )


def with_mean(
    field: LatentField,
    shape: tuple[int, int, int],
    random: np.random.Generator,
    mean: float,
    share: np.ndarray,
    correlated: bool = True,
) -> np.ndarray:
    """Porosities (x, y, z) sampled from a field of the porosity alone, whose normal scores are
    shifted so that their mean, weighted by `share` (x, y, z), is `mean`; without `correlated`
    those of SVEs are independent. Raises DataError for one that is not between the lowest and the
    highest porosity of the field.
    """
    levels, knots = field.levels, field.knots[:, -1]
    # with the levels for knots a field gives its scores
    own = dataclasses.replace(field, knots=levels[:, None])
    scores = own.sample(shape, random, correlated=correlated)[1]

    def porosity(shift: float) -> np.ndarray:
        return np.interp(scores + shift, levels, knots)

    def excess(shift: float) -> float:
        return float(np.average(porosity(shift), weights=share)) - mean

    far = float(np.ptp(levels))
    if not excess(-far) < 0 < excess(far):
        low, high = field.porosities
        raise DataError(
            f"porosity: expected a mean between {low:.4g} and {high:.4g}, those of SVEs, received"
            f" {mean:g}"
        )
    return porosity(brentq(excess, -far, far, xtol=CLOSE))


@dataclass(frozen=True)
class Parts:
    """Parts that a process might have made, over the box of a mesh: what they share is read,
    encoded and fitted once. `wish`, `share` and `mean` as `_wish` gives them; `remarks` are of all
    parts.
    """

    process: Process
    model: LatentModel
    grid: Grid
    wish: float | np.ndarray | None
    share: np.ndarray
    mean: float | None
    chosen: MeshOptions
    remarks: tuple[str, ...]

    @classmethod
    def of(
        cls,
        source: Path,
        uri: str,
        options: ImportOptions,
        chosen: MeshOptions,
        mesh: Mesh,
        material: Any = None,
    ) -> Parts:
        """Read the SVEs in the file `source` and encode them. `material` as
        `svevae.use.champion.load` takes it; without it the one metal of the file.

        Raises DataError for what is no SVE file, and for SVEs of another size than the model's.
        """
        _check_options(options)
        asked = None if chosen.porosity is None else read_porosity(chosen.porosity, mesh)
        data = open_dataset(source, labelled=False)
        model, remarks = _model_for(data, uri, material)
        return cls.round_mesh(data, model, chosen, mesh, asked, options.voxel_size, remarks)

    @classmethod
    def round_mesh(
        cls,
        data: SVEDataset,
        model: LatentModel,
        chosen: MeshOptions,
        mesh: Mesh,
        asked: Asked | None = None,
        voxel_size: float | None = None,
        remarks: Sequence[str] = (),
        tell: Tell = lambda done, total: None,
    ) -> Parts:
        """As `of`, of a file that is open, by a model that is loaded; `asked` is the porosity,
        `tell` as `encode_sves` takes it.
        """
        size = voxel_size or data.voxel_size
        check_voxels(data.path, size, model)
        voxel = model.voxel_size or size
        if voxel is None:
            raise DataError(
                "voxel_size: expected micrometres for --mesh; neither file nor model says them"
            )
        grid = Grid.round_mesh(mesh, model.n * voxel, chosen)
        wish, share, mean = _wish(asked, mesh, grid)
        process = Process.encoded(data, model, tell)
        remarks = (*remarks, *say_unknown(size, model))
        return cls(process, model, grid, wish, share, mean, chosen, remarks)

    def with_porosity(self, asked: Asked | None, mesh: Mesh) -> Parts:
        """The same with another porosity, None for that of the process."""
        wish, share, mean = _wish(asked, mesh, self.grid)
        return dataclasses.replace(self, wish=wish, share=share, mean=mean)

    def sample(self, seed: int) -> Sample:
        """Sample a part and predict its properties, the best ones, or with `chosen.drawn` drawn
        from the predictor's uncertainty. Raises as `Process.sample`.
        """
        latent, porosity = self.process.sample(
            self.grid.shape, seed, self.wish, self.share, self.chosen.correlated
        )
        field, law = PropertyField.predicted(self.model, latent, porosity), Law.of(self.model)
        if not field.solid.any():
            raise DataError(
                f"{self.process.path}: expected a part, received a sample with seed {seed} that is"
                " pore in every SVE"
            )
        said = f"{self.say()} sampled with seed {seed} from {self.say_field()}"
        if self.chosen.drawn:
            field = field.drawn(np.random.default_rng([seed, ERRORS]))
            said += ", properties drawn from the predictor's uncertainty"
        remarks = (said, *self.remarks, *describe(field, law))
        return Sample(field, law, self.grid, self.mean, remarks, latent)

    def say(self) -> str:
        """Tell of how many SVEs a part is."""
        return f"{' x '.join(map(str, self.grid.shape))} SVEs of {self.model.n}^3 voxels"

    def say_field(self) -> str:
        """Tell what is sampled."""
        if self.chosen.correlated:
            return f"a latent field of {self.process.say()}"
        return f"independent SVEs as {self.process.say()}"

    def digest(self) -> str:
        """Name all that parts depend on, beside the mesh and the seed."""
        chosen, process = self.chosen, self.process
        what = (chosen.drawn, chosen.correlated, self.grid.shape, self.grid.edge, self.mean)
        known = hashlib.sha256(repr((what, self.model.digest(), Law.of(self.model))).encode())
        arrays = (process.latent, process.porosity, process.part_id, process.position)
        for array in (*arrays, self.grid.turned, self.grid.low, self.share, self.wish):
            known.update(repr(array).encode() if array is None else np.asarray(array).tobytes())
        return known.hexdigest()


def sampled_part(
    source: Path,
    uri: str,
    options: ImportOptions,
    chosen: MeshOptions,
    mesh: Mesh,
    material: Any = None,
) -> Sample:
    """Sample a part over the box of a mesh, with the seed `chosen.sample`, from the process whose
    SVEs are in the file `source`, and predict its properties. Raises as `Parts.of` and
    `Process.sample`.
    """
    return Parts.of(source, uri, options, chosen, mesh, material).sample(chosen.sample or 0)


def _wish(
    asked: Asked | None, mesh: Mesh, grid: Grid
) -> tuple[float | np.ndarray | None, np.ndarray, float | None]:
    """What `Process.sample` takes: a mean or porosities (x, y, z), averages over what of the mesh
    is in each SVE, in SVEs without elements the mean; the volume of the mesh in each SVE, (x, y,
    z); and the mean that is asked for.
    """
    points, _ = points_of(mesh, grid.edge)
    sves, count = grid.sves(points.at), int(np.prod(grid.shape))
    share = np.bincount(sves, points.volume, count).reshape(grid.shape)
    if asked is None or isinstance(asked, float):
        return asked, share, asked
    values = asked.at(points)
    mean = float(np.average(values, weights=points.volume))
    total = np.bincount(sves, points.volume * values, count).reshape(grid.shape)
    wish = np.divide(total, share, out=np.full(grid.shape, mean), where=share > 0)
    return wish, share, mean


def _model_for(data: SVEDataset, uri: str, material: Any) -> tuple[LatentModel, list[str]]:
    """The model, in the metal of the file where that is one and no other is named."""
    model = load(uri, material=material)
    laws = laws_of_file(data)
    if material is not None or laws is None or not model.contract.law:
        return model, []
    kinds = np.unique(laws, axis=0)
    if len(kinds) > 1:
        told = ", ".join(
            f"{name} {one:g}" for name, one in zip(LAW, model.contract.law, strict=True)
        )
        return model, [
            f"{counted(len(kinds), 'metal')} in {data.path.name}: the part is of {told}; --material"
        ]
    if not np.allclose(kinds[0], model.contract.law, rtol=1e-6):
        with blaming(f"{data.path}: "):
            model = in_metal(model, read_material(dict(zip(LAW, kinds[0].tolist(), strict=True))))
    return model, []


def _check_options(options: ImportOptions) -> None:
    """Raises DataError for what is said of a volume: SOURCE is none."""
    for field in dataclasses.fields(options):
        if field.name != "voxel_size" and getattr(options, field.name) != field.default:
            what = "expected none with --sample, whose SOURCE is an SVE file"
            raise DataError(f"{field.name}: {what}")
