"""Pores in space: their surface follows the voxels, and points stand where pores are."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from svevae.pictures.pores import TRIANGLES, _surface, fullest_slice, plot_points, plot_surface


@pytest.mark.parametrize(
    ("low", "high"), [((0, 2, 3), (4, 5, 6)), ((1, 1, 1), (2, 2, 2)), ((0, 0, 0), (12, 12, 12))]
)
def test_surface_of_a_box(low: tuple[int, ...], high: tuple[int, ...]) -> None:
    """A pore that fills voxels low to high, also one cut by the SVE's faces: the closed surface
    spans exactly that box.

    Light comes from above: a face that looks up is brighter than one that looks down.
    """
    cube = np.zeros((12, 12, 12), np.uint8)
    cube[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = 1
    triangles, brightness = _surface(cube)
    np.testing.assert_allclose(triangles.min(axis=(0, 1)), low)
    np.testing.assert_allclose(triangles.max(axis=(0, 1)), high)
    assert brightness.min() >= 0.399
    assert brightness.max() <= 1.001
    height, middle = triangles.mean(axis=1)[:, 2], (low[2] + high[2]) / 2
    assert brightness[height > middle].mean() > brightness[height < middle].mean() + 0.1
    first, second, third = triangles.transpose(1, 0, 2).astype(float)
    volume = abs((first * np.cross(second, third)).sum()) / 6
    box = np.prod(np.subtract(high, low))
    assert 0.16 * box < volume <= box


@pytest.mark.parametrize("n", [40, 100])
def test_a_rough_surface_is_averaged_down(n: int) -> None:
    """Noise has a triangle or more a voxel; what is drawn stays within the bound and within the
    cube.
    """
    triangles, _ = _surface((np.random.default_rng(0).random((n, n, n)) < 0.5).astype(np.uint8))
    assert 100 < len(triangles) <= TRIANGLES
    assert triangles.min() >= 0
    assert triangles.max() <= n


def test_one_voxel_of_a_large_sve_is_drawn() -> None:
    """A single pore voxel of 128^3 does not vanish in the averaging: it stays within a voxel of its
    place.
    """
    cube = np.zeros((128, 128, 128), np.uint8)
    cube[100, 20, 63] = 1
    triangles, _ = _surface(cube)
    np.testing.assert_allclose(triangles.mean(axis=(0, 1)), [100.5, 20.5, 63.5], atol=1.01)


def test_points_stand_where_pores_are() -> None:
    cube = np.zeros((8, 8, 8), np.uint8)
    cube[6, 2:5, 1] = 1
    axes = Figure().add_subplot(projection="3d")
    plot_points(axes, cube)
    [points] = axes.collections
    x, y, z = points._offsets3d
    assert (x.tolist(), y.tolist(), z.tolist()) == ([6] * 3, [2, 3, 4], [1] * 3)
    assert fullest_slice(cube) == 6


def test_an_sve_without_pores_has_its_edges_alone() -> None:
    axes = Figure().add_subplot(projection="3d")
    plot_surface(axes, np.zeros((8, 8, 8), np.uint8), np.zeros(3), labelled=True)
    assert len(axes.collections) == 0
    assert len(axes.lines) == 12
    assert [text.get_text() for text in axes.texts] == ["x", "y", "z"]
