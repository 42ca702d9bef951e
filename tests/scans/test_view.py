"""What of a volume counts, against masks known by construction."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from svevae.errors import DataError
from svevae.scans import view as module
from svevae.scans.segmentation import Segmentation
from svevae.scans.view import OUTSIDE, View, check_mask, find_fill, inscribed_circle

RANDOM = np.random.default_rng(0)
GREYS = RANDOM.integers(100, 200, (12, 13, 14)).astype(np.uint16)
ROUND = np.broadcast_to(inscribed_circle(GREYS.shape)[..., None], GREYS.shape)


def inside(view: View) -> np.ndarray:
    """Of the whole view, put together from its slabs."""
    found = np.zeros(view.shape, bool)
    for where in view.slabs():
        part = view.inside(where)
        found[where] = True if part is None else part
    return found


@pytest.fixture(autouse=True)
def small_slabs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SLAB", 300)


def test_outside_is_what_any_of_the_reasons_says() -> None:
    volume = GREYS.astype(np.float32)
    volume[0, 0, 0], volume[1, 1, 1], volume[2, 2, 2] = np.nan, -np.inf, -3.4e38
    mask = RANDOM.random(volume.shape) < 0.8
    expected = (np.abs(volume) < 1e30) & (volume != 150) & ROUND & mask
    view = replace(View.whole(volume), fill=150.0, circle=ROUND[..., 0], mask=mask)
    np.testing.assert_array_equal(inside(view), expected)
    np.testing.assert_array_equal(
        np.sort(np.concatenate(list(view.values()))), np.sort(volume[expected])
    )
    box = (slice(2, 9), slice(0, 13), slice(5, 6))
    np.testing.assert_array_equal(inside(replace(view, box=box)), expected[box])
    assert inside(View.whole(GREYS)).all()


def test_a_view_is_segmented_with_the_outside_marked() -> None:
    box = (slice(1, 11), slice(2, 13), slice(3, 14))
    view = View(np.asfortranarray(GREYS), box, circle=ROUND[..., 0])
    where = (slice(2, 8), slice(0, 11), slice(1, 9))
    place = (slice(3, 9), slice(2, 13), slice(4, 12))
    expected = np.where(ROUND, GREYS <= 120, OUTSIDE)[place]
    np.testing.assert_array_equal(view.segmented(Segmentation("dark", 120.0), where), expected)


def test_the_inscribed_circle() -> None:
    expected = ["0110", "1111", "1111", "0110"]
    np.testing.assert_array_equal(
        inscribed_circle((4, 4, 9)), [[c == "1" for c in row] for row in expected]
    )
    assert inscribed_circle((4, 8, 1))[:, 2:6].sum() == 12 == inscribed_circle((4, 8, 1)).sum()


@pytest.mark.parametrize("fill", [0, -1, -9999, 255, 65535])
def test_a_constant_around_a_convex_field_of_view_is_found(fill: int) -> None:
    round_ = np.where(ROUND, GREYS.astype(np.float32), np.float32(fill))
    padded = np.pad(GREYS.astype(np.float32), [(0, 0), (0, 0), (3, 0)], constant_values=fill)
    for volume in (round_, np.asfortranarray(round_), padded, round_.T):
        assert find_fill(volume) == fill


def test_what_is_no_fill() -> None:
    """Greys at the corners that pores have too, a solid that is saturated, phases, noise, nothing
    else.
    """
    round_ = np.where(ROUND, GREYS, 0)
    round_[6, 6, 7] = 0
    assert find_fill(round_) is None, "a pore has this grey"
    cavity = np.full((12, 13, 14), 255)
    cavity[3:6, 3:6, 3:6] = RANDOM.integers(0, 99, (3, 3, 3))
    assert find_fill(cavity) is None, "it is the largest value"
    assert find_fill(np.where(ROUND, GREYS % 5 + 1, 0)) is None, "phases"
    assert find_fill(ROUND) is None
    assert find_fill(GREYS) is None
    assert find_fill(np.zeros((4, 4, 4))) is None
    assert find_fill(np.full((4, 4, 4), np.nan)) is None


def test_a_mask_has_the_shape_of_the_volume() -> None:
    assert check_mask(ROUND, GREYS.shape) is ROUND
    with pytest.raises(
        DataError, match=r"--mask: expected 12 x 13 x 14 voxels as the volume has, received 12 x 13"
    ):
        check_mask(ROUND[..., :3], GREYS.shape)
