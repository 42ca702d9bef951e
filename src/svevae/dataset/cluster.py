"""Long work on processes of this machine or on the workers of a Dask scheduler, and the bar that
shows how far it is.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

from tqdm import tqdm

from svevae import __version__
from svevae.errors import ClusterError, SvevaeError
from svevae.words import some

BAR = (
    "{desc}: {percentage:3.0f}% |{bar}| {n_fmt}/{total_fmt} [{elapsed} gone, {remaining} left,"
    " {speed}{unit}/s{postfix}]"
)
# run by each process: a terminal sends Ctrl-C to all of them, a batch system SIGTERM
IGNORE_SIGNALS = """
import signal
for one in (signal.SIGINT, signal.SIGTERM):
    signal.signal(one, signal.SIG_IGN)
"""
NO_WORKER_TIMEOUT = 60  # seconds that a scheduler may be without workers
ANSWER_TIMEOUT = 10  # seconds in which a scheduler or worker answers
FIRST_LINE, LINE_INTERVAL = 5, 60  # seconds after which a bar writes a line to a log
# A worker evaluates these, which need nothing of ours: what it lacks fails the piece, where in a
# message of Dask it would end the worker.
PIECE = "__import__('distributed').protocol.pickle.loads(piece)()"
VERSION = "__import__('svevae').__version__"
LOST = "the Dask scheduler was lost; what was finished is kept"
ONE_THREAD = dict.fromkeys(
    ("NPROC", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"
)
ONE_THREAD["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
SLOW_DISK = "Creating scratch directories"  # Dask warns where it took a second on a busy machine


def _attempt(version: str, function: Callable, arguments: tuple) -> tuple[Any, SvevaeError | None]:
    """In a worker: the result, or the error as a value, because what is raised there Dask logs with
    a traceback.
    """
    from distributed import get_worker

    try:
        if version != __version__:
            raise ClusterError(
                f"the Dask worker {get_worker().address} has svevae {__version__}, expected"
                f" {version}"
            )
        return function(*arguments), None
    except SvevaeError as error:
        return None, error


@dataclass(frozen=True)
class Work:
    """Where long work is done: `workers` processes of this machine, None for one for each core, or
    the Dask scheduler at the address `scheduler`, e.g. tcp://host:8786.
    """

    workers: int | None = None
    scheduler: str | None = None


HERE = Work()


class Cluster:
    """Where work is done: `map` over processes of this machine, or over the workers of an existing
    Dask scheduler; `local` says which.
    """

    def __init__(self, client: Any, local: bool):
        self._client, self.local = client, local

    @property
    def workers(self) -> int:
        return max(1, self._workers())

    def map(
        self, function: Callable, arguments: Iterable[tuple], idle: Callable | None = None
    ) -> Iterator[tuple[int, Any]]:
        """(index, result) of function(*arguments) as they finish; a few more than there are workers
        are sent at a time.

        Work of a worker that dies goes to another. `idle` is called each second in which nothing
        finishes. Raises what `function` raises, and ClusterError where the scheduler
        is lost, no worker is left, one lacks svevae or has another version, or a piece kills each
        that takes it.
        """
        from distributed import KilledWorker, wait
        from distributed.client import ClosedClientError
        from distributed.comm import CommClosedError
        from distributed.protocol.pickle import dumps

        waiting = enumerate(arguments)
        running: dict[Any, int] = {}  # index of each future
        workers, seen = self._workers(), time.monotonic()
        while True:
            try:
                for index, argument in islice(
                    waiting, max(0, 2 * max(1, workers) + 1 - len(running))
                ):
                    piece = dumps(partial(_attempt, __version__, function, argument))
                    sent = self._client.submit(eval, PIECE, {"piece": piece}, pure=False)
                    running[sent] = index
                if not running:
                    return
                finished = wait(list(running), timeout=1, return_when="FIRST_COMPLETED").done
                # late: its worker died with the result
                answers = [(future, *future.result(timeout=ANSWER_TIMEOUT)) for future in finished]
                results = [
                    (running.pop(future), result, failure) for future, result, failure in answers
                ]
            except TimeoutError:
                if idle:
                    idle()
                workers = self._workers()
                seen = time.monotonic() if workers else seen
                if time.monotonic() - seen > NO_WORKER_TIMEOUT:
                    raise ClusterError(
                        f"the Dask scheduler has had no worker for {NO_WORKER_TIMEOUT} s; what was"
                        " finished is kept"
                    ) from None
                continue
            except KilledWorker as error:
                text = (
                    f"work was given up after it killed {error.allowed_failures + 1} workers; they"
                    " may lack memory"
                )
                raise ClusterError(text) from error
            except (CancelledError, CommClosedError, ClosedClientError) as error:
                # while work runs, is fetched, or later
                raise ClusterError(LOST) from error
            except (ImportError, AttributeError) as error:
                if without := self._without_svevae():
                    raise ClusterError(without) from error
                if not isinstance(error, ImportError):
                    raise
                raise ClusterError(
                    f"the Dask workers lack {error.name}: install svevae {__version__} there"
                ) from error
            yield from ((index, result) for index, result, failure in results if failure is None)
            for _, _, failure in results:
                if failure:
                    raise failure

    def _without_svevae(self) -> str:
        """Which workers have no svevae, or another version; nothing where all have this one."""
        found = self._client.run(eval, VERSION, on_error="return")
        lacking = [
            f"{address} has {version if isinstance(version, str) else 'none'}"
            for address, version in found.items()
            if version != __version__
        ]
        if not lacking:
            return ""
        return (
            f"expected svevae {__version__} on every Dask worker: {some(lacking)}; install it there"
        )

    def _workers(self) -> int:
        # not Client.scheduler_info, which has an old answer where there is no new one
        async def identity() -> dict:
            return await asyncio.wait_for(
                self._client.scheduler.identity(n_workers=-1), ANSWER_TIMEOUT
            )

        if self._client.scheduler is None:  # closed by itself, seconds after the scheduler was lost
            raise ClusterError(LOST)
        try:
            return len(self._client.sync(identity)["workers"])
        except OSError as error:
            raise ClusterError(LOST) from error


@contextmanager
def open_cluster(work: Work = HERE) -> Iterator[Cluster]:
    """The workers of the Dask scheduler at an address, or processes of this machine, one for each
    core.

    Raises ClusterError where no scheduler answers at the address.
    """
    import dask
    from distributed import Client, LocalCluster

    if work.workers is not None and work.workers < 1:
        raise ClusterError(f"workers: expected at least 1, received {work.workers}")
    options = {
        "logging.distributed": "critical",
        "nanny.pre-spawn-environ": ONE_THREAD | {"PYTHONWARNINGS": f"ignore:{SLOW_DISK}"},
        "worker.profile.enabled": False,
    }
    with (
        _silence(),
        dask.config.set({f"distributed.{name}": value for name, value in options.items()}),
    ):
        if work.scheduler is not None:
            _greet(work.scheduler)
            with Client(work.scheduler, timeout=ANSWER_TIMEOUT) as client:
                yield Cluster(client, local=False)
            return
        count = work.workers or (
            len(os.sched_getaffinity(0))
            if hasattr(os, "sched_getaffinity")
            else os.cpu_count() or 1
        )
        local = {
            "memory_limit": 0,
            "dashboard_address": "127.0.0.1:0",
            "scheduler_kwargs": {"dashboard": False},
            "preload": [IGNORE_SIGNALS],
        }
        with (
            LocalCluster(
                n_workers=count, threads_per_worker=1, silence_logs="CRITICAL", **local
            ) as cluster,
            Client(cluster) as client,
        ):
            yield Cluster(client, local=True)


def _greet(scheduler: str) -> None:
    """Raise ClusterError unless a Dask scheduler answers; `Client` alone would wait forever."""
    from distributed import Security, rpc
    from distributed.comm.addressing import parse_address, parse_host_port

    async def identity() -> dict:
        async with rpc(
            scheduler,
            timeout=ANSWER_TIMEOUT,
            connection_args=Security().get_connection_args("client"),
        ) as remote:
            return await remote.identity(n_workers=0)

    try:
        scheme, place = parse_address(scheduler)
        if scheme == "tcp":  # whom the system refuses at once, Dask asks again until it gives up
            socket.create_connection(parse_host_port(place), ANSWER_TIMEOUT).close()
        who = asyncio.run(asyncio.wait_for(identity(), ANSWER_TIMEOUT))
        if who["type"] != "Scheduler":
            raise ValueError(f"a Dask {who['type']}")
    except TimeoutError as error:
        raise _nobody(scheduler, f"no answer in {ANSWER_TIMEOUT} s") from error
    except (OSError, ValueError, TypeError) as error:
        raise _nobody(
            scheduler, str(getattr(error, "strerror", None) or error).partition("\n")[0]
        ) from error
    except Exception as error:
        # a banner read as Dask's protocol is a length of exabytes, or almost anything
        raise _nobody(scheduler, "another kind of server answers") from error


def _nobody(scheduler: str, reason: str) -> ClusterError:
    return ClusterError(
        f"scheduler {scheduler}: expected a Dask scheduler such as tcp://host:8786, found none:"
        f" {reason}"
    )


@contextmanager
def _silence() -> Iterator[None]:
    """Silence Dask's log and its warning of a slow disk: what goes wrong is said once, in our
    words.
    """
    loggers = [logging.getLogger(name) for name in ("distributed", "distributed.client")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        # Dask calls it critical that another kind of server answers
        logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", SLOW_DISK, UserWarning)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


class Bar(tqdm):
    """A progress bar that shows life while nothing is finished: what is `starting`, and since when.

    A worker imports and compiles before its first piece. So the rate is counted from when as many
    pieces are finished as there are `workers`, and not known before the next; of work too short for
    that it is the rate of all, told at the end.
    """

    def __init__(self, starting: str | None = None, workers: int = 0, **options: Any):
        self._log = not sys.stderr.isatty()
        self._begun = time.monotonic()
        self._next_line = self._begun + FIRST_LINE
        self._workers = workers
        self._counted = (self._begun, options["initial"]) if not workers else None
        super().__init__(postfix=starting, **options)

    def idle(self) -> None:
        """Draw again, so that the time goes on; to be called each second. A log gets a line after
        5 s and then one a minute.
        """
        if self._log and time.monotonic() < self._next_line:
            return
        self._next_line = time.monotonic() + LINE_INTERVAL
        self.refresh()

    def update(self, n: float | None = 1) -> bool | None:
        """Count `n` more pieces as finished; a log gets a line of the first at once."""
        if self.disable or not n:
            return None
        first, self.postfix = self.n == self.initial, None  # it has started
        if self._counted is None and self.n + n - self.initial >= self._workers:
            self._counted = time.monotonic(), self.n + n
        if not self._log:
            return super().update(n)
        self.n += n
        if self.n == self.total:  # told by the last line
            return None
        self._next_line = 0.0 if first else self._next_line
        self.idle()
        return None

    def rate(self) -> float:
        """Pieces a second, 0 where that is not known yet."""
        begun, before = self._counted or (self._begun, self.n)
        if self.n == before:
            if self.n < (self.total or 0):
                return 0.0
            begun, before = self._begun, self.initial
        return (self.n - before) / max(time.monotonic() - begun, 1e-9)

    @property
    def format_dict(self) -> dict[str, Any]:
        """What tqdm writes, with our rate."""
        rate = self.rate()
        speed = "?" if not rate else f"{rate:.3g}" if rate < 100 else f"{rate:.0f}"
        return dict(super().format_dict) | {"rate": rate, "speed": speed}

    def say(self, text: str) -> None:
        """Write a line of its own above the bar."""
        if self._log:
            print(f"\n{text}", file=sys.stderr)
        else:
            self.write(text, file=sys.stderr)


def progress(
    total: int, missing: int, name: str, unit: str, starting: str | None = None, workers: int = 0
) -> Bar:
    """A bar for work of which `missing` is left, done by `workers` at a time, 0 where nothing needs
    to start; none where there is nothing to do, and in a log a line each minute. Until the first
    piece is finished it says what is `starting`.
    """
    interval = 0.1 if sys.stderr.isatty() else LINE_INTERVAL
    return Bar(
        total=total,
        initial=total - missing,
        desc=name,
        unit=f" {unit}",
        bar_format=BAR,
        smoothing=0,
        mininterval=interval,
        maxinterval=max(interval, 10),
        disable=not missing,
        starting=starting,
        workers=workers,
    )
