"""Where a training stands after each epoch, in a file from which it goes on after kill -9."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from svevae.files import load_arrays, save_arrays
from svevae.model.vae import Trainer


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
    """Weights, optimizer state, best weights and `Progress`, in an .npz file that appears whole."""

    def __init__(self, path: Path | None, trainer: Trainer, fingerprint: str):
        """`fingerprint` names configuration, data and code: a file with another one is ignored and
        written over, and so is a damaged file, which is said.

        Without a path all stays in memory.
        """
        self.path, self.trainer = path, trainer
        self.progress = Progress(fingerprint)
        self.best: list[np.ndarray] = []

    def restore(self) -> Progress:
        """Put the trainer where the file left it; without a usable file it stays as it is."""
        if self.path is None or not self.path.exists():
            return self.progress
        arrays = load_arrays(self.path)
        progress = None if arrays is None else _read_progress(arrays)
        if arrays is None or progress is None:
            return self._anew()
        if progress.fingerprint != self.progress.fingerprint:
            return self.progress
        if progress.history:
            shapes = self._shapes()
            if any(n not in arrays or arrays[n].shape != shape for n, shape in shapes.items()):
                return self._anew()
            for name, variable in self._variables().items():
                variable.assign(arrays[name])
            self.best = [arrays[f"best/{i}"] for i in range(len(self.trainer.vae.weights))]
        self.progress = progress
        return progress

    def _anew(self) -> Progress:
        print(f"{self.path}: damaged; trains from the start")
        return self.progress

    def save(self) -> None:
        """Write the file."""
        if self.path is None:
            return
        arrays = {
            name: keras.ops.convert_to_numpy(variable)
            for name, variable in self._variables().items()
        }
        arrays |= {f"best/{i}": array for i, array in enumerate(self.best)}
        arrays["progress"] = np.array(json.dumps(vars(self.progress)))
        save_arrays(self.path, arrays)

    def keep_best(self) -> None:
        """Remember the weights as the best so far."""
        self.best = [
            np.array(keras.ops.convert_to_numpy(weight)) for weight in self.trainer.vae.weights
        ]

    def _variables(self) -> dict[str, Any]:
        """All that training changes, by its name in the file."""
        groups = {"weight": self.trainer.weights, "optimizer": self.trainer.optimizer.variables}
        return {
            f"{group}/{i}": variable
            for group, variables in groups.items()
            for i, variable in enumerate(variables)
        }

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        """What the file of an epoch holds beside the progress."""
        best = {f"best/{i}": weight for i, weight in enumerate(self.trainer.vae.weights)}
        return {
            name: tuple(variable.shape) for name, variable in (self._variables() | best).items()
        }


def _read_progress(arrays: Mapping[str, np.ndarray]) -> Progress | None:
    """What `Checkpoint.save` wrote of the progress; None where it is not that."""
    try:
        progress = Progress(**json.loads(str(arrays["progress"])))
        losses = [float(numbers["val_loss"]) for numbers in progress.history]
        best = -1 if not losses else progress.best_epoch
        return progress if best == progress.best_epoch < max(1, len(losses)) else None
    except (KeyError, TypeError, ValueError):
        return None
