"""Files and folders that appear whole or not at all, and arrays of finished work."""

from __future__ import annotations

import io
import mmap
import os
import shutil
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from svevae.errors import DataError


def check_target(path: Path, sources: Iterable[Path] = ()) -> None:
    """Raise DataError unless a file may be written at `path`; call it before hours of work, not
    after.

    What is read from `sources`, files and folders, must not be overwritten.
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
        # links lead out of a folder
        files = [source, *source.iterdir()] if source.is_dir() else [source]
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


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all. Raises DataError as `written_whole`."""
    with written_whole(path) as beside:
        beside.write_text(text)


def replace_folder(new: Path, folder: Path) -> None:
    """Put the folder `new`, which lies beside `folder`, in its place.

    At no moment is neither of the two there under a name that `repair_folder` finds. Where an error
    prevents the replacement, `folder` is as before. One process at a time may replace a folder.
    """
    repair_folder(folder)
    aside = _aside(folder)
    shutil.rmtree(aside, ignore_errors=True)  # `folder` is there, so this is a leftover
    try:
        if folder.exists():
            os.rename(folder, aside)
        os.rename(new, folder)
    except BaseException:
        repair_folder(folder)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def repair_folder(folder: Path) -> None:
    """Where `replace_folder` was killed between its two renames, put the old folder back.

    Call it before `folder` is read. It never deletes anything.
    """
    if not folder.exists():
        with suppress(OSError):  # there is none, or another process was faster
            os.rename(_aside(folder), folder)


def save_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays by name, whole or not at all. Raises DataError as `written_whole`."""
    content = io.BytesIO()
    named: dict[str, Any] = dict(arrays)
    np.savez(content, **named)
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as beside:
        beside.write_bytes(content.getvalue())


def load_arrays(path: Path) -> dict[str, np.ndarray] | None:
    """Read what `save_arrays` wrote; None where there is nothing, or where it is damaged."""
    try:
        # numpy leaves a damaged file open that it has opened itself
        with path.open("rb") as stream, np.load(stream) as file:
            return {name: file[name] for name in file.files}
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error):
        return None


def release(array: np.ndarray) -> None:
    """Let go of the pages of a memory-mapped file that were read: they count as memory of the
    process.
    """
    base: object = array
    while base is not None and not isinstance(base, mmap.mmap):
        base = getattr(base, "base", None)
    if base is not None and hasattr(mmap, "MADV_DONTNEED"):
        base.madvise(mmap.MADV_DONTNEED)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def _aside(folder: Path) -> Path:
    """Where the old folder is while the new one takes its place."""
    return folder.with_name(f".{folder.name}.old")
