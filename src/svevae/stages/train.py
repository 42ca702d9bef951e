"""train: fit the VAE on the training parts, stop by the validation parts; the test parts are never read."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from svevae import __version__, tracking
from svevae.config import Params
from svevae.dataset.batches import Batches
from svevae.dataset.digest import file_md5, text_md5
from svevae.dataset.split import Split
from svevae.dataset.store import SVEDataset, open_dataset
from svevae.model.fit import Checkpoint, fit
from svevae.model.latent import save_folder
from svevae.model.vae import build_vae, compile_trainer, parameter_count

SPLIT = Path("artifacts/split/split.json")
FOLDER = Path("artifacts/model")
HISTORY = Path("artifacts/training.csv")
RUN = Path("artifacts/run.json")
CHECKPOINT = Path(".checkpoints/train.npz")  # no out of DVC's, which would delete it before a stage runs again


def train(params: Params) -> None:
    """Read the split and its dataset; write artifacts/model, training.csv and run.json. Raises DataError, ConfigError, TrainingError."""
    config, seed = params.train, params.base.seed
    split = Split.load(SPLIT)
    data = open_dataset(split.dataset)
    keras.utils.set_random_seed(seed)
    vae = build_vae(config, data.n, np.array(split.mean), np.array(split.std))
    batches = Batches(data, split.index("train", data.part_id), config.batch_size, seed, shuffle=True, augmentation=config.augmentation)
    validation = Batches(data, split.index("validation", data.part_id), config.batch_size)
    trainer = compile_trainer(vae, config, np.array(split.std), len(batches))
    checkpoint = Checkpoint(CHECKPOINT, trainer, _fingerprint(params))
    progress = checkpoint.restore()
    if progress.history:
        print(f"goes on after epoch {len(progress.history)}, from {CHECKPOINT}; delete that file to train from the start")
    print(f"{parameter_count(vae):,} parameters, Keras {keras.__version__} on {keras.backend.backend()}: {_devices()}", flush=True)
    name = f"{config.architecture}-{config.latent_dim}-seed{seed}"
    with tracking.run(name, progress.run_id) as run_id:
        continued = progress.run_id == run_id
        progress.run_id = run_id
        _log_start(params, split, data, parameter_count(vae))
        for epoch, numbers in enumerate([] if continued else progress.history):
            tracking.log_epoch(epoch, numbers)
        fit(trainer, batches, validation, config.epochs, config.patience, seed, checkpoint, tracking.log_epoch)
        best = progress.best_epoch + 1
        tracking.log_scores({"best_epoch": best, "epochs": len(progress.history)})
        _write(vae, params, split, data, progress.history, run_id)
        tracking.log_file(HISTORY)
    print(f"best validation objective {progress.best_loss:.5g} at epoch {best} of {len(progress.history)}; MLflow run {run_id}")


def _devices() -> str:
    return ", ".join(keras.distribution.list_devices())


def _fingerprint(params: Params) -> str:
    """What a checkpoint must have in common with a run to be gone on with: seed, backend, configuration, split and code."""
    package = Path(__file__).parents[1]
    code = [file_md5(path) for folder in ("model", "dataset") for path in sorted((package / folder).glob("*.py"))]
    settings = [params.base.seed, keras.backend.backend(), dataclasses.asdict(params.train), SPLIT.read_text(), code]
    return text_md5(json.dumps(settings))


def _log_start(params: Params, split: Split, data: SVEDataset, parameters: int) -> None:
    values = dataclasses.asdict(params)
    values = {section: values[section] for section in ("base", "prepare", "train")}
    values["base"]["backend"] = keras.backend.backend()
    values["model"] = {"n": data.n, "parameters": parameters, "properties": ",".join(data.names)}
    tracking.log_params(values)
    tracking.log_dataset(Path(split.dataset).name, split.dataset, split.dataset_digest, data.properties, "training")
    tracking.log_environment()
    tracking.log_folder(SPLIT.parent, "split")


def _write(vae: keras.Model, params: Params, split: Split, data: SVEDataset, history: list[dict[str, float]], run_id: str) -> None:
    contract = {
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
    }
    save_folder(FOLDER, vae, contract)
    table = pd.DataFrame(history)
    table.insert(0, "epoch", range(1, len(table) + 1))
    table.to_csv(HISTORY, index=False)
    RUN.write_text(json.dumps({"run_id": run_id}) + "\n")
