"""Periodic homogenisation of porous elastoplastic SVEs, on CPU and GPU.

Small strain, B-bar hexahedra on the voxels (`element`), J2 plasticity (`plasticity`), pores of zero
stiffness, along a path of loads (`loading`); `equilibrium` solves. On a GPU a batch goes at once
(`batched`, by JAX), on a CPU each SVE by itself (`cpu`, by numba): the same equations, solved
alike.

Lengths are in voxel edges, stresses in MPa in Mandel order.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from svevae.errors import ConfigError, DataError, SolverError
from svevae.physics.elasticity import (
    Material,
    PorousMaterial,
    VoxelMaterial,
    dilatancy,
    moduli,
)
from svevae.physics.loading import Loading, elastic_start, load_sizes, step_ratio
from svevae.words import counted

# raise it with any change of the element, the equations or the settings' meaning: labels made
# before are then made again
RECIPE = 1


@dataclass(frozen=True)
class Settings:
    """How exactly to solve.

    The residual is the out-of-balance force over the load, in the energy norm of a homogeneous
    elastic medium: of a load case at most `elastic_tolerance`, of an increment at most `tolerance`.
    An apparent stiffness is wrong by the square of its residual, a stress on a curve by its first
    power. `newton` and `cg` are the most iterations of an increment and of a linear solve.
    """

    dtype: str = "float32"
    elastic_tolerance: float = 2e-4
    tolerance: float = 5e-4
    newton: int = 25
    cg: int = 500

    def __post_init__(self) -> None:
        if self.dtype not in ("float32", "float64"):
            raise ConfigError(f"dtype: expected float32 or float64, received {self.dtype!r}")
        for name in ("elastic_tolerance", "tolerance"):
            if not 0 < getattr(self, name) < 1:
                raise ConfigError(
                    f"{name}: expected a number between 0 and 1, received {getattr(self, name)}"
                )


@dataclass(frozen=True)
class Elastic:
    """Apparent stiffness (sve, 6, 6), reached residuals and CG iterations (sve, 6); the
    displacements of the six cases for `path`.
    """

    stiffness: np.ndarray
    residual: np.ndarray
    iterations: np.ndarray
    displacement: Any = field(repr=False)  # (6, 3, sve, x, y, z)

    def take(self, index: np.ndarray) -> Elastic:
        """Select the SVEs `index`."""
        return Elastic(
            self.stiffness[index],
            self.residual[index],
            self.iterations[index],
            self.displacement[:, :, index],
        )


@dataclass(frozen=True)
class Path:
    """Mean strain and stress (sve, increment, 6), reached residual, Newton and CG iterations (sve,
    increment).

    `fields`, on request, has voxel means at the last increment: stress and strain (sve, x, y, z, 6)
    and plastic_strain (sve, x, y, z). `measured` has what the function `measure` of `Solver.path`
    made of such means, an item for each increment.
    """

    strain: np.ndarray
    stress: np.ndarray
    residual: np.ndarray
    newton: np.ndarray
    iterations: np.ndarray
    fields: dict[str, np.ndarray] = field(repr=False, default_factory=dict)
    measured: list[Any] = field(repr=False, default_factory=list)


class Solver:
    """Homogenises batches of SVEs of one shape (x, y, z); any numbers of voxels, odd or even.

    `by` is "numba" or "jax", without it what is faster here: JAX where it has a GPU.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        settings: Settings | None = None,
        by: str | None = None,
    ):
        if len(shape) != 3 or min(shape) < 1:
            raise ConfigError(f"shape: expected three positive numbers of voxels, received {shape}")
        x, y, z = (int(n) for n in shape)
        self.shape = x, y, z
        self.settings = settings or Settings()
        if by not in (None, "numba", "jax"):
            raise ConfigError(f"by: expected numba or jax, received {by!r}")
        self.by = by or faster()

    def elastic(
        self,
        material: Material,
        voxels: np.ndarray | None = None,
        names: Sequence[str] | None = None,
    ) -> Elastic:
        """Apparent stiffness of each SVE, from six load cases.

        `voxels` (sve, x, y, z), 1 where there is a pore, take the stiffness from `material`;
        without them its fields say everything. `names` are what errors call the SVEs. Raises
        DataError for a wrong shape or an SVE without material, SolverError where CG does not
        converge.
        """
        settings = self.settings
        batch = self._batch(self._fields(material, voxels))
        stiffness, residual, iterations, displacement = batch.elastic(
            settings.elastic_tolerance, settings.cg
        )
        for sve, case in np.argwhere(~(residual <= settings.elastic_tolerance)):
            raise SolverError(
                f"{_name(names, sve)}, load case {case}: residual {residual[sve, case]:.2g} after"
                f" {settings.cg} iterations, expected at most {settings.elastic_tolerance:g}"
            )
        return Elastic(
            np.asarray(stiffness, float),
            np.asarray(residual, float),
            np.asarray(iterations, int),
            displacement,
        )

    def path(
        self,
        material: Material,
        loading: Loading,
        voxels: np.ndarray | None = None,
        elastic: Elastic | None = None,
        names: Sequence[str] | None = None,
        fields: bool = False,
        report: Callable[[int], None] | None = None,
        measure: Callable[[dict[str, np.ndarray]], Any] | None = None,
    ) -> Path:
        """Response of each SVE along `loading`; `elastic`, of the same SVEs, gives a better start;
        `report(increment)` follows.

        `measure` is given the voxel means of each increment, since those of all would take too much
        memory.

        Raises DataError as `elastic` does, and SolverError that names the SVE, the increment and
        the residual.
        """
        solid, settings = self._fields(material, voxels), self.settings
        batch = self._batch(solid)
        controlled = np.asarray(loading.controlled, bool)
        stiffness = None if elastic is None else elastic.stiffness
        loads = load_sizes(loading, solid, stiffness)
        increments: list[tuple[np.ndarray, ...]] = []
        measured = []
        for k in range(len(loading.strain)):
            if k:
                batch.extrapolate(step_ratio(loading, k))
            else:
                batch.start(
                    elastic_start(loading, solid, stiffness),
                    None if elastic is None else elastic.displacement,
                )
            reached = batch.advance(
                loading.strain[k],
                loading.stress[k],
                controlled,
                loads[k],
                settings.tolerance,
                settings.newton,
                settings.cg,
            )
            increments.append(reached)
            called = f"increment {k}" if loading.names is None else loading.names[k]
            self._check_increment(called, reached[2], names)
            if measure:
                measured.append(measure(batch.voxel_means()))
            if report:
                report(k)
        strain, stress, residual, newton, iterations = (
            np.stack(values, axis=1) for values in zip(*increments, strict=True)
        )
        return Path(
            strain,
            stress,
            residual,
            newton,
            iterations,
            batch.voxel_means() if fields else {},
            measured,
        )

    def memory(self, count: int = 1, kind: str = "path") -> int:
        """Bytes that a batch of `count` SVEs needs at its peak; `kind` is "path" or "elastic"."""
        floats = self._back_end().floats(self.shape, kind)
        return count * floats * np.dtype(self.settings.dtype).itemsize

    def _back_end(self) -> Any:
        if self.by == "jax":
            from svevae.physics import batched

            return batched
        from svevae.physics.cpu import batch

        return batch

    def _batch(self, fields: VoxelMaterial) -> Any:
        return self._back_end().Batch(fields, self.shape, self.settings.dtype)

    def _fields(self, material: Material, voxels: np.ndarray | None) -> VoxelMaterial:
        """Moduli of every voxel, pores zero; raises DataError where the shape is wrong or an SVE
        has no material at all.
        """
        if voxels is not None and np.shape(voxels)[1:] != self.shape:
            raise DataError(
                f"voxels: expected shape (sve, {', '.join(map(str, self.shape))}), received"
                f" {np.shape(voxels)}"
            )
        solid = 1.0 if voxels is None else np.asarray(voxels) == 0
        bulk, shear = moduli(material.E, material.nu)
        plastic = [np.asarray(value, float) for value in (material.s0, material.Q, material.b)]
        table = None
        if isinstance(material, PorousMaterial):
            plastic += [dilatancy(material.nu_p)]
            table = None if material.hardening is None else material.hardening.lines()
        shapes = [np.shape(value) for value in (bulk, *plastic)]
        shapes += [] if table is None else [table.shape[2:]]
        whole: tuple[int, ...] = ()
        with suppress(ValueError):
            whole = np.broadcast_shapes(np.shape(solid), (1, *self.shape), *shapes)
        if whole[1:] != self.shape:
            expected = f"expected fields that broadcast to (sve, {', '.join(map(str, self.shape))})"
            raise DataError(f"material: {expected}, received {', '.join(map(str, shapes))}")
        bulk, shear = (np.broadcast_to(modulus * solid, whole) for modulus in (bulk, shear))
        empty = np.flatnonzero(~bulk.any(axis=(1, 2, 3)))
        if len(empty):
            raise DataError(
                f"SVE {empty[0]}: expected some material, received pores only; {len(empty)} such"
                " SVEs in all"
            )
        plastic = [value.reshape((1,) * (4 - value.ndim) + value.shape) for value in plastic]
        return VoxelMaterial(bulk, shear, *plastic)._replace(hardening=table)

    def _check_increment(
        self, increment: str, residual: np.ndarray, names: Sequence[str] | None
    ) -> None:
        if (bad := np.flatnonzero(~(residual <= self.settings.tolerance))).size:
            others = (
                f"; {len(bad)} of {counted(len(residual), 'SVE')} did not converge"
                if len(residual) > 1
                else ""
            )
            raise SolverError(
                f"{_name(names, bad[0])}, {increment}: residual {residual[bad[0]]:.2g} after"
                f" {self.settings.newton} Newton iterations, expected at most"
                f" {self.settings.tolerance:g}{others}"
            )


def _name(names: Sequence[str] | None, sve: int) -> str:
    return f"SVE {sve}" if names is None else names[sve]


def faster() -> str:
    """The back end for this machine, "jax" or "numba"; asks JAX only where it could have a GPU,
    since it takes a second or two to import.
    """
    if not list(importlib.metadata.entry_points(group="jax_plugins")):
        return "numba"
    from svevae.physics.batched import on_accelerator

    return "jax" if on_accelerator() else "numba"
