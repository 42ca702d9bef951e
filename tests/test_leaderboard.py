"""The leaderboard: its sets, its scores and what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import yaml
from benchmarks.leaderboard import __main__ as leaderboard
from benchmarks.leaderboard.baselines import predict
from benchmarks.leaderboard.score import (
    FAMILIES_APART,
    OTHER_METALS,
    as_table,
    in_units_of_the_matrix,
    open_frozen,
    read_predictions,
    scores,
    sets_of,
)

from svevae.dataset.store import LabelledDataset, open_dataset, write_dataset
from svevae.errors import DataError
from svevae.physics.alloys import draw_printed
from svevae.physics.label import property_names
from tests.conftest import ROOT

NAMES, UNITS = property_names("xyz")
USUAL = [70_000.0, 0.33, 216.0, 312.0, 40.0]
FAMILIES = ["gas", "foam", *FAMILIES_APART]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 SVEs of 4^3 voxels in four families, of which a quarter are of metals of their own;
    moduli and stresses are those of the matrix, less twice the porosity.
    """
    rng = np.random.default_rng(0)
    voxels = (rng.random((120, 4, 4, 4)) < rng.uniform(0.02, 0.2, (120, 1, 1, 1))).astype(np.uint8)
    laws = np.tile(USUAL, (120, 1))
    laws[::4] = [list(draw_printed(rng).values()) for _ in laws[::4]]
    left = 1 - 2 * voxels.mean(axis=(1, 2, 3)) + 0.01 * rng.standard_normal(120)
    matrix = {"E": laws[:, 0], "nu": laws[:, 1], "yield": laws[:, 2], "flow": laws[:, 2]}
    properties = np.stack([matrix[name.split("_")[0]] * left for name in NAMES], axis=1)
    arrays = {
        "voxels": voxels,
        "properties": properties,
        "part_id": np.arange(120) // 4,
        "law": laws,
        "family": np.arange(120) // 30,
    }
    made = tmp_path_factory.mktemp("leaderboard") / "test.h5"
    write_dataset(made, arrays, NAMES, UNITS, {}, {"family": {"names": FAMILIES}})
    return made


@pytest.fixture
def data(path: Path) -> LabelledDataset:
    return open_dataset(path)


def test_the_families_that_are_trained_on_are_those_of_params_yaml() -> None:
    shipped, test = (
        yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))["generate"]
        for name in ("params.yaml", "benchmarks/leaderboard/dataset.yaml")
    )
    assert list(test["families"]) == [*shipped["families"], *FAMILIES_APART]
    for name, family in shipped["families"].items():
        for key in ("generator", "parameters"):
            assert test["families"][name][key] == family[key], name
    assert test["seed"] != shipped["seed"]


def test_sets_are_families_and_metals(data: LabelledDataset) -> None:
    sets = sets_of(data)
    assert list(sets) == [
        "all families",
        "gas",
        "foam",
        "spinodal (apart)",
        "grains (apart)",
        OTHER_METALS,
    ]
    usual = np.arange(120) % 4 > 0
    np.testing.assert_array_equal(sets["foam"], usual & (np.arange(120) // 30 == 1))
    np.testing.assert_array_equal(sets["all families"], usual & (np.arange(120) < 60))
    np.testing.assert_array_equal(sets[OTHER_METALS], ~usual & (np.arange(120) < 60))


def test_perfect_and_ignorant_predictions(data: LabelledDataset, tmp_path: Path) -> None:
    """The truth has R2 = 1 and no error; the mean of a set has R2 = 0 there; intervals that hold
    all have a share of 1.
    """
    true = data.properties.astype(float)
    perfect = scores(data, true, np.full(true.shape, 1e-6))
    for row in perfect.values():
        assert row["mean_r2"] == row["worst_r2"] == 1
        assert row["yield_error"] == 0
        assert row["coverage_90"] == 1
    foam = sets_of(data)["foam"]
    ignorant = scores(data, np.tile(true[foam].mean(axis=0), (120, 1)), None)
    assert ignorant["foam"]["mean_r2"] == pytest.approx(0, abs=1e-9)
    assert "coverage_90" not in ignorant["foam"]
    assert "| foam | 23 | 1.0000 (1.000) |" in as_table({"truth": perfect})


def test_naming_the_metal_explains_nothing(data: LabelledDataset) -> None:
    """The matrix's own constants, without a look at the pores, have no R2 above 0 on a set of
    several metals.
    """
    ones = np.ones((120, len(NAMES)))
    guess = ones / in_units_of_the_matrix(ones, data)
    assert scores(data, guess, None)[OTHER_METALS]["mean_r2"] < 0


def test_what_predict_writes_can_be_read(data: LabelledDataset, tmp_path: Path) -> None:
    table = pd.DataFrame(data.properties, columns=[f"{name} [MPa]" for name in NAMES])
    for name in NAMES:
        table[f"{name}_std"] = 1.0
    table.to_csv(tmp_path / "a.csv", index_label="sve")
    values, std = read_predictions(tmp_path / "a.csv", data)
    np.testing.assert_allclose(values, data.properties, rtol=1e-6)
    assert std is not None
    assert (std == 1).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="E_y"), "expected columns E_x, .* received none of E_y"),
        (lambda t: t.iloc[:-1], "expected 120 rows, received 119"),
        (lambda t: t.assign(sve=t["sve"][::-1].to_numpy()), "row 0: expected sve 0, received 119"),
        (lambda t: t.assign(E_x="soft"), "E_x: expected finite numbers, received soft in row 0"),
        (lambda t: t.assign(nu_zx=np.inf), "nu_zx: expected finite numbers, received inf in row 0"),
    ],
)
def test_wrong_tables_are_refused(
    data: LabelledDataset, tmp_path: Path, change: object, message: str
) -> None:
    table = pd.DataFrame(data.properties, columns=list(NAMES))
    table.insert(0, "sve", np.arange(120))
    change(table).to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(DataError, match=rf"a\.csv: {message}"):
        read_predictions(tmp_path / "a.csv", data)


def test_another_file_is_not_the_test_set(path: Path) -> None:
    with h5py.File(path) as file:
        digest = file.attrs["content_digest"].decode()
    assert open_frozen(path, digest).count == 120
    with pytest.raises(DataError, match="expected the test SVEs of content digest 0123, received"):
        open_frozen(path, "0123")


@pytest.mark.parametrize("name", ["porosity, cubic", "elastic statistics, ridge"])
def test_baselines_predict(data: LabelledDataset, tmp_path: Path, name: str) -> None:
    """Of a linear law they know nearly all, in all metals."""
    predict(name, data, data, tmp_path / "a.csv")
    found = scores(data, *read_predictions(tmp_path / "a.csv", data))
    assert found["all families"]["mean_r2"] > 0.9
    assert found[OTHER_METALS]["mean_r2"] > 0.9


def test_the_command(
    path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """It prints the scores, keeps them under a name, and refuses with exit code 2."""
    with h5py.File(path) as file:
        digest = file.attrs["content_digest"].decode()
    monkeypatch.setattr(leaderboard, "frozen", lambda: {"file": str(path), "digest": digest})
    monkeypatch.setattr(leaderboard, "RESULTS", tmp_path / "results.json")
    table = pd.DataFrame(open_dataset(path).properties, columns=list(NAMES))
    table.to_csv(tmp_path / "mine.csv", index=False)
    monkeypatch.setattr("sys.argv", ["x", "score", str(tmp_path / "mine.csv"), "--name", "mine"])
    leaderboard.main()
    assert "| gas |" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["x", "table"])
    leaderboard.main()
    assert "| set | SVEs | mine |" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["x", "score", str(tmp_path / "none.csv")])
    with pytest.raises(SystemExit, match="2"):
        leaderboard.main()
    assert "none.csv: cannot be read as CSV" in capsys.readouterr().err


def test_what_is_nearly_severed_is_in_no_set(data: LabelledDataset) -> None:
    """One percent of the modulus along one axis is too little; three along each are enough."""
    severed = data.properties.copy()
    severed[31, NAMES.index("E_y")] = 700.0
    severed[33, [NAMES.index(f"E_{axis}") for axis in "xyz"]] = 2100.0
    sets = sets_of(replace(data, properties=severed))
    assert not any(inside[31] for inside in sets.values())
    assert sets["foam"][33]


def test_the_table_of_the_page_is_what_was_measured() -> None:
    folder = ROOT / "benchmarks" / "leaderboard"
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    assert as_table(results) in (folder / "README.md").read_text(encoding="utf-8")
