"""Real Fourier transforms of a nodal field, there and back, for what multiplies its waves between.

FFTW, of the optional library pyFFTW, does it where all lengths are powers of two, in half of
scipy's time; of other lengths it is not faster, without measurements that would make results differ
from run to run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import scipy.fft

CHUNK = 2**16  # waves, that they stay in the second cache between there and back

# `each(work, count)` calls work(k) for all k below count, by threads if there are some
Each = Callable[[Callable[[int], Any], int], Any]
# `multiply(waves, start)` changes in place waves (3, x, rows, z//2+1), whose rows along y are those
# from `start` on
Multiply = Callable[[np.ndarray, int], None]


class Fourier(Protocol):
    """Two nodal fields (3, x, y, z); `apply` makes `after` of `before`, apart from the number of
    voxels as a factor. `before` stays.
    """

    before: np.ndarray
    after: np.ndarray

    def apply(self, multiply: Multiply) -> None: ...


def fourier(shape: tuple[int, int, int], dtype: str, threads: int, each: Each) -> Fourier:
    """The faster transforms of a grid."""
    if all(length & (length - 1) == 0 for length in shape):
        try:
            return _Fftw(shape, dtype, each)
        except ImportError:
            pass
    return _Scipy(shape, dtype, threads)


class _Scipy:
    """The whole grid at once."""

    def __init__(self, shape: tuple[int, int, int], dtype: str, threads: int):
        self.before, self.after = np.zeros((2, 3, *shape), dtype)
        self._threads = threads

    def apply(self, multiply: Multiply) -> None:
        waves = scipy.fft.rfftn(self.before, axes=(1, 2, 3), workers=self._threads)
        multiply(waves, 0)
        self.after = scipy.fft.irfftn(
            waves,
            s=self.after.shape[1:],
            axes=(1, 2, 3),
            overwrite_x=True,
            norm="forward",
            workers=self._threads,
        )


class _Fftw:
    """Piece by piece: some planes along y and z, then some rows along x, there and back, then the
    planes again.
    """

    def __init__(self, shape: tuple[int, int, int], dtype: str, each: Each):
        from pyfftw import FFTW, empty_aligned

        x, y, z = shape
        wave = np.result_type(dtype, np.complex64)
        self.before, self.after = (empty_aligned((3, *shape), dtype) for _ in range(2))
        self.before[:], self.after[:] = 0, 0
        waves = empty_aligned((3, x, y, z // 2 + 1), wave)
        planes = _parts(x, CHUNK // (3 * y * (z // 2 + 1)))
        rows = _parts(y, CHUNK // (3 * x * (z // 2 + 1)))
        turned = [empty_aligned((3, x, part.stop - part.start, z // 2 + 1), wave) for part in rows]
        plan: dict[str, Any] = {"flags": ("FFTW_ESTIMATE",)}  # deterministic
        back = plan | {"direction": "FFTW_BACKWARD"}
        self._there = [
            FFTW(self.before[:, part], waves[:, part], (2, 3), **plan) for part in planes
        ]
        self._rows = [
            (
                FFTW(waves[:, :, part], piece, (1,), **plan),
                piece,
                part.start,
                FFTW(piece, waves[:, :, part], (1,), **back),
            )
            for part, piece in zip(rows, turned, strict=True)
        ]
        self._back = [FFTW(waves[:, part], self.after[:, part], (2, 3), **back) for part in planes]
        self._each = each

    def apply(self, multiply: Multiply) -> None:
        def along_x(k: int) -> None:
            there, piece, start, back = self._rows[k]
            there.execute()
            multiply(piece, start)
            back.execute()

        self._each(lambda k: self._there[k].execute(), len(self._there))
        self._each(along_x, len(self._rows))
        self._each(lambda k: self._back[k].execute(), len(self._back))


def _parts(length: int, size: int) -> list[slice]:
    """Parts of at most `size`, and at least one, of a length."""
    size = max(1, size)
    return [slice(start, min(start + size, length)) for start in range(0, length, size)]
