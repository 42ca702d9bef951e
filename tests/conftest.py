"""Tiny real datasets, and a project folder that runs the whole pipeline on one of them in a minute.

What takes long is made once a session, and once for all processes of pytest-xdist: see `once`.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"

import h5py
import numpy as np
import pytest
import requests
import yaml
from filelock import FileLock
from hatch_build import kept

from svevae.config import Params, load_params
from svevae.dataset.split import split_by_part
from svevae.dataset.store import LabelledDataset, SVEDataset, open_dataset, write_dataset
from svevae.places import MODEL_FILES

# in the background of a script it is ignored, which commands under test inherit
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "data" / "reference_32.h5"  # labels along x and z, by another code
METALS = ROOT / "data" / "porous_metals_32.h5"  # many kinds of pores, many metals
OWN = ROOT / "data" / "sve_porous_alsi10mg_32.h5"  # labels along x, y and z, by svevae's solver
TINY_TRAIN = {
    "latent_dim": 4,
    "width": 8,
    "depth": 2,
    "blocks": 0,
    "dense_width": 32,
    "predictor_width": 16,
    "property_epochs": 2,
    "epochs": 4,
    "batch_size": 16,
    "kl_warmup": 2,
}
FLIPS = ["flip_x", "flip_y", "flip_z"]  # the augmentation that needs no labels along y
TINY_SEARCH = {
    "trials": 2,
    "epochs": 1,
    "fraction": 1.0,
    "finalists": 1,
    "seeds": 1,
    "space": {
        "kl_weight": {"low": 0.5, "high": 2.0, "log": True},
        "property_weight": {"low": 500.0, "high": 20000.0, "log": True},
    },
}
TINY_PORES = {
    "porosity": [0.01, 0.05],
    "pore_length": 5.0,
    "elongation": 1.5,
    "modulation_length": 24,
    "modulation_strength": 0.5,
}
TINY_MULTISCALE = {
    "parts": {"refine": 2, "strain": [0.001, 0.004, 0.009, 0.023], "dataset": "data/tiny.h5"},
    "compare": {"parts": 2, "part": [1, 1, 2], "parameters": TINY_PORES},
    "propagate": {
        "part": [1, 1, 2],
        "block": [2, 2, 2],
        "coupons": 16,
        "fields": 12,
        "direct": 2,
        "parameters": TINY_PORES,
    },
    "grade": {
        "part": [2, 1, 2],
        "radius": 0.5,
        "trials": 4,
        "fields": 1,
        "direct": 1,
        "strain": [0.001, 0.004, 0.009],
    },
}
PARTS, SVES_PER_PART = 8, 12
PATIENCE = 1800  # seconds: only what hangs takes as long, on however busy a machine
PAGE_PATIENCE = 600  # seconds, for one answer of a page in a browser

Run = Callable[..., subprocess.CompletedProcess]


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """The folder `name` of this session, filled by `make` when it is asked for first; the other
    processes of pytest-xdist wait for it and share it.
    """
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    done = folder.with_name(f"{name}.done")
    with FileLock(folder.with_name(f"{name}.lock")):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of a try that failed
            folder.mkdir()
            make(folder)
            done.touch()
    return folder


def cut_dataset(source: Path, path: Path, step: int | None = None) -> None:
    """Write PARTS parts of SVES_PER_PART SVEs of a dataset, with all their labels."""
    with h5py.File(source, "r") as file:
        part_id = file["part_id"][:]
        parts = np.unique(part_id)
        parts = parts[:: step or len(parts) // PARTS][:PARTS]
        index = np.sort(
            np.concatenate([np.flatnonzero(part_id == part)[:SVES_PER_PART] for part in parts])
        )
        keys = [key for key in file if key not in ("parts", "tension", "family")]
        keys += [f"tension/{name}" for name in file["tension"]]
        arrays = {key: file[key][:] for key in keys}
        arrays = {
            key: array if len(array) != len(part_id) else array[index]
            for key, array in arrays.items()
        }
        names, units = (tuple(file["properties"].attrs[key]) for key in ("names", "units"))
        write_dataset(path, arrays, names, units, dict(file.attrs))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of a finished pipeline last, the slow ones before the quick: while one process
    makes it, others have work, and all end at about the same time.
    """

    def late(item: pytest.Item) -> tuple[bool, bool]:
        finished = "finished" in getattr(item, "fixturenames", ())
        return finished, finished and item.get_closest_marker("slow") is None

    items.sort(key=late)


@pytest.fixture(scope="session")
def tiny_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """8 parts of 12 SVEs of 32^3 voxels with the labels of another code, none along y."""
    path = tmp_path_factory.mktemp("tiny") / "tiny.h5"
    cut_dataset(REFERENCE, path)
    return path


@pytest.fixture(scope="session")
def tiny(tiny_file: Path) -> SVEDataset:
    return open_dataset(tiny_file)


@pytest.fixture(scope="session")
def metals(tmp_path_factory: pytest.TempPathFactory) -> LabelledDataset:
    """8 parts of 12 SVEs of all kinds of pores, in 5 metals, with curves along x, y and z."""
    path = tmp_path_factory.mktemp("metals") / "metals.h5"
    cut_dataset(METALS, path, step=55)  # every other part is of the usual metal
    return open_dataset(path)


@pytest.fixture(scope="session")
def metal_model(
    metals: LabelledDataset, params: Params, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The folder of a model of `metals` that has learnt the properties a little, and no pores."""
    from svevae.model.calibrate import calibrate, contract_of_training
    from svevae.model.fit import learn_properties, set_up
    from svevae.model.latent import LatentModel, save_folder

    split, config = split_by_part(metals, 0.25, 0.25, seed=0), replace(params.train, latent_dim=16)
    trainer, train, validation = set_up(config, 0, split, metals)
    learn_properties(trainer, train, validation, 0)
    contract = contract_of_training(config, 0, split, metals, {})
    # as if of more metals: what a model knows of them matters less here than how it is asked
    contract = replace(contract, law_range=((0.27, 0.35), (-4.0, 1.0), (-4.0, 0.0)))
    model = LatentModel(trainer.vae, contract)
    posterior, grain = calibrate(model, train.voxels, validation, config, 0)
    folder = tmp_path_factory.mktemp("metal") / "model"
    save_folder(folder, trainer.vae, replace(contract, grain=grain), posterior)
    return folder


@pytest.fixture(scope="session")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder champion/model that champion.dvc keeps, in a folder of the tests' own."""
    folder = tmp_path_factory.mktemp("clone") / "champion" / "model"
    folder.mkdir(parents=True)
    files = kept(ROOT)
    for name in MODEL_FILES:
        shutil.copy(files[f"model/{name}"], folder / name)
    return folder


@pytest.fixture(scope="session")
def shipped() -> Params:
    """params.yaml as it is."""
    return load_params(ROOT / "params.yaml")


@pytest.fixture(scope="session")
def params(shipped: Params) -> Params:
    """params.yaml with a model small enough for tests, and for the labels of `tiny`."""
    train = replace(shipped.train, **TINY_TRAIN, augmentation=tuple(FLIPS))
    return replace(shipped, train=train)


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """The environment of a user who has activated .venv and named no server."""
    clean = {
        key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "DVC_"))
    }
    return clean | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }


@pytest.fixture(scope="session")
def run(environment: dict[str, str]) -> Run:
    """Run a command as a user would; stdout and stderr as text. Fails the test when the exit code
    is not `code`.
    """

    def run_command(
        *command: str | Path, cwd: Path, code: int | None = 0, **variables: str
    ) -> subprocess.CompletedProcess:
        done = subprocess.run(
            [str(word) for word in command],
            cwd=cwd,
            env=environment | variables,
            capture_output=True,
            encoding="utf-8",
            timeout=PATIENCE,
            check=False,
        )
        assert code is None or done.returncode == code, (
            f"{command} exited with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        )
        return done

    return run_command


def unused_port() -> int:
    """A port that nobody listens on and that no outgoing connection is given while a server starts
    on it: systems take theirs from 32768 up. Another worker of pytest may ask at the same moment,
    hence by chance.
    """
    for port in secrets.SystemRandom().sample(range(20_000, 32_000), 100):
        with socket.socket() as found, suppress(OSError):
            found.bind(("127.0.0.1", port))
            return port
    raise AssertionError("100 ports of this machine are taken")


def wait_for(condition: Callable[[], object], what: str, patience: float = PATIENCE) -> None:
    """Until it is so; fails where it is not in time."""
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, f"waited {patience} s for {what}"
        time.sleep(0.05)


def wait_for_port(port: int) -> None:
    """Until somebody listens there."""

    def listens() -> bool:
        try:
            socket.create_connection(("127.0.0.1", port), 10).close()
        except OSError:
            return False
        return True

    wait_for(listens, f"somebody to listen on port {port}")


@contextmanager
def serving(
    command: list[str], health: str, cwd: Path, environment: dict[str, str]
) -> Iterator[str]:
    """The address of a server started on a free port of this machine, once `health` answers; it
    ends with the context. A port may be taken before the server binds it: one that ends before it
    answers is started on another, three times at most.
    """
    for last in (False, False, True):
        with tempfile.TemporaryFile() as said:
            address = f"http://127.0.0.1:{(port := unused_port())}"
            server = subprocess.Popen(
                [*command, "--port", str(port)],
                cwd=cwd,
                env=environment,
                start_new_session=True,
                stdout=said,
                stderr=said,
            )

            def answers(server: subprocess.Popen = server, asked: str = address + health) -> bool:
                if server.poll() is not None:
                    return True
                with suppress(requests.RequestException):
                    return requests.get(asked, timeout=10).ok
                return False

            try:
                wait_for(answers, f"{command} to answer on {address}{health}")
                if server.poll() is None:
                    yield address
                    return
            finally:
                with suppress(ProcessLookupError):  # it ended by itself
                    os.killpg(server.pid, signal.SIGKILL)
                server.wait()
            said.seek(0)
            words = f"{command} ended with {server.returncode}:\n{said.read().decode()}"
            assert not last, words
            print(words)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    """Headless Chromium, driven by selenium; what it logs of errors is kept."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("needs chromium and chromedriver on PATH (Debian: chromium, chromium-driver)")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (
        "--headless",
        "--no-sandbox",
        "--use-angle=swiftshader",  # WebGL without a GPU
        "--enable-unsafe-swiftshader",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
        "--window-size=1600,1200",
        f"--user-data-dir={tmp_path_factory.mktemp('chromium')}",
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    page = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    page.set_page_load_timeout(PAGE_PATIENCE)
    yield page
    page.quit()


def see(browser, *words: str, picture: str) -> str:
    """Wait until all words stand on the page, take a screenshot, give the text."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    def text() -> str:
        return browser.find_element(By.TAG_NAME, "body").text

    try:
        WebDriverWait(browser, PAGE_PATIENCE).until(lambda _: all(word in text() for word in words))
    finally:
        if folder := os.environ.get("SCREENSHOTS"):
            browser.save_screenshot(str(Path(folder) / f"{picture}.png"))
    return text()


def change_yaml(path: Path, **sections: dict) -> None:
    """Set keys of sections of a file of parameters."""
    settings = yaml.safe_load(path.read_text())
    for section, values in sections.items():
        settings[section] |= values
    path.write_text(yaml.safe_dump(settings, sort_keys=False))


def make_project(folder: Path, run: Run) -> None:
    """The working tree's files in a repository of their own, with a tiny dataset added to DVC: 8
    parts of 12 SVEs of the default one, and parameters with which each stage takes seconds.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    for name in listed.stdout.split("\n"):
        if (
            name
            and not name.startswith(
                (".dvc-store/", "artifacts/", "data.dvc", "champion.dvc", "dvc.lock")
            )
            and (ROOT / name).is_file()
        ):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    (folder / "data").mkdir()
    cut_dataset(OWN, folder / "data" / "tiny.h5")
    change_yaml(
        folder / "params.yaml",
        prepare={"dataset": "data/tiny.h5"},
        search=TINY_SEARCH,
        train=TINY_TRAIN,
        evaluate={"samples": 8, "solved": 0, "pictures": 3, "others": []},
    )
    change_yaml(folder / "multiscale" / "params.yaml", **TINY_MULTISCALE)
    run("git", "init", "-q", "-b", "main", cwd=folder)
    run("git", "config", "user.name", "Test", cwd=folder)
    run("git", "config", "user.email", "test@example.org", cwd=folder)
    run("dvc", "add", "-q", "data", cwd=folder)
    run("dvc", "push", "-q", cwd=folder)
    run("git", "add", "-A", cwd=folder)
    run("git", "commit", "-qm", "tiny", cwd=folder)


def copy_project(source: Path, folder: Path) -> Path:
    """A copy of a project that a test may change. The locks of a command of DVC that is running
    in the source at the moment are left behind.
    """

    def left_out(where: str, names: list[str]) -> list[str]:
        inside = Path(where).relative_to(source)
        return names if inside == Path(".dvc", "tmp") else []

    return shutil.copytree(source, folder, symlinks=True, ignore=left_out)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory, run: Run) -> Path:
    """A project whose pipeline has not run; tests copy it."""
    return once(tmp_path_factory, "template", lambda folder: make_project(folder, run))


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, template: Path, run: Run) -> Path:
    """A project whose pipeline has run once, by `dvc repro`. Tests read it; what changes it works
    on a copy.
    """

    def make(folder: Path) -> None:
        folder.rmdir()
        copy_project(template, folder)
        run("dvc", "repro", "--pull", cwd=folder)

    return once(tmp_path_factory, "finished", make)


@pytest.fixture(scope="session")
def wider(tmp_path_factory: pytest.TempPathFactory, finished: Path, run: Run) -> Path:
    """`finished`, its results committed, after an experiment of DVC named "wider": a latent
    dimension of 6, and a weight of the KL term that is not what the search found. The file `said`
    beside it has what the command printed. Tests read it.
    """

    def make(folder: Path) -> None:
        folder.rmdir()
        copy_project(finished, folder)
        run("git", "add", "-A", cwd=folder)
        run("git", "commit", "-qm", "results", cwd=folder)
        changes = ("-S", "train.latent_dim=6", "-S", "train.kl_weight=0.125")
        said = run("dvc", "exp", "run", "-n", "wider", *changes, cwd=folder).stdout
        folder.with_name("said").write_text(said)

    return once(tmp_path_factory, "wider", make)


@pytest.fixture
def project(tmp_path: Path, template: Path) -> Iterator[Path]:
    """A project of the test's own whose pipeline has not run."""
    folder = copy_project(template, tmp_path / "project")
    yield folder
    shutil.rmtree(folder)
