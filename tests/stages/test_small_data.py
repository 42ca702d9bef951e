"""The stages on data at the limits: one property, one SVE a part, an odd n, names that MLflow does
not take. Whatever cannot be measured is absent and said, and JSON stays JSON.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from svevae.config import Params
from svevae.dataset.store import write_dataset
from svevae.model.contract import ModelContract
from svevae.model.latent import load_folder
from svevae.model.scores import Scores
from svevae.reports.keep import keep
from svevae.reports.summary import summary
from svevae.stages.evaluate import CARD, evaluate
from svevae.stages.prepare import prepare
from svevae.stages.register import register
from svevae.stages.train import train

# MLflow's, of its own classes
pytestmark = pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning")
PARTS = 8
METRICS, MODEL = Path("artifacts/evaluation/metrics.json"), Path("artifacts/model")


def write(path: Path, n: int, per_part: int, names: tuple[str, ...], constant: tuple[str, ...]):
    """A file of parts of random pores; a constant property is one that all SVEs but the first
    have the same value of.
    """
    random = np.random.default_rng(0)
    count = PARTS * per_part
    level = random.uniform(0.01, 0.1, (count, 1, 1, 1))
    voxels = (random.random((count, n, n, n)) < level).astype(np.uint8)
    solid = 70000 * (1 - 2 * voxels.mean((1, 2, 3)))
    columns = [np.where(np.arange(count), 1.0, 2.0) if k in constant else solid for k in names]
    arrays = {
        "voxels": voxels,
        "properties": np.stack(columns, 1).astype(np.float32),
        "part_id": np.repeat(np.arange(PARTS), per_part),
    }
    path.parent.mkdir(exist_ok=True)
    write_dataset(path, arrays, names, ("MPa",) * len(names), {})


@pytest.fixture
def run_stages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, params: Params, capsys
) -> Callable[..., str]:
    """-> run(n, SVEs a part, names): the stages but the search, in a project of their own; what
    they print.
    """
    for name in ("DVC_ROOT", "MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    Path("MLproject").write_text("name: svevae\n", encoding="utf-8")
    Path("dvc.yaml").touch()

    def run(n: int, per_part: int, names: tuple[str, ...], constant: tuple[str, ...] = ()) -> str:
        write(Path("data/small.h5"), n, per_part, names, constant)
        write(Path("data/other.h5"), n + 1, 1, names, ())
        small = replace(
            params,
            prepare=replace(params.prepare, dataset="data/small.h5"),
            train=replace(
                params.train,
                from_search=False,
                epochs=1,
                augmentation=("flip_x", "swap_xy"),
            ),
            evaluate=replace(
                params.evaluate,
                samples=4,
                solved=0,
                pictures=2,
                others=("data/other.h5",),
            ),
        )
        for stage in (prepare, train, evaluate, register):
            stage(small)
        print(summary())
        print(keep())
        return capsys.readouterr().out

    return run


def strict(path: Path) -> dict:
    """JSON without NaN and Infinity, which its standard does not have."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{path}: {word}")

    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


def test_one_property_and_one_test_part(run_stages: Callable[..., str]) -> None:
    said = run_stages(16, 12, ("E_x",))
    values = strict(METRICS)
    assert set(values["r2"]) == set(values["two_point_r2"]) == {"E_x"}
    assert values["mean_r2"] == values["r2"]["E_x"] == values["worst_r2"]
    assert values["samples"] == {}
    card = Path("artifacts/evaluation/model-card.md").read_text(encoding="utf-8")
    assert "Not measured here: it takes two\nheld-out parts or more" in card
    assert "nan" not in card
    assert "swap_xy is left out: the data lack a label along x or y" in said
    assert ModelContract.load(MODEL / "contract.json").train["augmentation"] == ["flip_x"]
    left_out = "data/other.h5: expected SVEs of n = 16 with E_x, received n = 17 with E_x"
    assert f"evaluate.others: left out: {left_out}" in said
    assert f"test parts: mean R2 {values['mean_r2']:.4f}, by porosity alone " in said
    assert f"; voxel BCE {values['bce']:.0f} nats an SVE, " in said
    assert f"costs; {CARD}, {METRICS}\n" in said
    assert "others" not in values or values["others"] == {}


def test_one_test_sve_of_odd_n_and_names_that_mlflow_does_not_take(
    run_stages: Callable[..., str],
) -> None:
    names = ("Rp0.2%", "E, [x]", "Rp0.2&")
    said = run_stages(9, 1, names)
    assert "one test SVE: no R2 can be computed" in said
    assert "test parts: mean R2 none, by porosity alone none; voxel BCE " in said
    values = strict(METRICS)
    assert "mean_r2" not in values
    assert values["r2"] == {}
    assert set(values["mae"]) == set(names)
    registered = strict(Path("artifacts/registered.json"))
    assert registered["champion_version"] is None
    assert registered["reason"].startswith("cannot be judged: no property varies over the test")
    assert "there is no champion: cannot be judged" in said
    assert "models:/svevae/1 is not champion: cannot be judged" in said
    assert "mean R2 undefined" in said
    assert Scores.load(METRICS).mean_r2 is None
    assert "| Rp0.2% | - | - |" in Path("artifacts/evaluation/model-card.md").read_text(
        encoding="utf-8"
    )
    model = load_folder(MODEL)
    assert model.names == names
    assert model.reconstruct(np.zeros((2, 9, 9, 9))).shape == (2, 9, 9, 9)


def test_a_property_that_is_constant_in_the_test_parts(run_stages: Callable[..., str]) -> None:
    said = run_stages(8, 4, ("E_x", "flaw"), ("flaw",))
    assert "property flaw is constant in the test parts: its R2 is undefined" in said
    values = strict(METRICS)
    assert set(values["r2"]) == {"E_x"}
    assert values["mean_r2"] == values["r2"]["E_x"]
    assert set(values["mae"]) == {"E_x", "flaw"}
