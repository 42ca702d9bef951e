"""Decks run by CalculiX in folders of their own, many at a time on one machine or several: of each
the load curve and the largest plastic strain are kept, and nothing else.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from svevae.errors import DataError, SolverError
from svevae.files import load_arrays, no_room, save_arrays
from svevae.meshes.calculix import last_words, run_deck
from svevae.meshes.results import PEAK, read_results
from svevae.words import short

RUNNING = "running-"  # what names of the folders begin with
LONGEST = 300  # characters of what CalculiX said


@dataclass(frozen=True)
class Run:
    """What CalculiX found in a part: `displacement` [unit of the mesh], `force` [N] and the largest
    equivalent plastic strain `peaks` at each increment (increment,); `stiffness` [N / unit of the
    mesh], `yield_load` [N], NaN where it was not reached; at the last increment the number `node`
    where the plastic strain is largest, its `place` (3,), the `element` of those round it that
    flows most and its `sve`; 0, NaN and -1 where there is no plastic strain. `failed` is what was
    said of a run that did not reach the end of the step; the arrays have what it reached.
    """

    displacement: np.ndarray
    force: np.ndarray
    peaks: np.ndarray
    stiffness: float
    yield_load: float
    node: int = 0
    place: np.ndarray = field(default_factory=lambda: np.full(3, np.nan))
    element: int = 0
    sve: int = -1
    failed: str = ""

    @classmethod
    def without(cls, failed: str) -> Run:
        """One that reached nothing."""
        none = np.empty(0)
        return cls(none, none, none, np.nan, np.nan, failed=failed)

    @property
    def peak(self) -> float:
        """The largest equivalent plastic strain at the last increment; NaN where none is known."""
        return float(self.peaks[-1]) if len(self.peaks) else np.nan

    def save(self, path: Path) -> None:
        """Write an .npz file, whole or not at all."""
        save_arrays(path, {name: np.asarray(value) for name, value in vars(self).items()})

    @classmethod
    def read(cls, path: Path) -> Run | None:
        """Read what `save` wrote; None where there is nothing, or where it is damaged."""
        found = load_arrays(path)
        if found is None or set(found) != {one.name for one in fields(cls)}:
            return None
        values: dict[str, Any] = {
            name: one if one.ndim else one.item() for name, one in found.items()
        }
        return cls(**values)


def run_apart(deck: bytes, table: bytes, folder: Path | None = None) -> Run:
    """Run a deck, whose table of elements is `table`, in a new folder below `folder`, by default in
    that of the Dask worker that does it, or where the system has temporary files; afterwards it is
    gone.

    Raises DataError where there is no ccx, and where the disk does not take what it writes.
    """
    try:
        with tempfile.TemporaryDirectory(prefix=RUNNING, dir=folder or _scratch()) as name:
            path = Path(name) / "part.inp"
            path.write_bytes(deck)
            path.with_suffix(".csv").write_bytes(table)
            return _run(path)
    except OSError as error:
        raise DataError(
            f"{error.filename or folder or tempfile.gettempdir()}: {error.strerror or error}"
        ) from error


def _scratch() -> str | None:
    """The folder of this Dask worker: the next one there removes what a worker that was killed has
    left. None elsewhere.
    """
    from distributed import get_worker

    try:
        return get_worker().local_directory
    except ValueError:
        return None


def _run(path: Path) -> Run:
    log = path.with_suffix(".log")
    try:
        load = run_deck(path, beside=True)
    except SolverError:
        _check_room(path.parent)
        return Run.without(_said("before the first increment", last_words(log)))
    failed = ""
    if load.stopped or not load.whole:
        _check_room(path.parent)
        reached = f"at a displacement of {load.displacement[-1]:.4g} {load.unit}"
        failed = _said(reached, load.stopped or last_words(log))
    known = load.yield_load
    run = Run(
        load.displacement,
        load.force,
        np.full(len(load.force), np.nan),
        load.stiffness,
        np.nan if known is None else known,
        failed=failed,
    )
    try:
        results = read_results(path)
    except DataError as error:
        return replace(run, failed=failed or short(str(error), LONGEST))
    run = replace(run, peaks=results.columns(load.displacement)[PEAK])
    peak = results.peak
    if peak.value == 0:
        return run
    sve = peak.about.get("SVE", -1)
    return replace(run, node=peak.node, place=peak.place, element=peak.element, sve=sve)


def _check_room(folder: Path) -> None:
    """Raises DataError where the disk is full: no other part would fare better."""
    if reason := no_room(folder):
        raise DataError(
            f"{folder.parent.resolve()}: {reason}; make room there, finished runs are kept"
        )


def _said(where: str, why: str) -> str:
    """Where CalculiX stopped, and why, in one line."""
    return short(f"stopped {where}: {' '.join(why.split())}", LONGEST)
