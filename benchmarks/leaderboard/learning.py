"""How the networks learn: what they see in which order, the learning rate, a checkpoint an epoch.

It runs in the process of the network, in an environment that may have nothing but numpy beside it.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from svevae.files import load_arrays, save_arrays

BLOCK = 256  # SVEs predicted at a time
TASK, CHECKPOINT, PREDICTED = "task.npz", "checkpoint.npz", "predicted.npz"


@dataclass(frozen=True)
class Recipe:
    """How a network is trained. `model` are the arguments of the network; the learning rate rises
    to `rate` over the first epoch and falls to nothing as a cosine.
    """

    epochs: int
    rate: float
    model: dict[str, Any]
    batch: int = 32
    weight_decay: float = 1e-3
    seed: int = 0


class Learner(Protocol):
    """A network and its optimizer; voxels are (sve, n, n, n) float32, laws (sve, feature) and
    targets (sve, property), both standardised.
    """

    def step(self, voxels: np.ndarray, laws: np.ndarray, targets: np.ndarray, rate: float) -> float:
        """Learn from a batch; the mean squared error of its targets."""

    def predict(self, voxels: np.ndarray, laws: np.ndarray) -> np.ndarray:
        """(sve, property) the targets."""

    def state(self) -> dict[str, np.ndarray]:
        """All that training changes."""

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Go on from what `state` gave."""


@dataclass(frozen=True)
class Task:
    """What is to be learnt and predicted. Voxels are packed to bits (sve, byte); `targets` (turn,
    sve, property) are those of SVEs whose axis i was axis `turns[turn][i]` before.
    """

    n: int
    bits: np.ndarray
    laws: np.ndarray
    turns: np.ndarray
    targets: np.ndarray
    new_bits: np.ndarray
    new_laws: np.ndarray

    def cubes(self, bits: np.ndarray) -> np.ndarray:
        """(sve, n, n, n) uint8."""
        return np.unpackbits(bits, axis=1, count=self.n**3).reshape(-1, self.n, self.n, self.n)

    def batches(self, recipe: Recipe, epoch: int) -> Iterator[tuple[np.ndarray, ...]]:
        """Voxels, laws and targets of an epoch, which depend on the seed and the epoch alone: all
        SVEs but for those that fill no batch, mirrored, their axes in another order.
        """
        random = np.random.default_rng([recipe.seed, epoch])
        order = random.permutation(len(self.bits))
        for i in range(self.steps(recipe)):
            rows = order[i * recipe.batch : (i + 1) * recipe.batch]
            turn = random.integers(len(self.turns), size=len(rows))
            mirrored = random.random((len(rows), 3)) < 0.5
            cubes = [
                np.flip(cube.transpose(self.turns[k]), np.flatnonzero(axes))
                for cube, k, axes in zip(self.cubes(self.bits[rows]), turn, mirrored, strict=True)
            ]
            yield np.stack(cubes).astype(np.float32), self.laws[rows], self.targets[turn, rows]

    def steps(self, recipe: Recipe) -> int:
        """Batches in an epoch."""
        return max(1, len(self.bits) // recipe.batch)


def train(
    learner: Learner, task: Task, recipe: Recipe, checkpoint: Path, fingerprint: str
) -> Iterator[tuple[int, float]]:
    """Train, from the checkpoint on where there is one of this fingerprint; gives the steps done
    and the error of the batch after each, first those of an earlier call.
    """
    kept = load_arrays(checkpoint) or {}
    epochs = 0
    if str(kept.pop("fingerprint", "")) == fingerprint:
        epochs = int(kept.pop("epochs"))
        learner.restore(kept)
    steps = task.steps(recipe)
    yield epochs * steps, math.nan
    for epoch in range(epochs, recipe.epochs):
        for i, batch in enumerate(task.batches(recipe, epoch)):
            done = epoch * steps + i + 1
            yield done, learner.step(*batch, rate_at(done, steps, recipe))
        known = {"fingerprint": np.array(fingerprint), "epochs": np.array(epoch + 1)}
        save_arrays(checkpoint, learner.state() | known)


def rate_at(step: int, steps: int, recipe: Recipe) -> float:
    """The learning rate of a step, counted from 1, of `steps` an epoch."""
    left = math.cos(math.pi / 2 * (step - 1) / (steps * recipe.epochs)) ** 2
    return recipe.rate * min(1, step / steps) * left


def main(make: Callable[[Recipe, Task], Learner]) -> None:
    """Do the task of a folder; the arguments are the folder, the recipe and the fingerprint. After
    each step a line says how many are done, how many there are and the error.
    """
    folder, settings, fingerprint = Path(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3]
    recipe, arrays = Recipe(**settings), load_arrays(folder / TASK)
    assert arrays is not None
    task = Task(int(arrays.pop("n")), **arrays)
    learner = make(recipe, task)
    for done, error in train(learner, task, recipe, folder / CHECKPOINT, fingerprint):
        print(done, task.steps(recipe) * recipe.epochs, error, flush=True)
    starts = range(0, len(task.new_bits), BLOCK)
    predicted = [
        learner.predict(
            task.cubes(task.new_bits[start : start + BLOCK]).astype(np.float32),
            task.new_laws[start : start + BLOCK],
        )
        for start in starts
    ]
    save_arrays(folder / PREDICTED, {"predicted": np.concatenate(predicted)})
