"""Histograms of volumes against counts by numpy; values far from all others change no threshold."""

from __future__ import annotations

import numpy as np
import pytest

from svevae.scans import view
from svevae.scans.greys import BINS, histogram

RANDOM = np.random.default_rng(0)
PORE = RANDOM.random((20, 20, 20)) < 0.1
SCAN = np.where(PORE, 60, 200) + RANDOM.normal(0, 5, PORE.shape)


@pytest.fixture(autouse=True)
def small_slabs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "SLAB", 1000)


@pytest.mark.parametrize(
    "dtype", ["bool", "u1", "i1", "u2", "i2", ">u2", ">i2", "i4", "u8", "f4", "f8"]
)
def test_every_value_is_counted_once(dtype: str) -> None:
    """Phases and integers; negative ones where the type has them. In any order of memory."""
    low = -50 if np.dtype(dtype).kind in "if" else 0
    high = 2 if dtype == "bool" else low + 15 if dtype[0] == "f" else 100
    volumes = [RANDOM.integers(low, high, (11, 12, 13)).astype(dtype) for _ in range(2)]
    values, counts = np.unique(np.stack(volumes), return_counts=True)
    found = histogram([volumes[0].T, volumes[1][::-1]])
    np.testing.assert_array_equal(found.values, values.astype(float))
    np.testing.assert_array_equal(found.counts, counts)
    assert found.exact
    assert found.phases == (len(values) <= view.LABELS)


def test_extremes_of_each_type_are_counted() -> None:
    for dtype in ("u1", "i1", "u2", "i2"):
        span = np.iinfo(dtype)
        volume = np.array([span.min, -1 % (span.max + 1), 0, span.max], dtype).reshape(1, 2, 2)
        np.testing.assert_array_equal(histogram([volume]).values, np.unique(volume))


def test_floats_are_counted_in_bins() -> None:
    found = histogram([SCAN])
    assert not found.exact
    assert found.counts.sum() == SCAN.size
    width = np.ptp(SCAN) / BINS
    assert np.average(found.values, weights=found.counts) == pytest.approx(SCAN.mean(), abs=width)
    assert SCAN[PORE].max() < found.otsu() < SCAN[~PORE].min()


@pytest.mark.parametrize("outlier", [1e6, 3e4, -1e6, 3e29])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_a_hot_voxel_changes_no_threshold(outlier: float, dtype: str) -> None:
    hot = SCAN.astype(dtype)
    hot[3, 4, 5] = outlier
    found = histogram([hot])
    assert (found.counts.sum(), found.phases) == (hot.size, False)
    assert found.otsu() == pytest.approx(histogram([SCAN]).otsu(), abs=1)


@pytest.mark.parametrize("dtype", ["f4", "u2"])
@pytest.mark.parametrize("pores", ["dark", "bright"])
def test_hot_voxels_beyond_the_solid_change_no_threshold(dtype: str, pores: str) -> None:
    """Three in a thousand, far more than pores may be at the other end."""
    rng = np.random.default_rng(0)
    clean = np.where(rng.random(SCAN.shape) < 0.02, 12_000, 30_000) + rng.normal(0, 800, SCAN.shape)
    hot = np.where(rng.random(SCAN.shape) < 0.003, 65_000, clean)
    if pores == "bright":
        clean, hot = 65_500 - clean, 65_500 - hot
    found = histogram([hot.astype(dtype)], pores).otsu(pores)
    assert found == pytest.approx(histogram([clean.astype(dtype)], pores).otsu(pores), abs=1500)


def test_a_hot_voxel_of_an_integer_scan() -> None:
    hot = SCAN.astype(np.uint16)
    hot[3, 4, 5] = 65535
    found = histogram([hot])
    assert found.values[-1] == 65535
    assert hot[PORE].max() < found.otsu() < hot[~PORE].min()


def test_integers_that_span_more_than_the_bins() -> None:
    wide = np.arange(4 * BINS, dtype=np.int64).reshape(4, 256, 256) * 10
    found = histogram([wide])
    assert not found.exact
    assert found.counts.sum() == wide.size
    assert found.otsu() == pytest.approx(wide.max() / 2, rel=0.01)
