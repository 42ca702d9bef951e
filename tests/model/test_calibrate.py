"""What is fitted to a trained model, and what its contract says of its training."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest

from svevae import __version__
from svevae.config import Params
from svevae.dataset.split import split_by_part
from svevae.dataset.store import SVEDataset
from svevae.dataset.symmetry import AS_IS
from svevae.model.calibrate import GRAINS, calibrate, contract_of_training, fit_grain
from svevae.model.fit import set_up
from svevae.model.latent import LatentModel
from svevae.model.sampling import binarise


def test_a_model_is_calibrated_in_place(params: Params, tiny: SVEDataset) -> None:
    """Untrained: nine of ten validation SVEs are in the intervals all the same."""
    split, config = split_by_part(tiny, 0.25, 0.25, seed=0), params.train
    trainer, train, validation = set_up(config, 3, split, tiny)
    model = LatentModel(trainer.vae, contract_of_training(config, 3, split, tiny, {"a": "b"}))
    posterior, grain = calibrate(model, train.voxels, validation, config, 3)
    assert grain in GRAINS
    assert posterior.means.shape[1] == config.latent_dim
    prediction = model.prediction(model.encode(validation.voxels[:])[0])
    away = np.abs(prediction.properties - validation.targets[AS_IS]) / prediction.std
    assert (away <= 1.6449).mean() == pytest.approx(0.9, abs=0.08)


def test_fit_grain_finds_the_one_that_made_the_voxels() -> None:
    probability = np.full((160, 16, 16, 16), 0.1)
    truth = binarise(probability, 1.5, np.random.default_rng(1))
    assert fit_grain(truth, probability, np.random.default_rng(2)) == 1.5


def test_fit_grain_of_sves_without_pores() -> None:
    assert (
        fit_grain(
            np.zeros((4, 8, 8, 8), np.uint8), np.zeros((4, 8, 8, 8)), np.random.default_rng(0)
        )
        == GRAINS[0]
    )


def test_the_contract_of_a_training(params: Params, tiny: SVEDataset) -> None:
    split, config = split_by_part(tiny, 0.25, 0.25, seed=0), replace(params.train, latent_dim=8)
    contract = contract_of_training(config, 3, split, tiny, {"svevae.trial": "7"})
    assert (contract.names, contract.units, contract.n) == (tiny.names, tiny.units, 32)
    assert (contract.latent_dim, contract.seed, contract.svevae) == (8, 3, __version__)
    assert contract.train == asdict(config)
    assert contract.search == {"svevae.trial": "7"}
    assert contract.test_digest == split.test_digest
    assert contract.data.sves == {"train": 48, "validation": 24, "test": 24}
    assert contract.data.parts == {"train": 4, "validation": 2, "test": 2}
