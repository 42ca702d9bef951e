"""Paths of loads: what they prescribe, the energy of their increments, and where they begin."""

from __future__ import annotations

import numpy as np
import pytest

from svevae.errors import ConfigError
from svevae.physics.elasticity import VoxelMaterial, isotropic_stiffness, moduli
from svevae.physics.loading import (
    SMALLEST_LOAD,
    Loading,
    elastic_start,
    load_sizes,
    step_ratio,
)

E, NU = 70e3, 0.3


@pytest.fixture
def matrix() -> VoxelMaterial:
    """Two SVEs of 2 x 2 x 2 voxels; half of the second is pore."""
    solid = np.ones((2, 2, 2, 2))
    solid[1, 0] = 0
    bulk, shear = moduli(E, NU)
    zero = np.zeros((1, 1, 1, 1))
    return VoxelMaterial(bulk * solid, shear * solid, zero, zero, zero)


def test_tension_leaves_the_other_stresses_zero() -> None:
    loading = Loading.uniaxial_stress("y", [0.001, 0.002], ["first", "second"])
    np.testing.assert_array_equal(loading.controlled, [False, True, False, False, False, False])
    np.testing.assert_array_equal(loading.strain[:, 1], [0.001, 0.002])
    assert not loading.stress.any()
    assert loading.names == ["first", "second"]


def test_a_start_is_elastic(matrix: VoxelMaterial) -> None:
    """Of tension the strains of Hooke's law, whatever share of the voxels is solid; of a known
    stiffness its own.
    """
    tension = Loading.uniaxial_stress("z", [0.001])
    expected = 1e-3 * np.array([-NU, -NU, 1, 0, 0, 0])
    np.testing.assert_allclose(elastic_start(tension, matrix, None), [expected] * 2, atol=1e-12)
    other = isotropic_stiffness(E, 0.1)
    start = elastic_start(tension, matrix, np.stack([other, other]))
    np.testing.assert_allclose(start[0], 1e-3 * np.array([-0.1, -0.1, 1, 0, 0, 0]), atol=1e-12)
    whole = Loading.prescribed_strain(np.arange(6.0)[None])
    np.testing.assert_allclose(elastic_start(whole, matrix, None), [np.arange(6.0)] * 2)


def test_sizes_are_energies(matrix: VoxelMaterial) -> None:
    """sqrt(voxels * strain C strain) of each increment; a small one is measured against a share of
    the whole, none by 1; half the stiffness, 1/sqrt(2) of the size.
    """
    stiffness = isotropic_stiffness(E, NU)
    strain = np.zeros((4, 6))
    strain[:, 0] = [0.001, 0.003, 0.003, 0.003 + 1e-9]
    sizes = load_sizes(Loading.prescribed_strain(strain), matrix, None)
    unit = np.sqrt(8 * stiffness[0, 0])
    expected = unit * np.array([0.001, 0.002, SMALLEST_LOAD * 0.003, SMALLEST_LOAD * 0.003])
    np.testing.assert_allclose(sizes[:, 0], expected, rtol=1e-6)
    np.testing.assert_allclose(sizes[:, 1], expected / np.sqrt(2), rtol=1e-6)
    weak = load_sizes(Loading.prescribed_strain(strain), matrix, np.stack([stiffness] * 2) / 100)
    np.testing.assert_allclose(weak[:, 0], expected / 10, rtol=1e-6)
    nothing = Loading.prescribed_strain(np.zeros((1, 6)))
    np.testing.assert_array_equal(load_sizes(nothing, matrix, None), 1.0)


def test_steps_in_lengths_of_the_one_before() -> None:
    strain = np.zeros((5, 6))
    strain[:, 2] = [1, 2, 4, 3, 30]
    loading = Loading.prescribed_strain(strain)
    assert [step_ratio(loading, k) for k in (1, 2, 3, 4)] == [1, 2, 0, 0]
    loading = Loading.prescribed_strain(strain[[0, 1, 4]])
    assert step_ratio(loading, 2) == 4  # at most


def test_wrong_loading() -> None:
    zero = np.zeros((2, 6))
    with pytest.raises(
        ConfigError, match=r"shape \(increment, 6\), received \(2, 5\) and \(2, 6\)"
    ):
        Loading(zero[:, :5], zero, np.ones(6, bool))
    with pytest.raises(ConfigError, match=r"received \(2, 6\) and \(1, 6\)"):
        Loading(zero, zero[:1], np.ones(6, bool))
    with pytest.raises(ConfigError, match=r"received \(6,\) and \(6,\)"):
        Loading.prescribed_strain(zero[0])
    with pytest.raises(
        ConfigError, match=r"loading.controlled: expected shape \(6,\), received \(3,\)"
    ):
        Loading(zero, zero, np.ones(3, bool))
    for bad in (np.nan, np.inf):
        with pytest.raises(ConfigError, match="loading: expected finite numbers"):
            Loading.uniaxial_stress("x", [0.01, bad])
        with pytest.raises(ConfigError, match="loading: expected finite numbers"):
            Loading(zero, zero + bad, np.zeros(6, bool))
