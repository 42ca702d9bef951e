"""Load a model from the registry, a run or a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np

from svevae.model.latent import LatentModel, load_folder


def load(uri: str | Path, batch_size: int = 64) -> LatentModel:
    """A model by registry URI (models:/svevae@champion, models:/svevae/3) or from a folder such as
    artifacts/model.

    Raises TrackingError where the registry has no such model or cannot be reached, DataError where
    a folder holds none.
    """
    if ":/" not in str(uri):
        return load_folder(Path(uri), batch_size)
    from svevae.tracking import (
        download_model,
    )  # mlflow takes seconds, and a folder does not need it

    return load_folder(download_model(str(uri)), batch_size)


class PyfuncModel:
    """What mlflow.pyfunc.load_model wraps: (sve, n, n, n) -> a dictionary of arrays, as
    `LatentModel.outputs`.
    """

    def __init__(self, model: LatentModel):
        self.model = model

    def predict(
        self, voxels: np.ndarray, params: dict[str, Any] | None = None
    ) -> dict[str, np.ndarray]:
        return self.model.outputs(voxels)

    def get_raw_model(self) -> keras.Model:
        """The Keras model."""
        return self.model.model


def _load_pyfunc(path: str) -> PyfuncModel:
    return PyfuncModel(load_folder(Path(path)))
