"""`svevae generate` as a user runs it: what is in the file, that no accident loses work or changes
it, and every bad input.
"""

from __future__ import annotations

import http.server
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import psutil
import pytest
import yaml
from scipy.optimize import brentq

from svevae.cli import main
from svevae.config import Generate, load_params
from svevae.dataset import generate as generating
from svevae.dataset import labelling
from svevae.dataset.cluster import ONE_THREAD
from svevae.dataset.cut import cut
from svevae.dataset.generate import generate, plan_parts
from svevae.dataset.store import find_problems, open_dataset
from svevae.errors import ConfigError, SolverError, SvevaeError
from svevae.physics.elasticity import PRESETS
from svevae.physics.homogenize import Settings
from svevae.physics.label import property_names
from svevae.physics.microstructure import GENERATORS, make_part, parameter_names
from tests.conftest import PATIENCE, ROOT, Run, unused_port, wait_for, wait_for_port

GAUSSIAN = {
    "porosity": [0.005, 0.08, "log"],
    "pore_length": [2.0, 3.0],
    "elongation": 1.0,
    "modulation_length": 8,
    "modulation_strength": 0.5,
}
TINY = {
    "output": "data/tiny.h5",
    "material": "as-built-z",
    "part": [2, 2, 1],
    "sve": 8,
    "stride": 8,
    "batch": 2,
}
TINY |= {"tension": ["x", "z"], "strain": [0.001, 0.003, 0.006, 0.01]}
OUTPUT, JOURNAL = Path("data/tiny.h5"), Path(".checkpoints/generate")
MORE = 4  # parts
ENDLESS = 150  # parts: work that is interrupted long before its end on any machine


def one_family(settings: Generate, **changes: Any) -> Generate:
    """`settings` with one family: Gaussian pores, but for the changes of its keys."""
    family = {"generator": "gaussian", "parameters": GAUSSIAN, "parts": 5} | changes
    return replace(settings, families={"correlated": family})


def part_parameters(settings: Generate, part: int) -> dict[str, float]:
    return plan_parts(settings)[part].parameters


def write_params(folder: Path, **changes: Any) -> None:
    settings = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    family = {
        key: changes.pop(key) for key in ("generator", "parameters", "parts") if key in changes
    }
    families = {
        "correlated": {"generator": "gaussian", "parameters": GAUSSIAN, "parts": 2} | family
    }
    settings["generate"] |= TINY | {"families": families} | changes
    (folder / "params.yaml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")


def contents(folder: Path) -> dict[str, np.ndarray]:
    """Every dataset of the file that was made in a folder."""
    found: dict[str, np.ndarray] = {}
    with h5py.File(folder / OUTPUT) as file:
        file.visititems(
            lambda name, item: found.update(
                {name: item[()]} if isinstance(item, h5py.Dataset) else {}
            )
        )
    return found


def assert_same(
    found: dict[str, np.ndarray], expected: dict[str, np.ndarray], sves: slice = slice(None)
) -> None:
    """Voxels and all that follows from them byte for byte, labels to the tolerance of the solver,
    5e-4, and a little more.
    """
    assert set(found) == set(expected)
    for name in ("voxels", "part_id", "position", "porosity", "load_path"):
        assert found[name][sves].tobytes() == expected[name].tobytes(), name
    for name in ("properties", "tension/stress_x", "tension/stress_z"):
        np.testing.assert_allclose(found[name][sves], expected[name], rtol=2e-3, err_msg=name)
    np.testing.assert_allclose(found["stiffness"][sves], expected["stiffness"], atol=2e-3 * 70_000)


def journal(folder: Path) -> dict[Path, int]:
    """The finished pieces of labelling and when each was written."""
    return {path: path.stat().st_mtime_ns for path in (folder / JOURNAL).glob("*/*.npz")}


@pytest.fixture(scope="session")
def quick(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables with which JAX compiles once for all the commands of these tests."""
    cache = {"JAX_COMPILATION_CACHE_DIR": str(tmp_path_factory.mktemp("jax"))}
    return cache | {"JAX_PERSISTENT_COMPILATION_CACHE_MIN_COMPILE_TIME_SECS": "0.2"}


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory, run: Run, quick: dict[str, str]) -> Path:
    """A folder in which the command has made the tiny dataset, on one process. Tests read it; what
    changes it works on a copy.
    """
    folder = tmp_path_factory.mktemp("small")
    (folder / "dvc.yaml").touch()  # as in a project
    write_params(folder)
    done = run("svevae", "generate", "--workers", "1", cwd=folder, **quick)
    (folder / "out").write_text(done.stdout, encoding="utf-8")
    (folder / "err").write_text(done.stderr, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def larger(
    tmp_path_factory: pytest.TempPathFactory, run: Run, quick: dict[str, str], small: Path
) -> Path:
    """A copy of `small` in which the command was run again for more parts, on two processes."""
    folder = tmp_path_factory.mktemp("larger") / "project"
    shutil.copytree(small, folder)
    write_params(folder, parts=MORE)
    run("svevae", "generate", "--workers", "2", cwd=folder, **quick)
    return folder


@pytest.fixture
def copied(small: Path, tmp_path: Path) -> Path:
    return shutil.copytree(small, tmp_path / "copy")


# The file


@pytest.mark.slow
def test_file_is_valid_and_whole(small: Path) -> None:
    """2 parts of 2 x 2 x 1 SVEs of 8^3 voxels: 8 rows, positions in C order of x, y, z, every
    dataset of the contract.
    """
    assert find_problems(small / OUTPUT) == []
    data, arrays = open_dataset(small / OUTPUT), contents(small)
    assert (data.count, data.n, data.voxel_size) == (8, 8, 10.0)
    assert (data.names, data.units) == property_names(("x", "z"))
    assert arrays["voxels"].dtype == np.uint8
    assert arrays["part_id"].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert arrays["position"].tolist() == [[0, 0, 0], [0, 1, 0], [1, 0, 0], [1, 1, 0]] * 2
    np.testing.assert_allclose(arrays["porosity"], arrays["voxels"].mean(axis=(1, 2, 3)))
    assert arrays["tension/strain"].tolist() == TINY["strain"]
    shapes = {
        "stiffness": (8, 6, 6),
        "tension/stress_x": (8, 4),
        "tension/stress_z": (8, 4),
        "residual": (8,),
        "load_path": (8, 3),
    }
    assert {name: arrays[name].shape for name in shapes} == shapes


@pytest.mark.slow
def test_file_alone_makes_the_voxels_again(small: Path) -> None:
    """Its attributes hold the settings and /parts what each part drew; the generator gives the same
    bytes from either.
    """
    with h5py.File(small / OUTPUT) as file:
        made, columns, table = (
            json.loads(file.attrs["generate"]),
            list(file["parts"].attrs["columns"]),
            file["parts"][:],
        )
    assert columns == ["part_id", *parameter_names("gaussian"), "porosity_realised"]
    settings = replace(
        load_params(small / "params.yaml").generate, families=made["families"], seed=made["seed"]
    )
    plan = plan_parts(settings)
    cubes = []
    for k, (part_id, *values, realised) in enumerate(table):
        parameters = dict(zip(columns[1:-1], values, strict=True))
        assert part_id == k
        assert parameters == plan[k].parameters
        part = make_part(plan[k].generator, (16, 16, 8), plan[k].seed, k, parameters)
        assert realised == part.mean() == round(parameters["porosity"] * part.size) / part.size
        cubes.append(cut(part, made["sve"], made["stride"])[0])
    assert np.concatenate(cubes).tobytes() == contents(small)["voxels"].tobytes()


@pytest.mark.slow
def test_provenance_is_complete(small: Path) -> None:
    """Every key of the section but where the file went and how the work was cut; material, solver
    and the version of the code.
    """
    attributes = open_dataset(small / OUTPUT).attributes
    section = yaml.safe_load((small / "params.yaml").read_text(encoding="utf-8"))["generate"]
    assert json.loads(attributes["generate"]) == {
        key: value for key, value in section.items() if key not in ("output", "batch")
    }
    assert json.loads(attributes["material"]) == {
        "E": 70_000,
        "nu": 0.33,
        "s0": 216,
        "Q": 312,
        "b": 40,
    }
    assert json.loads(attributes["solver_settings"]) == asdict(
        Settings(dtype="float32", tolerance=5e-4)
    )
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*( [0-9a-f]{40}\+?)?", attributes["svevae"])
    assert {"title", "axes", "phase", "stride", "solver", "properties"} <= set(attributes)


@pytest.mark.slow
def test_residuals_keep_the_tolerance(small: Path) -> None:
    residual = contents(small)["residual"]
    assert residual.max() <= 5e-4
    assert residual.max() > 0


@pytest.mark.slow
def test_pore_free_sves_are_the_material(small: Path) -> None:
    """Uniaxial tension in closed form: strain = sigma/E + p with sigma = s0 + Q (1 - exp(-b p));
    here E 70 GPa, nu 0.33.
    """
    arrays, m = contents(small), PRESETS["as-built-z"]
    solid = arrays["porosity"] == 0
    assert solid.any()
    for i, axis in enumerate("xz"):
        np.testing.assert_allclose(arrays["properties"][solid, i], m.E, rtol=1e-5)

        def stress(p: float) -> float:
            return m.s0 + m.Q * (1 - np.exp(-m.b * p))

        plastic = [
            brentq(lambda p, strain=strain: stress(p) / m.E + p - strain, -1, 1)
            for strain in TINY["strain"]
        ]
        exact = [
            stress(p) if p > 0 else m.E * strain
            for p, strain in zip(plastic, TINY["strain"], strict=True)
        ]
        np.testing.assert_allclose(
            arrays[f"tension/stress_{axis}"][solid], [exact] * solid.sum(), rtol=1e-3
        )
    np.testing.assert_allclose(arrays["properties"][solid, 2], m.nu, rtol=1e-5)


@pytest.mark.slow
def test_pores_soften(small: Path) -> None:
    """No modulus exceeds the mean of the phases, (1 - f) E, and each SVE with pores lies below
    it.
    """
    arrays = contents(small)
    bound = (1 - arrays["porosity"]) * 70_000
    porous = arrays["porosity"] > 0
    assert porous.sum() >= 4
    assert (arrays["properties"][porous, :2] < bound[porous, None]).all()


@pytest.mark.slow
def test_what_the_command_says(small: Path) -> None:
    """The summary and the next step on stdout; progress with SVE/s and time left on stderr, which
    has nothing else.
    """
    assert re.fullmatch(
        r"data/tiny\.h5: 8 SVEs of 2 parts, porosity \S+% to \S+%, largest residual \S+\nnext: dvc"
        r" add data\n",
        (small / "out").read_text(encoding="utf-8"),
    )
    lines = [
        line
        for line in re.split(r"[\r\n]+", (small / "err").read_text(encoding="utf-8"))
        if line.strip()
    ]
    assert all(line.startswith(("parts: ", "labels: ")) for line in lines)
    assert re.search(
        r"labels: 100% \|.*\| (\d)/\1 \[\d\d:\d\d gone, \d\d:\d\d left, +[\d.]+ ?SVE/s\]", lines[-1]
    )


# Work that is finished, and accidents


@pytest.mark.slow
def test_rerun_labels_nothing_again(
    copied: Path, small: Path, run: Run, quick: dict[str, str]
) -> None:
    """Not even in pieces of another size: the journal is untouched and the new file has the bytes
    of the old one.
    """
    before = journal(copied)
    write_params(copied, batch=5)
    (copied / OUTPUT).unlink()
    run("svevae", "generate", "--workers", "1", cwd=copied, **quick)
    assert journal(copied) == before
    found, expected = contents(copied), contents(small)
    assert all(found[name].tobytes() == expected[name].tobytes() for name in expected)


@pytest.mark.slow
def test_finished_file_is_a_journal_too(copied: Path, small: Path, run: Run) -> None:
    """Without `.checkpoints`, as after `git clone` and `dvc pull`: the parts are made again, no SVE
    is labelled, the bytes are the same.
    """
    shutil.rmtree(copied / ".checkpoints")
    run("svevae", "generate", "--workers", "1", cwd=copied)
    assert not journal(copied)
    found, expected = contents(copied), contents(small)
    assert all(found[name].tobytes() == expected[name].tobytes() for name in expected)


@pytest.mark.slow
def test_more_parts_label_only_the_new_ones(small: Path, larger: Path) -> None:
    """The first parts keep their bytes, labels included; their journal files are those of the first
    run.
    """
    old, new = journal(small), journal(larger)
    kept = {path.name for path in old}
    assert {path.name: time for path, time in new.items() if path.name in kept} == {
        path.name: time for path, time in old.items()
    }
    assert len(new) > len(old)
    before, after = contents(small), contents(larger)
    assert len(after["voxels"]) == 16
    assert all(
        after[name][: len(before[name])].tobytes() == before[name].tobytes() for name in before
    )


@pytest.mark.slow
def test_workers_and_batch_do_not_matter(
    small: Path, tmp_path: Path, run: Run, quick: dict[str, str]
) -> None:
    """Two processes and another batch: the voxels byte for byte, the labels to the tolerance."""
    write_params(tmp_path, batch=3)
    run("svevae", "generate", "--workers", "2", cwd=tmp_path, **quick)
    assert_same(contents(tmp_path), contents(small))


@contextmanager
def started(
    command: list[str], folder: Path, environment: dict[str, str]
) -> Iterator[subprocess.Popen]:
    """A command in a session of its own, its stderr in the file `err`; whatever is left of the
    session is killed in the end.
    """
    with (folder / "err").open("w", encoding="utf-8") as err:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=err,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        for pid in living(process.pid):
            os.kill(pid, signal.SIGKILL)
        process.wait()


def living(session: int) -> list[int]:
    """The processes of a session that have not ended."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except (psutil.NoSuchProcess, ProcessLookupError, PermissionError):
            continue
    return found


def wait_while(process: subprocess.Popen, what: Callable[[], object]) -> None:
    """Until it is so, while the process runs."""

    def so() -> bool:
        assert process.poll() is None, "the command ended too soon"
        return bool(what())

    wait_for(so, "the command")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sent", "word"), [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "ended")]
)
def test_ctrl_c_and_sigterm(
    sent: signal.Signals,
    word: str,
    larger: Path,
    tmp_path: Path,
    run: Run,
    quick: dict[str, str],
    environment: dict,
) -> None:
    """A terminal sends SIGINT to the workers too, a batch system SIGTERM: exit code 130 or 143, one
    sentence and no traceback, no word of Python's on leaked semaphores, no process left; it goes on
    later.
    """
    write_params(tmp_path, parts=ENDLESS, batch=1)
    with started(
        ["svevae", "generate", "--workers", "2"], tmp_path, environment | quick
    ) as process:
        wait_while(process, lambda: journal(tmp_path))
        os.killpg(process.pid, sent)
        assert process.wait(timeout=PATIENCE) == 128 + sent
        wait_for(lambda: not living(process.pid), "its workers to end")
    said = [
        line
        for line in re.split(r"[\r\n]+", (tmp_path / "err").read_text(encoding="utf-8"))
        if line and not line.startswith(("parts:", "labels:"))
    ]
    assert said == [f"svevae generate: {word}; the same command goes on where it stopped"]
    finished = journal(tmp_path)
    write_params(tmp_path, parts=MORE, batch=1)
    run("svevae", "generate", "--workers", "2", cwd=tmp_path, **quick)
    assert finished.items() <= journal(tmp_path).items()
    assert_same(contents(tmp_path), contents(larger))


@pytest.mark.slow
def test_damaged_files_are_made_again(
    copied: Path, small: Path, run: Run, quick: dict[str, str]
) -> None:
    """An empty journal file, one cut off, a part of rubbish, half an output: all redone, nothing
    else, and the result is the same.
    """
    empty, short, *others = sorted(journal(copied))
    untouched = {path: journal(copied)[path] for path in others}
    empty.write_bytes(b"")
    short.write_bytes(short.read_bytes()[:1000])
    part = min((copied / JOURNAL / "parts").iterdir())
    part.write_bytes(b"rubbish")
    (copied / OUTPUT).write_bytes((small / OUTPUT).read_bytes()[:20_000])
    run("svevae", "generate", "--workers", "1", cwd=copied, **quick)
    assert untouched.items() <= journal(copied).items()
    assert_same(contents(copied), contents(small))


# Dask clusters


@contextmanager
def dask_cluster(
    folder: Path, environment: dict[str, str]
) -> Iterator[tuple[str, subprocess.Popen, list[subprocess.Popen]]]:
    """The address of a scheduler on loopback, its process, and those of its two workers."""
    port = unused_port()
    address = f"tcp://127.0.0.1:{port}"
    scheduler = [
        "dask",
        "scheduler",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--dashboard-address",
        "127.0.0.1:0",
    ]
    worker = [
        "dask",
        "worker",
        address,
        "--nthreads",
        "1",
        "--no-nanny",
        "--no-dashboard",
        "--local-directory",
        str(folder / "scratch"),
    ]
    silent = {
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
        "env": environment | ONE_THREAD,
        "cwd": folder,
    }
    processes = [
        subprocess.Popen(command, start_new_session=True, **silent)
        for command in (scheduler, worker, worker)
    ]
    try:
        wait_for_port(port)
        yield address, processes[0], processes[1:]
    finally:
        for process in processes:
            for pid in living(process.pid):
                os.kill(pid, signal.SIGKILL)
            process.wait()


@pytest.mark.slow
def test_dask_worker_killed_in_the_middle(
    larger: Path, tmp_path: Path, quick: dict[str, str], environment: dict
) -> None:
    """On a scheduler and two workers, one of which is killed: the other finishes, and the result is
    that of local processes.
    """
    write_params(tmp_path, parts=MORE, batch=1)
    with dask_cluster(tmp_path, environment | quick) as (address, _, workers):
        with started(
            ["svevae", "generate", "--scheduler", address], tmp_path, environment | quick
        ) as process:
            said = tmp_path / "err"  # when it has asked the workers and gives them labels to find
            wait_while(process, lambda: "each worker solves" in said.read_text(encoding="utf-8"))
            workers[0].send_signal(signal.SIGSTOP)  # with work in hand that nobody else has
            wait_while(process, lambda: journal(tmp_path))
            finished = len(journal(tmp_path))
            workers[0].kill()
            assert process.wait(timeout=PATIENCE) == 0, (tmp_path / "err").read_text(
                encoding="utf-8"
            )
        assert workers[1].poll() is None
    assert finished < len(journal(tmp_path))
    assert_same(contents(tmp_path), contents(larger))
    assert "Traceback" not in (tmp_path / "err").read_text(encoding="utf-8")


@pytest.mark.slow
def test_dask_scheduler_killed_in_the_middle(
    tmp_path: Path, quick: dict[str, str], environment: dict
) -> None:
    """Exit code 2 and one sentence; what was finished is in the journal."""
    write_params(tmp_path, parts=ENDLESS, batch=1)
    with (
        dask_cluster(tmp_path, environment | quick) as (address, scheduler, _),
        started(
            ["svevae", "generate", "--scheduler", address], tmp_path, environment | quick
        ) as process,
    ):
        wait_while(process, lambda: journal(tmp_path))
        scheduler.kill()
        assert process.wait(timeout=PATIENCE) == 2
    said = [
        line
        for line in re.split(r"[\r\n]+", (tmp_path / "err").read_text(encoding="utf-8"))
        if line and not line.startswith(("parts:", "labels:"))
    ]
    assert said == ["svevae generate: the Dask scheduler was lost; what was finished is kept"]
    assert journal(tmp_path)
    assert not (tmp_path / OUTPUT).exists()


class Silent(http.server.BaseHTTPRequestHandler):
    """Answers Dask's greeting with 400 Bad Request, as any web server does."""

    def log_message(self, *_: Any) -> None:
        pass


@pytest.mark.slow
def test_scheduler_that_is_not_there(tmp_path: Path, run: Run) -> None:
    """Nobody at the address, or a web server: exit code 2 and no wait for ever, the address in the
    message, no traceback.
    """
    write_params(tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Silent) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for port in (unused_port(), server.server_port):
            address = f"tcp://127.0.0.1:{port}"
            done = run("svevae", "generate", "--scheduler", address, cwd=tmp_path, code=2)
            assert done.stderr.startswith(
                f"svevae generate: --scheduler {address}: expected a Dask scheduler"
            )
            assert "Traceback" not in done.stderr
        server.shutdown()


# Bad input


@pytest.fixture
def refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> Callable[..., str]:
    """The message of a command that must exit with 2, and leave alone the older file and start no
    journal.
    """

    def message(*options: str, **changes: Any) -> str:
        monkeypatch.chdir(tmp_path)
        write_params(tmp_path, **changes)
        OUTPUT.parent.mkdir(exist_ok=True)
        OUTPUT.write_text("older", encoding="utf-8")
        try:
            code = main(["generate", *options])
        except SystemExit as refusal:  # argparse's way
            code = refusal.code
        assert code == 2
        assert OUTPUT.read_text(encoding="utf-8") == "older"
        assert [path.name for path in OUTPUT.parent.iterdir()] == [OUTPUT.name]
        assert not list(JOURNAL.rglob("*.*"))
        return capsys.readouterr().err

    return message


VOCE = {"E": 70_000, "nu": 0.33, "s0": 216, "Q": 312, "b": 40}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"material": VOCE | {"E": -1}},
            "params.yaml: generate.material.E: expected a number above 0, received -1",
        ),
        (
            {"material": VOCE | {"s0": float("nan")}},
            "material.s0: expected a number at least 0, received nan",
        ),
        (
            {"material": VOCE | {"nu": 0.5}},
            "material.nu: expected a number between -1 and 0.5, received 0.5",
        ),
        (
            {"material": {"E": 70_000}},
            "material: expected a preset or a mapping of E, nu, s0, Q, b",
        ),
        (
            {"material": "steel"},
            (
                "material: expected one of as-built-z, as-built-xy, aged-z, printed or a"
                " mapping, received 'steel'"
            ),
        ),
        (
            {"strain": [0.001, 0.001, 0.01]},
            (
                "generate.strain: expected positive strains, each above the one before, received"
                " [0.001, 0.001"
            ),
        ),
        (
            {"strain": [0.01, 0.005]},
            (
                "generate.strain: expected positive strains, each above the one before, received"
                " [0.01, 0.005]"
            ),
        ),
        (
            {"strain": [float("nan")]},
            "generate.strain[0]: expected a finite number, received nan",
        ),
        ({"strain": []}, "generate.strain: expected positive strains"),
        (
            {"strain": [0.003]},
            (
                "generate.strain: expected to end at 0.004 or more, or there is no yield; received"
                " 0.003"
            ),
        ),
        ({"strain": [0.002, 0.006]}, "params.yaml: generate.strain: expected to go on to 0.006"),
        (
            {"material": VOCE | {"s0": float("inf")}},
            (
                "generate.material.s0: expected a finite number, received inf: the material never"
                " yields"
            ),
        ),
        (
            {"material": VOCE | {"E": 0}},
            "params.yaml: generate.material.E: expected a number above 0, received 0",
        ),
        (
            {"tension": ["w"]},
            "generate.tension: expected some of x, y, z, each once, received ['w']",
        ),
        (
            {"dtype": "float16"},
            "params.yaml: generate.dtype: expected float32 or float64, received 'float16'",
        ),
        (
            {"tolerance": 0.0},
            "params.yaml: generate.tolerance: expected a number between 0 and 1, received 0.0",
        ),
        (
            {"generator": "foam"},
            "generate.families.correlated.generator: expected one of gaussian, spinodal,",
        ),
        (
            {"parameters": {"porosity": 0.1}},
            (
                "params.yaml: generate.families.correlated.parameters.pore_length: missing;"
                " gaussian has porosity, pore_length"
            ),
        ),
        (
            {"parameters": GAUSSIAN | {"poros": 1}},
            (
                "params.yaml: generate.families.correlated.parameters.poros: unknown; gaussian has"
                " porosity, pore_length"
            ),
        ),
        (
            {"material": []},
            "params.yaml: generate.material: expected a material or a list of them, received none",
        ),
        (
            {"material": ["as-built-z", "steel"]},
            "generate.material: expected one of as-built-z, as-built-xy, aged-z, printed or",
        ),
        (
            {"material": "printed"},
            "material: expected one, or as the first of a list one, of which each constant is a",
        ),
        (
            {"material": ["as-built-z", VOCE | {"s0": 0}]},
            (
                "params.yaml: generate.material.s0: expected a finite number above 0 where there"
                " are several materials, received 0"
            ),
        ),
        (
            {"material": [VOCE | {"s0": 0}, "as-built-z"]},
            "expected a finite number above 0 where there are several materials, received 0",
        ),
        (
            {"material": ["as-built-z", VOCE | {"s0": float("inf")}]},
            "expected a finite number above 0 where there are several materials, received inf",
        ),
        (
            {"material": ["as-built-z", VOCE | {"E": 200_000, "s0": 100, "Q": 0}]},
            (
                "params.yaml: generate.strain: expected to go on to 0.003 or more, well beyond the"
                " 0.2 % yield of the material at 0.0025, received 0.00162037 as the last"
            ),
        ),
        (
            {"material": ["as-built-z", VOCE | {"s0": [300, 200]}]},
            "generate.material.s0: expected finite numbers, low <= high, received [300, 200]",
        ),
        (
            {"material": ["as-built-z", VOCE | {"s0": [300, float("inf")]}]},
            "generate.material.s0: expected finite numbers, low <= high, received [300, inf]",
        ),
        ({"seed": -1}, "params.yaml: generate.seed: expected at least 0, received -1"),
        ({"output": f"data/{250 * 'a'}.h5"}, "aaa.h5: not written: File name too long"),
        (
            {"output": "data"},
            "params.yaml: generate.output: expected the name of a .h5 file, received 'data'",
        ),
    ],
)
def test_wrong_settings_are_refused_at_once(
    refused: Callable[..., str], changes: dict[str, Any], message: str
) -> None:
    """Before a process is started or a part made: not in the tenth hour."""
    said = refused(**changes)
    assert said.startswith("svevae generate: ")
    assert message in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("workers", ["0", "-1"])
def test_no_workers_are_refused(refused: Callable[..., str], workers: str) -> None:
    assert f"--workers: expected at least 1, received {workers}" in refused("--workers", workers)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"porosity": 1.0}, "porosity: expected a number from 0 to below 1, received 1.0"),
        ({"porosity": -0.1}, "porosity: expected a number from 0 to below 1, received -0.1"),
        (
            {"porosity": float("nan")},
            "porosity: expected finite numbers, received nan",
        ),
        (
            {"pore_length": 200},
            (
                "pore_length: expected from 1 voxel to the part's smallest edge, 8 voxels,"
                " received 200"
            ),
        ),
    ],
)
def test_part_that_cannot_be_made(
    tmp_path: Path, run: Run, changes: dict[str, Any], message: str
) -> None:
    """The generator's own words and the part, once; no account of it by Dask, no part in the
    journal.
    """
    write_params(tmp_path, parameters=GAUSSIAN | changes)
    said = (
        run("svevae", "generate", "--workers", "1", cwd=tmp_path, code=2)
        .stderr.split("\r")[-1]
        .splitlines()
    )
    assert len([line for line in said if line.strip() and not line.startswith("parts:")]) == 1
    assert said[-1].startswith("svevae generate: ")
    assert said[-1].endswith(message)
    assert not list((tmp_path / JOURNAL).rglob("*.np[yz]"))


@pytest.mark.slow
def test_no_load_path_is_a_label(tmp_path: Path, run: Run, quick: dict[str, str]) -> None:
    """Part 0 is pores to the last 51 voxels of 2048, so that its SVEs have no load path or no
    matrix at all: zeros, not a hang.
    """
    write_params(tmp_path, parameters=GAUSSIAN | {"porosity": 0.975}, parts=1)
    done = run("svevae", "generate", "--workers", "1", cwd=tmp_path, **quick)
    assert done.stdout.splitlines()[0].endswith(
        "; 4 SVEs without a load path (4 along x, 4 along y, 4 along z), labelled 0 there"
    )
    arrays = contents(tmp_path)
    assert find_problems(tmp_path / OUTPUT) == []
    assert arrays["porosity"].max() == 1
    stuck = ~arrays["load_path"].any(axis=1)
    assert stuck.any()
    for name in ("properties", "stiffness", "residual", "tension/stress_x", "tension/stress_z"):
        assert not arrays[name][stuck].any(), name


@pytest.mark.slow
def test_imported_samples_are_labelled(tmp_path: Path, run: Run, quick: dict[str, str]) -> None:
    """Of a solid cube and one that pores part across x the report of `import` and that of `check`
    say which labels are 0.
    """
    write_params(tmp_path)
    cubes = np.zeros((2, 8, 8, 8), np.uint8)
    cubes[1, 0] = 1
    np.savez(tmp_path / "cubes.npz", voxels=cubes)
    done = run(
        "svevae",
        "import",
        "cubes.npz",
        "-o",
        OUTPUT.name,
        "--label",
        "--workers",
        "1",
        cwd=tmp_path,
        **quick,
    )
    said = "1 SVE without a load path (1 along x), labelled 0 there"
    assert (
        f"  properties by the solver: E_x, E_z, nu_zx, yield_x, yield_z, flow_x, flow_z\n  {said}\n"
        in done.stdout
    )
    checked = run("svevae", "check", OUTPUT.name, cwd=tmp_path).stdout
    assert f"  {said}\n" in checked
    assert re.search(r"^  largest residual of the solver \d\.\de-\d\d$", checked, re.MULTILINE)
    properties = dict(
        zip(
            open_dataset(tmp_path / OUTPUT.name).names,
            open_dataset(tmp_path / OUTPUT.name).properties.T,
            strict=True,
        )
    )
    np.testing.assert_allclose(properties["E_z"], [70_000, 70_000 * 7 / 8], rtol=1e-4)
    for name in ("E_x", "yield_x", "flow_x"):
        assert properties[name][0] > 0 == properties[name][1], name


# Full disks


def limited(size: int) -> list[str]:
    """The command in a process whose files may have `size` bytes, which to it is a full disk that
    no test needs root for. Bytecode, which Python would keep there too, is not written.
    """
    code = f"import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))"
    return [
        "env",
        "PYTHONDONTWRITEBYTECODE=1",
        sys.executable,
        "-c",
        f"{code}; from svevae.cli import main; sys.exit(main(['generate', '--workers', '1']))",
    ]


@pytest.mark.slow
def test_output_that_does_not_fit(copied: Path, run: Run, quick: dict[str, str]) -> None:
    """The message has its name, the older file its bytes, the folder nothing else; with space again
    the labels are all there.
    """
    before, finished = (copied / OUTPUT).read_bytes(), journal(copied)
    said = run(*limited(8000), cwd=copied, code=2, **quick).stderr
    assert re.search(
        r"svevae generate: data/tiny\.h5: not written: .*File too large", said, re.DOTALL
    )
    assert "Traceback" not in said
    assert (copied / OUTPUT).read_bytes() == before
    assert [path.name for path in (copied / "data").iterdir()] == [OUTPUT.name]
    assert journal(copied) == finished


@pytest.mark.slow
@pytest.mark.parametrize(("size", "name"), [(100, r"parts/\w+\.npy"), (1000, r"\w+/\w+\.npz")])
def test_journal_that_does_not_fit(
    tmp_path: Path, run: Run, quick: dict[str, str], size: int, name: str
) -> None:
    """A part of 8 x 16 x 16 voxels takes 384 bytes, two labels take 2,408; the message has the
    file's name, nothing half-written stays.
    """
    write_params(tmp_path)
    said = run(*limited(size), cwd=tmp_path, code=2, **quick).stderr
    assert re.search(
        rf"svevae generate: \.checkpoints/generate/{name}: not written: File too large", said
    )
    assert "Traceback" not in said
    assert not list((tmp_path / JOURNAL).rglob("*.part"))


@pytest.mark.slow
def test_full_file_system(copied: Path, run: Run, quick: dict[str, str]) -> None:
    """A real one of 8 KiB under data/, where the machine lets us mount one."""
    mounted = run(
        "mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", copied / "data", cwd=copied, code=None
    )
    if mounted.returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        said = run("svevae", "generate", "--workers", "1", cwd=copied, code=2, **quick).stderr
        assert not list((copied / "data").iterdir())
    finally:
        run("umount", copied / "data", cwd=copied)
    assert re.search(
        r"svevae generate: data/tiny\.h5: not written: .*No space left on device", said, re.DOTALL
    )
    assert (copied / OUTPUT).is_file()


@pytest.mark.slow
def test_folder_that_may_not_be_written(tmp_path: Path, run: Run) -> None:
    """Said at once, not after the labels: here a file stands where the folder should be."""
    write_params(tmp_path)
    (tmp_path / "data").write_text("", encoding="utf-8")
    assert (
        run("svevae", "generate", cwd=tmp_path, code=2).stderr
        == "svevae generate: data: File exists\n"
    )
    assert not (tmp_path / ".checkpoints").exists()


# Parts and SVEs, without the solver


STUBBORN = "SVE 3 (part 0, position (1, 0, 1)"  # does not converge here, where there is one


class Here:
    """Stands for a cluster: works in this process."""

    workers = 1

    def map(self, function: Callable, arguments: Any, *_: Any) -> Iterator[tuple[int, Any]]:
        yield from ((index, function(*argument)) for index, argument in enumerate(arguments))


@contextmanager
def here(*_: Any) -> Iterator[Here]:
    yield Here()


@pytest.fixture
def unlabelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, np.ndarray]]:
    """What `generate` writes with labels that are the number of pores, worked out in this
    process.
    """

    def count_pores(
        voxels: np.ndarray, called: list[str], settings: Any, laws: np.ndarray | None = None
    ) -> tuple[dict[str, np.ndarray], list[SvevaeError]]:
        pores = voxels.sum(axis=(1, 2, 3), dtype=np.float32)
        bad = [name.startswith(STUBBORN) for name in called]
        pores[bad] = np.nan
        names, _ = property_names(settings.tension.axes)
        columns = {"properties": np.repeat(pores[:, None], len(names), 1), "residual": 0 * pores}
        return (
            columns
            | {
                "stiffness": np.zeros((len(voxels), 6, 6)),
                "load_path": np.ones((len(voxels), 3), np.uint8),
            },
            [
                SolverError(f"{name}: residual 1")
                for name, one in zip(called, bad, strict=True)
                if one
            ],
        )

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(generating, "open_cluster", here)
    monkeypatch.setattr(labelling, "label_batch", count_pores)

    def make(**changes: Any) -> dict[str, np.ndarray]:
        write_params(tmp_path, **changes)
        generate(load_params().generate)
        return contents(tmp_path)

    return make


def test_sves_that_do_not_converge_are_left_out(
    unlabelled: Callable[..., dict[str, np.ndarray]], tmp_path: Path
) -> None:
    """Of 8 SVEs the one at (1, 0, 1) of part 0: the other 7 are in the file, which says why."""
    arrays = unlabelled(part=[2, 1, 2], parts=2)
    assert find_problems(tmp_path / OUTPUT) == []
    assert arrays["position"].tolist() == [[0, 0, 0], [0, 0, 1], [1, 0, 0]] + [
        [x, 0, z] for x in (0, 1) for z in (0, 1)
    ]
    assert arrays["part_id"].tolist() == [0] * 3 + [1] * 4
    np.testing.assert_array_equal(arrays["properties"][:, 0], arrays["voxels"].sum(axis=(1, 2, 3)))
    assert open_dataset(tmp_path / OUTPUT).attributes["unlabelled"] == (
        "1 SVE could not be labelled and is left out:\n"
        "  SVE 3 (part 0, position (1, 0, 1)): residual 1"
    )


def test_sves_that_overlap_share_voxels(unlabelled: Callable[..., dict[str, np.ndarray]]) -> None:
    """With a stride of 4 and SVEs of 8, the second half of one is the first half of the next along
    x, y and z.
    """
    arrays = unlabelled(part=[3, 2, 2], stride=4, parts=1)
    voxels = {
        tuple(p): sve for p, sve in zip(arrays["position"].tolist(), arrays["voxels"], strict=True)
    }
    assert len(voxels) == 12
    np.testing.assert_array_equal(voxels[0, 0, 0][4:], voxels[1, 0, 0][:4])
    np.testing.assert_array_equal(voxels[1, 0, 0][4:], voxels[2, 0, 0][:4])
    np.testing.assert_array_equal(voxels[0, 0, 0][:, 4:], voxels[0, 1, 0][:, :4])
    np.testing.assert_array_equal(voxels[0, 0, 0][:, :, 4:], voxels[0, 0, 1][:, :, :4])


@pytest.mark.parametrize("generator", GENERATORS)
def test_every_generator_by_its_name(
    unlabelled: Callable[..., dict[str, np.ndarray]], generator: str
) -> None:
    """Their parameters as a number; each part has its porosity to the voxel, and /parts says so."""
    values = {
        "porosity": 0.05,
        "diameter": 3,
        "diameter_spread": 0.0,
        "elongation": 1.2,
        "tilt": 30,
    }
    values |= {"pore_length": 2, "modulation_length": 8, "modulation_strength": 0.5}
    values |= {"wavelength": 4, "stretch": 1.5, "cluster_pores": 2, "cluster_length": 3}
    values |= {"flatness": 0.5, "layer": 4, "layer_spread": 0.5, "roughness": 0.2}
    values |= {"chain_pores": 3, "chain_spacing": 1, "wander": 0.2}
    values |= {"irregular": 0.5, "flat": 0.5, "chained": 0.5}
    arrays = unlabelled(
        generator=generator, parameters={name: values[name] for name in parameter_names(generator)}
    )
    assert arrays["parts"][:, -1].tolist() == [round(0.05 * 2048) / 2048] * 2
    assert arrays["properties"][:, 0].sum() == arrays["voxels"].sum() == 2 * round(0.05 * 2048)


def test_labels_of_one_setting_are_not_those_of_another(
    unlabelled: Callable[..., dict[str, np.ndarray]],
) -> None:
    """Another tolerance labels all again beside the old ones; another seed makes other parts, and
    coming back costs nothing.
    """
    first = unlabelled()
    pieces = len(journal(Path()))
    unlabelled(tolerance=1e-4)
    assert len(journal(Path())) == 2 * pieces
    other = unlabelled(seed=1)
    assert not np.array_equal(first["voxels"], other["voxels"])
    before = journal(Path())
    again = unlabelled()
    assert journal(Path()) == before
    assert all(again[name].tobytes() == first[name].tobytes() for name in first)


# Families and laws, with the solver

GAS = {
    "porosity": 0.05,
    "diameter": 3.0,
    "diameter_spread": 0.0,
    "cluster_pores": 2.0,
    "cluster_length": 3.0,
    "modulation_length": 8,
    "modulation_strength": 0.5,
}
TWO = {
    "correlated": {"generator": "gaussian", "parameters": GAUSSIAN, "parts": 2},
    "gas": {"generator": "gas", "parameters": GAS, "parts": 2},
}
REACHES = [0.001, 0.004, 0.01, 0.02]  # every printed alloy's yield


def test_families_and_laws_in_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two families of two parts, of as-built-z and of a printed alloy in turn: the file says of
    each SVE which it is of and at which strains its curve was taken, and is a journal by itself.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(generating, "open_cluster", here)
    write_params(
        tmp_path,
        families=TWO,
        material=["as-built-z", "printed"],
        part=[2, 1, 1],
        tension=["z"],
        strain=REACHES,
    )
    section = load_params().generate
    said = generate(section)
    assert said.startswith("data/tiny.h5: 8 SVEs of 4 parts, ")
    assert find_problems(OUTPUT) == []
    arrays, plan = contents(tmp_path), plan_parts(section)
    assert arrays["part_id"].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert arrays["family"].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    laws = np.array([list(asdict(part.material).values()) for part in plan])
    np.testing.assert_array_equal(arrays["law"], laws[arrays["part_id"]])
    np.testing.assert_array_equal(laws[[0, 2]], [list(VOCE.values())] * 2)
    assert len(np.unique(laws, axis=0)) == 3
    scale = (laws[:, 2] / laws[:, 0]) / (216 / 70_000)
    np.testing.assert_allclose(
        arrays["tension/strain"], np.outer(scale, REACHES)[arrays["part_id"]], rtol=1e-12
    )
    names = open_dataset(OUTPUT).names
    E, yields = (arrays["properties"][:, names.index(name)] for name in ("E_z", "yield_z"))
    _, _, s0, Q, b = arrays["law"].T
    solid = (1 - arrays["porosity"]) * (s0 + Q * (1 - np.exp(-0.002 * b)))
    assert ((E > 0) & (arrays["law"][:, 0] * (1 - arrays["porosity"]) * 1.001 >= E)).all()
    assert ((yields > 0) & (yields <= solid * 1.001)).all()
    with h5py.File(OUTPUT) as file:
        assert list(file["family"].attrs["names"]) == ["correlated", "gas"]
        assert list(file["law"].attrs["names"]) == ["E", "nu", "s0", "Q", "b"]
        assert list(file["law"].attrs["units"]) == ["MPa", "-", "MPa", "MPa", "-"]
        columns = list(file["parts"].attrs["columns"])
        assert json.loads(file.attrs["generate"])["families"] == TWO
    assert columns == ["part_id", *dict.fromkeys([*GAUSSIAN, *GAS]), "porosity_realised"]
    table = arrays["parts"]
    assert np.isnan(table[:2, columns.index("diameter")]).all()
    assert np.isnan(table[2:, columns.index("pore_length")]).all()
    assert table[2:, columns.index("diameter")].tolist() == [3.0, 3.0]
    assert np.isfinite(table[:, [0, 1, -1]]).all()

    def solve(*_: Any) -> None:
        raise AssertionError("was labelled before")

    monkeypatch.setattr(labelling, "label_batch", solve)
    generate(section)
    shutil.rmtree(".checkpoints")
    generate(section)
    again = contents(tmp_path)
    assert all(again[name].tobytes() == arrays[name].tobytes() for name in arrays)


# What each part draws


def settings(**parameters: Any) -> Generate:
    shipped = load_params(ROOT / "params.yaml").generate
    return one_family(shipped, parameters=GAUSSIAN | parameters)


def test_draws_depend_on_seed_and_part_alone() -> None:
    """Not on the number of parts, nor on what else is drawn: fixing the porosity leaves the pore
    length as it was.
    """
    first = part_parameters(settings(), 3)
    assert first == part_parameters(one_family(settings(), parts=1000), 3)
    assert first == part_parameters(settings(), 3)
    assert first != part_parameters(settings(), 4)
    assert first != part_parameters(replace(settings(), seed=1), 3)
    assert part_parameters(settings(porosity=0.1), 3) == first | {"porosity": 0.1}
    assert list(first) == list(parameter_names("gaussian"))


def test_draws_are_even_or_even_in_the_logarithm() -> None:
    """Of 2,000 parts: within the range, each quarter of it (of its logarithm) has 500, to 4
    standard deviations of 19.4.
    """
    shipped = settings()
    drawn = [part.parameters for part in plan_parts(one_family(shipped, parts=2000))]
    length = np.array([parameters["pore_length"] for parameters in drawn])
    porosity = np.log(np.array([parameters["porosity"] for parameters in drawn]) / 0.005) / np.log(
        0.08 / 0.005
    )
    for share in (length - 2, porosity):
        assert 0 <= share.min() < share.max() <= 1
        counts = np.histogram(share, 4, (0, 1))[0]
        assert np.abs(counts - 500).max() < 4 * 19.4


def test_unknown_and_missing_parameters() -> None:
    """Named as they are in a section `generate`; `generate` itself says of which file."""
    with pytest.raises(
        ConfigError,
        match=r"^families\.correlated\.parameters\.colour: unknown; gaussian has porosity, ",
    ):
        part_parameters(settings(colour=1), 0)
    lacking = {name: value for name, value in GAUSSIAN.items() if name != "elongation"}
    with pytest.raises(
        ConfigError,
        match=r"^families\.correlated\.parameters\.elongation: missing; gaussian has porosity, ",
    ):
        part_parameters(one_family(settings(), parameters=lacking), 0)


def families(**changes: Any) -> Generate:
    shipped = replace(load_params(ROOT / "params.yaml").generate, strain=tuple(REACHES))
    return replace(shipped, **{"families": TWO, "material": "as-built-z"} | changes)


def test_a_part_depends_on_its_family_and_number_alone() -> None:
    """Neither on another family, before or behind it, nor on more parts; its own family's name and
    the seed make other parts of it.
    """
    plan = plan_parts(families())
    assert [(part.family, part.generator, part.number) for part in plan] == [
        ("correlated", "gaussian", 0),
        ("correlated", "gaussian", 1),
        ("gas", "gas", 0),
        ("gas", "gas", 1),
    ]
    more = {"foam": TWO["gas"] | {"parts": 1}, "gas": TWO["gas"] | {"parts": 3}}
    longer = plan_parts(families(families=more | {"correlated": TWO["correlated"]}))
    assert [part for part in longer if part in plan] == [*plan[2:], *plan[:2]]
    assert len(longer) == 6
    assert len({part.seed for part in longer}) == 3
    seeds = {part.seed for part in plan_parts(families(seed=1))}
    assert not seeds & {part.seed for part in plan}
    first = plan_parts(families(families={"other": TWO["correlated"]}))[0]
    assert first.parameters != plan[0].parameters


def test_parts_of_a_family_take_the_materials_in_turn() -> None:
    """Of three materials five parts of each family take 0, 1, 2, 0, 1; a range draws each part its
    own, within it.
    """
    soft = VOCE | {"E": [60_000, 80_000], "s0": [200, 300]}
    five = {name: family | {"parts": 5} for name, family in TWO.items()}
    plan = plan_parts(families(families=five, material=["as-built-z", "aged-z", soft]))
    drawn = []
    for k, part in enumerate(plan):
        if (turn := k % 5 % 3) == 2:
            drawn.append((part.material.E, part.material.s0))
            assert (part.material.nu, part.material.Q, part.material.b) == (0.33, 312, 40)
        else:
            assert part.material == PRESETS[("as-built-z", "aged-z")[turn]]
    assert len(set(drawn)) == 2
    assert all(60_000 <= E <= 80_000 and 200 <= s0 <= 300 for E, s0 in drawn)
    assert plan == plan_parts(families(families=five, material=["as-built-z", "aged-z", soft]))


def test_a_law_does_not_move_what_a_part_draws() -> None:
    """The pores are those of the same part of any other material."""
    printed = plan_parts(families(material=["as-built-z", "printed"]))
    assert [part.parameters for part in printed] == [
        part.parameters for part in plan_parts(families())
    ]
    assert [part.material == PRESETS["as-built-z"] for part in printed] == [True, False] * 2
