"""A model folder as an MLflow model that needs no svevae installed to be loaded."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Mapping
from importlib.metadata import distributions
from pathlib import Path

import mlflow
import numpy as np
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.protos.databricks_pb2 import BAD_REQUEST
from mlflow.types import Schema, TensorSpec

from svevae.places import CARRIED


class _Flavor:
    """Saves a folder with model.keras as an MLflow model of two flavors: `keras`, and
    `python_function` by svevae's own loader.

    mlflow.keras would save the same file, but its pyfunc makes an object array of a dictionary of
    outputs, and code_paths are what let pyfunc load where svevae is not installed.
    """

    __name__ = "svevae"

    @staticmethod
    def save_model(
        path: str,
        mlflow_model: Model,
        folder: Path,
        loader: str,
        signature: ModelSignature,
        requirements: list[str],
        keras_version: str,
        backend: str,
    ) -> None:
        mlflow_model.signature = signature
        mlflow_model.add_flavor(
            "keras",
            data=f"data/{folder.name}",
            keras_version=keras_version,
            keras_backend=backend,
            save_exported_model=False,
        )
        package = Path(__file__).parents[1]
        with tempfile.TemporaryDirectory() as beside:
            code = Path(beside) / package.name  # without the champion that a wheel carries
            ignored = shutil.ignore_patterns("__pycache__", CARRIED)
            shutil.copytree(package, code, ignore=ignored)
            mlflow.pyfunc.save_model(
                path,
                loader_module=loader,
                data_path=str(folder),
                code_paths=[str(code)],
                mlflow_model=mlflow_model,
                pip_requirements=requirements,
            )


def log_model(
    folder: Path,
    loader: str,
    tags: Mapping[str, str],
    *,
    n: int,
    latent_dim: int,
    properties: int,
    keras_version: str,
    backend: str,
) -> str:
    """Log the model in `folder` to the active run; its URI models:/m-...

    It takes SVEs of `n` voxels along an edge and gives `latent_dim` latent units and
    `properties` numbers. The module `loader` loads it; Keras and its backend are those that trained
    it.
    """
    outputs: dict[str, tuple[int, ...]] = {
        "latent_mean": (-1, latent_dim),
        "latent_std": (-1, latent_dim),
        "probability": (-1, n, n, n),
        "properties": (-1, properties),
        "properties_std": (-1, properties),
        "novelty": (-1,),
    }
    # No type of the inputs: MLflow would cut 0.999 to an uint8 of 0 at its server, and refuse uint8
    # in Python where the type is float32. The model takes what has the values 0 and 1, and refuses
    # all else, at every door alike.
    signature = ModelSignature(
        outputs=Schema(
            [TensorSpec(np.dtype(np.float32), shape, name) for name, shape in outputs.items()]
        ),
    )
    names = ("tensorflow", "keras", "numpy", "h5py", "pyyaml", "pydantic", "mlflow")
    versions = {package.metadata["Name"].lower(): package.version for package in distributions()}
    requirements = [f"{name}=={versions[name]}" for name in names if name in versions]
    with warnings.catch_warnings():
        # of MLflow's own types, when it is first asked for a model of Python
        warnings.filterwarnings("ignore", ".*Any type hint is inferred as AnyType")
        info = Model.log(
            None,
            _Flavor,
            name="vae",
            tags=dict(tags),
            folder=folder,
            loader=loader,
            signature=signature,
            requirements=requirements,
            keras_version=keras_version,
            backend=backend,
        )
    return info.model_uri


def refused(error: Exception) -> MlflowException:
    """What a server answers for input that is at fault: status 400 with the message of `error`."""
    return MlflowException(str(error), error_code=BAD_REQUEST)
