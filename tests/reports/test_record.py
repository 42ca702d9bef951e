"""The run of `mlflow run` gets the scores of a pipeline that was up to date."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from svevae import tracking
from svevae.reports.record import record

EVALUATED = Path(__file__).parent / "evaluated"


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple]:
    """What was given to the run, in a project whose pipeline was trained in run `a`."""
    calls: list[tuple] = []
    monkeypatch.setattr(tracking, "add_to_current_run", lambda *values: calls.append(values))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "artifacts" / "evaluation").mkdir(parents=True)
    (tmp_path / "artifacts" / "run.json").write_text('{"run_id": "a"}\n', encoding="utf-8")
    return calls


def test_outside_mlflow_run_nothing_happens(
    given: list[tuple], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_RUN_ID", raising=False)
    record()
    assert given == []


def test_the_scores_by_their_names_in_mlflow(
    given: list[tuple], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_RUN_ID", "b")
    record()
    shutil.copy(EVALUATED / "metrics.json", "artifacts/evaluation")
    record()
    (before, _), (after, trained_in) = given
    assert before == {}
    assert trained_in == "a"
    assert after["test/mean_r2"] == pytest.approx(0.99548842)
    assert after["test/others/spheres_32/mean_r2"] == pytest.approx(0.99077586)
