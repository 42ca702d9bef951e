"""Labels a second, elastic cases of a large grid and the first answer of a fresh process, beside an
earlier build.

Checks the earlier commit out beside this one and runs both in turn, on the same SVEs at the same
tolerances. Labels: the full set (six elastic cases, three curves of 11 increments) of SVEs of the
reference dataset, spread over its porosities, by one process for each core with one thread each;
how far the labels are apart. Large: six elastic cases of a Gaussian SVE on one core. First answer:
elastic cases and one curve of one SVE in a process just started, with what was compiled before.
Writes labels.json. `python benchmarks/labels.py [SVES] [EDGE] [COMMIT]` (default: 24 SVEs, 128
voxels, 74f22d3; 15 minutes)
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import yaml

HERE = Path(__file__).resolve().parent
RESULT = HERE / "labels.json"
SVES, EDGE, COMMIT = 24, 128, "74f22d3"
DATASET = HERE.parent / "data" / "sve_porous_alsi10mg_32.h5"
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "NPROC": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
}
PARAMS = yaml.safe_load((HERE.parent / "params.yaml").read_text(encoding="utf-8"))
STRAIN = tuple(PARAMS["generate"]["strain"])

LABELS = f"""
import sys, time, numpy as np
from svevae.physics.elasticity import PRESETS
from svevae.physics.homogenize import Settings, Solver
from svevae.physics.label import Tension, label
voxels = np.load(sys.argv[1])
solver = Solver(voxels.shape[1:], Settings())
tension = Tension(("x", "y", "z"), {STRAIN})
def labels(i):
    return label(voxels[i : i + 1], PRESETS["as-built-z"], tension, solver).properties[0]
labels(0)
print("ready", flush=True)
input()
begun, cpu = time.perf_counter(), time.process_time()
found = [labels(i) for i in range(len(voxels))]
print(time.perf_counter() - begun, time.process_time() - cpu, flush=True)
np.save(sys.argv[2], found)
"""
LARGE = """
import os, sys, time, numpy as np
os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[0]})
from svevae.physics.elasticity import PRESETS
from svevae.physics.homogenize import Settings, Solver
voxels = np.load(sys.argv[1])
solver = Solver(voxels.shape[1:], Settings())
solver.elastic(PRESETS["as-built-z"], voxels)
print("ready", flush=True)
input()
begun, cpu = time.perf_counter(), time.process_time()
found = solver.elastic(PRESETS["as-built-z"], voxels).stiffness
print(time.perf_counter() - begun, time.process_time() - cpu, flush=True)
np.save(sys.argv[2], found)
"""
FIRST = f"""
import sys, numpy as np
from svevae.physics.elasticity import PRESETS
from svevae.physics.homogenize import Loading, Solver
voxels = np.load(sys.argv[1])[:1]
solver = Solver(voxels.shape[1:])
elastic = solver.elastic(PRESETS["as-built-z"], voxels)
solver.path(PRESETS["as-built-z"], Loading.uniaxial_stress("z", {STRAIN}), voxels, elastic)
"""


def start(source: Path, code: str, *arguments: str, **variables: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        env=os.environ | {"PYTHONPATH": str(source / "src")} | variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def together(source: Path, code: str, pieces: list[np.ndarray], folder: Path) -> dict[str, Any]:
    """Seconds until the last of some processes has done its piece, their CPU seconds, and what
    they found.
    """
    processes = []
    for k, piece in enumerate(pieces):
        np.save(folder / f"{k}.npy", piece)
        names = str(folder / f"{k}.npy"), str(folder / f"found{k}.npy")
        processes.append(start(source, code, *names, **ONE_THREAD))
    for process in processes:
        if process.stdout.readline() != "ready\n":  # type: ignore[union-attr]
            raise SystemExit(f"{source}: ended before it was ready")
    for process in processes:
        process.stdin.write("\n")  # type: ignore[union-attr]
        process.stdin.flush()  # type: ignore[union-attr]
    told = [process.communicate()[0].split() for process in processes]
    return {
        "seconds": max(float(seconds) for seconds, _ in told),
        "cpu_seconds": sum(float(cpu) for _, cpu in told),
        "found": np.concatenate([np.load(folder / f"found{k}.npy") for k in range(len(pieces))]),
    }


def first_answer(source: Path, piece: np.ndarray, folder: Path) -> float:
    np.save(folder / "one.npy", piece)
    begun = time.perf_counter()
    if start(source, FIRST, str(folder / "one.npy")).wait():
        raise SystemExit(f"{source}: no answer")
    return time.perf_counter() - begun


def blobs(edge: int, porosity: float = 0.05) -> np.ndarray:
    """(1, x, y, z): a Gaussian field, smooth over three voxels, cut at its quantile."""
    from scipy.ndimage import gaussian_filter

    noise = np.random.default_rng(0).normal(size=(edge,) * 3)
    field = gaussian_filter(noise, 3, mode="wrap")
    return (field < np.quantile(field, porosity)).astype(np.uint8)[None]


def measured(source: Path, sves: np.ndarray, large: np.ndarray, folder: Path) -> dict[str, Any]:
    cores = len(os.sched_getaffinity(0))
    return {
        "labels": together(source, LABELS, [sves[k::cores] for k in range(cores)], folder),
        "large": together(source, LARGE, [large], folder),
        "first_answer_seconds": first_answer(source, sves, folder),
    }


def main() -> None:
    count, edge = (
        int(sys.argv[k]) if len(sys.argv) > k else default for k, default in ((1, SVES), (2, EDGE))
    )
    commit = sys.argv[3] if len(sys.argv) > 3 else COMMIT
    from svevae.dataset.store import open_dataset

    dataset = open_dataset(DATASET)
    order = np.argsort(dataset.porosity())
    places = order[np.linspace(0, len(order) - 1, count).round().astype(int)]
    sves, large = np.concatenate([dataset.voxels(np.array([i])) for i in places]), blobs(edge)
    sves = sves[np.random.default_rng(0).permutation(count)]
    root = HERE.parent
    with tempfile.TemporaryDirectory() as name:
        earlier = Path(name) / "earlier"
        command = ["git", "-C", str(root), "worktree", "add", "--detach", str(earlier), commit]
        subprocess.run(command, check=True, capture_output=True)
        try:
            builds = {"earlier": earlier, "this": root}
            results = {
                build: measured(source, sves, large, Path(name)) for build, source in builds.items()
            }
        finally:
            subprocess.run(
                ["git", "-C", str(root), "worktree", "remove", "--force", str(earlier)], check=True
            )
    apart = {
        kind: float(np.abs(now - then).max() / np.abs(then).max())
        for kind in ("labels", "large")
        for then, now in [[results[build][kind].pop("found") for build in results]]
    }
    found = {
        "sves": count,
        "voxels_along_each_edge": edge,
        "earlier_commit": commit,
        "load": os.getloadavg()[0],
        "builds": results,
        "labels_a_second": {k: count / r["labels"]["seconds"] for k, r in results.items()},
        "times_as_fast": {
            "labels": results["earlier"]["labels"]["seconds"]
            / results["this"]["labels"]["seconds"],
            "large": results["earlier"]["large"]["seconds"] / results["this"]["large"]["seconds"],
        },
        "apart": apart,
    }
    RESULT.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
