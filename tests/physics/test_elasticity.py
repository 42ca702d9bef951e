"""Mandel notation, isotropic elasticity and the bounds, each against a formula written another
way.
"""

from __future__ import annotations

import dataclasses
from itertools import product

import numpy as np
import pytest

from svevae.errors import ConfigError
from svevae.physics.elasticity import (
    DEVIATORIC_BASIS,
    PRESETS,
    TRACE,
    VOLUMETRIC,
    hashin_shtrikman,
    isotropic_stiffness,
    mandel,
    moduli,
    poisson,
    tensor,
    voigt_bound,
    young,
)

RNG = np.random.default_rng(0)
E, NU = 70_000.0, 0.33


def random_symmetric(count: int) -> np.ndarray:
    a = RNG.normal(size=(count, 3, 3))
    return a + np.swapaxes(a, 1, 2)


def orthotropic(
    young_moduli: tuple[float, float, float], nu_xy: float, nu_xz: float, nu_yz: float, shear: float
) -> np.ndarray:
    """(6, 6) stiffness of given engineering constants: the inverse of the compliance, nu_ij / E_i =
    nu_ji / E_j.
    """
    ex, ey, ez = young_moduli
    compliance = np.diag([1 / ex, 1 / ey, 1 / ez, *[1 / (2 * shear)] * 3])
    compliance[0, 1] = compliance[1, 0] = -nu_xy / ex
    compliance[0, 2] = compliance[2, 0] = -nu_xz / ex
    compliance[1, 2] = compliance[2, 1] = -nu_yz / ey
    return np.linalg.inv(compliance)


def test_mandel() -> None:
    """The scalar product of two symmetric tensors is that of their vectors; order xx yy zz yz xz
    xy; `tensor` is the inverse.
    """
    a, b = random_symmetric(5), random_symmetric(5)
    np.testing.assert_allclose(
        (mandel(a) * mandel(b)).sum(-1), np.einsum("sij,sij->s", a, b), rtol=1e-13
    )
    np.testing.assert_allclose(tensor(mandel(a)), a, atol=1e-15)
    r = 2**0.5
    np.testing.assert_allclose(
        mandel(np.array([[1, 6, 5], [6, 2, 4], [5, 4, 3]])), [1, 2, 3, 4 * r, 5 * r, 6 * r]
    )


def test_mandel_takes_the_symmetric_part() -> None:
    np.testing.assert_allclose(
        tensor(mandel(np.array([[0, 2, 0], [0, 0, 0], [0, 0, 0]]))),
        [[0, 1, 0], [1, 0, 0], [0, 0, 0]],
    )


def test_projectors() -> None:
    """The rows of the basis are orthonormal deviators; basis and trace together span all: B^T B +
    VOLUMETRIC = 1.
    """
    np.testing.assert_allclose(DEVIATORIC_BASIS @ DEVIATORIC_BASIS.T, np.eye(5), atol=1e-15)
    np.testing.assert_allclose(DEVIATORIC_BASIS @ TRACE, 0, atol=1e-15)
    np.testing.assert_allclose(
        DEVIATORIC_BASIS.T @ DEVIATORIC_BASIS + VOLUMETRIC, np.eye(6), atol=1e-15
    )


@pytest.mark.parametrize("nu", [-0.5, 0.0, 0.33, 0.499])
def test_isotropic_stiffness(nu: float) -> None:
    """sigma = lambda tr(e) 1 + 2 mu e, with lambda = E nu / ((1 + nu)(1 - 2 nu)) and mu = E / (2 (1
    + nu)).
    """
    lame, shear = E * nu / ((1 + nu) * (1 - 2 * nu)), E / (2 * (1 + nu))
    for strain in random_symmetric(4):
        stress = lame * np.trace(strain) * np.eye(3) + 2 * shear * strain
        np.testing.assert_allclose(
            tensor(isotropic_stiffness(E, nu) @ mandel(strain)),
            stress,
            atol=1e-10 * np.abs(stress).max(),
        )
    bulk, mu = moduli(E, nu)
    np.testing.assert_allclose([bulk, mu], [lame + 2 * shear / 3, shear], rtol=1e-13)
    for axis, lateral in product("xyz", repeat=2):
        assert young(isotropic_stiffness(E, nu), axis) == pytest.approx(E)
        assert poisson(isotropic_stiffness(E, nu), axis, lateral) == pytest.approx(
            nu if axis != lateral else -1
        )


def test_moduli_of_fields() -> None:
    bulk, shear = moduli(np.array([3.0, 6.0, 0.0]), 0.25)
    np.testing.assert_allclose(bulk, [2, 4, 0])
    np.testing.assert_allclose(shear, [1.2, 2.4, 0])


def test_young_and_poisson_of_an_orthotropic_stiffness() -> None:
    """The engineering constants that went into the compliance come out, for each SVE of a batch;
    nu_zx = nu_xz E_z / E_x.
    """
    moduli_xyz = (50.0, 30.0, 20.0)
    stiffness = np.array(
        [orthotropic(moduli_xyz, 0.3, 0.25, 0.2, 10.0), orthotropic((1, 2, 3), 0.1, 0.05, 0.2, 1.0)]
    )
    for i, axis in enumerate("xyz"):
        np.testing.assert_allclose(young(stiffness, axis), [moduli_xyz[i], i + 1], rtol=1e-12)
    np.testing.assert_allclose(poisson(stiffness[0], "x", "y"), 0.3, rtol=1e-12)
    np.testing.assert_allclose(poisson(stiffness[0], "x", "z"), 0.25, rtol=1e-12)
    np.testing.assert_allclose(poisson(stiffness[0], "z", "x"), 0.25 * 20 / 50, rtol=1e-12)
    np.testing.assert_allclose(poisson(stiffness[0], "z", "y"), 0.2 * 20 / 30, rtol=1e-12)


def test_young_where_there_is_no_stiffness() -> None:
    """Plates normal to z carry plane stress: E along x and y, nothing along z, and nothing in the
    shears with z. No stiffness: 0.
    """
    plane = np.zeros((6, 6))
    plane[:2, :2] = E / (1 - NU**2) * np.array([[1, NU], [NU, 1]])
    plane[5, 5] = E / (1 + NU)
    assert young(plane, "x") == pytest.approx(E, rel=1e-12)
    assert young(plane, "y") == pytest.approx(E, rel=1e-12)
    assert young(plane, "z") == 0
    assert poisson(plane, "x", "y") == pytest.approx(NU, rel=1e-12)
    assert poisson(plane, "z", "x") == 0
    assert young(np.zeros((6, 6)), "x") == 0


def test_voigt_bound() -> None:
    np.testing.assert_allclose(voigt_bound(0.1, E, NU), 0.9 * isotropic_stiffness(E, NU))


@pytest.mark.parametrize("porosity", [0.0, 1e-3, 0.1, 0.5, 0.99, 1.0])
def test_hashin_shtrikman(porosity: float) -> None:
    """K of a hollow sphere, u = A r + B / r^2, free inside, radius^3 = porosity: solved here from
    Lame's equations.

    mu from the bound for two phases, mu0 + f / (1 / (mu1 - mu0) + 6 (1 - f) (K0 + 2 mu0) / (5 mu0
    (3 K0 + 4 mu0))), mu1 = 0.
    """
    bulk, shear = moduli(E, NU)
    # no traction at the hole, u(1) = 1
    a, b = np.linalg.solve([[3 * bulk, -4 * shear / max(porosity, 1e-300)], [1, 1]], [0, 1])
    hollow = (3 * bulk * a - 4 * shear * b) / 3
    two_phase = shear + porosity / (
        -1 / shear + 6 * (1 - porosity) * (bulk + 2 * shear) / (5 * shear * (3 * bulk + 4 * shear))
    )
    upper = hashin_shtrikman(porosity, E, NU)
    np.testing.assert_allclose(upper, [hollow, two_phase], rtol=1e-12, atol=1e-9)


def test_hashin_shtrikman_of_few_pores() -> None:
    """To first order the dilute spherical pore (Mackenzie 1950): K'/K = -3(1-nu) / (2(1-2nu)),
    mu'/mu = -15(1-nu) / (7-5nu).
    """
    slopes = (np.array(hashin_shtrikman(1e-7, E, NU)) / moduli(E, NU) - 1) / 1e-7
    np.testing.assert_allclose(
        slopes, [-1.5 * (1 - NU) / (1 - 2 * NU), -15 * (1 - NU) / (7 - 5 * NU)], rtol=1e-5
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"E": -1.0}, "material.E: expected a number at least 0, received -1"),
        ({"E": np.nan}, "material.E: .* received nan"),
        ({"E": np.inf}, "material.E: .* received inf"),
        ({"E": np.array([1.0, -2.0])}, "material.E: .* received -2"),
        ({"nu": 0.5}, "material.nu: expected a number between -1 and 0.5, received 0.5"),
        ({"nu": -1.0}, "material.nu: .* received -1"),
        ({"nu": np.nan}, "material.nu: .* received nan"),
        ({"s0": -1.0}, "material.s0: expected a number at least 0, received -1"),
        ({"s0": np.nan}, "material.s0: .* received nan"),
        ({"Q": -1.0}, "material.Q: .* received -1"),
        ({"Q": np.inf}, "material.Q: .* received inf"),
        ({"b": -1.0}, "material.b: .* received -1"),
        ({"b": np.inf}, "material.b: .* received inf"),
    ],
)
def test_a_wrong_constant_is_an_error(change: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        dataclasses.replace(PRESETS["as-built-z"], **change)


@pytest.mark.parametrize(
    "constants",
    [
        {"E": 0.0},
        {"s0": np.inf},
        {"nu": 0.4999},
        {"nu": -0.99},
        {"s0": 0.0, "Q": 0.0, "b": 0.0},
        {"E": np.array([0.0, 1.0])},
    ],
    ids=[
        "void",
        "elastic for ever",
        "almost incompressible",
        "auxetic",
        "yields at once",
        "a field with void",
    ],
)
def test_what_a_material_may_be(constants: dict) -> None:
    material = dataclasses.replace(PRESETS["as-built-z"], **constants)
    for name, value in constants.items():
        np.testing.assert_array_equal(getattr(material, name), value)
