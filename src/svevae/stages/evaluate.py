"""evaluate: scores on the test parts beside baselines, samples beside real SVEs, other data;
pictures.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from svevae import tracking
from svevae.config import Params, train_config
from svevae.dataset.split import Split
from svevae.dataset.store import SVEDataset, open_dataset
from svevae.errors import ConfigError
from svevae.model import assess, metrics
from svevae.model.baselines import PorosityBaseline
from svevae.model.closed_loop import close_loop
from svevae.model.fit import regressor_scores
from svevae.model.latent import LatentModel, load_folder
from svevae.model.posterior import Posterior
from svevae.model.sampling import draw, sample_sves
from svevae.pictures.pipeline import (
    plot_closed_loop,
    plot_latent,
    plot_losses,
    plot_parity,
    plot_samples,
    plot_slices,
    plot_two_point,
)
from svevae.reports.card import model_card

SPLIT = Path("artifacts/split/split.json")
MODEL = Path("artifacts/model")
HISTORY = Path("artifacts/training.csv")
TRAINED = Path("artifacts/run.json")
FOLDER = Path("artifacts/evaluation")
PLOTS = FOLDER / "plots"
METRICS = FOLDER / "metrics.json"
CARD = FOLDER / "model-card.md"
RUN = FOLDER / "run.json"  # the training run, or a new one where that is not in the store


def evaluate(params: Params) -> None:
    """Read split, dataset and artifacts/model; write artifacts/evaluation and log it to the run
    that trained. Raises DataError.
    """
    split = Split.load(SPLIT)
    data = open_dataset(split.dataset)
    model = load_folder(MODEL)
    settings, seed = params.evaluate, params.base.seed
    random = np.random.default_rng(seed)
    train, test = (assess.subset(data, split, name) for name in ("train", "test"))
    porosity_only = PorosityBaseline(train.porosity, train.properties)
    reference = porosity_only.predict(test.porosity)
    found = assess.run_model(model, test, float(train.porosity.mean()), random)
    scores = assess.property_scores(
        model.names, test.properties, found, reference
    ) | assess.voxel_scores(model, found)
    scores |= assess.baseline_scores(model.names, train, test, model.latent_dim)
    if settings.regressor_epochs:
        scores |= regressor_scores(
            train_config(model.contract["train"]), seed, split, data, settings.regressor_epochs
        )
    PLOTS.mkdir(parents=True, exist_ok=True)
    latent, voxels = sample_sves(model, settings.samples, random)
    scores["samples"] = _samples(model, test, found, voxels, settings.pictures, random)
    scores |= _loop(model, data, latent[: settings.solved], voxels[: settings.solved])
    scores["others"] = {
        Path(other).stem: _other(model, Path(other), porosity_only, random)
        for other in settings.others
    }
    plot_parity(
        PLOTS / "parity.png",
        model.names,
        model.units,
        test.properties,
        found["properties"],
        reference,
    )
    shown = np.argsort(test.porosity)[
        np.linspace(0, len(test.porosity) - 1, settings.pictures).astype(int)
    ]
    plot_slices(
        PLOTS / "reconstruction.png", test.voxels[shown], model.reconstruct(test.voxels[shown])
    )
    strength = next((i for i, name in enumerate(model.names) if name.startswith("yield")), 0)
    label = f"{model.names[strength]} [{model.units[strength]}]"
    plot_latent(
        PLOTS / "latent.png",
        found["latent_mean"],
        test.porosity,
        test.properties[:, strength],
        label,
    )
    plot_losses(PLOTS / "losses.png", pd.read_csv(HISTORY))
    METRICS.write_text(json.dumps(scores, indent=1) + "\n")
    CARD.write_text(model_card(model.contract, scores))

    trained = json.loads(TRAINED.read_text())["run_id"]
    with tracking.run("evaluate", trained) as run_id:
        if run_id != trained:  # the model was trained under another store
            tracking.log_params({"train": model.contract["train"]})
        tracking.log_scores(tracking.flatten(scores))
        tracking.log_dataset(
            Path(split.dataset).name, split.dataset, split.dataset_digest, test.properties, "test"
        )
        tracking.log_folder(PLOTS, "plots")
        tracking.log_file(METRICS)
        tracking.log_file(CARD)
    RUN.write_text(json.dumps({"run_id": run_id}) + "\n")


def _samples(
    model: LatentModel,
    test: assess.Subset,
    found: dict,
    voxels: np.ndarray,
    pictures: int,
    random: np.random.Generator,
) -> dict:
    """Scores of samples of the aggregate posterior, `voxels`, and of as many of the prior; their
    picture, two-point correlations.
    """
    prior = Posterior.prior(model.latent_dim).sample(len(voxels), random)
    drawn = {"posterior": voxels, "prior": draw(model.decode(prior), model.grain, random)}
    plot_samples(PLOTS / "samples.png", test.voxels[:], voxels, pictures, random)
    size = model.voxel_size or 1.0
    correlation = pd.DataFrame(
        {
            "distance": np.arange(model.n // 2 + 1) * size,
            "truth": found["s2_truth"].mean(axis=0),
            "reconstruction": found["s2_reconstruction"].mean(axis=0),
            "samples": metrics.two_point_correlation(voxels),
            "prior": metrics.two_point_correlation(drawn["prior"]),
        }
    )
    correlation.to_csv(PLOTS / "two_point.csv", index=False)
    plot_two_point(PLOTS / "two_point.png", correlation, "um" if model.voxel_size else "voxels")
    return {name: assess.sample_scores(test, cubes, random) for name, cubes in drawn.items()}


def _loop(model: LatentModel, data: SVEDataset, latent: np.ndarray, voxels: np.ndarray) -> dict:
    """R2 of what the predictor says of sampled latent vectors against what the solver says of the
    SVEs decoded from them.
    """
    found = close_loop(model, data, latent, voxels) if len(voxels) else None
    if found is None:
        return {}
    solved, predicted = found
    plot_closed_loop(PLOTS / "loop.png", model.names, model.units, solved, predicted)
    r2 = metrics.r2(solved, predicted)
    return {
        "loop_mean_r2": float(r2.mean()),
        "loop_r2": dict(zip(model.names, map(float, r2), strict=True)),
        "loop_sves": len(solved),
    }


def _other(
    model: LatentModel, path: Path, porosity_only: PorosityBaseline, random: np.random.Generator
) -> dict:
    """Property and voxel scores on all SVEs of another file, e.g. of another pore generator. Raises
    ConfigError where it does not fit.
    """
    data = open_dataset(path)
    if (data.n, data.names) != (model.n, model.names):
        expected = f"SVEs of n = {model.n} with {', '.join(model.names)}"
        raise ConfigError(
            f"evaluate.others: {path}: expected {expected}, received n = {data.n} with"
            f" {', '.join(data.names)}"
        )
    held = assess.Subset.read(data, np.arange(data.count))
    found = assess.run_model(model, held, float(held.porosity.mean()), random)
    return assess.property_scores(
        model.names, held.properties, found, porosity_only.predict(held.porosity)
    ) | {"bce_ratio": float(found["bce"].mean() / found["constant_bce"].mean())}
