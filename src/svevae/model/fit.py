"""The one training loop, shared by train and search: progress, early stopping, checkpoints that
survive kill -9.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from tqdm import tqdm

from svevae.config import Train
from svevae.dataset.batches import Batches, PackedVoxels
from svevae.dataset.split import Split
from svevae.dataset.store import LabelledDataset
from svevae.errors import TrainingError
from svevae.model import metrics
from svevae.model.losses import property_loss
from svevae.model.start import start_from_statistics
from svevae.model.vae import Trainer, build_vae, compile_trainer, learning_rate

TERMS = ("reconstruction", "kl", "property")


def set_up(
    config: Train, seed: int, split: Split, data: LabelledDataset, fraction: float = 1.0
) -> tuple[Trainer, Batches, Batches]:
    """A fresh model in its trainer, the training and the validation batches: all that `fit` needs,
    from the seed alone.

    With a `fraction` below 1 the training batches hold so many of the training SVEs, a random
    choice that is the same for all seeds.
    """
    index = split.index("train", data.part_id)
    count = max(1, round(fraction * len(index)))
    index = np.sort(np.random.default_rng(len(index)).permutation(index)[:count])
    keras.utils.set_random_seed(seed)
    vae = build_vae(config, data.n, np.array(split.mean), np.array(split.std))
    train = Batches(
        data, index, config.batch_size, seed, shuffle=True, augmentation=config.augmentation
    )
    start_from_statistics(
        vae, train.voxels, train.properties, np.array(split.mean), np.array(split.std)
    )
    validation = Batches(data, split.index("validation", data.part_id), config.batch_size)
    return compile_trainer(vae, config, np.array(split.std), len(train)), train, validation


def regressor_scores(
    config: Train, seed: int, split: Split, data: LabelledDataset, epochs: int
) -> dict[str, Any]:
    """R2 on the test parts of encoder and predictor trained for the properties alone: the ceiling
    of a latent code of that size.

    The best of `epochs` by the validation parts; keys regressor_mean_r2 and regressor_r2 by
    property.
    """
    config = replace(config, epochs=epochs)
    trainer, train, validation = set_up(config, seed, split, data)
    std = np.array(split.std, np.float32)
    trainer.vae.get_layer("encoder").get_layer(
        "latent_log_var"
    ).trainable = False  # which has no part in it
    regressor = keras.Model(trainer.vae.input, trainer.vae.output["properties"])
    optimizer = keras.optimizers.AdamW(
        learning_rate(config, len(train)), weight_decay=config.weight_decay
    )
    regressor.compile(
        optimizer,
        loss=lambda true, found: property_loss(true, found, std),
        jit_compile=trainer.jit_compile,
    )
    best, weights = math.inf, regressor.get_weights()
    for epoch in tqdm(
        range(epochs), unit="epoch", desc="regressor", disable=not sys.stderr.isatty()
    ):
        train.start_epoch(epoch)
        reseed(trainer.vae, seed, epoch)
        history = regressor.fit(train, validation_data=validation, shuffle=False, verbose=0).history
        if history["val_loss"][0] < best:
            best, weights = history["val_loss"][0], regressor.get_weights()
    regressor.set_weights(weights)
    index = split.index("test", data.part_id)
    found = np.concatenate(
        [regressor.predict(cubes, verbose=0) for cubes in PackedVoxels(data, index).blocks()]
    )
    r2 = metrics.r2(data.properties[index].astype(np.float64), found.astype(np.float64))
    return {
        "regressor_mean_r2": float(r2.mean()),
        "regressor_r2": dict(zip(data.names, map(float, r2), strict=True)),
    }


@dataclass
class Progress:
    """Where a training stands after each epoch. `history` holds a dictionary of numbers an epoch;
    epochs count from 0.
    """

    fingerprint: str
    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = -1
    run_id: str | None = None

    @property
    def best_loss(self) -> float:
        return self.history[self.best_epoch]["val_loss"] if self.history else math.inf

    def is_over(self, epochs: int, patience: int) -> bool:
        """Whether all epochs are done, or the last `patience` of them brought no better validation
        objective.
        """
        return len(self.history) >= epochs or (
            bool(self.history) and len(self.history) - 1 - self.best_epoch >= patience
        )


class Checkpoint:
    """Weights, optimizer state, best weights and `Progress`, in one .npz file that is always whole
    (written beside, renamed).
    """

    def __init__(self, path: Path | None, trainer: Trainer, fingerprint: str):
        """`fingerprint` names configuration, data and code: a file left by another one is ignored
        and written over.

        Without a path all stays in memory.
        """
        self.path, self.trainer = path, trainer
        self.progress = Progress(fingerprint)
        self.best: list[np.ndarray] = []

    def restore(self) -> Progress:
        """Put the trainer where the file left it; without a usable file it stays as it is."""
        if self.path is None or not self.path.is_file():
            return self.progress
        with np.load(self.path) as arrays:
            progress = json.loads(str(arrays["progress"]))
            if progress["fingerprint"] != self.progress.fingerprint:
                return self.progress
            self.progress = Progress(**progress)
            if self.progress.history:
                for name, variables in self._variables().items():
                    for i, variable in enumerate(variables):
                        variable.assign(arrays[f"{name}/{i}"])
                self.best = [arrays[f"best/{i}"] for i in range(len(self.trainer.vae.weights))]
        return self.progress

    def save(self) -> None:
        if self.path is None:
            return
        arrays = {
            f"{name}/{i}": keras.ops.convert_to_numpy(variable)
            for name, variables in self._variables().items()
            for i, variable in enumerate(variables)
        }
        arrays |= {f"best/{i}": array for i, array in enumerate(self.best)}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_suffix(".part")
        with open(beside, "wb") as file:
            np.savez(file, progress=json.dumps(vars(self.progress)), **arrays)
        os.replace(beside, self.path)

    def keep_best(self) -> None:
        self.best = [
            np.array(keras.ops.convert_to_numpy(weight)) for weight in self.trainer.vae.weights
        ]

    def _variables(self) -> dict[str, list[Any]]:
        return {"weight": self.trainer.weights, "optimizer": self.trainer.optimizer.variables}


def fit(
    trainer: Trainer,
    train: Batches,
    validation: Batches,
    epochs: int,
    patience: int,
    seed: int,
    checkpoint: Checkpoint,
    on_epoch: Callable[[int, dict[str, float]], None] = lambda epoch, numbers: None,
) -> Progress:
    """Train until `epochs` or until the weighted validation objective has not improved for
    `patience` epochs.

    Goes on from `checkpoint` (already restored) and ends with the weights of the best validation
    epoch. `on_epoch` receives the epoch's number and its figures: each term for training and (val_)
    validation, their weighted sum `loss`, SVE/s. Raises TrainingError at the first step whose loss
    is not finite.
    """
    progress = checkpoint.progress
    if not progress.is_over(epochs, patience):
        loop = _Epochs(train, checkpoint, patience, seed, epochs, on_epoch)
        # shuffle=False: `train` deals its own batches; Keras would deal them anew from a random
        # state that no checkpoint holds.
        trainer.fit(
            train,
            validation_data=validation,
            initial_epoch=len(progress.history),
            epochs=epochs,
            shuffle=False,
            verbose=0,
            callbacks=[loop],
        )
    for weight, best in zip(trainer.vae.weights, checkpoint.best, strict=True):
        weight.assign(best)
    return progress


class _Epochs(keras.callbacks.Callback):
    """What happens around Keras's own steps."""

    def __init__(
        self,
        train: Batches,
        checkpoint: Checkpoint,
        patience: int,
        seed: int,
        epochs: int,
        on_epoch: Callable[[int, dict[str, float]], None],
    ):
        super().__init__()
        self.train, self.checkpoint, self.seed, self.on_epoch = train, checkpoint, seed, on_epoch
        self.epochs, self.patience = epochs, patience
        done = len(checkpoint.progress.history) * len(train)
        self.bar = tqdm(
            total=epochs * len(train) * train.batch_size,
            initial=done * train.batch_size,
            unit="SVE",
            desc="train",
            smoothing=0.05,
            dynamic_ncols=True,
            disable=not sys.stderr.isatty(),
        )

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.train.start_epoch(epoch)
        reseed(self.model.vae, self.seed, epoch)
        self.started = time.perf_counter()

    def on_train_batch_end(self, step: int, logs: dict[str, float] | None = None) -> None:
        self.train_seconds = time.perf_counter() - self.started
        self.bar.update(self.train.batch_size)
        if not all(math.isfinite(value) for value in logs.values()):
            self._stop_not_finite(step, logs)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        numbers = {name: float(value) for name, value in logs.items()}
        if not math.isfinite(numbers["val_loss"]):  # a kernel of NaN may show in validation first
            self._stop_not_finite(len(self.train) - 1, numbers, "val_")
        numbers["sve_per_second"] = len(self.train) * self.train.batch_size / self.train_seconds
        progress = self.checkpoint.progress
        improved = numbers["val_loss"] < progress.best_loss
        progress.history.append(numbers)
        if improved or progress.best_epoch < 0:
            progress.best_epoch = epoch
            self.checkpoint.keep_best()
        self.checkpoint.save()
        self.on_epoch(epoch, numbers)
        self._report(epoch, numbers)
        self.model.stop_training = progress.is_over(self.epochs, self.patience)

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        self.bar.close()

    def _report(self, epoch: int, numbers: dict[str, float]) -> None:
        line = ", ".join(f"{term} {numbers[f'val_{term}']:.4g}" for term in TERMS)
        if self.bar.disable:  # no terminal to draw on: a line an epoch
            left = (self.epochs - epoch - 1) * (time.perf_counter() - self.started)
            rate = numbers["sve_per_second"]
            loss = f"validation loss {numbers['val_loss']:.5g}: {line}"
            print(
                f"epoch {epoch + 1}: {rate:.0f} SVE/s, at most {left / 60:.1f} min left; {loss}",
                file=sys.stderr,
                flush=True,
            )
        else:
            self.bar.set_postfix_str(f"epoch {epoch + 1}, validation {line}")

    def _stop_not_finite(self, step: int, logs: dict[str, float], prefix: str = "") -> None:
        self.bar.close()
        names = [prefix + name for name in (*TERMS, "loss")]
        bad = [f"{name} = {logs[name]}" for name in names if not math.isfinite(logs[name])]
        optimizer = self.model.optimizer
        raise TrainingError(
            f"the loss is not finite at step {int(optimizer.iterations)} (epoch"
            f" {len(self.checkpoint.progress.history) + 1}, batch {step + 1}): {', '.join(bad)}, at"
            f" a learning rate of {float(optimizer.learning_rate):.3g}; lower train.learning_rate"
        )


def reseed(model: keras.Model, seed: int, epoch: int) -> None:
    """Start each random layer anew from (seed, epoch, layer), so that an epoch does not depend on
    those before it.
    """
    for i, layer in enumerate(model._flatten_layers()):
        generator = getattr(layer, "seed_generator", None)
        if generator is not None:
            state = np.random.SeedSequence([seed, epoch, i]).generate_state(2)
            generator.state.assign(state.astype(np.uint32))
