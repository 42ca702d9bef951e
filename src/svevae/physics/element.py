"""The finite element of the solver: a trilinear hexahedron on each voxel, B-bar, on a periodic
grid.

Deviatoric strain at 2x2x2 Gauss points, volume change averaged over the voxel (Hughes, Int. J.
Numer. Meth. Eng. 15 (1980) 1413), so that it neither locks in plastic flow nor has hourglass modes.
The voxel edge is the unit of length. Arrays carry the components first, then Gauss points, samples
and voxels: (component, gauss, sve, x, y, z); a matrix then acts on all voxels at once.
"""

from __future__ import annotations

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np

from svevae.physics.elasticity import DEVIATORIC_BASIS, TRACE, tensor

GAUSS = tuple(product((-(3**-0.5), 3**-0.5), repeat=3))
CORNERS = tuple(product((-1, 1), repeat=3))
GRID = (-3, -2, -1)


def _gradient(point: tuple[float, ...]) -> np.ndarray:
    """(3, 8) derivatives of the eight shape functions in the voxel [-1, 1]^3 at `point`, per voxel
    edge.
    """
    half = (1 + np.array(CORNERS) * np.array(point)) / 2  # (corner, axis)
    columns = [
        np.array(CORNERS)[:, k] * np.prod(np.delete(half, k, axis=1), axis=1) for k in range(3)
    ]
    return np.array(columns)


def _strain_matrix(gradient: np.ndarray) -> np.ndarray:
    """(6, 24): Mandel strain from the corner displacements, ordered (corner, component)."""
    matrix = np.zeros((6, 8, 3))
    for i in range(3):
        matrix[i, :, i] = gradient[i]
    for row, (i, j) in zip((3, 4, 5), ((1, 2), (0, 2), (0, 1)), strict=True):
        matrix[row, :, i], matrix[row, :, j] = gradient[j] / 2**0.5, gradient[i] / 2**0.5
    return matrix.reshape(6, 24)


_GRADIENTS = np.array([_gradient(point) for point in GAUSS])
_STRAINS = np.array([_strain_matrix(gradient) for gradient in _GRADIENTS])  # (gauss, 6, 24)

MEAN_STRAIN = _STRAINS.mean(axis=0)  # (6, 24): the voxel's mean strain
# rows (deviator component, gauss)
DEVIATOR = np.einsum("ij,gjk->igk", DEVIATORIC_BASIS, _STRAINS).reshape(40, 24)
DILATATION = (TRACE @ MEAN_STRAIN)[None]  # (1, 24)
STRAIN = np.concatenate([DEVIATOR, DILATATION])
FORCE = np.concatenate([DEVIATOR / 8, DILATATION]).T  # eight points of weight 1/8
BULK_STIFFNESS = DILATATION.T @ DILATATION  # (24, 24): element stiffness for K = 1
SHEAR_STIFFNESS = DEVIATOR.T @ DEVIATOR / 4  # and for mu = 1
# corner, strain, component
AFFINE = np.array([tensor(unit) @ corner / 2 for corner in np.array(CORNERS) for unit in np.eye(6)])
# corner displacements of a homogeneous strain
AFFINE = AFFINE.reshape(8, 6, 3).transpose(0, 2, 1).reshape(24, 6)


def corner_displacement(nodal: jax.Array, mean: jax.Array) -> jax.Array:
    """(24, sve, x, y, z) from a periodic displacement (3, sve, x, y, z) and a mean strain (6,
    sve).
    """
    values = [nodal]
    for axis in GRID:
        values = [moved for value in values for moved in (value, jnp.roll(value, -1, axis))]
    return jnp.concatenate(values) + (jnp.asarray(AFFINE, mean.dtype) @ mean)[..., None, None, None]


def assemble(forces: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Nodal forces (3, sve, x, y, z) and the stress summed over voxels (6, sve) of corner forces:
    the transpose of the above.
    """
    f = forces.reshape(2, 2, 2, 3, *forces.shape[1:])
    f = f[:, :, 0] + jnp.roll(f[:, :, 1], 1, -1)
    f = f[:, 0] + jnp.roll(f[:, 1], 1, -2)
    return f[0] + jnp.roll(f[1], 1, -3), jnp.asarray(AFFINE.T, forces.dtype) @ forces.sum(GRID)


def strain(corners: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Deviator (5, 8, sve, x, y, z) and dilatation (sve, x, y, z) of corner displacements (24, sve,
    x, y, z).
    """
    rows = matmul(STRAIN, corners)  # one product: faster than two
    return rows[:40].reshape(5, 8, *corners.shape[1:]), rows[40]


def corner_forces(deviator: jax.Array, pressure: jax.Array) -> jax.Array:
    """(24, sve, x, y, z) of a stress given as deviator (5, 8, ...) and mean stress (...): the
    transpose of `strain`.
    """
    return matmul(FORCE, jnp.concatenate([deviator.reshape(40, *pressure.shape), pressure[None]]))


def matmul(matrix: np.ndarray, values: jax.Array) -> jax.Array:
    """`matrix` (rows, columns) times the first axis of `values`, at full precision also on a
    GPU.
    """
    rows = jnp.dot(
        jnp.asarray(matrix, values.dtype),
        values.reshape(len(values), -1),
        precision=jax.lax.Precision.HIGHEST,
    )
    return rows.reshape(len(matrix), *values.shape[1:])


def fourier_gradient(shape: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The element's gradients on each frequency of `rfftn` over `shape`, with which any stiffness
    becomes its Fourier symbol.

    Returns the Gram matrix of the gradients over the Gauss points, (3, 3, x, y, z//2+1), mean of
    conj(g_j) g_l, and the voxel's mean gradient over the imaginary unit, (3, x, y, z//2+1). A
    deviatoric stiffness C has the symbol sum_jl C_ijkl Gram_jl, a bulk modulus K has K mean_i
    mean_k. Both are real, as the element is symmetric about its centre.
    """
    nx, ny, nz = shape
    angle = np.meshgrid(
        2 * np.pi * np.fft.fftfreq(nx),
        2 * np.pi * np.fft.fftfreq(ny),
        2 * np.pi * np.fft.rfftfreq(nz),
        indexing="ij",
    )
    waves = [  # about the voxel's centre
        np.exp(0.5j * np.asarray(corner) @ np.reshape(angle, (3, -1))) for corner in CORNERS
    ]
    phase = np.array(waves).reshape(8, *angle[0].shape)
    gram, mean = np.zeros((3, 3, *angle[0].shape)), np.zeros((3, *angle[0].shape))
    for gradient in _GRADIENTS:
        g = np.einsum("jc,cxyz->jxyz", gradient, phase)
        gram += (np.conj(g)[:, None] * g[None]).real / 8
        mean += g.imag / 8
    return gram, mean
