"""What `make repro` ends with, from the scores of the kept champion."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from svevae.errors import ConfigError
from svevae.reports.summary import summary

EVALUATED = Path(__file__).parent / "evaluated"


@pytest.fixture
def artifacts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished pipeline, as far as the summary reads it, in the working folder."""
    for name, folder in (("metrics.json", "evaluation"), ("contract.json", "model")):
        target = tmp_path / "artifacts" / folder
        target.mkdir(parents=True)
        shutil.copy(EVALUATED / name, target)
    monkeypatch.chdir(tmp_path)
    registered(tmp_path / "artifacts", "1")
    return tmp_path / "artifacts"


def registered(artifacts: Path, champion: str | None) -> None:
    values = {
        "name": "svevae",
        "version": "3",
        "champion_version": champion,
        "reason": "mean R2 0.9955 is not above the champion's 0.9960",
        "run_id": "a",
        "store": "sqlite:///mlflow.db",
    }
    (artifacts / "registered.json").write_text(json.dumps(values), encoding="utf-8")


def test_the_whole_table(artifacts: Path) -> None:
    """To the letter; the text was written by the code before scores had a type."""
    assert summary() + "\n" == (EVALUATED / "summary.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("champion", "line"),
    [
        (None, "registered as models:/svevae/3; there is no champion: mean R2 0.9955"),
        ("3", "champion: models:/svevae@champion, version 3: mean R2 0.9955"),
    ],
)
def test_who_is_champion(artifacts: Path, champion: str | None, line: str) -> None:
    registered(artifacts, champion)
    assert line in summary()


def test_a_pipeline_that_has_not_run(artifacts: Path) -> None:
    (artifacts / "registered.json").unlink()
    with pytest.raises(ConfigError, match=r"registered\.json: expected what the pipeline writes"):
        summary()
