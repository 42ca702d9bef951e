"""The package as others install it: what it declares, what its start costs, and the wheel at work
outside the repository.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml

from svevae.dataset.store import open_dataset
from svevae.errors import EXTRAS
from svevae.model.latent import load_folder
from svevae.places import PROJECT_FILES
from tests.conftest import ROOT, TINY_TRAIN, Run
from tests.deps import PACKAGE, run_time

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OPTIONAL = {"torch"}  # a backend of Keras that its users install
# a command, what Optuna draws with, the driver that an address names, what tifffile unpacks with
NOT_IMPORTED = {"optuna-dashboard", "plotly", "psycopg", "imagecodecs"}
LEFT_OUT = {"dash", "dvc", "flask", "mlflow", "optuna", "plotly", "sklearn", "sqlalchemy"}


def declared(requirements: list[str]) -> set[str]:
    """Names of distributions, in lower case, without svevae itself."""
    names = {re.split(r"[\[>=<;]", text)[0].lower() for text in requirements}
    return names - {"svevae"}


def imported(path: Path) -> set[str]:
    """Top-level modules that a file imports at run time, other than Python's own and svevae."""
    found = set()
    for node in run_time(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
        elif isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
    return found - set(sys.stdlib_module_names) - {"svevae"}


@cache
def homes() -> Mapping[str, list[str]]:
    """Distributions by the modules that they have, of all that is installed; takes seconds."""
    return packages_distributions()


def all_declared() -> set[str]:
    extras = PROJECT["optional-dependencies"].values()
    return declared(PROJECT["dependencies"]).union(*map(declared, extras))


def distributions(modules: set[str]) -> set[str]:
    """The distributions that have these modules; of several the declared ones."""
    found = set()
    for module in modules:
        names = {name.lower().replace("_", "-") for name in homes()[module]}
        found |= names & all_declared() or names
    return found


def test_every_import_is_declared_and_used() -> None:
    modules = set().union(*(imported(path) for path in PACKAGE.rglob("*.py"))) - OPTIONAL
    assert distributions(modules) == all_declared() - NOT_IMPORTED


def test_the_command_line_knows_the_extras() -> None:
    """Which extra has a module that is missing."""
    for extra, modules in EXTRAS.items():
        names = declared(PROJECT["optional-dependencies"][extra])
        assert distributions(set(modules)) == names
    # nothing needs pyFFTW: scipy stands in for it
    assert set(EXTRAS) | {"search", "fftw", "all"} == set(PROJECT["optional-dependencies"])


def test_requirements_have_every_dependency() -> None:
    pinned = {
        re.split(r"[\[=]", line)[0].lower()
        for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    }
    assert all_declared() <= pinned


def loaded(*arguments: str) -> set[str]:
    """The modules that a command has imported when it ends."""
    code = (
        "import json, sys\nbefore = set(sys.modules)\nfrom svevae.cli import main\n"
        f"try:\n    main({list(arguments)!r})\nexcept SystemExit:\n    pass\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in set(sys.modules) - before})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True, cwd=ROOT
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_help_imports_nothing_that_takes_time() -> None:
    """0.1 s instead of 5."""
    assert loaded("--help") - set(sys.stdlib_module_names) == {"svevae"}


def test_check_needs_no_network_library(tiny_file: Path) -> None:
    heavy = {"tensorflow", "keras", "jax", "pandas", "scipy", "matplotlib", "mlflow"}
    assert not loaded("check", str(tiny_file)) & heavy


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory, run: Run) -> Path:
    """The wheel, built from this tree."""
    folder = tmp_path_factory.mktemp("wheel")
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", folder)
    run(sys.executable, "-m", "pip", "wheel", *options, ROOT, cwd=folder)
    [path] = folder.glob("svevae-*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory, run: Run) -> dict[str, str]:
    """Variables with which `python` and `svevae` take the wheel's svevae and the libraries of this
    environment; in a folder of its own, since a bare environment means 1.5 GB of downloads.
    """
    folder = tmp_path_factory.mktemp("installed")
    options = ("--quiet", "--no-deps", "--no-index", "--target", folder)
    run(sys.executable, "-m", "pip", "install", *options, wheel, cwd=folder)
    path = f"{folder / 'bin'}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}"
    variables = {"PYTHONPATH": str(folder), "PATH": path + os.environ["PATH"]}
    where = run("python", "-c", "import svevae; print(svevae.__file__)", cwd=Path("/"), **variables)
    assert where.stdout.strip() == str(folder / "svevae" / "__init__.py")
    return variables


@pytest.fixture(scope="module")
def bare(installed: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The same without the modules of the extras, as `pip install svevae` has it."""
    folder = tmp_path_factory.mktemp("bare")
    (folder / "sitecustomize.py").write_text(
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.partition('.')[0] in {LEFT_OUT!r}:\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Absent())\n",
        encoding="utf-8",
    )
    return installed | {"PYTHONPATH": f"{folder}{os.pathsep}{installed['PYTHONPATH']}"}


@pytest.mark.slow
def test_the_wheel_carries_the_champion_and_a_project(
    wheel: Path, installed: dict[str, str]
) -> None:
    assert wheel.stat().st_size < 10_000_000
    package = Path(installed["PYTHONPATH"]) / "svevae"
    assert (package / "py.typed").is_file()
    for name in PROJECT_FILES:
        assert (package / "carried" / "project" / name).read_bytes() == (ROOT / name).read_bytes()


@pytest.mark.slow
def test_predict_anywhere(
    run: Run, bare: dict[str, str], tiny_file: Path, champion: Path, tmp_path: Path
) -> None:
    """From /, with the carried champion and without extras: the numbers of the kept champion."""
    done = run("svevae", "predict", tiny_file, "-o", tmp_path / "a.h5", cwd=Path("/"), **bare)
    assert done.stderr.count("\n") == 1
    assert "using the champion that came with svevae" in done.stderr
    model, voxels = load_folder(champion), next(open_dataset(tiny_file).slabs())[1]
    with h5py.File(tmp_path / "a.h5") as file:
        np.testing.assert_allclose(file["properties"][:], model.predict(voxels), rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "extra"),
    [
        (["predict", "DATA", "-o", "a.csv", "-m", "models:/svevae@champion"], "pipeline"),
        (["init", "new", "--data", "DATA"], "pipeline"),
        (["search"], "pipeline"),
        (["ui"], "pipeline"),
        (["explore", "DATA"], "explore"),
    ],
)
def test_a_missing_extra_is_named(
    run: Run, bare: dict[str, str], tiny_file: Path, tmp_path: Path, words: list[str], extra: str
) -> None:
    (tmp_path / "params.yaml").write_text(
        (ROOT / "params.yaml").read_text(encoding="utf-8"), encoding="utf-8"
    )
    command = [str(tiny_file) if word == "DATA" else word for word in words]
    done = run("svevae", *command, cwd=tmp_path, code=2, **bare)
    assert re.fullmatch(
        rf"svevae {words[0]}: needs \w+, which is not installed: pip install 'svevae\[{extra}\]'\n",
        done.stderr,
    )
    assert {path.name for path in tmp_path.iterdir()} == {"params.yaml"}


@pytest.mark.slow
def test_label_with_a_section_alone(run: Run, bare: dict[str, str], tmp_path: Path) -> None:
    """`import --label` needs the section generate and of that only what differs."""
    (tmp_path / "mine.yaml").write_text(
        "generate:\n  material: aged-z\n  tension: [z]\n  strain: [0.002, 0.004, 0.01]\n",
        encoding="utf-8",
    )
    np.save(tmp_path / "a.npy", np.random.default_rng(0).random((8, 8, 8)) < 0.05)
    words = ["import", "a.npy", "-o", "a.h5", "--label", "--params", "mine.yaml", "--workers", "1"]
    run("svevae", *words, cwd=tmp_path, **bare)
    with h5py.File(tmp_path / "a.h5") as file:
        assert list(file["properties"].attrs["names"]) == ["E_z", "yield_z", "flow_z"]
        assert 50_000 < file["properties"][0, 0] < 70_000
    (tmp_path / "mine.yaml").write_text("generate:\n  tensions: [z]\n", encoding="utf-8")
    done = run("svevae", "generate", "--params", "mine.yaml", cwd=tmp_path, code=2, **bare)
    assert "mine.yaml: generate.tensions: unknown key" in done.stderr
    done = run("svevae", "generate", cwd=tmp_path, code=2, **bare)
    assert "params.yaml: expected the parameters" in done.stderr


@pytest.mark.slow
def test_a_project_of_ones_own(
    run: Run, installed: dict[str, str], tiny_file: Path, tmp_path: Path
) -> None:
    """`svevae init` and `dvc repro` on the user's data, up to a model that evaluates."""
    run("svevae", "init", "new", "--data", tiny_file, cwd=tmp_path, **installed)
    folder = tmp_path / "new"
    path = folder / "params.yaml"
    settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    settings["train"] |= TINY_TRAIN | {"epochs": 1, "augmentation": ["flip_x"]}
    path.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    run("dvc", "repro", "prepare", cwd=folder, **installed)
    split = json.loads((folder / "artifacts" / "split" / "split.json").read_text(encoding="utf-8"))
    assert split["dataset"] == "data/tiny.h5"
    run("dvc", "pull", "data.dvc", cwd=folder, **installed)
