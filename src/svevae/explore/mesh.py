"""The mesh of a page of `svevae explore`: what was dropped, and what its elements are made of.

It takes the volume of the page, as `svevae field SCAN --mesh MESH --without nearest`, or a part
sampled from the process of the page's data, as `svevae field SVES --sample SEED --mesh MESH`.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from svevae.dataset.store import SVEDataset
from svevae.errors import DataError
from svevae.explore.directions import SEED
from svevae.explore.mesh_faces import Faces
from svevae.explore.mesh_filled import Filled, Pores, box_of
from svevae.explore.mesh_progress import Progress
from svevae.explore.mesh_upload import read_mesh_upload
from svevae.explore.upload import check_unpacked, file_name, on_disk
from svevae.meshes.mesh import FACES, Mesh
from svevae.model.latent import LatentModel
from svevae.model.sampling import binarise
from svevae.parts.fields import AXIS, PropertyField
from svevae.scans.options import ImportOptions
from svevae.scans.rim import filled
from svevae.use.field import Tiles, scan_of
from svevae.use.mesh_average import Averages
from svevae.use.mesh_curves import curves_of
from svevae.use.mesh_options import MeshOptions
from svevae.use.mesh_places import Places
from svevae.use.mesh_porosity import typed_porosity
from svevae.use.mesh_sample import Parts, Process, Sample
from svevae.use.on_mesh import Scanned, covering
from svevae.words import counted

VOLUME, SAMPLED = "volume", "sampled"


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
    `seed` and `porosity`, as typed, empty for that of the data; the `unit` of its coordinates; the
    `origin` of the volume in it, and by which `rotation` volume or process are turned, as
    `svevae.use.mesh_options.MeshOptions` has them.
    """

    source: str = VOLUME
    unit: str = "mm"
    origin: tuple[float, float, float] | None = None
    seed: int = 1
    rotation: tuple[float, float, float] = (0.0, 0.0, 0.0)
    porosity: str = ""


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
        self.progress: Progress | None = None  # of the filling that is under way, or was
        self._faces: Faces | None = None
        self._parts: tuple[object, Parts] | None = None  # with how their grid lies
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
            self.progress = Progress()
            sampled = choice.seed if choice.source == SAMPLED else None
            origin = None if sampled is not None else choice.origin
            chosen = MeshOptions(
                Path(self.name),
                origin,
                choice.unit,
                "nearest",
                rotation=choice.rotation,
                sample=sampled,
            )
            part: Scanned | Sample
            if sampled is not None:
                part, pores, source, held = self._sampled(chosen, sampled, choice.porosity)
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

    def _sampled(
        self, chosen: MeshOptions, seed: int, porosity: str
    ) -> tuple[Sample, Pores, str, int]:
        assert self.progress is not None
        if self.data is None or self.mesh is None:
            raise DataError(self.missing)
        asked = typed_porosity(porosity, self.mesh) if porosity.strip() else None
        lies = chosen.unit, chosen.rotation
        if self._parts is None or self._parts[0] != lies:
            tell = self.progress.tell
            parts = Parts.round_mesh(self.data, self.model, chosen, self.mesh, tell=tell)
            process = self._processes.setdefault(self.data.path, parts.process)
            self._parts = lies, replace(parts, process=process)
        part = self._parts[1].with_porosity(asked, self.mesh).sample(seed)
        codes = part.latent.reshape(-1, part.latent.shape[-1])

        def pores(sve: int) -> tuple[np.ndarray, np.ndarray]:
            latent = codes[sve].astype(np.float32)
            probability = self.model.decode(latent[None])
            return latent, binarise(probability, self.model.grain, np.random.default_rng(SEED))[0]

        return part, pores, self.data.path.name, codes.nbytes

    def _scanned(self, chosen: MeshOptions, volume: Upload) -> tuple[Scanned, Pores, str, int]:
        assert self.mesh is not None
        assert self.progress is not None
        with on_disk(volume.name, volume.content) as path:
            check_unpacked(path, volume.unpacked)
            covers, cache = covering(self.mesh, chosen), path.parent / "cache"
            tell = self.progress.tell
            scan = scan_of(self.model, path, volume.options, covers, cache, tell)
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
        said += part.grid.tilt(None)
        values = averages.columns(shown(part.field))
        if isinstance(part, Sample):
            mean = float(np.average(values["porosity"], weights=mesh.geometry()[1]))
            wish = "none asked for" if part.asked is None else f"{part.asked:.3%} asked for"
            said.insert(0, f"mean porosity of the part {mean:.3%}, {wish}")
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
            values,
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
