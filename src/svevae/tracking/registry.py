"""The model registry: versions, aliases, tags, and models on this machine."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from urllib.parse import urlsplit

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.models.model import MLMODEL_FILE_NAME
from mlflow.store.artifact.models_artifact_repo import ModelsArtifactRepository

from svevae.tracking.outages import is_absence, telling
from svevae.tracking.store import connect, greet_server, public_uri
from svevae.yaml_text import parse_yaml

OF_THE_STORE = ("models", "runs", "mlflow-artifacts")  # schemes that MLflow looks up in it
NEWS = ("Successfully registered model", "Registered model", "Created version")


@contextmanager
def _registry() -> Iterator[None]:
    """TrackingError that names the store in place of whatever it raises."""
    with telling(f"{public_uri()}: expected a model registry that answers"):
        yield


@_registry()
def registered_version(name: str, model_md5: str) -> str | None:
    """The version of `name` that holds the model with this md5, if it is registered already."""
    versions = mlflow.MlflowClient().search_model_versions(
        f"name = '{name}' and tags.`model_md5` = '{model_md5}'"
    )
    return max((str(version.version) for version in versions), key=int, default=None)


@_registry()
def register_version(name: str, model_uri: str, tags: Mapping[str, str]) -> str:
    """A new version of `name`, described by `tags`; its number."""
    with _without_news():
        return str(mlflow.register_model(model_uri, name, tags=dict(tags)).version)


@contextmanager
def _without_news() -> Iterator[None]:
    """MLflow prints what it has registered on stderr, past its logger: leave that out."""
    written = io.StringIO()
    try:
        with redirect_stderr(written):
            yield
    finally:
        for line in written.getvalue().splitlines():
            if not line.startswith(NEWS):
                print(line, file=sys.stderr)


@_registry()
def version_tags(name: str, version: str) -> dict[str, str]:
    """The tags of a version."""
    return dict(mlflow.MlflowClient().get_model_version(name, version).tags)


@_registry()
def set_version_tag(name: str, version: str, key: str, value: str) -> None:
    mlflow.MlflowClient().set_model_version_tag(name, version, key, value)


@_registry()
def aliased_version(name: str, alias: str) -> str | None:
    """The version that `alias` points to; None where there is none."""
    try:
        return str(mlflow.MlflowClient().get_model_version_by_alias(name, alias).version)
    except MlflowException as error:
        if is_absence(error):
            return None
        raise


def model_tags(uri: str) -> dict[str, str]:
    """Tags that say which model a study used: its URI, and where that is an alias of a registered
    model, the version and its run.
    """
    tags = {"svevae.model": uri}
    if uri.startswith("models:/") and "@" in uri:
        name, _, alias = uri.removeprefix("models:/").partition("@")
        if version := aliased_version(name, alias):
            tags |= {
                "svevae.model_version": version,
                "svevae.model_run": version_tags(name, version).get("run_id", ""),
            }
    return tags


@_registry()
def set_alias(name: str, alias: str, version: str) -> None:
    mlflow.MlflowClient().set_registered_model_alias(name, alias, version)


def download_model(uri: str) -> Path:
    """The folder that `log_model` logged, on this machine. Raises TrackingError where the registry
    has no such model, or whatever else `uri` names has none.
    """
    parts = urlsplit(uri)
    if parts.scheme in OF_THE_STORE:
        connect()
    elif parts.scheme in ("http", "https"):
        greet_server(f"{parts.scheme}://{parts.netloc}", f"{uri}: expected a server")
    name = uri
    place = f"the registry {public_uri()}" if parts.scheme in OF_THE_STORE else "that place"
    with telling(f"{name}: expected a model of svevae in {place}"):
        if parts.scheme == "models":  # by its name, MLflow would write into a store on this machine
            uri = ModelsArtifactRepository.get_underlying_uri(uri)
        folder = Path(mlflow.artifacts.download_artifacts(artifact_uri=uri))
    with telling(f"{name}: expected the file MLmodel of a model of svevae in {place}"):
        description = folder / MLMODEL_FILE_NAME
        if not description.is_file():
            raise FileNotFoundError("no such file")
        # Model.load unquotes the path, and looks for the folder x%20y at "x y"
        model = Model.from_dict(parse_yaml(description.read_bytes()))
        return folder / model.flavors["python_function"]["data"]
