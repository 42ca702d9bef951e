"""A project small enough that each long command takes seconds: SVEs of 8^3 voxels that svevae's
solver labelled, and a model of them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import yaml
from tests.conftest import TINY_MULTISCALE, TINY_SEARCH, TINY_TRAIN, change_yaml, copy_project

ROOT = Path(__file__).parents[2]
WORK = ROOT / ".checkpoints" / "faults"  # what an interrupted run goes on from
N = 8  # voxels along the edge of an SVE
PORES = {
    "porosity": [0.01, 0.1],
    "pore_length": [2.0, 3.0],
    "elongation": 1.0,
    "modulation_length": 8,
    "modulation_strength": 0.5,
}
GENERATE = {
    "output": "data/tiny.h5",
    "families": {"correlated": {"generator": "gaussian", "parameters": PORES, "parts": 12}},
    "material": "as-built-z",
    "part": [2, 2, 2],
    "sve": N,
    "stride": N,
    "batch": 1,
    "strain": [0.001, 0.003, 0.006, 0.01, 0.024],
}
TRAIN = TINY_TRAIN | {"from_search": False, "depth": 1, "epochs": 3, "patience": 3, "blocks": 0}
SEARCH = TINY_SEARCH | {"trials": 2, "workers": 1}
EVALUATE = {"samples": 8, "solved": 0, "pictures": 3, "others": []}
LEFT_OUT = (
    ".dvc-store/",
    "artifacts/",
    "data.dvc",
    "champion.dvc",
    "dvc.lock",
    "multiscale/dvc.lock",
)


def environment() -> dict[str, str]:
    """Of a user who has activated an environment with this checkout and named no server. JAX keeps
    what it compiled, for the sake of time; TensorFlow has one thread, so that sums have one order
    and two runs the same result.
    """
    clean = {
        key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "DVC_"))
    }
    return clean | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
        "KERAS_BACKEND": "tensorflow",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TF_NUM_INTRAOP_THREADS": "1",
        "TF_NUM_INTEROP_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "JAX_COMPILATION_CACHE_DIR": str(WORK / "jax"),
        "JAX_PERSISTENT_COMPILATION_CACHE_MIN_COMPILE_TIME_SECS": "0.2",
    }


def run(*command: str | Path, cwd: Path) -> str:
    """What a command printed. Raises RuntimeError with its last words where it fails."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{command} ended with {done.returncode}:\n{done.stdout[-3000:]}")
    return done.stdout


def once(name: str, make: Callable[[Path], None]) -> Path:
    """The folder `name` below WORK, made by `make` if it is not there whole."""
    folder = WORK / name
    done = folder.with_name(f"{name}.done")
    if not done.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        make(folder)
        done.touch()
    return folder


def template() -> Path:
    """A project whose pipeline has not run. Those who change it work on a copy."""
    return once("template", _make_template)


def finished() -> Path:
    """A project whose pipeline has run."""

    def make(folder: Path) -> None:
        folder.rmdir()
        copy_project(template(), folder)
        run("dvc", "repro", "--pull", cwd=folder)

    return once("finished", make)


def copied(source: Path, folder: Path) -> None:
    """Put a copy of a project in place of `folder`."""
    shutil.rmtree(folder, ignore_errors=True)
    copy_project(source, folder)


def _make_template(folder: Path) -> None:
    listed = run("git", "ls-files", "-co", "--exclude-standard", cwd=ROOT).splitlines()
    for name in listed:
        if not name.startswith(LEFT_OUT) and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    change_yaml(
        folder / "params.yaml",
        generate=GENERATE,
        prepare={"dataset": GENERATE["output"]},
        search=SEARCH,
        train=TRAIN,
        evaluate=EVALUATE,
    )
    sections = TINY_MULTISCALE | {
        "parts": {"refine": 2, "strain": TINY_MULTISCALE["parts"]["strain"]},
        "compare": {"parts": 6, "part": [1, 1, 2], "parameters": PORES},
    }
    sections["parts"] |= {"dataset": GENERATE["output"], "model": "artifacts/model"}
    change_yaml(folder / "multiscale" / "params.yaml", **sections)
    run("svevae", "generate", "--workers", "2", cwd=folder)
    shutil.rmtree(folder / ".checkpoints")
    run("git", "init", "-q", "-b", "main", cwd=folder)
    run("git", "config", "user.name", "Test", cwd=folder)
    run("git", "config", "user.email", "test@example.org", cwd=folder)
    run("dvc", "add", "-q", "data", cwd=folder)
    run("dvc", "push", "-q", cwd=folder)
    run("git", "add", "-A", cwd=folder)
    run("git", "commit", "-qm", "tiny", cwd=folder)


def settings(folder: Path, section: str) -> dict:
    """A section of params.yaml."""
    return yaml.safe_load((folder / "params.yaml").read_text(encoding="utf-8"))[section]
