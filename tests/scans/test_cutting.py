"""Views cut into SVEs in memory and on disk, against `cut`; a stopped cut goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from svevae.dataset.cut import cut
from svevae.errors import DataError
from svevae.scans import cutting as module
from svevae.scans.cutting import cut_view, gathered
from svevae.scans.segmentation import Segmentation
from svevae.scans.view import Rule, View, Where

GREYS = np.random.default_rng(0).integers(0, 100, (13, 14, 19)).astype(np.uint8)
RULE = Segmentation("dark", 20.0)
BINARY = (GREYS <= 20).astype(np.uint8)


class Stop(Exception):
    pass


@pytest.fixture(params=["memory", "disk"])
def place(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Path | None:
    if request.param == "memory":
        return None
    monkeypatch.setattr(module, "LARGE", 1)
    return tmp_path / "kept" / "0-0"


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("stride", [None, 4, 7])
def test_a_view_is_cut_as_its_binary_volume(
    place: Path | None, order: str, stride: int | None
) -> None:
    view = View.whole(np.asarray(GREYS, order=order))
    found = cut_view(view, RULE, 6, stride, place)
    voxels, position = cut(BINARY, 6, stride)
    np.testing.assert_array_equal(found.voxels, voxels)
    np.testing.assert_array_equal(found.position, position)
    np.testing.assert_allclose(found.porosity, voxels.mean((1, 2, 3)))
    assert gathered([found], place) is found.voxels
    assert isinstance(found.voxels, np.memmap) == (place is not None)


def test_sves_that_touch_the_outside_are_marked_and_left_out(place: Path | None) -> None:
    """A mask that lacks one voxel."""
    mask = np.ones(GREYS.shape, bool)
    mask[11, 6, 12] = False
    found = cut_view(replace(View.whole(GREYS), mask=mask), RULE, 6, None, place)
    gone = [index == (1, 1, 2) for index in map(tuple, found.position.tolist())]
    np.testing.assert_array_equal(found.kept, np.logical_not(gone))
    voxels, _ = cut(BINARY, 6)
    np.testing.assert_array_equal(gathered([found], place), voxels[found.kept])
    both = gathered([found, found], place and place.with_name("both"))
    np.testing.assert_array_equal(both, np.tile(voxels[found.kept], (2, 1, 1, 1)))


def test_a_stopped_cut_goes_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Two of three layers are done when it stops; the third alone is segmented afterwards. A lost
    file begins anew.
    """
    monkeypatch.setattr(module, "LARGE", 1)
    layers: list[int] = []

    class Watched(View):
        stop = True

        def segmented(self, rule: Rule, where: Where) -> np.ndarray:
            if self.stop and len(layers) == 2:
                raise Stop
            layers.append(where[2].start)
            return super().segmented(rule, where)

    view = Watched.whole(np.asfortranarray(GREYS))
    with pytest.raises(Stop):
        cut_view(view, RULE, 6, None, tmp_path / "0")
    monkeypatch.setattr(Watched, "stop", False)
    found = cut_view(view, RULE, 6, None, tmp_path / "0")
    assert layers == [0, 6, 12]
    np.testing.assert_array_equal(found.voxels, cut(BINARY, 6)[0])
    (tmp_path / "0-voxels.npy").unlink()
    found = cut_view(view, RULE, 6, None, tmp_path / "0")
    assert layers == [0, 6, 12, 0, 6, 12]
    np.testing.assert_array_equal(found.voxels, cut(BINARY, 6)[0])


def test_a_disk_without_room(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "LARGE", 1)
    monkeypatch.setattr(module.os, "posix_fallocate", full)
    with pytest.raises(DataError, match=r"0-voxels.npy: not written: No space left on device"):
        cut_view(View.whole(GREYS), RULE, 6, None, tmp_path / "0")
