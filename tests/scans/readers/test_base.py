"""Bounds: bytes that a file can hold, and memory that is free."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from svevae.errors import DataError
from svevae.scans.readers.base import (
    fits,
    free_memory,
    reading_as,
    several_channels,
    squeezed,
)


def test_bytes_claimed_and_held() -> None:
    fits("scan", (10, 10, 10), np.dtype("u2"), 2000)
    with pytest.raises(
        DataError, match=r"^scan: expected at most the 1999 bytes that its 1999 bytes"
    ):
        fits("scan", (10, 10, 10), np.dtype("u2"), 1999)
    fits("scan", (10, 10, 10), np.dtype("u2"), 2, ratio=1000)
    with pytest.raises(DataError, match=r"scan: .* memory that are free, received .* of float64"):
        fits("scan", (10**9, 10**9, 10**9), np.dtype("f8"), 2, ratio=None)
    assert 0 < free_memory() < 2**50


def test_channels_are_the_last_axis() -> None:
    for shape in ((8, 9, 7, 3), (1, 8, 9, 7, 4), (8, 1, 9, 7, 2)):
        assert several_channels(shape).startswith(f"a volume with {shape[-1]} channels")
        assert squeezed(np.zeros(shape)[..., 0], "one").ndim == 3
    for shape in ((8, 9, 3), (8, 9, 7, 5), (3, 8, 9, 7), (2, 3, 4, 4), (2, 8, 9, 7, 3)):
        assert not several_channels(shape)


def test_errors_name_the_file_in_a_line() -> None:
    with (
        pytest.raises(DataError, match=r"^a\.x: expected an x file, cannot be read: y{300}$"),
        reading_as(Path("a.x"), "an x file"),
    ):
        raise ValueError("first line\n" + "y" * 5000)


def test_axes_of_length_1_go_until_three_are_left() -> None:
    for shape in [(1, 2, 3, 4), (2, 3, 4, 1), (1, 2, 3, 4, 1), (2, 1, 3, 4)]:
        assert squeezed(np.zeros(shape), "scan").shape == (2, 3, 4)
    assert squeezed(np.zeros((1, 3, 4)), "scan").shape == (1, 3, 4)
    assert squeezed(np.zeros((1, 1, 3, 4)), "scan").shape == (1, 3, 4)
