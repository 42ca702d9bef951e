"""What a run tells of its origin, and why where it tells nothing."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.tracking.conftest import make_root, python


def test_a_run_names_its_commit_and_whether_files_differ(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    root = make_root(tmp_path)
    git = ["git", "-c", "user.name=Test", "-c", "user.email=test@example.org"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "first"]):
        subprocess.run([*git, *command], cwd=root, check=True)
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, encoding="utf-8", check=True
    ).stdout.strip()
    lineage = "from svevae import tracking\nprint(tracking.lineage())"
    tags = eval(
        python(lineage, root, environment, DVC_STAGE="train", DVC_EXP_NAME="bold-idea").stdout
    )
    assert tags == {
        "mlflow.source.git.commit": commit,
        "svevae.git_commit": commit,
        "svevae.git_dirty": "false",
        "svevae.dvc_stage": "train",
        "svevae.dvc_experiment": "bold-idea",
        "svevae.version": tags["svevae.version"],
    }
    (root / "dvc.yaml").write_text("stages: {}\n", encoding="utf-8")
    assert eval(python(lineage, root, environment).stdout)["svevae.git_dirty"] == "true"


LINEAGE = """
from svevae import tracking
tags = [tracking.lineage() for _ in range(2)]
print(sorted(tags[1]))
"""


@pytest.mark.parametrize(
    ("git", "said"),
    [
        (None, "No such file or directory: 'git'"),
        ("fatal: detected dubious ownership in repository at '/p'", "dubious ownership"),
        ("fatal: not a git repository", "fatal: not a git repository"),
    ],
)
def test_without_a_commit_a_run_begins_and_one_line_says_why(
    tmp_path: Path, environment: dict[str, str], git: str | None, said: str
) -> None:
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    if git:
        (bin_folder / "git").write_text(
            f'#!/bin/sh\necho "{git}" >&2\necho more >&2\nexit 128\n', encoding="utf-8"
        )
        (bin_folder / "git").chmod(0o755)
    done = python(LINEAGE, make_root(tmp_path), environment, PATH=str(bin_folder))
    assert done.stdout == "['svevae.version']\n", done.stderr
    (line,) = [line for line in done.stderr.splitlines() if "the run names no commit" in line]
    assert said in line


def test_a_repository_of_another_user(tmp_path: Path, environment: dict[str, str]) -> None:
    """Git's own words, which say how to allow it."""
    subprocess.run(["git", "init", "-q"], cwd=make_root(tmp_path), check=True)
    done = python(LINEAGE, tmp_path, environment, GIT_TEST_ASSUME_DIFFERENT_OWNER="1")
    assert done.stdout == "['svevae.version']\n", done.stderr
    (line,) = [line for line in done.stderr.splitlines() if "the run names no commit" in line]
    assert "dubious ownership" in line
