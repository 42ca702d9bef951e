"""Projects with nothing in them but a store."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


def make_root(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "MLproject").write_text("name: svevae\n", encoding="utf-8")
    (folder / "dvc.yaml").touch()
    return folder


def python(
    code: str, cwd: Path, environment: dict[str, str], **variables: str
) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=cwd,
        env=environment | variables,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No server, run or project is named from outside."""
    for name in ("DVC_ROOT", "MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.fixture
def root(tmp_path: Path, alone: pytest.MonkeyPatch) -> Path:
    """The working folder is a project whose store is not made yet."""
    alone.chdir(make_root(tmp_path / "project"))
    return Path.cwd()
