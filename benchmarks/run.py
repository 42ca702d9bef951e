"""Training speed of svevae beside native PyTorch of the same layers and MONAI; what input and
tracking take of an epoch.

Contenders take turns, round after round, so that whatever else the machine does falls on all of
them; the figures are medians of the rounds. Writes benchmarks/results.json and prints it as
Markdown.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import shlex
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from parameters import CONV, PLAIN
from tqdm import tqdm
from workers import THREADS, Worker

from svevae.config import Params, load_params
from svevae.dataset.split import split_by_part
from svevae.dataset.store import open_dataset

HERE = Path(__file__).parent
ROOT = HERE.parent
OURS = (Path(sys.executable), HERE / "ours.py")
PEERS = (ROOT / ".venv-benchmark" / "bin" / "python", HERE / "peers.py")
RESULTS = HERE / "results.json"
PEER_BATCHES = 16  # what the peers go round in: 16 MB of voxels
WAITS = {"": {}, ", passive wait": {"OMP_WAIT_POLICY": "PASSIVE"}}
# share of the machine's CPU taken by others, from which a run says that it was disturbed
DISTURBED = 0.05


@dataclass(frozen=True)
class Contender:
    """A python and its script, what it changes in params.yaml, the contender that must have as many
    parameters.
    """

    python: Path
    script: Path
    changes: dict[str, Any] = field(default_factory=dict)
    model: str | None = None
    environment: dict[str, str] = field(default_factory=dict)


# ours once as trained too, with elastic statistics
CONTENDERS = {
    "svevae patch": Contender(*OURS, PLAIN),
    "svevae conv": Contender(*OURS, CONV),
    "svevae patch, elastic": Contender(*OURS),
}
# PyTorch's threads wait for each other by spinning, which beside other jobs makes it many times
# slower: both ways run.
for wait, environment in WAITS.items():
    CONTENDERS |= {
        f"PyTorch patch{wait}": Contender(*PEERS, PLAIN, "svevae patch", environment),
        f"PyTorch conv{wait}": Contender(*PEERS, CONV, "svevae conv", environment),
        f"MONAI VarAutoEncoder{wait}": Contender(*PEERS, CONV, None, environment),
    }
RATIOS = [
    (f"svevae {name}", peer)
    for name in ("patch", "conv")
    for peer in (f"PyTorch {name}", "MONAI VarAutoEncoder")
]
# What an epoch needs beside its steps: the seconds it is made of, and the share of the epoch it may
# take.
PARTS = {
    "batches": (["input_seconds"], "5 %"),
    "log_epoch": (["log_epoch_seconds"], ""),
    "checkpoint": (["checkpoint_seconds"], ""),
    "tracking: both": (["log_epoch_seconds", "checkpoint_seconds"], "3 %"),
}


def main() -> None:
    options = parse_options()
    os.chdir(ROOT)
    params = load_params()
    started = datetime.now(UTC).isoformat(timespec="seconds")
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        setup = write_setup(params, Path(folder))
        workers = start_workers(params, setup, stack)
        seconds, others = measure(workers, options)
        epochs = {
            name: worker.ask({})
            for name, worker in workers.items()
            if CONTENDERS[name].script == OURS[1]
        }
        about = {name: worker.about for name, worker in workers.items()}
    settings = {
        "threads": THREADS,
        "precision": "float32",
        "batch_size": params.train.batch_size,
        **vars(options),
    }
    results = {
        "date": started,
        "command": shlex.join(["python", "benchmarks/run.py", *sys.argv[1:]]),
        "machine": {"cpu": cpu_model(), "cores": os.cpu_count(), "others_cpu_share": others},
        "versions": (
            {"python": platform.python_version()}
            | {key: v for each in about.values() for key, v in each["versions"].items()}
        ),
        "settings": settings,
        **figures(seconds, epochs, about, options.steps, params.train.batch_size),
    }
    beside = RESULTS.with_suffix(".part")
    beside.write_text(json.dumps(results, indent=1) + "\n")
    os.replace(beside, RESULTS)
    print(markdown(results))
    if others > DISTURBED:
        print(
            f"other processes took {others:.0%} of the machine: measure again when it is quiet",
            file=sys.stderr,
        )


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--rounds", type=positive, default=5, help="turns of each contender (default: %(default)s)"
    )
    parser.add_argument(
        "--steps",
        type=positive,
        default=24,
        help="timed training steps in a turn (default: %(default)s)",
    )
    parser.add_argument(
        "--warmup",
        type=positive,
        default=4,
        help="untimed steps before them (default: %(default)s)",
    )
    return parser.parse_args()


def positive(text: str) -> int:
    if (value := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"expected at least 1, received {value}")
    return value


def write_setup(params: Params, folder: Path) -> dict[str, Any]:
    """The split, which svevae reads the dataset by, and some of its training batches for the peers,
    who cannot read it.
    """
    data = open_dataset(params.prepare.dataset)
    split = split_by_part(
        data, params.prepare.validation_fraction, params.prepare.test_fraction, params.base.seed
    )
    split.save(folder / "split.json")
    index = split.index("train", data.part_id)
    index = np.random.default_rng(params.base.seed).permutation(index)[
        : PEER_BATCHES * params.train.batch_size
    ]
    properties = (data.properties[index] - np.array(split.mean)) / np.array(split.std)
    np.savez(
        folder / "batches.npz", voxels=data.voxels(index), properties=properties.astype(np.float32)
    )
    return {
        "split": str(folder / "split.json"),
        "batches": str(folder / "batches.npz"),
        "seed": params.base.seed,
    }


def start_workers(params: Params, setup: dict[str, Any], stack: ExitStack) -> dict[str, Worker]:
    """One process for each contender; a peer that has not as many parameters as its model says so
    and ends.
    """
    workers: dict[str, Worker] = {}
    for name, contender in tqdm(CONTENDERS.items(), desc="start", leave=False):
        train = dataclasses.asdict(dataclasses.replace(params.train, **contender.changes))
        parameters = workers[contender.model].about["parameters"] if contender.model else None
        own = {"train": train, "parameters": parameters, "monai": name.startswith("MONAI")}
        workers[name] = stack.enter_context(
            Worker(name, contender.python, contender.script, setup | own, contender.environment)
        )
    return workers


def measure(
    workers: dict[str, Worker], options: argparse.Namespace
) -> tuple[dict[str, list[float]], float]:
    """Seconds of each contender's rounds, and the share of the machine's CPU that others took
    meanwhile.
    """
    seconds: dict[str, list[float]] = {name: [] for name in workers}
    started, before = (
        time.perf_counter(),
        busy_seconds() - sum(worker.cpu_seconds for worker in workers.values()),
    )
    with tqdm([name for _ in range(options.rounds) for name in workers], unit="turn") as turns:
        for name in turns:
            turns.set_description(f"{name:34}")
            answer = workers[name].ask(
                {"warmup": options.warmup, "steps": options.steps, "epoch": len(seconds[name])}
            )
            if not np.isfinite(answer["loss"]):
                raise RuntimeError(
                    f"{name}: the loss is {answer['loss']}: this is no training to measure"
                )
            seconds[name].append(answer["seconds"])
    others = busy_seconds() - sum(worker.cpu_seconds for worker in workers.values()) - before
    return seconds, max(0.0, others / (time.perf_counter() - started) / os.cpu_count())


def busy_seconds() -> float:
    """CPU seconds of all processes since boot, stolen ones too; 0 where /proc/stat does not
    tell.
    """
    stat = Path("/proc/stat")
    if not stat.is_file():
        return 0.0
    user, nice, system, _, _, interrupts, soft, stolen = map(int, stat.read_text().split()[1:9])
    return (user + nice + system + interrupts + soft + stolen) / os.sysconf("SC_CLK_TCK")


def figures(
    seconds: dict[str, list[float]],
    epochs: dict[str, dict[str, float]],
    about: dict[str, dict[str, Any]],
    steps: int,
    batch_size: int,
) -> dict[str, Any]:
    """SVE/s from the seconds of rounds of `steps` steps, ratios of medians (a peer counts by its
    faster wait), shares of an epoch.
    """
    speed = {}
    for name, rounds in seconds.items():
        rates = [steps * batch_size / each for each in rounds]
        spread = {"median": median(rates), "min": min(rates), "max": max(rates)}
        speed[name] = {"parameters": about[name]["parameters"], **spread, "rounds": rates}
    shares = {}
    for name, parts in epochs.items():
        epoch = about[name]["steps_per_epoch"] * batch_size / speed[name]["median"]
        tracking = parts["log_epoch_seconds"] + parts["checkpoint_seconds"]
        shares[name] = {
            "epoch_seconds": epoch,
            **parts,
            "input_share": parts["input_seconds"] / epoch,
            "tracking_share": tracking / epoch,
        }
    best = {peer: max(speed[peer + wait]["median"] for wait in WAITS) for _, peer in RATIOS}
    ratios = {f"{ours} / {peer}": speed[ours]["median"] / best[peer] for ours, peer in RATIOS}
    return {"sve_per_second": speed, "ratios": ratios, "epoch": shares}


def cpu_model() -> str:
    """As /proc/cpuinfo names it; what Python knows where there is none."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")),
        platform.processor(),
    )


def markdown(results: dict[str, Any]) -> str:
    """The tables of the README."""
    machine = f"{results['machine']['cpu']}, {results['machine']['cores']} cores"
    others = f"other processes took {results['machine']['others_cpu_share']:.1%} of it"
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    speed = [
        [name, f"{s['parameters']:,}", *(f"{s[key]:.1f}" for key in ("median", "min", "max"))]
        for name, s in results["sve_per_second"].items()
    ]
    ratios = [[name, f"{ratio:.2f}"] for name, ratio in results["ratios"].items()]
    shares = []
    for name, epoch in results["epoch"].items():
        for part, (keys, goal) in PARTS.items():
            seconds = sum(epoch[key] for key in keys)
            shares.append(
                [name, part, f"{seconds:.3f}", f"{seconds / epoch['epoch_seconds']:.2%}", goal]
            )
    return "\n\n".join(
        (
            f"{results['date']}, {machine}, {others}; {versions}",
            table(["contender", "parameters", "SVE/s, median", "min", "max"], speed),
            table(["ratio of medians, to the peer's faster wait", ""], ratios),
            table(["an epoch of", "what", "seconds", "share of training it", "goal"], shares),
        )
    )


def table(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


if __name__ == "__main__":
    main()
