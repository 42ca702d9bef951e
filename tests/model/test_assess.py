"""Scores against models and samples whose worth is known."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from svevae.config import Params
from svevae.dataset.split import split_by_part
from svevae.dataset.store import SVEDataset
from svevae.errors import ConfigError
from svevae.model import assess, metrics
from svevae.model.baselines import PorosityBaseline
from svevae.model.fit import set_up
from svevae.model.latent import LatentModel
from svevae.model.scores import PropertyScores
from tests.contracts import make_contract


@pytest.fixture(scope="module")
def train(tiny: SVEDataset) -> assess.Subset:
    return assess.subset(tiny, split_by_part(tiny, 0.25, 0.25, seed=0), "train")


@pytest.fixture(scope="module")
def held(tiny: SVEDataset) -> assess.Subset:
    return assess.subset(tiny, split_by_part(tiny, 0.25, 0.25, seed=0), "test")


def test_a_subset_is_what_the_file_holds(tiny: SVEDataset, train: assess.Subset) -> None:
    index = split_by_part(tiny, 0.25, 0.25, seed=0).index("train", tiny.part_id)
    np.testing.assert_array_equal(train.voxels[:], tiny.voxels(index))
    np.testing.assert_allclose(train.porosity, tiny.voxels(index).mean((1, 2, 3)))
    np.testing.assert_array_equal(train.properties, tiny.properties[index])


def test_baselines_are_ordered_as_what_they_know(
    tiny: SVEDataset, train: assess.Subset, held: assess.Subset
) -> None:
    scores = assess.baseline_scores(tiny.names, train, held, latent_dim=8)
    assert 0.7 < scores.two_point_mean_r2 < scores.elastic_ridge_mean_r2 < 1
    assert scores.elastic_ridge_mean_r2 == pytest.approx(
        np.mean(list(scores.elastic_ridge_r2.values()))
    )
    assert 0.1 < scores.pca_bce_ratio < 2


def test_the_model_is_scored_block_by_block_as_in_one_go(
    params: Params, tiny: SVEDataset, held: assess.Subset, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = split_by_part(tiny, 0.25, 0.25, seed=0)
    vae = set_up(replace(params.train, latent_dim=8), 0, split, tiny).trainer.vae
    contract = make_contract(names=tiny.names, units=tiny.units, n=tiny.n, latent_dim=8)
    model = LatentModel(vae, contract)
    whole = assess.run_model(model, held, 0.03, np.random.default_rng(0))
    monkeypatch.setattr("svevae.dataset.batches.BLOCK", 7)
    pieces = assess.run_model(model, held, 0.03, np.random.default_rng(0))
    for key, value in vars(whole).items():
        np.testing.assert_allclose(getattr(pieces, key), value, rtol=1e-4, atol=1e-5, err_msg=key)
    lengths = {len(value) for key, value in vars(whole).items() if key != "overlap"}
    assert lengths == {len(held.porosity)}
    scores = assess.voxel_scores(model, whole)
    assert scores.bce_ratio == pytest.approx(scores.bce / scores.bce_constant_porosity)
    assert scores.aggregate_kl == metrics.divergence_from_prior(whole.latent_mean, whole.latent_std)


def test_perfect_and_useless_predictions() -> None:
    random = np.random.default_rng(0)
    true = random.standard_normal((400, 2))
    baseline = np.zeros_like(true)
    nothing = dict.fromkeys(assess.ModelOutputs.__dataclass_fields__, np.zeros(0))
    novelty = np.linspace(0, 2, 400)

    def scores(properties: np.ndarray, std: np.ndarray) -> PropertyScores:
        given = {"properties": properties, "properties_std": std, "novelty": novelty}
        outputs = assess.ModelOutputs(**nothing | given)
        return assess.property_scores(("a", "b"), true, outputs, baseline)

    perfect = scores(true, np.full_like(true, 0.1))
    assert perfect.mean_r2 == 1
    assert perfect.coverage_90 == 1
    assert perfect.unexplained_of_porosity_only == 0
    assert perfect.novel == pytest.approx(0.5)
    useless = scores(baseline, np.ones_like(true))
    assert useless.unexplained_of_porosity_only == pytest.approx(1)
    assert useless.coverage_90 == pytest.approx(0.9, abs=0.03)


def test_samples_like_the_held_out_sves_are_not_told_apart_and_others_are(
    train: assess.Subset,
) -> None:
    """SVEs of the very parts pass; twice as porous ones, and ones of the right porosity in single
    voxels, do not.
    """
    random = np.random.default_rng(0)
    voxels = train.voxels[:]
    alike = assess.sample_scores(train, voxels[random.permutation(len(voxels))[:40]], random)
    assert max(vars(alike).values()) < 1
    dense = assess.sample_scores(train, np.maximum(voxels, np.roll(voxels, 11, axis=1)), random)
    assert min(dense.porosity, dense.two_point) > 0.5 + max(alike.porosity, alike.two_point)
    dust = (random.random(voxels.shape) < voxels.mean((1, 2, 3), keepdims=True)).astype(np.uint8)
    scores = assess.sample_scores(train, dust, random)
    assert scores.porosity < 1 < scores.pore_size


def test_a_file_that_does_not_fit_the_model(tiny: SVEDataset, train: assess.Subset) -> None:
    model = SimpleNamespace(n=16, names=tiny.names)
    porosity_only = PorosityBaseline(train.porosity, train.properties)
    with pytest.raises(ConfigError, match=r"tiny\.h5: expected SVEs of n = 16 with E_x"):
        assess.other_scores(model, tiny, porosity_only, np.random.default_rng(0))
