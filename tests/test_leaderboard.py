"""The leaderboard: its sets, its scores and what it refuses."""

from __future__ import annotations

import itertools
import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
import yaml
from benchmarks.leaderboard import __main__ as leaderboard
from benchmarks.leaderboard import networks
from benchmarks.leaderboard.baselines import predict
from benchmarks.leaderboard.convolutional import Regressor
from benchmarks.leaderboard.learning import Recipe, Task, rate_at, train
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
from svevae.errors import DataError, TrainingError
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


CONVOLUTIONS, MONAI = networks.NETWORKS
TINY = Recipe(30, 1e-2, {"stem": 8, "grids": [[8]], "dense": 32}, batch=10, weight_decay=1e-4)
TINY_VAE = {"widths": [8, 16], "latent": 8, "dense": 32, "norm": "batch", "property_weight": 1e3}
STAND_INS = {CONVOLUTIONS: TINY, MONAI: replace(TINY, model=TINY_VAE)}


@pytest.fixture
def task() -> Task:
    """24 SVEs of 6^3 voxels, whose targets along x, y and z are how far their pores are from the
    middle plane, on the mean: mirrors do not matter, the order of the axes does.
    """
    rng = np.random.default_rng(1)
    cubes = (rng.random((24, 6, 6, 6)) < 0.2).astype(np.uint8)
    turns = np.array(list(itertools.permutations(range(3))))
    distances = distances_of(cubes)
    bits = np.packbits(cubes.reshape(24, -1), axis=1)
    laws = rng.standard_normal((24, 4)).astype(np.float32)
    return Task(6, bits, laws, turns, np.stack([distances[:, turn] for turn in turns]), bits, laws)


def distances_of(cubes: np.ndarray) -> np.ndarray:
    """(sve, 3) the mean distance of pores from the middle planes."""
    distance = np.abs(np.arange(cubes.shape[1]) - (cubes.shape[1] - 1) / 2)
    along = [cubes.sum(axis=across) @ distance for across in ((2, 3), (1, 3), (1, 2))]
    return (np.stack(along, axis=1) / cubes.sum(axis=(1, 2, 3))[:, None]).astype(np.float32)


def test_networks_see_mirrors_and_turns_that_the_labels_know(task: Task) -> None:
    """Each epoch shows every SVE once, in another way than the epoch before, with the labels of
    what it shows; the same epoch of the same seed shows the same.
    """
    recipe = replace(TINY, batch=8)
    first, again, second = (
        [np.concatenate(each) for each in zip(*task.batches(recipe, epoch), strict=True)]
        for epoch in (0, 0, 1)
    )
    for voxels, laws, targets in (first, second):
        np.testing.assert_allclose(targets, distances_of(voxels), rtol=1e-6)
        np.testing.assert_array_equal(np.sort(laws, axis=0), np.sort(task.laws, axis=0))
    for a, b, c in zip(first, again, second, strict=True):
        np.testing.assert_array_equal(a, b)
        assert (a != c).any()


def test_the_learning_rate_rises_and_falls() -> None:
    rates = [rate_at(step, 10, replace(TINY, epochs=10, rate=2.0)) for step in range(1, 101)]
    assert rates[0] == pytest.approx(0.2)
    assert max(rates) == rates[9] == pytest.approx(2.0, rel=0.03)
    assert 0 < rates[-1] < 1e-3


def test_a_network_goes_on_where_it_was_stopped(task: Task, tmp_path: Path) -> None:
    """Stopped in its third epoch, it begins that again and comes to what it would have come to; a
    checkpoint of another training is not taken.
    """
    recipe, kept = replace(TINY, epochs=4), tmp_path / "checkpoint.npz"

    def steps(learner: Regressor, known: str = "this") -> list[int]:
        return [done for done, _ in train(learner, task, recipe, kept, known)]

    whole = Regressor(recipe, task)
    assert steps(whole) == [0, 1, 2, 3, 4, 5, 6, 7, 8]
    assert steps(Regressor(recipe, task)) == [8]
    stopped = train(Regressor(recipe, task), task, recipe, kept, "other")
    assert [next(stopped)[0] for _ in range(6)] == [0, 1, 2, 3, 4, 5]
    stopped.close()
    resumed = Regressor(recipe, task)
    assert steps(resumed, "other") == [4, 5, 6, 7, 8]
    for name, array in whole.state().items():
        np.testing.assert_allclose(resumed.state()[name], array, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "name",
    [
        CONVOLUTIONS,
        pytest.param(
            MONAI,
            marks=pytest.mark.skipif(
                not networks.PEERS.is_file(), reason="`sh benchmarks/run.sh` makes .venv-benchmark"
            ),
        ),
    ],
)
def test_networks_predict(
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
    name: str,
) -> None:
    """Of a linear law they know most, in all metals; asked again, they have nothing to train."""
    with h5py.File(path) as file:
        digest = file.attrs["content_digest"].decode()
    monkeypatch.setattr(leaderboard, "frozen", lambda: {"file": str(path), "digest": digest})
    monkeypatch.setattr(leaderboard, "RESULTS", tmp_path / "results.json")
    monkeypatch.setattr(leaderboard, "PREDICTIONS", tmp_path)
    stand_in = replace(networks.NETWORKS[name], recipe=STAND_INS[name])
    monkeypatch.setitem(networks.NETWORKS, name, stand_in)
    monkeypatch.setattr("sys.argv", ["x", "networks", "--only", name, "--train", str(path)])
    for rate in (r"0/3\d\d\d .*SVE/s", r"(3\d\d\d)/\1 "):
        leaderboard.main()
        assert re.search(rate, capsys.readouterr().err)
        found = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))[name]
        assert found["all families"]["mean_r2"] > 0.8
        assert found[OTHER_METALS]["mean_r2"] > 0.8


def test_recipes_are_chosen_by_parts_that_are_trained_on(
    data: LabelledDataset, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Parts are on one side alone, an eighth of them apart; the truth about these has R2 = 1."""
    sides = {}

    def know(
        name: str, network: networks.Network, train: LabelledDataset, seen: np.ndarray, *rest: Any
    ) -> np.ndarray:
        test, new, _ = rest
        sides["seen"], sides["new"] = train.part_id[seen], test.part_id[new]
        assert network.recipe.epochs == 2
        return in_units_of_the_matrix(test.properties.astype(float), test)[new]

    monkeypatch.setattr(networks, "learn", know)
    found = networks.validate(MONAI, networks.NETWORKS[MONAI], data, 2, tmp_path)
    np.testing.assert_array_equal(found, 1)
    seen, new = set(sides["seen"]), set(sides["new"])
    assert not seen & new
    assert len(new) == round(len(seen | new) / 8)


def test_a_network_says_what_to_install(tmp_path: Path) -> None:
    """Where its Python is not there, or has no PyTorch, before anything is trained."""
    monai = networks.NETWORKS[MONAI]
    for python, lacks in (
        (tmp_path / ".venv-benchmark" / "bin" / "python", ("torch", "monai")),
        (Path(sys.executable), ("torch_that_is_not_there",)),
    ):
        with pytest.raises(
            DataError,
            match=f"{python}: expected a Python with {' and '.join(lacks)}; .*pip install -r"
            " benchmarks/requirements.txt",
        ):
            networks.check(replace(monai, python=python, imports=lacks))
    networks.check(networks.NETWORKS[CONVOLUTIONS])


def test_a_network_that_fails_is_told(tmp_path: Path) -> None:
    broken = replace(networks.NETWORKS[CONVOLUTIONS], module="that_is_not_there")
    with pytest.raises(
        TrainingError, match=r"broken: that_is_not_there\.py ended with exit code 1"
    ):
        networks.run("broken", broken, tmp_path, "")
    with pytest.raises(DataError, match=r"--only: expected .*, received broken"):
        networks.named("broken")
