"""Work on processes of this machine and on Dask clusters: all results, errors as they are, and what
dies or is lost.
"""

from __future__ import annotations

import gc
import operator
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import distributed
import psutil
import pytest

from svevae import __version__
from svevae.dataset import cluster as module
from svevae.dataset.cluster import ONE_THREAD, Bar, Cluster, Work, open_cluster, progress
from svevae.dataset.label_settings import read_material
from svevae.errors import ClusterError, ConfigError, SvevaeError
from tests.conftest import PATIENCE, unused_port, wait_for, wait_for_port

# Dask's, of a worker that died
pytestmark = pytest.mark.filterwarnings("ignore:unclosed .socket:ResourceWarning")


@pytest.fixture(autouse=True)
def _sockets_of_dead_workers_are_told_here() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with open_cluster(Work(workers=2)) as cluster:
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
    """Before it starts: XLA reads them when it is first imported, which a process that is spawned
    may do at once.
    """
    [(_, process)] = cluster.map(os.getpid, [()])
    assert ONE_THREAD.items() <= psutil.Process(process).environ().items()


def test_a_slow_disk_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dask warns of it where making a folder takes a second, as it does on a busy machine."""
    monkeypatch.delenv("PYTHONWARNINGS", raising=False)
    slow = distributed.utils.warn_on_duration
    monkeypatch.setattr(distributed.core, "warn_on_duration", lambda _, text: slow("0s", text))
    with open_cluster(Work(workers=1)) as cluster:
        [(_, filters)] = cluster.map(eval, [("__import__('sys').warnoptions",)])
    assert filters == ["ignore:Creating scratch directories"]


def test_error_of_a_piece_is_raised_as_it_is(cluster: Cluster) -> None:
    with pytest.raises(ConfigError, match="received 'steel'"):
        list(cluster.map(read_material, [("steel",)]))


def test_piece_that_kills_its_process_is_given_up(cluster: Cluster) -> None:
    """Dask tries it on four processes; the error says so, and there are new ones for other work."""
    with pytest.raises(ClusterError, match="after it killed 4 workers; they may lack memory"):
        list(cluster.map(os._exit, [(1,)]))
    assert [result for _, result in cluster.map(operator.mul, [(6, 7)])] == [42]


@pytest.mark.parametrize("workers", [0, -1])
def test_no_workers_are_refused(workers: int) -> None:
    with (
        pytest.raises(ClusterError, match=f"workers: expected at least 1, received {workers}"),
        open_cluster(Work(workers=workers)),
    ):
        pytest.fail("opened")


@pytest.mark.parametrize("address", ["nonsense", "", "foo://127.0.0.1:8786", "tcp://127.0.0.1"])
def test_address_that_is_none(address: str) -> None:
    with (
        pytest.raises(ClusterError, match=f"scheduler {address}: expected a Dask scheduler"),
        open_cluster(Work(scheduler=address)),
    ):
        pytest.fail("opened")


@pytest.mark.parametrize(
    "banner",
    [
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n\r\n", id="http"),  # a length of 3 EiB
        pytest.param(b"SSH-2.0-x\r\n", id="ssh"),
        pytest.param(bytes(8), id="no frames"),
        pytest.param((8).to_bytes(8, "little") + bytes(8), id="an empty message"),
    ],
)
def test_another_kind_of_server(banner: bytes, capfd: pytest.CaptureFixture) -> None:
    """It speaks first, and Dask reads what it says as a message: told in one sentence, and not by
    Dask's log.
    """

    def speak() -> None:
        with suppress(OSError):
            while True:
                connection, _ = server.accept()
                connection.sendall(banner)
                connections.append(connection)

    connections: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=speak, daemon=True).start()
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        message = (
            f"^scheduler {address}: expected a Dask scheduler such as tcp://host:8786, found"
            " none: another kind of server answers$"
        )
        with pytest.raises(ClusterError, match=message), open_cluster(Work(scheduler=address)):
            pytest.fail("opened")
        server.shutdown(socket.SHUT_RDWR)
    for connection in connections:
        connection.close()
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("scheme", ["tcp://", ""])
def test_nobody_there_is_said_at_once(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system says so, in its words, not after the 10 s in which Dask tries again; a host
    that it does not know likewise.
    """

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(module, "ANSWER_TIMEOUT", PATIENCE)  # who waits for it hangs
    address = f"{scheme}127.0.0.1:{unused_port()}"
    with (
        pytest.raises(
            ClusterError, match=f"^scheduler {address}: .*, found none: Connection refused$"
        ),
        open_cluster(Work(scheduler=address)),
    ):
        pytest.fail("opened")
    monkeypatch.setattr("socket.getaddrinfo", unknown)
    with (
        pytest.raises(ClusterError, match=r"found none: Name or service not known$"),
        open_cluster(Work(scheduler=f"{scheme}nowhere.invalid:8786")),
    ):
        pytest.fail("opened")


@contextmanager
def dask_process(
    name: str, *options: str, environment: dict[str, str], folder: Path
) -> Iterator[subprocess.Popen]:
    """`dask scheduler` or `dask worker`, killed in the end."""
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(
        ["dask", name, *options], cwd=folder, env=environment, **silent
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def dask_scheduler(
    environment: dict[str, str], folder: Path
) -> Iterator[tuple[str, subprocess.Popen]]:
    """The address of a `dask scheduler` on loopback that listens, and its process."""
    port = unused_port()
    options = ("--host", "127.0.0.1", "--port", str(port), "--dashboard-address", "127.0.0.1:0")
    with dask_process("scheduler", *options, environment=environment, folder=folder) as scheduler:
        wait_for_port(port)
        yield f"tcp://127.0.0.1:{port}", scheduler


def dask_worker(
    address: str, environment: dict[str, str], folder: Path
) -> AbstractContextManager[subprocess.Popen]:
    """The process of a `dask worker` of a scheduler, which it ends with."""
    options = (address, "--no-nanny", "--no-dashboard", "--local-directory", str(folder))
    return dask_process("worker", *options, environment=environment, folder=folder)


def test_scheduler_without_workers(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers may be late, so they are waited for, but not for ever: here 2 s."""
    monkeypatch.setattr(module, "NO_WORKER_TIMEOUT", 2)
    with (
        dask_scheduler(environment, tmp_path) as (address, _),
        pytest.raises(ClusterError, match="the Dask scheduler has had no worker for 2 s"),
        open_cluster(Work(scheduler=address)) as cluster,
    ):
        list(cluster.map(operator.mul, [(6, 7)]))


def test_last_worker_lost(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed with work in hand and no other to take it: an error after the 2 s in which another may
    come, not a wait without end.
    """
    errors: list[SvevaeError] = []
    in_hand = tmp_path / "in hand"

    def begin() -> None:
        in_hand.touch()
        time.sleep(2 * PATIENCE)

    def work(cluster: Cluster) -> None:
        try:
            list(cluster.map(begin, [()]))
        except SvevaeError as error:
            errors.append(error)

    with (
        dask_scheduler(environment, tmp_path) as (address, _),
        dask_worker(address, environment, tmp_path) as worker,
        open_cluster(Work(scheduler=address)) as cluster,
    ):
        assert [result for _, result in cluster.map(operator.mul, [(6, 7)])] == [42]
        monkeypatch.setattr(module, "NO_WORKER_TIMEOUT", 2)
        thread = threading.Thread(target=work, args=(cluster,), daemon=True)
        thread.start()
        wait_for(in_hand.exists, "the worker to begin")
        worker.kill()
        thread.join(timeout=PATIENCE)
        assert not thread.is_alive(), "".join(
            ["it waits for ever:\n", *traceback.format_stack(sys._current_frames()[thread.ident])]
        )
    assert "the Dask scheduler has had no worker for 2 s" in str(errors[0])


@pytest.mark.parametrize("where", ["worker", "scheduler"])
def test_environment_without_svevae(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """A worker without it is named, with the version that it needs, and lives on; the scheduler
    needs none. No time runs out on the way: whoever waited for that would hang.
    """
    for name in ("NO_WORKER_TIMEOUT", "ANSWER_TIMEOUT"):
        monkeypatch.setattr(module, name, PATIENCE)
    (tmp_path / "sitecustomize.py").write_text(
        "import sys; sys.modules['svevae'] = None", encoding="utf-8"
    )
    without = environment | {
        "PYTHONPATH": os.pathsep.join([str(tmp_path), environment.get("PYTHONPATH", "")])
    }
    other = {"worker": "scheduler", "scheduler": "worker"}[where]
    at = {where: without, other: environment}
    with (
        dask_scheduler(at["scheduler"], tmp_path) as (address, _),
        dask_worker(address, at["worker"], tmp_path) as worker,
        open_cluster(Work(scheduler=address)) as cluster,
    ):
        if where == "scheduler":
            assert [result for _, result in cluster.map(operator.mul, [(6, 7)])] == [42]
            return
        message = (
            rf"^expected svevae {re.escape(__version__)} on every Dask worker:"
            r" tcp://127\.0\.0\.1:\d+ has none; install it there$"
        )
        for _ in range(2):
            with pytest.raises(ClusterError, match=message):
                list(cluster.map(operator.mul, [(6, 7)] * 9))
        assert worker.poll() is None


def test_worker_of_another_version(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "__version__", "9.9")
    message = rf"^the Dask worker tcp://\S+ has svevae {re.escape(__version__)}, expected 9\.9$"
    with pytest.raises(ClusterError, match=message):
        list(cluster.map(operator.mul, [(6, 7)]))


def test_error_of_an_attribute_is_raised_as_it_is(cluster: Cluster) -> None:
    """Where the workers have this svevae, what a piece raises is not blamed on them."""
    with pytest.raises(AttributeError, match="no_such_thing"):
        list(cluster.map(getattr, [(1, "no_such_thing")]))


def test_scheduler_lost_as_a_result_is_fetched(environment: dict[str, str], tmp_path: Path) -> None:
    """A worker's result passes through the scheduler, which it kills here as its first byte is to
    be sent.
    """

    def work(scheduler: int) -> object:
        class Deadly:
            def __reduce__(self) -> tuple:
                os.kill(scheduler, signal.SIGKILL)
                return str, ()

        return Deadly()

    with (
        dask_scheduler(environment, tmp_path) as (address, scheduler),
        dask_worker(address, environment, tmp_path),
        open_cluster(Work(scheduler=address)) as cluster,
    ):
        with pytest.raises(ClusterError, match=f"^{module.LOST}$"):
            list(cluster.map(work, [(scheduler.pid,)]))
        assert scheduler.wait(timeout=PATIENCE) == -signal.SIGKILL


def test_scheduler_lost_while_the_command_is_elsewhere(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dask's client, told to try for 2 s, closes by itself: the work that is under way and the next
    are told why.
    """
    monkeypatch.setattr(module, "ANSWER_TIMEOUT", 2)
    with (
        dask_scheduler(environment, tmp_path) as (address, scheduler),
        dask_worker(address, environment, tmp_path),
        open_cluster(Work(scheduler=address)) as cluster,
    ):
        results = cluster.map(operator.mul, [(6, 7)] * 99)
        assert next(results)[1] == 42
        scheduler.kill()
        wait_for(lambda: cluster._client.scheduler is None, "Dask's client to close")
        for work in (results, cluster.map(operator.mul, [(6, 7)])):
            with pytest.raises(ClusterError, match=f"^{module.LOST}$"):
                list(work)


# The bar


def lines_of(text: str) -> list[str]:
    return [line for line in re.split(r"[\r\n]+", text) if line.strip()]


def test_bar_goes_on_before_the_first_piece_is_finished(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a worker compiles, the time on a terminal goes on each second. Here the worker reads a
    pipe into which this test writes once the bar was drawn four times; then nothing starts any
    more.
    """
    screen, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24, 160))
    stderr = os.fdopen(terminal, "w")
    monkeypatch.setattr(sys, "stderr", stderr)
    pipe, draws = tmp_path / "pipe", []
    os.mkfifo(pipe)

    def idle() -> None:
        bar.idle()
        draws.append(None)
        if len(draws) == 4:
            threading.Thread(target=pipe.write_text, args=["done"]).start()

    with progress(2, 2, "labels", "SVE", "starting the solver") as bar:
        bar.say("a line of its own")
        for _ in cluster.map(Path.read_text, [(pipe,)], idle):
            bar.update(2)
    stderr.close()
    content = b""
    with suppress(OSError):  # EIO: all that was written is read
        while part := os.read(screen, 1 << 16):
            content += part
    os.close(screen)
    shown = content.decode()
    seconds = re.findall(r"0/2 \[00:(\d\d) gone, \? left, *\? ?SVE/s, starting the solver\]", shown)
    assert len(set(seconds)) >= 3
    assert re.search(r"2/2 \[00:\d\d gone, 00:00 left, +[\d.]+ ?SVE/s\]", lines_of(shown)[-1])
    assert any("a line of its own" in line for line in lines_of(shown))


def test_bar_in_a_log(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    """A line at once, after 5 s and then one a minute, however often it is asked; and the rate is
    that of all 4 that are finished in 125 s, 3 of 7 were finished before.
    """
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    with progress(7, 4, "labels", "SVE", "starting the solver") as bar:
        for second in range(1, 126):
            now[0] = second
            bar.idle()
        bar.say("labels: a line of its own")
        bar.update(4)
    *idle, own, last = lines_of(capsys.readouterr().err)
    assert len(idle) == 1 + 3  # at once, then after 5, 65 and 125 s
    assert all(
        re.match(r"labels:  43% \|.*\| 3/7 \[.* \? left, .*, starting the solver\]", line)
        for line in idle
    )
    assert own == "labels: a line of its own"
    rate = re.search(r"7/7 \[00:00 gone, 00:00 left, ([\d.]+) SVE/s\]", last)
    assert float(rate[1]) == pytest.approx(4 / 125, rel=0.01)


@pytest.mark.parametrize("screen", [False, True])
def test_the_rate_is_that_of_the_work(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, screen: bool
) -> None:
    """Two workers compile for 40 s, then each takes 4 s for an SVE: 0.5 a second. 4,000 of 4,080
    SVEs had been labelled before. Neither is in the rate nor in what is left.
    """
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(sys.stderr, "isatty", lambda: screen, raising=False)
    with progress(4080, 80, "labels", "SVE", "starting the solver", workers=2) as bar:
        told = [dict(bar.format_dict)]
        for sve in range(80):
            now[0] = 40 + 4 * (sve // 2) + 0.5 * (sve % 2)
            bar.update()
            told.append(dict(bar.format_dict))
    assert [one["speed"] for one in told[:3]] == ["?"] * 3
    assert all(0.25 <= one["rate"] <= 0.5 for one in told[3:5])
    assert all(one["rate"] == pytest.approx(0.5, rel=1 / k) for k, one in enumerate(told[3:], 1))
    half = Bar.format_meter(**told[40])
    assert re.search(r" 4040/4080 .* gone, 01:20 left, 0\.5 SVE/s\]$", half)
    lines = lines_of(capsys.readouterr().err)
    # a screen is drawn ten times a second at most, a log has the first SVE at once
    assert screen or any(" 4001/4080 " in line for line in lines)
    assert screen or len(lines) < 10


@pytest.mark.parametrize(
    ("seconds", "speed"), [(240.0, "0.00833"), (4.0, "0.5"), (0.013, "154"), (0.0005, "4000")]
)
def test_the_rate_has_three_digits(
    monkeypatch: pytest.MonkeyPatch, seconds: float, speed: str
) -> None:
    """Large SVEs take minutes, small ones milliseconds; `seconds` for each pair."""
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    with progress(9, 9, "labels", "SVE") as bar:
        now[0] = seconds
        bar.update(2)
        assert bar.format_dict["speed"] == speed


def test_work_too_short_for_a_rate_has_that_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """3 SVEs by 4 workers in 6 s, at the end; until then it is not known."""
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    with progress(3, 3, "labels", "SVE", workers=4) as bar:
        now[0] = 6.0
        bar.update(2)
        assert bar.format_dict["speed"] == "?"
        bar.update()
        assert bar.format_dict["speed"] == "0.5"


def test_no_bar_where_nothing_is_left(capsys: pytest.CaptureFixture) -> None:
    with progress(3, 0, "labels", "SVE", "starting the solver") as bar:
        bar.idle()
    assert capsys.readouterr().err == ""
