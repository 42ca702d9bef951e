"""Volumes cut into SVEs."""

from __future__ import annotations

import numpy as np

from svevae.errors import DataError


def cut(volume: np.ndarray, size: int, stride: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """SVEs (sve, size, size, size) and their positions (sve, 3), the index of each along x, y and z
    in steps of `stride`.

    `stride` is `size` unless given: smaller, SVEs overlap; larger, there are gaps. What is left at
    the far borders is dropped. Raises DataError where not one SVE fits.
    """
    stride = size if stride is None else stride
    count_along(volume.shape, size, stride)
    windows = np.lib.stride_tricks.sliding_window_view(volume, (size,) * 3)[
        ::stride, ::stride, ::stride
    ]
    return windows.reshape(-1, size, size, size), np.indices(windows.shape[:3]).reshape(
        3, -1
    ).T.astype(np.int32)


def count_along(
    shape: tuple[int, ...], size: int, stride: int | None = None
) -> tuple[int, int, int]:
    """How many SVEs `cut` finds along x, y and z in a volume of `shape`. Raises DataError as it
    does.
    """
    stride = size if stride is None else stride
    if min(size, stride) < 1:
        raise DataError(
            f"expected a size and a stride of at least 1 voxel, received {size} and {stride}"
        )
    if min(shape) < size:
        raise DataError(
            f"expected a volume of at least one SVE of {size} x {size} x {size} voxels, received"
            f" {' x '.join(map(str, shape))}"
        )
    x, y, z = ((edge - size) // stride + 1 for edge in shape)
    return x, y, z


def dropped(shape: tuple[int, ...], size: int, stride: int | None = None) -> float:
    """The share of a volume of `shape` that lies in no SVE that `cut` gives."""
    stride = size if stride is None else stride
    return 1 - float(
        np.prod([((edge - size) // stride * min(stride, size) + size) / edge for edge in shape])
    )
