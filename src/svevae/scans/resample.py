"""Volumes whose voxels are no cubes, resampled to cubes, a slab at a time."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.ndimage import affine_transform

from svevae.errors import DataError
from svevae.files import release
from svevae.scans.greys import histogram
from svevae.scans.view import slabs

LARGE = 1 << 28  # bytes; a larger volume is kept in a file without a name, in the working folder
Edges = tuple[float, float, float]


def resampled(
    volume: np.ndarray, edges: Edges, target: float, outside: float | None = None
) -> np.ndarray:
    """`volume` (x, y, z) with voxels of `edges` micrometres on cubes of `target` micrometres, of
    the same type.

    Greys are interpolated linearly, phases have the nearest voxel's; beyond the centres of the
    outermost voxels these go on. Where one of the voxels interpolated between is `outside`, so is
    the result. The volume keeps its outer corner; less than half a voxel at the far borders may be
    lost or added. Memory: two slabs beside the volume, which is on disk if large. Raises DataError
    where nothing is left.
    """
    shape = tuple(
        round(count * edge / target) for count, edge in zip(volume.shape, edges, strict=True)
    )
    if min(shape) < 1:
        raise DataError(
            f"--resample: expected cubes smaller than the volume, received an edge of {target:g} um"
        )
    steps = [target / edge for edge in edges]
    order = 0 if volume.dtype == bool or histogram([volume]).phases else 1
    found = _array(shape, volume.dtype)
    axis = int(np.argmax(np.abs(volume.strides)))
    for where in slabs(shape, axis):
        # centres of the new voxels, counted in old ones
        first = (where[axis].start + 0.5) * steps[axis] - 0.5
        last = (where[axis].stop - 0.5) * steps[axis] - 0.5
        start = min(max(0, int(np.floor(first))), volume.shape[axis] - 1)
        stop = max(start + 1, min(volume.shape[axis], int(np.ceil(last)) + 2))
        piece = np.asarray(
            volume[tuple(slice(start, stop) if i == axis else slice(None) for i in range(3))]
        )
        offset = [0.5 * step - 0.5 for step in steps]
        offset[axis] = first - start
        size = [span.stop - span.start for span in where]

        piece = piece.view(np.uint8) if piece.dtype == bool else piece
        new = _placed(piece, steps, offset, size, order)
        if outside is not None and order and not np.isnan(outside):
            near = _placed((piece == outside).astype(np.float32), steps, offset, size, 1)
            new[near > 0] = outside
        found[where] = new
        release(volume)
        release(found)
    return found


def read_resampled(
    read: Callable[[], np.ndarray], edges: Edges | None, target: float, outside: float | None
) -> np.ndarray:
    """What `read` gives on cubes of `target` micrometres, 0 for the shortest of `edges`. Raises
    DataError where the edges are not known.
    """
    if edges is None:
        raise DataError(
            "--resample: expected a file that says the edges of its voxels, received one that does"
            " not; say it by --voxel-size"
        )
    edge = target or min(edges)
    volume = read()
    if max(abs(one / edge - 1) for one in edges) < 1e-3:
        return volume
    return resampled(volume, edges, edge, outside)


def _placed(
    values: np.ndarray, steps: list[float], offset: list[float], size: list[int], order: int
) -> np.ndarray:
    return affine_transform(
        values, steps, offset, tuple(size), order=order, mode="nearest", output=values.dtype
    )


def _array(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    if int(np.prod(shape)) * dtype.itemsize < LARGE:
        return np.empty(shape, dtype)
    try:
        with tempfile.TemporaryFile(dir=Path.cwd()) as file:
            return np.memmap(file, dtype, "w+", shape=shape)
    except OSError as error:
        raise DataError(
            "--resample: expected a working folder with room for the volume:"
            f" {error.strerror or error}"
        ) from error
