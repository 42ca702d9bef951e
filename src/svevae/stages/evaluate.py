"""evaluate: scores on the test parts beside baselines, samples beside real SVEs, other data;
pictures.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from svevae import tracking
from svevae.config import Params, named_file
from svevae.dataset.split import Split
from svevae.dataset.store import LabelledDataset, open_dataset
from svevae.files import write_text, written_whole
from svevae.model import assess
from svevae.model.baselines import PorosityBaseline
from svevae.model.closed_loop import close_loop
from svevae.model.latent import LatentModel, load_folder
from svevae.model.metrics import two_point_correlation
from svevae.model.sampling import sample_sves
from svevae.model.scores import Scores
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
from svevae.words import headed

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
    that trained. Raises DataError, ConfigError.
    """
    split = Split.load(SPLIT)
    data = open_dataset(split.dataset)
    model = load_folder(MODEL)
    settings, seed = params.evaluate, params.base.seed
    others = _others(model, settings.others)
    random = np.random.default_rng(seed)
    train, test = (assess.subset(data, split, name) for name in ("train", "test"))
    porosity_only = PorosityBaseline(train.porosity, train.properties)
    reference = porosity_only.predict(test.porosity)
    outputs = assess.run_model(model, test, float(train.porosity.mean()), random)
    baselines = assess.baseline_scores(model.names, train, test, model.latent_dim)
    PLOTS.mkdir(parents=True, exist_ok=True)
    latent, voxels = sample_sves(model, settings.samples, random)
    samples = {"posterior": voxels, "prior": assess.prior_samples(model, len(voxels), random)}
    plot_samples(PLOTS / "samples.png", test.voxels[:], voxels, settings.pictures, random)
    sample_scores = {
        name: found
        for name, cubes in samples.items()
        if (found := assess.sample_scores(test, cubes, random)) is not None
    }
    loop = close_loop(model, data, latent[: settings.solved], voxels[: settings.solved])
    loop_r2 = loop.r2(model.names) if loop else None
    other_scores = {
        name: assess.other_scores(model, other, porosity_only, random)
        for name, other in others.items()
    }
    properties = assess.property_scores(model.names, test.properties, outputs, reference)
    scores = Scores(
        **vars(properties),
        **vars(assess.voxel_scores(model, outputs)),
        **vars(baselines),
        samples=sample_scores,
        loop_mean_r2=loop_r2.mean if loop_r2 else None,
        loop_r2=loop_r2.of if loop_r2 else None,
        loop_sves=int(loop.whole.sum()) if loop else None,
        others=other_scores,
    )
    _plot(model, test, outputs, reference, samples, settings.pictures)
    if loop:
        plot_closed_loop(PLOTS / "loop.png", model.names, model.units, loop.solved, loop.predicted)
    scores.save(METRICS)
    write_text(CARD, model_card(model.contract, scores))
    _log(split, model, scores, test.properties)
    print(_said(scores))


def _said(scores: Scores) -> str:
    """The scores in short, and where all of them are."""
    mean, porosity_only = (
        "none" if one is None else f"{one:.4f}"
        for one in (scores.mean_r2, scores.porosity_only_mean_r2)
    )
    return (
        f"test parts: mean R2 {mean}, by porosity alone {porosity_only}; voxel BCE {scores.bce:.0f}"
        f" nats an SVE, {scores.bce_ratio:.3f} of what a constant porosity costs; {CARD}, {METRICS}"
    )


def _others(model: LatentModel, names: tuple[str, ...]) -> dict[str, LabelledDataset]:
    """The files of `evaluate.others` by their stems; says which are left out, because they have
    SVEs of another size or other properties than the model. Raises ConfigError and DataError.
    """
    files = [named_file(name, "evaluate.others") for name in names]
    opened = {path.stem: open_dataset(path) for path in files}
    others = {}
    for stem, data in opened.items():
        if reason := assess.misfit(model, data):
            print(f"evaluate.others: left out: {reason}")
        else:
            others[stem] = data
    return others


def _plot(
    model: LatentModel,
    test: assess.Subset,
    outputs: assess.ModelOutputs,
    reference: np.ndarray,
    samples: dict[str, np.ndarray],
    pictures: int,
) -> None:
    """The pictures that need no random numbers, and the table of two-point correlations."""
    true = test.properties
    plot_parity(PLOTS / "parity.png", model.names, model.units, true, outputs.properties, reference)
    by_porosity = np.argsort(test.porosity)
    shown = by_porosity[np.linspace(0, len(by_porosity) - 1, pictures).astype(int)]
    plot_slices(
        PLOTS / "reconstruction.png", test.voxels[shown], model.reconstruct(test.voxels[shown])
    )
    strength = next((i for i, name in enumerate(model.names) if name.startswith("yield")), 0)
    label = headed(model.names[strength], model.units[strength])
    plot_latent(PLOTS / "latent.png", outputs.latent_mean, test.porosity, true[:, strength], label)
    plot_losses(PLOTS / "losses.png", pd.read_csv(HISTORY))
    correlation = pd.DataFrame(
        {
            "distance": np.arange(model.n // 2 + 1) * (model.voxel_size or 1.0),
            "truth": outputs.s2_truth.mean(axis=0),
            "reconstruction": outputs.s2_reconstruction.mean(axis=0),
            "samples": two_point_correlation(samples["posterior"]),
            "prior": two_point_correlation(samples["prior"]),
        }
    )
    with written_whole(PLOTS / "two_point.csv") as beside:
        correlation.to_csv(beside, index=False)
    plot_two_point(PLOTS / "two_point.png", correlation, "um" if model.voxel_size else "voxels")


def _log(split: Split, model: LatentModel, scores: Scores, properties: np.ndarray) -> None:
    """To the run that trained, or to a new one where the store does not have it."""
    trained = tracking.read_run_id(TRAINED)
    with tracking.run("evaluate", trained) as run_id:
        if run_id != trained:  # the model was trained under another store
            tracking.log_params({"train": model.contract.train})
        tracking.log_scores(tracking.flatten(scores.values()))
        name = Path(split.dataset).name
        tracking.log_dataset(name, split.dataset, split.dataset_digest, properties, "test")
        tracking.log_folder(PLOTS, "plots")
        tracking.log_file(METRICS)
        tracking.log_file(CARD)
    write_text(RUN, json.dumps({"run_id": run_id}) + "\n")
