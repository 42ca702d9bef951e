"""Runs: begun, continued, ended, and what is logged to them."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import resource
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import requests
from mlflow.data import numpy_dataset
from mlflow.entities import Metric
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from svevae.errors import TrackingError
from svevae.records import read_record
from svevae.tracking.lineage import lineage
from svevae.tracking.outages import is_absence, said, telling, telling_outages
from svevae.tracking.registry import model_tags
from svevae.tracking.store import check_writable, connect, living_experiment, public_uri


@dataclass(frozen=True)
class _Run:
    run_id: str


def read_run_id(path: Path) -> str:
    """The run that a stage wrote into run.json. Raises DataError that names the file and the
    key.
    """
    return read_record(_Run, path).run_id


LONGEST_NAME = 100  # of a property in MLflow, whose names have 250 characters


@contextmanager
def run(name: str, run_id: str | None = None) -> Iterator[str]:
    """An active run; its id. `run_id` goes on with that run where the store has it and it was not
    deleted, else a new one begins that names it.

    Inside `mlflow run`, whose run is named by MLFLOW_RUN_ID, a new run is that one. A raised error
    ends it as FAILED. Raises TrackingError where the store cannot take a run.
    """
    connect()
    check_writable()
    with telling(f"{public_uri()}: expected a store that takes runs"):
        origin = None
        if run_id is not None and not _is_alive(run_id):
            origin, run_id = run_id, None
        if run_id is None:
            run_id = os.environ.get("MLFLOW_RUN_ID")
        if run_id is None:
            living_experiment()
        active = mlflow.start_run(
            run_id=run_id, run_name=None if run_id else name, log_system_metrics=False
        )
    with active:
        mlflow.set_tags(lineage() | ({"svevae.trained_in_run": origin} if origin else {}))
        yield active.info.run_id


def _is_alive(run_id: str) -> bool:
    """Whether the store has this run, not deleted. It lacks one that was made elsewhere, whose
    artifacts came by DVC.
    """
    try:
        return mlflow.get_run(run_id).info.lifecycle_stage == "active"
    except MlflowException as error:
        if is_absence(error):
            return False
        raise


@telling_outages()
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


@telling_outages()
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
            f" {public_uri()}: {said(error)}"
        ) from error


def end_lost_run(run_id: str, status: str = "FAILED") -> None:
    """End the run of a process that is no more; the store may lack it."""
    try:
        mlflow.MlflowClient().set_terminated(run_id, status)
    except (MlflowException, SQLAlchemyError, requests.RequestException):
        return


@telling_outages()
def open_trial_runs(parent_run_id: str) -> dict[str, dict[str, str]]:
    """The runs nested under `parent_run_id` that no one has ended: their tags by their ids."""
    experiment = mlflow.get_run(parent_run_id).info.experiment_id
    found = mlflow.MlflowClient().search_runs(
        [experiment],
        f"tags.`mlflow.parentRunId` = '{parent_run_id}' and attributes.status = 'RUNNING'",
    )
    return {run.info.run_id: dict(run.data.tags) for run in found}


@telling_outages()
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


@telling_outages()
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


@telling_outages()
def log_scores(scores: Mapping[str, float]) -> None:
    """Final figures, each under its own name."""
    mlflow.log_metrics(dict(scores))


def flatten(scores: dict, prefix: str = "test") -> dict[str, float]:
    """{"r2": {"E_x": 0.9}} -> {"test/r2/E_x": 0.9}, the names of test scores in MLflow."""
    flat: dict[str, float] = {}
    for key, value in scores.items():
        flat |= (
            flatten(value, f"{prefix}/{metric_name(key)}")
            if isinstance(value, dict)
            else {f"{prefix}/{metric_name(key)}": value}
        )
    return flat


def metric_name(name: str) -> str:
    """The name of a property as MLflow takes it, which allows letters, digits and `_-. :`.

    E_x stays as it is. In another each other character becomes _, and a digest behind it tells
    Rp0.2% from Rp0.2&.
    """
    plain = re.sub(r"[^\w. :-]", "_", name, flags=re.ASCII)[:LONGEST_NAME]
    if plain == name and plain.strip("."):
        return name
    return f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


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
    for tries_left in (2, 1, 0):
        try:
            mlflow.log_input(dataset, context=context)
            break
        except MlflowException as error:
            # Another run has written the same dataset between MLflow's look for it and its write
            # (mlflow 3.17, `SqlAlchemyStore.log_inputs`); the next look finds it.
            if not tries_left or error.error_code != "BAD_REQUEST":
                raise
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
    with (
        telling(f"{public_uri()}: expected the run {current} of `mlflow run`"),
        mlflow.start_run(run_id=current),
    ):
        if current != trained_in_run:
            mlflow.set_tags(
                lineage() | {"svevae.trained_in_run": trained_in_run, "svevae.cached": "true"}
            )
            mlflow.log_metrics(dict(scores))


def log_study(name: str, params: Mapping[str, Any], model: str, scores: dict, folder: Path) -> None:
    """A run of its own for a study of parts with the model at the URI `model`: parameters, the
    model's version, scores, the folder.
    """
    with run(name):
        log_params(params)
        set_tags(model_tags(model))
        log_scores(flatten(scores, name))
        log_folder(folder, name)
