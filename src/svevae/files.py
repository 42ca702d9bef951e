"""Files and folders that appear whole or not at all, and arrays of finished work."""

from __future__ import annotations

import glob
import io
import json
import mmap
import os
import shutil
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from svevae.errors import DataError

LEFT = 3600  # seconds after which the unfinished file of a dead process is removed
ROOM = 1 << 16  # bytes, more than the blocks in which programs write
# what numpy raises of damaged files
DAMAGED = (
    *(OSError, EOFError, ValueError, LookupError, TypeError, MemoryError, OverflowError),
    *(RuntimeError, zipfile.BadZipFile, zlib.error),
)


def check_target(path: Path, sources: Iterable[Path] = ()) -> None:
    """Raise DataError unless a file may be written at `path`; call it before hours of work, not
    after.

    What is read from `sources`, files and folders, must not be overwritten.
    """
    if os.path.isdir(path):
        raise DataError(f"{path}: not written: expected the name of a file, this is a folder")
    if not os.access(path.parent, os.W_OK) or not os.path.isdir(path.parent):
        found = "one that cannot" if os.path.isdir(path.parent) else "no folder; make it first"
        raise DataError(
            f"{path}: not written: expected a folder {path.parent} that can be written to, found"
            f" {found}"
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
    """A name beside `path` to write to; when the context ends well, what was written reaches the
    disk and takes the place of `path`, else nothing is left of it.

    Raises DataError that names `path` where the file system does not take it.
    """
    check_target(path)
    _remove_leftovers(path)
    beside = _beside(path)
    try:
        yield beside
        _sync(beside)
        os.replace(beside, path)
        _sync(path.parent)
    except OSError as error:
        raise DataError(f"{path}: not written: {error.strerror or error}") from error
    finally:
        beside.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8, whole or not at all. Raises DataError as `written_whole`."""
    with written_whole(path) as beside:
        beside.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON for people to read, whole or not at all; JSON has no NaN and no
    infinity: a value with one is a ValueError. Raises DataError as `written_whole`.
    """
    write_text(path, json.dumps(value, indent=1, allow_nan=False) + "\n")


def replace_folder(new: Path, folder: Path) -> None:
    """Put the folder `new`, which lies beside `folder`, in its place.

    At no moment is neither of the two there under a name that `repair_folder` finds. Where an error
    prevents the replacement, `folder` is as before. One process at a time may replace a folder.
    """
    repair_folder(folder)
    for path in (*new.rglob("*"), new):
        _sync(path)
    aside = _aside(folder)
    shutil.rmtree(aside, ignore_errors=True)  # `folder` is there, so this is a leftover
    try:
        if folder.exists():
            os.rename(folder, aside)
        os.rename(new, folder)
        _sync(folder.parent)
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


def no_room(folder: Path) -> str | None:
    """Why the file system takes no more in a folder, in the system's words; None where it does.
    Ask where a program may have lost what it wrote without a word.
    """
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(bytes(ROOM))
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        return error.strerror or str(error)
    return None


@contextmanager
def locked(path: Path, command: str) -> Iterator[None]:
    """Keep other processes from the same work while the context lasts; `path` is the lock file.

    The lock goes with the process that holds it, however that ends. Raises DataError that names the
    command and the process that have it, and since when.
    """
    import filelock

    path.parent.mkdir(parents=True, exist_ok=True)
    holder = path.with_suffix(".holder.json")  # the lock file itself is emptied by who asks for it
    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise DataError(
            f"{path}: expected no other command at this work, found {_holder(holder)}; wait for"
            " it, or end it"
        ) from error
    try:
        since = time.strftime("%Y-%m-%d %H:%M:%S")
        write_json(holder, {"pid": os.getpid(), "since": since, "command": command})
        yield
    finally:
        lock.release()


def _holder(path: Path) -> str:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        who = f"process {int(found['pid'])} since {str(found['since'])[:40]}"
        return f"`svevae {str(found['command'])[:40]}`, {who}"
    except (OSError, ValueError, LookupError, TypeError):
        return "another process"


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
            arrays = {name: file[name] for name in file.files}
    except DAMAGED:
        return None
    # a member that is no array comes as bytes
    return arrays if all(isinstance(array, np.ndarray) for array in arrays.values()) else None


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


def _remove_leftovers(path: Path) -> None:
    """Remove what processes of this machine that were killed have left beside `path`. Another
    machine's may have the number of none here: what was touched lately stays.
    """
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        number = left.name.removesuffix(".part").rpartition(".")[2]
        if not number.isdecimal() or _runs(int(number)):
            continue
        with suppress(OSError):  # another process was faster
            if time.time() - left.stat().st_mtime > LEFT:
                left.unlink()


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # another user's
        return True
    return True


def _sync(path: Path) -> None:
    """Wait until a file or the entries of a folder are on the disk."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except PermissionError:  # a folder that may be written to but not listed
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _aside(folder: Path) -> Path:
    """Where the old folder is while the new one takes its place."""
    return folder.with_name(f".{folder.name}.old")
