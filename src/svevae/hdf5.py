"""HDF5 files opened, in one place: whatever is wrong with one, the error names it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

from svevae.errors import DataError, SvevaeError

# What h5py raises of damaged files, of filters that are not installed and of sizes beyond memory.
UNREADABLE = (OSError, RuntimeError, ValueError, TypeError, LookupError, OverflowError, MemoryError)


@contextmanager
def reading(path: str | Path) -> Iterator[h5py.File]:
    """The file at `path`, open to read.

    What h5py raises while the context lasts becomes a DataError that names the file; keep the
    context short, so that this holds of nothing else. Raises DataError also where there is no file,
    another program writes it, or it is no HDF5 file.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(
            f"{path}: expected an HDF5 file, found {'a folder' if path.is_dir() else 'nothing'}"
        )
    file = _opened(path)
    try:
        with file:
            yield file
    except SvevaeError:
        raise
    except UNREADABLE as error:
        raise DataError(f"{path}: cannot be read, {_cause(error)}") from error


def _opened(path: Path) -> h5py.File:
    try:
        return h5py.File(path, "r")
    except BlockingIOError as error:
        raise DataError(
            f"{path}: expected a file that nobody writes, received one that another program has"
            " open; close it there"
        ) from error
    except PermissionError as error:
        raise DataError(f"{path}: expected a file that may be read, {error.strerror}") from error
    except UNREADABLE as error:
        received = "a truncated one" if "truncated" in str(error) else "something else"
        raise DataError(
            f"{path}: expected an HDF5 file, received {received} ({_first_line(error)})"
        ) from error


def _cause(error: BaseException) -> str:
    """Why reading failed, in words."""
    said = _first_line(error)
    if "required filter" in said or "plugin" in said:
        return f"it is packed by an HDF5 filter that is not installed here: {said}"
    return f"damaged or truncated: {said}"


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:300]
