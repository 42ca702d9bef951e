"""Surfaces filled with voxels, against spheres and cuboids: which centres lie inside."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from svevae.errors import DataError
from svevae.scans.readers.shells import STEPS, Shells, closed, filled
from tests.scans.readers.surfaces import ball, cuboid, sphere

N = 24
FILE = Path("pores.stl")


def surface(*shells: vtk.vtkPolyData) -> tuple[np.ndarray, np.ndarray]:
    """Points and triangles of all shells; squares are halved."""
    points, triangles, start = [], [], 0
    for shell in shells:
        points.append(vtk_to_numpy(shell.GetPoints().GetData()))
        faces = vtk_to_numpy(shell.GetPolys().GetConnectivityArray())
        corners = faces.reshape(shell.GetNumberOfPolys(), -1)
        for i in range(1, corners.shape[1] - 1):
            triangles.append(corners[:, [0, i, i + 1]] + start)
        start += len(points[-1])
    return np.concatenate(points), np.concatenate(triangles).astype(np.int32)


def laid(*shells: vtk.vtkPolyData) -> Shells:
    return closed(FILE, *surface(*shells), np.zeros(3), 1.0)


def fill(*shells: vtk.vtkPolyData, n: int = N) -> np.ndarray:
    return filled(laid(*shells), (n, n, n))


def differ(found: np.ndarray, exact: np.ndarray) -> float:
    """Share of the pore that is not as it should be."""
    assert found.dtype == np.uint8
    return float((found != exact).sum() / exact.sum())


def test_a_sphere_to_its_facets() -> None:
    """A polyhedron of 64 meridians has 0.4 % less volume than its sphere."""
    centre = (11.3, 12.1, 12.9)
    found = fill(sphere(centre, 9.4))
    exact = ball(N, centre, 9.4)
    assert not (found > exact).any()
    assert differ(found, exact) < 0.01
    place = np.array(np.nonzero(found)).mean(axis=1) + 0.5
    np.testing.assert_allclose(place, centre, atol=0.03)


def test_spheres_that_overlap_are_one_pore() -> None:
    """VTK's own stencil leaves a hole where they overlap."""
    one, two = ((9.1, 12, 12), 7.0), ((15.2, 12.4, 12.3), 6.2)
    found, exact = fill(sphere(*one), sphere(*two)), ball(N, *one) | ball(N, *two)
    assert differ(found, exact) < 0.015
    np.testing.assert_array_equal(found, fill(sphere(*one)) | fill(sphere(*two)))


def test_the_same_pore_twice() -> None:
    once = sphere((12, 12, 12), 8)
    np.testing.assert_array_equal(fill(once, once), fill(once))


def test_a_shell_in_a_pore() -> None:
    """Wound as the pore it is part of it; wound inwards it is solid in it."""
    outer, inner = ((12, 12, 12), 10.1), ((11, 12, 12), 4.3)
    np.testing.assert_array_equal(fill(sphere(*outer), sphere(*inner)), fill(sphere(*outer)))
    hollow = laid(sphere(*outer), sphere(*inner, inward=True))
    assert (hollow.count, hollow.inward) == (2, 1)
    np.testing.assert_array_equal(
        filled(hollow, (N, N, N)), fill(sphere(*outer)) - fill(sphere(*inner))
    )


def test_all_shells_wound_inwards() -> None:
    pore = ((12, 11, 12), 8.3)
    np.testing.assert_array_equal(fill(sphere(*pore, inward=True)), fill(sphere(*pore)))


@pytest.mark.parametrize("shift", [0, 0.25, 0.5])
def test_cuboids_to_the_voxel(shift: float) -> None:
    """With faces through centres (0.5) as with faces between voxels the volume is exact."""
    found = fill(cuboid(2 + shift, 3 + shift, 4 + shift, 7 + shift, 9 + shift, 11 + shift))
    exact = np.zeros((N, N, N), np.uint8)
    exact[2:7, 3:9, 4:11] = 1
    if shift == 0.25:
        np.testing.assert_array_equal(found, exact)
    assert found.sum() == exact.sum()
    first = np.argwhere(found).min(axis=0)
    np.testing.assert_array_equal(first, [2, 3, 4])


def test_pores_that_share_a_face_through_centres() -> None:
    low, high = cuboid(1, 1, 1, 6, 6, 4.5), cuboid(1, 1, 4.5, 6, 6, 9)
    found = [fill(low), fill(high)]
    assert not (found[0] & found[1]).any()
    np.testing.assert_array_equal(found[0] | found[1], fill(cuboid(1, 1, 1, 6, 6, 9)))
    np.testing.assert_array_equal(fill(low, high), found[0] | found[1])


def test_pores_cut_by_the_box() -> None:
    """Surfaces may leave the box at any side, or lie outside."""
    centre, radius = (0.0, 23.0, 12.0), 8.2
    found = fill(sphere(centre, radius), sphere((60, 60, 60), 5), cuboid(-9, -9, -9, -2, -2, 40))
    assert differ(found, ball(N, centre, radius)) < 0.02
    inner = fill(cuboid(-5, -5, -5, 50, 50, 50), n=4)
    np.testing.assert_array_equal(inner, np.ones((4, 4, 4)))


def test_lines_through_edges_and_corners() -> None:
    """An octahedron with its corners on centres of voxels: no line slips through."""
    points = 8.5 + 6.0 * np.array(
        [(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)]
    )
    triangles = np.array(
        [(0, 2, 4), (2, 1, 4), (1, 3, 4), (3, 0, 4), (2, 0, 5), (1, 2, 5), (3, 1, 5), (0, 3, 5)]
    )
    found = filled(closed(FILE, points, triangles, np.zeros(3), 1.0), (N, N, N))
    away = np.abs(centres_from(8.5)).sum(axis=0)
    assert not found[away > 6].any()
    assert found[away < 6].all()


def centres_from(middle: float) -> np.ndarray:
    return np.indices((N, N, N)) + 0.5 - middle


def test_slabs_and_portions(monkeypatch) -> None:
    """The same voxels, a layer and a few triangles at a time."""
    pore = laid(sphere((12, 11, 12), 8.3), cuboid(1, 1, 1, 23, 5, 5))
    whole = filled(pore, (N, N, N))
    monkeypatch.setattr("svevae.scans.view.SLAB", 1)
    monkeypatch.setattr("svevae.scans.readers.shells.PAIRS", 7)
    np.testing.assert_array_equal(filled(pore, (N, N, N)), whole)


def test_points_are_joined_where_they_fall_together() -> None:
    """Triangles with points of their own, as in .stl, off by less than a step of the lattice."""
    points, triangles = surface(sphere((12.2, 12, 12), 8.3))
    rng = np.random.default_rng(0)
    apart = points[triangles].reshape(-1, 3).astype(float)
    lattice = np.rint(apart * STEPS) / STEPS + rng.uniform(-0.4, 0.4, apart.shape) / STEPS
    own = np.arange(len(apart), dtype=np.int32).reshape(-1, 3)
    found = closed(FILE, lattice, own, np.zeros(3), 1.0)
    assert (found.count, len(found.points)) == (1, len(points))


def test_an_open_surface() -> None:
    points, triangles = surface(sphere((12, 12, 12), 8), cuboid(1, 1, 1, 3, 3, 3))
    with pytest.raises(
        DataError,
        match=r"pores\.stl: expected closed surfaces, received 3 edges of one triangle .*"
        r" first at \(\d+",
    ):
        closed(FILE, points, np.delete(triangles, 100, axis=0), np.zeros(3), 1.0)


def test_where_a_surface_is_open() -> None:
    """In the unit of the file, from the corner of the box."""
    points = np.array([(5.0, 5, 5), (7, 5, 5), (5, 7, 5)])
    triangles = np.array([(0, 1, 2)], np.int32)
    with pytest.raises(DataError, match=r"the first at \((5, 6, 5|6, 5, 5|6, 6, 5)\):"):
        closed(FILE, points, triangles, np.full(3, 4.0), 0.5)


def test_triangles_wound_against_each_other() -> None:
    points, triangles = surface(sphere((12, 12, 12), 8))
    triangles[50] = triangles[50, ::-1]
    with pytest.raises(DataError, match="wound as their neighbours are, received 3 edges between"):
        closed(FILE, points, triangles, np.zeros(3), 1.0)


def test_surfaces_far_from_the_box() -> None:
    with pytest.raises(DataError, match=r"within 16384 voxels .* another --unit or --voxel-size\?"):
        closed(FILE, *surface(sphere((12, 12, 12), 8)), np.zeros(3), 1e-3)


def test_flat_triangles_alone() -> None:
    points = np.array([(5.0, 5, 5), (7, 5, 5), (5, 7, 5)])
    with pytest.raises(DataError, match="received no triangle with an area"):
        closed(FILE, points, np.array([(0, 1, 1)], np.int32), np.zeros(3), 1.0)


def test_tetrahedra_share_a_cube_out() -> None:
    """Six that fill a cube, their faces and edges through centres: each voxel is in one of them."""
    steps = np.eye(3)[list(itertools.permutations(range(3)))]  # along x, y and z in every order
    ends = np.concatenate([np.zeros((6, 1, 3)), np.cumsum(steps, axis=1)], axis=1)
    found = []
    for corners in 2.5 + 8 * ends:
        faces = np.array([(0, 2, 1), (0, 1, 3), (1, 2, 3), (0, 3, 2)])
        if np.linalg.det(corners[1:] - corners[0]) < 0:
            faces = faces[:, ::-1]
        found.append(filled(closed(FILE, corners, faces, np.zeros(3), 1.0), (N, N, N)))
    np.testing.assert_array_equal(sum(found), fill(cuboid(2.5, 2.5, 2.5, 10.5, 10.5, 10.5)))


def turns(points: np.ndarray, triangles: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """How often triangles wind round `centres` (centre, 3): their solid angles over 4 pi
    (A. van Oosterom and J. Strackee, IEEE Trans. Biomed. Eng. 30, 1983).
    """
    total = np.zeros(len(centres))
    for triangle in triangles:
        a, b, c = (points[i] - centres for i in triangle)
        long = [np.linalg.norm(one, axis=1) for one in (a, b, c)]
        dots = [(b * c).sum(axis=1), (c * a).sum(axis=1), (a * b).sum(axis=1)]
        below = np.prod(long, axis=0) + sum(d * e for d, e in zip(dots, long, strict=True))
        total += 2 * np.arctan2((a * np.cross(b, c)).sum(axis=1), below)
    return total / (4 * np.pi)


def test_tetrahedra_anyhow() -> None:
    """Overlapping, half of them wound inwards, some beyond the box: where solid angles say."""
    rng, n = np.random.default_rng(0), 8
    middles = np.indices((n, n, n)).reshape(3, -1).T + 0.5
    faces = np.array([(0, 2, 1), (0, 1, 3), (1, 2, 3), (0, 3, 2)])
    for _ in range(40):
        points = rng.uniform(-2, n + 2, (20, 3))
        triangles = np.concatenate([faces + 4 * i for i in range(5)])
        exact = turns(points, triangles, middles)
        sure = np.abs(exact - np.rint(exact)) < 0.01
        assert sure.mean() > 0.99
        found = filled(closed(FILE, points, triangles, np.zeros(3), 1.0), (n, n, n)).ravel()
        np.testing.assert_array_equal(found[sure], (np.rint(exact) != 0)[sure])
