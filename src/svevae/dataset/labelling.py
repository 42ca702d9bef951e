"""Labels for many SVEs: local processes or a Dask cluster, a journal that outlives `kill -9`, progress.

An SVE is known by the digest of its voxels. What is in the journal is never solved again, whoever asks and in whatever order; so
neither interruptions nor the number of workers change the result.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import logging
import os
import sys
import time
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from tqdm import tqdm

from svevae import __version__
from svevae.dataset.store import SLAB
from svevae.errors import ConfigError, DataError, SolverError, SvevaeError
from svevae.physics.elasticity import PRESETS, Material
from svevae.physics.homogenize import RECIPE, Settings, Solver
from svevae.physics.label import Labels, Tension, label, property_names

BAR = "{desc}: {percentage:3.0f}% |{bar}| {n_fmt}/{total_fmt} [{elapsed} gone, {remaining} left, {rate_noinv_fmt}]"
DEAF = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"  # run by each process: a terminal sends Ctrl-C to all of them
LABEL_KEYS = ("properties", "stiffness", "residual", "load_path")
PATIENCE = 60  # seconds that a scheduler may be without workers
ONE_THREAD = {"NPROC": "1", "OMP_NUM_THREADS": "1", "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false"}


@dataclass(frozen=True)
class LabelSettings:
    """All that a label depends on besides the voxels."""

    material: Material
    tension: Tension
    dtype: str
    tolerance: float

    def solver(self) -> Settings:
        return Settings(dtype=self.dtype, tolerance=self.tolerance)

    def digest(self) -> str:
        return hashlib.sha256(repr((RECIPE, asdict(self), asdict(self.solver()))).encode()).hexdigest()[:16]


def read_material(value: Any) -> Material:
    """A preset's name, or a mapping of E, nu, s0, Q, b. Raises ConfigError that names what is unknown or missing."""
    if isinstance(value, str):
        if value not in PRESETS:
            raise ConfigError(f"material: expected one of {', '.join(PRESETS)} or a mapping, received {value!r}")
        return PRESETS[value]
    names = list(Material.__dataclass_fields__)
    if not isinstance(value, dict) or sorted(value) != sorted(names):
        raise ConfigError(f"material: expected a preset or a mapping of {', '.join(names)}, received {value!r}")
    for name, number in value.items():
        if not isinstance(number, int | float) or isinstance(number, bool):
            raise ConfigError(f"material.{name}: expected a number, received {number!r}")
    return Material(**{name: float(number) for name, number in value.items()})


def voxel_digest(sve: np.ndarray) -> str:
    """What an SVE (x, y, z) is known by, whatever its integer type."""
    packed = np.packbits(np.asarray(sve, bool)).tobytes()
    return hashlib.sha256(repr(np.shape(sve)).encode() + packed).hexdigest()[:24]


class Journal:
    """Finished labels in a folder, a file for each piece of work: rows by the digest of the voxels."""

    def __init__(self, folder: Path, settings: LabelSettings):
        self.folder = folder / settings.digest()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.rows: dict[str, dict[str, np.ndarray]] = {}
        for path in sorted(self.folder.glob("*.npz")):
            try:
                with path.open("rb") as stream, np.load(stream) as file:  # numpy leaves a damaged file open that it has opened itself
                    self.remember(file["digest"], {key: file[key] for key in file.files if key != "digest"})
            except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error):
                path.unlink()  # damaged: its SVEs are labelled again

    def adopt(self, path: Path) -> None:
        """Remember the labels of a finished file too, if they were made with the same settings."""
        if not path.is_file():
            return
        with suppress(OSError, RuntimeError, KeyError), h5py.File(path, "r") as file:
            if file.attrs.get("label_digest") == self.folder.name:
                keys = [key for key in (*LABEL_KEYS, *(f"tension/{name}" for name in file["tension"] if name != "strain")) if key in file]
                for start in range(0, len(file["voxels"]), SLAB):
                    slab = slice(start, start + SLAB)
                    self.remember(map(voxel_digest, file["voxels"][slab]), {key: file[key][slab] for key in keys})

    def remember(self, digests: Iterable[str], columns: dict[str, np.ndarray]) -> None:
        for i, digest in enumerate(digests):
            self.rows[str(digest)] = {key: column[i] for key, column in columns.items()}

    def add(self, digests: Sequence[str], columns: dict[str, np.ndarray]) -> None:
        """Remember and write, whole or not at all."""
        self.remember(digests, columns)
        path = self.folder / f"{digests[0]}.npz"
        content = io.BytesIO()
        np.savez(content, digest=np.array(digests), **columns)
        write_whole(path, content.getvalue())


def write_whole(path: Path, content: bytes) -> None:
    """Write a file of the journal, whole or not at all. Raises DataError that names it."""
    beside = path.with_suffix(f".{os.getpid()}.part")
    try:
        beside.write_bytes(content)
        os.replace(beside, path)
    except OSError as error:
        raise DataError(f"{path}: not written: {error.strerror}") from error
    finally:
        beside.unlink(missing_ok=True)


def label_columns(labels: Labels) -> dict[str, np.ndarray]:
    """The datasets of the contract, one row an SVE."""
    curves = {f"tension/stress_{axis}": curve.astype(np.float32) for axis, curve in labels.stress.items()}
    columns = {"properties": labels.properties.astype(np.float32), "stiffness": labels.stiffness.astype(np.float32)} | curves
    return columns | {"residual": labels.residual.astype(np.float32), "load_path": labels.load_path.astype(np.uint8)}


@lru_cache(maxsize=2)
def _solver(shape: tuple[int, int, int], settings: Settings) -> Solver:
    return Solver(shape, settings)


def label_batch(voxels: np.ndarray, names: Sequence[str], settings: LabelSettings) -> tuple[dict[str, np.ndarray], list[str]]:
    """Labels of a few SVEs on this machine, NaN where the solver failed, and its errors.

    On a GPU as many at once as its memory holds; on a CPU one by one, which is faster. An SVE that fails is tried once more, in
    double precision and with increments of half the size.
    """
    import jax

    solver = _solver(voxels.shape[1:], settings.solver())
    together = 1 if jax.default_backend() == "cpu" else max(1, int(_gpu_memory() * 0.8) // solver.memory())
    rows: list[dict[str, np.ndarray]] = []
    errors: list[str] = []
    for start in range(0, len(voxels), together):
        piece = slice(start, start + together)
        try:
            rows.append(label_columns(label(voxels[piece], settings.material, settings.tension, solver, names[piece])))
        except SolverError:
            for i in range(len(voxels))[piece]:
                row, error = _carefully(voxels[i : i + 1], names[i : i + 1], settings)
                rows.append(row)
                errors += error
    return {key: np.concatenate([row[key] for row in rows]) for key in rows[0]}, errors


def _carefully(voxels: np.ndarray, names: Sequence[str], settings: LabelSettings) -> tuple[dict[str, np.ndarray], list[str]]:
    """The row of one SVE, and no error; or a row of NaN, and the error."""
    solver = _solver(voxels.shape[1:], replace(settings.solver(), dtype="float64"))
    try:
        return label_columns(label(voxels, settings.material, settings.tension, solver, names, halves=True)), []
    except SolverError as error:
        count, increments = len(property_names(settings.tension.axes)[0]), len(settings.tension.strain)
        curves = {axis: np.full((1, increments), np.nan) for axis in settings.tension.axes}
        unknown = Labels((), (), np.full((1, count), np.nan), np.full((1, 6, 6), np.nan), curves, np.full(1, np.nan), np.zeros((1, 3)))
        return label_columns(unknown), [str(error)]


def _gpu_memory() -> int:
    import jax

    stats = jax.local_devices()[0].memory_stats() or {}
    return stats.get("bytes_limit", 8 * 2**30) - stats.get("bytes_in_use", 0)


def label_sves(
    voxels: np.ndarray, names: Sequence[str], settings: LabelSettings, journal: Journal, cluster: Cluster, batch: int
) -> dict[str, np.ndarray]:
    """Labels of SVEs (sve, x, y, z), as datasets of the contract with one row each; `names` are what errors call them.

    Raises SolverError that lists the SVEs that did not converge, after all others are in the journal.
    """
    digests = [voxel_digest(sve) for sve in voxels]
    first = {digest: i for i, digest in reversed(list(enumerate(digests)))}  # equal SVEs are labelled once
    missing = [i for digest, i in first.items() if digest not in journal.rows]
    porosity = voxels.reshape(len(voxels), -1).mean(axis=1)
    missing.sort(key=lambda i: (i // (64 * batch), porosity[i]))  # a batch runs as long as its slowest SVE, so like goes with like
    batch = max(1, min(batch, -(-len(missing) // cluster.workers)))  # of a few SVEs every worker has some
    pieces = [missing[start : start + batch] for start in range(0, len(missing), batch)]
    errors: list[str] = []
    work = ((voxels[piece].astype(np.uint8), [names[i] for i in piece], settings) for piece in pieces)
    with progress(len(first), len(missing), "labels", "SVE") as bar:
        for k, (columns, failed) in cluster.map(label_batch, work, bar.refresh):
            good = np.isfinite(columns["properties"]).all(axis=1)
            if good.any():
                kept = [digests[i] for i, fine in zip(pieces[k], good, strict=True) if fine]
                journal.add(kept, {key: column[good] for key, column in columns.items()})
            errors += failed
            bar.update(len(pieces[k]))
    if errors:
        raise SolverError("\n  ".join([f"{len(errors)} of {len(voxels)} SVEs did not converge, all others are kept:", *errors]))
    rows = [journal.rows[digest] for digest in digests]
    return {key: np.stack([row[key] for row in rows]) for key in rows[0]}


def progress(total: int, missing: int, name: str, unit: str) -> tqdm:
    """A bar for work of which `missing` is left; none where there is nothing to do, and in a log a line each minute."""
    seldom = {} if sys.stderr.isatty() else {"mininterval": 60, "maxinterval": 60}
    begun = total - missing
    return tqdm(total=total, initial=begun, desc=name, unit=f" {unit}", bar_format=BAR, smoothing=0.05, disable=not missing, **seldom)


def _attempt(version: str, function: Callable, arguments: tuple) -> tuple[Any, SvevaeError | None]:
    """In a worker: the result, or the error as a value, because what is raised there Dask logs with a traceback."""
    try:
        if version != __version__:
            raise ConfigError(f"a Dask worker has svevae {__version__}, expected {version}")
        return function(*arguments), None
    except SvevaeError as error:
        return None, error


class Cluster:
    """Where work is done: `map` over processes of this machine, or over the workers of an existing Dask scheduler."""

    def __init__(self, client: Any):
        self._client = client

    @property
    def workers(self) -> int:
        return max(1, self._workers())

    def map(self, function: Callable, arguments: Iterable[tuple], idle: Callable | None = None) -> Iterator[tuple[int, Any]]:
        """(index, result) of function(*arguments) as they finish; a few more than there are workers are sent at a time.

        Work of a worker that dies goes to another. `idle` is called each second in which nothing finishes, on a terminal. Raises what
        `function` raises, and ConfigError where the scheduler is lost, no worker is left or a piece kills each that takes it.
        """
        from distributed import KilledWorker, wait

        waiting, running = enumerate(arguments), {}
        workers, seen = self._workers(), time.monotonic()
        while True:
            for index, argument in islice(waiting, max(0, 2 * max(1, workers) + 1 - len(running))):
                running[self._client.submit(_attempt, __version__, function, argument, pure=False)] = index
            if not running:
                return
            try:
                finished = wait(list(running), timeout=1, return_when="FIRST_COMPLETED").done
                results = [(running.pop(future), *future.result()) for future in finished]
            except TimeoutError:
                if idle and sys.stderr.isatty():
                    idle()
                workers = self._workers()
                seen = time.monotonic() if workers else seen
                if time.monotonic() - seen > PATIENCE:
                    raise ConfigError(f"the Dask scheduler has had no worker for {PATIENCE} s; what was finished is kept") from None
                continue
            except KilledWorker as error:
                text = f"work was given up after it killed {error.allowed_failures + 1} workers; they may lack memory"
                raise ConfigError(text) from error
            except CancelledError as error:
                raise ConfigError("the Dask scheduler was lost; what was finished is kept") from error
            except ModuleNotFoundError as error:
                raise ConfigError(f"the Dask workers lack {error.name}: install svevae {__version__} there") from error
            yield from ((index, result) for index, result, error in results if error is None)
            for _, _, error in results:
                if error:
                    raise error

    def _workers(self) -> int:
        try:
            return len(self._client.scheduler_info(n_workers=-1)["workers"])
        except OSError as error:
            raise ConfigError("the Dask scheduler was lost; what was finished is kept") from error


@contextmanager
def open_cluster(scheduler: str | None = None, workers: int | None = None) -> Iterator[Cluster]:
    """The workers of the Dask scheduler at an address, or processes of this machine, one for each core.

    Raises ConfigError where no scheduler answers at the address.
    """
    import dask
    from distributed import Client, LocalCluster

    if workers is not None and workers < 1:
        raise ConfigError(f"--workers: expected at least 1, received {workers}")
    with _silence(), dask.config.set({"distributed.logging.distributed": "critical", "distributed.nanny.pre-spawn-environ": ONE_THREAD}):
        if scheduler is not None:
            _greet(scheduler)
            with Client(scheduler, timeout="10s") as client:
                yield Cluster(client)
            return
        count = workers or (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
        local = {"memory_limit": 0, "dashboard_address": "127.0.0.1:0", "scheduler_kwargs": {"dashboard": False}, "preload": [DEAF]}
        with (
            LocalCluster(n_workers=count, threads_per_worker=1, silence_logs="CRITICAL", **local) as cluster,
            Client(cluster) as client,
        ):
            yield Cluster(client)


def _greet(scheduler: str) -> None:
    """Raises ConfigError unless a Dask scheduler answers; `Client` alone waits forever for one that is none."""
    from distributed import Security, rpc

    async def identity() -> dict:
        async with rpc(scheduler, timeout=10, connection_args=Security().get_connection_args("client")) as remote:
            return await remote.identity(n_workers=0)

    try:
        who = asyncio.run(asyncio.wait_for(identity(), 10))
        if who["type"] != "Scheduler":
            raise ValueError(f"a Dask {who['type']}")
    except (OSError, ValueError, TypeError) as error:
        reason = (str(error) or "no answer in 10 s").splitlines()[0]
        raise ConfigError(f"--scheduler {scheduler}: expected a Dask scheduler such as tcp://host:8786, found none: {reason}") from error


@contextmanager
def _silence() -> Iterator[None]:
    """What goes wrong is told once, in our words, not by Dask's log."""
    loggers = [logging.getLogger(name) for name in ("distributed", "distributed.client")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
