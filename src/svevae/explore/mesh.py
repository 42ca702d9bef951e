"""The mesh of a page of `svevae explore`: what was dropped, and what its elements are made of.

It takes the volume of the page, as `svevae field SCAN --mesh MESH --without nearest`, or a part
sampled from the process of the page's data, as `svevae field SVES --sample SEED --mesh MESH`.
"""

from __future__ import annotations

import io
import tempfile
import threading
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from svevae.dataset.store import SVEDataset
from svevae.errors import DataError
from svevae.explore.directions import SEED
from svevae.explore.mesh_faces import Faces
from svevae.explore.mesh_upload import read_mesh_upload
from svevae.explore.upload import check_unpacked, file_name, on_disk
from svevae.meshes.bins import Curves
from svevae.meshes.mesh import FACES, Mesh
from svevae.meshes.vtu import write_vtu
from svevae.model.latent import LatentModel
from svevae.model.sampling import binarise
from svevae.parts.fields import AXIS, PropertyField, column_head
from svevae.scans.options import ImportOptions
from svevae.scans.rim import filled
from svevae.use.field import Tiles, scan_of
from svevae.use.mesh_average import Averages
from svevae.use.mesh_curves import curves_of
from svevae.use.mesh_options import MeshOptions
from svevae.use.mesh_places import Places
from svevae.use.mesh_sample import Parts, Process, Sample
from svevae.use.on_mesh import Scanned, covering, deck_of, say_pull
from svevae.words import counted

VOLUME, SAMPLED = "volume", "sampled"
Pores = Callable[[int], tuple[np.ndarray | None, np.ndarray]]  # of an SVE: latent or None, voxels


@dataclass(frozen=True)
class Upload:
    """A volume that was dropped: its name and bytes, how it is read, what it may unpack to."""

    name: str
    content: bytes
    options: ImportOptions
    unpacked: int


@dataclass(frozen=True)
class Choice:
    """What the page says of a mesh: whether it takes the VOLUME or a part that is SAMPLED with
    `seed`; the `unit` of its coordinates; the `origin` of the volume in it, None as
    `svevae.use.mesh_options.MeshOptions` has it.
    """

    source: str = VOLUME
    unit: str = "mm"
    origin: tuple[float, float, float] | None = None
    seed: int = 1


@dataclass(frozen=True)
class Filled:
    """A mesh whose elements have properties: `values` (element,) by name.

    `summary`, `boxes` and `said` tell people what it is, where, and how it was read; `notes` warn
    them. `pores` are those of an SVE, `title` is the first line of a deck, `held` the bytes of what
    the pores are from.
    """

    mesh: Mesh
    faces: Faces
    part: Scanned | Sample
    curves: Curves
    places: Places
    chosen: MeshOptions
    values: dict[str, np.ndarray]
    summary: str
    boxes: tuple[str, ...]
    notes: tuple[str, ...]
    said: tuple[str, ...]
    pores: Pores
    title: str
    held: int

    @property
    def centres(self) -> np.ndarray:
        """Centroids of the elements, (element, 3)."""
        return self.places.centres

    @cached_property
    def box(self) -> tuple[np.ndarray, np.ndarray]:
        """The lowest and the highest corner of the elements."""
        return box_of(self.mesh)

    @property
    def nbytes(self) -> int:
        """Bytes of what is held for it, roughly."""
        values = sum(value.nbytes for value in self.values.values())
        weights = self.places.weights
        points = self.places.points
        places = [weights.data, weights.indices, weights.indptr, points.at, points.element]
        places += [points.volume, self.centres, self.curves.stress]
        return self.held + self.faces.nbytes + values + sum(array.nbytes for array in places)

    def sve(self, number: int) -> tuple[str, np.ndarray | None, np.ndarray]:
        """The SVE that element `number` has most of: its name, its latent vector where it has one
        of its own, its voxels. Raises DataError for a number that no element has.
        """
        [row] = np.flatnonzero(self.mesh.elements == number)[:1].tolist() or [None]
        if row is None:
            raise DataError(f"{self.chosen.mesh}: expected an element of it, received {number}")
        sve = int(self.places.sves[row])
        place = ", ".join(str(int(k)) for k in np.unravel_index(sve, self.part.grid.shape))
        shape = " x ".join(map(str, self.part.grid.shape))
        title = f"SVE ({place}) of {shape}, round element {number} of {self.chosen.mesh}"
        return title, *self.pores(sve)

    def deck(self, pull: str | None, hold: str | None, percent: float | None) -> tuple[bytes, str]:
        """A zip file with the deck (.inp), its table (.csv) and .vtu file, and what people should
        know of it. Without `pull` it has no step. Raises DataError for faces between which none can
        be pulled.
        """
        chosen = self.chosen
        if pull is not None:
            if percent is None or not 0 < percent <= 100:
                received = "none" if percent is None else f"{percent:g} %"
                raise DataError(f"expected a strain above 0 %, at most 100 %, received {received}")
            chosen = replace(chosen, pull=pull, hold=hold, strain=percent / 100)
        made = deck_of(self.mesh, self.part, self.curves, self.places, chosen)
        name = f"{chosen.mesh.stem}-part"
        packed = io.BytesIO()
        with tempfile.TemporaryDirectory(prefix="svevae-") as folder:
            target = Path(folder) / f"{name}.inp"
            made.write(target, self.title)
            made.write_table(target.with_suffix(".csv"))
            columns = {column_head(name): one for name, one in made.columns.items()}
            write_vtu(target.with_suffix(".vtu"), made.mesh, columns)
            with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
                for path in sorted(Path(folder).iterdir()):
                    archive.write(path, path.name)
        lines = [
            f"{name}.inp: {made.summary}",
            *(one for one in made.remarks if one not in self.notes),
        ]
        if made.pull is None:
            lines.append("no step: include one of your own, or choose faces to pull and to hold")
        else:
            lines.append(f"{say_pull(made.pull, chosen)}; next: svevae run {name}.inp")
        return packed.getvalue(), "\n".join(lines)


class MeshSession:
    """The mesh of one page, and what it was filled with last. Pages share `processes`, whose fit
    takes long.
    """

    def __init__(self, model: LatentModel, data: SVEDataset | None, processes: dict[Path, Process]):
        self.model, self.data = model, data
        self._processes = processes
        self.name = ""
        self.mesh: Mesh | None = None
        self.filled: Filled | None = None
        self._faces: Faces | None = None
        self._parts: tuple[str, Parts] | None = None  # with the unit of the mesh
        self._lock = threading.Lock()

    def take(self, name: str, content: bytes, unpacked: int) -> None:
        """Read a mesh, given as a file's name and bytes. Raises as
        `svevae.explore.mesh_upload.read_mesh_upload`.
        """
        name = file_name(name)
        mesh = read_mesh_upload(name, content, unpacked)
        with self._lock:
            self.name, self.mesh, self._faces = name, mesh, Faces.of(mesh)
            self.filled = self._parts = None

    def fill(self, choice: Choice, volume: Upload | None) -> Filled:
        """Give the elements properties. Raises DataError where there is no mesh, or nothing to fill
        it with, and as `svevae field --mesh`.
        """
        with self._lock:
            if self.mesh is None or self._faces is None:
                raise DataError("expected a mesh, none was dropped yet")
            self.filled = None  # of another choice
            sampled = choice.seed if choice.source == SAMPLED else None
            origin = None if sampled is not None else choice.origin
            chosen = MeshOptions(Path(self.name), origin, choice.unit, "nearest", sample=sampled)
            part: Scanned | Sample
            if sampled is not None:
                part, pores, source, held = self._sampled(chosen, sampled)
            elif volume is not None:
                part, pores, source, held = self._scanned(chosen, volume)
            else:
                raise DataError(self.missing)
            self.filled = self._filled(part, pores, chosen, held, source)
            return self.filled

    @property
    def face_names(self) -> list[str]:
        """What a pull may be between: faces of the box, sets of nodes, surfaces."""
        mesh = self.mesh
        return [] if mesh is None else [*dict.fromkeys([*FACES, *mesh.node_sets, *mesh.surfaces])]

    @property
    def summary(self) -> str:
        """What was dropped: how many elements and nodes."""
        if self.mesh is None:
            return ""
        elements, nodes = len(self.mesh.elements), len(self.mesh.used())
        return f"{self.name}: {counted(elements, 'element')}, {counted(nodes, 'node')}"

    @property
    def missing(self) -> str:
        """What there is to do where a mesh has no material."""
        hint = "drop the scan of the part, too"
        if self.data is None:
            hint += ", or give svevae explore an SVE file of its process"
        return f"{self.name}: expected a volume to take material from, none was dropped yet; {hint}"

    def _sampled(self, chosen: MeshOptions, seed: int) -> tuple[Sample, Pores, str, int]:
        if self.data is None or self.mesh is None:
            raise DataError(self.missing)
        if self._parts is None or self._parts[0] != chosen.unit:
            parts = Parts.round_mesh(self.data, self.model, chosen, self.mesh)
            process = self._processes.setdefault(self.data.path, parts.process)
            self._parts = chosen.unit, replace(parts, process=process)
        part = self._parts[1].sample(seed)
        codes = part.latent.reshape(-1, part.latent.shape[-1])

        def pores(sve: int) -> tuple[np.ndarray, np.ndarray]:
            latent = codes[sve].astype(np.float32)
            probability = self.model.decode(latent[None])
            return latent, binarise(probability, self.model.grain, np.random.default_rng(SEED))[0]

        return part, pores, self.data.path.name, codes.nbytes

    def _scanned(self, chosen: MeshOptions, volume: Upload) -> tuple[Scanned, Pores, str, int]:
        assert self.mesh is not None
        with on_disk(volume.name, volume.content) as path:
            check_unpacked(path, volume.unpacked)
            covers, cache = covering(self.mesh, chosen), path.parent / "cache"
            scan = scan_of(self.model, path, volume.options, covers, cache)
        tiles, mask = scan.tiles, scan.tiles.view.mask

        def pores(sve: int) -> tuple[None, np.ndarray]:
            return None, pores_of(tiles, sve)

        held = tiles.view.volume.nbytes + (0 if mask is None else mask.nbytes)
        return Scanned.of(scan, chosen), pores, volume.name, held

    def _filled(
        self, part: Scanned | Sample, pores: Pores, chosen: MeshOptions, held: int, source: str
    ) -> Filled:
        mesh, faces = self.mesh, self._faces
        assert mesh is not None
        assert faces is not None
        curves, solid = curves_of(part.field, part.law)
        share = part.share if isinstance(part, Scanned) else None
        places = Places.of(mesh, part.grid, solid, chosen, share)
        averages = Averages(places.weights)
        notes = [places.say(mesh, chosen.without)] if places.missing.any() else []
        said = [*averages.say(places.larger, part.grid), *mesh.remarks, *part.remarks]
        used = len(np.unique(places.weights.indices))
        boxes = []
        for what, box in (("mesh", box_of(mesh)), (part.grid.noun, part.grid.box())):
            low, high = (", ".join(f"{one:.4g}" for one in end) for end in box)
            boxes.append(f"{what} from {low} to {high} {chosen.unit}")
        return Filled(
            mesh,
            faces,
            part,
            curves,
            places,
            chosen,
            averages.columns(shown(part.field)),
            f"{self.summary}, {counted(used, 'SVE')}",
            tuple(boxes),
            tuple(notes),
            tuple(said),
            pores,
            f"svevae field {source} --mesh {chosen.mesh.name}",
            held,
        )

    @property
    def nbytes(self) -> int:
        """Bytes of the mesh and of what fills it, roughly."""
        held = self.filled.nbytes if self.filled else 0
        if self.mesh is not None:
            held += self.mesh.points.nbytes + self.mesh.numbers.nbytes
            held += sum(block.nodes.nbytes + block.numbers.nbytes for block in self.mesh.blocks)
        return held + (self._faces.nbytes if self._faces else 0)


def box_of(mesh: Mesh) -> tuple[np.ndarray, np.ndarray]:
    """The lowest and the highest corner of the elements."""
    points = mesh.points[mesh.rows(mesh.used())]
    return points.min(axis=0), points.max(axis=0)


def shown(field: PropertyField) -> dict[str, np.ndarray]:
    """What a page shows of a field, (x, y, z) each: its porosity and novelty, modulus and yield
    along AXIS with their standard deviations.
    """
    found = {"porosity": field.porosity}
    for kind in ("E", "yield"):
        name = f"{kind}_{AXIS}"
        found[kind] = field.column(name)
        found[f"{kind}_std"] = field.std[..., field.names.index(name)]
    return found | {"novelty": field.novelty}


def pores_of(tiles: Tiles, sve: int) -> np.ndarray:
    """The voxels (n, n, n) of an SVE by its place among all, without what is outside of the part:
    what `svevae.use.field.encode_volume` encodes.
    """
    place = list(np.unravel_index(sve, tiles.shape))
    layer = tiles.layer(int(place.pop(tiles.axis)))
    others = [count for axis, count in enumerate(tiles.shape) if axis != tiles.axis]
    return filled(layer[[np.ravel_multi_index(place, others)]])[0][0]
