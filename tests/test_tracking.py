"""The store: first use by several processes, a moved project, servers that do not answer, what a
run tells of itself.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import unused_port

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


def make_root(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "MLproject").write_text("name: svevae\n")
    (folder / "dvc.yaml").touch()
    return folder


def python(
    code: str, cwd: Path, environment: dict[str, str], **variables: str
) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=cwd,
        env=environment | variables,
        capture_output=True,
        text=True,
        check=False,
    )


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
            text=True,
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


def test_a_moved_project_finds_its_artifacts(tmp_path: Path, environment: dict[str, str]) -> None:
    log = (
        FIRST_USE.replace("print(run_id)", "")
        + "\nwith tracking.run('a', run_id):\n    tracking.mlflow.log_text('kept', 'note.txt')\n"
    )
    assert python(log, make_root(tmp_path / "before"), environment).returncode == 0
    shutil.move(tmp_path / "before", tmp_path / "after")
    code = """
import mlflow
from svevae import tracking
tracking.connect()
(run,) = mlflow.search_runs(output_format="list")
print(mlflow.artifacts.load_text(run.info.artifact_uri + "/note.txt"))
print(run.info.artifact_uri)
"""
    read = python(code, tmp_path / "after", environment)
    assert read.stdout.splitlines()[0] == "kept", read.stderr
    assert str(tmp_path / "after") in read.stdout


def test_a_run_names_its_commit_and_whether_files_differ(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    root = make_root(tmp_path)
    git = ["git", "-c", "user.name=Test", "-c", "user.email=test@example.org"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "first"]):
        subprocess.run([*git, *command], cwd=root, check=True)
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=True
    ).stdout.strip()
    lineage = "from svevae import tracking\nprint(tracking.lineage())"
    tags = eval(
        python(lineage, root, environment, DVC_STAGE="train", DVC_EXP_NAME="bold-idea").stdout
    )
    assert tags == {
        "mlflow.source.git.commit": commit,
        "svevae.git_commit": commit,
        "svevae.git_dirty": "false",
        "svevae.dvc_stage": "train",
        "svevae.dvc_experiment": "bold-idea",
        "svevae.version": tags["svevae.version"],
    }
    (root / "dvc.yaml").write_text("stages: {}\n")
    assert eval(python(lineage, root, environment).stdout)["svevae.git_dirty"] == "true"


LINEAGE = """
from svevae import tracking
tags = [tracking.lineage() for _ in range(2)]
print(sorted(tags[1]))
"""


@pytest.mark.parametrize(
    ("git", "said"),
    [
        (None, "No such file or directory: 'git'"),
        ("fatal: detected dubious ownership in repository at '/p'", "dubious ownership"),
        ("fatal: not a git repository", "fatal: not a git repository"),
    ],
)
def test_without_a_commit_a_run_begins_and_one_line_says_why(
    tmp_path: Path, environment: dict[str, str], git: str | None, said: str
) -> None:
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    if git:
        (bin_folder / "git").write_text(f'#!/bin/sh\necho "{git}" >&2\necho more >&2\nexit 128\n')
        (bin_folder / "git").chmod(0o755)
    done = python(LINEAGE, make_root(tmp_path), environment, PATH=str(bin_folder))
    assert done.stdout == "['svevae.version']\n", done.stderr
    (line,) = [line for line in done.stderr.splitlines() if "the run names no commit" in line]
    assert said in line


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


NEWS = """
import logging
import mlflow
from svevae import tracking
with tracking.run("quiet"):
    info = mlflow.pyfunc.log_model(name="m", python_model=lambda model_input: model_input,
                                   input_example=["a"], pip_requirements=["mlflow"])
    print(tracking.register_version("m", info.model_uri, {}))
    print(tracking.register_version("m", info.model_uri, {}))
logging.getLogger("mlflow.store").warning("a real problem")
"""


@pytest.mark.slow
def test_mlflow_tells_no_news_and_still_warns(tmp_path: Path, environment: dict[str, str]) -> None:
    """No word of tables made, migrations, and versions registered."""
    quiet = environment | {"PYTHONWARNINGS": "ignore"}
    done = python(NEWS, make_root(tmp_path), quiet)
    assert done.stdout == "1\n2\n", done.stderr
    said = [line for line in done.stderr.splitlines() if "names no commit" not in line]
    assert [line for line in said if "a real problem" in line]
    for word in ("INFO", "database tables", "Successfully registered", "Created version"):
        assert not [line for line in said if word in line], done.stderr
