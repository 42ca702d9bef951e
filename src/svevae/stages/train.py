"""train: fit the VAE on the training parts, stop by the validation parts; the test parts are never
read.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import yaml

from svevae import __version__, tracking
from svevae.config import Params, Train, with_found
from svevae.dataset.batches import Batches, PackedVoxels
from svevae.dataset.digest import file_md5, text_md5
from svevae.dataset.split import SUBSETS, Split
from svevae.dataset.store import LabelledDataset, label_record, open_dataset
from svevae.errors import ConfigError
from svevae.files import write_text, written_whole
from svevae.model.fit import Checkpoint, fit, set_up
from svevae.model.latent import LatentModel, save_folder
from svevae.model.posterior import Posterior, fit_posterior
from svevae.model.sampling import fit_grain
from svevae.model.uncertainty import fit_uncertainty
from svevae.model.vae import informed_units, parameter_count

SPLIT = Path("artifacts/split/split.json")
BEST = Path("artifacts/search/best.yaml")
FOLDER = Path("artifacts/model")
HISTORY = Path("artifacts/training.csv")
RUN = Path("artifacts/run.json")
GRAIN_SVES = 128  # validation SVEs that the grain of samples is fitted to
CHECKPOINT = Path(
    ".checkpoints/train.npz"
)  # no out of DVC's, which would delete it before a stage runs again


def train(params: Params) -> None:
    """Read the split and its dataset; write artifacts/model, training.csv and run.json. Raises
    DataError, ConfigError, TrainingError.
    """
    params, found = _laid_over(params)
    config, seed = params.train, params.base.seed
    split = Split.load(SPLIT)
    data = open_dataset(split.dataset)
    trainer, batches, validation = set_up(config, seed, split, data)
    vae = trainer.vae
    checkpoint = Checkpoint(CHECKPOINT, trainer, _fingerprint(params))
    progress = checkpoint.restore()
    if progress.history:
        print(
            f"goes on after epoch {len(progress.history)}, from {CHECKPOINT}; delete that file to"
            " train from the start"
        )
    print(
        f"{parameter_count(vae):,} parameters, Keras {keras.__version__} on"
        f" {keras.backend.backend()}: {_devices()}",
        flush=True,
    )
    name = f"{config.architecture}-{config.latent_dim}-seed{seed}"
    with tracking.run(name, progress.run_id) as run_id:
        continued = progress.run_id == run_id
        progress.run_id = run_id
        _log_start(params, split, data, parameter_count(vae))
        tracking.set_tags(found)
        for epoch, numbers in enumerate([] if continued else progress.history):
            tracking.log_epoch(epoch, numbers)
        fit(
            trainer,
            batches,
            validation,
            config.epochs,
            config.patience,
            seed,
            checkpoint,
            tracking.log_epoch,
        )
        best = progress.best_epoch + 1
        tracking.log_scores({"best_epoch": best, "epochs": len(progress.history)})
        contract = _contract(params, split, data, found)
        posterior, contract["grain"] = _fit_what_follows(
            LatentModel(vae, contract), batches.voxels, validation, split, config, seed
        )
        _write(vae, contract, posterior, progress.history, run_id)
        tracking.log_file(HISTORY)
    print(
        f"best validation objective {progress.best_loss:.5g} at epoch {best} of"
        f" {len(progress.history)}; MLflow run {run_id}"
    )


def _laid_over(params: Params) -> tuple[Params, dict[str, str]]:
    """`params` with what the search found in `train`, and tags that name the trial it comes from;
    as they are without `from_search`.

    Raises ConfigError where the search has left nothing.
    """
    if not params.train.from_search:
        return params, {}
    if not BEST.is_file():
        raise ConfigError(
            f"{BEST}: expected what the search found, found nothing; run `dvc repro search`, or set"
            " train.from_search: false"
        )
    best = yaml.safe_load(BEST.read_text())
    config = with_found(params.train, best)
    changed = [
        f"{key} {value}"
        for key, value in dataclasses.asdict(config).items()
        if value != getattr(params.train, key)
    ]
    print(f"from the search: {', '.join(changed) or 'params.yaml as it is'}")
    tags = {
        f"svevae.{key}": str(best[key])
        for key in ("study", "trial", "trial_run_id", "study_run_id")
    }
    return dataclasses.replace(params, train=config), tags


def _devices() -> str:
    return ", ".join(keras.distribution.list_devices())


def _fingerprint(params: Params) -> str:
    """What a checkpoint must have in common with a run to be gone on with: seed, backend,
    configuration, split and code.
    """
    package = Path(__file__).parents[1]
    code = [
        file_md5(path)
        for folder in ("model", "dataset")
        for path in sorted((package / folder).glob("*.py"))
    ]
    settings = [
        params.base.seed,
        keras.backend.backend(),
        dataclasses.asdict(params.train),
        SPLIT.read_text(),
        code,
    ]
    return text_md5(json.dumps(settings))


def _log_start(params: Params, split: Split, data: LabelledDataset, parameters: int) -> None:
    values = dataclasses.asdict(params)
    values = {section: values[section] for section in ("base", "prepare", "train")}
    values["base"]["backend"] = keras.backend.backend()
    values["model"] = {"n": data.n, "parameters": parameters, "properties": ",".join(data.names)}
    tracking.log_params(values)
    tracking.log_dataset(
        Path(split.dataset).name, split.dataset, split.dataset_digest, data.properties, "training"
    )
    tracking.log_environment()
    tracking.log_folder(SPLIT.parent, "split")


def _fit_what_follows(
    model: LatentModel,
    train: PackedVoxels,
    validation: Batches,
    split: Split,
    config: Train,
    seed: int,
) -> tuple[Posterior, float]:
    """What is fitted to a trained model: the predictor's uncertainty, in place; the aggregate
    posterior and the grain of its samples.
    """
    mean, std = (
        np.concatenate(found)
        for found in zip(*(model.encode(cubes) for cubes in train.blocks()), strict=True)
    )
    latent = np.concatenate([model.encode(cubes)[0] for cubes in validation.voxels.blocks()])
    scaler = np.array(split.mean), np.array(split.std)
    fit_uncertainty(
        model.model.get_layer("predictor"), (mean, std), latent, validation.properties, *scaler
    )
    chosen = np.linspace(0, len(latent) - 1, min(len(latent), GRAIN_SVES)).astype(int)
    grain = fit_grain(
        validation.voxels[chosen], model.decode(latent[chosen]), np.random.default_rng(seed)
    )
    return fit_posterior(mean, informed_units(config, len(split.names)), seed), grain


def _contract(
    params: Params, split: Split, data: LabelledDataset, found: dict[str, str]
) -> dict[str, Any]:
    """What a user of the model must know of it."""
    return {
        "svevae": __version__,
        "keras": keras.__version__,
        "backend": keras.backend.backend(),
        "names": split.names,
        "units": split.units,
        "mean": split.mean,
        "std": split.std,
        "n": data.n,
        "voxel_size": data.voxel_size,
        "latent_dim": params.train.latent_dim,
        "seed": params.base.seed,
        "train": dataclasses.asdict(params.train),
        "dataset_digest": split.dataset_digest,
        "test_digest": split.test_digest,
        "search": found,
        "labels": label_record(
            data
        ),  # so that the solver can be asked about SVEs of the model where the data are not
        "data": {
            "file": split.dataset,
            "title": str(data.attributes.get("title", "")),
            "material": str(data.attributes.get("material", "")),
            "sves": {name: len(split.index(name, data.part_id)) for name in SUBSETS},
            "parts": {name: len(split.parts[name]) for name in SUBSETS},
        },
    }


def _write(
    vae: keras.Model,
    contract: dict[str, Any],
    posterior: Posterior,
    history: list[dict[str, float]],
    run_id: str,
) -> None:
    save_folder(FOLDER, vae, contract, posterior)
    table = pd.DataFrame(history)
    table.insert(0, "epoch", range(1, len(table) + 1))
    with written_whole(HISTORY) as beside:
        table.to_csv(beside, index=False)
    write_text(RUN, json.dumps({"run_id": run_id}) + "\n")
