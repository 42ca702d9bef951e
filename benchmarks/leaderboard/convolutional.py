"""A plain 3-D convolutional regressor in Keras: from voxels and the law to the properties."""

from __future__ import annotations

import keras
import numpy as np
from benchmarks.leaderboard.learning import Learner, Recipe, Task, main
from keras import layers


class Regressor(Learner):
    """A Keras model and its optimizer."""

    def __init__(self, recipe: Recipe, task: Task):
        keras.utils.set_random_seed(recipe.seed)
        sizes = task.n, task.laws.shape[-1], task.targets.shape[-1]
        self.model = build(*sizes, **recipe.model)
        optimizer = keras.optimizers.AdamW(recipe.rate, weight_decay=recipe.weight_decay)
        self.model.compile(optimizer, "mean_squared_error")
        optimizer.build(self.model.trainable_variables)

    def step(self, voxels: np.ndarray, laws: np.ndarray, targets: np.ndarray, rate: float) -> float:
        self.model.optimizer.learning_rate.assign(rate)
        return float(self.model.train_on_batch([voxels, laws], targets))

    def predict(self, voxels: np.ndarray, laws: np.ndarray) -> np.ndarray:
        return np.asarray(self.model.predict_on_batch([voxels, laws]))

    def state(self) -> dict[str, np.ndarray]:
        return {str(i): np.asarray(variable) for i, variable in enumerate(self._variables())}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        for i, variable in enumerate(self._variables()):
            variable.assign(state[str(i)])

    def _variables(self) -> list[keras.Variable]:
        return [*self.model.variables, *self.model.optimizer.variables]


def build(
    n: int, laws: int, properties: int, stem: int, grids: list[list[int]], dense: int
) -> keras.Model:
    """A strided convolution to half the grid; on each grid a convolution for each of its widths and
    a pooling to half of it; two dense layers, which see the law too.
    """
    voxels, law = keras.Input((n, n, n), name="voxels"), keras.Input((laws,), name="law")
    x = convolution(layers.Reshape((n, n, n, 1))(voxels), stem, 2)
    for widths in grids:
        for width in widths:
            x = convolution(x, width)
        x = layers.MaxPooling3D(2, padding="same")(x)
    x = layers.Concatenate()([layers.Flatten()(x), law])
    for _ in range(2):
        x = layers.Dense(dense, activation="relu")(x)
    return keras.Model([voxels, law], layers.Dense(properties)(x))


def convolution(x: keras.KerasTensor, width: int, stride: int = 1) -> keras.KerasTensor:
    """Of 3x3x3 voxels, normalised over the batch, ReLU."""
    x = layers.Conv3D(width, 3, strides=stride, padding="same", use_bias=False)(x)
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))


if __name__ == "__main__":
    main(Regressor)
