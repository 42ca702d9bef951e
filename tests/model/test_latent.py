"""A model in physical units: what goes in and out, and the folder it lives in."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from svevae.config import Params
from svevae.errors import DataError
from svevae.model.latent import LatentModel, load_folder, save_folder, sigmoid
from svevae.model.posterior import Posterior
from svevae.model.vae import build_vae
from tests.contracts import make_contract

CONTRACT = make_contract(names=("E_x", "nu"), units=("MPa", "-"))


@pytest.fixture(scope="module")
def network(params: Params) -> keras.Model:
    return build_vae(params.train, 8, np.array([66_000.0, 0.326]), np.array([4_600.0, 0.005]))


@pytest.fixture(scope="module")
def model(network: keras.Model) -> LatentModel:
    return LatentModel(network, CONTRACT, batch_size=4)


@pytest.fixture(scope="module")
def voxels() -> np.ndarray:
    return (np.random.default_rng(0).random((6, 8, 8, 8)) < 0.1).astype(np.uint8)


def test_shapes_and_that_the_parts_agree_with_the_whole(
    model: LatentModel, voxels: np.ndarray
) -> None:
    mean, std = model.encode(voxels)
    everything = model.outputs(voxels)
    assert mean.shape == std.shape == (6, 4)
    np.testing.assert_allclose(std, np.exp(-2), rtol=1e-4)  # an untrained encoder: log-variance -4
    np.testing.assert_allclose(everything["latent_mean"], mean, atol=1e-6)
    np.testing.assert_allclose(everything["latent_std"], std, rtol=1e-5)
    np.testing.assert_allclose(everything["probability"], model.reconstruct(voxels), atol=1e-6)
    np.testing.assert_allclose(everything["properties"], model.predict(voxels), rtol=1e-5)
    np.testing.assert_allclose(model.predict_from_latent(mean), model.predict(voxels), rtol=1e-5)
    assert model.decode(mean).shape == (6, 8, 8, 8)


def test_the_batch_size_changes_nothing(network: keras.Model, voxels: np.ndarray) -> None:
    one, all_at_once = (
        LatentModel(network, CONTRACT, batch_size=size).predict(voxels) for size in (1, 6)
    )
    np.testing.assert_allclose(one, all_at_once, rtol=1e-5)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda x: x[:, :4], r"voxels: expected shape \(sve, 8, 8, 8\), received \(6, 4, 8, 8\)"),
        (lambda x: x[0], r"voxels: expected shape \(sve, 8, 8, 8\), received \(8, 8, 8\)"),
        (lambda x: x[:0], r"voxels: expected shape \(sve, 8, 8, 8\), received \(0, 8, 8, 8\)"),
        (
            lambda x: 255 * x,
            r"voxels: expected 0 \(solid\) and 1 \(pore\), received values from 0 to 255",
        ),
    ],
)
def test_wrong_voxels(model: LatentModel, voxels: np.ndarray, spoil, message: str) -> None:
    with pytest.raises(DataError, match=message):
        model.predict(spoil(voxels))


def test_wrong_latent_vectors(model: LatentModel) -> None:
    with pytest.raises(DataError, match=r"latent: expected shape \(sve, 4\), received \(2, 3\)"):
        model.decode(np.zeros((2, 3)))


def test_folder_round_trip(model: LatentModel, voxels: np.ndarray, tmp_path: Path) -> None:
    for _ in range(2):  # the second time over the first
        save_folder(tmp_path / "model", model.model, CONTRACT)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    loaded = load_folder(tmp_path / "model")
    assert (loaded.names, loaded.units, loaded.n) == (("E_x", "nu"), ("MPa", "-"), 8)
    np.testing.assert_allclose(loaded.predict(voxels), model.predict(voxels), rtol=1e-5)


def test_a_model_whose_replacement_was_killed_between_two_renames_is_found(
    model: LatentModel, voxels: np.ndarray, tmp_path: Path
) -> None:
    save_folder(tmp_path / "kept" / "model", model.model, CONTRACT)
    (tmp_path / "kept" / "model").rename(tmp_path / "kept" / ".model.old")
    np.testing.assert_allclose(
        load_folder(tmp_path / "kept" / "model").predict(voxels), model.predict(voxels), rtol=1e-5
    )
    (tmp_path / "kept").rename(tmp_path / ".kept.old")
    assert load_folder(tmp_path / "kept" / "model").names == ("E_x", "nu")


def test_a_model_of_an_earlier_version(network: keras.Model, tmp_path: Path) -> None:
    old = keras.Model(
        network.input,
        {key: value for key, value in network.output.items() if key != "properties_std"},
    )
    save_folder(tmp_path / "model", old, CONTRACT)
    with pytest.raises(
        DataError,
        match=(
            r"model\.keras: expected a model that gives .* received one without properties_std;"
            r" one of an earlier svevae has to be trained again"
        ),
    ):
        load_folder(tmp_path / "model")


def test_the_prediction_agrees_with_all_outputs(model: LatentModel, voxels: np.ndarray) -> None:
    found, everything = model.prediction(model.encode(voxels)[0]), model.outputs(voxels)
    np.testing.assert_allclose(found.std, everything["properties_std"], rtol=1e-5)
    np.testing.assert_allclose(found.novelty, everything["novelty"], atol=1e-6)
    assert found.properties.shape == found.std.shape == (6, 2)
    assert found.novelty.shape == (6,)


def test_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(
        DataError,
        match=r"expected a folder with model\.keras and contract\.json, model\.keras is missing",
    ):
        load_folder(tmp_path)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        (
            "model.keras",
            "oid sha256:4d7a",
            r"model\.keras: expected a Keras model, cannot be read: ",
        ),
        (
            "contract.json",
            "{",
            r"contract\.json: expected JSON, cannot be read: ",
        ),
        (
            "contract.json",
            '{"names": []}',
            r"contract\.json: units: expected a value, received nothing",
        ),
        (
            "posterior.npz",
            "oid sha256:4d7a",
            r"posterior\.npz: expected the arrays of a posterior, cannot be read: ",
        ),
    ],
)
def test_a_damaged_folder(
    model: LatentModel, tmp_path: Path, file: str, content: str, message: str
) -> None:
    """A pointer of a tool that versions data, in place of the file, or half a file."""
    save_folder(tmp_path / "model", model.model, CONTRACT, model.posterior)
    (tmp_path / "model" / file).write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        load_folder(tmp_path / "model")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n": 16}, r"contract\.json: n: expected 8 as in model\.keras, received 16"),
        ({"latent_dim": 5}, r"latent_dim: expected 4 as in model\.keras, received 5"),
        (
            {"names": ("E_x",), "units": ("MPa",)},
            r"names: expected 2 as in model\.keras, received 1",
        ),
        (
            {"mean": (0.326, 66_000.0)},
            r"mean: expected \[66000\.0, 0\.326\] as in model\.keras, received \[0\.326, 66",
        ),
    ],
)
def test_a_contract_of_another_model(
    model: LatentModel, tmp_path: Path, changes: dict, message: str
) -> None:
    save_folder(tmp_path / "model", model.model, replace(CONTRACT, **changes))
    with pytest.raises(DataError, match=message):
        load_folder(tmp_path / "model")


def test_a_posterior_of_another_model(model: LatentModel, tmp_path: Path) -> None:
    save_folder(tmp_path / "model", model.model, CONTRACT, Posterior.prior(3))
    with pytest.raises(DataError, match=r"latent_dim: expected 3 as in posterior\.npz, received 4"):
        load_folder(tmp_path / "model")


def test_a_model_file_has_no_code_of_its_own_run(tmp_path: Path) -> None:
    """Keras' safe mode is on, which a program can switch off for itself alone."""
    voxels = keras.Input((8, 8, 8), name="voxels")
    strange = keras.Model(voxels, keras.layers.Lambda(lambda x: x + 1)(voxels))
    save_folder(tmp_path / "model", strange, CONTRACT)
    with pytest.raises(DataError, match=r"model\.keras: expected a Keras model, .*`Lambda` layer"):
        load_folder(tmp_path / "model")


def test_a_model_of_something_else(tmp_path: Path) -> None:
    voxels = keras.Input((8, 8, 8), name="voxels")
    save_folder(tmp_path / "model", keras.Model(voxels, voxels + 1), CONTRACT)
    with pytest.raises(DataError, match=r"keras: expected a model that gives latent_log_var"):
        load_folder(tmp_path / "model")


@pytest.mark.parametrize("file", ["model.keras", "posterior.npz"])
def test_one_flipped_bit_is_damage(model: LatentModel, tmp_path: Path, file: str) -> None:
    save_folder(tmp_path / "model", model.model, CONTRACT, model.posterior)
    path = tmp_path / "model" / file
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 4
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"{file}: expected .*, cannot be read: BadZipFile"):
        load_folder(tmp_path / "model")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights": np.array([2.0])}, "weights: expected shares that sum to 1"),
        ({"means": np.full((1, 4), np.nan)}, "means: expected finite numbers"),
        ({"means": np.zeros((2, 4))}, r"means: expected shape \(1, 4\), received \(2, 4\)"),
        ({"covariances": -np.eye(4)[None]}, "Matrix is not positive definite"),
        ({"scores": np.zeros(3)}, "scores, quantiles: expected both or none"),
        ({"others": np.zeros(3)}, "unexpected keyword argument 'others'"),
    ],
)
def test_a_posterior_that_is_none(tmp_path: Path, changes: dict, message: str) -> None:
    prior = {key: value for key, value in vars(Posterior.prior(4)).items() if value is not None}
    np.savez(tmp_path / "posterior.npz", **prior | changes)
    with pytest.raises((ValueError, TypeError), match=message):
        Posterior.load(tmp_path / "posterior.npz")


def test_sigmoid_does_not_overflow() -> None:
    np.testing.assert_allclose(
        sigmoid(np.array([-1e4, 0.0, np.log(3), 1e4])), [0, 0.5, 0.75, 1], atol=1e-12
    )


def test_only_the_note_on_retracing_is_silenced(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("tensorflow")
    with caplog.at_level(logging.WARNING):
        logger.warning("5 out of the last 5 calls to f triggered tf.function retracing. Tracing is")
        logger.warning("a real problem")
    assert caplog.messages == ["a real problem"]
