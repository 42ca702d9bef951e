"""Where elements are in a grid of SVEs: turned, averaged, partly in air, outside."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from svevae.errors import DataError
from svevae.meshes.deck import Pull
from svevae.meshes.mesh import Mesh
from svevae.use.mesh_options import MeshOptions
from svevae.use.mesh_places import Grid, Places
from tests.meshes.bars import bar

CHOSEN = MeshOptions(Path("mesh.inp"), unit="um")


def grid(shape: tuple[int, int, int], **changes: object) -> Grid:
    """SVEs of edge 1 from the origin."""
    made = Grid(
        shape, 1.0, np.zeros(3), np.array(shape, float), np.zeros(3), np.eye(3), "um", "scan"
    )
    return replace(made, **changes)


def weights(mesh: Mesh, of: Grid, solid: list[bool]) -> np.ndarray:
    return Places.of(mesh, of, np.array(solid), CHOSEN).weights.toarray()


def test_small_elements_have_the_sve_round_their_centroid() -> None:
    np.testing.assert_array_equal(
        weights(bar("C3D8", (2, 1, 2)), grid((2, 1, 2)), [True] * 4), np.eye(4)
    )


@pytest.mark.parametrize("kind", ["C3D8", "C3D20R"])
def test_a_large_element_has_equal_shares_of_two_sves(kind: str) -> None:
    mesh = bar(kind)
    mesh.points[:, 0] *= 2
    np.testing.assert_allclose(weights(mesh, grid((2, 1, 1)), [True, True]), [[0.5, 0.5]])
    # half of it has no material: what is there counts; of three quarters, nothing does
    np.testing.assert_allclose(weights(mesh, grid((2, 1, 1)), [False, True]), [[0, 1]])
    mesh.points[:, 0] *= 2
    places = Places.of(mesh, grid((4, 1, 1)), np.array([False, False, False, True]), CHOSEN)
    assert places.missing.tolist() == [True]
    assert places.outside.tolist() == [False]
    np.testing.assert_array_equal(places.weights.toarray(), [[0, 0, 0, 1]])


def test_wedges_and_tetrahedra_share_a_cube() -> None:
    """Cubes of two SVEs along each edge: over all elements of a cube the shares are equal."""
    for kind, along in (("C3D4", 0.02), ("C3D6", 0.01), ("C3D15", 0.01)):
        mesh = bar(kind, (1, 1, 1), 4.0)
        _, volumes = mesh.geometry()
        found = volumes @ weights(mesh, grid((4, 4, 4)), [True] * 64)
        np.testing.assert_allclose(found.sum(), 64)
        halves = found.reshape(4, 4, 4)[:2].sum() / 64
        assert halves == pytest.approx(0.5, abs=along)


def test_a_turned_grid() -> None:
    """By 90 degrees about z its x is y of the mesh; about the corner at the origin."""
    turned = MeshOptions(Path("mesh.inp"), rotation=(0, 0, 90)).turned
    of = grid((2, 1, 1), turned=turned, origin=np.array([1.0, 0, 0]))
    low, high = of.box()
    np.testing.assert_allclose([low, high], [[0, 0, 0], [1, 2, 1]], atol=1e-12)
    np.testing.assert_array_equal(weights(bar("C3D8", (1, 2, 1)), of, [True] * 2), np.eye(2))
    mesh = bar("C3D8")
    mesh.points[:, 0] += 1
    boxes = "from 1.5, 0.5, 0.5 to 1.5, 0.5, 0.5 and a scan from 0, 0, 0 to 1, 2, 1 um"
    with pytest.raises(DataError, match=boxes):
        weights(mesh, of, [True] * 2)


def test_the_box_round_a_mesh() -> None:
    """Of 0.5 x 1 x 1.6 SVEs, in the unit of the mesh; turned it is as large along other axes."""
    chosen = MeshOptions(Path("mesh.inp"), unit="mm")
    mesh = bar("C3D8", (5, 10, 16), 0.032)
    of = Grid.round_mesh(mesh, 320.0, chosen)
    assert (of.shape, of.noun) == ((1, 1, 2), "sample")
    assert of.edge == pytest.approx(0.32)
    turned = Grid.round_mesh(mesh, 320.0, replace(chosen, rotation=(0.0, 90.0, 0.0)))
    assert turned.shape == (2, 1, 1)
    np.testing.assert_allclose(turned.box()[0], 0, atol=1e-12)
    np.testing.assert_allclose(turned.box()[1], [0.16, 0.32, 0.512])
    with pytest.raises(DataError, match=r"mesh.inp: expected at most 1000000 SVEs of 0.00032 m"):
        Grid.round_mesh(mesh, 320.0, replace(chosen, unit="m"))


def test_a_load_along_another_axis_is_told() -> None:
    mesh = bar("C3D8", (1, 1, 1))
    along_x = Pull.between(mesh, "XMAX", "XMIN", 0.1)
    assert not list(grid((1, 1, 1)).tilt(None))
    (said,) = grid((1, 1, 1)).tilt(along_x)
    assert "tension along z of the scan, 90 degrees from x, along which the part is pulled" in said
    turned = grid((1, 1, 1), turned=MeshOptions(Path("m"), rotation=(0, 90, 0)).turned)
    assert not list(turned.tilt(along_x))
    slanted = grid((1, 1, 1), turned=MeshOptions(Path("m"), rotation=(30, 0, 0)).turned)
    (said,) = slanted.tilt(None)
    assert "30 degrees from z of the mesh" in said
