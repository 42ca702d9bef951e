"""A batch of SVEs on the CPU: each its own solve, by a thread of its own, so that a finished one
frees its core; one of a large grid is shared by all threads.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any

import numpy as np

from svevae.physics.cpu.equilibrium import ElasticSolution, Grid, Sample, solve_elastic
from svevae.physics.cpu.rows import ROW, pieces
from svevae.physics.elasticity import VoxelMaterial

# held at the peak; tests/physics/test_batched.py compares
FIELDS = {"elastic": 71, "path": 67}
ROWS = {"elastic": 2, "path": 103}
LARGE = 2**18  # voxels; below, threads lose more by waiting than they win


def cores() -> int:
    """How many threads to use: as many as this process may, or OMP_NUM_THREADS."""
    if (told := os.environ.get("OMP_NUM_THREADS", "")).isdigit():
        return max(1, int(told))
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def floats(shape: tuple[int, int, int], kind: str) -> int:
    """Numbers that one SVE of `shape` takes at the peak of "elastic" or "path"."""
    x, y, z = shape
    return x * y * (z * FIELDS[kind] + pieces(z) * ROW * ROWS[kind])


class Batch:
    """SVEs of one shape (x, y, z), as `svevae.physics.batched.Batch`."""

    def __init__(self, material: VoxelMaterial, shape: tuple[int, int, int], dtype: str):
        self.material, self.shape, self.dtype = material, shape, dtype
        self._threads = cores() if np.prod(shape) >= LARGE else 1
        self._samples: list[Sample] = []
        self._grids: SimpleQueue[Grid] = SimpleQueue()

    def elastic(self, tolerance: float, most: int) -> ElasticSolution:
        """The six elastic load cases: arrays of `ElasticSolution` with the SVE before the case, but
        displacements (6, 3, sve, x, y, z).
        """
        count = len(self.material.bulk)
        displacement = np.empty((6, 3, count, *self.shape), self.dtype)

        def solve(grid: Grid, sve: int) -> ElasticSolution:
            moduli = self.material.bulk[sve], self.material.shear[sve]
            solution = solve_elastic(grid, *moduli, tolerance, most)
            displacement[:, :, sve] = solution.displacement
            return solution._replace(displacement=displacement[:, :, sve])

        solved = self._each(solve, count)
        stiffness, residual, iterations = (np.stack([one[k] for one in solved]) for k in range(3))
        return ElasticSolution(stiffness, residual, iterations, displacement)

    def start(self, mean: np.ndarray, displacement: np.ndarray | None) -> None:
        """Begin a path: guess the mean strain (sve, 6), and that the SVE answers as in the elastic
        cases, where their displacements are there.
        """
        self._samples = []
        *own, table = self.material
        whole = [field for field in own if field is not None]
        whole += [] if table is None else list(table.reshape(-1, *table.shape[2:]))
        for sve, strain in enumerate(mean):
            shapes = (self.material.bulk.shape, (1, *self.shape))
            fields = [
                np.broadcast_to(field, shapes[len(field) == 1])[min(sve, len(field) - 1)]
                for field in whole
            ]
            sample = Sample(fields, self.dtype)
            sample.start(None if displacement is None else displacement[:, :, sve], strain)
            self._samples.append(sample)

    def extrapolate(self, ratio: float) -> None:
        """Guess the next increment: on as far as `ratio` of the last."""
        for sample in self._samples:
            sample.extrapolate(ratio)

    def advance(
        self,
        strain: np.ndarray,
        stress: np.ndarray,
        controlled: np.ndarray,
        load: np.ndarray,
        tolerance: float,
        newton: int,
        cg: int,
    ) -> tuple[np.ndarray, ...]:
        """One increment: mean strain and stress (sve, 6), reached residuals, Newton and CG
        iterations (sve,). `load` (sve,) is what residuals are measured against.
        """
        reached = self._each(
            lambda grid, sve: self._samples[sve].advance(
                grid, strain, stress, controlled, load[sve], tolerance, newton, cg
            ),
            len(self._samples),
        )
        return tuple(map(np.array, zip(*reached, strict=True)))

    def voxel_means(self) -> dict[str, np.ndarray]:
        """Strain and stress (sve, x, y, z, 6), and plastic_strain (sve, x, y, z)."""
        means = self._each(
            lambda grid, sve: self._samples[sve].voxel_means(grid), len(self._samples)
        )
        names = ("strain", "stress", "plastic_strain")
        return {
            name: np.stack(field)
            for name, field in zip(names, zip(*means, strict=True), strict=True)
        }

    def _each(self, work: Callable[[Grid, int], Any], count: int) -> list[Any]:
        """`work(grid, sve)` of `count` SVEs, each on a grid that no other thread has."""
        several = min(count, 1 if self._threads > 1 else cores())
        while self._grids.qsize() < several:
            self._grids.put(Grid(self.shape, self.dtype, self._threads))

        def with_grid(sve: int) -> Any:
            grid = self._grids.get()
            try:
                return work(grid, sve)
            finally:
                self._grids.put(grid)

        if several < 2:
            return [with_grid(sve) for sve in range(count)]
        with ThreadPoolExecutor(several) as pool:
            return list(pool.map(with_grid, range(count)))
