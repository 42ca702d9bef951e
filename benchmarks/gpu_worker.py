"""One process of gpu.py, which asks it for one measurement after another, on the first device.

It needs JAX and numpy for the solver; Keras and h5py besides for training; tqdm and scikit-learn
for a trial; PyTorch and MONAI for the peers. Times are of what is compiled; what compiling adds to
the first call stands beside them.
"""

from __future__ import annotations

import importlib.metadata
import io
import math
import platform
import signal
import subprocess
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stderr
from dataclasses import dataclass, field, make_dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
from parameters import AXES, MATERIAL, STRAIN, TRAIN
from workers import serve

PACKAGES = ("numpy", "jax", "jaxlib", "keras", "torch", "monai")
PUBLISHED = {191: {"FastCijklElastic on an A100, arXiv 2410.20441, seconds": "under 4"}}
LARGE = {  # of the pores of a large SVE: as coarse as those of the small ones
    "porosity": 0.03,
    "pore_length": 5.75,
    "elongation": 1.5,
    "modulation_length": 64.0,
    "modulation_strength": 0.4,
}
LONGEST = 300  # characters of an error


@dataclass(frozen=True)
class Sves:
    """SVEs in memory, as much of a `svevae.dataset.store.LabelledDataset` as training reads."""

    voxels: np.ndarray  # (sve, n, n, n) uint8
    properties: np.ndarray  # (sve, property) float32
    part_id: np.ndarray  # (sve,)
    names: tuple[str, ...]
    path: str = "memory"
    laws: None = None  # properties are learnt as they are
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def n(self) -> int:
        return self.voxels.shape[-1]

    def slabs(self) -> Iterator[tuple[slice, np.ndarray]]:
        yield slice(0, len(self.voxels)), self.voxels

    def repeated(self, count: int) -> Sves:
        """`count` SVEs, in parts as large as those they are of."""
        index = np.arange(count) % len(self.voxels)
        turn, parts = np.arange(count) // len(self.voxels), self.part_id.max() + 1
        part_id = self.part_id[index] + turn * parts
        return Sves(self.voxels[index], self.properties[index], part_id, self.names)

    def spread(self, count: int) -> np.ndarray:
        """The voxels of `count` SVEs, evenly over the ranks of porosity."""
        order = np.argsort(self.voxels.mean((1, 2, 3)), kind="stable")
        return self.voxels[order[np.linspace(0, len(order) - 1, count).round().astype(int)]]


def load(path: str) -> Sves:
    with np.load(path) as file:
        arrays = {name: file[name] for name in ("voxels", "properties", "part_id")}
        return Sves(**arrays, names=tuple(file["names"].tolist()))


def about() -> dict[str, Any]:
    """The card and the versions."""
    import jax

    device, versions = jax.devices()[0], {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "card": card(),
        "platform": device.platform,
        "driver": driver(),
        "runtime": " ".join(device.client.platform_version.split()),
        "versions": versions,
    }


def card() -> str:
    """The device of JAX, which takes a CPU where it cannot have the GPU."""
    import jax

    return jax.devices()[0].device_kind


def driver() -> str | None:
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(command, capture_output=True, text=True).stdout.split()[0]
    except (OSError, IndexError):
        return None


def peak_memory() -> int | None:
    """Bytes of the device's memory that this process has had at most; None where JAX does not
    tell.
    """
    import jax

    return (jax.devices()[0].memory_stats() or {}).get("peak_bytes_in_use")


def timed(function: Callable[[], Any], repeats: int) -> tuple[Any, dict[str, Any]]:
    """What `function` gives, the best of the seconds of its calls, and how much longer the first
    took, which compiles.
    """
    seconds: list[float] = []
    found = None
    for _ in range(1 + repeats):
        found = None  # its memory is that of the next
        began = time.perf_counter()
        found = function()
        seconds.append(time.perf_counter() - began)
    best = min(seconds[1:])
    return found, {"seconds": best, "runs": seconds[1:], "compile_seconds": seconds[0] - best}


def labels(sves: str, batch: int, repeats: int) -> dict[str, Any]:
    """SVE/s of the full label set in batches: `svevae.physics.label.label` on the device."""
    from svevae.physics.elasticity import PRESETS
    from svevae.physics.homogenize import Settings, Solver
    from svevae.physics.label import Tension, label

    voxels = load(sves).spread(batch)
    solver, tension = Solver(voxels.shape[1:], Settings(), by="jax"), Tension(AXES, STRAIN)
    found, times = timed(lambda: label(voxels, PRESETS[MATERIAL], tension, solver), repeats)
    return {
        "sve_per_second": batch / times["seconds"],
        **times,
        "largest_residual": float(found.residual.max()),
        "porosity": [float(f(voxels.mean((1, 2, 3)))) for f in (np.min, np.mean, np.max)],
        "peak_memory_bytes": peak_memory(),
    }


def elastic(edge: int, repeats: int) -> dict[str, Any]:
    """Seconds of the six elastic load cases of one SVE of edge^3 voxels."""
    from svevae.physics.elasticity import PRESETS
    from svevae.physics.homogenize import Settings, Solver
    from svevae.physics.microstructure import make_part

    pores = {key: min(value, edge) for key, value in LARGE.items()}
    voxels = make_part("gaussian", (edge,) * 3, 0, 0, pores)[None]
    solver = Solver(voxels.shape[1:], Settings(), by="jax")
    found, times = timed(lambda: solver.elastic(PRESETS[MATERIAL], voxels), repeats)
    return {
        **times,
        "iterations": found.iterations[0].tolist(),
        "largest_residual": float(found.residual.max()),
        "porosity": float(voxels.mean()),
        "peak_memory_bytes": peak_memory(),
        **PUBLISHED.get(edge, {}),
    }


def precision(sves: str) -> dict[str, Any]:
    """How far float32 is from float64 on this device, of the largest: an SVE's stiffness, and its
    curve along z. Both end at the same tolerance, within which they may differ.
    """
    from svevae.physics.elasticity import PRESETS
    from svevae.physics.homogenize import Loading, Settings, Solver

    voxels, loading = load(sves).spread(3)[1:2], Loading.uniaxial_stress("z", STRAIN)
    found = []
    for dtype in ("float32", "float64"):
        solver = Solver(voxels.shape[1:], Settings(dtype), by="jax")
        first = solver.elastic(PRESETS[MATERIAL], voxels)
        path = solver.path(PRESETS[MATERIAL], loading, voxels, first)
        found.append((first.stiffness, path.stress))
    pairs = zip(("stiffness", "stress"), *found, strict=True)
    return {name: float(np.abs(one - two).max() / np.abs(two).max()) for name, one, two in pairs}


def configuration(changes: dict[str, Any]) -> Any:
    """A `svevae.config.Train` that needs no pydantic."""

    def widths(self: Any) -> tuple[int, ...]:
        return tuple(self.width * 2**level for level in range(self.depth))

    values = TRAIN | changes
    return make_dataclass("Train", values, frozen=True, namespace={"widths": property(widths)})(
        **values
    )


def rates(
    train_round: Callable[[int, int, int], dict[str, Any]],
    batch: int,
    warmup: int,
    steps: int,
    rounds: int,
) -> dict[str, Any]:
    """SVE/s, the median of some rounds, behind a first of `warmup` steps that compiles."""
    began = time.perf_counter()
    train_round(0, warmup, 0)
    first = time.perf_counter() - began
    done = [train_round(warmup, steps, k + 1) for k in range(rounds)]
    if not all(math.isfinite(each["loss"]) for each in done):
        raise ArithmeticError("the loss is not finite: this is no training to measure")
    rounds_ = sorted(batch * steps / each["seconds"] for each in done)
    rate = rounds_[len(rounds_) // 2]
    return {
        "sve_per_second": rate,
        "rounds": rounds_,
        "compile_seconds": first - warmup * batch / rate,
    }


def training(
    sves: str, changes: dict[str, Any], batch: int, warmup: int, steps: int, rounds: int
) -> dict[str, Any]:
    """SVE/s of svevae's trainer, its batches and flips included, in Keras on JAX."""
    import keras
    from clock import train_round

    from svevae.dataset.batches import Batches
    from svevae.model.vae import build_vae, compile_trainer, parameter_count

    config, data = (
        configuration(changes | {"batch_size": batch}),
        load(sves).repeated((warmup + steps) * batch),
    )
    mean, std = data.properties.mean(0), data.properties.std(0)
    keras.utils.set_random_seed(0)
    vae = build_vae(config, data.n, mean, std)
    batches = Batches(data, np.arange(len(data.voxels)), batch, 0, True, config.augmentation)
    trainer = compile_trainer(vae, config, std, len(batches))

    def round_(warmup: int, steps: int, epoch: int) -> dict[str, Any]:
        return train_round(trainer, batches, warmup, steps, epoch)

    return {
        **rates(round_, batch, warmup, steps, rounds),
        "parameters": parameter_count(vae),
        "backend": keras.backend.backend(),
        "peak_memory_bytes": peak_memory(),
    }


def peer(
    sves: str,
    changes: dict[str, Any],
    monai: bool,
    gpu: bool,
    batch: int,
    warmup: int,
    steps: int,
    rounds: int,
) -> dict[str, Any]:
    """SVE/s of a peer of peers.py, its batches ready on the device: by torch.compile, and without.

    Matrices may be multiplied in TensorFloat-32, as JAX does by itself.
    """
    import torch
    from peers import contender

    if gpu and not torch.cuda.is_available():
        raise RuntimeError("PyTorch finds no GPU")
    device = "cuda" if gpu else "cpu"
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.benchmark = True
    data = load(sves).repeated(steps * batch)
    properties = (data.properties - data.properties.mean(0)) / data.properties.std(0)
    train = TRAIN | changes | {"batch_size": batch}
    found = {}
    for name, compiled in (("eager", False), ("compiled", True)):
        parameters, train_round = contender(
            data.voxels, properties, train, monai, 0, device, compiled
        )
        found[name] = rates(train_round, batch, warmup, steps, rounds)
    best = max(each["sve_per_second"] for each in found.values())
    return {
        "sve_per_second": best,
        "compile_seconds": found["compiled"]["compile_seconds"],
        **found,
        "parameters": parameters,
        "peak_memory_bytes": torch.cuda.max_memory_allocated() if gpu else None,
    }


def trial(
    sves: str, changes: dict[str, Any], count: int, epochs: int, fraction: float
) -> dict[str, Any]:
    """Seconds of a short trial, as a worker of `svevae search` trains it: a fresh model, its start
    from statistics, a compilation, the epochs. The second of two counts: a worker imports once.
    Study and tracking are left out; benchmarks/search.py has what they take.
    """
    import keras

    from svevae.model.checkpoint import Checkpoint
    from svevae.model.fit import fit, set_up

    data = load(sves).repeated(count)
    eighth = data.part_id % 8
    subsets = {"train": eighth < 6, "validation": eighth == 6}
    split: Any = SimpleNamespace(
        index=lambda subset, part_id: np.flatnonzero(subsets[subset]),
        mean=data.properties.mean(0),
        std=data.properties.std(0),
    )
    seconds = []
    for seed in range(2):
        began = time.perf_counter()
        session = set_up(configuration(changes), seed, split, data, fraction)
        with redirect_stderr(io.StringIO()):  # its bar
            checkpoint = Checkpoint(None, session.trainer, "")
            progress = fit(*session, epochs, epochs, seed, checkpoint)
        seconds.append(time.perf_counter() - began)
        keras.backend.clear_session()
    return {
        "trials_an_hour": 3600 / seconds[1],
        "seconds": seconds[1],
        "first_seconds": seconds[0],
        "epochs": epochs,
        "training_sves": len(session.train.voxels),
        "last_epoch_sve_per_second": progress.history[-1]["sve_per_second"],
    }


KINDS = {f.__name__: f for f in (about, labels, elastic, precision, training, peer, trial)}


def answer(kind: str, **request: Any) -> dict[str, Any]:
    """What the measurement found; or `not_installed` or `failed`."""
    try:
        found = KINDS[kind](**request)
        return found if kind in ("about", "peer") else {**found, "card": card()}
    except Exception as error:  # the others go on: what fails on a card is an answer too
        missing = (getattr(error, "name", None) or "svevae").partition(".")[0]
        if isinstance(error, ModuleNotFoundError) and missing != "svevae":
            return {"not_installed": missing}
        traceback.print_exc(limit=-2)
        said = " ".join(str(error).split())
        return {"failed": f"{type(error).__name__}: {said}"[:LONGEST]}


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # gpu.py is interrupted, and ends this
    serve(lambda _: ({}, answer))
