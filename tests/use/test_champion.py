"""Which model is used where none is named, and that one that is named is the one."""

from __future__ import annotations

from pathlib import Path

import mlflow
import numpy as np
import pytest

import svevae
from svevae import places, tracking
from svevae.errors import ConfigError, DataError, TrackingError
from svevae.model.latent import load_folder
from svevae.use.champion import CARRIED, REGISTERED, default_model


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder is in no project, and no server is named."""
    for name in ("DVC_ROOT", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make_project(folder: Path) -> None:
    for name in ("MLproject", "dvc.yaml"):
        (folder / name).write_text("", encoding="utf-8")


def test_outside_a_project_the_carried_champion(outside: Path) -> None:
    assert default_model() == (CARRIED, "no project and no MLFLOW_TRACKING_URI here")


def test_a_project_without_a_store_gets_none(outside: Path) -> None:
    """Asking makes no store."""
    make_project(outside)
    assert default_model() == (CARRIED, f"nothing is registered in the project {outside}")
    assert not (outside / places.DATABASE).exists()


def test_the_champion_of_the_registry_goes_first(outside: Path) -> None:
    make_project(outside)
    tracking.connect()
    assert default_model() == (CARRIED, f"no {REGISTERED} in sqlite:///mlflow.db")
    client = mlflow.MlflowClient()
    client.create_registered_model("svevae")
    client.create_model_version("svevae", str(outside))
    client.set_registered_model_alias("svevae", "champion", "1")
    assert default_model() == (REGISTERED, "")


def test_a_registry_that_is_named_must_answer(
    outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another model in its place would be a surprise."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with pytest.raises(TrackingError, match="which does not answer"):
        default_model()


def test_load_without_a_name(
    outside: Path, champion: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The carried champion is the one that champion.dvc keeps, by default and by its name."""
    monkeypatch.setattr(places, "_CLONE", champion.parents[1])
    expected = load_folder(champion)
    latent = np.random.default_rng(0).normal(size=(4, expected.latent_dim))
    wanted = expected.predict_from_latent(latent)
    for model in (svevae.load(), svevae.load(CARRIED)):
        np.testing.assert_array_equal(model.predict_from_latent(latent), wanted)


def test_the_carried_champion_knows_other_metals(
    outside: Path, champion: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "_CLONE", champion.parents[1])
    model = svevae.load(CARRIED, material={"E": 112e3, "nu": 0.33, "s0": 900, "Q": 150, "b": 30})
    latent = np.zeros((1, model.latent_dim))
    E, s0 = model.predict(np.zeros((1, 32, 32, 32), np.uint8))[0, [0, 5]]
    assert pytest.approx(112e3, rel=0.01) == E
    assert 900 < s0 < 930
    assert model.response(latent).stress.shape == (1, 3, 11)


def test_what_a_clone_must_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "_CLONE", tmp_path)
    with pytest.raises(DataError, match="expected the champion of a wheel of svevae, found none"):
        places.carried_champion()
    (tmp_path / "champion.dvc").write_text("", encoding="utf-8")
    with pytest.raises(DataError, match=r"run `dvc pull champion\.dvc`"):
        places.carried_champion()


def test_a_material_is_refused_by_the_name_of_its_argument(
    metal_model: Path, champion: Path
) -> None:
    """In Python; the command line says --material. Before the model is looked for."""
    with pytest.raises(ConfigError, match=r"^material: expected one of as-built-z, "):
        svevae.load("nowhere", material="steel")
    law = {"E": 70e3, "nu": 0.1, "s0": 200, "Q": 300, "b": 40}
    with pytest.raises(ConfigError, match=r"^material: expected nu from 0\."):
        svevae.load(metal_model, material=law)
