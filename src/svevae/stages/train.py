"""train: fit the VAE on the training parts, stop by the validation parts; the test parts are never read."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import keras
import pandas as pd
import yaml

from svevae import __version__, tracking
from svevae.config import Params, with_found
from svevae.dataset.digest import file_md5, text_md5
from svevae.dataset.split import Split
from svevae.dataset.store import SVEDataset, open_dataset
from svevae.errors import ConfigError
from svevae.model.fit import Checkpoint, fit, set_up
from svevae.model.latent import save_folder
from svevae.model.vae import parameter_count

SPLIT = Path("artifacts/split/split.json")
BEST = Path("artifacts/search/best.yaml")
FOLDER = Path("artifacts/model")
HISTORY = Path("artifacts/training.csv")
RUN = Path("artifacts/run.json")
CHECKPOINT = Path(".checkpoints/train.npz")  # no out of DVC's, which would delete it before a stage runs again


def train(params: Params) -> None:
    """Read the split and its dataset; write artifacts/model, training.csv and run.json. Raises DataError, ConfigError, TrainingError."""
    params, found = _laid_over(params)
    config, seed = params.train, params.base.seed
    split = Split.load(SPLIT)
    data = open_dataset(split.dataset)
    trainer, batches, validation = set_up(config, seed, split, data)
    vae = trainer.vae
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
        tracking.set_tags(found)
        for epoch, numbers in enumerate([] if continued else progress.history):
            tracking.log_epoch(epoch, numbers)
        fit(trainer, batches, validation, config.epochs, config.patience, seed, checkpoint, tracking.log_epoch)
        best = progress.best_epoch + 1
        tracking.log_scores({"best_epoch": best, "epochs": len(progress.history)})
        _write(vae, params, split, data, progress.history, run_id, found)
        tracking.log_file(HISTORY)
    print(f"best validation objective {progress.best_loss:.5g} at epoch {best} of {len(progress.history)}; MLflow run {run_id}")


def _laid_over(params: Params) -> tuple[Params, dict[str, str]]:
    """`params` with what the search found in `train`, and tags that name the trial it comes from; as they are without `from_search`.

    Raises ConfigError where the search has left nothing.
    """
    if not params.train.from_search:
        return params, {}
    if not BEST.is_file():
        raise ConfigError(f"{BEST}: expected what the search found, found nothing; run `dvc repro search`, or set train.from_search: false")
    best = yaml.safe_load(BEST.read_text())
    config = with_found(params.train, best)
    changed = [f"{key} {value}" for key, value in dataclasses.asdict(config).items() if value != getattr(params.train, key)]
    print(f"from the search: {', '.join(changed) or 'params.yaml as it is'}")
    tags = {f"svevae.{key}": str(best[key]) for key in ("study", "trial", "trial_run_id", "study_run_id")}
    return dataclasses.replace(params, train=config), tags


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


def _write(
    vae: keras.Model,
    params: Params,
    split: Split,
    data: SVEDataset,
    history: list[dict[str, float]],
    run_id: str,
    found: dict[str, str],
) -> None:
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
        "search": found,
    }
    save_folder(FOLDER, vae, contract)
    table = pd.DataFrame(history)
    table.insert(0, "epoch", range(1, len(table) + 1))
    table.to_csv(HISTORY, index=False)
    RUN.write_text(json.dumps({"run_id": run_id}) + "\n")
