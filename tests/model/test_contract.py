"""The record beside a model's weights: old files, bad files, and that it is written as it was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from svevae.errors import DataError
from svevae.model.contract import ModelContract, TrainingData
from tests.contracts import make_contract

EXAMPLE = Path(__file__).parents[1] / "reports" / "evaluated" / "contract.json"
LEAST = {"names": ["E", "nu"], "units": ["MPa", "-"], "n": 8, "latent_dim": 4, "voxel_size": None}


def test_a_contract_without_a_format_is_read_and_written_with_the_same_keys(tmp_path: Path) -> None:
    """The kept champion's; beside them the format, a digest, and that it knows no laws."""
    contract = ModelContract.load(EXAMPLE)
    assert (contract.n, contract.voxel_size, contract.grain) == (32, 10.0, 2.0)
    assert contract.data.parts == {"train": 63, "validation": 11, "test": 11}
    contract.save(tmp_path / "contract.json")
    written = json.loads((tmp_path / "contract.json").read_text(encoding="utf-8"))
    assert len(written.pop("digest")) == 16
    assert (written.pop("law"), written.pop("law_range")) == ([], [])
    assert written == {"format": 1} | json.loads(EXAMPLE.read_text(encoding="utf-8"))
    assert [*written][1:] == [*json.loads(EXAMPLE.read_text(encoding="utf-8"))]
    assert ModelContract.load(tmp_path / "contract.json") == contract


def test_what_an_early_contract_lacks_has_defaults(tmp_path: Path) -> None:
    path = tmp_path / "contract.json"
    path.write_text(
        json.dumps(LEAST | {"voxel_size": 10, "of_a_later_version": 1}), encoding="utf-8"
    )
    contract = ModelContract.load(path)
    assert (contract.names, contract.voxel_size) == (("E", "nu"), 10.0)
    assert (contract.grain, contract.labels, contract.search) == (0.0, None, {})
    assert contract.data == TrainingData()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "format: expected 1, received 2"),
        ({"n": "8"}, "n: expected a valid integer, received '8'"),
        ({"n": True}, "n: expected a valid integer, received True"),
        ({"n": 0}, "n: expected greater than or equal to 1, received 0"),
        ({"voxel_size": -1.0}, "voxel_size: expected greater than 0, received -1.0"),
        ({"names": []}, r"names: expected a name for each property, received \[\]"),
        ({"names": ["E", "E"]}, r"names: expected a name for each property, received \['E', 'E'\]"),
        ({"units": ["MPa"]}, r"units: expected one for each of E, nu, received \['MPa'\]"),
        ({"mean": [1.0]}, r"mean: expected one for each of E, nu, received \[1.0\]"),
        ({"std": [0.0, 1.0]}, r"std.0: expected greater than 0, received 0.0"),
        ({"mean": [float("nan"), 1.0]}, r"mean.0: expected a finite number, received nan"),
        ({"labels": "none"}, "labels: expected an object, received 'none'"),
        ({"data": {"sves": {"train": "many"}}}, "data.sves.train: expected a valid integer"),
    ],
)
def test_a_bad_contract_names_file_and_key(tmp_path: Path, changes: dict, message: str) -> None:
    path = tmp_path / "contract.json"
    path.write_text(json.dumps(LEAST | changes), encoding="utf-8")
    with pytest.raises(DataError, match=rf"contract\.json: {message}"):
        ModelContract.load(path)


def test_a_contract_made_by_hand_is_checked_too() -> None:
    with pytest.raises(DataError, match="units: expected one for each of E, received"):
        make_contract(units=())
