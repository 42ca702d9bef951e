"""`svevae init`: a folder in which `dvc repro` runs the pipeline on the user's own SVEs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

from svevae.dataset.curves import read_curves
from svevae.dataset.store import open_dataset
from svevae.dataset.symmetry import XY, turned_targets
from svevae.errors import ConfigError
from svevae.places import PROJECT_FILES, project_file

# DVC's remote, inside the project: git must not keep the data a second time
STORE = "/.dvc-store/"


class Setting(NamedTuple):
    """A value of a project that differs from the shipped one."""

    file: str
    section: str
    key: str
    value: str


def init(folder: Path, data: Path | None = None) -> str:
    """Lay a project in `folder`, whole or not at all; says what is next, in words. In an empty
    folder that is there already, only a kill between the last renames may leave some of its files.

    The file `data` is copied into it and added to DVC. Raises ConfigError where `folder` is not
    empty or git or DVC refuse, DataError where `data` breaks the contract or has no properties.
    """
    target = folder.absolute()
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        found = "a folder with files in it" if target.is_dir() else "a file"
        raise ConfigError(f"{folder}: expected a new or an empty folder, found {found}")
    if not target.parent.is_dir():
        raise ConfigError(f"{folder}: expected a folder {target.parent} to lay it in, found none")
    settings = [Setting("params.yaml", "evaluate", "others", "[]")]
    if data is not None:
        settings += _suiting(data)
    beside = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        _lay(beside, settings)
        if data is not None:
            (beside / "data").mkdir()
            shutil.copy(data, beside / "data")
        notes = _begin_history(beside, with_data=data is not None)
        if target.exists():  # it stays the same folder: it may be the working folder of a shell
            for entry in beside.iterdir():
                entry.rename(target / entry.name)
        else:
            beside.rename(target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    first = [] if data is not None else ["svevae generate", "dvc add data"]
    steps = " && ".join([f"cd {folder}", *first, "dvc repro"])
    return "\n".join([f"{folder}: a project of svevae", *notes, f"next: {steps}"])


def _suiting(data: Path) -> list[Setting]:
    """The settings that the labels in a file ask for."""
    import dvc  # noqa: F401 - asked for now rather than when half is laid

    if data.suffix != ".h5":
        raise ConfigError(f"data: expected an SVE file, a name that ends in .h5, received {data}")
    labelled = open_dataset(data)
    swaps = XY in turned_targets(labelled, np.arange(1), read_curves(labelled))
    augmentation = ["flip_x", "flip_y", "flip_z", *(["swap_xy"] if swaps else [])]
    dataset = json.dumps(f"data/{data.name}", ensure_ascii=False)
    return [
        Setting("params.yaml", "prepare", "dataset", dataset),
        Setting("params.yaml", "train", "augmentation", f"[{', '.join(augmentation)}]"),
        Setting("multiscale/params.yaml", "parts", "dataset", dataset),
    ]


def _lay(folder: Path, settings: list[Setting]) -> None:
    """Write the files of PROJECT_FILES, changed to what a user has."""
    for name in PROJECT_FILES:
        text = project_file(name).read_text(encoding="utf-8")
        if name.endswith("dvc.yaml"):
            text = without_sources(text)
        elif name.endswith("params.yaml"):
            text = without_repository(text)
        elif name == ".gitignore":
            text += f"{STORE}\n"
        for _, section, key, value in (found for found in settings if found.file == name):
            text = with_value(text, section, key, value)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def without_sources(text: str) -> str:
    """A dvc.yaml whose stages depend on data and parameters, and on no source file of svevae."""
    lines = [line for line in text.splitlines() if not line.startswith("      - src/")]
    if lines[0].startswith("#"):
        lines[0] = "# Stages of svevae. After an upgrade of it: dvc repro --force"
    return "\n".join(lines) + "\n"


def without_repository(text: str) -> str:
    """A params.yaml whose comments name modules and no files of the repository."""
    text = re.sub(r"; docs/\S+ [^\n]*", "", text)
    return re.sub(
        r"src/(svevae/[\w/]+)\.py", lambda found: f"the module {found[1].replace('/', '.')}", text
    )


def with_value(text: str, section: str, key: str, value: str) -> str:
    """The text of a params.yaml with another value of `section.key`; comments stay. Raises
    KeyError where there is no such key.
    """
    lines, here = text.splitlines(), ""
    for number, line in enumerate(lines):
        if found := re.match(r"(\w+):", line):
            here = found[1]
        if here == section and line.startswith(f"  {key}: "):
            comment = re.search(r"\s#.*", line)
            lines[number] = f"  {key}: {value}{comment[0] if comment else ''}"
            return "\n".join(lines) + "\n"
    raise KeyError(f"{section}.{key}")


def _begin_history(folder: Path, with_data: bool) -> list[str]:
    """The folder under git with a first commit, its data under DVC; what a user must know."""
    git = shutil.which("git")
    if git is None:
        path = folder / ".dvc" / "config"
        path.write_text(
            path.read_text(encoding="utf-8").replace("[core]\n", "[core]\n    no_scm = true\n", 1),
            encoding="utf-8",
        )
    else:
        _run(folder, "git", "init", "--quiet", "--initial-branch=main")
    if with_data:
        _run(folder, sys.executable, "-m", "dvc", "add", "--quiet", "data")
    if git is None:
        return ["git is not here: the project has no history, and `dvc exp` needs one"]
    _run(folder, "git", "add", "--all")
    try:
        _run(folder, "git", "commit", "--quiet", "--message", "A project of svevae")
    except ConfigError:  # no name and address of the user
        return ["git has no user.name and user.email, so nothing is committed yet"]
    return []


def _run(folder: Path, *command: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        words = " ".join([Path(command[0]).stem, *command[1:]])
        raise ConfigError(f"`{words}` in the new project failed: {said}")
