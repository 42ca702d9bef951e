"""Batched periodic homogenisation of porous elastoplastic SVEs, on CPU and GPU.

Small strain, B-bar hexahedra on the voxels (`element`), J2 plasticity (`plasticity`), pores of zero stiffness. Newton's method with
backtracking; each step is solved, matrix-free, by conjugate gradients preconditioned by FFT (`medium`). Unknowns are the periodic part
of the displacement and those mean strains whose mean stress is given, so that uniaxial stress needs no outer loop. All SVEs of a
batch go together; those that are finished stand still.

Lengths are in voxel edges, stresses in MPa in Mandel order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from svevae.errors import ConfigError, DataError, SolverError
from svevae.physics import element
from svevae.physics.elasticity import AXES, DEVIATORIC_BASIS, TRACE, Material, moduli
from svevae.physics.medium import SVE, Medium, Point, Spectrum, homogeneous_medium, precondition, spectrum
from svevae.physics.plasticity import Constants, PlasticState, Tangent, radial_return

SOFTEST = 0.02  # share of the elastic shear modulus added to the medium of a plastic tangent: perfect plasticity has none of its own
SMALLEST_LOAD = 1e-2  # an increment's residual is measured against its load, or this share of the whole load if that is more
FLOATS_PER_VOXEL = {"elastic": 214, "path": 308}  # held at the peak, as the compiler says; tests/physics/test_homogenize.py compares
GAUSS_AND_VOXELS = (0, *element.GRID)
RECIPE = 1  # raise it with any change of the element, the equations or the settings' meaning: labels made before are then made again


@dataclass(frozen=True)
class Settings:
    """How exactly to solve.

    The residual is the out-of-balance force over the load, in the energy norm of a homogeneous elastic medium: of a load case at most
    `elastic_tolerance`, of an increment at most `tolerance`. An apparent stiffness is wrong by the square of its residual, a stress on a
    curve by its first power. `newton` and `cg` are the most iterations of an increment and of a linear solve.
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
                raise ConfigError(f"{name}: expected a number between 0 and 1, received {getattr(self, name)}")


@dataclass(frozen=True)
class Loading:
    """A path of the mean strain and stress: where `controlled` (6,) the mean follows `strain` (increment, 6), else `stress`, in MPa.

    Raises ConfigError where a shape is wrong or a number is not finite.
    """

    strain: np.ndarray
    stress: np.ndarray
    controlled: np.ndarray

    def __post_init__(self) -> None:
        if np.ndim(self.strain) != 2 or np.shape(self.strain)[1] != 6 or np.shape(self.stress) != np.shape(self.strain):
            received = f"{np.shape(self.strain)} and {np.shape(self.stress)}"
            raise ConfigError(f"loading: expected strain and stress of one shape (increment, 6), received {received}")
        if np.shape(self.controlled) != (6,):
            raise ConfigError(f"loading.controlled: expected shape (6,), received {np.shape(self.controlled)}")
        if not (np.isfinite(self.strain).all() and np.isfinite(self.stress).all()):
            raise ConfigError("loading: expected finite numbers")

    @classmethod
    def prescribed_strain(cls, strain: np.ndarray) -> Loading:
        """All six mean strains given, (increment, 6)."""
        return cls(np.asarray(strain, float), np.zeros(np.shape(strain)), np.ones(6, bool))

    @classmethod
    def uniaxial_stress(cls, axis: str, strain: Sequence[float]) -> Loading:
        """Tension along `axis` ("x", "y" or "z") at the given strains, the other five mean stresses zero."""
        i, strain = AXES[axis], np.asarray(strain, float)
        path = np.zeros((len(strain), 6))
        path[:, i] = strain
        return cls(path, np.zeros_like(path), np.arange(6) == i)


@dataclass(frozen=True)
class Elastic:
    """Apparent stiffness (sve, 6, 6), reached residuals and CG iterations (sve, 6); the displacements of the six cases for `path`."""

    stiffness: np.ndarray
    residual: np.ndarray
    iterations: np.ndarray
    displacement: jax.Array = field(repr=False)  # (6, 3, sve, x, y, z)

    def take(self, index: np.ndarray) -> Elastic:
        """Of the SVEs `index` alone."""
        return Elastic(self.stiffness[index], self.residual[index], self.iterations[index], self.displacement[:, :, index])


@dataclass(frozen=True)
class Path:
    """Mean strain and stress (sve, increment, 6), reached residual, Newton and CG iterations (sve, increment).

    `fields`, on request, has voxel means at the last increment: stress and strain (sve, x, y, z, 6) and plastic_strain (sve, x, y, z).
    """

    strain: np.ndarray
    stress: np.ndarray
    residual: np.ndarray
    newton: np.ndarray
    iterations: np.ndarray
    fields: dict[str, np.ndarray] = field(repr=False, default_factory=dict)


class Solver:
    """Homogenises batches of SVEs of one shape (x, y, z); any numbers of voxels, odd or even."""

    def __init__(self, shape: tuple[int, int, int], settings: Settings | None = None):
        if len(shape) != 3 or min(shape) < 1:
            raise ConfigError(f"shape: expected three positive numbers of voxels, received {shape}")
        self.shape = tuple(int(n) for n in shape)
        self.settings = settings or Settings()
        with self._precision():
            self._waves = spectrum(self.shape, self.settings.dtype)

    def elastic(self, material: Material, voxels: np.ndarray | None = None, names: Sequence[str] | None = None) -> Elastic:
        """Apparent stiffness of each SVE, from six load cases.

        `voxels` (sve, x, y, z), 1 where there is a pore, take the stiffness from `material`; without them its fields say everything.
        `names` are what errors call the SVEs. Raises DataError for a wrong shape or an SVE without material, SolverError where CG does
        not converge.
        """
        with self._precision():
            constants = self._constants(material, voxels)
            settings = self.settings
            found = _solve_elastic(constants, self._waves, settings.elastic_tolerance, settings.cg)
            stiffness, residual, iterations = (np.asarray(part, float if k < 2 else int) for k, part in enumerate(found[:3]))
        for sve, case in np.argwhere(~(residual <= settings.elastic_tolerance)):
            raise SolverError(
                f"{_name(names, sve)}, load case {case}: residual {residual[sve, case]:.2g} after {settings.cg} iterations, "
                f"expected at most {settings.elastic_tolerance:g}"
            )
        return Elastic(stiffness, residual, iterations, found[3])

    def path(
        self,
        material: Material,
        loading: Loading,
        voxels: np.ndarray | None = None,
        elastic: Elastic | None = None,
        names: Sequence[str] | None = None,
        fields: bool = False,
        report: Callable[[int], None] | None = None,
    ) -> Path:
        """Response of each SVE along `loading`; `elastic`, of the same SVEs, gives a better start; `report(increment)` follows.

        Raises DataError as `elastic` does, and SolverError that names the SVE, the increment and the residual.
        """
        with self._precision():
            constants = self._constants(material, voxels)
            dtype, count = self.settings.dtype, len(constants.bulk)
            controlled = np.asarray(loading.controlled, bool)
            loads = _loads(loading, constants)
            state = PlasticState(jnp.zeros((5, 8, count, *self.shape), dtype), jnp.zeros((8, count, *self.shape), dtype))
            x = before = Point(jnp.zeros((3, count, *self.shape), dtype), jnp.zeros((6, count), dtype))
            results = []
            for k in range(len(loading.strain)):
                guess = _extrapolate(x, before, _ratio(loading, k)) if k else _elastic_start(loading, constants, elastic)
                strain, stress = (jnp.asarray(target[k], dtype)[:, None] for target in (loading.strain, loading.stress))
                guess = Point(guess.nodal, jnp.where(controlled[:, None], strain, guess.mean))
                free, load = jnp.asarray(~controlled, dtype), jnp.asarray(loads[k], dtype)
                limits = self.settings.tolerance, self.settings.newton, self.settings.cg
                found = _solve_increment(guess, state, constants, self._waves, free, stress, load, *limits)
                x, before, state = found.x, x, found.state
                results.append([np.asarray(part) for part in (x.mean.T, found.stress.T, found.residual, found.newton, found.iterations)])
                self._check_increment(k, found.residual, names)
                if report:
                    report(k)
            columns = [np.stack(part, axis=1) for part in zip(*results, strict=True)]
            return Path(*columns, fields=_voxel_means(x, state, constants) if fields else {})

    def memory(self, count: int = 1, kind: str = "path") -> int:
        """Bytes that a batch of `count` SVEs needs at its peak; `kind` is "path" or "elastic"."""
        return count * int(np.prod(self.shape)) * FLOATS_PER_VOXEL[kind] * np.dtype(self.settings.dtype).itemsize

    def _precision(self) -> AbstractContextManager:
        return jax.enable_x64(self.settings.dtype == "float64")

    def _constants(self, material: Material, voxels: np.ndarray | None) -> Constants:
        """Moduli of every voxel, pores zero; raises DataError where the shape is wrong or an SVE has no material at all."""
        if voxels is not None and np.shape(voxels)[1:] != self.shape:
            raise DataError(f"voxels: expected shape (sve, {', '.join(map(str, self.shape))}), received {np.shape(voxels)}")
        solid = 1.0 if voxels is None else np.asarray(voxels) == 0
        bulk, shear = moduli(material.E, material.nu)
        shapes = [np.shape(value) for value in (bulk, material.s0, material.Q, material.b)]
        try:
            count = np.broadcast_shapes(np.shape(solid), (1, *self.shape), *shapes)
        except ValueError:
            count = ()
        if count[1:] != self.shape:
            expected = f"expected fields that broadcast to (sve, {', '.join(map(str, self.shape))})"
            raise DataError(f"material: {expected}, received {', '.join(map(str, shapes))}")
        bulk, shear = (np.broadcast_to(modulus * solid, count) for modulus in (bulk, shear))
        empty = np.flatnonzero(~bulk.any(axis=(1, 2, 3)))
        if len(empty):
            raise DataError(f"SVE {empty[0]}: expected some material, received pores only; {len(empty)} such SVEs in all")
        voce = (np.asarray(value, float) for value in (material.s0, material.Q, material.b))
        voce = (value.reshape((1,) * (4 - value.ndim) + value.shape) for value in voce)
        return Constants(*(jnp.asarray(value, self.settings.dtype) for value in (bulk, shear, *voce)))

    def _check_increment(self, k: int, residual: jax.Array, names: Sequence[str] | None) -> None:
        residual = np.asarray(residual)
        if (bad := np.flatnonzero(~(residual <= self.settings.tolerance))).size:
            raise SolverError(
                f"{_name(names, bad[0])}, increment {k}: residual {residual[bad[0]]:.2g} after {self.settings.newton} Newton iterations, "
                f"expected at most {self.settings.tolerance:g}; {len(bad)} of {len(residual)} SVEs did not converge"
            )


def _name(names: Sequence[str] | None, sve: int) -> str:
    return f"SVE {sve}" if names is None else names[sve]


def _mean_stiffness(constants: Constants) -> np.ndarray:
    """(sve, 6, 6): mean of the voxels' elastic stiffnesses."""
    bulk, shear = (np.asarray(modulus.mean(element.GRID), float) for modulus in constants[:2])
    return bulk[:, None, None] * np.outer(TRACE, TRACE) + 2 * shear[:, None, None] * (np.eye(6) - np.outer(TRACE, TRACE) / 3)


def _loads(loading: Loading, constants: Constants) -> np.ndarray:
    """(increment, sve): energy norm of each increment's load on the mean elastic medium, the unit of its residual; above 0."""
    stiffness = _mean_stiffness(constants)
    voxels = np.prod(constants.bulk.shape[1:])

    def size(strain: np.ndarray, stress: np.ndarray) -> np.ndarray:
        strain, stress = strain * loading.controlled, stress * ~np.asarray(loading.controlled, bool)
        energy = np.einsum("ki,sij,kj->ks", strain, stiffness, strain)
        energy += np.einsum("ki,sij,kj->ks", stress, np.linalg.inv(stiffness), stress)
        return np.sqrt(voxels * energy)

    own = size(*(np.diff(target, axis=0, prepend=np.zeros((1, 6))) for target in (loading.strain, loading.stress)))
    whole = np.maximum.accumulate(size(loading.strain, loading.stress))
    load = np.maximum(own, SMALLEST_LOAD * whole)
    return np.where(load > 0, load, 1.0)


def _ratio(loading: Loading, k: int) -> float:
    """How far increment k goes in the direction of the one before it, in its lengths; 0 at a reversal."""
    targets = np.where(loading.controlled, loading.strain, loading.stress * 1e-5)  # stresses as strains, roughly
    now, last = targets[k] - targets[k - 1], targets[k - 1] - (targets[k - 2] if k > 1 else 0)
    return float(np.clip(now @ last / max(last @ last, 1e-30), 0, 4))


def _extrapolate(x: Point, before: Point, ratio: float) -> Point:
    return jax.tree.map(lambda now, then: now + ratio * (now - then), x, before)


def _elastic_start(loading: Loading, constants: Constants, elastic: Elastic | None) -> Point:
    """The elastic response at the first increment: exact if `elastic` is there, else that of the mean medium."""
    stiffness = _mean_stiffness(constants) if elastic is None else elastic.stiffness
    controlled = np.asarray(loading.controlled, bool)
    mean = np.zeros((len(stiffness), 6))
    mean[:, controlled] = loading.strain[0, controlled]
    if not controlled.all():
        missing = np.where(controlled, 0, loading.stress[0]) - np.einsum("sij,sj->si", stiffness, mean)
        inverse = np.linalg.pinv(stiffness[:, ~controlled][:, :, ~controlled], rcond=1e-6, hermitian=True)
        mean[:, ~controlled] = np.einsum("sij,sj->si", inverse, missing[:, ~controlled])
    dtype = constants.bulk.dtype
    mean = jnp.asarray(mean.T, dtype)
    if elastic is None:
        return Point(jnp.zeros((3, *constants.bulk.shape), dtype), mean)
    return Point(sum(mean[j][SVE] * elastic.displacement[j] for j in range(6)), mean)


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
    lower = {(i, j): (flow[i] * flow[j]).mean(GAUSS_AND_VOXELS) for i in range(5) for j in range(i + 1)}
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
    operator: Callable[[Point], Point], b: Point, medium: Medium, relative: jax.Array, absolute: jax.Array, most: int
) -> tuple[Point, jax.Array, jax.Array]:
    """operator(x) = b until each SVE's residual norm is below `relative` of its first value, or `absolute`, (sve,) each.

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


@partial(jax.jit, static_argnames="most")
def _solve_elastic(constants: Constants, waves: Spectrum, tolerance: float, most: int) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Stiffness (sve, 6, 6), reached residuals and iterations (sve, 6), displacements (6, 3, sve, x, y, z)."""
    count, *shape = constants.bulk.shape
    dtype = constants.bulk.dtype
    medium = homogeneous_medium(*_elastic_medium(constants), jnp.zeros(6, dtype), tuple(shape), waves)
    unit = np.concatenate([element.BULK_STIFFNESS, element.SHEAR_STIFFNESS])
    never = jnp.zeros(count, dtype)

    def operator(x: Point) -> Point:
        forces = element.matmul(unit, element.corner_displacement(*x))
        return Point(*element.assemble(constants.bulk * forces[:24] + constants.shear * forces[24:]))

    def unloaded(x: Point) -> Point:
        return Point(operator(x).nodal, x.mean)  # the mean strain is given, so it has no residual

    def case(strain: jax.Array) -> tuple[jax.Array, ...]:
        mean = jnp.broadcast_to(strain[:, None], (6, count))
        load = unloaded(Point(jnp.zeros((3, count, *shape), dtype), mean)).nodal
        still = Point(-load, jnp.zeros((6, count), dtype))
        size = jnp.sqrt(np.prod(shape) * _elastic_energy(constants, strain))
        x, left, iterations = _conjugate_gradients(unloaded, still, medium, never, tolerance * size, most)
        return operator(Point(x.nodal, mean)).mean / np.prod(shape), x.nodal, left / size, iterations

    stress, displacement, reached, iterations = jax.lax.map(case, jnp.eye(6, dtype=dtype))
    stiffness = jnp.moveaxis(stress, -1, 0)
    return (stiffness + jnp.swapaxes(stiffness, 1, 2)) / 2, reached.T, iterations.T, displacement


class _Increment(NamedTuple):
    x: Point
    state: PlasticState
    stress: jax.Array
    residual: jax.Array
    newton: jax.Array
    iterations: jax.Array


@partial(jax.jit, static_argnames=("newton", "cg"))
def _solve_increment(
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
    """Equilibrium from the guess `x`: mean stress `stress` (6, sve) where `free` (6,) is 1, mean strain that of the guess elsewhere."""
    shape = constants.bulk.shape[1:]
    voxels = np.prod(shape)
    free_rows = free[:, None]
    elastic = homogeneous_medium(*_elastic_medium(constants), free, shape, waves)

    def forces(deviator: jax.Array, dilatation: jax.Array) -> tuple[Point, jax.Array]:
        """Of a stress deviator and a volume change: the out-of-balance force, and the mean stress (6, sve)."""
        nodal, total = element.assemble(element.corner_forces(deviator, constants.bulk * dilatation))
        return Point(nodal, free_rows * total), total / voxels

    def evaluate(x: Point) -> tuple[Point, jax.Array, Tangent]:
        """Out-of-balance force, its norm (sve,) and the tangent."""
        deviator, dilatation = element.strain(element.corner_displacement(*x))
        deviator, tangent, _ = radial_return(deviator, state, constants)
        out, _ = forces(deviator, dilatation)
        out = Point(out.nodal, out.mean - free_rows * stress * voxels)
        return out, jnp.sqrt(jnp.maximum(_dot(out, precondition(out, elastic)), 0.0)) / load, tangent

    def improve(carry: tuple) -> tuple:
        x, out, norm, tangent, count, iterations = carry
        going = (norm > tolerance) & (count < newton)

        def operator(direction: Point) -> Point:
            deviator, dilatation = element.strain(element.corner_displacement(*direction))
            return forces(tangent(deviator), dilatation)[0]

        medium = homogeneous_medium(*_tangent_medium(constants, tangent), free, shape, waves)
        forcing = jnp.where(going, jnp.clip(0.5 * tolerance / norm, 0.02, 0.3), 2.0)  # no more than the increment needs; 2 is done
        against = jax.tree.map(jnp.negative, out)
        direction, _, used = _conjugate_gradients(operator, against, medium, forcing, jnp.zeros_like(norm), cg)

        def attempt(factor: jax.Array, tries: int) -> tuple:
            return factor, *evaluate(_step(x, factor, direction)), tries

        def worse(trial: tuple) -> jax.Array:
            return going & (trial[2] > jnp.maximum(0.98 * norm, tolerance))

        def backtrack(trial: tuple) -> tuple:
            return attempt(jnp.where(worse(trial), 0.4 * trial[0], trial[0]), trial[-1] + 1)

        first = attempt(jnp.where(going, 1.0, 0.0).astype(norm.dtype), 0)
        factor, out, new, tangent, _ = jax.lax.while_loop(lambda trial: worse(trial).any() & (trial[-1] < 5), backtrack, first)
        return _step(x, factor, direction), out, jnp.where(going, new, norm), tangent, count + going, iterations + used

    def unfinished(carry: tuple) -> jax.Array:
        _, _, norm, _, count, _ = carry
        return ((norm > tolerance) & (count < newton)).any()

    none = jnp.zeros(load.shape, int)
    x, _, norm, _, count, iterations = jax.lax.while_loop(unfinished, improve, (x, *evaluate(x), none, none))
    deviator, dilatation = element.strain(element.corner_displacement(*x))
    deviator, _, state = radial_return(deviator, state, constants)
    return _Increment(x, state, forces(deviator, dilatation)[1], norm, count, iterations)


@jax.jit
def _fields(x: Point, state: PlasticState, constants: Constants) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Voxel means of strain and stress (6, sve, x, y, z) and of the accumulated plastic strain (sve, x, y, z)."""
    strain = element.matmul(element.MEAN_STRAIN, element.corner_displacement(*x))
    plastic = element.matmul(DEVIATORIC_BASIS.T, state.strain.mean(1))
    spherical = (constants.bulk - 2 * constants.shear / 3) * strain[:3].sum(0)
    stress = 2 * constants.shear * (strain - plastic) + jnp.asarray(TRACE, strain.dtype)[:, None, None, None, None] * spherical
    return strain, stress, state.accumulated.mean(0)


def _voxel_means(x: Point, state: PlasticState, constants: Constants) -> dict[str, np.ndarray]:
    strain, stress, plastic = map(np.asarray, _fields(x, state, constants))
    return {"strain": np.moveaxis(strain, 0, -1), "stress": np.moveaxis(stress, 0, -1), "plastic_strain": plastic}
