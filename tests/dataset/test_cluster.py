"""Work on processes of this machine and on Dask clusters: all results, errors as they are, and what dies or is lost."""

from __future__ import annotations

import operator
import os
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from tests.conftest import unused_port

from svevae.dataset import cluster as module
from svevae.dataset.cluster import ONE_THREAD, Cluster, open_cluster
from svevae.dataset.labelling import read_material
from svevae.errors import ConfigError, SvevaeError


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with open_cluster(workers=2) as cluster:
        yield cluster


def test_map_has_every_result_once(cluster: Cluster) -> None:
    """50 pieces on two processes, with a few sent ahead: two a process and one, not all 50."""
    taken = []
    arguments = ((taken.append(k) or k, 7) for k in range(50))
    results = {}
    for index, result in cluster.map(operator.mul, arguments):
        assert len(taken) - len(results) <= 2 * 2 + 1
        results[index] = result
    assert results == {k: 7 * k for k in range(50)}
    assert list(cluster.map(operator.mul, [])) == []


def test_each_process_has_one_thread(cluster: Cluster) -> None:
    """Before it starts: XLA reads them when it is first imported, which a process that is spawned may do at once."""
    [(_, process)] = cluster.map(os.getpid, [()])
    assert ONE_THREAD.items() <= psutil.Process(process).environ().items()


def test_error_of_a_piece_is_raised_as_it_is(cluster: Cluster) -> None:
    with pytest.raises(ConfigError, match="received 'steel'"):
        list(cluster.map(read_material, [("steel",)]))


def test_piece_that_kills_its_process_is_given_up(cluster: Cluster) -> None:
    """Dask tries it on four processes; the error says so, and there are new ones for other work."""
    with pytest.raises(ConfigError, match="after it killed 4 workers; they may lack memory"):
        list(cluster.map(os._exit, [(1,)]))
    assert [result for _, result in cluster.map(operator.mul, [(6, 7)])] == [42]


@pytest.mark.parametrize("workers", [0, -1])
def test_no_workers_are_refused(workers: int) -> None:
    with (
        pytest.raises(ConfigError, match=f"--workers: expected at least 1, received {workers}"),
        open_cluster(workers=workers),
    ):
        pytest.fail("opened")


@pytest.mark.parametrize("address", ["nonsense", "", "foo://127.0.0.1:8786", "tcp://127.0.0.1"])
def test_address_that_is_none(address: str) -> None:
    with (
        pytest.raises(ConfigError, match=f"--scheduler {address}: expected a Dask scheduler"),
        open_cluster(address),
    ):
        pytest.fail("opened")


@contextmanager
def dask_process(name: str, *options: str, environment: dict[str, str], folder: Path) -> Iterator[subprocess.Popen]:
    """`dask scheduler` or `dask worker`, killed in the end."""
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(["dask", name, *options], cwd=folder, env=environment, **silent) as process:
        try:
            yield process
        finally:
            process.kill()


def test_scheduler_without_workers(environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers may be late, so they are waited for, but not for ever: here 2 s."""
    monkeypatch.setattr(module, "PATIENCE", 2)
    port = str(unused_port())
    options = ("--host", "127.0.0.1", "--port", port, "--dashboard-address", "127.0.0.1:0")
    with (
        dask_process("scheduler", *options, environment=environment, folder=tmp_path),
        pytest.raises(ConfigError, match="the Dask scheduler has had no worker for 2 s"),
        open_cluster(f"tcp://127.0.0.1:{port}") as cluster,
    ):
        list(cluster.map(operator.mul, [(6, 7)]))


def test_last_worker_lost(environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed with work in hand and no other to take it: an error after the 2 s in which another may come, not a wait without end."""
    errors: list[SvevaeError] = []

    def work(cluster: Cluster) -> None:
        try:
            list(cluster.map(time.sleep, [(600,)]))
        except SvevaeError as error:
            errors.append(error)

    port = str(unused_port())
    address = f"tcp://127.0.0.1:{port}"
    options = ("--host", "127.0.0.1", "--port", port, "--dashboard-address", "127.0.0.1:0")
    alone = (address, "--no-nanny", "--no-dashboard", "--local-directory", str(tmp_path))
    with (
        dask_process("scheduler", *options, environment=environment, folder=tmp_path),
        dask_process("worker", *alone, environment=environment, folder=tmp_path) as worker,
        open_cluster(address) as cluster,
    ):
        assert [result for _, result in cluster.map(operator.mul, [(6, 7)])] == [42]
        monkeypatch.setattr(module, "PATIENCE", 2)
        thread = threading.Thread(target=work, args=(cluster,), daemon=True)
        thread.start()
        time.sleep(1)
        worker.kill()
        thread.join(timeout=90)
        assert not thread.is_alive(), "".join(["it waits for ever:\n", *traceback.format_stack(sys._current_frames()[thread.ident])])
    assert "the Dask scheduler has had no worker for 2 s" in str(errors[0])
