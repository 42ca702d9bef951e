"""A model in another metal: what is exact, what its contract then says, and what is refused."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from svevae.config import Params
from svevae.dataset.curves import law_features
from svevae.dataset.label_settings import parse_settings
from svevae.dataset.split import split_by_part
from svevae.dataset.store import LabelledDataset
from svevae.errors import ConfigError, DataError
from svevae.model.calibrate import contract_of_training
from svevae.model.latent import LatentModel, load_folder
from svevae.model.metal import in_metal
from svevae.physics.elasticity import PRESETS, Material
from tests.contracts import make_contract

TITANIUM = Material(112e3, 0.33, 900.0, 150.0, 30.0)
LAW = np.array([112e3, 0.33, 900.0, 150.0, 30.0])


@pytest.fixture
def model(metal_model: Path) -> LatentModel:
    return load_folder(metal_model)


def test_the_contract_names_the_usual_law_and_what_was_seen(
    params: Params, metals: LabelledDataset
) -> None:
    usual = PRESETS["as-built-z"]
    split = split_by_part(metals, 0.25, 0.25, seed=0)
    contract = contract_of_training(params.train, 0, split, metals, {})
    assert contract.law == (usual.E, usual.nu, usual.s0, usual.Q, usual.b)
    assert metals.laws is not None
    features = law_features(metals.laws[split.index("train", metals.part_id)])
    expected = np.stack([features.min(axis=0), features.max(axis=0)], axis=1)
    np.testing.assert_allclose(contract.law_range, expected)
    assert contract.mean == ()


def test_all_doors_of_a_model_are_in_its_metal(model: LatentModel, metals: LabelledDataset) -> None:
    """Prediction, outputs, response and the plain Keras model."""
    voxels = metals.voxels(np.arange(6))
    latent = model.encode(voxels)[0]
    expected, response = model.prediction(latent, LAW), model.response(latent, LAW)
    usual = model.predict(voxels)
    changed = in_metal(model, TITANIUM)
    np.testing.assert_allclose(changed.predict(voxels), expected.properties, rtol=1e-5)
    np.testing.assert_allclose(changed.outputs(voxels)["properties"], expected.properties, 1e-4)
    np.testing.assert_allclose(changed.outputs(voxels)["properties_std"], expected.std, rtol=1e-3)
    np.testing.assert_allclose(changed.response(latent).stress, response.stress, rtol=1e-5)
    assert (np.abs(changed.predict(voxels) / usual - 1)[:, 0] > 0.1).all()


def test_curves_and_moduli_scale_with_their_units(
    model: LatentModel, metals: LabelledDataset
) -> None:
    """Of a law with the same nu, Q/s0 and b s0/E nothing else changes, but the yield, whose offset
    is a strain of its own.
    """
    latent = model.encode(metals.voxels(np.arange(6)))[0]
    one = np.array(model.contract.law)
    E, s0 = 2.0, 3.0
    other = one * [E, 1.0, s0, s0, E / s0]
    found, expected = model.response(latent, other), model.response(latent, one)
    np.testing.assert_allclose(found.strain, expected.strain * s0 / E, rtol=1e-5)
    np.testing.assert_allclose(found.stress, expected.stress * s0, rtol=1e-4)
    np.testing.assert_allclose(found.constants[:, :6], expected.constants[:, :6] * E, rtol=1e-4)
    np.testing.assert_allclose(found.constants[:, 6:], expected.constants[:, 6:], atol=1e-5)


def test_a_law_for_each_sve(model: LatentModel, metals: LabelledDataset) -> None:
    latent = model.encode(metals.voxels(np.arange(4)))[0]
    assert metals.laws is not None
    laws = np.vstack([metals.laws[:2], [LAW, LAW]])
    found = model.prediction(latent, laws).properties
    for i, law in enumerate(laws):
        alone = model.prediction(latent[i : i + 1], law).properties[0]
        np.testing.assert_allclose(found[i], alone, rtol=1e-5)
    with pytest.raises(DataError, match=r"^law: expected E, nu, s0, Q, b, once or for each SVE"):
        model.prediction(latent, laws[:3])


def test_the_solver_is_asked_in_that_metal(model: LatentModel) -> None:
    """Material and strains of the labels are those of the metal, and the settings are whole."""
    before, changed = parse_settings(model.contract.labels), in_metal(model, TITANIUM).contract
    after = parse_settings(changed.labels)
    assert json.loads(changed.data.material) == asdict(TITANIUM)
    assert before is not None
    assert after is not None
    assert after.material == TITANIUM
    scale = (TITANIUM.s0 / TITANIUM.E) / (before.material.s0 / before.material.E)
    np.testing.assert_allclose(after.tension.strain, scale * np.array(before.tension.strain))
    assert after.tolerance == before.tolerance


def test_what_is_unlike_the_metals_of_the_training_is_refused(model: LatentModel) -> None:
    with pytest.raises(ConfigError, match=r"^material: expected nu from .*, received 0\.1$"):
        in_metal(model, replace(TITANIUM, nu=0.1))
    with pytest.raises(ConfigError, match=r"^material: expected log Q/s0 from .* received"):
        in_metal(model, replace(TITANIUM, Q=0.0))


def test_a_model_of_one_metal_takes_no_other() -> None:
    model = LatentModel(None, make_contract())
    with pytest.raises(ConfigError, match=r"^material: expected none, of a model that knows"):
        in_metal(model, TITANIUM)
    with pytest.raises(DataError, match=r"^law: expected none"):
        model.prediction(np.zeros((1, 4)), LAW)
    with pytest.raises(DataError, match=r"^response: expected a model trained on curves"):
        model.response(np.zeros((1, 4)))
