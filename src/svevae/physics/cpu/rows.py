"""How the compiled solver goes through a grid: rows of 32 voxels along z.

A kernel brings what it needs of a row into one scratch array, all of whose loops have this length,
known when they are compiled: only so are they turned into vector instructions. Fields of the
solver's own (moduli, plastic strain, tangent) are kept as (x, y, piece, component, voxel), where a
piece is such a row or, at the end, what is left of one, filled with zeros.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba.core import config

ROW = 32
# of a row in scratch: one voxel more is needed, and a power of 2 collides in cache
STRIDE = ROW + 8


def kernel(function: Callable) -> Callable:
    """Compile `function` at its first call and keep it on disk, where `_cache` says."""
    # sums may be reordered, but infinity stays: it is the yield stress of what does not yield
    fast = {"reassoc", "contract", "arcp", "nsz"}
    options: dict[str, Any] = {"nogil": True, "fastmath": fast, "error_model": "numpy"}
    folder, before = _cache(), config.CACHE_DIR
    if folder is None:
        return numba.njit(**options)(function)
    config.CACHE_DIR = str(folder)  # numba asks for it here and now
    try:
        return numba.njit(cache=True, **options)(function)
    finally:
        config.CACHE_DIR = before


@cache
def _cache() -> Path | None:
    """Folder for compiled kernels: NUMBA_CACHE_DIR, beside the source, or in the user's cache;
    None where none can be written.

    It is named by a digest of all files with kernels, since numba compares only the file that a
    kernel stands in, not those of the kernels that it calls.
    """
    digest = hashlib.md5(usedforsecurity=False)
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if b"@kernel" in (source := path.read_bytes()):
            digest.update(source)
    told = os.environ.get("NUMBA_CACHE_DIR")
    user = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    for place in (
        (told,) if told else (Path(__file__).parent / "__pycache__", Path(user) / "svevae")
    ):
        folder = Path(place) / f"kernels-{digest.hexdigest()[:12]}"
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                return folder
    return None


def pieces(z: int) -> int:
    """Rows that `z` voxels take."""
    return -(-z // ROW)


def to_rows(fields: Sequence[np.ndarray], dtype: str) -> np.ndarray:
    """Fields, each (x, y, z), as rows (x, y, piece, component, ROW)."""
    x, y, z = fields[0].shape
    rows = np.zeros((x, y, pieces(z), len(fields), ROW), dtype)
    for component, field in enumerate(fields):
        for k in range(pieces(z)):
            part = field[..., k * ROW : (k + 1) * ROW]
            rows[:, :, k, component, : part.shape[-1]] = part
    return rows


def from_rows(rows: np.ndarray, z: int) -> np.ndarray:
    """Fields (component, x, y, z) of rows: the inverse of `to_rows`."""
    x, y, _, count, _ = rows.shape
    return np.moveaxis(rows, 3, 0).reshape(count, x, y, -1)[..., :z]
