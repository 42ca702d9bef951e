"""train: fit the VAE on the training parts, stop by the validation parts; the test parts are never
read.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import keras
import pandas as pd

from svevae import tracking
from svevae.config import Params, with_found
from svevae.dataset.digest import file_md5, text_md5
from svevae.dataset.split import Split
from svevae.dataset.store import LabelledDataset, open_dataset
from svevae.errors import ConfigError
from svevae.files import write_text, written_whole
from svevae.model.calibrate import calibrate, contract_of_training
from svevae.model.checkpoint import Checkpoint
from svevae.model.fit import fit, set_up, suited
from svevae.model.latent import LatentModel, save_folder
from svevae.model.vae import parameter_count
from svevae.search.found import BEST, read_found

SPLIT = Path("artifacts/split/split.json")
FOLDER = Path("artifacts/model")
HISTORY = Path("artifacts/training.csv")
RUN = Path("artifacts/run.json")
# No out of DVC's, which would delete it before a stage runs again.
CHECKPOINT = Path(".checkpoints/train.npz")


def train(params: Params) -> None:
    """Read the split and its dataset; write artifacts/model, training.csv and run.json. Raises
    DataError, ConfigError, TrainingError.
    """
    params, search = _with_search(params)
    split = Split.load(SPLIT)
    data = open_dataset(split.dataset)
    config, seed = suited(params.train, data), params.base.seed
    for left in [name for name in params.train.augmentation if name not in config.augmentation]:
        print(f"train.augmentation: {left} is left out: the data lack a label along x or y")
    if config != params.train:
        params = dataclasses.replace(params, train=config)
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
        tracking.set_tags(search)
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
        contract = contract_of_training(config, seed, split, data, search)
        model = LatentModel(vae, contract)
        posterior, grain = calibrate(model, batches.voxels, validation, config, seed)
        save_folder(FOLDER, vae, dataclasses.replace(contract, grain=grain), posterior)
        _write_history(progress.history)
        write_text(RUN, json.dumps({"run_id": run_id}) + "\n")
        tracking.log_file(HISTORY)
    print(
        f"best validation objective {progress.best_loss:.5g} at epoch {best} of"
        f" {len(progress.history)}; MLflow run {run_id}"
    )


def _with_search(params: Params) -> tuple[Params, dict[str, str]]:
    """`params` with what the search found in `train`, and tags that name the trial it comes from;
    without `from_search`, `params` as they are and no tags.

    Raises ConfigError where the search has left nothing.
    """
    if not params.train.from_search:
        return params, {}
    if not BEST.is_file():
        raise ConfigError(
            f"{BEST}: expected what the search found, found nothing; run `dvc repro search`, or set"
            " train.from_search: false"
        )
    best = read_found(BEST)
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
    """What a run must have in common with a checkpoint to go on from it: seed, backend,
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
        SPLIT.read_text(encoding="utf-8"),
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


def _write_history(history: list[dict[str, float]]) -> None:
    table = pd.DataFrame(history)
    table.insert(0, "epoch", range(1, len(table) + 1))
    with written_whole(HISTORY) as beside:
        table.to_csv(beside, index=False)
