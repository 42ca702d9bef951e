"""The elliptic return against the radial one, closed forms of tension and pressure, an ODE of its
flow, and finite differences.
"""

from __future__ import annotations

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from svevae.errors import ConfigError
from svevae.physics import elasticity, plasticity, porous
from svevae.physics.elasticity import PRESETS, PorousMaterial, dilatancy, plastic_poisson
from svevae.physics.hardening import Hardening
from svevae.physics.homogenize import Loading, Settings, Solver
from svevae.physics.microstructure import make_part
from svevae.physics.plasticity import Constants, PlasticState, inner
from svevae.physics.voce import voce_curve

RNG = np.random.default_rng(0)
COUNT = 200
elliptic_return, radial_return = jax.jit(porous.elliptic_return), jax.jit(plasticity.radial_return)
MATRIX = PRESETS["as-built-z"]
EXACT = Settings("float64", elastic_tolerance=1e-9, tolerance=1e-8)


@pytest.fixture(autouse=True)
def _double() -> Iterator[None]:
    RNG.bit_generator.state = np.random.default_rng(0).bit_generator.state
    with jax.enable_x64(True):
        yield


def points(nu_p: np.ndarray) -> tuple[jax.Array, jax.Array, PlasticState, Constants]:
    """Strain deviators from elastic to far beyond yield, volume changes, states and materials, hard
    and soft, hardening or not.
    """
    shear, Q, b = (
        RNG.uniform(1e4, 5e4, COUNT),
        RNG.uniform(0, 400, COUNT),
        10 ** RNG.uniform(0, 3, COUNT),
    )
    Q[::5] = 0
    columns = 2 * shear, shear, RNG.uniform(50, 400, COUNT), Q, b, dilatancy(nu_p)
    constants = Constants(
        *(jnp.asarray(np.broadcast_to(column, COUNT).reshape(-1, 1, 1, 1)) for column in columns)
    )
    shape = (1, COUNT, 1, 1, 1)
    state = PlasticState(
        *map(
            jnp.asarray,
            (
                0.01 * RNG.normal(size=(5, *shape)),
                0.05 * RNG.random(shape),
                0.005 * RNG.normal(size=shape),
            ),
        )
    )
    strain = state.strain + 0.01 * RNG.normal(size=(5, *shape)) * 10 ** RNG.uniform(-2, 0.7, shape)
    return strain, jnp.asarray(0.01 * RNG.normal(size=(COUNT, 1, 1, 1))), state, constants


def tables(concave: bool = False) -> jax.Array:
    """A table of 12 points for each material, of steps in plastic strain from 1e-5 to 1e-2; steep
    where it will, or less steep from step to step.
    """
    steps = 10 ** RNG.uniform(-5, -2, (COUNT, 1, 1, 1, 12))
    rises = RNG.uniform(0, 60, steps.shape)
    if concave:
        rises = -np.sort(-rises / steps, axis=-1) * steps
    strain, stress = np.cumsum(steps, axis=-1), np.cumsum(rises, axis=-1) + 50
    # the first step leads to the first point
    return jnp.asarray(Hardening(strain - strain[..., :1], stress).lines())


def equivalent(deviator: jax.Array, pressure: jax.Array, a: jax.Array) -> np.ndarray:
    return np.sqrt(
        (1.5 * np.asarray(inner(deviator, deviator)) + 9 * np.asarray(a * pressure**2))
        / (1 + np.asarray(a))
    )


def test_without_dilatancy_it_is_the_radial_return() -> None:
    strain, dilatation, state, constants = points(0.5)
    stress, pressure, tangent, new = elliptic_return(strain, dilatation, state, constants)
    expected, other, after = radial_return(
        strain, state._replace(dilatation=None), constants._replace(dilatancy=None)
    )
    np.testing.assert_allclose(stress, expected, atol=1e-9)
    np.testing.assert_allclose(
        pressure, constants.bulk * (dilatation - state.dilatation), rtol=1e-12
    )
    np.testing.assert_allclose(new.accumulated, after.accumulated, atol=1e-14)
    np.testing.assert_allclose(new.strain, after.strain, atol=1e-14)
    np.testing.assert_array_equal(new.dilatation, state.dilatation)
    np.testing.assert_allclose(tangent.flow, other.flow, atol=1e-9 * np.abs(other.flow).max())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_without_strength_it_flows(dtype: str) -> None:
    """And the rest beside it is as strong as it was; the local iteration ends in time."""
    strain, dilatation, state, constants = jax.tree.map(
        lambda part: part.astype(dtype), points(0.4)
    )
    weak = jnp.arange(COUNT).reshape(-1, 1, 1, 1) % 2 == 0
    none = constants._replace(
        s0=jnp.where(weak, 0.0, constants.s0), Q=jnp.where(weak, 0.0, constants.Q)
    )
    stress, pressure, _, _ = elliptic_return(strain, dilatation, state, none)
    share = equivalent(stress, pressure, constants.dilatancy) / np.asarray(constants.shear)
    assert share[:, weak.ravel()].max() < 2e-6
    expected = elliptic_return(strain, dilatation, state, constants)[0]
    np.testing.assert_array_equal(stress[:, :, ~weak.ravel()], expected[:, :, ~weak.ravel()])


@pytest.mark.parametrize("tabulated", [False, True])
def test_stress_lies_on_the_yield_surface_or_within(tabulated: bool) -> None:
    """Also by steps over none, one and many points of tables that differ, steep, flat, convex."""
    strain, dilatation, state, constants = points(RNG.uniform(0, 0.5, COUNT))
    if tabulated:
        constants = constants._replace(hardening=tables())
    stress, pressure, _, new = elliptic_return(strain, dilatation, state, constants)
    limit = constants.s0 + constants.Q * (1 - jnp.exp(-constants.b * new.accumulated))
    if constants.hardening is not None:
        table = np.asarray(constants.hardening)[..., 0, 0, 0]
        accumulated = np.asarray(new.accumulated).ravel()
        found = [np.interp(p, *table[:, :2, k].T) for k, p in enumerate(accumulated)]
        limit = jnp.reshape(jnp.array(found), limit.shape)
    plastic = np.asarray(new.accumulated > state.accumulated)
    share = equivalent(stress, pressure, constants.dilatancy) / np.asarray(limit)
    assert 0.5 < plastic.mean() < 0.9
    np.testing.assert_allclose(share[plastic], 1, rtol=1e-12)
    assert (share[~plastic] <= 1).all()
    np.testing.assert_allclose(
        stress, 2 * constants.shear * (strain - new.strain), rtol=1e-9, atol=1e-7
    )
    np.testing.assert_allclose(
        pressure, constants.bulk * (dilatation - new.dilatation), rtol=1e-9, atol=1e-7
    )


def test_the_work_of_the_plastic_strain_is_that_of_the_equivalent_stress() -> None:
    """By which the accumulated plastic strain is defined: stress : plastic strain = equivalent
    stress times its increment.
    """
    strain, dilatation, state, constants = points(RNG.uniform(0, 0.5, COUNT))
    stress, pressure, _, new = elliptic_return(strain, dilatation, state, constants)
    work = inner(stress, new.strain - state.strain) + pressure * (new.dilatation - state.dilatation)
    expected = equivalent(stress, pressure, constants.dilatancy) * np.asarray(
        new.accumulated - state.accumulated
    )
    np.testing.assert_allclose(work, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("tabulated", [False, True])
def test_tangent_is_the_derivative_and_symmetric(tabulated: bool) -> None:
    strain, dilatation, state, constants = points(RNG.uniform(0, 0.5, COUNT))
    constants = constants._replace(hardening=tables(concave=True) if tabulated else None)
    moves = [
        (jnp.asarray(RNG.normal(size=strain.shape)), jnp.asarray(RNG.normal(size=dilatation.shape)))
        for _ in range(2)
    ]
    _, _, tangent, _ = elliptic_return(strain, dilatation, state, constants)
    images = [tangent(*move) for move in moves]
    step = 1e-8
    for (e, v), (ds, dp) in zip(moves, images, strict=True):
        up, down = (
            elliptic_return(
                strain + sign * step * e, dilatation + sign * step * v, state, constants
            )[:2]
            for sign in (1, -1)
        )
        size = np.asarray(constants.bulk)
        np.testing.assert_allclose(
            np.asarray(up[0] - down[0]) / (2 * step) / size, np.asarray(ds) / size, atol=1e-5
        )
        np.testing.assert_allclose(
            np.asarray(up[1] - down[1]) / (2 * step) / size, np.asarray(dp) / size, atol=1e-5
        )
    (one, other), (image, twin) = moves, images
    left, right = (inner(a[0], b[0]) + a[1] * b[1] for a, b in ((one, twin), (other, image)))
    np.testing.assert_allclose(left, right, rtol=1e-9, atol=1e-6)


def test_many_small_steps_follow_the_flow_rule() -> None:
    """A strain path of shear and volume change, against its rate equations integrated by
    Runge-Kutta.
    """
    # shear along one deviator, and volume change, at time 1
    nu_p, path = (
        0.3,
        np.array([0.012, 0.006]),
    )
    a, bulk, shear = float(dilatancy(nu_p)), 68_627.0, 26_316.0
    s0, Q, b = 216.0, 312.0, 40.0

    def rate(t: float, y: np.ndarray) -> np.ndarray:
        s, p, done = y
        elastic = np.array([2 * shear * path[0], bulk * path[1]])
        size = np.sqrt((1.5 * s**2 + 9 * a * p**2) / (1 + a))
        normal = np.array([1.5 * s, 9 * a * p]) / ((1 + a) * size)
        if size < s0 + Q * (1 - np.exp(-b * done)) * (1 - 1e-12):
            return np.append(elastic, 0.0)
        stiff = normal * [2 * shear, bulk]
        multiplier = max(normal @ elastic / (normal @ stiff + b * Q * np.exp(-b * done)), 0.0)
        return np.append(elastic - multiplier * stiff, multiplier)

    expected = solve_ivp(rate, (0, 1), [1e-9, 1e-9, 0.0], rtol=1e-10, atol=1e-9, max_step=1e-3).y[
        :, -1
    ]
    constants = Constants(*(jnp.full((1, 1, 1, 1), value) for value in (bulk, shear, s0, Q, b, a)))
    zero = jnp.zeros((1, 1, 1, 1, 1))
    state = PlasticState(jnp.zeros((5, 1, 1, 1, 1, 1)), zero, zero)
    for share in np.linspace(0, 1, 2001)[1:]:
        strain = jnp.zeros((5, 1, 1, 1, 1, 1)).at[2].set(share * path[0])
        stress, pressure, _, state = elliptic_return(
            strain, jnp.full((1, 1, 1, 1), share * path[1]), state, constants
        )
    found = [
        float(stress[2].squeeze()),
        float(pressure.squeeze()),
        float(state.accumulated.squeeze()),
    ]
    np.testing.assert_allclose(found, expected, rtol=2e-3)


@pytest.mark.parametrize("nu_p", [0.5, 0.45, 0.2])
def test_tension_is_that_of_the_matrix_but_for_the_contraction(nu_p: float) -> None:
    """Whatever the plastic Poisson's ratio, the curve is Voce's; the sides contract by nu and
    nu_p.
    """
    strain = np.array([0.001, 0.004, 0.01, 0.03])
    material = PorousMaterial(MATRIX.E, MATRIX.nu, MATRIX.s0, MATRIX.Q, MATRIX.b, nu_p)
    path = Solver((2, 2, 2), EXACT).path(
        material, Loading.uniaxial_stress("z", strain), np.zeros((1, 2, 2, 2), np.uint8)
    )
    stress = voce_curve(MATRIX.E, MATRIX.s0, MATRIX.Q, MATRIX.b, strain)
    np.testing.assert_allclose(path.stress[0, :, 2], stress, rtol=1e-6)
    plastic = strain - stress / MATRIX.E
    np.testing.assert_allclose(
        path.strain[0, :, 0], -MATRIX.nu * stress / MATRIX.E - nu_p * plastic, rtol=1e-6
    )


@pytest.mark.parametrize("by", ["numba", "jax"])
def test_tension_is_that_of_the_table(by: str) -> None:
    """Of two SVEs with tables of their own, beyond the last point too; a plastic Poisson's ratio
    does not matter.
    """
    strain = np.array([0.001, 0.004, 0.01, 0.03])
    stress = np.array([[100, 180, 250, 300], [90, 200, 200, 210]]).reshape(2, 1, 1, 1, 4)
    table = Hardening(np.array([0, 0.001, 0.005, 0.02]), stress)
    material = PorousMaterial(MATRIX.E, MATRIX.nu, nu_p=0.3, hardening=table)
    solver, loading = Solver((2, 2, 2), EXACT, by=by), Loading.uniaxial_stress("z", strain)
    path = solver.path(material, loading, np.zeros((2, 2, 2, 2), np.uint8))
    expected = table.tension(np.full((2, 1, 1, 1), MATRIX.E), strain).reshape(2, -1)
    np.testing.assert_allclose(path.stress[:, :, 2], expected, rtol=1e-6)
    plastic = strain - expected / MATRIX.E
    np.testing.assert_allclose(
        path.strain[:, :, 0], -MATRIX.nu * expected / MATRIX.E - 0.3 * plastic, rtol=1e-6
    )
    second = material.take(np.array([1]))
    alone = solver.path(second, loading, np.zeros((1, 2, 2, 2), np.uint8))
    np.testing.assert_allclose(alone.stress, path.stress[1:], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("by", ["numba", "jax"])
def test_a_fine_table_is_voces_law(by: str) -> None:
    """1,000 points of it, under shear and pressure, and back."""
    strain = np.linspace(0, 0.05, 1001)
    table = Hardening(strain, MATRIX.s0 - MATRIX.Q * np.expm1(-MATRIX.b * strain))
    loading = Loading.prescribed_strain(
        np.outer([0.002, 0.01, 0.004], [1.0, -0.3, 0.2, 0.5, 0.1, -0.2])
    )
    found = [
        Solver((1, 1, 1), EXACT, by=by).path(material, loading).stress
        for material in (
            PorousMaterial(MATRIX.E, MATRIX.nu, MATRIX.s0, MATRIX.Q, MATRIX.b, 0.3),
            PorousMaterial(MATRIX.E, MATRIX.nu, nu_p=0.3, hardening=table),
        )
    ]
    np.testing.assert_allclose(found[1], found[0], rtol=1e-6, atol=1e-3)


def test_pressure_alone_makes_it_yield() -> None:
    """At a mean stress of s0 sqrt((1 + a) / (9 a)), beyond which without hardening there is
    none.
    """
    a = float(dilatancy(0.3))
    material = PorousMaterial(MATRIX.E, MATRIX.nu, MATRIX.s0, 0.0, 0.0, 0.3)
    strain = np.array([0.0005, 0.01])[:, None] * [1, 1, 1, 0, 0, 0]
    path = Solver((2, 2, 2), EXACT).path(
        material, Loading.prescribed_strain(strain), np.zeros((1, 2, 2, 2), np.uint8)
    )
    limit = MATRIX.s0 * np.sqrt((1 + a) / (9 * a))
    assert path.stress[0, 0, :3] == pytest.approx(MATRIX.E / (1 - 2 * MATRIX.nu) * 0.0005, rel=1e-6)
    assert path.stress[0, 1, :3] == pytest.approx(limit, rel=1e-6)


def test_plastic_poisson_follows_the_elastic_one() -> None:
    np.testing.assert_allclose(
        plastic_poisson(np.array([0.33, 0.34, 0.31, 0.1]), 0.33),
        [0.5, 0.5, 0.5 - 0.02 * elasticity.SLOPE, 0.0],
    )
    with pytest.raises(
        ConfigError,
        match=r"material.nu_p: expected a number between -1 and 0.5, or 0.5, received 0.6",
    ):
        PorousMaterial(70e3, 0.33, nu_p=0.6)


@pytest.mark.slow
def test_plastic_poisson_of_porous_cells() -> None:
    """The solver's own contraction of SVEs like the dataset's, which the ratio was not taken
    from.
    """
    how = {
        "pore_length": 4.0,
        "elongation": 1.5,
        "modulation_length": 24,
        "modulation_strength": 0.5,
    }
    voxels = np.stack(
        [
            make_part("gaussian", (24, 24, 24), 3, k, how | {"porosity": 0.02 + 0.02 * k})
            for k in range(6)
        ]
    )
    solver, strain = Solver((24, 24, 24)), np.array([0.0008, 0.004, 0.01, 0.02])
    path = solver.path(
        MATRIX, Loading.uniaxial_stress("z", strain), voxels, solver.elastic(MATRIX, voxels)
    )
    stress, lateral = path.stress[:, :, 2], -path.strain[:, :, :2].mean(axis=2)
    modulus, nu = stress[:, 0] / strain[0], lateral[:, 0] / strain[0]
    plastic = strain - stress / modulus[:, None]
    sideways = lateral - nu[:, None] * stress / modulus[:, None]
    found = np.diff(sideways[:, 1:]).sum(axis=1) / np.diff(plastic[:, 1:]).sum(axis=1)
    assert np.ptp(found) > 0.02
    np.testing.assert_allclose(found, plastic_poisson(nu, MATRIX.nu), atol=0.02)
