"""The compiled solvers beside dense linear algebra, and the memory that they hold."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from svevae.physics import batched, element, equilibrium
from svevae.physics.elasticity import PRESETS, Material
from svevae.physics.homogenize import Loading, Settings, Solver
from svevae.physics.medium import spectrum
from svevae.physics.plasticity import Constants

VOCE = PRESETS["as-built-z"]
SHAPE = (3, 4, 2)


def element_matrices(shape: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """(voxel, 24, 3 nodes) that picks a voxel's corner displacements from all nodes, and (24, 6)
    that adds a mean strain.
    """
    nodes = np.arange(np.prod(shape)).reshape(shape)
    picks = np.zeros((nodes.size, 24, 3 * nodes.size))
    for voxel, place in enumerate(np.ndindex(shape)):
        for corner, step in enumerate(np.ndindex(2, 2, 2)):
            node = nodes[tuple(np.add(place, step) % shape)]
            for component in range(3):
                picks[voxel, 3 * corner + component, component * nodes.size + node] = 1
    return picks, element.AFFINE


def test_six_cases_beside_dense_algebra() -> None:
    """The element stiffnesses, put together into one matrix node by node and solved by least
    squares: the same apparent stiffness.

    E and nu differ from voxel to voxel, two voxels are pores. Three SVEs that need unequal numbers
    of iterations go as one batch.
    """
    rng = np.random.default_rng(1)
    bulk, shear = rng.uniform(1, 5, (2, 3, *SHAPE))
    # homogeneous: done at once, and stands still while the others go on
    bulk[0], shear[0] = (
        3.0,
        1.0,
    )
    for modulus in (bulk, shear):
        modulus[2, 0, 0, 0] = modulus[2, 1, 2, 1] = 0.0
    picks, affine = element_matrices(SHAPE)
    with jax.enable_x64(True):
        constants = Constants(*(jnp.asarray(value) for value in (bulk, shear, np.inf, 0.0, 0.0)))
        waves = spectrum(SHAPE, "float64")
        stiffness, _, iterations, _ = map(
            np.asarray, equilibrium.solve_elastic(constants, waves, 1e-10, 500)
        )
    for sve in range(3):
        unit = [
            K * element.BULK_STIFFNESS + mu * element.SHEAR_STIFFNESS
            for K, mu in zip(bulk[sve].flat, shear[sve].flat, strict=True)
        ]
        matrix = np.einsum("vci,vcd,vdj->ij", picks, unit, picks, optimize=True)
        load = np.einsum("vci,vcd,dm->im", picks, unit, affine, optimize=True)
        nodal = -np.linalg.lstsq(matrix, load, rcond=1e-12)[0]
        expected = (
            np.einsum("cm,vcd,dn->mn", affine, unit, affine, optimize=True) + load.T @ nodal
        ) / len(unit)
        np.testing.assert_allclose(stiffness[sve], expected, atol=1e-8)
    assert iterations[0].max() <= 1 < iterations[2].min()


def test_an_increment_beside_dense_algebra() -> None:
    """Small enough to stay elastic, strain along z given and the other five stresses zero: the mean
    strain and stress of 1 / S.
    """
    rng = np.random.default_rng(2)
    modulus = rng.uniform(10_000, 70_000, (1, *SHAPE))
    material = Material(E=modulus, nu=0.3, s0=216.0, Q=312.0, b=40.0)
    solver = Solver(SHAPE, Settings("float64", elastic_tolerance=1e-10, tolerance=1e-10))
    compliance = np.linalg.inv(solver.elastic(material).stiffness[0])
    # without the elastic cases, so that Newton's method has work
    path = solver.path(material, Loading.uniaxial_stress("z", [1e-5]))
    np.testing.assert_allclose(
        path.strain[0, 0], 1e-5 * compliance[2] / compliance[2, 2], atol=1e-13
    )
    np.testing.assert_allclose(path.stress[0, 0], np.eye(6)[2] * 1e-5 / compliance[2, 2], atol=1e-7)
    assert path.newton[0, 0] >= 1


@pytest.mark.slow
def test_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """What XLA says the two functions hold, arguments, results and temporaries, at 32^3 in float32:
    within 25 % of `Solver.memory`.
    """
    solver = Solver((32, 32, 32), by="jax")
    called: dict[str, tuple] = {}
    functions = {"elastic": equilibrium.solve_elastic, "path": equilibrium.solve_increment}

    def spy(kind: str) -> Callable:
        def call(*given: object) -> tuple:
            called[kind] = given
            return functions[kind](*given)

        return call

    monkeypatch.setattr(batched, "solve_elastic", spy("elastic"))
    monkeypatch.setattr(batched, "solve_increment", spy("path"))
    voxels = np.zeros((1, 32, 32, 32), np.uint8)
    solver.path(VOCE, Loading.uniaxial_stress("x", [0.001]), voxels, solver.elastic(VOCE, voxels))
    for kind, function in functions.items():
        memory = function.lower(*called[kind]).compile().memory_analysis()
        held = (
            memory.temp_size_in_bytes + memory.argument_size_in_bytes + memory.output_size_in_bytes
        )
        assert solver.memory(1, kind) == pytest.approx(held, rel=0.25), (
            f"{kind}: {held / voxels.size / 4:.0f} floats a voxel"
        )
    assert solver.memory(3) == 3 * solver.memory()
    assert Solver((32, 32, 32), Settings("float64"), by="jax").memory() == 2 * solver.memory()
