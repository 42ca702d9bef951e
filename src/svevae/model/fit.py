"""The one training loop, shared by train and search: properties first, then epochs with progress,
early stopping and a checkpoint each.
"""

from __future__ import annotations

import dataclasses
import math
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import keras
import numpy as np
from tqdm import tqdm

from svevae.dataset.batches import Batches, StatisticsBatches
from svevae.dataset.curves import read_curves
from svevae.dataset.store import LabelledDataset
from svevae.dataset.symmetry import AS_IS, TURNS, XY, turned_targets
from svevae.errors import TrainingError, blaming
from svevae.model.checkpoint import Checkpoint, Progress
from svevae.model.elastic import statistics_of, transposed
from svevae.model.predictor import Read
from svevae.model.property_path import freeze, scale_statistics, train_property_path
from svevae.model.vae import Trainer, build_vae, compile_trainer

if TYPE_CHECKING:  # the GPU kit trains without pydantic
    from svevae.config import Train
    from svevae.dataset.split import Split

TERMS = ("reconstruction", "kl", "property")
LEAST_SPREAD = 1e-6  # of a target over the training SVEs, which may be nearly the same for all


class Session(NamedTuple):
    """All that `fit` needs."""

    trainer: Trainer
    train: Batches
    validation: Batches


def set_up(
    config: Train, seed: int, split: Split, data: LabelledDataset, fraction: float = 1.0
) -> Session:
    """A fresh model in its trainer, the training and the validation batches, from the seed alone.

    With a `fraction` below 1 the training batches hold that share of the training SVEs, a random
    choice that is the same for all seeds. Raises ConfigError for an architecture that these data
    cannot have; an augmentation that they cannot have is left out (`suited`).
    """
    config = suited(config, data)
    curves = read_curves(data)
    index = split.index("train", data.part_id)
    count = max(1, round(fraction * len(index)))
    index = np.sort(np.random.default_rng(len(index)).permutation(index)[:count])
    keras.utils.set_random_seed(seed)
    with blaming("train."):
        train = Batches(data, index, config.batch_size, seed, True, config.augmentation, curves)
    validation = Batches(
        data, split.index("validation", data.part_id), config.batch_size, curves=curves
    )
    mean, std = np.array(split.mean), np.array(split.std)
    if curves is not None:
        targets = train.targets[AS_IS]
        mean, std = targets.mean(axis=0), np.maximum(targets.std(axis=0), LEAST_SPREAD)
    with blaming("train."):
        read = None if curves is None else Read(data.names, curves)
        vae = build_vae(config, data.n, mean, std, read)
    if config.elastic:
        orders = {turn: transposed(turn) for turn in TURNS}
        for batches in (train, validation):
            batches.know(statistics_of(batches.voxels), orders)
        scale_statistics(vae, train)
        freeze(vae)
    trainer = compile_trainer(vae, config, std, len(train))
    return Session(trainer, train, validation)


def learn_properties(trainer: Trainer, train: Batches, validation: Batches, seed: int) -> None:
    """Train the property path of a fresh model, where it has one."""
    if train.statistics is not None:
        scaler = trainer.vae.get_layer("predictor").get_layer("physical_units")
        mean, std = np.array(scaler.offset), np.array(scaler.scale)
        train_property_path(
            trainer.vae,
            StatisticsBatches(train, mean, std, True, seed),
            StatisticsBatches(validation, mean, std, False),
            trainer.config.property_epochs,
        )


def suited(config: Train, data: LabelledDataset) -> Train:
    """`config` without the augmentation swap_xy where SVEs whose axes change places so would have
    no labels.
    """
    if XY in turned_targets(data, np.arange(1), read_curves(data)):
        return config
    kept = tuple(name for name in config.augmentation if name != "swap_xy")
    return dataclasses.replace(config, augmentation=kept)


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
    if not progress.history:
        learn_properties(trainer, train, validation, seed)
    if not progress.is_over(epochs, patience):
        callback = _Epochs(train, checkpoint, patience, seed, epochs, on_epoch)
        # shuffle=False: `train` deals its own batches; Keras would deal them anew from a random
        # state that no checkpoint holds.
        trainer.fit(
            train,
            validation_data=validation,
            initial_epoch=len(progress.history),
            epochs=epochs,
            shuffle=False,
            verbose=0,
            callbacks=[callback],
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
        numbers = dict(logs or {})
        if not all(math.isfinite(value) for value in numbers.values()):
            self._stop_not_finite(step, numbers)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        numbers = {name: float(value) for name, value in (logs or {}).items()}
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
