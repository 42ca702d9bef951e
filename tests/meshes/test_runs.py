"""A deck run in a folder of its own: what is kept of it, and that nothing else is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from svevae.errors import DataError
from svevae.meshes.calculix import GUARD, run_deck
from svevae.meshes.deck import Pull, write_deck
from svevae.meshes.runs import Run, run_apart
from tests.meshes.bars import bar
from tests.meshes.test_calculix import BINS, needs_ccx, small_disk

RUN = Run(np.array([0.1, 0.2]), np.array([5.0, 6.0]), np.array([0.0, 0.01]), 50.0, np.nan)
ALONE = """
import subprocess, sys, time
from svevae.meshes.calculix import GUARD
ran = subprocess.Popen([*GUARD, "sleep", sys.argv[1]], stdin=subprocess.PIPE)
print("runs", flush=True)
time.sleep(60)
"""


def lines() -> tuple[bytes, Path]:
    mesh, path = bar("C3D8I", (1, 1, 2)), Path("a.inp").resolve()
    pull = Pull.between(mesh, "TOP", "BOTTOM", 0.02, increments=4)
    write_deck(path, mesh, BINS, np.zeros(2, int), pull=pull)
    return path.read_bytes(), path


@needs_ccx
def test_what_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of the deck that is run in its own folder; the SVE comes from the table of elements. There
    is no bar: of one in a worker that is ended Python says that it leaked a semaphore.
    """
    monkeypatch.chdir(tmp_path)
    deck, path = lines()
    with monkeypatch.context() as patched:
        patched.setattr("svevae.meshes.calculix.tqdm", None)
        run = run_apart(deck, b"element,sve\n7,5\n14,5\n", tmp_path)
    assert [one.name for one in tmp_path.iterdir()] == ["a.inp"]
    load = run_deck(path)
    np.testing.assert_array_equal(run.force, load.force)
    assert (run.stiffness, run.yield_load) == (load.stiffness, load.yield_load)
    assert (run.sve, run.failed) == (5, "")
    assert run.element in (7, 14)
    assert run.peak == run.peaks[-1] > 0.01
    run.save(tmp_path / "a.npz")
    again = Run.read(tmp_path / "a.npz")
    assert again is not None
    for name, value in vars(run).items():
        np.testing.assert_array_equal(getattr(again, name), value)


@needs_ccx
def test_a_deck_without_fields(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its load curve is there; why it failed is one line."""
    monkeypatch.chdir(tmp_path)
    deck, _ = lines()
    run = run_apart(deck.replace(b"S, PEEQ", b"S"), b"")
    assert len(run.force) >= 4
    assert "expected DISP, STRESS, PE" in run.failed
    assert np.isnan(run.peak)
    assert (run.node, run.element, run.sve) == (0, 0, -1)


@needs_ccx
def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is no failure of this part: the next one would fare as badly."""
    monkeypatch.chdir(tmp_path)
    deck, _ = lines()
    with small_disk(tmp_path / "disk", "32k") as disk:
        with pytest.raises(DataError) as raised:
            run_apart(deck, b"element,sve\n7,5\n14,5\n", disk)
        assert str(raised.value) == (
            f"{disk}: No space left on device; make room there, finished runs are kept"
        )
        assert list(disk.iterdir()) == []


def test_files_that_are_no_runs(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    assert Run.read(path) is None
    replace(RUN, failed="because").save(path)
    found = Run.read(path)
    assert found is not None
    assert (found.failed, found.stiffness, found.sve) == ("because", 50.0, -1)
    path.write_bytes(path.read_bytes()[:100])
    assert Run.read(path) is None
    assert np.isnan(Run.without("because").peak)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none/running-.*: No such file or directory"):
        run_apart(b"", b"", tmp_path / "none")


@pytest.mark.skipif(not GUARD, reason="needs a POSIX shell")
def test_what_a_killed_process_ran_ends() -> None:
    """Also by SIGKILL, which it cannot see coming. The program's status is passed on."""
    with subprocess.Popen([*GUARD, "sh", "-c", "exit 7"], stdin=subprocess.PIPE) as done:
        assert done.wait() == 7
    seconds = f"61.{os.getpid()}"
    with subprocess.Popen(
        [sys.executable, "-c", ALONE, seconds], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "runs\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
    for _ in range(100):
        running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
        if f"sleep {seconds}" not in running.stdout.splitlines():
            return
        time.sleep(0.1)
    raise AssertionError(running.stdout)
