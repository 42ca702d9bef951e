"""The only module that imports mlflow: the store, runs and their lineage, the model registry.

Without MLFLOW_TRACKING_URI the store is a sqlite file at the project's root, artifacts beside it in
mlruns/.
"""

from __future__ import annotations

import io
import logging
import os
import platform
import re
import resource
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, redirect_stderr
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

import mlflow
import numpy as np
import requests
from filelock import FileLock
from mlflow.data import numpy_dataset
from mlflow.entities import Metric
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.types import Schema, TensorSpec
from sqlalchemy import create_engine
from sqlalchemy.exc import SQLAlchemyError

from svevae import __version__
from svevae.errors import TrackingError
from svevae.places import CARRIED, DATABASE, nearest_project

if "MLFLOW_LOGGING_LEVEL" not in os.environ:  # its news of tables and migrations is not ours
    for library in ("mlflow", "alembic"):
        logging.getLogger(library).setLevel(logging.WARNING)

EXPERIMENT = "svevae"
NEWS = ("Successfully registered model", "Registered model", "Created version")
SERVER_TIMEOUT = 10  # seconds for a server to answer before it counts as unreachable
# Where the sqlite schema of MLflow keeps absolute artifact paths.
ARTIFACT_COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


class OutageError(TrackingError):
    """The store does not answer now; the same call may go through later."""


@contextmanager
def _telling_outages() -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, requests.RequestException) as error:
        raise OutageError(masked(str(error))) from error
    except MlflowException as error:
        if error.error_code in ("INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE"):
            raise OutageError(masked(str(error))) from error
        raise


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
    cannot be reached.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI")
    if uri is None:
        uri = _open_embedded(project_root())
    elif uri.startswith(("http://", "https://")):
        try:
            requests.get(f"{uri.rstrip('/')}/health", timeout=SERVER_TIMEOUT).raise_for_status()
        except requests.RequestException as error:
            raise TrackingError(
                f"MLFLOW_TRACKING_URI: expected an MLflow server at {uri}, which does not answer:"
                f" {error}"
            ) from error
    elif "://" in uri and not uri.startswith("sqlite"):
        _greet_database(uri)
    mlflow.set_tracking_uri(uri)
    # an embedded or database store fails here by a library's own errors, an absent database driver
    # among them
    try:
        experiment = mlflow.get_experiment_by_name(EXPERIMENT)
        if "MLFLOW_RUN_ID" not in os.environ:  # `mlflow run` has chosen the experiment already
            mlflow.set_experiment(
                experiment_id=(
                    experiment.experiment_id if experiment else mlflow.create_experiment(EXPERIMENT)
                )
            )
    except (MlflowException, SQLAlchemyError, ImportError) as error:
        raise TrackingError(
            masked(f"MLFLOW_TRACKING_URI: expected a usable store at {uri}, received: {error}")
        ) from error
    return uri


def _greet_database(uri: str) -> None:
    """Raises TrackingError unless the database answers; MLflow alone tries for minutes."""
    options = (
        {"connect_args": {"connect_timeout": SERVER_TIMEOUT}}
        if uri.startswith("postgresql")
        else {}
    )
    try:
        engine = create_engine(uri, **options)
        engine.connect().close()
        engine.dispose()
    except (SQLAlchemyError, ImportError) as error:
        raise TrackingError(
            masked(f"MLFLOW_TRACKING_URI: expected a usable store at {uri}, received: {error}")
        ) from error


def _open_embedded(root: Path) -> str:
    """The sqlite store of `root`. Its schema is made by one process at a time: several at once
    corrupt a fresh file.
    """
    database = root / DATABASE
    uri = f"sqlite:///{database}"
    with FileLock(root / f".{DATABASE}.lock"):
        client = mlflow.MlflowClient(uri)
        experiment = client.get_experiment_by_name(EXPERIMENT)
        if experiment is None:
            client.create_experiment(
                EXPERIMENT, artifact_location=(root / "mlruns" / EXPERIMENT).as_uri()
            )
        else:
            _mend_moved(database, experiment.artifact_location, root)
    return uri


def _mend_moved(database: Path, location: str, root: Path) -> None:
    """Artifact paths are stored absolute: where the project's folder was moved, point them to where
    it is now.
    """
    old, separator, _ = location.partition("/mlruns/")
    new = root.as_uri()
    old, new = (old, new) if old.startswith("file:") else (old, str(root))
    if not separator or old == new:
        return
    with closing(sqlite3.connect(database)) as connection, connection:
        for table, column in ARTIFACT_COLUMNS:
            connection.execute(
                f"UPDATE {table} SET {column} = replace({column}, ?, ?)",
                (f"{old}/mlruns/", f"{new}/mlruns/"),
            )


@contextmanager
def run(name: str, run_id: str | None = None) -> Iterator[str]:
    """An active run; its id. `run_id` goes on with that run where the store has it, else a new one
    begins.

    Inside `mlflow run`, whose run is named by MLFLOW_RUN_ID, a new run is that one. A raised error
    ends it as FAILED.
    """
    connect()
    origin = None
    if run_id is not None:
        try:
            mlflow.get_run(run_id)
        except MlflowException:  # trained elsewhere: its artifacts came by DVC, its run did not
            origin, run_id = run_id, None
    if run_id is None:
        run_id = os.environ.get("MLFLOW_RUN_ID")
    with mlflow.start_run(
        run_id=run_id, run_name=None if run_id else name, log_system_metrics=False
    ) as active:
        mlflow.set_tags(lineage() | ({"svevae.trained_in_run": origin} if origin else {}))
        yield active.info.run_id


@_telling_outages()
def start_trial_run(name: str, parent_run_id: str, tags: Mapping[str, str]) -> str:
    """Make a run nested under `parent_run_id`, of whichever process, the active one; its id. Raises
    OutageError where no store answers.
    """
    experiment = mlflow.get_run(parent_run_id).info.experiment_id
    return mlflow.start_run(
        experiment_id=experiment,
        run_name=name,
        nested=True,
        parent_run_id=parent_run_id,
        tags=dict(tags),
        log_system_metrics=False,
    ).info.run_id


@_telling_outages()
def end_trial_run(run_id: str, status: str) -> None:
    """End the active run as FINISHED, KILLED or FAILED. Raises OutageError, and may be called
    again.
    """
    mlflow.MlflowClient().set_terminated(run_id, status)
    mlflow.end_run(status)


def check_run(run_id: str) -> None:
    """Raises TrackingError where the store has no such run."""
    try:
        mlflow.get_run(run_id)
    except MlflowException as error:
        raise TrackingError(
            f"MLFLOW_TRACKING_URI: expected the store that holds run {run_id}, received"
            f" {public_uri()}"
        ) from error


def end_lost_run(run_id: str) -> None:
    """Mark the run of a process that is no more as failed; the store may lack it."""
    try:
        mlflow.MlflowClient().set_terminated(run_id, "FAILED")
    except (MlflowException, SQLAlchemyError, requests.RequestException):
        return


def lineage() -> dict[str, str]:
    """Tags that say what made a run: git commit and whether files differ from it, DVC stage and
    experiment, svevae's version.

    Where git names no commit, the run has none, and a line on stderr says why.
    """
    try:
        commit = _git("rev-parse", "HEAD")
        # What the pipeline itself writes makes no run dirty.
        changed = _git(
            "status", "--porcelain", "--untracked-files=no", "--", ".", ":!dvc.lock", ":!artifacts"
        )
        dirty = str(bool(changed)).lower()
    except (OSError, subprocess.CalledProcessError) as error:
        commit = dirty = ""
        _say_once(f"the run names no commit: {_first_line(error)}")
    tags = {
        "mlflow.source.git.commit": commit,
        "svevae.git_commit": commit,
        "svevae.git_dirty": dirty,
        "svevae.dvc_stage": os.environ.get("DVC_STAGE", ""),
        "svevae.dvc_experiment": os.environ.get("DVC_EXP_NAME", ""),
        "svevae.version": __version__,
    }
    return {key: value for key, value in tags.items() if value}


def _git(*arguments: str) -> str:
    """What git answers in this folder. Raises OSError without git, CalledProcessError where it
    refuses: outside a repository, or in one of another user.
    """
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _first_line(error: OSError | subprocess.CalledProcessError) -> str:
    text = error.stderr if isinstance(error, subprocess.CalledProcessError) else ""
    return next(iter(text.splitlines()), str(error))


@cache
def _say_once(text: str) -> None:
    print(text, file=sys.stderr)


@_telling_outages()
def log_params(params: Mapping[str, Any]) -> None:
    """Nested parameters, flattened with dots: {"train": {"latent_dim": 32}} becomes
    train.latent_dim.
    """
    flat = {
        f"{section}.{key}": value
        for section, values in params.items()
        for key, value in values.items()
    }
    try:
        mlflow.log_params(flat)
    except MlflowException as error:
        # MLflow never overwrites a parameter: a resumed run must have the same
        raise TrackingError(f"the run has other parameters already: {error}") from error


@_telling_outages()
def log_epoch(epoch: int, numbers: Mapping[str, float]) -> None:
    """Every number of an epoch (counted from 0) in one request, with the process's peak memory so
    far.
    """
    now = int(mlflow.utils.time.get_current_time_millis())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    values = {**numbers, "system/peak_memory_mb": peak}
    values["system/sve_per_second"] = values.pop("sve_per_second")
    active = mlflow.active_run()
    if active is None:
        raise RuntimeError("log_epoch: expected an active run, see `run`")
    mlflow.MlflowClient().log_batch(
        active.info.run_id,
        [Metric(key, value, now, epoch + 1) for key, value in values.items()],
    )


@_telling_outages()
def log_scores(scores: Mapping[str, float]) -> None:
    """Final figures, each under its own name."""
    mlflow.log_metrics(dict(scores))


def flatten(scores: dict, prefix: str = "test") -> dict[str, float]:
    """{"r2": {"E_x": 0.9}} -> {"test/r2/E_x": 0.9}, the names of test scores in MLflow."""
    flat: dict[str, float] = {}
    for key, value in scores.items():
        flat |= (
            flatten(value, f"{prefix}/{key}")
            if isinstance(value, dict)
            else {f"{prefix}/{key}": value}
        )
    return flat


def log_dataset(name: str, path: str, digest: str, properties: np.ndarray, context: str) -> None:
    """The dataset as the run's input, found in the UI and by `dataset.digest`; properties (sve,
    property) give it its size.
    """
    # mlflow warns that two of its own source types fit a local path
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", "The specified dataset source can be interpreted in multiple ways"
        )
        dataset = numpy_dataset.from_numpy(properties, source=str(path), name=name, digest=digest)
    mlflow.log_input(dataset, context=context)
    mlflow.set_tag("svevae.data_md5", digest)


def log_environment() -> None:
    """The interpreter, the machine and every installed package's version."""
    packages = sorted(
        {f"{package.metadata['Name']}=={package.version}" for package in distributions()},
        key=str.lower,
    )
    mlflow.log_dict(
        {"python": sys.version, "platform": platform.platform(), "cpu_count": os.cpu_count()},
        "environment/machine.json",
    )
    mlflow.log_text("\n".join(packages) + "\n", "environment/packages.txt")


def set_tags(tags: Mapping[str, str]) -> None:
    """Tags of the active run."""
    mlflow.set_tags(dict(tags))


def log_folder(folder: Path, artifact_path: str) -> None:
    """All files of `folder` as artifacts of the run."""
    mlflow.log_artifacts(str(folder), artifact_path)


def log_file(path: Path, artifact_path: str | None = None) -> None:
    mlflow.log_artifact(str(path), artifact_path)


def add_to_current_run(scores: Mapping[str, float], trained_in_run: str) -> None:
    """Give the run of `mlflow run` the scores and the name of the run that trained, unless it is
    that run.
    """
    current = os.environ["MLFLOW_RUN_ID"]
    connect()
    with mlflow.start_run(run_id=current):
        if current != trained_in_run:
            mlflow.set_tags(
                lineage() | {"svevae.trained_in_run": trained_in_run, "svevae.cached": "true"}
            )
            mlflow.log_metrics(dict(scores))


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
        package = Path(__file__).parent
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
    signature = ModelSignature(
        inputs=Schema([TensorSpec(np.dtype(np.uint8), (-1, n, n, n))]),
        outputs=Schema(
            [TensorSpec(np.dtype(np.float32), shape, name) for name, shape in outputs.items()]
        ),
    )
    names = ("tensorflow", "keras", "numpy", "h5py", "pyyaml", "pydantic", "mlflow")
    versions = {package.metadata["Name"].lower(): package.version for package in distributions()}
    requirements = [f"{name}=={versions[name]}" for name in names if name in versions]
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


def registered_version(name: str, model_md5: str) -> str | None:
    """The version of `name` that holds the model with this md5, if it is registered already."""
    versions = mlflow.MlflowClient().search_model_versions(
        f"name = '{name}' and tags.`model_md5` = '{model_md5}'"
    )
    return max((str(version.version) for version in versions), key=int, default=None)


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


def version_tags(name: str, version: str) -> dict[str, str]:
    """The tags of a version."""
    return dict(mlflow.MlflowClient().get_model_version(name, version).tags)


def set_version_tag(name: str, version: str, key: str, value: str) -> None:
    mlflow.MlflowClient().set_model_version_tag(name, version, key, value)


def aliased_version(name: str, alias: str) -> str | None:
    """The version that `alias` points to; None where there is none."""
    try:
        return str(mlflow.MlflowClient().get_model_version_by_alias(name, alias).version)
    except MlflowException:
        return None


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


def log_study(name: str, params: Mapping[str, Any], model: str, scores: dict, folder: Path) -> None:
    """A run of its own for a study of parts with the model at the URI `model`: parameters, the
    model's version, scores, the folder.
    """
    with run(name):
        log_params(params)
        set_tags(model_tags(model))
        log_scores(flatten(scores, name))
        log_folder(folder, name)


def set_alias(name: str, alias: str, version: str) -> None:
    mlflow.MlflowClient().set_registered_model_alias(name, alias, version)


def public_uri() -> str:
    """The store's address to be shown and kept in files: without a password, the embedded one
    without this machine's folders.
    """
    uri = mlflow.get_tracking_uri()
    return (
        f"sqlite:///{DATABASE}" if uri == f"sqlite:///{project_root() / DATABASE}" else masked(uri)
    )


def masked(text: str) -> str:
    """`text` with the passwords of its addresses hidden."""
    return re.sub(r"//([^/:@\s]+):[^/@\s]+@", r"//\1:***@", text)


def download_model(uri: str) -> Path:
    """The folder that `log_model` logged, on this machine. Raises TrackingError where the registry
    has no such model.
    """
    connect()
    try:
        folder = Path(mlflow.artifacts.download_artifacts(artifact_uri=uri))
        return folder / Model.load(str(folder)).flavors["python_function"]["data"]
    except (MlflowException, OSError, KeyError) as error:
        raise TrackingError(
            f"{uri}: expected a model of svevae in the registry, received: {error}"
        ) from error


def experiment_id() -> str:
    """The id of svevae's experiment in the store."""
    connect()
    experiment = mlflow.get_experiment_by_name(EXPERIMENT)
    if experiment is None:
        raise TrackingError(f"{public_uri()}: expected an experiment {EXPERIMENT}, found none")
    return str(experiment.experiment_id)


def serve_page(
    listening: socket.socket, answered: Sequence[str], guard: Callable[[Any], Any]
) -> None:
    """Serve MLflow's page of the store on the socket `listening` until interrupted.

    `guard` wraps the ASGI application: MLflow's own guard, which stays, lets pages of any port of
    this machine in. `answered` are the hosts that both answer. Raises TrackingError for the store.
    """
    import uvicorn

    origins = [f"{scheme}://{host}" for host in answered for scheme in ("http", "https")]
    os.environ |= {  # MLflow reads them when its server is imported
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_SERVER_ALLOWED_HOSTS": ",".join(answered),
        "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": ",".join(origins),
    }
    uri, artifacts = connect(), "mlflow-artifacts:/"
    from mlflow.server import constants, handlers

    os.environ |= {  # what `mlflow server` sets for its workers
        constants.BACKEND_STORE_URI_ENV_VAR: uri,
        constants.REGISTRY_STORE_URI_ENV_VAR: uri,
        constants.ARTIFACT_ROOT_ENV_VAR: artifacts,
        constants.ARTIFACTS_DESTINATION_ENV_VAR: "./mlartifacts",
        constants.SERVE_ARTIFACTS_ENV_VAR: "true",
    }
    handlers.initialize_backend_stores(uri, uri, artifacts)
    from mlflow.server.fastapi_app import app

    settings = uvicorn.Config(guard(app), log_config=None, log_level="error", access_log=False)
    print(f"http://{answered[0]}  ({masked(uri)}); Ctrl-C ends it", flush=True)
    try:
        uvicorn.Server(settings).run(sockets=[listening])
    except KeyboardInterrupt:
        print()
