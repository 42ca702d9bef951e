"""SVEs at the rim: what counts stays, the rest is its mirror images."""

from __future__ import annotations

import numpy as np
import pytest

from svevae.scans.rim import filled
from svevae.scans.view import OUTSIDE


@pytest.fixture
def sves() -> np.ndarray:
    return (np.random.default_rng(0).random((5, 8, 8, 8)) < 0.2).astype(np.uint8)


def test_what_counts_stays(sves: np.ndarray) -> None:
    given = sves.copy()
    given[1, 5:] = given[2, 6:, :, :1] = OUTSIDE
    before = given.copy()
    found, whole = filled(given)
    assert whole.all()
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(given, before)
    np.testing.assert_array_equal(found[[0, 3, 4]], sves[[0, 3, 4]])
    inside = given != OUTSIDE
    np.testing.assert_array_equal(found[inside], given[inside])
    assert found.max() == 1


def test_beyond_a_plane_lies_the_mirror_image(sves: np.ndarray) -> None:
    """Of each axis; so half an SVE becomes a symmetric one of its own porosity."""
    for axis in (1, 2, 3):
        given = np.moveaxis(sves.copy(), axis, 1)
        given[:, 4:] = OUTSIDE
        found, whole = filled(np.moveaxis(given, 1, axis))
        assert whole.all()
        np.testing.assert_array_equal(found, np.flip(found, axis))
        half = np.moveaxis(found, axis, 1)[:, :4]
        np.testing.assert_array_equal(half, np.moveaxis(sves, axis, 1)[:, :4])


def test_a_quarter_is_no_sve_and_an_edge_takes_what_is_across_both_planes(
    sves: np.ndarray,
) -> None:
    given = np.full_like(sves, OUTSIDE)
    given[:, :4, :4] = sves[:, :4, :4]
    found, whole = filled(given)
    assert not whole.any()
    assert not found.any()
    given[:, 4:, 4:] = sves[:, 4:, 4:]  # half, in two columns across from each other
    found, whole = filled(given)
    assert whole.all()
    np.testing.assert_array_equal(found[:, 4:, :4], sves[:, :4, :4][:, ::-1])


def test_porosity_at_a_round_surface_is_that_of_the_inside() -> None:
    """SVEs of 4 % pores cut by a cylinder: air round the part is no pore."""
    random = np.random.default_rng(1)
    sves = (random.random((40, 16, 16, 16)) < 0.04).astype(np.uint8)
    x, y = np.meshgrid(np.arange(16) + 0.5, np.arange(16) + 0.5, indexing="ij")
    sves[:, np.hypot(x, y) > 15] = OUTSIDE
    found, whole = filled(sves)
    assert whole.all()
    assert found.mean() == pytest.approx(0.04, rel=0.05)
    assert (sves == OUTSIDE).mean() > 0.2
