"""What the README tells people to type exists and works."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.conftest import Run

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()


def commands(first: str) -> list[str]:
    """All commands in the README that begin with `first`, in blocks and in the running text."""
    code = re.findall(
        r"^([a-z].*?)(?:  +#.*)?$",
        "\n".join(re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)),
        re.MULTILINE,
    )
    return [
        command
        for command in code + re.findall(r"`([a-z][^`\n]*)`", TEXT)
        if command.split()[0] == first
    ]


@pytest.mark.slow
def test_python_examples_run(run: Run, finished: Path, tmp_path: Path) -> None:
    code = "\n".join(re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL))
    code = code.replace("models:/svevae@champion", "models:/svevae/1").replace(
        "data/sve_porous_alsi10mg_32.h5", "data/tiny.h5"
    )
    shapes = (
        "mean.shape, properties.shape, probability.shape, elastic.stiffness.shape,"
        " path.stress.shape"
    )
    (tmp_path / "example.py").write_text(f"{code}\nprint({shapes})")
    assert (
        "(3, 4) (3, 11) (3, 32, 32, 32) (3, 6, 6) (3, 3, 6)"
        in run("python", tmp_path / "example.py", cwd=finished).stdout
    )


def test_make_targets_exist(run: Run) -> None:
    found = commands("make")
    assert {"make repro", "make test", "make ui", "make benchmark"} <= set(found)
    for command in found:
        run(*command.split(), "--dry-run", cwd=ROOT)


def test_svevae_commands_exist(run: Run) -> None:
    found = commands("svevae")
    assert len(found) >= 2
    for command in found:
        run("svevae", command.split()[1], "--help", cwd=ROOT)


def test_own_data_as_described(run: Run, project: Path) -> None:
    """The three lines of "Bring your own data", with another file."""
    shutil.copy(project / "data" / "tiny.h5", project / "data" / "mine.h5")
    run("svevae", "check", "data/mine.h5", cwd=project)
    run("dvc", "add", "data", cwd=project)
    settings = (project / "params.yaml").read_text().replace("data/tiny.h5", "data/mine.h5")
    (project / "params.yaml").write_text(settings)
    assert "prepare" in run("dvc", "repro", "--pull", "prepare", cwd=project).stdout


@pytest.mark.parametrize("key", re.findall(r"-S (\w+\.\w+)=", TEXT))
def test_parameters_named_exist(key: str) -> None:
    import yaml

    section, name = key.split(".")
    assert name in yaml.safe_load((ROOT / "params.yaml").read_text())[section]


def test_files_named_exist() -> None:
    for name in re.findall(r"`((?:src|notebooks|benchmarks|docs)[\w/.]*)`|\((docs/[\w.]+)\)", TEXT):
        assert (ROOT / "".join(name)).exists(), name
