"""evaluate: scores on the test parts beside the porosity-only baseline, and the pictures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from svevae import tracking
from svevae.config import Params
from svevae.dataset.batches import PackedVoxels
from svevae.dataset.split import Split
from svevae.dataset.store import open_dataset
from svevae.model import metrics
from svevae.model.latent import LatentModel, load_folder, sigmoid
from svevae.model.losses import kl_divergence
from svevae.pictures import draw_correlation, draw_latent, draw_losses, draw_parity, draw_slices

SPLIT = Path("artifacts/split/split.json")
MODEL = Path("artifacts/model")
HISTORY = Path("artifacts/training.csv")
TRAINED = Path("artifacts/run.json")
FOLDER = Path("artifacts/evaluation")
PLOTS = FOLDER / "plots"
METRICS = FOLDER / "metrics.json"
RUN = FOLDER / "run.json"  # the training run, or a new one where that is not in the store
BLOCK = 256  # SVEs at a time


def evaluate(params: Params) -> None:
    """Read split, dataset and artifacts/model; write artifacts/evaluation and log it to the run that trained. Raises DataError."""
    split = Split.load(SPLIT)
    data = open_dataset(split.dataset)
    model = load_folder(MODEL)
    train, test = (split.index(subset, data.part_id) for subset in ("train", "test"))
    train_porosity = _porosity(PackedVoxels(data, train))
    baseline = metrics.PorosityBaseline(train_porosity, data.properties[train])
    voxels, true = PackedVoxels(data, test), data.properties[test].astype(np.float64)
    porosity = _porosity(voxels)
    found = _run_model(model, voxels, float(train_porosity.mean()), np.random.default_rng(params.base.seed), params.evaluate.samples)
    predicted = found["properties"]
    reference = baseline.predict(porosity)
    scores = _scores(model.names, true, predicted, reference, found)

    PLOTS.mkdir(parents=True, exist_ok=True)
    draw_parity(PLOTS / "parity.png", model.names, model.units, true, predicted, reference)
    shown = np.linspace(0, len(test) - 1, params.evaluate.pictures).astype(int)
    shown = np.argsort(porosity)[shown]
    draw_slices(PLOTS / "reconstruction.png", voxels[shown], model.reconstruct(voxels[shown]))
    strength = next((i for i, name in enumerate(model.names) if name.startswith("yield")), 0)
    label = f"{model.names[strength]} [{model.units[strength]}]"
    draw_latent(PLOTS / "latent.png", found["latent_mean"], porosity, true[:, strength], label)
    draw_losses(PLOTS / "losses.png", pd.read_csv(HISTORY))
    size = model.voxel_size or 1.0
    correlation = pd.DataFrame(
        {
            "distance": np.arange(model.n // 2 + 1) * size,
            "truth": found["s2_truth"],
            "reconstruction": found["s2_reconstruction"],
            "samples": found["s2_samples"],
        }
    )
    correlation.to_csv(PLOTS / "two_point.csv", index=False)
    draw_correlation(PLOTS / "two_point.png", correlation, "um" if model.voxel_size else "voxels")
    METRICS.write_text(json.dumps(scores, indent=1) + "\n")

    trained = json.loads(TRAINED.read_text())["run_id"]
    with tracking.run("evaluate", trained) as run_id:
        if run_id != trained:  # the model was trained under another store
            tracking.log_params({"train": model.contract["train"]})
        tracking.log_scores(tracking.flatten(scores))
        tracking.log_dataset(Path(split.dataset).name, split.dataset, split.dataset_digest, true, "test")
        tracking.log_folder(PLOTS, "plots")
        tracking.log_file(METRICS)
    RUN.write_text(json.dumps({"run_id": run_id}) + "\n")


def _porosity(voxels: PackedVoxels) -> np.ndarray:
    blocks = range(0, len(voxels), BLOCK)
    return np.concatenate([voxels[slice(i, i + BLOCK)].mean((1, 2, 3), dtype=np.float64) for i in blocks])


def _run_model(model: LatentModel, voxels: PackedVoxels, mean_porosity: float, random: np.random.Generator, samples: int) -> dict:
    """Everything that needs the voxels, a block at a time: what the model gives, and sums over voxels of what it is judged by.

    Reconstructions and samples of the prior enter the two-point correlation binarised at their own porosity.
    """
    kept: dict[str, list] = {"properties": [], "latent_mean": [], "kl": [], "bce": [], "constant_bce": []}
    dice, correlation = np.zeros(2), {"truth": 0.0, "reconstruction": 0.0}
    for start in range(0, len(voxels), BLOCK):
        cubes = voxels[slice(start, start + BLOCK)]
        found = model.model.predict(cubes, batch_size=model.batch_size, verbose=0)
        logits = found["logits"]
        kept["properties"].append(found["properties"].astype(np.float64))
        kept["latent_mean"].append(found["latent_mean"])
        kept["kl"].append(np.asarray(kl_divergence(found["latent_mean"], found["latent_log_var"])))
        kept["bce"].append(metrics.voxel_cross_entropy(cubes, logits))
        kept["constant_bce"].append(metrics.constant_cross_entropy(cubes.mean((1, 2, 3), dtype=np.float64), mean_porosity, model.n))
        dice += metrics.overlap(cubes, logits)
        for key, fields in (("truth", cubes), ("reconstruction", metrics.binarise(sigmoid(logits)))):
            correlation[key] = correlation[key] + len(cubes) * metrics.two_point_correlation(fields)
    probability = model.decode(random.standard_normal((samples, model.latent_dim)))
    result = {key: np.concatenate(blocks) for key, blocks in kept.items()}
    result["dice"] = dice[0] / dice[1] if dice[1] else 1.0
    result["s2_samples"] = metrics.two_point_correlation(metrics.binarise(probability))
    return result | {f"s2_{key}": total / len(voxels) for key, total in correlation.items()}


def _scores(names: tuple[str, ...], true: np.ndarray, predicted: np.ndarray, reference: np.ndarray, found: dict) -> dict:
    r2, porosity_r2 = metrics.r2(true, predicted), metrics.r2(true, reference)
    bce, constant = float(found["bce"].mean()), float(found["constant_bce"].mean())

    def named(values: np.ndarray) -> dict[str, float]:
        return dict(zip(names, map(float, values), strict=True))

    return {
        "mean_r2": float(r2.mean()),
        "porosity_only_mean_r2": float(porosity_r2.mean()),
        "r2": named(r2),
        "porosity_only_r2": named(porosity_r2),
        "mae": named(metrics.mean_absolute_error(true, predicted)),
        "porosity_only_mae": named(metrics.mean_absolute_error(true, reference)),
        "bce": bce,
        "bce_constant_porosity": constant,
        "bce_ratio": bce / constant,
        "dice": float(found["dice"]),
        "kl": float(found["kl"].sum(axis=1).mean()),
        "active_units": metrics.active_units(found["latent_mean"]),
        "latent_dim": found["latent_mean"].shape[1],
    }
