"""What is fitted to a trained model, and the contract that describes it."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import keras
import numpy as np

from svevae import __version__
from svevae.config import Train
from svevae.dataset.batches import Batches, PackedVoxels
from svevae.dataset.curves import law_features, laws_of_file, read_curves
from svevae.dataset.split import SUBSETS, Split
from svevae.dataset.statistics import pore_sizes
from svevae.dataset.store import LabelledDataset, label_record
from svevae.dataset.symmetry import AS_IS
from svevae.model.contract import ModelContract, TrainingData
from svevae.model.latent import LatentModel
from svevae.model.metrics import distribution_distance
from svevae.model.posterior import Posterior, fit_posterior
from svevae.model.predictor import informed_units
from svevae.model.sampling import binarise
from svevae.model.uncertainty import fit_uncertainty

GRAIN_SVES = 256  # validation SVEs, and samples, that the grain is fitted to
GRAINS = (0.0, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0)  # voxels, that `fit_grain` tries


class Calibration(NamedTuple):
    """The aggregate posterior, and the grain of its samples in voxels."""

    posterior: Posterior
    grain: float


def calibrate(
    model: LatentModel,
    train: PackedVoxels,
    validation: Batches,
    config: Train,
    seed: int,
) -> Calibration:
    """Fit the predictor's uncertainty, in place, the aggregate posterior and the grain."""
    mean, std = (
        np.concatenate(blocks)
        for blocks in zip(*(model.encode(cubes) for cubes in train.blocks()), strict=True)
    )
    latent = np.concatenate([model.encode(cubes)[0] for cubes in validation.voxels.blocks()])
    known = latent if validation.laws is None else [latent, validation.laws]
    predictor, true = model.model.get_layer("predictor"), validation.targets[AS_IS]
    fit_uncertainty(predictor, (mean, std), known, true)
    posterior = fit_posterior(mean, informed_units(config, true.shape[1]), seed)
    chosen = np.linspace(0, len(latent) - 1, min(len(latent), GRAIN_SVES)).astype(int)
    random = np.random.default_rng(seed)
    samples = model.decode(posterior.sample(GRAIN_SVES, random))
    return Calibration(posterior, fit_grain(validation.voxels[chosen], samples, random))


def fit_grain(voxels: np.ndarray, probability: np.ndarray, random: np.random.Generator) -> float:
    """The grain with which `binarise` gives samples (sve, n, n, n) the pore sizes of real SVEs
    (sve, n, n, n).

    Samples, not reconstructions: the decoder is less sure of them, and what it is unsure of falls
    to pieces under a grain that reconstructions need. Two-point correlations hardly tell.
    """
    true = _sizes(voxels)
    misfit = [
        distribution_distance(_sizes(binarise(probability, grain, random)), true)
        for grain in GRAINS
    ]
    return GRAINS[int(np.argmin(misfit))]


def _sizes(voxels: np.ndarray) -> np.ndarray:
    """Pore sizes in voxels, (pore,), never empty."""
    return np.append(pore_sizes(voxels, 1.0), 0.0)


def contract_of_training(
    config: Train, seed: int, split: Split, data: LabelledDataset, search: dict[str, str]
) -> ModelContract:
    """The contract of a model trained by this version, without the grain; `search` holds the tags
    of the trial that `config` comes from.
    """
    curves = read_curves(data)
    return ModelContract(
        svevae=__version__,
        keras=keras.__version__,
        backend=keras.backend.backend(),
        names=split.names,
        units=split.units,
        mean=split.mean if curves is None else (),
        std=split.std if curves is None else (),
        law=() if curves is None else curves.law,
        law_range=() if curves is None else _law_range(data, split),
        n=data.n,
        voxel_size=data.voxel_size,
        latent_dim=config.latent_dim,
        seed=seed,
        train=dataclasses.asdict(config),
        dataset_digest=split.dataset_digest,
        test_digest=split.test_digest,
        search=search,
        # so that the solver can be asked about SVEs of the model where the data are not
        labels=label_record(data),
        data=TrainingData(
            file=split.dataset,
            title=str(data.attributes.get("title", "")),
            material=str(data.attributes.get("material", "")),
            sves={name: len(split.index(name, data.part_id)) for name in SUBSETS},
            parts={name: len(split.parts[name]) for name in SUBSETS},
        ),
    )


def _law_range(data: LabelledDataset, split: Split) -> tuple[tuple[float, float], ...]:
    """Lowest and highest of each of `law_features` over the training SVEs."""
    laws = laws_of_file(data)
    assert laws is not None
    features = law_features(laws[split.index("train", data.part_id)])
    low, high = features.min(axis=0).tolist(), features.max(axis=0).tolist()
    return tuple(zip(low, high, strict=True))
