"""The only room that imports mlflow: the store, runs and their lineage, the model registry.

Without MLFLOW_TRACKING_URI the store is a sqlite file at the project's root, artifacts beside it in
mlruns/.
"""

from __future__ import annotations

import logging
import os

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

import mlflow

from svevae.tracking.lineage import lineage
from svevae.tracking.outages import OutageError, masked, said
from svevae.tracking.packaging import log_model, refused
from svevae.tracking.page import serve_page
from svevae.tracking.registry import (
    aliased_version,
    download_model,
    model_tags,
    register_version,
    registered_version,
    set_alias,
    set_version_tag,
    version_tags,
)
from svevae.tracking.runs import (
    add_to_current_run,
    check_run,
    end_lost_run,
    end_trial_run,
    flatten,
    log_dataset,
    log_environment,
    log_epoch,
    log_file,
    log_folder,
    log_params,
    log_scores,
    log_study,
    metric_name,
    open_trial_runs,
    read_run_id,
    run,
    set_tags,
    start_trial_run,
)
from svevae.tracking.store import EXPERIMENT, connect, experiment_id, project_root, public_uri

if "MLFLOW_LOGGING_LEVEL" not in os.environ:  # its news of tables and migrations is not ours
    for library in ("mlflow", "alembic"):
        logging.getLogger(library).setLevel(logging.WARNING)
    # tracebacks of what it raises as well
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)

__all__ = [
    "EXPERIMENT",
    "OutageError",
    "add_to_current_run",
    "aliased_version",
    "check_run",
    "connect",
    "download_model",
    "end_lost_run",
    "end_trial_run",
    "experiment_id",
    "flatten",
    "lineage",
    "log_dataset",
    "log_environment",
    "log_epoch",
    "log_file",
    "log_folder",
    "log_model",
    "log_params",
    "log_scores",
    "log_study",
    "masked",
    "metric_name",
    "mlflow",
    "model_tags",
    "open_trial_runs",
    "project_root",
    "public_uri",
    "read_run_id",
    "refused",
    "register_version",
    "registered_version",
    "run",
    "said",
    "serve_page",
    "set_alias",
    "set_tags",
    "set_version_tag",
    "start_trial_run",
    "version_tags",
]
