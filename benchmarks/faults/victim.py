"""A process that runs commands of svevae on damaged files: a line of JSON with the number of a case
in, a line with what happened out. `fuzz` starts it, watches it and starts another where it ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import sys
import tempfile
import time
import traceback
from functools import lru_cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import psutil
from benchmarks.faults.mutations import mutate
from benchmarks.faults.valid import Kind, kinds

LONGEST = 2000  # characters of a message
UNSEALED = "no checksums"


@lru_cache
def schedule(light: bool) -> tuple[Kind, ...]:
    """The kinds, each as often as its share says."""
    found = [kind for kind in kinds(light) for _ in range(kind.share)]
    order = np.random.default_rng(0).permutation(len(found))
    return tuple(found[i] for i in order)


@contextlib.contextmanager
def _captured() -> Any:
    """What goes to stdout and stderr meanwhile, also that of libraries in C; as a list of texts."""
    said: list[str] = []
    with tempfile.TemporaryFile() as file:
        kept = [os.dup(1), os.dup(2)]
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)
        try:
            yield said
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for descriptor, old in zip((1, 2), kept, strict=True):
                os.dup2(old, descriptor)
                os.close(old)
            file.seek(0)
            said.append(file.read().decode("utf-8", "replace"))


def called(line: tuple[str, ...]) -> tuple[int, str, str]:
    """Exit code, output and the place of an error that was not told in words, of a command."""
    from svevae.cli import main

    place = ""
    with _captured() as said:
        try:
            code = main(line)
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 1
        except BaseException as error:
            code, place = 1, _place(error)
    return code, said[0], place


def _place(error: BaseException) -> str:
    """Type of an error and the last line of svevae that it went through."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if f"src{os.sep}svevae" in frame.filename]
    last = f"{Path(own[-1].filename).name}:{own[-1].name}:{own[-1].lineno}" if own else "?"
    return f"{type(error).__name__} at {last}: {str(error)[:160]}"


def content(path: Path) -> dict[str, Any] | None:
    """All that an HDF5 file says: values and attributes by their names; None where it cannot be
    read.
    """
    found: dict[str, Any] = {}

    def take(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = (item.dtype.str, item.shape, np.asarray(item[()]).tobytes())
        for key, value in item.attrs.items():
            found[f"{name}@{key}"] = repr(value)

    try:
        with h5py.File(path, "r") as file:
            take("", file)
            file.visititems(take)
    except Exception:
        return None
    return found


def prepared(kind: Kind, folder: Path) -> None:
    """Put valid files into an empty folder, which becomes the working folder."""
    os.chdir(folder.parent)
    shutil.rmtree(folder, ignore_errors=True)
    valid = folder.parents[1] / "valid" / re.sub(r"\W+", "-", kind.name)
    shutil.copytree(valid, folder)
    os.chdir(folder)


def damaged(kind: Kind, folder: Path, random: np.random.Generator) -> tuple[str, Path, Path]:
    """Damage one file: how, which, and where a copy of the valid one is."""
    paths = sorted(path for path in folder.glob(kind.damaged) if path.is_file())
    path = paths[int(random.integers(len(paths)))]
    valid = folder.with_name("valid-file")
    shutil.copy(path, valid)
    text = kind.text or path.suffix in (".json", ".vgi", ".mhd")
    name, data = mutate(path.read_bytes(), random, text)
    path.write_bytes(data)
    return name, path, valid


def run_case(
    seed: int, number: int, folder: Path, light: bool = False, keep: bool = False
) -> dict[str, Any]:
    """What happened in one case; `keep` leaves its files where they are."""
    kind = schedule(light)[number % len(schedule(light))]
    random = np.random.default_rng([seed, number])
    line = kind.commands[int(random.integers(len(kind.commands)))]
    prepared(kind, folder)
    if kind.before:
        called(kind.before)
    how, path, valid = damaged(kind, folder, random)
    name = path.relative_to(folder)
    line = tuple(str(name) if word == "{scan}" else word for word in line)
    begun, memory = time.monotonic(), _resident()
    code, said, place = called(line)
    result = {
        "case": number,
        "kind": kind.name,
        "command": " ".join(line[:2]),
        "damage": how,
        "code": code,
        "seconds": time.monotonic() - begun,
        "memory": max(0, _peak() - memory),
        "faults": _faults(kind, line, name, code, said, place),
    }
    if kind.own and line[0] == "check" and code == 0 and UNSEALED not in said:
        expected = content(valid)
        if path.read_bytes() != valid.read_bytes() and content(path) != expected:
            result["faults"].append(["called valid", ""])
    if keep:
        result["said"] = said[-4000:]
    else:
        os.chdir(folder.parent)
        shutil.rmtree(folder, ignore_errors=True)
    return result


def _faults(
    kind: Kind, line: tuple[str, ...], name: Path, code: int, said: str, place: str
) -> list[list[str]]:
    """What is wrong with what a command said, as pairs of a kind of fault and its details."""
    found = []
    if place or "Traceback (most recent call last)" in said:
        found.append(["traceback", place or said[-300:]])
    elif code not in (0, 2):
        found.append(["exit code", f"{code}: {said[-200:]}"])
    elif code == 2:
        words = [*line[1:2], name.name, name.stem, name.parts[0]]
        if not any(word in said for word in words if len(word) > 2):
            found.append(["no name", said[:300]])
    if code == 2 and len(said) > LONGEST:
        found.append(["too long", f"{len(said)}: {said[:200]}"])
    if tempfile.gettempdir() in said:
        found.append(["temporary path", said[:300]])
    return found


def _resident() -> int:
    """MiB of this process and of those that it started; their peaks begin anew."""
    for number in _processes():
        with contextlib.suppress(OSError), open(f"/proc/{number}/clear_refs", "w") as file:
            file.write("5")
    return _status("VmRSS")


def _peak() -> int:
    return _status("VmHWM")


def _processes() -> list[int]:
    return [os.getpid(), *(child.pid for child in psutil.Process().children(recursive=True))]


def _status(key: str) -> int:
    total = 0
    for number in _processes():
        with contextlib.suppress(OSError), open(f"/proc/{number}/status", encoding="ascii") as file:
            total += sum(int(line.split()[1]) for line in file if line.startswith(key))
    return total >> 10


def warm_up(light: bool = False) -> None:
    """Import what takes long, so that no case pays for it."""
    with _captured():
        import matplotlib.pyplot  # noqa: F401
        import zarr  # noqa: F401

        if light:
            return
        from svevae.cli.quiet_keras import import_keras

        import_keras("tensorflow")
        import svevae.stages.search
        import svevae.stages.train  # noqa: F401
        from svevae import tracking

        tracking.connect()


def main() -> None:
    """Answer until stdin ends."""
    folder, light = Path(sys.argv[1]), sys.argv[2] == "light"
    answers = os.fdopen(os.dup(1), "w")
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    os.environ["MPLBACKEND"] = "agg"
    warm_up(light)
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for request in sys.stdin:
        answer = run_case(**json.loads(request), folder=folder, light=light)
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
