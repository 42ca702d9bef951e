"""A batch of SVEs by JAX, all at once, as a GPU wants it; `svevae.physics.cpu.batch` is its equal
for the CPU.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np

from svevae.physics.elasticity import VoxelMaterial
from svevae.physics.equilibrium import (
    ElasticSolution,
    solve_elastic,
    solve_increment,
    voxel_fields,
)
from svevae.physics.medium import SVE, Point, Spectrum, spectrum
from svevae.physics.plasticity import Constants, PlasticState

# held at the peak, as the compiler says; tests/physics/test_equilibrium.py compares
FLOATS_PER_VOXEL = {"elastic": 214, "path": 308}


def floats(shape: tuple[int, int, int], kind: str) -> int:
    """Numbers that one SVE of `shape` takes at the peak of "elastic" or "path"."""
    return int(np.prod(shape)) * FLOATS_PER_VOXEL[kind]


class Batch:
    """SVEs of one shape (x, y, z): the elastic cases, and a path increment by increment."""

    def __init__(self, material: VoxelMaterial, shape: tuple[int, int, int], dtype: str):
        self.dtype = dtype
        with self._precision():
            self._waves = _spectrum(shape, dtype)
            self._constants = Constants(
                *(None if field is None else jnp.asarray(field, dtype) for field in material)
            )

    def elastic(self, tolerance: float, most: int) -> ElasticSolution:
        """The six elastic load cases, by at most `most` iterations of CG each."""
        with self._precision():
            solution = solve_elastic(self._constants, self._waves, tolerance, most)
            return solution._replace(
                stiffness=np.asarray(solution.stiffness),
                residual=np.asarray(solution.residual),
                iterations=np.asarray(solution.iterations),
            )

    def start(self, mean: np.ndarray, displacement: np.ndarray | None) -> None:
        """Begin a path: guess the mean strain (sve, 6), and that the SVE answers as in the elastic
        cases, where their displacements (6, 3, sve, x, y, z) are there.
        """
        with self._precision():
            constants, shape = self._constants, self._constants.bulk.shape
            none = jnp.zeros((8, *shape), self.dtype)
            self._state = PlasticState(
                jnp.zeros((5, 8, *shape), self.dtype),
                none,
                None if constants.dilatancy is None else none,
            )
            nodal = jnp.zeros((3, *shape), self.dtype)
            self._before = Point(nodal, jnp.zeros((6, len(mean)), self.dtype))
            guess = jnp.asarray(mean.T, self.dtype)
            if displacement is not None:
                for case in range(6):
                    nodal = nodal + guess[case][SVE] * jnp.asarray(displacement[case], self.dtype)
            self._x = Point(nodal, guess)

    def extrapolate(self, ratio: float) -> None:
        """Guess the next increment: on as far as `ratio` of the last."""
        with self._precision():
            x, before = self._x, self._before
            self._before = x
            self._x = jax.tree.map(lambda now, then: now + ratio * (now - then), x, before)

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
        """One increment from the guess: mean strain and stress (sve, 6), reached residuals, Newton
        and CG iterations (sve,). `load` (sve,) is what residuals are measured against.
        """
        with self._precision():
            given, target = (jnp.asarray(value, self.dtype)[:, None] for value in (strain, stress))
            mean = jnp.where(controlled[:, None], given, self._x.mean)
            reached = solve_increment(
                Point(self._x.nodal, mean),
                self._state,
                self._constants,
                self._waves,
                jnp.asarray(~controlled, self.dtype),
                target,
                jnp.asarray(load, self.dtype),
                tolerance,
                newton,
                cg,
            )
            self._x, self._state = reached.x, reached.state
            found = (reached.x.mean.T, reached.stress.T, *reached[3:])
            return tuple(map(np.asarray, found))

    def voxel_means(self) -> dict[str, np.ndarray]:
        """Strain and stress (sve, x, y, z, 6), and plastic_strain (sve, x, y, z)."""
        with self._precision():
            found = voxel_fields(self._x, self._state, self._constants)
            strain, stress, plastic = map(np.asarray, found)
        return {
            "strain": np.moveaxis(strain, 0, -1),
            "stress": np.moveaxis(stress, 0, -1),
            "plastic_strain": plastic,
        }

    @contextmanager
    def _precision(self) -> Iterator[None]:
        """Numbers of `dtype`. Unless told so, a GPU multiplies float32 matrices in TensorFloat-32,
        which rounds mean strains and stresses to 5e-4, as much as the tolerance of labels.
        """
        with jax.enable_x64(self.dtype == "float64"), jax.default_matmul_precision("highest"):
            yield


@lru_cache(maxsize=2)
def _spectrum(shape: tuple[int, int, int], dtype: str) -> Spectrum:
    return spectrum(shape, dtype)


def on_accelerator() -> bool:
    """Whether JAX has found a GPU or the like."""
    return jax.default_backend() != "cpu"
