"""The store that this process speaks to: the project's own, a server, a database."""

from __future__ import annotations

import os
from pathlib import Path

import mlflow
import requests
from mlflow.entities import Experiment
from sqlalchemy import create_engine

from svevae.errors import TrackingError
from svevae.places import DATABASE, nearest_project
from svevae.tracking.embedded import (
    EXPERIMENT,
    artifacts_beside,
    check_database,
    is_copy,
    open_embedded,
    sqlite_file,
    sqlite_uri,
)
from svevae.tracking.outages import masked, said, telling

SERVER_TIMEOUT = 10  # seconds for a server to answer before it counts as unreachable
_OPENED: set[str] = set()  # embedded stores, which mlflow puts into the environment


def project_root() -> Path:
    """`nearest_project`. Raises TrackingError where there is none."""
    root = nearest_project()
    if root is None:
        raise TrackingError(
            f"{Path.cwd()}: expected a svevae project (MLproject and dvc.yaml), or"
            " MLFLOW_TRACKING_URI to name a server"
        )
    return root


def connect() -> str:
    """Point mlflow at the store and make it on first use; its URI. Raises TrackingError where it
    cannot be reached or is none.

    An experiment that was deleted is left so: a registry needs none.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI")
    if uri is None or (uri in _OPENED and nearest_project()):
        root = project_root()
        with telling(f"{root / DATABASE}: expected MLflow's database"):
            uri = open_embedded(root)
            _OPENED.add(uri)
            _use(uri, None)
        return uri
    location = None
    if uri.startswith(("http://", "https://")):
        greet_server(uri, "MLFLOW_TRACKING_URI: expected an MLflow server")
    elif "://" in uri:
        with telling(f"MLFLOW_TRACKING_URI: expected a usable store at {uri}"):
            location = _greet_database(uri)
    with telling(f"MLFLOW_TRACKING_URI: expected a usable store at {uri}"):
        _use(uri, location)
    return uri


def _use(uri: str, location: str | None) -> None:
    """Make `uri` mlflow's store, and svevae's experiment in it the active one; a new one keeps its
    artifacts at `location`.
    """
    mlflow.set_tracking_uri(uri)
    if "MLFLOW_RUN_ID" in os.environ:  # `mlflow run` has chosen the experiment already
        return
    experiment = mlflow.get_experiment_by_name(EXPERIMENT)
    if experiment is None:
        mlflow.set_experiment(
            experiment_id=mlflow.create_experiment(EXPERIMENT, artifact_location=location)
        )
    elif experiment.lifecycle_stage == "active":
        mlflow.set_experiment(experiment_id=experiment.experiment_id)


def greet_server(uri: str, expected: str) -> None:
    """Raises TrackingError that begins with `expected` unless a server answers there.

    MLflow alone tries for minutes. Services that speak MLflow's language need not have its address
    /health: any answer but an error of the server will do.
    """
    try:
        answer = requests.get(f"{uri.rstrip('/')}/health", timeout=SERVER_TIMEOUT)
        if answer.status_code >= 500:
            answer.raise_for_status()
    except requests.RequestException as error:
        raise TrackingError(
            masked(f"{expected} at {uri}, which does not answer: {said(error)}")
        ) from error


def _greet_database(uri: str) -> str | None:
    """Raises TrackingError unless the database answers; MLflow alone tries for minutes.

    Where the artifacts of a new experiment belong, if the address tells: MLflow alone would take
    the working folder, which may be a temporary clone.
    """
    if uri.startswith("sqlite"):
        database = sqlite_file(uri)
        if database is None:
            return None
        check_database(database)
        return artifacts_beside(database)
    options = (
        {"connect_args": {"connect_timeout": SERVER_TIMEOUT}}
        if uri.startswith("postgresql")
        else {}
    )
    engine = create_engine(uri, **options)
    try:
        engine.connect().close()
    finally:
        engine.dispose()
    return None


def living_experiment() -> Experiment:
    """svevae's experiment in the store. Raises TrackingError where there is none, or it was
    deleted.
    """
    experiment = mlflow.get_experiment_by_name(EXPERIMENT)
    if experiment is None:
        raise TrackingError(f"{public_uri()}: expected an experiment {EXPERIMENT}, found none")
    if experiment.lifecycle_stage != "active":
        raise TrackingError(
            f"{public_uri()}: expected the experiment {EXPERIMENT}, which was deleted; `mlflow"
            f" experiments restore -x {experiment.experiment_id}` brings it back"
        )
    return experiment


def experiment_id() -> str:
    """The id of svevae's experiment in the store. Raises TrackingError where it has none."""
    connect()
    return str(living_experiment().experiment_id)


def check_writable() -> None:
    """Raises TrackingError where the store is that of a read-only project."""
    root = nearest_project()
    if root and is_copy(mlflow.get_tracking_uri()):
        raise TrackingError(f"{root / DATABASE}: expected to write a run, the project is read-only")


def public_uri() -> str:
    """The store's address to be shown and kept in files: without a password, the embedded one
    without this machine's folders.
    """
    uri, root = mlflow.get_tracking_uri(), nearest_project()
    if root and (uri == sqlite_uri(root / DATABASE) or is_copy(uri)):
        return f"sqlite:///{DATABASE}"
    return masked(uri)
