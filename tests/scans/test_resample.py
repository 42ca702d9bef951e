"""Resampling against linear fields, which linear interpolation keeps, and against repetition."""

from __future__ import annotations

import numpy as np
import pytest

from svevae.errors import DataError
from svevae.scans import resample as module
from svevae.scans import view
from svevae.scans.resample import read_resampled, resampled

EDGES = (1.0, 2.0, 5.0)


def centres(shape: tuple[int, ...], edges: tuple[float, ...]) -> list[np.ndarray]:
    return list(
        np.meshgrid(
            *((np.arange(n) + 0.5) * e for n, e in zip(shape, edges, strict=True)), indexing="ij"
        )
    )


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("target", [1.0, 2.0, 0.7])
def test_a_linear_field_stays_itself(
    target: float, large: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    """Away from the borders, where the outermost voxel goes on; slab by slab, in any order of
    memory, in memory or on disk.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(view, "SLAB", 700)
    monkeypatch.setattr(module, "LARGE", 0 if large else 1 << 28)
    shape = (30, 14, 8)
    x, y, z = centres(shape, EDGES)
    field = (3 * x - 2 * y + z).astype(np.float32)
    for volume in (field, np.asfortranarray(field)):
        found = resampled(volume, EDGES, target)
        assert found.dtype == np.float32
        assert found.shape == tuple(
            round(n * e / target) for n, e in zip(shape, EDGES, strict=True)
        )
        x, y, z = centres(found.shape, (target,) * 3)
        inner = np.ones(found.shape, bool)
        for at, n, e in zip((x, y, z), shape, EDGES, strict=True):
            inner &= (at >= e / 2) & (at <= n * e - e / 2)
        np.testing.assert_allclose(found[inner], (3 * x - 2 * y + z)[inner], atol=1e-4)
    assert not list(tmp_path.iterdir()), "no file is left"


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.float32])
def test_phases_are_those_of_the_nearest_voxel(dtype: type) -> None:
    phases = (np.random.default_rng(0).random((8, 9, 4)) < 0.5).astype(dtype)
    found = resampled(phases, (1.0, 1.0, 3.0), 1.0)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, phases.repeat(3, axis=2))


def test_nothing_is_interpolated_with_the_outside() -> None:
    greys = np.arange(1000, 1064, dtype=np.uint16).reshape(4, 4, 4)
    greys[:, :, 3] = 0
    found = resampled(greys, (1.0, 1.0, 2.0), 1.0, outside=0)
    assert set(np.unique(found)) - {0} == set(np.unique(found[:, :, :5]))
    assert found[:, :, :5].min() >= 1000
    assert (found[:, :, 5:] == 0).all()


def test_targets_and_unknown_edges() -> None:
    volume = np.arange(64.0).reshape(4, 4, 4)
    assert read_resampled(lambda: volume, (2.0, 2.0, 2.0), 0.0, None) is volume
    assert read_resampled(lambda: volume, (2.0, 2.0, 4.0), 0.0, None).shape == (4, 4, 8)
    assert read_resampled(lambda: volume, (2.0, 2.0, 4.0), 4.0, None).shape == (2, 2, 4)
    with pytest.raises(DataError, match=r"--resample: expected a file that says the edges"):
        read_resampled(lambda: volume, None, 1.0, None)
    with pytest.raises(DataError, match=r"--resample: expected cubes smaller than the volume"):
        resampled(volume, (1.0, 1.0, 1.0), 10.0)
