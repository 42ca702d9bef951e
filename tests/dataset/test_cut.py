"""Volumes cut into SVEs: every voxel where its position says, and what lies in no SVE."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from svevae.dataset.cut import cut, dropped
from svevae.errors import DataError

SHAPE = (5, 6, 7)
GREYS = np.arange(np.prod(SHAPE), dtype=np.uint16).reshape(SHAPE)  # every voxel its own value


def test_cut_gives_each_sve_and_its_position() -> None:
    sves, positions = cut(GREYS, 2)
    assert sves.shape == (2 * 3 * 3, 2, 2, 2)
    for sve, (x, y, z) in zip(sves, 2 * positions, strict=True):
        np.testing.assert_array_equal(sve, GREYS[x : x + 2, y : y + 2, z : z + 2])
    assert len(np.unique(positions, axis=0)) == len(sves)


@pytest.mark.parametrize(
    ("stride", "count", "used"),
    [(1, 60, 210), (2, 12, 5 * 5 * 7), (None, 4, 3 * 6 * 6), (4, 2, 3 * 3 * 6)],
)
def test_stride_sets_overlap_and_what_is_dropped(stride: int | None, count: int, used: int) -> None:
    """SVEs of 3 voxels from 5 x 6 x 7; the voxels that lie in one are counted too."""
    sves, positions = cut(GREYS, 3, stride)
    assert len(sves) == count
    assert len(np.unique(sves)) == used
    assert dropped(SHAPE, 3, stride) == pytest.approx(1 - used / 210)
    for sve, start in zip(sves, positions * (stride or 3), strict=True):
        np.testing.assert_array_equal(sve, GREYS[tuple(slice(i, i + 3) for i in start)])


def test_a_volume_smaller_than_an_sve_says_both() -> None:
    with pytest.raises(
        DataError,
        match=r"expected a volume of at least one SVE of 6 x 6 x 6 voxels, received 5 x 6 x 7",
    ):
        cut(GREYS, 6)
    with pytest.raises(
        DataError, match=r"expected a size and a stride of at least 1 voxel, received 2 and 0"
    ):
        cut(GREYS, 2, 0)


def test_who_only_cuts_needs_no_image_library() -> None:
    """In a fresh interpreter: `svevae generate` cuts, but reads no scan."""
    code = (
        "import sys, svevae.dataset.cut;"
        " print(*{'h5py', 'tifffile', 'PIL', 'skimage'} & set(sys.modules))"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True
        ).stdout.strip()
        == ""
    )
