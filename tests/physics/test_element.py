"""The B-bar hexahedron: exact on the displacements that it must hold, its operators the transposes
of each other.
"""

from __future__ import annotations

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from svevae.physics import element
from svevae.physics.elasticity import DEVIATORIC_BASIS, TRACE, mandel

RNG = np.random.default_rng(0)
CORNERS = np.array(element.CORNERS) / 2  # of a voxel about the origin, edge 1
GAUSS = np.array(element.GAUSS) / 2
SHAPE = (2, 5, 3, 4)  # two SVEs of 5 x 3 x 4 voxels


@pytest.fixture(autouse=True)
def _double() -> Iterator[None]:
    RNG.bit_generator.state = np.random.default_rng(
        0
    ).bit_generator.state  # each test draws the same alone and among others
    with jax.enable_x64(True):
        yield


def voxel_strain(displacement: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Deviator (5, 8) and dilatation of one voxel whose corners move by (8, 3)."""
    deviator, dilatation = element.strain(jnp.asarray(displacement.reshape(24, 1, 1, 1, 1)))
    return np.asarray(deviator).reshape(5, 8), float(np.asarray(dilatation).squeeze())


def test_affine_displacement() -> None:
    """u = H x: the deviator of sym H at every Gauss point and its trace, whatever H; the patch
    test.
    """
    H = RNG.normal(size=(3, 3))
    deviator, dilatation = voxel_strain(CORNERS @ H.T)
    np.testing.assert_allclose(
        deviator, np.tile((DEVIATORIC_BASIS @ mandel(H))[:, None], 8), atol=1e-14
    )
    np.testing.assert_allclose(dilatation, np.trace(H), atol=1e-14)


def test_trilinear_displacement() -> None:
    """u = a xyz + B (yz, xz, xy): the shape functions hold it, so that the deviator at each Gauss
    point is that of sym grad u.

    The dilatation is the mean over the voxel, here of odd functions: 0. Its part at the Gauss
    points, which would lock, is not seen.
    """
    a, B = RNG.normal(size=3), RNG.normal(size=(3, 3))

    def displacement(point: np.ndarray) -> np.ndarray:
        x, y, z = point
        return a * x * y * z + B @ [y * z, x * z, x * y]

    def gradient(point: np.ndarray) -> np.ndarray:
        x, y, z = point
        return np.outer(a, [y * z, x * z, x * y]) + B @ [[0, z, y], [z, 0, x], [y, x, 0]]

    deviator, dilatation = voxel_strain(np.array([displacement(corner) for corner in CORNERS]))
    expected = np.array([DEVIATORIC_BASIS @ mandel(gradient(point)) for point in GAUSS]).T
    np.testing.assert_allclose(deviator, expected, atol=1e-14)
    assert max(abs(np.trace(gradient(point))) for point in GAUSS) > 0.1
    assert abs(dilatation) < 1e-14


def test_rigid_motion_and_no_hourglass() -> None:
    """A voxel with K = mu = 1 has 24 degrees of freedom, 6 rigid motions without energy, and 18
    strains that all cost energy.

    Bulk stiffness alone has rank 1: one volume per voxel, so that plastic flow is not locked. Shear
    alone leaves only the rigid motions and the uniform dilatation without energy.
    """
    bulk, shear = (
        np.linalg.eigvalsh(element.BULK_STIFFNESS),
        np.linalg.eigvalsh(element.SHEAR_STIFFNESS),
    )
    both = np.linalg.eigvalsh(element.BULK_STIFFNESS + element.SHEAR_STIFFNESS)
    for values, zeros in ((bulk, 23), (shear, 7), (both, 6)):
        assert np.abs(values[:zeros]).max() < 1e-14
        assert values[zeros] > 0.01
    spin = np.cross(RNG.normal(size=3), CORNERS) + RNG.normal(size=3)
    deviator, dilatation = voxel_strain(spin)
    assert max(np.abs(deviator).max(), abs(dilatation)) < 1e-14
    swelling = CORNERS.reshape(24)
    assert np.abs(element.SHEAR_STIFFNESS @ swelling).max() < 1e-14
    assert swelling @ element.BULK_STIFFNESS @ swelling == pytest.approx(9)  # theta^2, theta = 3


def test_energy_of_the_element_stiffness() -> None:
    """u K u = K theta^2 + 2 mu mean(dev : dev), theta the voxel's dilatation and dev the deviator
    at the Gauss points.
    """
    u, bulk, shear = RNG.normal(size=(8, 3)), 1.7, 0.6
    deviator, dilatation = voxel_strain(u)
    energy = (
        u.reshape(24)
        @ (bulk * element.BULK_STIFFNESS + shear * element.SHEAR_STIFFNESS)
        @ u.reshape(24)
    )
    assert energy == pytest.approx(
        bulk * dilatation**2 + 2 * shear * (deviator**2).sum() / 8, rel=1e-13
    )


def test_mean_strain_matrix() -> None:
    """The voxel's mean strain is the integral of n (x) u over its faces; for trilinear u the mean
    over a face's four corners.
    """
    u = RNG.normal(size=(8, 3))
    H = sum(
        np.outer(u[CORNERS[:, axis] * side > 0].mean(0), side * np.eye(3)[axis])
        for axis in range(3)
        for side in (-1, 1)
    )
    np.testing.assert_allclose(element.MEAN_STRAIN @ u.reshape(24), mandel(H), atol=1e-14)
    np.testing.assert_allclose(element.DILATATION @ u.reshape(24), np.trace(H), atol=1e-14)
    np.testing.assert_allclose(element.DILATATION[0], TRACE @ element.MEAN_STRAIN, atol=1e-15)


def test_corners_of_a_periodic_grid() -> None:
    """Corner c of voxel i is the node i + (c + 1) / 2, periodic, moved by a homogeneous strain
    times its place in the voxel.
    """
    nodal, mean = RNG.normal(size=(3, *SHAPE)), RNG.normal(size=(6, 2))
    corners = np.asarray(
        element.corner_displacement(jnp.asarray(nodal), jnp.asarray(mean))
    ).reshape(8, 3, *SHAPE)
    for number, corner in enumerate(np.array(element.CORNERS)):
        for voxel in ((0, 0, 0), (4, 2, 3), (2, 1, 3)):
            node = tuple((np.array(voxel) + (corner + 1) // 2) % SHAPE[1:])
            for sve in range(2):
                m = mean[:, sve] / np.array([1, 1, 1, 2**0.5, 2**0.5, 2**0.5])
                strain = np.array([[m[0], m[5], m[4]], [m[5], m[1], m[3]], [m[4], m[3], m[2]]])
                expected = nodal[(slice(None), sve, *node)] + strain @ corner / 2
                np.testing.assert_allclose(
                    corners[(number, slice(None), sve, *voxel)], expected, atol=1e-14
                )


def test_assemble_is_the_transpose() -> None:
    """f . corner_displacement(u, e) = assemble(f) . (u, e) for each SVE; and the nodal forces of
    any stress sum to zero.
    """
    nodal, mean, forces = (
        RNG.normal(size=(3, *SHAPE)),
        RNG.normal(size=(6, 2)),
        RNG.normal(size=(24, *SHAPE)),
    )
    corners = np.asarray(element.corner_displacement(jnp.asarray(nodal), jnp.asarray(mean)))
    assembled, total = (np.asarray(part) for part in element.assemble(jnp.asarray(forces)))
    left = np.einsum("csxyz,csxyz->s", forces, corners)
    right = np.einsum("isxyz,isxyz->s", assembled, nodal) + np.einsum("is,is->s", total, mean)
    np.testing.assert_allclose(left, right, rtol=1e-12)
    stress = element.corner_forces(
        jnp.asarray(RNG.normal(size=(5, 8, *SHAPE))), jnp.asarray(RNG.normal(size=SHAPE))
    )
    assert np.abs(np.asarray(element.assemble(stress)[0]).sum(element.GRID)).max() < 1e-12


def test_corner_forces_are_the_transpose_of_strain() -> None:
    """corner_forces(s, p) . u = mean over Gauss points of s : dev(u), plus p theta(u): the virtual
    work of a voxel of volume 1.
    """
    u, s, p = RNG.normal(size=(24, *SHAPE)), RNG.normal(size=(5, 8, *SHAPE)), RNG.normal(size=SHAPE)
    deviator, dilatation = (np.asarray(part) for part in element.strain(jnp.asarray(u)))
    forces = np.asarray(element.corner_forces(jnp.asarray(s), jnp.asarray(p)))
    np.testing.assert_allclose(
        (forces * u).sum(0), (s * deviator).sum((0, 1)) / 8 + p * dilatation, atol=1e-12
    )


def test_stress_sum_of_a_homogeneous_stress() -> None:
    """A stress sigma, the same everywhere, is in equilibrium, and its sum over the voxels is sigma
    times their number.
    """
    sigma = RNG.normal(size=6)
    deviator = np.broadcast_to((DEVIATORIC_BASIS @ sigma).reshape(5, 1, 1, 1, 1, 1), (5, 8, *SHAPE))
    forces = element.corner_forces(jnp.asarray(deviator), jnp.full(SHAPE, TRACE @ sigma / 3))
    nodal, total = element.assemble(forces)
    assert np.abs(np.asarray(nodal)).max() < 1e-14
    np.testing.assert_allclose(np.asarray(total), np.tile(sigma[:, None] * 60, 2), rtol=1e-12)


@pytest.mark.parametrize("shape", [(4, 3, 2), (1, 4, 1)])
def test_fourier_symbol(shape: tuple[int, int, int]) -> None:
    """The symbol of an elastic medium is the Fourier transform of the forces that a unit
    displacement of node 0 causes.
    """
    bulk, shear = 1.7, 0.6
    gram, mean = element.fourier_gradient(shape)
    trace = np.einsum("jjxyz->xyz", gram)
    identity = np.eye(3)[:, :, None, None, None]
    # C_ijkl Gram_jl
    deviatoric = shear * (identity * trace + np.swapaxes(gram, 0, 1) - 2 / 3 * gram)
    symbol = deviatoric + bulk * mean[:, None] * mean
    unit = element.BULK_STIFFNESS * bulk + element.SHEAR_STIFFNESS * shear
    nodal = np.zeros((3, 3, *shape))  # SVE k has the displacement along axis k
    nodal[range(3), range(3), 0, 0, 0] = 1
    forces, _ = element.assemble(
        element.matmul(unit, element.corner_displacement(jnp.asarray(nodal), jnp.zeros((6, 3))))
    )
    np.testing.assert_allclose(
        np.fft.rfftn(np.asarray(forces), axes=element.GRID), symbol, atol=1e-13
    )
    assert np.abs(gram[..., 0, 0, 0]).max() < 1e-15
