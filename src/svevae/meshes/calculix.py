"""CalculiX: a deck run by `ccx`, and force against displacement read from what it printed."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from svevae.errors import DataError, SolverError
from svevae.files import no_room, written_whole
from svevae.meshes.deck import OURS, read_pull
from svevae.physics.voce import OFFSET

# newtons of a force that is MPa times the square of the mesh's unit
NEWTONS = {"um": 1e-6, "mm": 1.0, "cm": 100.0, "m": 1e6}
EVERY = 0.2  # seconds between looks at how far it is
SHOWN = 8  # lines of what ccx said
LONGEST = 126  # bytes of a job's name
WRITTEN = (".12d", ".cvg", ".dat", ".frd", ".sta")
# A shell that starts a program and ends it where its own standard input is closed, which the system
# does for a process that is killed; the exit status is the program's.
GUARD: tuple[str, ...] = (
    (
        "sh",
        "-c",
        'exec 3<&0; "$@" </dev/null 3<&- & ran=$!; '
        '{ cat <&3; kill -9 "$ran"; } >/dev/null 2>&1 & exec 3<&-; wait "$ran"',
        "sh",
    )
    if os.name == "posix"
    else ()
)
# why a program may have been ended
ENDED = {
    "SIGKILL": ", as the system does where memory is short",
    "SIGXFSZ": ", at the largest size that files may have here, see ulimit -f",
}
TOTAL = re.compile(
    rf"total force \(fx,fy,fz\) for set {OURS}PULL and time\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S+)"
)


@dataclass(frozen=True)
class Load:
    """Force [N] on the pulled face at each displacement, (increment,) both, from the first
    increment on; `length` is the distance of the faces, in the `unit` of displacements. `whole`
    says whether the end of the step was reached; `stopped` what kept CalculiX from writing all, for
    people, empty where nothing did.
    """

    displacement: np.ndarray
    force: np.ndarray
    length: float
    unit: str
    whole: bool = True
    stopped: str = ""

    @property
    def stiffness(self) -> float:
        """Force over displacement at the first increment."""
        return float(self.force[0] / self.displacement[0])

    @property
    def yield_load(self) -> float | None:
        """Force [N] where the displacement is 0.2 % of the length beyond the elastic one, linear
        between increments; None where it was not reached.
        """
        plastic = self.displacement - self.force / self.stiffness
        if plastic[-1] < OFFSET * self.length:
            return None
        return float(np.interp(OFFSET * self.length, plastic, self.force))

    def write(self, path: Path, more: Mapping[str, np.ndarray] | None = None) -> None:
        """Write a .csv table, whole or not at all; `more` are columns (increment,) by their heads,
        empty where a value is None or NaN.
        """
        table = {
            f"displacement [{self.unit}]": self.displacement,
            "strain": self.displacement / self.length,
            "force [N]": self.force,
        }
        with written_whole(path) as beside:
            pd.DataFrame(table | dict(more or {})).to_csv(
                beside, index_label="increment", float_format="%.7g"
            )


def run_deck(deck: Path, beside: bool = False) -> Load:
    """Run a deck with a step of tension, in its folder; what CalculiX writes stays beside it, what
    it says in a file .log. Its threads are those of the variable OMP_NUM_THREADS, one by default;
    of one that runs `beside` others it is one, and there is no bar. However this process ends, that
    of CalculiX ends, too.

    Raises DataError where there is no ccx or no such step, SolverError where no increment was
    reached, with the last lines of ccx. Where it stops on the way, what was reached is returned.
    """
    step = read_pull(deck)
    program = find_ccx()
    for suffix in WRITTEN:  # by a run before
        deck.with_suffix(suffix).unlink(missing_ok=True)
    log = deck.with_suffix(".log")
    with log.open("w", encoding="utf-8") as said, _as_job(deck) as job:
        process = subprocess.Popen(
            [*GUARD, program, "-i", job.stem],
            cwd=deck.parent,
            stdin=subprocess.PIPE,
            stdout=said,
            stderr=subprocess.STDOUT,
            env=os.environ | ({"OMP_NUM_THREADS": "1"} if beside else {}),
        )
        try:
            if not beside:
                _watch(process, job.with_suffix(".sta"))
            # else no bar: tqdm makes a semaphore, which is told as leaked where a worker is ended
            process.wait()
        finally:
            if process.stdin is not None:
                process.stdin.close()  # tells the guard
            if process.poll() is None:
                if not GUARD:
                    process.kill()
                process.wait()
    load = read_load(deck.with_suffix(".dat"), step)
    if load is not None and load.whole and _finished(deck.with_suffix(".frd")):
        return load
    stopped = _stopped(deck.parent.resolve(), process.returncode)
    if load is None and stopped:
        raise SolverError(f"{deck}: CalculiX stopped before the first increment: {stopped}")
    if load is None:
        raise SolverError(
            f"{deck}: expected CalculiX to run it, it ended with {process.returncode} before the"
            f" first increment:\n  {last_words(log)}"
        )
    return replace(load, stopped=stopped)


def takes_name(deck: Path) -> bool:
    """Whether ccx by itself runs a deck of this name. CalculiX 2.20 refuses one of more than 128
    characters, and writes a part of the results of `a b.inp` into files of `a`.
    """
    return len(os.fsencode(deck.stem)) <= LONGEST and not any(map(str.isspace, deck.stem))


@contextmanager
def _as_job(deck: Path) -> Iterator[Path]:
    """The deck, or a copy beside it under a name that ccx takes; what ccx writes gets the name of
    the deck.
    """
    if takes_name(deck):
        yield deck
        return
    job = deck.with_name(f"svevae-{hashlib.sha256(os.fsencode(deck.stem)).hexdigest()[:12]}.inp")
    try:
        shutil.copyfile(deck, job)
        yield job
    finally:
        job.unlink(missing_ok=True)
        for suffix in WRITTEN:
            with suppress(FileNotFoundError):
                job.with_suffix(suffix).replace(deck.with_suffix(suffix))


def _stopped(folder: Path, status: int) -> str:
    """What kept ccx from writing all in a folder, as far as that and its exit status tell. CalculiX
    2.20 goes on where a disk is full, loses what it writes, and exits with 0.
    """
    if reason := no_room(folder):
        return f"{folder}: {reason}; make room there and run it again"
    try:  # a shell adds 128, subprocess gives what is below 0
        name = signal.Signals(-status if status < 0 else status - 128).name
    except ValueError:
        return ""
    return f"it was ended by {name}{ENDED.get(name, '')}"


def _finished(path: Path) -> bool:
    """Whether a .frd file has its end."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 16))
            return file.read().split()[-1:] == [b"9999"]
    except OSError:
        return False


def read_load(path: Path, step: dict[str, float | str]) -> Load | None:
    """Force and displacement of the step of tension from a .dat file; None where there are none."""
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    rows = np.array([[float(one) for one in found] for found in TOTAL.findall(text)])
    if not len(rows):
        return None
    total, unit = float(step["displacement"]), str(step["unit"])
    force = rows[:, 1 + int(step["axis"])] * np.sign(total) * NEWTONS[unit]
    whole = bool(rows[-1, 0] > 1 - 1e-6)
    return Load(rows[:, 0] * abs(total), force, float(step["length"]), unit, whole)


def last_words(log: Path) -> str:
    """What ccx said from its first error on, or last."""
    lines = [
        line
        for line in log.read_text(errors="replace", encoding="utf-8").splitlines()
        if line.strip()
    ]
    errors = [k for k, line in enumerate(lines) if "*ERROR" in line]
    shown = lines[errors[0] :][:SHOWN] if errors else lines[-SHOWN:]
    return "\n  ".join(shown)


def find_ccx() -> str:
    """The path of CalculiX. Raises DataError where there is none."""
    program = shutil.which("ccx")
    if program is None:
        raise DataError(
            "ccx: expected CalculiX on PATH, found none: apt install calculix-ccx, conda install"
            " calculix, or calculix.de; Abaqus runs the deck too"
        )
    return program


def _watch(process: subprocess.Popen, status: Path) -> None:
    """Wait for ccx, and show how much of the step its file of increments says is done."""
    with tqdm(
        total=100,
        unit="%",
        desc="ccx",
        disable=not sys.stderr.isatty(),
        bar_format="{l_bar}{bar}",
    ) as bar:
        while process.poll() is None:
            time.sleep(EVERY)
            done = _done(status)
            if done is not None:
                bar.set_postfix_str(f"increment {done[0]}")
                bar.update(100 * done[1] - bar.n)


def _done(status: Path) -> tuple[int, float] | None:
    """The last increment of a .sta file that converged, and the time that it reached."""
    try:
        lines = status.read_text(errors="replace", encoding="utf-8").splitlines()
    except OSError:
        return None
    for line in reversed(lines):
        fields = line.split()
        if len(fields) == 7 and fields[0].isdigit() and not fields[2].endswith("U"):
            return int(fields[1]), float(fields[5])
    return None
