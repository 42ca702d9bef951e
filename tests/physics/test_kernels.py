"""Compiled kernels are kept for other processes: from an install that nobody may write, without a
place to write at all, and by many processes that start at once.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import svevae

# the smallest kernel; says what it makes, and how many files it found or kept
CODE = """
import warnings; warnings.simplefilter("error")
import numpy as np
from svevae.physics.cpu import operators, rows
vector = np.arange(10_000, dtype="float32") % 3
folder = rows._cache()
kept = len(list(folder.rglob("*.nbc"))) if folder else 0
print(operators.dot(vector, vector), kept, folder, sep="|")
"""
EXACT = sum((k % 3) ** 2 for k in range(10_000))


def start(source: Path, **variables: str | Path) -> subprocess.Popen:
    kept = {key: value for key, value in os.environ.items() if key != "NUMBA_CACHE_DIR"}
    given = {key: str(value) for key, value in variables.items()}
    return subprocess.Popen(
        [sys.executable, "-c", CODE],
        env=kept | {"PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1"} | given,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def answer(process: subprocess.Popen) -> tuple[float, int, str]:
    out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    value, kept, folder = out.strip().split("|")
    return float(value), int(kept), folder


@pytest.fixture
def readonly(tmp_path: Path) -> Path:
    """A copy of the package where no folder for kernels can be made beside the source, whoever
    runs the test: root may write what is read-only, but a file is no folder.
    """
    package = Path(svevae.__file__).parent
    shutil.copytree(package, tmp_path / "site/svevae", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "site/svevae/physics/cpu/__pycache__").write_text("")
    return tmp_path / "site"


def test_a_readonly_install_keeps_kernels_in_the_users_cache(
    readonly: Path, tmp_path: Path
) -> None:
    """The second process finds what the first has compiled."""
    first, second = (answer(start(readonly, XDG_CACHE_HOME=tmp_path / "cache")) for _ in range(2))
    folder = first[2]
    assert Path(folder).parent == tmp_path / "cache/svevae"
    assert (first, second) == ((EXACT, 0, folder), (EXACT, 1, folder))


def test_without_a_place_for_them_kernels_are_compiled_again(
    readonly: Path, tmp_path: Path
) -> None:
    (tmp_path / "cache").write_text("")
    for _ in range(2):
        assert answer(start(readonly, XDG_CACHE_HOME=tmp_path / "cache")) == (EXACT, 0, "None")


@pytest.mark.slow
def test_many_processes_start_at_once(tmp_path: Path) -> None:
    """8 with an empty cache: all are right, and what is kept serves the next."""
    source = Path(svevae.__file__).parent.parent
    processes = [start(source, NUMBA_CACHE_DIR=tmp_path) for _ in range(8)]
    assert [answer(process)[0] for process in processes] == [EXACT] * 8
    assert answer(start(source, NUMBA_CACHE_DIR=tmp_path))[:2] == (EXACT, 1)
