"""svevae as a contender, in .venv: the real trainer on the real batches, and what input and
tracking add to an epoch.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from clock import train_round
from workers import THREADS, serve

from svevae.config import Train
from svevae.dataset.batches import Batches
from svevae.dataset.split import Split
from svevae.dataset.store import open_dataset
from svevae.model.checkpoint import Checkpoint
from svevae.model.fit import TERMS
from svevae.model.vae import Trainer, build_vae, compile_trainer, parameter_count

REPEATS = 5  # measurements of what happens once an epoch


def once_an_epoch(trainer: Trainer, batches: Batches) -> dict[str, float]:
    """Seconds an epoch for its batches (one thread, nothing beside it), for its figures in MLflow,
    for its checkpoint.
    """
    numbers = {f"{part}{term}": 1.0 for part in ("", "val_") for term in (*TERMS, "loss")} | {
        "sve_per_second": 1.0
    }
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/mlflow.db"
        from svevae import tracking  # only here: mlflow has threads of its own

        checkpoint = Checkpoint(Path(folder) / "train.npz", trainer, "benchmark")

        def make_batches(epoch: int) -> None:
            batches.start_epoch(epoch)
            for i in range(len(batches)):
                batches[i]

        def save(epoch: int) -> None:
            checkpoint.keep_best()  # as in an epoch that improves, the dearer one
            checkpoint.save()

        with tracking.run("benchmark"):
            return {
                "input_seconds": median_seconds(make_batches),
                "log_epoch_seconds": median_seconds(
                    lambda epoch: tracking.log_epoch(epoch, numbers)
                ),
                "checkpoint_seconds": median_seconds(save),
            }


def median_seconds(action: Callable[[int], None]) -> float:
    """Median of `REPEATS` calls behind a first that does not count."""
    seconds = []
    for epoch in range(REPEATS + 1):
        started = time.perf_counter()
        action(epoch)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[1:])


def start(setup: dict[str, Any]) -> tuple[dict[str, Any], Callable[..., dict[str, Any]]]:
    """The trainer of `setup`: the parameters of `train`, the file of the split, the seed."""
    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    tf.config.threading.set_inter_op_parallelism_threads(THREADS)
    config, split, seed = Train(**setup["train"]), Split.load(Path(setup["split"])), setup["seed"]
    data = open_dataset(split.dataset)
    keras.utils.set_random_seed(seed)
    vae = build_vae(config, data.n, np.array(split.mean), np.array(split.std))
    batches = Batches(
        data,
        split.index("train", data.part_id),
        config.batch_size,
        seed,
        shuffle=True,
        augmentation=config.augmentation,
    )
    trainer = compile_trainer(vae, config, np.array(split.std), len(batches))

    def answer(**request: Any) -> dict[str, Any]:
        return (
            train_round(trainer, batches, **request) if request else once_an_epoch(trainer, batches)
        )

    versions = {"tensorflow": tf.__version__, "keras": keras.__version__}
    return {
        "parameters": parameter_count(vae),
        "steps_per_epoch": len(batches),
        "versions": versions,
    }, answer


if __name__ == "__main__":
    serve(start)
