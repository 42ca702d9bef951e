"""Equilibrium of one SVE, as `svevae.physics.equilibrium` finds it for a batch: the six elastic
load cases, and an increment of a path.

Nodal fields are (3, x, y, z), mean strains and stresses (6,).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from svevae.physics.cpu import operators
from svevae.physics.cpu.medium import Medium, Waves
from svevae.physics.cpu.plasticity import (
    POROUS_STATE_ROWS,
    POROUS_TANGENT_ROWS,
    STATE_ROWS,
    TANGENT_ROWS,
    law_scratch,
)
from svevae.physics.cpu.rows import ROW, pieces, to_rows
from svevae.physics.elasticity import DEVIATORIC_BASIS, FORCING, FORCING_BOUNDS, SOFTEST

LOWER = np.tril_indices(5)


class Grid:
    """A grid of voxels with the memory and threads to work on it; for one SVE at a time.

    Nodal fields of its own: `waves.forces` and `waves.displacement`, and `correction`, which
    `conjugate_gradients` finds.
    """

    def __init__(self, shape: tuple[int, int, int], dtype: str, threads: int = 1):
        self.shape, self.dtype = shape, dtype
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None
        self.waves = Waves(shape, dtype, threads, self._each)
        self.correction, self.direction, self.image = (self.nodal() for _ in range(3))
        self._tangent = np.zeros(0, dtype)
        threads = min(threads, shape[0])
        bounds = np.linspace(0, shape[0], threads + 1).astype(int)
        self._slabs = list(zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True))
        self._scratch = [law_scratch(dtype) for _ in self._slabs]
        self._edges = [np.zeros((3, *shape[1:]), dtype) for _ in self._slabs]

    def nodal(self) -> np.ndarray:
        """A nodal field of zeros."""
        return np.zeros((3, *self.shape), self.dtype)

    def tangent(self, rows: int) -> np.ndarray:
        """Memory for the tangent of the law, (x, y, piece, rows * ROW)."""
        x, y, z = self.shape
        if self._tangent.shape[-1] != rows * ROW:
            self._tangent = np.zeros((x, y, pieces(z), rows * ROW), self.dtype)
        return self._tangent

    def forces(
        self, kernel: Callable, u: np.ndarray, mean: np.ndarray, *given: np.ndarray, out: np.ndarray
    ) -> np.ndarray:
        """Fill `out` with the nodal forces that a kernel of `operators` finds; returns the stress
        summed over the voxels, (6,).
        """
        mean = np.asarray(mean, self.dtype)
        self._sums = np.zeros((len(self._slabs), 22))
        self._share(
            lambda k, first, last: kernel(
                u,
                mean,
                *given,
                self._scratch[k],
                self._sums[k],
                out,
                self._edges[k],
                first,
                last,
            )
        )
        for (_, last), edge in zip(self._slabs, self._edges, strict=True):
            out[:, last % self.shape[0]] += edge
        return self._sums[:, :6].sum(axis=0)

    def mean_tangent(self) -> tuple[float, np.ndarray]:
        """Isotropic part and mean of flow flow^T (5, 5) of the tangent that `stress_forces` made
        last, over the Gauss points.
        """
        sums = self._sums[:, 6:].sum(axis=0) / (8 * np.prod(self.shape))
        lower = np.zeros((5, 5))
        lower[LOWER] = sums[1:]
        return float(sums[0]), lower + np.tril(lower, -1).T

    def follow(
        self,
        kernel: Callable,
        u: np.ndarray,
        mean: np.ndarray,
        *given: np.ndarray,
        out: Sequence[np.ndarray] = (),
    ) -> None:
        """Let a kernel of `operators` that makes no forces go over the grid."""
        mean = np.asarray(mean, self.dtype)
        self._share(
            lambda k, first, last: kernel(u, mean, *given, self._scratch[k], *out, first, last)
        )

    def combine(self, kernel: Callable, *fields: np.ndarray, factor: float | None = None) -> float:
        """The vector work of `operators` on whole fields; the sum of what it returns."""
        flat = [field.reshape(len(field) * self.shape[0], -1) for field in fields]
        given = [] if factor is None else [flat[0].dtype.type(factor)]
        if self._pool is None:
            return kernel(*(field.reshape(-1) for field in flat), *given)
        bounds = [3 * first for first, _ in self._slabs] + [len(flat[0])]

        def work(k: int, _first: int, _last: int) -> float:
            part = slice(bounds[k], bounds[k + 1])
            return kernel(*(field[part].reshape(-1) for field in flat), *given)

        return sum(self._share(work))

    def _share(self, work: Callable[[int, int, int], Any]) -> list[Any]:
        """`work(k, first, last)` of each slab of planes along x, each by a thread of its own."""
        return self._each(lambda k: work(k, *self._slabs[k]), len(self._slabs))

    def _each(self, work: Callable[[int], Any], count: int) -> list[Any]:
        return list((map if self._pool is None else self._pool.map)(work, range(count)))


def conjugate_gradients(
    grid: Grid,
    operator: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray],
    rest: np.ndarray,
    medium: Medium,
    relative: float,
    absolute: float,
    most: int,
) -> tuple[np.ndarray, float, int]:
    """Displacement `grid.correction` and mean strain for which `operator` makes the forces
    `grid.waves.forces` and the stress sum `rest`, until the residual's norm is below `relative` of
    its first value, or `absolute`.

    `operator(u, mean, out)` fills `out` and returns the stress sum. The forces are used up. Returns
    the mean strain, the norm that is left and the iterations.
    """
    waves, residual, x, p, image = (
        grid.waves,
        grid.waves.forces,
        grid.correction,
        grid.direction,
        grid.image,
    )
    waves.precondition(medium)
    mean_z = medium.compliance @ rest
    x.fill(0)
    np.copyto(p, waves.displacement)
    mean_x, mean_p = np.zeros(6), mean_z
    norm = grid.combine(operators.dot, residual, p) + rest @ mean_z
    goal, count = max(relative**2 * norm, absolute**2), 0
    while norm > goal and count < most:
        stress = operator(p, mean_p, image)
        energy = grid.combine(operators.dot, p, image) + mean_p @ stress
        alpha = norm / energy if energy > 0 else 0.0
        grid.combine(operators.step, x, residual, p, image, factor=alpha)
        mean_x, rest = mean_x + alpha * mean_p, rest - alpha * stress
        waves.precondition(medium)
        mean_z = medium.compliance @ rest
        new = grid.combine(operators.dot, residual, waves.displacement) + rest @ mean_z
        beta = new / norm
        grid.combine(operators.turn, p, waves.displacement, factor=beta)
        mean_p = mean_z + beta * mean_p
        norm, count = new, count + 1
    return mean_x, float(np.sqrt(max(norm, 0.0))), count


class ElasticSolution(NamedTuple):
    """Stiffness (6, 6), reached residuals and CG iterations (6,), and displacements (6, 3, x, y,
    z) of the six load cases.
    """

    stiffness: np.ndarray
    residual: np.ndarray
    iterations: np.ndarray
    displacement: np.ndarray


def solve_elastic(
    grid: Grid, bulk: np.ndarray, shear: np.ndarray, tolerance: float, most: int
) -> ElasticSolution:
    """Solve the six elastic load cases, by at most `most` iterations of CG each.

    `bulk` and `shear` moduli (x, y, z).
    """
    voxels = np.prod(grid.shape)
    rows = _rows([bulk, 16 * shear], grid.dtype)
    mean_bulk, mean_shear = bulk.mean(dtype=float), shear.mean(dtype=float)
    medium = grid.waves.medium(mean_bulk, 2 * mean_shear * np.eye(5), np.zeros(6, bool))
    none = np.zeros(6)

    def operator(u: np.ndarray, mean: np.ndarray, out: np.ndarray) -> np.ndarray:
        grid.forces(operators.elastic_forces, u, mean, rows, out=out)
        return none  # the mean strain is given, so it has no residual

    stiffness, residuals = np.zeros((6, 6)), np.zeros(6)
    iterations = np.zeros(6, int)
    displacement = np.empty((6, 3, *grid.shape), grid.dtype)
    still, out = grid.nodal(), grid.waves.forces
    for case, strain in enumerate(np.eye(6)):
        grid.forces(operators.elastic_forces, still, strain, rows, out=out)
        np.negative(out, out=out)
        deviator = DEVIATORIC_BASIS @ strain
        energy = mean_bulk * strain[:3].sum() ** 2 + 2 * mean_shear * deviator @ deviator
        size = np.sqrt(voxels * energy)
        _, left, iterations[case] = conjugate_gradients(
            grid, operator, none, medium, 0.0, tolerance * size, most
        )
        displacement[case], residuals[case] = grid.correction, left / size
        stress = grid.forces(operators.elastic_forces, displacement[case], strain, rows, out=out)
        stiffness[case] = stress / voxels
    return ElasticSolution((stiffness + stiffness.T) / 2, residuals, iterations, displacement)


class Increment(NamedTuple):
    """Mean strain and stress (6,), reached residual, Newton and CG iterations."""

    strain: np.ndarray
    stress: np.ndarray
    residual: float
    newton: int
    iterations: int


class Sample:
    """One SVE on its path: `fields` are bulk, shear, s0, Q and b, of a porous material its
    dilatancy, and of its table plastic strain, flow stress and slope at each point, each (x, y, z).
    """

    def __init__(self, fields: Sequence[np.ndarray], dtype: str):
        self.bulk, self.shear = (float(field.mean(dtype=float)) for field in fields[:2])
        self._material = _rows(fields, dtype)
        porous = len(fields) > 5
        self._tangent_rows = POROUS_TANGENT_ROWS if porous else TANGENT_ROWS
        state = POROUS_STATE_ROWS if porous else STATE_ROWS
        self._state = np.zeros((*self._material.shape[:3], state * ROW), dtype)
        self.u, self.mean = np.zeros((3, *fields[0].shape), dtype), np.zeros(6)
        self._before = self.u.copy(), self.mean
        self._elastic: tuple[np.ndarray, Medium] | None = None

    def start(self, displacement: np.ndarray | None, mean: np.ndarray) -> None:
        """Guess the first increment: the mean strain, and the displacement of the elastic cases
        (6, 3, x, y, z) if it is there.
        """
        self.mean = mean
        if displacement is not None:
            for strain, field in zip(mean, displacement, strict=True):
                self.u += self.u.dtype.type(strain) * np.asarray(field)

    def extrapolate(self, ratio: float) -> None:
        """Guess the next increment: on as far as `ratio` of the last."""
        u, mean = self._before
        self._before = self.u.copy(), self.mean
        self.u = self.u + self.u.dtype.type(ratio) * (self.u - u)
        self.mean = self.mean + ratio * (self.mean - mean)

    def advance(
        self,
        grid: Grid,
        strain: np.ndarray,
        stress: np.ndarray,
        controlled: np.ndarray,
        load: float,
        tolerance: float,
        newton: int,
        cg: int,
    ) -> Increment:
        """One increment from the guess: find the displacement whose out-of-balance force is at most
        `tolerance` of `load`, where the mean strain is `controlled`, else the mean stress.
        """
        voxels, out = np.prod(grid.shape), grid.waves.forces
        free, tangent = ~controlled, grid.tangent(self._tangent_rows)
        elastic = self._elastic_medium(grid, free)
        mean = np.where(controlled, strain, self.mean)

        def evaluate(u: np.ndarray, mean: np.ndarray) -> tuple[np.ndarray, float]:
            total = grid.forces(
                operators.stress_forces, u, mean, self._material, self._state, tangent, out=out
            )
            rest = np.where(free, total - stress * voxels, 0.0)
            grid.waves.precondition(elastic)
            square = grid.combine(operators.dot, out, grid.waves.displacement)
            square += rest @ elastic.compliance @ rest
            self._total = total
            return rest, float(np.sqrt(max(square, 0.0)) / load)

        def operator(u: np.ndarray, mean: np.ndarray, out: np.ndarray) -> np.ndarray:
            sums = grid.forces(operators.tangent_forces, u, mean, tangent, out=out)
            return np.where(free, sums, 0.0)

        u, count, iterations = self.u, 0, 0
        rest, norm = evaluate(u, mean)
        while norm > tolerance and count < newton:
            medium = self._tangent_medium(grid, free)
            forcing = float(np.clip(FORCING * tolerance / norm, *FORCING_BOUNDS))
            np.negative(out, out=out)
            dmean, _, used = conjugate_gradients(grid, operator, -rest, medium, forcing, 0.0, cg)
            factor, start, start_mean = 1.0, u, mean
            for _ in range(6):
                u = start + u.dtype.type(factor) * grid.correction
                mean = start_mean + factor * dmean
                rest, new = evaluate(u, mean)
                if not new > max(0.98 * norm, tolerance):
                    break
                factor *= 0.4
            norm, count, iterations = new, count + 1, iterations + used
        grid.follow(operators.commit_state, u, mean, self._material, self._state)
        self.u, self.mean = u, mean
        return Increment(mean, self._total / voxels, norm, count, iterations)

    def voxel_means(self, grid: Grid) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Voxel means of strain and stress (x, y, z, 6) and of the accumulated plastic strain (x,
        y, z).
        """
        shape, dtype = grid.shape, grid.dtype
        means = np.empty((*shape, 6), dtype), np.empty((*shape, 6), dtype), np.empty(shape, dtype)
        grid.follow(
            operators.voxel_means, self.u, self.mean, self._material, self._state, out=means
        )
        return means

    def _elastic_medium(self, grid: Grid, free: np.ndarray) -> Medium:
        """Its norm is what out-of-balance forces are measured in."""
        if self._elastic is None or not np.array_equal(self._elastic[0], free):
            self._elastic = free, grid.waves.medium(self.bulk, 2 * self.shear * np.eye(5), free)
        return self._elastic[1]

    def _tangent_medium(self, grid: Grid, free: np.ndarray) -> Medium:
        isotropic, flow = grid.mean_tangent()
        isotropic += SOFTEST * 2 * self.shear
        return grid.waves.medium(self.bulk, isotropic * np.eye(5) - flow, free)


def _rows(fields: Sequence[np.ndarray], dtype: str) -> np.ndarray:
    """Fields, each (x, y, z), as (x, y, piece, component * ROW)."""
    rows = to_rows(fields, dtype)
    return rows.reshape(*rows.shape[:3], -1)
