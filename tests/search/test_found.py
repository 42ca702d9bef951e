"""best.yaml is read as it will be used; what is wrong is named by file and key."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from svevae.errors import ConfigError
from svevae.search.found import read_found

SPREAD = {"mean": 0.5, "std": 0.0}
BEST = {
    "study": "svevae",
    "trial": 3,
    "rule": "combined",
    "reason": "trial 3 has the least error",
    "finalists": [
        {
            "trial": 3,
            "params_yaml": False,
            "seeds": [1],
            **dict.fromkeys(("property", "reconstruction", "score"), SPREAD),
        }
    ],
    "train": {"kl_weight": 0.5},
    "params_yaml": {"kl_weight": 1.0},
    "trial_run_id": "",
    "study_run_id": "abc",
}


def written(path: Path, **changes: object) -> Path:
    with open(path, "w", encoding="utf-8") as file:  # no aliases, as a person would write it
        Dumper = type("Dumper", (yaml.SafeDumper,), {"ignore_aliases": lambda *_: True})
        yaml.dump(BEST | changes, file, Dumper=Dumper)
    return path


def test_what_a_search_wrote(tmp_path: Path) -> None:
    assert read_found(written(tmp_path / "best.yaml")) == BEST


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trial": -1}, "trial: expected at least 0, received -1"),
        ({"train": [1]}, "train: expected a mapping, received "),
        ({"params_yaml": {}}, "params_yaml.kl_weight: missing; train has it"),
        ({"finalists": [{"trial": 3}]}, "finalists: expected trial, params_yaml, seeds, property"),
        ({"more": 1}, "more: unknown key"),
    ],
)
def test_what_is_wrong(tmp_path: Path, changes: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=rf"best\.yaml: {message}"):
        read_found(written(tmp_path / "best.yaml", **changes))


def test_no_yaml(tmp_path: Path) -> None:
    path = tmp_path / "best.yaml"
    path.write_text("study: [1", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"best\.yaml: line 1, column 10: expected YAML"):
        read_found(path)
