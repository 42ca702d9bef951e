"""The radial return against scalar equations solved by brentq, and its consistent tangent against
finite differences.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq

from svevae.physics import plasticity
from svevae.physics.plasticity import Constants, PlasticState, Tangent, inner

RNG = np.random.default_rng(0)
radial_return = jax.jit(plasticity.radial_return)
COUNT = 200  # points, of one material each: (5, gauss 1, sve COUNT, 1, 1, 1)


@pytest.fixture(autouse=True)
def _double() -> Iterator[None]:
    RNG.bit_generator.state = np.random.default_rng(
        0
    ).bit_generator.state  # each test draws the same alone and among others
    with jax.enable_x64(True):
        yield


def materials(count: int = COUNT) -> Constants:
    """Soft and hard, without hardening, and hardening slowly or at once."""
    shear = RNG.uniform(1e4, 5e4, count)
    columns = (
        2 * shear,
        shear,
        RNG.uniform(50, 400, count),
        RNG.uniform(0, 400, count),
        10 ** RNG.uniform(0, 3, count),
    )
    s0, Q, b = columns[2:]
    Q[::5] = 0
    b[1::7] = 0
    return Constants(
        *(jnp.asarray(column.reshape(-1, 1, 1, 1)) for column in (*columns[:2], s0, Q, b))
    )


def yield_stress(constants: Constants, p: np.ndarray) -> np.ndarray:
    s0, Q, b = (np.asarray(part).ravel() for part in constants[2:5])
    return s0 + Q * (1 - np.exp(-b * p))


def random_state(count: int = COUNT) -> PlasticState:
    strain, accumulated = (
        0.01 * RNG.normal(size=(5, 1, count, 1, 1, 1)),
        0.05 * RNG.random((1, count, 1, 1, 1)),
    )
    return PlasticState(jnp.asarray(strain), jnp.asarray(accumulated))


def strain_for(trial: np.ndarray, state: PlasticState, constants: Constants) -> jax.Array:
    """The strain deviator whose trial stress has the equivalent stress `trial` (point,), in random
    directions.
    """
    direction = RNG.normal(size=(5, 1, len(trial), 1, 1, 1))
    direction /= np.sqrt((direction**2).sum(0))
    shear = np.asarray(constants.shear).ravel()
    size = (np.asarray(trial) / 1.5**0.5 / (2 * shear)).reshape(1, -1, 1, 1, 1)
    return state.strain + jnp.asarray(direction * size)


def equivalent(stress: jax.Array) -> np.ndarray:
    return np.sqrt(1.5 * (np.asarray(stress) ** 2).sum(0)).ravel()


def matrix(tangent: Tangent) -> np.ndarray:
    """(point, 5, 5)."""
    count = tangent.isotropic.size
    none = jnp.zeros((count, 1, 1, 1))
    columns = [
        np.asarray(
            tangent(
                jnp.tile(jnp.eye(5)[:, k].reshape(5, 1, 1, 1, 1, 1), (1, 1, count, 1, 1, 1)), none
            )[0]
        )
        for k in range(5)
    ]
    return np.stack(columns, axis=1).reshape(5, 5, count).transpose(2, 0, 1)


def differences(
    strain: jax.Array, state: PlasticState, constants: Constants, step: float
) -> np.ndarray:
    """(point, 5, 5) central differences of the stress."""
    columns = []
    for k in range(5):
        move = jnp.zeros_like(strain).at[k].set(step)
        up, down = (radial_return(strain + sign * move, state, constants)[0] for sign in (1, -1))
        columns.append(np.asarray(up - down) / (2 * step))
    return np.stack(columns, axis=1).reshape(5, 5, -1).transpose(2, 0, 1)


def test_inner() -> None:
    a, b = RNG.normal(size=(2, 5, 3, 4))
    np.testing.assert_allclose(
        np.asarray(inner(jnp.asarray(a), jnp.asarray(b))), (a * b).sum(0), rtol=1e-12
    )


def test_elastic_points() -> None:
    """Below the yield stress: stress 2 mu (e - ep), tangent 2 mu, the state unchanged."""
    constants, state = materials(), random_state()
    limit = yield_stress(constants, np.asarray(state.accumulated).ravel())
    strain = strain_for(limit * np.linspace(0, 0.999, COUNT), state, constants)
    stress, tangent, new = radial_return(strain, state, constants)
    shear = np.asarray(constants.shear)
    np.testing.assert_allclose(
        np.asarray(stress), 2 * shear * np.asarray(strain - state.strain), rtol=1e-13
    )
    np.testing.assert_array_equal(np.asarray(new.strain), np.asarray(state.strain))
    np.testing.assert_array_equal(np.asarray(new.accumulated), np.asarray(state.accumulated))
    np.testing.assert_allclose(matrix(tangent), 2 * shear.reshape(-1, 1, 1) * np.eye(5), rtol=1e-13)


def test_plastic_points() -> None:
    """dp is the root of q_trial - 3 mu dp = s0 + Q (1 - exp(-b (p + dp))), here by brentq; from a
    little beyond yield to 50 times it.

    The stress keeps the direction of the trial stress and lies on the new yield surface; the
    plastic strain grows by sqrt(3/2) dp n.
    """
    constants, state = materials(), random_state()
    before = np.asarray(state.accumulated).ravel()
    shear, s0, Q, b = (np.asarray(part).ravel() for part in constants[1:5])
    trial = yield_stress(constants, before) * (1 + np.geomspace(1e-9, 50, COUNT))
    strain = strain_for(trial, state, constants)
    stress, _, new = radial_return(strain, state, constants)
    expected = [
        brentq(
            lambda dp, k=k: (
                trial[k] - 3 * shear[k] * dp - s0[k] - Q[k] * (1 - np.exp(-b[k] * (before[k] + dp)))
            ),
            0,
            1,
            xtol=1e-18,
        )
        for k in range(COUNT)
    ]
    increment = np.asarray(new.accumulated).ravel() - before
    np.testing.assert_allclose(increment, expected, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(
        equivalent(stress), yield_stress(constants, before + increment), rtol=1e-12
    )
    direction = np.asarray(strain - state.strain)
    direction = direction / np.sqrt((direction**2).sum(0))
    np.testing.assert_allclose(
        np.asarray(stress),
        direction * equivalent(stress).reshape(1, 1, -1, 1, 1, 1) / 1.5**0.5,
        atol=1e-9,
    )
    np.testing.assert_allclose(
        np.asarray(new.strain - state.strain),
        1.5**0.5 * increment.reshape(-1, 1, 1, 1) * direction,
        atol=1e-13,
    )
    np.testing.assert_allclose(
        np.asarray(stress),
        2 * np.asarray(constants.shear) * np.asarray(strain - new.strain),
        atol=1e-8,
    )


@pytest.mark.parametrize("excess", [-0.9, -1e-4, 1e-4, 0.01, 0.5, 20.0])
def test_tangent_is_the_derivative(excess: float) -> None:
    """Central differences of the stress in float64, of elastic, just yielding and far plastic
    points, to 1e-6 of 2 mu.
    """
    constants, state = materials(), random_state()
    limit = yield_stress(constants, np.asarray(state.accumulated).ravel())
    strain = strain_for(limit * (1 + excess), state, constants)
    tangent = matrix(radial_return(strain, state, constants)[1])
    elastic = 2 * np.asarray(constants.shear).reshape(-1, 1, 1)
    difference = np.abs(tangent - differences(strain, state, constants, 1e-8)) / elastic
    assert difference.max() < 1e-6
    assert (
        np.abs(tangent - elastic * np.eye(5)) / elastic
    ).max() > 0.1 or excess < 0  # not the elastic tangent at plastic points


def test_tangent_is_symmetric_and_positive() -> None:
    """Its eigenvalues lie between 0 and 2 mu: 2 mu 3 times or less, never below 0, and 0 along n
    for perfect plasticity.
    """
    constants, state = materials(), random_state()
    limit = yield_stress(constants, np.asarray(state.accumulated).ravel())
    strain = strain_for(limit * np.linspace(0, 20, COUNT), state, constants)
    tangent = matrix(radial_return(strain, state, constants)[1])
    np.testing.assert_allclose(tangent, np.swapaxes(tangent, 1, 2), atol=1e-9)
    values = np.linalg.eigvalsh(tangent) / (2 * np.asarray(constants.shear).ravel()[:, None])
    assert values.min() > -1e-13
    assert values.max() < 1 + 1e-13
    plastic = np.linspace(0, 20, COUNT) > 1
    perfect = (np.asarray(constants.Q) * np.asarray(constants.b)).ravel() == 0
    assert np.abs(values[plastic & perfect, 0]).max() < 1e-13


def test_tangent_along_the_flow() -> None:
    """Along n the stress rises by 2 mu h / (3 mu + h), h = Q b exp(-b p) at the end of the
    increment: Simo and Hughes, (3.3.12).
    """
    constants, state = materials(), random_state()
    limit = yield_stress(constants, np.asarray(state.accumulated).ravel())
    strain = strain_for(limit * RNG.uniform(1.1, 5, COUNT), state, constants)
    _, tangent, new = radial_return(strain, state, constants)
    direction = strain - state.strain
    direction = direction / jnp.sqrt(inner(direction, direction))
    shear, _, Q, b = (np.asarray(part).ravel() for part in constants[1:5])
    h = Q * b * np.exp(-b * np.asarray(new.accumulated).ravel())
    stiffness = np.asarray(
        inner(direction, tangent(direction, jnp.zeros(constants.bulk.shape))[0])
    ).ravel()
    np.testing.assert_allclose(
        stiffness, 2 * shear * h / (3 * shear + h), rtol=1e-9, atol=1e-9 * shear.max()
    )


def test_one_step_or_many() -> None:
    """A proportional strain path from zero: the radial return is exact, so one step and 20 steps
    end in the same state.
    """
    constants = materials()
    zero = PlasticState(jnp.zeros((5, 1, COUNT, 1, 1, 1)), jnp.zeros((1, COUNT, 1, 1, 1)))
    strain = strain_for(10 * yield_stress(constants, 0.0), zero, constants)
    stress, _, once = radial_return(strain, zero, constants)
    state = zero
    for share in np.linspace(0.05, 1, 20):
        many, _, state = radial_return(share * strain, state, constants)
    np.testing.assert_allclose(np.asarray(many), np.asarray(stress), rtol=1e-9)
    np.testing.assert_allclose(
        np.asarray(state.accumulated), np.asarray(once.accumulated), rtol=1e-9
    )
    np.testing.assert_allclose(np.asarray(state.strain), np.asarray(once.strain), rtol=1e-9)


def test_no_stiffness_no_strain_and_no_yield() -> None:
    """A pore has no stress and no tangent; without strain there is no stress; s0 = inf stays
    elastic. Nowhere NaN, with and without Q.
    """
    shear = jnp.asarray([0.0, 0.0, 2e4, 2e4, 2e4, 2e4]).reshape(-1, 1, 1, 1)
    s0 = jnp.asarray([200.0, 0.0, 200.0, 0.0, np.inf, np.inf]).reshape(-1, 1, 1, 1)
    Q, b = (
        jnp.asarray(value).reshape(-1, 1, 1, 1)
        for value in ([300.0, 0, 300, 0, 300, 0], [40.0, 0, 40, 0, 40, 0])
    )
    state = PlasticState(jnp.zeros((5, 1, 6, 1, 1, 1)), jnp.zeros((1, 6, 1, 1, 1)))
    strain = jnp.full((5, 1, 6, 1, 1, 1), 0.01).at[:, :, 2:4].set(0.0)
    stress, tangent, new = radial_return(strain, state, Constants(2 * shear, shear, s0, Q, b))
    stress, stiffness = np.asarray(stress).reshape(5, 6), matrix(tangent)
    np.testing.assert_array_equal(stress[:, :4], 0)
    np.testing.assert_allclose(stress[:, 4:], 2 * 2e4 * 0.01)
    np.testing.assert_array_equal(stiffness[:2], 0)
    np.testing.assert_allclose(stiffness[4:], 4e4 * np.tile(np.eye(5), (2, 1, 1)))
    assert np.isfinite(stiffness).all()
    np.testing.assert_array_equal(np.asarray(new.accumulated), 0)
    np.testing.assert_array_equal(np.asarray(new.strain), 0)


def test_single_precision() -> None:
    """float32 gives the stress and the plastic strain of float64 to some units of its last place,
    1e-6.
    """
    constants, state = materials(), random_state()
    strain = strain_for(
        yield_stress(constants, np.asarray(state.accumulated).ravel()) * RNG.uniform(0, 5, COUNT),
        state,
        constants,
    )
    stress, _, new = radial_return(strain, state, constants)
    single = jax.tree.map(partial(jnp.asarray, dtype="float32"), (strain, state, constants))
    rough, _, rough_new = radial_return(*single)
    assert rough.dtype == jnp.float32
    assert (np.abs(equivalent(rough) - equivalent(stress)) / equivalent(stress).max()).max() < 2e-6
    assert np.abs(np.asarray(rough_new.accumulated) - np.asarray(new.accumulated)).max() < 2e-7
