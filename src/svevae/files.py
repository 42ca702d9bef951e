"""Files and folders that appear whole or not at all, and arrays of finished work."""

from __future__ import annotations

import io
import os
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from svevae.errors import DataError


def check_target(path: Path, sources: Iterable[Path] = ()) -> None:
    """Raises DataError unless a file may be written at `path`: ask before hours of work, not behind
    them.

    What is read from `sources`, files and folders, must not be lost.
    """
    if os.path.isdir(path):
        raise DataError(f"{path}: not written: expected the name of a file, this is a folder")
    if not os.path.isdir(path.parent) or not os.access(path.parent, os.W_OK):
        raise DataError(
            f"{path}: not written: expected a folder {path.parent} that can be written to"
        )
    try:
        with suppress(FileNotFoundError):
            _beside(path).lstat()
    except OSError as error:  # the name is too long
        raise DataError(f"{path}: not written: {error.strerror}") from error
    for source in sources if path.exists() else ():
        files = (
            [source, *source.iterdir()] if source.is_dir() else [source]
        )  # links lead out of a folder
        if source.resolve() in path.resolve().parents or any(
            file.exists() and file.samefile(path) for file in files
        ):
            raise DataError(
                f"{path}: expected another file than the source {source}, which would be lost"
            )


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A name beside `path` to write to; when the context ends well it takes the place of `path`,
    else nothing is left of it.

    Raises DataError that names `path` where the file system does not take it.
    """
    check_target(path)
    beside = _beside(path)
    try:
        yield beside
        os.replace(beside, path)
    except OSError as error:
        raise DataError(f"{path}: not written: {error.strerror or error}") from error
    finally:
        beside.unlink(missing_ok=True)


def save_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays by name, whole or not at all. Raises DataError as `written_whole`."""
    content = io.BytesIO()
    np.savez(content, **arrays)
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as beside:
        beside.write_bytes(content.getvalue())


def load_arrays(path: Path) -> dict[str, np.ndarray] | None:
    """What `save_arrays` wrote; None where there is nothing, or where it is damaged."""
    try:
        with (
            path.open("rb") as stream,
            np.load(stream) as file,
        ):  # numpy leaves a damaged file open that it has opened itself
            return {name: file[name] for name in file.files}
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error):
        return None


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.part")
