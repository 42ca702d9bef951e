"""What the page of `svevae explore` shows, computed without it: SVEs to start from, and their
properties after moves in latent space.

The latent vector on the page is that of a start plus the sliders' moves times `Directions.steps`.
"""

from __future__ import annotations

import copy
import json
import secrets
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np

from svevae.dataset.curves import laws_of_file
from svevae.dataset.problems import same_size
from svevae.dataset.store import SVEDataset
from svevae.errors import ConfigError, DataError
from svevae.explore.curves import learnt_curve, voce_band
from svevae.explore.directions import SEED, find_directions
from svevae.explore.mesh import Choice, Filled, MeshSession, Upload
from svevae.explore.solving import pulled
from svevae.explore.upload import UNPACKED, check_size, file_name, read_upload
from svevae.explore.views import Solved, Start, View
from svevae.hdf5 import reading
from svevae.model.latent import LatentModel
from svevae.model.sampling import binarise, realise, sample_sves
from svevae.physics.elasticity import AXES, PRESETS, Material
from svevae.scans.importers import Samples
from svevae.scans.options import ImportOptions
from svevae.scans.sources import EDGE
from svevae.use.mesh_sample import Process
from svevae.words import counted

MATRIX = "as-built-z"  # of the model's data, where these do not say
# Where neither model nor data file says the strains.
STRAIN = (
    0.00082,
    0.00233,
    0.00427,
    0.00658,
    0.00919,
    0.01209,
    0.01523,
    0.01861,
    0.0222,
    0.026,
    0.03,
)
NO_VOLUME = "expected a volume, none was dropped yet"
KEPT = 64  # starts and solutions of a page


class Explorer:
    """A model and what one page looks at with it. A volume that is dropped may unpack to at most
    `unpacked` bytes. Raises DataError where `data` has SVEs of another edge than the model's.
    """

    def __init__(
        self, model: LatentModel, data: SVEDataset | None = None, unpacked: int = UNPACKED
    ):
        if data is not None and data.n != model.n:
            raise DataError(
                f"{data.path}: /voxels: expected SVEs of n = {model.n} as the model was trained on,"
                f" received n = {data.n}"
            )
        self.model, self.data, self.unpacked = model, data, unpacked
        self.directions = find_directions(model)
        self.material, self.material_known = _matrix(model)
        labels = model.contract.labels
        self.strain = np.array(labels["tension"]["strain"] if labels else STRAIN)
        if data is not None and not model.contract.law:  # else the metal says it
            with reading(data.path, known=True) as file:
                strain = file.get("tension/strain")
                if strain is not None and strain.ndim == 1:  # else each SVE has its own
                    self.strain = strain[:]
        self._processes: dict[Path, Process] = {}
        self._begin()

    def _begin(self) -> None:
        self._upload: tuple[str, bytes] | None = None
        # the last one that could be cut, as it was dropped, and its name and what was cut
        self._whole: tuple[str, bytes] | None = None
        self._volume: tuple[str, Samples] | None = None
        self.meshes = MeshSession(self.model, self.data, self._processes)
        self._series, self._lock = secrets.token_hex(4), threading.Lock()
        self._starts: dict[str, Start] = {}
        self._solved: dict[bytes, Solved] = {}
        self._count = 0

    def fresh(self) -> Explorer:
        """The same model and data for another page, on which nothing was drawn, dropped or
        solved.
        """
        other = copy.copy(self)
        other._begin()
        return other

    @property
    def nbytes(self) -> int:
        """Bytes of what this page alone holds: its upload, the SVEs cut from it, its mesh, starts
        and solutions.
        """
        arrays = [start.voxels for start in list(self._starts.values())]
        arrays += [solved.voxels for solved in list(self._solved.values())]
        arrays += list(self._volume[1].arrays.values()) if self._volume else []
        files = {id(one): len(one[1]) for one in (self._upload, self._whole) if one}
        return sum(array.nbytes for array in arrays) + sum(files.values()) + self.meshes.nbytes

    @property
    def axes(self) -> tuple[str, ...]:
        """Along which of x, y, z the model predicts what a curve is drawn from: modulus, yield and
        flow stress.
        """
        return tuple(
            axis
            for axis in AXES
            if {f"E_{axis}", f"yield_{axis}", f"flow_{axis}"} <= set(self.model.names)
        )

    def start(self, key: str) -> Start:
        """What `sample`, `pick` or `cut` gave `key`. Raises DataError where that is not of this
        session, or too long ago.
        """
        if key not in self._starts:
            raise DataError("this page is older than the server: reload it")
        return self._starts[key]

    def random_index(self, seen: int | None = None) -> int:
        """Any SVE of the data but the one `seen`, where there is more than one. Raises DataError
        where there is none.
        """
        if self.data is None:
            raise DataError("expected a file of SVEs to pick from, none was given")
        count = self.data.count
        if seen is None or not 0 <= seen < count or count == 1:
            return int(np.random.default_rng().integers(count))
        return (seen + int(np.random.default_rng().integers(1, count))) % count

    def sample(self, seed: int) -> str:
        """A new SVE of the aggregate posterior; its key."""
        latent, voxels = sample_sves(self.model, 1, np.random.default_rng(seed))
        return self._keep(Start(f"Sample {seed} of the model", latent[0], voxels[0]))

    def pick(self, index: int) -> str:
        """SVE `index` of the data, with its labels; its key. Raises DataError where there is
        none.
        """
        data = self.data
        if data is None or not 0 <= index < data.count:
            raise DataError(
                f"SVE: expected 0 to {data.count - 1 if data else 'none'}, received {index}"
            )
        voxels, curves = data.voxels(np.array([index]))[0], {}
        with reading(data.path, known=True) as file:
            for axis in AXES:
                if f"tension/stress_{axis}" in file:
                    strain = file["tension/strain"]
                    own = strain[index] if strain.ndim == 2 else strain[:]
                    curves[axis] = (own, file[f"tension/stress_{axis}"][index])
        solved = None
        if data.properties is not None and self._of_this_metal(data, index):
            solved = Solved(
                dict(zip(data.names, map(float, data.properties[index]), strict=True)),
                curves,
                voxels,
            )
        return self._keep(
            self._encoded(
                f"SVE {index} of {data.path.name}",
                voxels,
                self._edge_notes(data.voxel_size),
                solved,
            )
        )

    def upload(
        self, name: str, content: bytes, pores: str = "dark", threshold: float | None = None
    ) -> int:
        """Take a volume (a file's name and bytes) and cut it into SVEs; how many. Raises DataError
        for what is no volume, or too small.
        """
        check_size(name, content)
        self._upload = file_name(name), content
        return self.segment(pores, threshold)

    def segment(self, pores: str, threshold: float | None) -> int:
        """Cut the uploaded volume again with another rule for its greys; how many SVEs. Raises
        DataError as `upload`.
        """
        if self._upload is None:
            raise DataError(NO_VOLUME)
        options = ImportOptions(size=self.model.n, pores=pores, threshold=threshold, labels=False)
        name, content = self._upload
        volume = read_upload(name, content, options, self.unpacked)
        self._whole, self._volume = self._upload, (name, volume)
        return len(volume.arrays["voxels"])

    @property
    def report(self) -> str:
        """How the uploaded volume was read: porosity, the rule for its greys, what was left out."""
        lines = self._volume[1].report.splitlines() if self._volume else []
        return "\n".join(line.strip() for line in lines if line.strip() != "no properties")

    def cut(self, index: int) -> str:
        """SVE `index` of the uploaded volume; its key. Raises DataError where there is none."""
        if self._volume is None:
            raise DataError(NO_VOLUME)
        name, volume = self._volume
        voxels = volume.arrays["voxels"]
        if not 0 <= index < len(voxels):
            raise DataError(f"SVE: expected 0 to {len(voxels) - 1}, received {index}")
        notes = self._edge_notes(volume.attributes.get(EDGE))
        title = f"SVE {index} of {counted(len(voxels), 'SVE')} cut from {name}"
        return self._keep(self._encoded(title, voxels[index].copy(), notes))

    @property
    def has_volume(self) -> bool:
        """Whether a volume was dropped that could be cut."""
        return self._whole is not None

    def fill_mesh(self, choice: Choice, pores: str, threshold: float | None) -> Filled:
        """Fill the mesh that was dropped; greys of the volume as `segment`. Raises as
        `svevae.explore.mesh.MeshSession.fill`.
        """
        volume = None
        if self._whole is not None:
            options = ImportOptions(pores=pores, threshold=threshold, labels=False)
            volume = Upload(*self._whole, options, self.unpacked)
        return self.meshes.fill(choice, volume)

    def element(self, number: int) -> str:
        """The SVE round an element of the mesh; its key. Raises DataError where there is none."""
        filled = self.meshes.filled
        if filled is None:
            raise DataError("expected a mesh with material, there is none")
        title, latent, voxels = filled.sve(number)
        if latent is None:
            return self._keep(self._encoded(title, voxels, ()))
        note = "A sampled SVE is a latent vector; its pores are one draw from the probabilities."
        return self._keep(Start(title, latent, voxels, (note,)))

    def latent(self, key: str, moves: list[float]) -> np.ndarray:
        """The start's latent vector after its moves along the first directions: (latent,)
        float32.
        """
        return (
            self.start(key).latent + np.asarray(moves, float) @ self.directions.steps[: len(moves)]
        ).astype(np.float32)

    def view(self, key: str, moves: list[float]) -> View:
        """What there is to see of a start after its moves. Raises DataError as `start`."""
        start, latent = self.start(key), self.latent(key, moves)
        probability, prediction = (
            self.model.decode(latent[None])[0],
            self.model.prediction(latent[None]),
        )
        solved = self._solved.get(latent.tobytes())
        if not np.any(moves):
            return View(
                latent,
                probability,
                start.voxels,
                "the SVE itself",
                prediction,
                solved or start.solved,
            )
        if solved:
            return View(
                latent, probability, solved.voxels, "the SVE that was solved", prediction, solved
            )
        voxels = binarise(probability[None], self.model.grain, np.random.default_rng(SEED))[0]
        return View(
            latent, probability, voxels, "one draw from the probabilities", prediction, None
        )

    def solve(
        self,
        key: str,
        moves: list[float],
        axis: str,
        report: Callable[[str], None] = lambda _: None,
    ) -> Solved:
        """Tension along `axis` by the solver: of the SVE itself if it was not moved, else of one
        realised from its latent vector.

        `report` follows in words. Raises DataError for an SVE that does not hang together along
        `axis`, SolverError, ConfigError.
        """
        start, latent = self.start(key), self.latent(key, moves)
        voxels, predicted = start.voxels, None
        if np.any(moves):
            report("realising the SVE")
            voxels = realise(self.model, latent[None], np.random.default_rng(SEED)).voxels[0]
            predicted = self.model.predict(voxels[None])[0]
        properties, stress = pulled(self.material, self.strain, voxels, axis, report)
        old = self._solved.get(latent.tobytes()) or (None if np.any(moves) else start.solved)
        if old:  # along the other axes
            properties = old.properties | properties
        curves = (old.curves if old else {}) | {axis: (self.strain, stress)}
        found = Solved(properties, curves, voxels, predicted)
        with self._lock:
            self._solved[latent.tobytes()] = found
            while len(self._solved) > KEPT:
                self._solved.pop(next(iter(self._solved)))
        return found

    def _of_this_metal(self, data: SVEDataset, index: int) -> bool:
        """Whether the labels of SVE `index` are those of the model's metal, as far as both say."""
        laws, law = laws_of_file(data), self.model.contract.law
        return laws is None or not law or np.allclose(laws[index], law, rtol=1e-6)

    def curve(self, view: View, axis: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Strain (point,), the predicted stress (point,) and its 5 and 95 % quantiles (2, point),
        MPa, of what a view shows: the model's own curve where it learnt curves, else by Voce's law.
        """
        if self.model.contract.law:
            return learnt_curve(self.model, view.latent, axis)
        end, b = float(self.strain[-1]), float(self.material.b)
        return voce_band(self.model.names, view.prediction, axis, end, b)

    def _encoded(
        self, title: str, voxels: np.ndarray, notes: tuple[str, ...], solved: Solved | None = None
    ) -> Start:
        return Start(title, self.model.encode(voxels[None])[0][0], voxels, notes, solved)

    def _edge_notes(self, edge: float | None) -> tuple[str, ...]:
        """Where voxels of `edge` micrometres are not the model's."""
        expected = self.model.voxel_size
        if expected is None or (edge is not None and same_size(edge, expected)):
            return ()
        if edge is None:
            return (
                (
                    "The file does not say how large its voxels are; the model was trained on"
                    f" voxels of {expected:g} µm."
                ),
            )
        return (
            (
                f"Voxels of {edge:g} µm, where the model was trained on {expected:g} µm: it takes"
                f" these pores for {expected / edge:.3g} times their size. Resample the volume to"
                f" {expected:g} µm before you trust what is predicted."
            ),
        )

    def _keep(self, start: Start) -> str:
        with self._lock:
            self._count += 1
            # of this server: a page that outlives it must not be shown another's
            key = f"{self._series}-{self._count}"
            self._starts[key] = start
            while len(self._starts) > KEPT:
                self._starts.pop(next(iter(self._starts)))
        return key


def _matrix(model: LatentModel) -> tuple[Material, bool]:
    """The matrix of the data that the model was trained on, and whether these say it."""
    try:
        return Material(**json.loads(model.contract.data.material)), True
    except (KeyError, TypeError, ValueError, ConfigError):
        return PRESETS[MATRIX], False


def data_of(model: LatentModel) -> Path | None:
    """The data file that the model was trained on, if it is there."""
    path = Path(model.contract.data.file)
    return path if path.is_file() else None
