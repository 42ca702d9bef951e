"""What README and the pages tell people to type exists and works."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.conftest import Run

ROOT = Path(__file__).parents[1]
PAGES = [  # the order in which their Python examples run
    ROOT / "README.md",
    ROOT / "docs" / "doors.md",
    *sorted({*(ROOT / "docs").rglob("*.md")} - {ROOT / "docs" / "doors.md"}),
    ROOT / "CONTRIBUTING.md",
]
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
OPTION = re.compile(r"(?<![\w-])--?[a-z][\w-]*")


def commands(first: str) -> list[str]:
    """All commands in README and pages that begin with `first`, in blocks and in the running
    text.
    """
    code = re.findall(
        r"^([a-z].*?)(?:  +#.*)?$",
        "\n".join(re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)),
        re.MULTILINE,
    )
    found = [
        command
        for command in code + re.findall(r"`([a-z][^`\n]*)`", TEXT)
        if command.split()[0] == first
    ]
    return list(dict.fromkeys(found))


@pytest.mark.slow
def test_python_examples_run(run: Run, finished: Path, tmp_path: Path) -> None:
    examples = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    code = "\n".join(example for example in examples if "onnxruntime" not in example)
    code = code.replace("models:/svevae@champion", "models:/svevae/1").replace(
        "data/porous_metals_32.h5", "data/tiny.h5"
    )
    shapes = (
        "mean.shape, properties.shape, probability.shape, elastic.stiffness.shape,"
        " path.stress.shape"
    )
    (tmp_path / "example.py").write_text(f"{code}\nprint({shapes})", encoding="utf-8")
    assert (
        "(3, 4) (3, 11) (3, 32, 32, 32) (3, 6, 6) (3, 3, 6)"
        in run("python", tmp_path / "example.py", cwd=finished).stdout
    )


@pytest.mark.slow
def test_the_onnx_example_runs(run: Run, finished: Path, tmp_path: Path) -> None:
    (code,) = (
        example
        for example in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
        if "onnxruntime" in example
    )
    (tmp_path / "example.py").write_text(code, encoding="utf-8")
    run("svevae", "export", finished / "artifacts/model", "-o", "champion.onnx", cwd=tmp_path)
    assert "'E_x': " in run("python", "example.py", cwd=tmp_path).stdout


def test_make_targets_exist(run: Run) -> None:
    found = commands("make")
    assert {"make repro", "make test", "make ui", "make benchmark"} <= set(found)
    for command in found:
        run(*command.split(), "--dry-run", cwd=ROOT)


def test_svevae_commands_exist(run: Run) -> None:
    """Each command has help, and the help names each option that a page gives it."""
    found = [command for command in commands("svevae") if len(command.split()) > 1]
    assert {"predict", "import", "generate", "search", "explore"} <= {
        command.split()[1] for command in found
    }
    known = {
        name: run("svevae", name, "--help", cwd=ROOT).stdout
        for name in sorted({command.split()[1] for command in found} - {"X", "--version"})
    }
    for command in found:
        name = command.split()[1]
        for option in OPTION.findall(command.split(name, 1)[1]):
            assert option in OPTION.findall(known[name]), f"{command}: {option}"


def test_own_data_as_described(run: Run, project: Path) -> None:
    """The last three lines of "Bring your own data" (docs/guides/scans.md), with another file."""
    shutil.copy(project / "data" / "tiny.h5", project / "data" / "mine.h5")
    run("svevae", "check", "data/mine.h5", cwd=project)
    run("dvc", "add", "data", cwd=project)
    settings = (
        (project / "params.yaml")
        .read_text(encoding="utf-8")
        .replace("data/tiny.h5", "data/mine.h5")
    )
    (project / "params.yaml").write_text(settings, encoding="utf-8")
    assert "prepare" in run("dvc", "repro", "--pull", "prepare", cwd=project).stdout


@pytest.mark.parametrize("key", re.findall(r"-S (\w+\.\w+)=", TEXT))
def test_parameters_named_exist(key: str) -> None:
    import yaml

    section, name = key.split(".")
    assert name in yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))[section]


def test_files_named_exist() -> None:
    for name in re.findall(
        r"`((?:src|notebooks|benchmarks|docs|tests|multiscale)[\w/.-]*)`|\((docs/[\w./-]+)\)", TEXT
    ):
        if "NAME" not in "".join(name):  # a new one's, in docs/how-to-add.md
            assert (ROOT / "".join(name)).exists(), name
