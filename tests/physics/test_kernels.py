"""Compiled kernels are kept for other processes: from an install that nobody may write, without a
place to write at all, and by many processes that start at once.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numba.core.caching import IndexDataCacheFile

import svevae
from svevae.physics.cpu import rows

# the smallest kernel; says what it makes, and how many files it found or kept
CODE = """
import sys, warnings; warnings.simplefilter("error")
import numpy as np
from svevae.physics.cpu import operators, rows
vector = np.arange(10_000, dtype="float32") % 3
vector = vector.astype(sys.argv[1])
folder = rows._cache()
kept = len(list(folder.rglob("*.nbc"))) if folder else 0
print(operators.dot(vector, vector), kept, folder, sep="|")
"""
EXACT = sum((k % 3) ** 2 for k in range(10_000))


def start(source: Path, dtype: str = "float32", **variables: str | Path) -> subprocess.Popen:
    kept = {key: value for key, value in os.environ.items() if key != "NUMBA_CACHE_DIR"}
    given = {key: str(value) for key, value in variables.items()}
    return subprocess.Popen(
        [sys.executable, "-c", CODE, dtype],
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
    (tmp_path / "site/svevae/physics/cpu/__pycache__").write_text("", encoding="utf-8")
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
    (tmp_path / "cache").write_text("", encoding="utf-8")
    for _ in range(2):
        assert answer(start(readonly, XDG_CACHE_HOME=tmp_path / "cache")) == (EXACT, 0, "None")


@pytest.mark.slow
def test_many_processes_start_at_once(tmp_path: Path) -> None:
    """8 with an empty cache, of two precisions: all are right, and what is kept serves the next."""
    source, dtypes = Path(svevae.__file__).parent.parent, ["float32", "float64"]
    processes = [start(source, dtype, NUMBA_CACHE_DIR=tmp_path) for dtype in 4 * dtypes]
    assert [answer(process)[0] for process in processes] == [EXACT] * 8
    for dtype in dtypes:
        assert answer(start(source, dtype, NUMBA_CACHE_DIR=tmp_path))[:2] == (EXACT, 2)


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "kernels"))
    rows._cache.cache_clear()
    yield tmp_path
    monkeypatch.undo()
    rows._cache.cache_clear()


def test_code_is_kept_by_one_process_at_a_time(
    empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between a new number in the index and its file nobody else may take the number."""
    held, save = [], IndexDataCacheFile._save_data

    def watched(self: IndexDataCacheFile, *given: Any) -> None:
        code = "import filelock, sys; filelock.FileLock(sys.argv[1]).acquire(timeout=0)"
        lock = str(Path(self._index_path).parent / "lock")
        held.append(subprocess.run([sys.executable, "-c", code, lock], capture_output=True))
        save(self, *given)

    monkeypatch.setattr(IndexDataCacheFile, "_save_data", watched)
    double = rows.kernel(lambda x: x + x)
    assert double(np.float32(2)) == double(2.0) == 4
    assert [one.returncode and b"filelock" in one.stderr for one in held] == [True, True]


def test_a_full_disk_keeps_nothing_and_is_no_error(
    empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(IndexDataCacheFile, "_save_data", full)
    assert rows.kernel(lambda x: x + x)(2.0) == 4


def test_a_user_without_a_home(
    readonly: Path, empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container that gives any number as user: nothing is kept."""

    def nobody(number: int) -> None:
        raise KeyError(number)

    for name in ("HOME", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", nobody)
    monkeypatch.setattr(rows, "__file__", str(readonly / "svevae/physics/cpu/rows.py"))
    assert rows._cache() is None
