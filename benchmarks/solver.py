"""Speed of the solver: labels beside the prototype, stiffness beside muSpectre and UNO-CG, growth
with n, the physical limit.

    python benchmarks/solver.py [--parts labels,elastic,growth,limit] [--sves 4] [--largest 128]

Every contender is a process of its own; they take turns on the same SVEs and as many cores, two
runs each, of which the faster counts. Times leave out imports, compilation and peers' set-up.
Writes benchmarks/solver.json and prints it as Markdown.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from svevae.dataset.cluster import ONE_THREAD
from svevae.dataset.store import open_dataset
from svevae.physics.microstructure import make_part

HERE = Path(__file__).parent
ROOT = HERE.parent
RESULTS = HERE / "solver.json"
OURS = [sys.executable, str(HERE / "solver_worker.py")]
PEERS = ROOT / "tests" / "physics" / "peers" / "run.py"
CORES, ROUNDS = 2, 2
TOLERANCE = 1e-4  # of the elastic comparison, each code's own norm; the stiffnesses stand beside it


def run(
    command: list[str], jobs: list[dict[str, Any]], environment: dict[str, str] | None = None
) -> list[dict[str, Any]]:
    """The results of `jobs`, all at the same time, each in a process of its own."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(len(jobs)) as pool:

        def one(number: int) -> dict[str, Any]:
            job, result = (Path(folder) / f"{name}{number}.npz" for name in ("job", "result"))
            np.savez(job, **jobs[number])
            subprocess.run(
                [*command, str(job), str(result)], env=os.environ | (environment or {}), check=True
            )
            with np.load(result) as file:
                return {name: value if value.ndim else value.item() for name, value in file.items()}

        return list(pool.map(one, range(len(jobs))))


def choose(data: Any, count: int) -> np.ndarray:
    """SVEs evenly spread over the ranks of porosity."""
    rank = np.argsort(data.porosity())
    return data.voxels(rank[(np.linspace(0.1, 0.95, count) * (len(rank) - 1)).astype(int)])


def labels(voxels: np.ndarray, strain: np.ndarray) -> dict[str, Any]:
    """SVE/s of the full label set on all cores, of svevae as `svevae generate` runs it and of the
    prototype in its best way.
    """
    shared = [voxels[core::CORES] for core in range(CORES)]
    ways = {
        "svevae, a process for each core": ("labels", shared, ONE_THREAD),
        "prototype, a process for each core": ("prototype", shared, ONE_THREAD),
        "prototype, all threads in one process": ("prototype", [voxels], {}),
    }
    rates: dict[str, float] = {}
    stress: dict[str, np.ndarray] = {}
    for round_ in range(ROUNDS):
        for name, (kind, pieces, environment) in ways.items():
            if round_ and kind == "prototype":
                continue  # minutes each
            done = run(
                OURS,
                [{"kind": kind, "voxels": piece, "strain": strain} for piece in pieces],
                environment,
            )
            rates[name] = max(
                rates.get(name, 0.0), len(voxels) / max(one["seconds"] for one in done)
            )
            stress[kind] = done[0]["stress"] if len(pieces) > 1 else stress[kind]
    apart = float(np.abs(stress["labels"] / stress["prototype"] - 1).max())
    best = max(rate for name, rate in rates.items() if name.startswith("prototype"))
    return {
        "sve_per_second": rates,
        "ratio": max(rates.values()) / best,
        "largest_difference_of_the_curves": apart,
    }


def elastic(voxels: np.ndarray) -> dict[str, Any]:
    """Seconds an SVE for six load cases on one core, and the largest difference from svevae's
    stiffness in double precision.
    """
    jobs = [{"voxels": sve, "E": 70_000.0, "nu": 0.33, "tolerance": TOLERANCE} for sve in voxels]
    ours = {"kind": "elastic", "voxels": voxels, "tolerance": TOLERANCE}
    seconds: dict[str, float] = {}
    stiffness: dict[str, np.ndarray] = {}
    for _ in range(ROUNDS):
        for dtype in ("float64", "float32"):
            (done,) = run(OURS, [ours | {"dtype": dtype}], ONE_THREAD)
            _keep(seconds, f"svevae, {dtype}", done["seconds"] / len(voxels))
            stiffness[f"svevae, {dtype}"] = done["stiffness"]
        for dtype in ("float64", "float32"):
            done = [
                run([sys.executable, str(PEERS), "unocg"], [job | {"dtype": dtype}], ONE_THREAD)[0]
                for job in jobs
            ]
            _keep(
                seconds, f"UNO-CG, {dtype}", float(np.mean([one["solve_seconds"] for one in done]))
            )
            stiffness[f"UNO-CG, {dtype}"] = np.array([one["stiffness"] for one in done])
        done = [
            run([sys.executable, str(PEERS), "muspectre"], [job | {"kind": "elastic"}], ONE_THREAD)[
                0
            ]
            for job in jobs
        ]
        _keep(seconds, "muSpectre, float64", float(np.mean([one["solve_seconds"] for one in done])))
        stiffness["muSpectre, float64"] = np.array([one["stiffness"] for one in done])
    truth = stiffness["svevae, float64"]
    apart = {
        name: float((np.abs(value - truth).max((1, 2)) / truth[:, 0, 0]).max())
        for name, value in stiffness.items()
    }
    return {"seconds_an_sve": seconds, "largest_difference": apart, "tolerance": TOLERANCE}


def growth(largest: int) -> dict[str, Any]:
    """One SVE of 3 % porosity on one core, n from 16 on; the curve has four increments to 1 %."""
    rows = {}
    n = 16
    while n <= largest:
        part = make_part(
            "spheres",
            (n, n, n),
            0,
            0,
            {"porosity": 0.03, "diameter": n / 5, "diameter_spread": 0.1},
        )
        (done,) = run(
            OURS,
            [
                {
                    "kind": "growth",
                    "voxels": part[None],
                    "strain": np.array([0.001, 0.003, 0.006, 0.01]),
                }
            ],
            ONE_THREAD,
        )
        rows[str(n)] = done
        n *= 2
    return rows


def limit(voxels: np.ndarray) -> dict[str, Any]:
    (done,) = run(OURS, [{"kind": "limit", "voxels": voxels[:1]}], ONE_THREAD)
    for part in ("operator", "fft"):
        done[f"{part}_times_the_limit"] = done[f"{part}_seconds"] / (
            done[f"{part}_bytes"] / done["bandwidth"]
        )
    return done


def _keep(seconds: dict[str, float], name: str, value: float) -> None:
    seconds[name] = min(seconds.get(name, np.inf), value)


def markdown(results: dict[str, Any]) -> str:
    lines = []
    if "labels" in results:
        found = results["labels"]
        lines += ["| full label set, 32^3, 2 cores | SVE/s |", "| --- | --- |"]
        lines += [f"| {name} | {rate:.3f} |" for name, rate in found["sve_per_second"].items()]
        lines += [
            (
                f"| **ratio** (curves at most {found['largest_difference_of_the_curves']:.2%}"
                f" apart) | **{found['ratio']:.0f}** |"
            ),
            "",
        ]
    if "elastic" in results:
        found = results["elastic"]
        lines += [
            "| six elastic cases, 32^3, one core | seconds an SVE | to svevae | stiffness apart |",
            "| --- | --- | --- | --- |",
        ]
        for name, seconds in found["seconds_an_sve"].items():
            base = found["seconds_an_sve"][f"svevae, {name.split(', ')[1]}"]
            lines += [
                f"| {name} | {seconds:.2f} | {seconds / base:.1f} |"
                f" {found['largest_difference'][name]:.2%} |"
            ]
        lines += [""]
    if "growth" in results:
        lines += [
            "| n | elastic, s | CG | curve, s | CG | curve, s / (n^3 log n CG) | memory, MiB |",
            "| --- | --- | --- | --- | --- | --- | --- |",
        ]
        rows = {int(n): row for n, row in results["growth"].items()}
        unit = {
            n: row["path_seconds"] / (n**3 * np.log2(n) * row["path_cg"]) for n, row in rows.items()
        }
        for n, row in rows.items():
            cells = [
                f"{row['elastic_seconds']:.2f}",
                row["elastic_cg"],
                f"{row['path_seconds']:.2f}",
                row["path_cg"],
            ]
            lines += [
                f"| {n} | {' | '.join(map(str, cells))} | {unit[n] / unit[min(rows)]:.2f} |"
                f" {row['memory'] / 2**20:.0f} |"
            ]
        lines += [""]
    if "limit" in results:
        found = results["limit"]
        lines += [
            (
                f"| CG iteration, 32^3, one core, {found['bandwidth'] / 1e9:.1f} GB/s | ms | times"
                " the limit |"
            ),
            "| --- | --- | --- |",
        ]
        lines += [
            f"| {part} | {found[f'{part}_seconds'] * 1e3:.2f} |"
            f" {found[f'{part}_times_the_limit']:.1f} |"
            for part in ("operator", "fft")
        ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parts", default="labels,elastic,growth,limit")
    parser.add_argument("--sves", type=int, default=4)
    parser.add_argument("--largest", type=int, default=128)
    options = parser.parse_args()
    section = yaml.safe_load((ROOT / "params.yaml").read_text())
    voxels, strain = (
        choose(open_dataset(ROOT / section["prepare"]["dataset"]), options.sves),
        np.array(section["generate"]["strain"]),
    )
    results = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    parts = {
        "labels": lambda: labels(voxels, strain),
        "elastic": lambda: elastic(voxels),
        "growth": lambda: growth(options.largest),
        "limit": lambda: limit(voxels),
    }
    for part in options.parts.split(","):
        print(f"{part} ...", file=sys.stderr, flush=True)
        when = {
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": platform.processor() or platform.machine(),
            "sves": options.sves,
        }
        results[part] = parts[part]() | {"run": when} if part != "growth" else parts[part]()
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    print(markdown(results))


if __name__ == "__main__":
    main()
