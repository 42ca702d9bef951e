"""Kill a long command in the middle, again and again, and compare what it leaves with what a run
without accidents leaves.

Each run is killed after a number of pieces of work that a seeded generator draws, and a share of
the time from one piece to the next that it draws too; in turn its whole process group and its
parent alone. Where the command ends before, its result is compared and it begins anew.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
import uuid
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from benchmarks.faults.commands import Command, Finished, Result
from benchmarks.faults.project import environment
from tqdm import tqdm

LOOK = 0.1  # seconds from one look at the finished work to the next
AHEAD = 3  # pieces of work that a run may finish before it is killed
ORPHANS = 600  # seconds in which processes without their parent have to end
HANG = 1800  # seconds without a new piece of work
MARK = "SVEVAE_FAULTS"  # the variable that all processes of a run have


@dataclass
class Row:
    """What `kills` kills did to a command. `lost`: pieces of finished work that were gone or made
    anew; `refused`: starts refused because a process of the killed run still worked; `failed`: what
    commands said that did not end well; `leftovers`: files of killed processes at the end.
    """

    kills: int = 0
    of_the_group: int = 0
    pieces: int = 0
    lost: int = 0
    runs: int = 0
    equal: int = 0
    difference: float = 0.0
    refused: int = 0
    failed: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)
    running: int = 0
    seconds: float = 0.0
    undisturbed_seconds: float = 0.0


class Run:
    """A command that runs in a session of its own; `ended` are its exit code and last words."""

    def __init__(self, command: Command, folder: Path):
        self.mark, self.log = uuid.uuid4().hex, folder.with_suffix(".log")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                command.line,
                cwd=folder,
                env=environment() | {MARK: self.mark},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def living(self) -> list[psutil.Process]:
        """Processes of this run that have not ended."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if (
                    process.status() != psutil.STATUS_ZOMBIE
                    and process.environ().get(MARK) == self.mark
                ):
                    found.append(process)
        return found

    def kill(self, group: bool) -> None:
        """SIGKILL to the process group, or to the parent alone."""
        (os.killpg if group else os.kill)(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def end(self) -> int:
        """Wait until all processes have ended by themselves; how many had to be killed."""
        deadline = time.monotonic() + ORPHANS
        while (alive := self.living()) and time.monotonic() < deadline:
            time.sleep(LOOK)
        for process in alive:
            with contextlib.suppress(psutil.Error):
                process.kill()
        return len(alive)


class Watched:
    """The finished work in a folder, looked at again and again; `lost` what was there once."""

    def __init__(self, command: Command, folder: Path):
        self.command, self.folder = command, folder
        self.seen: Finished = {}
        self.lost: set[str] = set()

    def look(self) -> int:
        """How many pieces are finished."""
        now = self.command.done(self.folder)
        self.lost |= {name for name, like in self.seen.items() if now.get(name) != like}
        self.seen |= now
        return len(now)

    def until(self, run: Run, pieces: int, share: float) -> bool:
        """Wait until the run has finished `pieces` more, and a share of the time between two; False
        where it has ended before. Raises RuntimeError where it finishes nothing for long.
        """
        before = count = self.look()
        times = [time.monotonic()]
        while run.process.poll() is None:
            if (now := self.look()) > count:
                count = now
                times.append(time.monotonic())
            if count - before >= pieces:
                between = times[-1] - times[-2] if len(times) > 2 else 1.0
                with contextlib.suppress(subprocess.TimeoutExpired):
                    run.process.wait(share * min(between, 10))
                return run.process.poll() is None
            if time.monotonic() - times[-1] > HANG:
                run.kill(group=True)
                raise RuntimeError(f"{self.command.line}: nothing new for {HANG} s")
            time.sleep(LOOK)
        self.look()
        return False


def difference(found: Result, expected: Result) -> float:
    """The largest difference of two results, relative to the largest value of each array; infinite
    where they are not of one kind.
    """
    if found.keys() != expected.keys():
        return float("inf")
    largest = 0.0
    for key, value in expected.items():
        one, other = np.asarray(found[key]), np.asarray(value)
        if one.shape != other.shape or one.dtype.kind != other.dtype.kind:
            return float("inf")
        if one.dtype.kind not in "fiu":
            if not np.array_equal(one, other):
                return float("inf")
        elif not np.array_equal(one, other, equal_nan=one.dtype.kind == "f"):
            apart = np.abs(one.astype(float) - other.astype(float))
            scale = np.nanmax(np.abs(other.astype(float))) or 1.0
            if not np.array_equal(np.isnan(one.astype(float)), np.isnan(other.astype(float))):
                return float("inf")
            largest = max(largest, float(np.nanmax(apart) / scale))
    return largest


def leftovers(folder: Path) -> Iterator[str]:
    """Files that a killed process has not finished."""
    for path in folder.rglob("*"):
        if path.name.endswith(".part") or (path.name[:1] == "." and path.name.endswith(".old")):
            yield str(path.relative_to(folder))


def undisturbed(command: Command, folder: Path, row: Row) -> Result:
    """What the command leaves without accidents. Raises RuntimeError where it fails, and where
    looking loses work: then the look is at fault.
    """
    command.prepare(folder)
    begun = time.monotonic()
    run, watched = Run(command, folder), Watched(command, folder)
    watched.until(run, 1 << 30, 0.0)
    if run.process.returncode or watched.lost:
        raise RuntimeError(
            f"{command.line}: {watched.lost} lost undisturbed:\n{run.said()[-3000:]}"
        )
    row.undisturbed_seconds = time.monotonic() - begun
    return command.result(folder)


def disturb(command: Command, work: Path, kills: int, seed: int) -> dict[str, Any]:
    """Kill a command so many times; the row of the table."""
    random = np.random.default_rng([seed, zlib.crc32(command.name.encode())])
    row = Row()
    expected = undisturbed(command, work / "undisturbed", row)
    begun = time.monotonic()
    with tqdm(total=kills, desc=command.name, unit="kill") as bar:
        while row.kills < kills:
            _lap(command, work / "killed", kills, random, row, bar, expected)
    row.seconds = time.monotonic() - begun
    return asdict(row)


def _lap(
    command: Command,
    folder: Path,
    kills: int,
    random: np.random.Generator,
    row: Row,
    bar: tqdm,
    expected: Result,
) -> None:
    """From the beginning to the end, killed in between."""
    command.prepare(folder)
    watched, orphaned = Watched(command, folder), None
    while True:
        pieces, share = int(random.integers(1, AHEAD + 1)), float(random.random())
        run = Run(command, folder)
        if row.kills < kills and watched.until(run, pieces, share):
            group = row.kills % 2 == 0
            run.kill(group)
            row.kills += 1
            row.of_the_group += group
            bar.update()
            if not group and random.random() < 0.5:
                orphaned = run  # the next one meets them
            else:
                row.running += run.end()
            continue
        watched.until(run, 1 << 30, 0.0)
        run.process.wait()
        row.running += run.end()
        if run.process.returncode == 0:
            break
        if orphaned is not None and "expected no other" in run.said():
            row.refused += 1
            row.running += orphaned.end()
            orphaned = None
            continue
        row.failed.append(f"exit code {run.process.returncode}: {run.said()[-600:]}")
        break
    if orphaned is not None:
        row.running += orphaned.end()
    watched.look()
    row.pieces += len(watched.seen)
    row.lost += len(watched.lost)
    row.runs += 1
    row.leftovers += leftovers(folder)
    if not row.failed:
        found = difference(command.result(folder), expected)
        row.difference = max(row.difference, found)
        row.equal += found <= command.tolerance
