"""Where the elements of a mesh are in a grid of SVEs, and which share of each SVE they have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array
from scipy.spatial import cKDTree

from svevae.errors import DataError
from svevae.meshes.covered import covered
from svevae.meshes.deck import Pull
from svevae.meshes.mesh import Mesh
from svevae.meshes.points import Points, points_of
from svevae.parts.fields import AXIS
from svevae.scans.rim import LEAST
from svevae.use.field import Corner, Scan
from svevae.use.mesh_options import UNITS, MeshOptions
from svevae.words import counted, some

MOST = 1_000_000  # SVEs of a sample: with their codes about a GiB
TILTED = 1.0  # degrees between the axis of the properties and that of the load that are told
ROUNDING = 1e-6  # of an SVE


@dataclass(frozen=True)
class Grid:
    """`shape` SVEs of `edge` along axes of their own, from `low` on; beyond `high` is outside. The
    columns of `turned` (3, 3) are these axes in the mesh, about `origin`. Lengths in the `unit` of
    the mesh; `noun` is what people call it.
    """

    shape: tuple[int, int, int]
    edge: float
    low: np.ndarray
    high: np.ndarray
    origin: np.ndarray
    turned: np.ndarray
    unit: str
    noun: str

    @classmethod
    def of_scan(cls, scan: Scan, chosen: MeshOptions) -> Grid:
        """Place a scan. Raises DataError where the size of its voxels is unknown."""
        if scan.edge is None:
            raise DataError(
                "voxel_size: expected micrometres for --mesh; neither file nor model says them"
            )
        voxels = cls.of_voxels(scan.tiles.view.volume.shape, scan.edge, scan.corner, chosen)
        # voxels are counted from the first of the file, also where it is cropped
        low = np.array([span.start for span in scan.tiles.view.box]) * voxels.edge
        high = low + np.array(scan.tiles.view.shape) * voxels.edge
        edge = scan.tiles.n * voxels.edge
        return replace(voxels, shape=scan.tiles.shape, edge=edge, low=low, high=high)

    @classmethod
    def of_voxels(
        cls, shape: tuple[int, int, int], edge: float, corner: Corner | None, chosen: MeshOptions
    ) -> Grid:
        """Place the voxels of a scan, of `edge` micrometres; its file may say the `corner` of the
        first, in micrometres.
        """
        edge /= UNITS[chosen.unit]
        own = np.array(corner or (0.0, 0.0, 0.0)) / UNITS[chosen.unit]
        origin = own if chosen.origin is None else np.array(chosen.origin)
        high = np.array(shape) * edge
        return cls(shape, edge, np.zeros(3), high, origin, chosen.turned, chosen.unit, "scan")

    @classmethod
    def round_mesh(cls, mesh: Mesh, edge: float, chosen: MeshOptions) -> Grid:
        """SVEs of `edge` micrometres that fill the box round a mesh, from its lowest corner on.
        Raises DataError for more than MOST of them.
        """
        edge /= UNITS[chosen.unit]
        own = mesh.points[mesh.rows(mesh.used())] @ chosen.turned
        low, high = own.min(axis=0), own.max(axis=0)
        x, y, z = np.ceil((high - low) / edge - ROUNDING).clip(1)
        if x * y * z > MOST:
            raise DataError(
                f"{chosen.mesh}: expected at most {MOST} SVEs of {edge:.4g} {chosen.unit} in the"
                f" box round it, received {x:.0f} x {y:.0f} x {z:.0f}; --mesh-unit says its unit"
            )
        shape = (int(x), int(y), int(z))
        origin = np.zeros(3)
        return cls(shape, edge, low, high, origin, chosen.turned, chosen.unit, "sample")

    def own(self, at: np.ndarray) -> np.ndarray:
        """Points (point, 3) of the mesh in the axes of the grid."""
        return (at - self.origin) @ self.turned

    def covered(self, mesh: Mesh) -> np.ndarray:
        """Which cells of the grid a mesh covers, (x, y, z) bool; all where it covers none, so that
        `Places` says where it is.
        """
        own = (self.own(mesh.points) - self.low) / self.edge
        found = covered(replace(mesh, points=own), self.shape)
        return found if found.any() else ~found

    def sves(self, at: np.ndarray) -> np.ndarray:
        """The SVE (point,) round each point of the mesh, by its place among all; the nearest one
        outside.
        """
        index = np.floor((self.own(at) - self.low) / self.edge).astype(np.int64)
        return np.ravel_multi_index(tuple(index.clip(0, np.array(self.shape) - 1).T), self.shape)

    def outside(self, at: np.ndarray) -> np.ndarray:
        """Which points of the mesh are outside, (point,) bool; a border is inside."""
        own, slack = self.own(at), ROUNDING * self.edge
        return np.any((own < self.low - slack) | (own > self.high + slack), axis=1)

    def nearest(self, at: np.ndarray, solid: np.ndarray) -> np.ndarray:
        """The SVE nearest to each point of the mesh among those that are `solid` (sve,)."""
        there = np.flatnonzero(solid)
        index = np.stack(np.unravel_index(there, self.shape), axis=1)
        return there[cKDTree(self.low + (index + 0.5) * self.edge).query(self.own(at))[1]]

    def box(self) -> tuple[np.ndarray, np.ndarray]:
        """The lowest and the highest corner in the mesh."""
        ends = np.stack([self.low, self.high])
        corners = np.stack(np.meshgrid(*ends.T, indexing="ij"), axis=-1).reshape(-1, 3)
        placed = corners @ self.turned.T + self.origin
        placed[np.abs(placed) < ROUNDING * self.edge] = 0.0
        return placed.min(axis=0), placed.max(axis=0)

    def tilt(self, pull: Pull | None) -> Iterator[str]:
        """Tell people where the part is loaded along another axis than that of the properties."""
        along = self.turned[:, "xyz".index(AXIS)]
        axis = "xyz".index(AXIS) if pull is None else pull.axis
        angle = float(np.degrees(np.arccos(min(1.0, abs(along[axis])))))
        if angle > TILTED:
            loaded = (
                f"{'xyz'[axis]}, along which the part is pulled"
                if pull
                else f"{'xyz'[axis]} of the mesh"
            )
            yield (
                f"properties are of tension along {AXIS} of the {self.noun},"
                f" {angle:.3g} degrees from {loaded}: materials are isotropic, with the constants"
                f" of that {AXIS} in all directions"
            )


@dataclass(frozen=True)
class Places:
    """`points` of elements in a grid of SVEs of which those that are `solid` (sve,) have material;
    `larger` (element,) are the elements that have several points. SVEs at the `rim` (sve,), mostly
    outside of the part, have that of the nearest SVE.
    """

    grid: Grid
    points: Points
    larger: np.ndarray
    centres: np.ndarray
    solid: np.ndarray
    rim: np.ndarray

    @classmethod
    def of(
        cls,
        mesh: Mesh,
        grid: Grid,
        solid: np.ndarray,
        chosen: MeshOptions,
        share: np.ndarray | None = None,
    ) -> Places:
        """Find them; `share` (x, y, z) of each SVE is the part. Raises DataError for a mesh that
        nowhere overlaps the grid.
        """
        points, larger = points_of(mesh, grid.edge)
        rim = np.zeros(len(solid), bool) if share is None else ~solid & (share.ravel() < LEAST)
        places = cls(grid, points, larger, mesh.geometry()[0], solid, rim)
        if places.outside.all():
            boxes = [
                " to ".join(", ".join(f"{one:.4g}" for one in end) for end in box)
                for box in ((points.at.min(axis=0), points.at.max(axis=0)), grid.box())
            ]
            raise DataError(
                f"{chosen.mesh}: expected elements in the scan, received a mesh from {boxes[0]} and"
                f" a scan from {boxes[1]} {chosen.unit}; --mesh-unit, --origin and --rotation place"
                " it"
            )
        return places

    @cached_property
    def outside(self) -> np.ndarray:
        """Elements more than half of which is outside, (element,) bool."""
        return self._share(~self.grid.outside(self.points.at)) < 0.5 - ROUNDING

    @cached_property
    def missing(self) -> np.ndarray:
        """Elements more than half of which has no material, (element,) bool."""
        return self._share(self._good) < 0.5 - ROUNDING

    @cached_property
    def weights(self) -> csr_array:
        """(element, SVE): the share of an element's volume with material that is in each SVE; of
        one without material, 1 for the nearest SVE that has some.
        """
        own = self._good & ~self.missing[self.points.element]
        lost = np.flatnonzero(self.missing)
        volume = np.concatenate([self.points.volume[own], np.ones(len(lost))])
        element = np.concatenate([self.points.element[own], lost])
        sves = self._sves[own]
        if lost.size:
            sves = np.concatenate([sves, self.grid.nearest(self.centres[lost], self.solid)])
        total = np.bincount(element, volume, len(self.larger))
        shape = (len(self.larger), len(self.solid))
        found = csr_array((volume / total[element], (element, sves)), shape=shape)
        found.sum_duplicates()
        return found

    @cached_property
    def sves(self) -> np.ndarray:
        """The SVE that each element has most of, (element,), by its place among all."""
        return np.asarray(self.weights.argmax(axis=1)).ravel()

    @cached_property
    def surface(self) -> np.ndarray:
        """Elements whose centre is in an SVE at the rim, (element,) bool."""
        return self.rim[self.grid.sves(self.centres)] & ~self.missing

    @cached_property
    def _sves(self) -> np.ndarray:
        """The SVE whose material each point has, if any."""
        found = self.grid.sves(self.points.at)
        rim = self.rim[found]
        if rim.any():
            found[rim] = self.grid.nearest(self.points.at[rim], self.solid)
        return found

    @cached_property
    def _good(self) -> np.ndarray:
        """Points with material, bool."""
        return self.solid[self._sves] & ~self.grid.outside(self.points.at)

    def _share(self, which: np.ndarray) -> np.ndarray:
        """The share of each element's volume that these points stand for."""
        element, volume = self.points.element, self.points.volume
        return np.bincount(element, volume * which) / np.bincount(element, volume)

    def say(self, mesh: Mesh, without: str) -> str:
        """Tell which elements have no material, and what becomes of them."""
        count = counted(int(self.missing.sum()), "element")
        told = {
            "error": f"expected material round each element, received {count} without",
            "nearest": f"{count} without material have that of the nearest SVE",
            "drop": f"{count} without material are left out",
        }[without]
        air = self.missing & ~self.outside
        kinds = [
            f"{number} {what}"
            for what, number in (
                (f"outside the {self.grid.noun}", int(self.outside.sum())),
                ("in SVEs that are mostly pore or outside the field of view", int(air.sum())),
            )
            if number
        ]
        names = some([str(one) for one in mesh.elements[self.missing].tolist()], 10)
        hint = "; --without nearest or drop" if without == "error" else ""
        return f"{told}: {', '.join(kinds)}: {names}{hint}"
