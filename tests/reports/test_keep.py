"""`svevae keep`: what is kept, what is refused, and that a kill loses nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from svevae.errors import ConfigError
from svevae.reports import keep as module
from svevae.reports.keep import keep


@pytest.fixture
def evaluated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the files of an evaluation, those of `tests/reports/evaluated`."""
    example = Path(__file__).parent / "evaluated"
    (tmp_path / "artifacts" / "model").mkdir(parents=True)
    (tmp_path / "artifacts" / "model" / "model.keras").write_bytes(b"weights")
    (tmp_path / "artifacts" / "evaluation" / "plots").mkdir(parents=True)
    for source, target in (("contract.json", "model"), ("metrics.json", "evaluation")):
        text = (example / source).read_text(encoding="utf-8")
        (tmp_path / "artifacts" / target / source).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def with_mean_r2(project: Path, value: float) -> None:
    path = project / "artifacts" / "evaluation" / "metrics.json"
    path.write_text(
        json.dumps(json.loads(path.read_text(encoding="utf-8")) | {"mean_r2": value}),
        encoding="utf-8",
    )


def test_what_is_kept(evaluated: Path) -> None:
    assert keep().startswith("champion: mean R2 0.9955")
    assert (evaluated / "champion" / "model" / "model.keras").read_bytes() == b"weights"
    assert (
        (evaluated / "champion" / "model-card.md")
        .read_text(encoding="utf-8")
        .startswith("# Model card")
    )
    assert sorted(path.name for path in evaluated.iterdir()) == ["artifacts", "champion"]


def test_a_better_model_of_the_same_test_sves_is_not_written_over(evaluated: Path) -> None:
    keep()
    with_mean_r2(evaluated, 0.9)
    with pytest.raises(ConfigError, match=r"champion: a model of mean R2 0\.9955 is kept"):
        keep()
    with_mean_r2(evaluated, 0.999)
    assert "0.9990" in keep()


def test_nothing_evaluated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"model\.keras: expected what the pipeline writes"):
        keep()


def test_a_kill_between_the_renames_loses_no_champion(
    evaluated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kept champion is put back before the new one is compared with it."""
    keep()
    module.KEPT.rename(".champion.old")  # what a kill between the two renames leaves
    with_mean_r2(evaluated, 0.9)
    with pytest.raises(ConfigError, match=r"a model of mean R2 0\.9955 is kept"):
        keep()
    assert (evaluated / "champion" / "metrics.json").is_file()
