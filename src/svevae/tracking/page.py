"""MLflow's page of the store, served by this process."""

from __future__ import annotations

import os
import socket
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from svevae.tracking.store import connect, public_uri


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
    with warnings.catch_warnings():  # of a package of MLflow's, nothing to a user
        warnings.filterwarnings("ignore", "starlette.middleware.wsgi is deprecated")
        from mlflow.server.fastapi_app import app

    settings = uvicorn.Config(guard(app), log_config=None, log_level="error", access_log=False)
    print(f"http://{answered[0]}  ({public_uri()}); Ctrl-C ends it", flush=True)
    try:
        uvicorn.Server(settings).run(sockets=[listening])
    except KeyboardInterrupt:
        print()
