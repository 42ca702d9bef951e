"""How long `svevae field` takes, and how much memory, beside the build of an earlier commit.

Makes a volume of greys with 2 % of pores, checks the earlier commit out beside this one, and runs
both commands in turn on the same file, each with an empty cache and a model of its own recipe,
trained for an epoch, then this one again with its cache; all that twice. Writes field.json: seconds
of wall clock and CPU, and the largest memory in MiB.
`python -m benchmarks.field [EDGE] [COMMIT]` (default: 384 voxels, 74f22d3; 10 minutes)
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.training import FILE, lay, stage

HERE = Path(__file__).resolve().parent
RESULT = HERE / "field.json"
EDGE, COMMIT = 384, "74f22d3"
ROUNDS = 2  # the faster of them counts
COMMAND = "from svevae.cli import main; main(['field', 'scan.npy', '-o', 'scan.csv', '-m', {!r}])"


def write_scan(path: Path, edge: int) -> None:
    """Greys of 8 bits, pores of some voxels, slice by slice."""
    random = np.random.default_rng(0)
    scan = np.lib.format.open_memmap(path, "w+", np.uint8, (edge,) * 3)
    coarse = -(-edge // 4)
    for x in range(edge):
        if x % 4 == 0:
            pore = (random.random((coarse, coarse)) < 0.02).repeat(4, 0).repeat(4, 1)[:edge, :edge]
        noise = random.normal(0, 8, (edge, edge)).astype(np.float32)
        scan[x] = np.clip(np.where(pore, 70, 180) + noise, 0, 255)
    scan.flush()


def write_elsewhere(path: Path, edge: int) -> None:
    """`write_scan` in a process of its own: what is mapped here, when a command is started, counts
    as the largest memory of that command.
    """
    writer = multiprocessing.get_context("spawn").Process(target=write_scan, args=(path, edge))
    writer.start()
    writer.join()


def timed(source: Path, folder: Path, model: Path) -> dict[str, float]:
    """Wall clock, CPU and memory of the command in `folder`, by the package in `source`."""
    code = COMMAND.format(str(model))
    environment = os.environ | {"PYTHONPATH": str(source / "src"), "KERAS_BACKEND": "tensorflow"}
    begun = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", code], cwd=folder, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{source}: svevae field ended with {os.waitstatus_to_exitcode(status)}")
    return {
        "seconds": round(time.perf_counter() - begun, 1),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 1),
        "memory_MiB": round(usage.ru_maxrss / 1024),
    }


def trained(source: Path, folder: Path) -> Path:
    """A model of the recipe of the build at `source`, after one epoch."""
    lay(source, folder, HERE.parent / FILE, times=0.0)
    stage(source, folder, "prepare")
    stage(source, folder, "train")
    return folder / "artifacts" / "model"


def main() -> None:
    edge = int(sys.argv[1]) if len(sys.argv) > 1 else EDGE
    commit = sys.argv[2] if len(sys.argv) > 2 else COMMIT
    root = HERE.parent
    found: dict[str, Any] = {"voxels_along_each_edge": edge, "earlier_commit": commit}
    with tempfile.TemporaryDirectory() as place:
        earlier = Path(place) / "build"
        subprocess.run(
            ["git", "worktree", "add", "-q", "--detach", str(earlier), commit],
            cwd=root,
            check=True,
        )
        try:
            builds = {"earlier": earlier, "now": root}
            models = {
                name: trained(source, Path(place) / f"{name}-training")
                for name, source in builds.items()
            }
            for name in ROUNDS * ("earlier", "now", "again"):
                build = "now" if name == "again" else name
                folder = Path(place) / build
                folder.mkdir(exist_ok=True)
                if not (folder / "scan.npy").exists():
                    write_elsewhere(folder / "scan.npy", edge)
                if name != "again":
                    shutil.rmtree(folder / ".checkpoints", ignore_errors=True)
                took = timed(builds[build], folder, models[build])
                print(name, took, flush=True)
                found[name] = min(found.get(name, took), took, key=lambda each: each["seconds"])
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(earlier)], cwd=root)
    found["processors"] = len(os.sched_getaffinity(0))
    RESULT.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
