"""The store: first use by several processes, servers that do not answer, a deleted experiment."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import mlflow
import pytest

from svevae import tracking
from svevae.errors import TrackingError
from tests.conftest import unused_port
from tests.tracking.conftest import make_root, python

FIRST_USE = """
import sys
from svevae import tracking
with tracking.run("race") as run_id:
    tracking.log_params({"train": {"latent_dim": 4}})
    tracking.log_epoch(0, {"loss": 1.0, "sve_per_second": 10.0})
print(run_id)
"""
READ = """
import mlflow
from svevae import tracking
tracking.connect()
for run in mlflow.search_runs(output_format="list"):
    print(run.info.run_id, run.info.status, run.info.artifact_uri,
          sorted(run.data.metrics.items()), run.data.tags)
"""


CONNECT = """
from svevae import tracking
from svevae.errors import TrackingError
try:
    tracking.connect()
except TrackingError as error:
    print(error)
"""


@pytest.mark.slow
def test_several_processes_may_use_a_fresh_store_at_once(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    root = make_root(tmp_path)
    start = [
        subprocess.Popen(
            [sys.executable, "-c", FIRST_USE],
            cwd=root,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        for _ in range(4)
    ]
    output = [process.communicate() for process in start]
    assert [process.returncode for process in start] == [0] * 4, output
    read = python(READ, root, environment).stdout
    assert {out.strip() for out, _ in output} == {line.split()[0] for line in read.splitlines()}
    assert read.count("FINISHED") == 4
    assert read.count("('system/sve_per_second', 10.0)") == 4
    assert "system/peak_memory_mb" in read


@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.1:{port}",
        "postgresql+psycopg://nobody:secret@127.0.0.1:{port}/none",
        "oracle://a:secret@127.0.0.1/none",
    ],
)
def test_unreachable_server_is_named(tmp_path: Path, environment: dict[str, str], uri: str) -> None:
    uri = uri.format(port=unused_port())
    done = python(
        CONNECT,
        make_root(tmp_path),
        environment,
        MLFLOW_TRACKING_URI=uri,
        MLFLOW_SQLALCHEMYSTORE_POOL_SIZE="1",
    )
    assert done.stdout.startswith("MLFLOW_TRACKING_URI: expected"), done.stdout + done.stderr
    assert "127.0.0.1" in done.stdout
    assert "secret" not in done.stdout


def test_outside_a_project_the_error_says_what_is_missing(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    assert (
        "expected a svevae project (MLproject and dvc.yaml), or MLFLOW_TRACKING_URI"
        in python(CONNECT, tmp_path, environment).stdout
    )


def test_predicting_needs_no_experiment_and_a_run_says_how_to_get_it_back(root: Path) -> None:
    tracking.connect()
    mlflow.MlflowClient().delete_experiment(tracking.experiment_id())
    tracking.connect()
    assert tracking.aliased_version("svevae", "champion") is None
    with (
        pytest.raises(TrackingError, match=r"deleted; `mlflow experiments restore -x 1` brings"),
        tracking.run("new"),
    ):
        pass
    subprocess.run(
        [sys.executable, "-m", "mlflow", "experiments", "restore", "-x", "1"],
        cwd=root,
        check=True,
        capture_output=True,
    )
    with tracking.run("new") as run_id:
        assert mlflow.get_run(run_id).info.experiment_id == "1"


@pytest.mark.parametrize("name", ["sqlite:///{folder}/mlflow.db", "sqlite:///../other/mlflow.db"])
def test_artifacts_lie_beside_a_database_that_is_named(
    root: Path, tmp_path: Path, alone: pytest.MonkeyPatch, name: str
) -> None:
    """Not in the working folder, which may be a temporary clone."""
    folder = tmp_path / "other"
    folder.mkdir()
    alone.setenv("MLFLOW_TRACKING_URI", name.format(folder=folder))
    with tracking.run("new"):
        mlflow.log_text("kept", "note.txt")
    assert [path.read_text(encoding="utf-8") for path in folder.rglob("note.txt")] == ["kept"]
    assert not (root / "mlruns").exists()


class Service(BaseHTTPRequestHandler):
    """Speaks MLflow's language as far as `connect` needs it, and has no /health."""

    status = 200

    def do_GET(self) -> None:
        known = "experiments/get-by-name" in self.path
        content = {"experiment": {"experiment_id": "7", "lifecycle_stage": "active"}}
        if "experiments/get?" in self.path:
            known = True
        self.send_response(self.status if known else 404)
        self.end_headers()
        self.wfile.write(json.dumps(content if known else {}).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Service) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_service_need_not_have_the_address_health(
    service: str, root: Path, alone: pytest.MonkeyPatch
) -> None:
    alone.setenv("MLFLOW_TRACKING_URI", service)
    assert tracking.connect() == service


def test_what_is_no_mlflow_server_is_named(
    service: str, root: Path, alone: pytest.MonkeyPatch
) -> None:
    alone.setattr(Service, "status", 404)
    alone.setenv("MLFLOW_TRACKING_URI", service)
    with pytest.raises(TrackingError, match=f"expected a usable store at {service}, received"):
        tracking.connect()
