"""A trained model in physical units, and the folder it lives in: the Keras file and the contract that describes it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np

from svevae.errors import DataError

MODEL_FILE, CONTRACT_FILE = "model.keras", "contract.json"


class LatentModel:
    """A trained structure-property map.

    `names` and `units` of the properties; `n` voxels along an edge; `latent_dim`; `voxel_size` in micrometres or None;
    `contract` holds these and where the model comes from (data digests, parameters, version).
    """

    def __init__(self, model: keras.Model, contract: dict[str, Any], batch_size: int = 64):
        self.model, self.contract, self.batch_size = model, contract, batch_size
        self.names, self.units = tuple(contract["names"]), tuple(contract["units"])
        self.n, self.latent_dim, self.voxel_size = contract["n"], contract["latent_dim"], contract["voxel_size"]

    def encode(self, voxels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Voxels (sve, n, n, n) of 0 and 1 -> mean and standard deviation of q(z | x), each (sve, latent).

        Raises DataError for another shape or another value.
        """
        mean, log_var, _ = self._run(self.model.get_layer("encoder"), self._checked(voxels))
        return mean, np.exp(log_var / 2)

    def decode(self, latent: np.ndarray) -> np.ndarray:
        """Latent vectors (sve, latent) -> the probability of a pore in each voxel (sve, n, n, n). Raises DataError for another shape."""
        return sigmoid(self._run(self.model.get_layer("decoder"), self._checked_latent(latent)))

    def reconstruct(self, voxels: np.ndarray) -> np.ndarray:
        """Voxels (sve, n, n, n) -> the probability of a pore after encoding and decoding, same shape. Raises DataError as `encode`."""
        return self.decode(self.encode(voxels)[0])

    def predict(self, voxels: np.ndarray) -> np.ndarray:
        """Voxels (sve, n, n, n) -> properties (sve, property) in `units`, in the order of `names`. Raises DataError as `encode`."""
        return self.predict_from_latent(self.encode(voxels)[0])

    def predict_from_latent(self, latent: np.ndarray) -> np.ndarray:
        """Latent vectors (sve, latent) -> properties (sve, property) in `units`. Raises DataError for another shape."""
        return self._run(self.model.get_layer("predictor"), self._checked_latent(latent))

    def outputs(self, voxels: np.ndarray) -> dict[str, np.ndarray]:
        """All at once: latent_mean and latent_std (sve, latent), probability (sve, n, n, n), properties (sve, property)."""
        found = self._run(self.model, self._checked(voxels))
        return {
            "latent_mean": found["latent_mean"],
            "latent_std": np.exp(found["latent_log_var"] / 2),
            "probability": sigmoid(found["logits"]),
            "properties": found["properties"],
        }

    def _run(self, model: keras.Model, x: np.ndarray) -> Any:
        return model.predict(x, batch_size=self.batch_size, verbose=0)

    def _checked(self, voxels: np.ndarray) -> np.ndarray:
        voxels = np.asarray(voxels)
        if voxels.ndim != 4 or voxels.shape[1:] != (self.n,) * 3 or not len(voxels):
            raise DataError(f"voxels: expected shape (sve, {self.n}, {self.n}, {self.n}), received {voxels.shape}")
        if not np.isin(voxels, (0, 1)).all():
            raise DataError(f"voxels: expected 0 (solid) and 1 (pore), received values from {voxels.min()} to {voxels.max()}")
        return voxels.astype(np.uint8, copy=False)

    def _checked_latent(self, latent: np.ndarray) -> np.ndarray:
        latent = np.asarray(latent, np.float32)
        if latent.ndim != 2 or latent.shape[1] != self.latent_dim or not len(latent):
            raise DataError(f"latent: expected shape (sve, {self.latent_dim}), received {latent.shape}")
        return latent


def load_folder(folder: Path, batch_size: int = 64) -> LatentModel:
    """The model that `save_folder` wrote. Raises DataError where a file is missing."""
    for file in (MODEL_FILE, CONTRACT_FILE):
        if not (folder / file).is_file():
            raise DataError(f"{folder}: expected a folder with {MODEL_FILE} and {CONTRACT_FILE}, {file} is missing")
    return LatentModel(keras.saving.load_model(folder / MODEL_FILE), json.loads((folder / CONTRACT_FILE).read_text()), batch_size)


def save_folder(folder: Path, model: keras.Model, contract: dict[str, Any]) -> None:
    """Write the model and its contract into `folder`; the folder appears whole or not at all."""
    beside = folder.with_name(f".{folder.name}.{os.getpid()}")
    beside.mkdir(parents=True)
    try:
        model.save(beside / MODEL_FILE)
        (beside / CONTRACT_FILE).write_text(json.dumps(contract, indent=1) + "\n")
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(beside, folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Pore probabilities from logits, any shape."""
    return 0.5 * (1 + np.tanh(0.5 * logits))  # never overflows
