"""Load a model: from the registry, from a folder, or the champion that came with svevae."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import keras
import numpy as np

from svevae.dataset.label_settings import read_material
from svevae.errors import DataError
from svevae.model.latent import LatentModel, load_folder
from svevae.model.metal import in_metal
from svevae.places import DATABASE, carried_champion, nearest_project

REGISTERED = "models:/svevae@champion"
CARRIED = "svevae:/champion"


def load(uri: str | Path | None = None, batch_size: int = 64, material: Any = None) -> LatentModel:
    """A model by registry URI (models:/svevae@champion, models:/svevae/3), from a folder such as
    artifacts/model, or the one that came with svevae (svevae:/champion). Without `uri` that of
    `default_model`.

    `material`, a preset's name or a mapping of E, nu, s0, Q, b, is the matrix in place of the
    model's usual one. Raises TrackingError where the registry has no such model or cannot be
    reached, DataError where a folder holds none, ConfigError for a material that the model does not
    know.
    """
    if material is not None:
        metal = read_material(material)
        return in_metal(load(uri, batch_size), metal)
    if uri is None:
        uri, _ = default_model()
    if str(uri) == CARRIED:
        return load_folder(carried_champion(), batch_size)
    if ":/" not in str(uri):
        return load_folder(Path(uri), batch_size)
    # mlflow takes seconds, and a folder does not need it
    from svevae.tracking import download_model

    return load_folder(download_model(str(uri)), batch_size)


def default_model() -> tuple[str, str]:
    """The URI of the model to use where none is named, and why that is not the registry's champion.

    The registry is that of MLFLOW_TRACKING_URI or of the project around the working folder. Where
    its champion is used the reason is empty; where there is none, the model is the one that came
    with svevae. Raises TrackingError where the registry cannot be reached.
    """
    if "MLFLOW_TRACKING_URI" not in os.environ:
        project = nearest_project()
        if project is None:
            return CARRIED, "no project and no MLFLOW_TRACKING_URI here"
        if not (project / DATABASE).is_file():
            return CARRIED, f"nothing is registered in the project {project}"
    from svevae import tracking

    tracking.connect()
    name, _, alias = REGISTERED.removeprefix("models:/").partition("@")
    if tracking.aliased_version(name, alias) is None:
        return CARRIED, f"no {REGISTERED} in {tracking.public_uri()}"
    return REGISTERED, ""


class PyfuncModel:
    """What mlflow.pyfunc.load_model wraps: (sve, n, n, n) -> a dictionary of arrays, as
    `LatentModel.outputs`.
    """

    def __init__(self, model: LatentModel):
        self.model = model

    def predict(
        self, voxels: np.ndarray, params: dict[str, Any] | None = None
    ) -> dict[str, np.ndarray]:
        """What the model says, or an MlflowException of status 400 with the reason."""
        try:
            return self.model.outputs(voxels)
        except DataError as error:
            from svevae.tracking import refused

            raise refused(error) from error

    def get_raw_model(self) -> keras.Model:
        """The Keras model."""
        return self.model.model


def _load_pyfunc(path: str) -> PyfuncModel:
    return PyfuncModel(load_folder(Path(path)))
