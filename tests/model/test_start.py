"""Training starts at the ridge regression: before the first step the model predicts what the
regression does.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from svevae.config import Params
from svevae.dataset.split import split_by_part
from svevae.dataset.store import LabelledDataset, SVEDataset, open_dataset
from svevae.dataset.symmetry import TURNS, turned_labels
from svevae.model.baselines import RidgeBaseline
from svevae.model.elastic import elastic_statistics
from svevae.model.fit import set_up
from svevae.model.metrics import r2
from tests.conftest import OWN, cut_dataset


@pytest.mark.parametrize(("latent_dim", "close"), [(32, 0.03), (6, 0.2)])
def test_the_untrained_model_is_the_regression(
    params: Params, tiny: SVEDataset, latent_dim: int, close: float
) -> None:
    """With a latent unit for each property; with fewer, its principal axes keep most of it."""
    split = split_by_part(tiny, 0.25, 0.25, seed=0)
    trainer, _, _ = set_up(replace(params.train, latent_dim=latent_dim), 0, split, tiny)
    train, test = (split.index(name, tiny.part_id) for name in ("train", "test"))
    model = elastic_statistics(tiny.n)
    known, new = (model.predict(tiny.voxels(index), verbose=0) for index in (train, test))
    none = np.zeros(len(train)), np.zeros(len(test))  # no powers of the porosity: statistics alone
    expected = RidgeBaseline(none[0], known, tiny.properties[train]).predict(none[1], new)
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
    found, expected = trainer(x), trainer(x["voxels"])
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-3, atol=1e-3, err_msg=name)


def test_without_the_statistics_nothing_is_set(params: Params, tiny: SVEDataset) -> None:
    split = split_by_part(tiny, 0.25, 0.25, seed=0)
    trainer, _, _ = set_up(replace(params.train, elastic=False), 0, split, tiny)
    assert "elastic_statistics" not in [
        layer.name for layer in trainer.vae.get_layer("encoder").layers
    ]
    properties = trainer.vae.predict(tiny.voxels(np.arange(4)), verbose=0)["properties"]
    assert np.isfinite(properties).all()


@pytest.fixture(scope="module")
def solved(tmp_path_factory: pytest.TempPathFactory) -> LabelledDataset:
    """8 parts of 12 SVEs with labels along x, y and z."""
    path = tmp_path_factory.mktemp("solved") / "solved.h5"
    cut_dataset(OWN, path)
    return open_dataset(path)


def test_turned_statistics_teach_the_properties_alone(
    params: Params, solved: LabelledDataset
) -> None:
    """Each batch has the statistics of the SVEs with their axes in some order, and the properties
    that go with them; the voxels and the logits stay as they are.
    """
    split = split_by_part(solved, 0.25, 0.25, seed=0)
    config = replace(params.train, augmentation=("turns",))
    trainer, batches, _ = set_up(config, 0, split, solved)
    x, y = batches[0]
    model = elastic_statistics(solved.n)
    np.testing.assert_allclose(x["statistics"], model.predict(x["voxels"], verbose=0), atol=1e-5)
    assert not np.allclose(x["turned"], x["statistics"])
    turns = [x["voxels"].transpose(0, *(1 + axis for axis in turn)) for turn in TURNS]
    among = np.stack([model.predict(cubes, verbose=0) for cubes in turns])
    turn = np.abs(among - x["turned"]).max(axis=2).argmin(axis=0)
    rows = np.arange(len(turn))
    np.testing.assert_allclose(among[turn, rows], x["turned"], atol=1e-5)
    index = split.index("train", solved.part_id)[batches._order[: len(rows)]]
    labels = turned_labels(solved, index)
    assert labels is not None
    np.testing.assert_array_equal(y, labels[turn, rows])
    found = trainer(x)
    np.testing.assert_allclose(
        found["logits"], trainer(x["voxels"])["logits"], rtol=1e-3, atol=1e-3
    )
    whole = np.stack([trainer(cubes)["properties"] for cubes in turns])
    np.testing.assert_allclose(found["properties"], whole[turn, rows], rtol=1e-3, atol=1e-2)
