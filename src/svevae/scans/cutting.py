"""Views cut into binary SVEs, a layer at a time; large ones are kept on disk while that lasts, so
that an interrupted import goes on.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from svevae.dataset.cut import count_along, cut
from svevae.errors import DataError
from svevae.files import release
from svevae.scans.segmentation import Segmentation
from svevae.scans.view import OUTSIDE, View

LARGE = 1 << 28  # bytes of SVEs; fewer are cut in memory
PIECE = 256  # SVEs copied at a time


@dataclass(frozen=True)
class Cubes:
    """Binary SVEs (sve, n, n, n) of one volume, their porosity (sve,) and position (sve, 3).

    Where an SVE touches the outside, `porosity` is NaN.
    """

    voxels: np.ndarray
    porosity: np.ndarray
    position: np.ndarray

    @property
    def kept(self) -> np.ndarray:
        """(sve,) bool: those that do not touch the outside."""
        return ~np.isnan(self.porosity)


def cut_view(
    view: View, rule: Segmentation, size: int, stride: int | None = None, kept: Path | None = None
) -> Cubes:
    """Cut what `rule` makes of a view into SVEs as `svevae.dataset.cut.cut` does.

    Memory: two layers of SVEs and, unless there are files to keep them in, all of them. `kept` is
    the beginning of the names of such files; large volumes use them, and go on with what is there.
    Raises DataError where not one SVE fits, or the disk is full.
    """
    stride = size if stride is None else stride
    counts = count_along(view.shape, size, stride)
    total = int(np.prod(counts))
    if total * size**3 < LARGE:
        kept = None
    new = kept is None or not _file(kept, "voxels").exists()
    voxels = _array(kept, "voxels", (total, size, size, size), np.uint8)
    # 1 + porosity; 0 where not done yet, -1 where an SVE touches the outside
    done = _array(kept, "porosity", (total,), np.float64)
    if new:
        _put(done, np.arange(total), np.zeros(total))
    numbers = np.arange(total).reshape(counts)
    spans = [(count - 1) * stride + size for count in counts]
    with tqdm(
        total=total, unit="SVE", desc="cut", disable=kept is None or not sys.stderr.isatty()
    ) as bar:
        for i in range(counts[view.axis]):
            rows = numbers.take(i, view.axis).ravel()
            if (done[rows] == 0).any():
                where = tuple(
                    slice(i * stride, i * stride + size) if axis == view.axis else slice(0, span)
                    for axis, span in enumerate(spans)
                )
                cubes, _ = cut(view.segmented(rule, where), size, stride)
                outside = (cubes == OUTSIDE).any(axis=(1, 2, 3))
                share = np.count_nonzero(cubes, axis=(1, 2, 3)) / size**3
                _put(voxels, rows, cubes)
                _put(done, rows, np.where(outside, -1.0, 1 + share))
            bar.update(len(rows))
    porosity = np.where(done < 0, np.nan, done - 1)
    return Cubes(voxels, porosity, np.indices(counts).reshape(3, -1).T.astype(np.int32))


def gathered(cubes: Sequence[Cubes], kept: Path | None = None) -> np.ndarray:
    """The SVEs of all volumes that do not touch the outside, one after another; on disk where they
    are large and there is a place.
    """
    if len(cubes) == 1 and cubes[0].kept.all():
        return cubes[0].voxels
    total, shape = sum(int(one.kept.sum()) for one in cubes), cubes[0].voxels.shape[1:]
    small = total * int(np.prod(shape)) < LARGE
    voxels = _array(None if small else kept, "all", (total, *shape), np.uint8)
    start = 0
    for one in cubes:
        chosen = np.flatnonzero(one.kept)
        for first in range(0, len(chosen), PIECE):
            rows = chosen[first : first + PIECE]
            _put(voxels, start + np.arange(len(rows)), one.voxels[rows])
            start += len(rows)
            release(one.voxels)
    return voxels


def _array(kept: Path | None, name: str, shape: tuple[int, ...], dtype: type) -> np.ndarray:
    """Zeros in memory, or an array on disk with what it has."""
    if kept is None:
        return np.zeros(shape, dtype)
    path = _file(kept, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        found = np.lib.format.open_memmap(path, "r+")
        if (found.shape, found.dtype) == (shape, np.dtype(dtype)):
            return found
    except (OSError, ValueError, EOFError):
        pass  # not there yet, or torn while it was made
    try:
        found = np.lib.format.open_memmap(path, "w+", dtype, shape)
        with path.open("r+b") as file:  # a write to a hole on a full disk would kill the process
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
        return found
    except OSError as error:
        raise DataError(f"{path}: not written: {error.strerror or error}") from error


def _file(kept: Path, name: str) -> Path:
    return kept.with_name(f"{kept.name}-{name}.npy")


def _put(array: np.ndarray, rows: np.ndarray, values: np.ndarray) -> None:
    """Set rows; those of a file by writing to it, since pages of memory that are written to count
    as memory of the process, and many more with them.
    """
    if not isinstance(array, np.memmap):
        array[rows] = values
        return
    try:
        with open(str(array.filename), "r+b") as file:
            for row, value in zip(rows, values, strict=True):
                file.seek(array.offset + int(row) * value.nbytes)
                file.write(np.ascontiguousarray(value).data)
    except OSError as error:
        raise DataError(f"{array.filename}: not written: {error.strerror or error}") from error
