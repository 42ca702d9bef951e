"""Sampled parts of a process that CalculiX pulls on a mesh, as many at once as there are workers.

Reading, encoding and fitting are done once. This process samples and writes decks, workers run
them. What is finished is kept in a folder, found by a digest of all that it depends on.
"""

from __future__ import annotations

import copy
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from svevae import __version__
from svevae.dataset.cluster import Cluster, Work
from svevae.errors import DataError
from svevae.files import check_target, load_arrays, locked, save_arrays
from svevae.meshes.bins import RECIPE
from svevae.meshes.calculix import find_ccx
from svevae.meshes.mesh import Mesh
from svevae.meshes.runs import RUNNING, Run, run_apart
from svevae.use.mesh_curves import curves_of
from svevae.use.mesh_options import MeshOptions
from svevae.use.mesh_places import Places
from svevae.use.mesh_sample import Parts
from svevae.use.on_mesh import Deck, deck_of, with_pull
from svevae.use.targets import check_output
from svevae.words import counted


def check_before(
    source: Path, target: Path, written: Iterable[Path], chosen: MeshOptions, work: Work
) -> None:
    """Raise DataError where a command with the table `target`, which writes the files `written`,
    has no step of tension, no ccx on this machine that works, or may not write.
    """
    check_output("spread", target)
    if chosen.pull is None:
        raise DataError("pull, hold: expected the faces of a step of tension, received none")
    read = [source, chosen.mesh, *([Path(chosen.porosity)] if chosen.porosity else [])]
    for path in written:
        check_target(path, read)
    if work.scheduler is None:
        find_ccx()


@contextmanager
def claimed(kept: Path, command: str) -> Iterator[None]:
    """Keep other processes from the folder `kept` of a command, without what is left there of one
    that was killed. Raises DataError as `svevae.files.locked`.
    """
    with locked(kept / f"{command}.lock", command):
        for left in kept.glob(f"{RUNNING}*"):
            shutil.rmtree(left, ignore_errors=True)
        yield


class Pulled:
    """Parts of a process on a mesh, each by its seed, with the step of tension of their options;
    `folder` has the runs that are finished, `title` is the first line of decks.
    """

    def __init__(self, title: str, mesh: Mesh, parts: Parts, folder: Path):
        self.folder = folder
        self._title, self._mesh, self._parts = title, mesh, parts
        self._digest, self._rule = _digest(mesh, parts), _rule(parts.chosen)
        solid = np.ones(int(np.prod(parts.grid.shape)), bool)
        self._places = Places.of(mesh, parts.grid, solid, parts.chosen)

    def of(self, parts: Parts) -> Pulled:
        """Other parts over the same grid."""
        found = copy.copy(self)
        found._parts, found._digest = parts, _digest(self._mesh, parts)
        return found

    def path(self, seed: int) -> Path:
        """Where the run of a part is kept: by what is simulated and the rule of materials."""
        return self.folder / f"{self._name(seed)}-{self._rule}.npz"

    def say_others(self, seeds: Iterable[int]) -> str:
        """Tell of runs of these parts that another rule made, which are not taken; nothing where
        there are none.
        """
        others = 0
        for seed in seeds:
            kept = self.folder.glob(f"{self._name(seed)}-????????.npz")
            others += bool(set(kept) - {self.path(seed)})
        if not others:
            return ""
        return (
            f"{counted(others, 'finished part')} in {self.folder} made by another rule of materials"
            " (--stress-error, --keep-types, or another svevae): begun anew"
        )

    def _name(self, seed: int) -> str:
        return hashlib.sha256(f"{self._digest} {seed}".encode()).hexdigest()[:24]

    def deck(self, seed: int) -> tuple[Deck, bool]:
        """Sample a part; and whether all its elements have material."""
        part, chosen = self._parts.sample(seed), self._parts.chosen
        curves, solid = curves_of(part.field, part.law)
        places = replace(self._places, solid=solid)
        try:
            deck = deck_of(self._mesh, part, curves, places, chosen)
        except DataError as error:
            raise DataError(f"seed {seed}: {error}") from error
        return deck, not places.missing.any()

    def finished(self, seeds: Iterable[int]) -> dict[int, tuple[Run, float]]:
        """The runs that are finished, and the mean porosity of their parts, by seed."""
        return {seed: known for seed in seeds if (known := self._kept(seed)) is not None}

    def keep(self, seed: int, run: Run, porosity: float, full: bool) -> None:
        """Keep a run; of a part in which elements lack material with what became of them."""
        without = "" if full else self._parts.chosen.without
        about = {"porosity": np.array(porosity), "without": np.array(without)}
        save_arrays(self._about(seed), about)
        run.save(self.path(seed))

    def files(self, deck: Deck) -> tuple[bytes, bytes]:
        """The deck and the table of its elements."""
        with tempfile.TemporaryDirectory(prefix=RUNNING, dir=self.folder) as name:
            path = Path(name) / "part.inp"
            deck.write(path, self._title)
            deck.write_table(path.with_suffix(".csv"))
            return path.read_bytes(), path.with_suffix(".csv").read_bytes()

    def _kept(self, seed: int) -> tuple[Run, float] | None:
        run, more = Run.read(self.path(seed)), load_arrays(self._about(seed))
        if run is None or more is None or set(more) != {"porosity", "without"}:
            return None
        if str(more["without"]) not in ("", self._parts.chosen.without):
            return None
        return run, float(more["porosity"])

    def _about(self, seed: int) -> Path:
        path = self.path(seed)
        return path.with_name(f"{path.stem}-about.npz")


def run_parts(
    pulled: Pulled, seeds: Sequence[int], cluster: Cluster, idle: Callable[[], None]
) -> Iterator[tuple[int, Run, float]]:
    """Run the parts of some seeds: the seed, what CalculiX found, and the part's mean porosity, as
    they finish. `idle` as `Cluster.map` takes it. A run that failed is not kept, so that the next
    command tries again.
    """
    folder = pulled.folder.resolve() if cluster.local else None
    about: dict[int, tuple[float, bool]] = {}

    def pieces() -> Iterator[tuple[bytes, bytes, Path | None]]:
        for seed in seeds:
            deck, full = pulled.deck(seed)
            about[seed] = deck.porosity, full
            yield (*pulled.files(deck), folder)

    for k, run in cluster.map(run_apart, pieces(), idle):
        porosity, full = about.pop(seeds[k])
        if not run.failed:
            pulled.keep(seeds[k], run, porosity, full)
        yield seeds[k], run, porosity


def _rule(chosen: MeshOptions) -> str:
    """Name all that decides which materials elements share, beside their curves."""
    what = (__version__, RECIPE, chosen.tolerance, chosen.keep_types)
    return hashlib.sha256(repr(what).encode()).hexdigest()[:8]


def _digest(mesh: Mesh, parts: Parts) -> str:
    """Name all that the decks depend on, beside the seed and the rule."""
    chosen = parts.chosen
    pull = with_pull(mesh, chosen)
    assert pull is not None
    kinds = [block.kind for block in mesh.blocks]
    step = (pull.axis, pull.length, pull.displacement, pull.unit, pull.increments, pull.clamped)
    what = (kinds, step, parts.digest())
    known = hashlib.sha256(repr(what).encode())
    blocks = [one for block in mesh.blocks for one in (block.numbers, block.nodes)]
    for array in (mesh.numbers, mesh.points, *blocks, pull.pulled, pull.held):
        known.update(np.ascontiguousarray(array).tobytes())
    return known.hexdigest()
