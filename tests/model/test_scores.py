"""metrics.json: old files are read, keys and their order stay."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from svevae.errors import DataError
from svevae.model.scores import BASELINES, Scores
from svevae.tracking import flatten

EXAMPLE = Path(__file__).parents[1] / "reports" / "evaluated" / "metrics.json"


@pytest.fixture(scope="module")
def scores() -> Scores:
    """The kept champion's, from before metrics.json had a format."""
    return Scores.load(EXAMPLE)


def test_a_file_without_a_format_comes_back(scores: Scores, tmp_path: Path) -> None:
    scores.save(tmp_path / "metrics.json")
    assert (tmp_path / "metrics.json").read_text(encoding="utf-8") == EXAMPLE.read_text(
        encoding="utf-8"
    ).replace("{", '{\n "format": 1,', 1)
    assert Scores.load(tmp_path / "metrics.json") == scores


def test_mlflow_has_the_names_that_it_had(scores: Scores) -> None:
    names = flatten(scores.values())
    assert list(names) == list(flatten(json.loads(EXAMPLE.read_text(encoding="utf-8"))))
    assert {"test/mean_r2", "test/r2/E_x", "test/others/spheres_32/bce_ratio"} <= set(names)
    assert names["test/samples/prior/pore_size"] == scores.samples["prior"].pore_size


def test_baselines_by_name(scores: Scores) -> None:
    found = {baseline.key: r2 for baseline, r2 in scores.baselines().items()}
    assert list(found) == ["porosity_only", "two_point", "elastic_ridge"]
    assert found["two_point"].mean == scores.two_point_mean_r2


def test_what_was_left_out_is_not_there(scores: Scores) -> None:
    without = replace(
        scores,
        loop_mean_r2=None,
        loop_r2=None,
        loop_sves=None,
    )
    assert len(without.baselines()) == len(BASELINES)
    assert without.closed_loop() is None
    left_out = set(scores.values()) - set(without.values())
    assert left_out == {"loop_mean_r2", "loop_r2", "loop_sves"}


def test_a_bad_file_names_the_key(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    values = json.loads(EXAMPLE.read_text(encoding="utf-8"))
    path.write_text(json.dumps(values | {"r2": {"E_x": "good"}}), encoding="utf-8")
    with pytest.raises(
        DataError, match=r"metrics\.json: r2\.E_x: expected a valid number, received"
    ):
        Scores.load(path)
