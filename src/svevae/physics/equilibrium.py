"""Equilibrium of a batch of SVEs, compiled: the six elastic load cases, and an increment of a path.

Newton's method with backtracking; each step is solved, matrix-free, by conjugate gradients
preconditioned by FFT (`medium`). Unknowns are the periodic part of the displacement and those mean
strains whose mean stress is given, so that uniaxial stress needs no outer loop. All SVEs of a batch
go together; those that are finished stand still.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from svevae.physics import element
from svevae.physics.elasticity import (
    DEVIATORIC_BASIS,
    FORCING,
    FORCING_BOUNDS,
    SOFTEST,
    TRACE,
)
from svevae.physics.medium import SVE, Medium, Point, Spectrum, homogeneous_medium, precondition
from svevae.physics.plasticity import Constants, PlasticState, Tangent, radial_return
from svevae.physics.porous import elliptic_return

GAUSS_AND_VOXELS = (0, *element.GRID)


def _elastic_medium(constants: Constants) -> tuple[jax.Array, jax.Array]:
    shear = constants.shear.mean(element.GRID)
    return constants.bulk.mean(element.GRID), jnp.eye(5, dtype=shear.dtype)[..., None] * 2 * shear


def _elastic_energy(constants: Constants, strain: jax.Array) -> jax.Array:
    """(sve,): strain : C : strain for a mean strain (6,) on the elastic medium."""
    bulk, deviatoric = _elastic_medium(constants)
    deviator = jnp.asarray(DEVIATORIC_BASIS, strain.dtype) @ strain
    return bulk * strain[:3].sum() ** 2 + jnp.einsum("a,abs,b->s", deviator, deviatoric, deviator)


def _tangent_medium(constants: Constants, tangent: Tangent) -> tuple[jax.Array, jax.Array]:
    isotropic, flow = tangent.isotropic.mean(GAUSS_AND_VOXELS), tangent.flow
    lower = {
        (i, j): (flow[i] * flow[j]).mean(GAUSS_AND_VOXELS) for i in range(5) for j in range(i + 1)
    }
    drop = jnp.stack([jnp.stack([lower[max(i, j), min(i, j)] for j in range(5)]) for i in range(5)])
    bulk, elastic = _elastic_medium(constants)
    return bulk, jnp.eye(5, dtype=isotropic.dtype)[..., None] * isotropic - drop + SOFTEST * elastic


def _dot(a: Point, b: Point) -> jax.Array:
    """Scalar product for each SVE, (sve,)."""
    return (a.nodal * b.nodal).sum(GAUSS_AND_VOXELS) + (a.mean * b.mean).sum(0)


def _step(x: Point, factor: jax.Array, direction: Point) -> Point:
    """x + factor * direction, `factor` (sve,)."""
    return Point(x.nodal + factor[SVE] * direction.nodal, x.mean + factor * direction.mean)


def _ratio_or_zero(a: jax.Array, b: jax.Array, where: jax.Array) -> jax.Array:
    where = where & (b > 0)
    return jnp.where(where, a / jnp.where(where, b, 1.0), 0.0)


def _conjugate_gradients(
    operator: Callable[[Point], Point],
    b: Point,
    medium: Medium,
    relative: jax.Array,
    absolute: jax.Array,
    most: int,
) -> tuple[Point, jax.Array, jax.Array]:
    """operator(x) = b until each SVE's residual norm is below `relative` of its first value, or
    `absolute`, (sve,) each.

    Returns x, the norm that is left and the iterations, (sve,) each.
    """
    z = precondition(b, medium)
    first = _dot(b, z)
    goal = jnp.maximum(relative**2 * first, absolute**2)

    def unfinished(carry: tuple) -> jax.Array:
        _, _, _, rz, count = carry
        return ((rz > goal) & (count < most)).any()

    def iterate(carry: tuple) -> tuple:
        x, r, p, rz, count = carry
        going = (rz > goal) & (count < most)
        image = operator(p)
        alpha = _ratio_or_zero(rz, _dot(p, image), going)
        x, r = _step(x, alpha, p), _step(r, -alpha, image)
        z = precondition(r, medium)
        new = jnp.where(going, _dot(r, z), rz)
        return x, r, _step(z, _ratio_or_zero(new, rz, going), p), new, count + going

    start = (jax.tree.map(jnp.zeros_like, b), b, z, first, jnp.zeros(first.shape, int))
    x, _, _, rz, count = jax.lax.while_loop(unfinished, iterate, start)
    return x, jnp.sqrt(jnp.maximum(rz, 0.0)), count


class ElasticSolution(NamedTuple):
    """Stiffness (sve, 6, 6), reached residuals and CG iterations (sve, 6), and displacements (6, 3,
    sve, x, y, z) of the six load cases.
    """

    stiffness: jax.Array
    residual: jax.Array
    iterations: jax.Array
    displacement: jax.Array


@partial(jax.jit, static_argnames="most")
def solve_elastic(
    constants: Constants, waves: Spectrum, tolerance: float, most: int
) -> ElasticSolution:
    """Solve the six elastic load cases, by at most `most` iterations of CG each."""
    count, *shape = constants.bulk.shape
    dtype = constants.bulk.dtype
    medium = homogeneous_medium(
        *_elastic_medium(constants), jnp.zeros(6, dtype), tuple(shape), waves
    )
    unit = np.concatenate([element.BULK_STIFFNESS, element.SHEAR_STIFFNESS])
    never = jnp.zeros(count, dtype)

    def operator(x: Point) -> Point:
        forces = element.matmul(unit, element.corner_displacement(*x))
        return Point(
            *element.assemble(constants.bulk * forces[:24] + constants.shear * forces[24:])
        )

    def unloaded(x: Point) -> Point:
        return Point(operator(x).nodal, x.mean)  # the mean strain is given, so it has no residual

    def case(strain: jax.Array) -> tuple[jax.Array, ...]:
        mean = jnp.broadcast_to(strain[:, None], (6, count))
        load = unloaded(Point(jnp.zeros((3, count, *shape), dtype), mean)).nodal
        still = Point(-load, jnp.zeros((6, count), dtype))
        size = jnp.sqrt(np.prod(shape) * _elastic_energy(constants, strain))
        x, left, iterations = _conjugate_gradients(
            unloaded, still, medium, never, tolerance * size, most
        )
        return (
            operator(Point(x.nodal, mean)).mean / np.prod(shape),
            x.nodal,
            left / size,
            iterations,
        )

    stress, displacement, reached, iterations = jax.lax.map(case, jnp.eye(6, dtype=dtype))
    stiffness = jnp.moveaxis(stress, -1, 0)
    symmetric = (stiffness + jnp.swapaxes(stiffness, 1, 2)) / 2
    return ElasticSolution(symmetric, reached.T, iterations.T, displacement)


class _Increment(NamedTuple):
    x: Point
    state: PlasticState
    stress: jax.Array
    residual: jax.Array
    newton: jax.Array
    iterations: jax.Array


@partial(jax.jit, static_argnames=("newton", "cg"))
def solve_increment(
    x: Point,
    state: PlasticState,
    constants: Constants,
    waves: Spectrum,
    free: jax.Array,
    stress: jax.Array,
    load: jax.Array,
    tolerance: float,
    newton: int,
    cg: int,
) -> _Increment:
    """Equilibrium from the guess `x`: mean stress `stress` (6, sve) where `free` (6,) is 1, mean
    strain that of the guess elsewhere.
    """
    shape = constants.bulk.shape[1:]
    voxels = np.prod(shape)
    free_rows = free[:, None]
    elastic = homogeneous_medium(*_elastic_medium(constants), free, shape, waves)

    def forces(deviator: jax.Array, pressure: jax.Array) -> tuple[Point, jax.Array]:
        """Out-of-balance force and mean stress (6, sve) of a stress deviator and a mean stress, by
        Gauss point or voxel.
        """
        pressure = pressure.mean(0) if pressure.ndim > 4 else pressure
        nodal, total = element.assemble(element.corner_forces(deviator, pressure))
        return Point(nodal, free_rows * total), total / voxels

    def evaluate(x: Point) -> tuple[Point, jax.Array, Tangent]:
        """Out-of-balance force, its norm (sve,) and the tangent."""
        deviator, pressure, tangent, _ = _stress(x, state, constants)
        out, _ = forces(deviator, pressure)
        out = Point(out.nodal, out.mean - free_rows * stress * voxels)
        return (
            out,
            jnp.sqrt(jnp.maximum(_dot(out, precondition(out, elastic)), 0.0)) / load,
            tangent,
        )

    def improve(carry: tuple) -> tuple:
        x, out, norm, tangent, count, iterations = carry
        going = (norm > tolerance) & (count < newton)

        def operator(direction: Point) -> Point:
            return forces(*tangent(*element.strain(element.corner_displacement(*direction))))[0]

        medium = homogeneous_medium(*_tangent_medium(constants, tangent), free, shape, waves)
        # 2 is done
        forcing = jnp.where(going, jnp.clip(FORCING * tolerance / norm, *FORCING_BOUNDS), 2.0)
        against = jax.tree.map(jnp.negative, out)
        direction, _, used = _conjugate_gradients(
            operator, against, medium, forcing, jnp.zeros_like(norm), cg
        )

        def attempt(factor: jax.Array, tries: int) -> tuple:
            return factor, *evaluate(_step(x, factor, direction)), tries

        def worse(trial: tuple) -> jax.Array:
            return going & (trial[2] > jnp.maximum(0.98 * norm, tolerance))

        def backtrack(trial: tuple) -> tuple:
            return attempt(jnp.where(worse(trial), 0.4 * trial[0], trial[0]), trial[-1] + 1)

        first = attempt(jnp.where(going, 1.0, 0.0).astype(norm.dtype), 0)
        factor, out, new, tangent, _ = jax.lax.while_loop(
            lambda trial: worse(trial).any() & (trial[-1] < 5), backtrack, first
        )
        return (
            _step(x, factor, direction),
            out,
            jnp.where(going, new, norm),
            tangent,
            count + going,
            iterations + used,
        )

    def unfinished(carry: tuple) -> jax.Array:
        _, _, norm, _, count, _ = carry
        return ((norm > tolerance) & (count < newton)).any()

    none = jnp.zeros(load.shape, int)
    x, _, norm, _, count, iterations = jax.lax.while_loop(
        unfinished, improve, (x, *evaluate(x), none, none)
    )
    deviator, pressure, _, state = _stress(x, state, constants)
    return _Increment(x, state, forces(deviator, pressure)[1], norm, count, iterations)


def _stress(
    x: Point, state: PlasticState, constants: Constants
) -> tuple[jax.Array, jax.Array, Tangent, PlasticState]:
    """Stress deviator, mean stress, tangent and new state."""
    deviator, dilatation = element.strain(element.corner_displacement(*x))
    if constants.dilatancy is not None:
        return elliptic_return(deviator, dilatation, state, constants)
    deviator, tangent, state = radial_return(deviator, state, constants)
    return deviator, constants.bulk * dilatation, tangent, state


@jax.jit
def voxel_fields(
    x: Point, state: PlasticState, constants: Constants
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Voxel means of strain and stress (6, sve, x, y, z) and of the accumulated plastic strain
    (sve, x, y, z).
    """
    strain = element.matmul(element.MEAN_STRAIN, element.corner_displacement(*x))
    plastic = element.matmul(DEVIATORIC_BASIS.T, state.strain.mean(1))
    dilatation = strain[:3].sum(0)
    spherical = (constants.bulk - 2 * constants.shear / 3) * dilatation
    if state.dilatation is not None:
        lost = state.dilatation.mean(0)
        spherical = spherical - constants.bulk * lost
    stress = (
        2 * constants.shear * (strain - plastic)
        + jnp.asarray(TRACE, strain.dtype)[:, None, None, None, None] * spherical
    )
    return strain, stress, state.accumulated.mean(0)
