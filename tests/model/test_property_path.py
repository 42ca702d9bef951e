"""The path from statistics to properties: it begins as the ridge regression, is trained by itself,
and stays as it is when the rest is trained.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from svevae.config import Params
from svevae.dataset.batches import StatisticsBatches
from svevae.dataset.split import split_by_part
from svevae.dataset.store import SVEDataset
from svevae.dataset.symmetry import AS_IS
from svevae.model.baselines import PENALTIES
from svevae.model.checkpoint import Checkpoint
from svevae.model.elastic import elastic_statistics
from svevae.model.fit import fit, learn_properties, set_up
from svevae.model.metrics import r2
from svevae.model.property_path import PropertyPath, property_path, start_from_ridge


@pytest.mark.parametrize(("latent_dim", "close"), [(32, 0.001), (6, 0.2)])
def test_without_epochs_the_model_is_the_regression(
    params: Params, tiny: SVEDataset, latent_dim: int, close: float
) -> None:
    """With a latent unit for each property; with fewer, its principal axes keep most of it."""
    split = split_by_part(tiny, 0.25, 0.25, seed=0)
    config = replace(params.train, latent_dim=latent_dim, property_epochs=0)
    trainer, batches, validation = set_up(config, 0, split, tiny)
    learn_properties(trainer, batches, validation, 0)
    test = split.index("test", tiny.part_id)
    mean, std = np.array(split.mean), np.array(split.std)
    known, turned = StatisticsBatches(batches, mean, std, shuffle=True).whole()
    new = elastic_statistics(tiny.n).predict(tiny.voxels(test), verbose=0)
    ridge = make_pipeline(StandardScaler(), RidgeCV(PENALTIES)).fit(known, turned)
    expected = mean + std * ridge.predict(new)
    found = trainer.vae.predict(tiny.voxels(test), verbose=0)["properties"]
    assert (np.abs(found - expected).mean(axis=0) < close * np.array(split.std)).all()
    assert (r2(tiny.properties[test].astype(float), found.astype(float)) > 0.5).all()


def test_known_statistics_stand_for_the_layer(params: Params, tiny: SVEDataset) -> None:
    """A training batch, mirrored and with x and y exchanged, has the statistics of its voxels, and
    the model that is given them all outputs of the one that computes them.
    """
    split = split_by_part(tiny, 0.25, 0.25, seed=0)
    trainer, batches, _ = set_up(params.train, 0, split, tiny)
    x, _ = batches[0]
    assert batches.augmentation
    model = elastic_statistics(tiny.n)
    np.testing.assert_allclose(x["statistics"], model.predict(x["voxels"], verbose=0), atol=1e-5)
    found, expected = trainer(x), trainer.vae(x["voxels"])
    expected["targets"] = expected["properties"]
    for name, value in found.items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-3, atol=1e-3, err_msg=name)


def test_it_learns_by_itself_and_is_then_left_alone(params: Params, tiny: SVEDataset) -> None:
    """Its error on the training SVEs falls, no other weight moves, and a step of the whole model
    does not move it.
    """
    split = split_by_part(tiny, 0.25, 0.25, seed=0)
    trainer, batches, _ = set_up(params.train, 0, split, tiny)
    vae = trainer.vae
    decoder = vae.get_layer("decoder").get_weights()
    mean, std = np.array(split.mean), np.array(split.std)
    statistics, targets = StatisticsBatches(batches, mean, std, shuffle=False)[0]
    start_from_ridge(vae, StatisticsBatches(batches, mean, std, shuffle=True))
    path = property_path(vae)
    before = np.square(path.predict(statistics, verbose=0) - targets).mean()
    trainer.config = replace(trainer.config, property_epochs=100)
    learn_properties(trainer, batches, batches, 0)  # so few others would stop it at the regression
    after = np.square(path.predict(statistics, verbose=0) - targets).mean()
    assert after < 0.8 * before
    for now, then in zip(vae.get_layer("decoder").get_weights(), decoder, strict=True):
        np.testing.assert_array_equal(now, then)
    learnt = path.get_weights()
    for i in range(2):  # the first has a learning rate of 0
        trainer.train_on_batch(*batches[i])
    for now, then in zip(path.get_weights(), learnt, strict=True):
        np.testing.assert_array_equal(now, then)
    moved = zip(vae.get_layer("decoder").get_weights(), decoder, strict=True)
    assert any(not np.array_equal(now, then) for now, then in moved)


def test_the_same_seed_gives_the_same_path(params: Params, tiny: SVEDataset) -> None:
    split = split_by_part(tiny, 0.25, 0.25, seed=0)
    found = []
    for _ in range(2):
        trainer, batches, validation = set_up(params.train, 3, split, tiny)
        learn_properties(trainer, batches, validation, 3)
        found.append(property_path(trainer.vae).get_weights())
        keras.utils.set_random_seed(99)
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


def test_without_the_statistics_nothing_is_set(params: Params, tiny: SVEDataset) -> None:
    split = split_by_part(tiny, 0.25, 0.25, seed=0)
    trainer, batches, validation = set_up(replace(params.train, elastic=False), 0, split, tiny)
    learn_properties(trainer, batches, validation, 0)
    layers = trainer.vae.get_layer("encoder").layers
    assert "elastic_statistics" not in [layer.name for layer in layers]
    properties = trainer.vae.predict(tiny.voxels(np.arange(4)), verbose=0)["properties"]
    assert np.isfinite(properties).all()
    assert list(batches[0][0]) == ["voxels"]
    assert batches.targets[AS_IS].shape[1] == len(tiny.names)


def test_a_training_that_goes_on_has_the_path_that_was_learnt(
    params: Params, tiny: SVEDataset, tmp_path: Path
) -> None:
    """Of a fresh model and a checkpoint, scale of the statistics included."""
    split = split_by_part(tiny, 0.25, 0.25, seed=0)
    predicted = []
    for _ in range(2):
        session = set_up(replace(params.train, epochs=1), 0, split, tiny)
        checkpoint = Checkpoint(tmp_path / "train.npz", session.trainer, "one")
        checkpoint.restore()
        fit(*session, 1, 1, 0, checkpoint)
        predicted.append(session.trainer(session.validation[0][0])["targets"])
    np.testing.assert_allclose(predicted[0], predicted[1], rtol=1e-5)


def test_what_weighs_nothing_is_not_learnt() -> None:
    inputs = keras.Input((3,))
    path = PropertyPath(inputs, keras.layers.Dense(2)(inputs))
    path.compile(keras.optimizers.SGD(0.1))
    before = path.get_weights()[0]
    ones = np.ones((4, 3), np.float32)
    path.train_on_batch(ones, np.full((4, 2), 9.0, np.float32), np.tile(np.float32([1, 0]), (4, 1)))
    moved = (path.get_weights()[0] != before).any(axis=0)
    np.testing.assert_array_equal(moved, [True, False])
