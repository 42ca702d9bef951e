"""Readers in C++, in a process of their own: what a damaged file may make of them, a crash or
memory without end, becomes a DataError here, and what they print goes nowhere.
"""

from __future__ import annotations

import atexit
import os
import pickle
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np

from svevae.errors import DataError, SvevaeError
from svevae.scans.readers import base

LIBRARIES = 1 << 29  # bytes that the libraries take by themselves
# one thread is enough to read, and the stack of each counts as memory
THREADS = dict.fromkeys(
    ("ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS", "VTK_SMP_MAX_THREADS", "OPENBLAS_NUM_THREADS"), "1"
)

_lock = threading.Lock()
_processes: list[subprocess.Popen[bytes]] = []  # the one that waits for work, if any
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_processes.clear)  # its pipes are the parent's


def apart(path: Path, function: Callable[..., Any], *arguments: Any) -> Any:
    """What `function` of a module returns of `arguments`, an array for instance; `path` is the file
    that it reads.

    Raises what it raises, and DataError where its process ends or needs more memory than
    `svevae.scans.readers.base.fits` was told of.
    """
    with _lock:
        process = _processes.pop() if _processes else _started()
        assert process.stdin
        assert process.stdout
        try:
            pickle.dump((os.getcwd(), function, arguments), process.stdin)
            process.stdin.flush()
            kind, found = pickle.load(process.stdout)
            if kind == "array":
                found = _received(process.stdout, *found)
        except (EOFError, BrokenPipeError, pickle.UnpicklingError) as error:
            process.communicate()
            ended = process.returncode
            name = signal.Signals(-ended).name if ended < 0 else f"exit code {ended}"
            raise DataError(
                f"{path}: cannot be read, damaged: the library that reads it ended with {name}"
            ) from error
        except BaseException:
            process.kill()
            process.communicate()
            raise
        _processes.append(process)
    if kind == "memmap":
        return np.memmap(**found)
    if kind == "memory":
        raise DataError(f"{path}: cannot be read, damaged: claims more memory than it can fill")
    if kind == "missing":
        raise ModuleNotFoundError(f"No module named {found!r}", name=found)
    if kind == "failed":
        raise RuntimeError(found)
    if kind == "refused":
        raise found
    return found


def _received(stream: IO[bytes], shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An array from its bytes; EOFError where there are fewer."""
    array = np.empty(shape, dtype)
    count = stream.readinto(array.reshape(-1).view(np.uint8))  # type: ignore[attr-defined]
    if count < array.nbytes:
        raise EOFError(f"expected {array.nbytes} bytes, received {count}")
    return array


def _started() -> subprocess.Popen[bytes]:
    here = os.pathsep.join(place for place in sys.path if place)
    return subprocess.Popen(
        [sys.executable, "-P", "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | THREADS | {"PYTHONPATH": here},
    )


@atexit.register
def _end() -> None:
    while _processes:
        _processes.pop().communicate()


def _allow(claimed: int) -> None:
    """Let this process take `claimed` bytes, twice, beside what it has and its libraries take."""
    with suppress(ImportError, OSError, ValueError):  # not every system has such a limit
        import resource

        status = Path("/proc/self/status").read_text(encoding="ascii")
        [held] = [line.split()[1] for line in status.splitlines() if line.startswith("VmData")]
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (1024 * int(held) + LIBRARIES + 2 * claimed, hard))


def _answer(function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[str, Any]:
    try:
        found = function(*arguments)
    except SvevaeError as error:
        cause = error.__cause__
        memory = isinstance(cause, MemoryError) or "bad_alloc" in str(cause)
        return ("memory", None) if memory else ("refused", type(error)(str(error)))
    except MemoryError:
        return "memory", None
    except ModuleNotFoundError as error:
        return "missing", error.name
    except Exception:
        return "failed", traceback.format_exc()
    if isinstance(found, np.memmap):
        keys = ("filename", "dtype", "mode", "offset", "shape")
        return "memmap", {key: getattr(found, key) for key in keys}
    return ("array" if isinstance(found, np.ndarray) else "value"), found


def main() -> None:
    """Answer until the other process closes its end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the other process knows what to do
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    base.allow = _allow
    while True:
        try:
            folder, function, arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        os.chdir(folder)
        _allow(0)
        kind, found = _answer(function, arguments)
        if kind == "array":
            pickle.dump((kind, (found.shape, found.dtype)), answers)
            answers.write(np.ascontiguousarray(found).reshape(-1).view(np.uint8).data)
        else:
            pickle.dump((kind, found), answers)
        answers.flush()
        del found


if __name__ == "__main__":
    main()
