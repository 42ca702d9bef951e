"""Closed surfaces as voxels: a voxel is pore where the surfaces wind round its centre.

The winding number of a centre is counted along the line through it in z: +1 where the line enters a
surface, -1 where it leaves one (D. Sunday, Practical Geometry Algorithms, 2021). So pores that
overlap are one, and a surface inside another, wound the other way, is solid in a pore. Points lie
on a lattice of 1/65536 of a voxel and sides are told apart in integers, exactly: no line slips
between two triangles. A centre on a surface is inside where the pore lies towards larger x, y, z,
so that pores which share a face share no voxel.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from svevae.errors import DataError
from svevae.scans.view import slabs
from svevae.words import counted

STEPS = 1 << 16  # of the lattice, in a voxel
FINE = 1 << 10  # parts of a step that heights are rounded to
FARTHEST = 1 << 14  # voxels from the corner of the box: products of lengths are exact in int64
PAIRS = 1 << 19  # of a triangle and a line that are worked on at a time
LARGE = 1 << 24  # voxels that take long enough for a bar


@dataclass(frozen=True)
class Shells:
    """Closed surfaces: `points` (point, 3) int32 on the lattice, from the corner of the box;
    `triangles` (triangle, 3) int32 of them, anticlockwise as seen from outside a pore. `count` of
    shells that share no point, of which `inward` are wound the other way.
    """

    points: np.ndarray
    triangles: np.ndarray
    count: int
    inward: int


def closed(
    path: Path, points: np.ndarray, triangles: np.ndarray, corner: np.ndarray, edge: float
) -> Shells:
    """Put the surfaces of `path` on the lattice of voxels of `edge` from `corner` (3,), in the unit
    of `points` (point, 3), and join points that fall together there.

    Raises DataError where a surface lies too far from the box, is open, or has triangles that are
    wound against their neighbours.
    """
    voxels = (points.astype(np.float64) - corner) / edge
    if not np.abs(voxels).max(initial=0) < FARTHEST:
        low, high = voxels.min(axis=0), voxels.max(axis=0)
        raise DataError(
            f"{path}: expected surfaces within {FARTHEST} voxels of the corner of the box, received"
            f" some from {listed(low)} to {listed(high)} voxels: another --unit or --voxel-size?"
        )
    lattice, which = _joined(np.rint(voxels * STEPS).astype(np.int32))
    found = which[triangles]
    a, b, c = found.T
    found = found[(a != b) & (b != c) & (c != a)]  # the others wind round nothing
    _check_closed(path, lattice, found, corner, edge)
    count, inward = _shells(lattice, found)
    return Shells(lattice, found, count, inward)


def listed(point: np.ndarray) -> str:
    """Coordinates for people."""
    return f"({', '.join(f'{x + 0.0:.6g}' for x in point)})"


def _joined(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The different ones of `points`, and for each point the number of its own, int32."""
    order = np.lexsort(points.T)
    ordered = points[order]
    new = np.ones(len(points), bool)
    new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    which = np.empty(len(points), np.int32)
    which[order] = np.cumsum(new) - 1
    return ordered[new], which


def _check_closed(
    path: Path, points: np.ndarray, triangles: np.ndarray, corner: np.ndarray, edge: float
) -> None:
    """DataError unless every edge is passed as often one way as the other."""
    starts, ends = triangles.ravel(), np.roll(triangles, -1, axis=1).ravel()
    # one number for both ends, the smaller first, and the way in the last bit
    keys = np.minimum(starts, ends).astype(np.int64) * len(points)
    keys += np.maximum(starts, ends)
    keys *= 2
    keys += starts < ends
    del starts, ends
    keys.sort()
    ways = (keys & 1).astype(np.int8)
    keys >>= 1
    if not len(keys):
        raise DataError(f"{path}: expected closed surfaces, received no triangle with an area")
    first = np.append(0, np.flatnonzero(keys[1:] != keys[:-1]) + 1)
    times = np.diff(first, append=len(keys))
    net = 2 * np.add.reduceat(ways, first, dtype=np.int64) - times
    if not net.any():
        return
    is_open = times % 2 == 1
    wrong = is_open if is_open.any() else net != 0
    key = int(keys[first[np.argmax(wrong)]])
    ends_of = points[[key // len(points), key % len(points)]].astype(np.float64)
    where = listed(corner + edge * ends_of.mean(axis=0) / STEPS)
    count = counted(int(wrong.sum()), "edge")
    if is_open.any():
        raise DataError(
            f"{path}: expected closed surfaces, received {count} of one triangle or of three, which"
            f" leave a hole, the first at {where}: close them in the program that made them"
        )
    raise DataError(
        f"{path}: expected triangles wound as their neighbours are, received {count} between some"
        f" that are wound against each other, the first at {where}: let the program that made them"
        " orient the normals"
    )


def _shells(points: np.ndarray, triangles: np.ndarray) -> tuple[int, int]:
    """How many surfaces share no point, and how many of them are wound inwards."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    a, b, c = triangles.T
    pairs = (np.concatenate([a, b]), np.concatenate([b, c]))
    graph = coo_array((np.ones(len(pairs[0]), bool), pairs), shape=(len(points), len(points)))
    shell = connected_components(graph, directed=False)[1][a]
    volumes = np.zeros(int(shell.max()) + 1)
    for start in range(0, len(a), PAIRS):
        some = slice(start, start + PAIRS)
        p, q, r = (points[one[some]].astype(np.float64) for one in (a, b, c))
        volumes += np.bincount(shell[some], np.einsum("ij,ij->i", p, np.cross(q, r)), len(volumes))
    used = np.bincount(shell, minlength=len(volumes)) > 0
    return int(used.sum()), int((volumes[used] < 0).sum())


def filled(shells: Shells, shape: tuple[int, int, int]) -> np.ndarray:
    """Voxels (x, y, z) uint8 of a box of `shape`: 1 where the surfaces wind round the centre.

    Memory: beside the voxels and the surfaces, slabs of about `svevae.scans.view.SLAB` voxels.
    """
    voxels = np.empty(shape, np.uint8)
    corners = [shells.points[:, 0][shells.triangles[:, i]] for i in range(3)]
    first, last = _columns(np.minimum.reduce(corners), np.maximum.reduce(corners))
    del corners
    bar = tqdm(
        total=shape[0],
        unit="layer",
        desc="fill",
        disable=voxels.size < LARGE or not sys.stderr.isatty(),
    )
    with bar:
        for span, *_ in slabs(shape, 0):
            near = np.flatnonzero((first < span.stop) & (last >= span.start))
            turns = np.zeros((span.stop - span.start, shape[1], shape[2] + 1), np.int32)
            for lines, heights, ways in _crossings(shells, near, span, shape[1]):
                above = np.clip(np.ceil(heights / STEPS - 0.5), 0, shape[2]).astype(np.int64)
                np.add.at(turns.reshape(-1), lines * (shape[2] + 1) + above, ways)
            np.cumsum(turns, axis=2, out=turns)
            np.not_equal(turns[:, :, :-1], 0, out=voxels[span].view(bool))
            bar.update(span.stop - span.start)
    return voxels


def _columns(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first and the last voxel whose centre lies from `low` to `high` on the lattice."""
    half = STEPS // 2
    return -((half - low) // STEPS), (high - half) // STEPS


def _crossings(
    shells: Shells, near: np.ndarray, span: slice, width: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Where the triangles `near` cross lines along z through the centres of voxels, `span` of them
    along x and `width` along y: the number of the line, the height on the lattice, and +1 where the
    line enters a pore going up, -1 where it leaves one.
    """
    corners = shells.points[shells.triangles[near]].astype(np.int64)  # (triangle, corner, xyz)
    low, high = corners.min(axis=1), corners.max(axis=1)
    i, i_last = _columns(low[:, 0], high[:, 0])
    j, j_last = _columns(low[:, 1], high[:, 1])
    i, i_last = np.maximum(i, span.start), np.minimum(i_last, span.stop - 1)
    j, j_last = np.maximum(j, 0), np.minimum(j_last, width - 1)
    deep = np.maximum(j_last - j + 1, 0)
    counts = np.maximum(i_last - i + 1, 0) * deep
    ends = np.cumsum(counts)
    start = 0
    while start < len(ends):
        before = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + PAIRS, "right")))
        own = np.repeat(np.arange(start, stop), counts[start:stop])
        number = np.arange(len(own)) + before - (ends - counts)[own]
        x = i[own] + number // deep[own]
        y = j[own] + number % deep[own]
        lines = (x - span.start) * width + y
        centre = (x * STEPS + STEPS // 2, y * STEPS + STEPS // 2)
        hit, heights, ways = _hits(corners[own], centre)
        yield lines[hit], heights, ways
        start = stop


def _hits(
    corners: np.ndarray, centre: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which of the lines through `centre` (x, y) cross the triangle of the same row, at which
    height and which way.

    A centre on an edge counts as moved by a little to larger x, and by far less to larger y: then
    it is in one of the triangles that share the edge, never in two or none.
    """
    areas, sides = [], []
    for one, two in ((1, 2), (2, 0), (0, 1)):
        a, b = corners[:, one], corners[:, two]
        along = b[:, :2] - a[:, :2]
        area = along[:, 0] * (centre[1] - a[:, 1]) - along[:, 1] * (centre[0] - a[:, 0])
        moved = np.where(along[:, 1] != 0, -along[:, 1], along[:, 0])
        areas.append(area)
        sides.append(np.sign(np.where(area != 0, area, moved)))
    hit = np.flatnonzero((sides[0] != 0) & (sides[0] == sides[1]) & (sides[0] == sides[2]))
    shares = np.stack([area[hit] for area in areas], axis=1).astype(np.float64)
    z = corners[hit][:, :, 2].astype(np.float64)
    rise = (shares[:, 1] * (z[:, 1] - z[:, 0]) + shares[:, 2] * (z[:, 2] - z[:, 0])) / shares.sum(
        axis=1
    )
    # without what rounding adds: pores that share a face through a centre are told apart by it
    heights = np.rint((z[:, 0] + rise) * FINE) / FINE
    # seen from above, a triangle that is anticlockwise has its outside up
    return hit, heights, -sides[0][hit].astype(np.int32)
