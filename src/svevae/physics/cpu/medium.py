"""The preconditioner of `svevae.physics.medium` for one SVE: the element on a homogeneous medium.

On a voxel grid the element's Fourier symbol is made of one-dimensional ones: over an angle t from
node to node the mean of the shape functions is (2 + cos t) / 3, that of their slopes 2 (1 - cos t),
that of both sin t, and the voxel's mean slope 2 sin(t/2) with cos(t/2) along the other axes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from svevae.physics.cpu.fourier import Each, fourier
from svevae.physics.cpu.rows import kernel
from svevae.physics.elasticity import DEVIATORIC_BASIS, TRACE, tensor

PAIRS = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))
UNITS = np.array([tensor(unit) for unit in np.eye(6)])  # (6, 3, 3)


class Medium(NamedTuple):
    """Inverses: six entries (PAIRS, x, y, z//2+1) of the Fourier symbol, over the number of voxels,
    and the compliance (6, 6) of the free mean strains.
    """

    symbol: np.ndarray
    compliance: np.ndarray


class Waves:
    """The frequencies of a grid of `shape` voxels, media on them, and the preconditioner: it makes
    `displacement` of `forces`, nodal fields (3, x, y, z).
    """

    def __init__(self, shape: tuple[int, int, int], dtype: str, threads: int, each: Each):
        self.shape, self.dtype = shape, dtype
        self._fourier = fourier(shape, dtype, threads, each)
        angles = [np.fft.fftfreq(n) for n in shape[:2]] + [np.fft.rfftfreq(shape[2])]
        tables = [_table(2 * np.pi * angle) for angle in angles]
        self._tables = [table.astype(dtype) for table in tables]

    def medium(self, bulk: float, deviatoric: np.ndarray, free: np.ndarray) -> Medium:
        """Inverse of a medium of modulus `bulk` and stiffness (5, 5) on deviators; `free` (6,) is
        True where the mean stress is given.
        """
        # numbers near 1, whatever the unit, keep determinants within float32
        scale = float(bulk + np.trace(deviatoric) / 5)
        scale = scale if scale > 0 else 1.0
        stiffness = DEVIATORIC_BASIS.T @ (deviatoric / scale) @ DEVIATORIC_BASIS
        fourth = np.einsum("aij,ab,bkl->ijkl", UNITS, stiffness, UNITS)
        contraction = np.array(
            [
                [fourth[i, j, k, m] + (j != m) * fourth[i, m, k, j] for j, m in PAIRS]
                for i, k in PAIRS
            ]
        )
        symbol = np.empty((6, *(table.shape[1] for table in self._tables)), self.dtype)
        number = symbol.dtype.type
        _invert(
            contraction.astype(self.dtype),
            number(bulk / scale),
            number(scale * np.prod(self.shape)),
            *self._tables,
            symbol,
        )
        whole = stiffness + bulk / scale * np.outer(TRACE, TRACE)
        compliance = np.zeros((6, 6))
        which = np.ix_(free, free)
        compliance[which] = np.linalg.inv(whole[which]) / (scale * np.prod(self.shape))
        return Medium(symbol, compliance)

    @property
    def forces(self) -> np.ndarray:
        """What `precondition` starts from."""
        return self._fourier.before

    @property
    def displacement(self) -> np.ndarray:
        """What it has made last."""
        return self._fourier.after

    def precondition(self, medium: Medium) -> None:
        """Let `displacement` be what `forces` cause in the medium."""
        self._fourier.apply(lambda waves, start: _multiply(waves, medium.symbol, start))


def _table(angle: np.ndarray) -> np.ndarray:
    """(5, frequency): shape, slope, mixed, and sine and cosine of half the angle."""
    return np.array(
        [
            (2 + np.cos(angle)) / 3,
            2 * (1 - np.cos(angle)),
            np.sin(angle),
            2 * np.sin(angle / 2),
            np.cos(angle / 2),
        ]
    )


@kernel
def _invert(contraction, bulk, scale, tx, ty, tz, symbol):
    """Fill `symbol` with the inverses of `scale` times the symmetric 3x3 symbols; zero at frequency
    zero.
    """
    one = symbol.dtype.type(1)
    _, nx, ny, nz = symbol.shape
    for i in range(nx):
        for j in range(ny):
            for k in range(nz):
                xx = tx[1, i] * ty[0, j] * tz[0, k]
                yy = tx[0, i] * ty[1, j] * tz[0, k]
                zz = tx[0, i] * ty[0, j] * tz[1, k]
                xy = tx[2, i] * ty[2, j] * tz[0, k]
                xz = tx[2, i] * ty[0, j] * tz[2, k]
                yz = tx[0, i] * ty[2, j] * tz[2, k]
                x = tx[3, i] * ty[4, j] * tz[4, k]
                y = tx[4, i] * ty[3, j] * tz[4, k]
                z = tx[4, i] * ty[4, j] * tz[3, k]
                m = contraction
                a = m[0, 0] * xx + m[0, 1] * yy + m[0, 2] * zz
                a += m[0, 3] * xy + m[0, 4] * xz + m[0, 5] * yz + bulk * x * x
                b = m[1, 0] * xx + m[1, 1] * yy + m[1, 2] * zz
                b += m[1, 3] * xy + m[1, 4] * xz + m[1, 5] * yz + bulk * y * y
                c = m[2, 0] * xx + m[2, 1] * yy + m[2, 2] * zz
                c += m[2, 3] * xy + m[2, 4] * xz + m[2, 5] * yz + bulk * z * z
                d = m[3, 0] * xx + m[3, 1] * yy + m[3, 2] * zz
                d += m[3, 3] * xy + m[3, 4] * xz + m[3, 5] * yz + bulk * x * y
                e = m[4, 0] * xx + m[4, 1] * yy + m[4, 2] * zz
                e += m[4, 3] * xy + m[4, 4] * xz + m[4, 5] * yz + bulk * x * z
                f = m[5, 0] * xx + m[5, 1] * yy + m[5, 2] * zz
                f += m[5, 3] * xy + m[5, 4] * xz + m[5, 5] * yz + bulk * y * z
                p, q, r = b * c - f * f, e * f - c * d, d * f - b * e
                inverse = one / ((a * p + d * q + e * r) * scale)
                symbol[0, i, j, k] = p * inverse
                symbol[1, i, j, k] = (a * c - e * e) * inverse
                symbol[2, i, j, k] = (a * b - d * d) * inverse
                symbol[3, i, j, k] = q * inverse
                symbol[4, i, j, k] = r * inverse
                symbol[5, i, j, k] = (d * e - a * f) * inverse
    symbol[:, 0, 0, 0] = symbol.dtype.type(0)


@kernel
def _multiply(waves, symbol, start):
    """Multiply waves (3, x, row, z//2+1), in place, by symmetric matrices (6, x, y, z//2+1), whose
    rows along y are those from `start` on.
    """
    _, nx, ny, nz = waves.shape
    for i in range(nx):
        for j in range(ny):
            u, v, w = waves[0, i, j], waves[1, i, j], waves[2, i, j]
            m = symbol[:, i, start + j]
            for k in range(nz):
                x, y, z = u[k], v[k], w[k]
                u[k] = m[0, k] * x + m[3, k] * y + m[4, k] * z
                v[k] = m[3, k] * x + m[1, k] * y + m[5, k] * z
                w[k] = m[4, k] * x + m[5, k] * y + m[2, k] * z
