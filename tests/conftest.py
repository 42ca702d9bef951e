"""A tiny real dataset, cut from the reference one, and a project folder that runs the whole
pipeline on it in a minute.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
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
from hatch_build import kept

from svevae.config import Params, load_params
from svevae.dataset.store import SVEDataset, open_dataset, write_dataset
from svevae.places import MODEL_FILES

signal.signal(
    signal.SIGINT, signal.default_int_handler
)  # in the background of a script it is ignored, which commands under test inherit

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "data" / "reference_32.h5"
TINY_TRAIN = {
    "latent_dim": 4,
    "width": 8,
    "depth": 2,
    "dense_width": 32,
    "predictor_width": 16,
    "epochs": 4,
    "batch_size": 16,
    "kl_warmup": 2,
    "augmentation": ["flip_x", "flip_y", "flip_z"],  # the reference has no labels along y
}
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
PARTS, SVES_PER_PART = 8, 12
BROWSER_WAIT = 120  # seconds: pages load megabytes of script on two busy cores

Run = Callable[..., subprocess.CompletedProcess]


@pytest.fixture(scope="session")
def tiny_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """8 parts of 12 SVEs of 32^3 voxels with their real labels."""
    path = tmp_path_factory.mktemp("tiny") / "tiny.h5"
    with h5py.File(REFERENCE, "r") as file:
        part_id = file["part_id"][:]
        parts = np.unique(part_id)[:: len(np.unique(part_id)) // PARTS][:PARTS]
        index = np.sort(
            np.concatenate([np.flatnonzero(part_id == part)[:SVES_PER_PART] for part in parts])
        )
        keys = (
            "voxels",
            "properties",
            "part_id",
            "porosity",
            "position",
            "stiffness",
            "tension/stress_x",
            "tension/stress_z",
        )
        arrays = {key: file[key][:][index] for key in keys} | {
            "tension/strain": file["tension/strain"][:]
        }
        names, units = (tuple(file["properties"].attrs[key]) for key in ("names", "units"))
        write_dataset(path, arrays, names, units, dict(file.attrs))
    return path


@pytest.fixture(scope="session")
def tiny(tiny_file: Path) -> SVEDataset:
    return open_dataset(tiny_file)


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
    """params.yaml with a model small enough for tests."""
    small = {
        key: tuple(value) if isinstance(value, list) else value for key, value in TINY_TRAIN.items()
    }
    return replace(shipped, train=replace(shipped.train, **small))


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
        *command: str | Path, cwd: Path, code: int | None = 0, timeout: int = 300, **variables: str
    ) -> subprocess.CompletedProcess:
        done = subprocess.run(
            [str(word) for word in command],
            cwd=cwd,
            env=environment | variables,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert code is None or done.returncode == code, (
            f"{command} exited with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        )
        return done

    return run_command


def unused_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def wait_for_port(port: int, patience: float = 60) -> None:
    """Until somebody listens there."""
    end = time.monotonic() + patience
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert time.monotonic() < end, f"nobody listens on {port} after {patience} s"
            time.sleep(0.1)


@contextmanager
def serving(
    command: list[str], health: str, cwd: Path, environment: dict[str, str], patience: int = 180
) -> Iterator[str]:
    """The address of a server started on a free port of this machine, once `health` answers; it
    ends with the context.
    """
    port = unused_port()
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen(
        [*command, "--port", str(port)], cwd=cwd, env=environment, start_new_session=True, **silent
    )
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(patience):
            with suppress(requests.RequestException):
                if requests.get(f"{address}{health}", timeout=1).ok:
                    break
            time.sleep(1)
        else:
            pytest.fail(f"{command} did not answer on {address}{health} within {patience} s")
        yield address
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


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
    page.set_page_load_timeout(BROWSER_WAIT)
    yield page
    page.quit()


def see(browser, *words: str, picture: str) -> str:
    """Wait until all words stand on the page, take a screenshot, give the text."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    def text() -> str:
        return browser.find_element(By.TAG_NAME, "body").text

    try:
        WebDriverWait(browser, BROWSER_WAIT).until(lambda _: all(word in text() for word in words))
    finally:
        if folder := os.environ.get("SCREENSHOTS"):
            browser.save_screenshot(str(Path(folder) / f"{picture}.png"))
    return text()


def make_project(folder: Path, tiny_file: Path, run: Run) -> Path:
    """The working tree's files in a repository of their own, with the tiny dataset added to DVC."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
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
    shutil.copy(tiny_file, folder / "data" / "tiny.h5")
    settings = yaml.safe_load((ROOT / "params.yaml").read_text())
    settings["prepare"]["dataset"] = "data/tiny.h5"
    settings["search"] |= TINY_SEARCH
    settings["train"] |= TINY_TRAIN
    settings["evaluate"] = {
        "samples": 8,
        "solved": 0,
        "pictures": 3,
        "regressor_epochs": 1,
        "others": [],
    }
    (folder / "params.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
    run("git", "init", "-q", "-b", "main", cwd=folder)
    run("git", "config", "user.name", "Test", cwd=folder)
    run("git", "config", "user.email", "test@example.org", cwd=folder)
    run("dvc", "add", "-q", "data", cwd=folder)
    run("dvc", "push", "-q", cwd=folder)
    run("git", "add", "-A", cwd=folder)
    run("git", "commit", "-qm", "tiny", cwd=folder)
    return folder


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, tiny_file: Path, run: Run) -> Path:
    """A project whose pipeline has run once, by `dvc repro`. Tests read it; what changes it works
    on a copy.
    """
    folder = make_project(tmp_path_factory.mktemp("finished"), tiny_file, run)
    run("dvc", "repro", "--pull", cwd=folder)
    return folder


@pytest.fixture
def project(tmp_path: Path, tiny_file: Path, run: Run) -> Iterator[Path]:
    """A project of the test's own whose pipeline has not run."""
    folder = tmp_path / "project"
    folder.mkdir()
    yield make_project(folder, tiny_file, run)
    shutil.rmtree(folder)
