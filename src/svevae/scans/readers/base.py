"""What the reader of every format shares: what is asked of it, what a header says, bounds of
memory.
"""

from __future__ import annotations

import lzma
import os
import re
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from svevae.errors import DataError, SvevaeError
from svevae.words import some

# What libraries raise of damaged files.
UNREADABLE = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    lzma.LZMAError,
    struct.error,
    tokenize.TokenError,  # numpy, of the header of a .npy file
    zipfile.BadZipFile,
    zlib.error,
)
DEFLATE = (
    1032  # bytes that one byte of deflate unpacks to at most (https://zlib.net/zlib_tech.html)
)
METRES = ("ter", "tre")
MICROMETRES = dict.fromkeys(
    ("um", "µm", "μm", "\\u00b5m", "micron", "microns", "micrometer", "micrometre"), 1.0
)
MICROMETRES |= dict.fromkeys(("nm", "nanometer", "nanometre"), 1e-3)
MICROMETRES |= dict.fromkeys(("mm", "millimeter", "millimetre"), 1e3)
MICROMETRES |= dict.fromkeys(("cm", "centimeter", "centimetre"), 1e4)
MICROMETRES |= dict.fromkeys(("m", "meter", "metre"), 1e6) | {"inch": 25400.0}
MICROMETRES |= {f"{name}s": value for name, value in MICROMETRES.items() if name[-3:] in METRES}


@dataclass(frozen=True)
class Lengths:
    """What people say of files without voxels or units: the `unit` of their lengths, a key of
    MICROMETRES; the `edge` of the voxels to fill, in micrometres; the `box` to fill, the smallest
    and the largest x, y, z in that unit.
    """

    unit: str | None = None
    edge: float | None = None
    box: tuple[float, ...] | None = None


NO_LENGTHS = Lengths()


@dataclass(frozen=True)
class Wanted:
    """What to read: `dataset` names one of several arrays. `shape` (slowest axis first), `dtype`
    and the header's bytes to `skip` are for raw files, `lengths` for VTK's images and surfaces.
    """

    dataset: str | None = None
    shape: tuple[int, ...] | None = None
    dtype: str | None = None
    skip: int = 0
    lengths: Lengths = NO_LENGTHS


@dataclass(frozen=True)
class Header:
    """What a file says of its volume: what its `axes` mean, slowest first; the `edges` of a voxel
    in micrometres in that order, empty where unknown; `notes` for people; the `corner` of the first
    voxel along x, y and z in micrometres, None where the file does not place itself.
    """

    axes: str
    edges: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()
    corner: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class Format:
    """A family of formats: names of files end in `suffixes`, folders have `is_folder`. `read` gives
    the array as the file's axes run, `header` what the file says of it. One `of_arrays` may hold
    several, of which a name chooses; `apart` ones are read in a process of their own. The lengths
    of `unitless` ones have no unit; `surfaces` may be filled with voxels.
    """

    suffixes: tuple[str, ...]
    read: Callable[[Path, Wanted], np.ndarray]
    header: Callable[[Path, Wanted], Header]
    is_folder: Callable[[Path], bool] = lambda folder: False
    of_arrays: bool = False
    apart: bool = False
    unitless: bool = False
    surfaces: bool = False


def allow(claimed: int) -> None:
    """Told of the bytes that a volume takes before it is read; `svevae.scans.readers.apart` bounds
    its process by them.
    """


def order_of(names: Sequence[str], shape: Sequence[int]) -> str | None:
    """The order of the last three axes longer than 1 of an array, or of a list of them, whose axes
    have `names`: of x, y and z; with another name beside two of these, as the angle of a stack of
    projections has, all three with colons, which no volume is read by; None where names say less.
    """
    if len(names) != len(shape):
        return None
    long = [n for n, size in zip(names, shape, strict=True) if size > 1 or n in ("x", "y", "z")]
    order = long[-3:]
    if sorted(order) == ["x", "y", "z"]:
        return "".join(order)
    other = len(order) == 3 and all(order) and len({"x", "y", "z"} & {*order}) == 2
    return ":".join(order) if other else None


@contextmanager
def reading_as(
    path: Path, kind: str, errors: tuple[type[Exception], ...] = UNREADABLE
) -> Iterator[None]:
    """Turns what a library raises of a damaged file into a DataError that names `path` and the
    `kind` of file expected, such as "a tif file".
    """
    try:
        yield
    except SvevaeError:
        raise
    except errors as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise DataError(f"{path}: expected {kind}, cannot be read: {lines[-1][:300]}") from error


def fits(
    where: str | Path,
    shape: Sequence[int],
    dtype: np.dtype,
    stored: int | None = None,
    ratio: float | None = 1,
) -> None:
    """Raises DataError where a volume of `shape` is more than `stored` bytes can hold, packed by a
    codec of `ratio` at most (None: without a bound), or more than the memory that is free.
    """
    count = 1
    for size in shape:
        count *= int(size)
    claimed = count * dtype.itemsize
    received = f"received a header of {times(shape)} of {dtype}, {claimed} bytes"
    if stored is not None and ratio is not None and claimed > ratio * stored:
        raise DataError(
            f"{where}: expected at most the {int(ratio * stored)} bytes that its {stored} bytes"
            f" can hold, {received}"
        )
    if claimed > (free := free_memory()):
        raise DataError(
            f"{where}: expected at most the {free} bytes of memory that are free, {received}"
        )
    allow(claimed)


def free_memory() -> int:
    """Bytes of memory that can be had without swapping: of the machine, and of the control group
    where that has less.
    """
    try:
        found = re.search(
            r"MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(encoding="utf-8")
        )
    except OSError:
        found = None
    free = (
        int(found[1]) * 1024 if found else os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    )
    group = Path("/sys/fs/cgroup")
    try:
        limit, used = (
            (group / f"memory.{name}").read_text(encoding="utf-8") for name in ("max", "current")
        )
        return min(free, max(int(limit) - int(used), 0))
    except (OSError, ValueError):  # no control group, or one without a limit
        return free


def times(shape: Sequence[object]) -> str:
    return " x ".join(map(str, shape))


def chosen(where: Path, arrays: dict[str, tuple[int, ...]], dataset: str | None) -> str:
    """The name among `arrays`, shapes by name, of `dataset` or of the only volume: three axes, or
    more of which only three are longer than 1. Raises DataError.
    """
    wanted = dataset and dataset.strip("/")
    names = [
        name
        for name, shape in arrays.items()
        if (name == wanted if wanted else len(shape) == 3 or is_padded(shape))
    ]
    if len(names) == 1:
        return names[0]
    found = some([f"{name} {shape}" for name, shape in arrays.items()]) or "nothing"
    raise DataError(
        f"{where}: expected {f'the array {wanted}' if wanted else 'one array of three axes'},"
        f" received {found}"
    )


def is_padded(shape: tuple[int, ...]) -> bool:
    """Whether a volume has axes of length 1 beside its own, as of one channel or one time."""
    return len(shape) > 3 and sum(size > 1 for size in shape) <= 3


def several_channels(shape: Sequence[int]) -> str:
    """Say that four axes longer than 1 look like a volume of 2 to 4 channels, the last axis, and
    how to take one of them; "" where they do not.
    """
    long = [size for size in shape if size > 1]
    if len(long) != 4 or long[-1] != shape[-1] or not long[-1] <= 4 < min(long[:3]):
        return ""
    return (
        f"a volume with {shape[-1]} channels, as colours have; save one of them by itself, in"
        " Python array[..., 0]"
    )


def squeezed(array: np.ndarray, where: str | Path) -> np.ndarray:
    """`array` without the axes of length 1 that it has beside three, the last and first of them
    first. Raises DataError where more than three are longer.
    """
    if array.ndim > 3 and not is_padded(array.shape):
        several = "several channels, times or volumes; import one of them"
        raise DataError(
            f"{where}: expected a volume of three axes, received shape {array.shape}:"
            f" {several_channels(array.shape) or several}"
        )
    while array.ndim > 3:
        axis = next(i for i in (-1, 0, *range(array.ndim)) if array.shape[i] == 1)
        array = array.squeeze(axis)
    return array


def turned(direction: tuple[float, ...], rank: int) -> tuple[str, ...]:
    """A note where direction cosines are not identity."""
    if np.allclose(direction, np.eye(rank).ravel(), atol=1e-4):
        return ()
    cosines = np.reshape(direction, (rank, rank))
    rows = "; ".join(" ".join(f"{round(x, 4) + 0.0:g}" for x in row) for row in cosines)
    return (f"voxels are taken as stored, not turned by the direction cosines {rows}",)
