"""The store of a project: in folders of any name, moved, damaged, locked, read-only."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import mlflow
import pytest

from svevae import tracking
from svevae.errors import TrackingError
from svevae.tracking import embedded
from tests.tracking.conftest import make_root


def log_note(text: str) -> str:
    """A run with the artifact note.txt; its id."""
    with tracking.run("a") as run_id:
        mlflow.log_text(text, "note.txt")
    return run_id


def note(run_id: str) -> str:
    tracking.connect()
    return mlflow.artifacts.load_text(f"runs:/{run_id}/note.txt")


@pytest.mark.parametrize("name", ["x%20y what?", "a#b", "\u00fc & b", "mlruns/p"])
def test_a_project_in_a_folder_of_any_name(
    tmp_path: Path, alone: pytest.MonkeyPatch, name: str
) -> None:
    root = make_root(tmp_path / "projects" / name)
    alone.chdir(root)
    run_id = log_note("kept")
    (root / "below").mkdir()
    alone.chdir(root / "below")
    assert note(run_id) == "kept"
    assert tracking.public_uri() == "sqlite:///mlflow.db"
    assert (root / "mlflow.db").is_file()
    assert not list(Path().iterdir())
    assert [path.name for path in (tmp_path / "projects").iterdir()] == [name.split("/")[0]]
    client = mlflow.MlflowClient()
    client.create_registered_model("m")
    client.create_model_version("m", (root / "mlruns" / "m").as_uri())
    assert tracking.version_tags("m", "1") == {}


@pytest.mark.parametrize("places", [("before", "after"), ("mlruns/p", "q"), ("p", "mlruns/q")])
def test_a_moved_project_finds_its_artifacts(
    tmp_path: Path, alone: pytest.MonkeyPatch, places: tuple[str, str]
) -> None:
    before, after = (tmp_path / place for place in places)
    alone.chdir(make_root(before))
    run_id = log_note("kept")
    after.parent.mkdir(exist_ok=True)
    alone.chdir(tmp_path)
    shutil.move(before, after)
    alone.chdir(after)
    assert note(run_id) == "kept"
    assert mlflow.get_run(run_id).info.artifact_uri.startswith(f"{after.as_uri()}/mlruns/svevae/")


def test_paths_that_an_earlier_svevae_doubled_are_mended(
    tmp_path: Path, alone: pytest.MonkeyPatch
) -> None:
    root = make_root(tmp_path / "mlruns" / "p")
    alone.chdir(root)
    run_id = log_note("kept")
    doubled = f"{root.as_uri()}/mlruns/p"
    with closing(sqlite3.connect("mlflow.db")) as connection, connection:
        for table, column in embedded.ARTIFACT_COLUMNS:
            connection.execute(
                f"UPDATE {table} SET {column} = replace({column}, ?, ?)", (root.as_uri(), doubled)
            )
    assert note(run_id) == "kept"


def break_off(database: Path) -> None:
    with open(database, "r+b") as file:
        file.truncate(database.stat().st_size // 3)


def fill(database: Path) -> None:
    database.write_bytes(b"no database " * 1000)


def come_from_the_future(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")


def lose_a_table(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("ALTER TABLE experiments RENAME TO lost")


@pytest.mark.parametrize("damage", [break_off, fill, come_from_the_future, lose_a_table])
@pytest.mark.parametrize("named", [False, True])
def test_what_is_no_database_of_this_mlflow_is_named(
    root: Path, alone: pytest.MonkeyPatch, damage, named: bool
) -> None:
    tracking.connect()
    # engines of this process are open; the damaged file is another
    there = make_root(root.with_name("damaged"))
    shutil.copy("mlflow.db", there)
    damage(there / "mlflow.db")
    alone.chdir(there)
    if named:
        alone.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{there}/mlflow.db")
    with pytest.raises(TrackingError, match=r"mlflow\.db.*, received: ") as refused:
        tracking.connect()
    assert len(str(refused.value)) < 2000


def test_a_database_that_another_program_does_not_let_go(
    root: Path, alone: pytest.MonkeyPatch
) -> None:
    tracking.connect()
    alone.setattr(embedded, "PATIENCE", 0.1)
    with closing(sqlite3.connect("mlflow.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(TrackingError, match=r"mlflow\.db: .*received: database is locked"):
            tracking.connect()
        other.execute("ROLLBACK")
    tracking.connect()


READ = """
import mlflow
from svevae import tracking
from svevae.errors import TrackingError
tracking.connect()
print(tracking.public_uri(), tracking.download_model("models:/m@champion"))
print(mlflow.artifacts.load_text("runs:/RUN/note.txt"))
try:
    with tracking.run("b"):
        pass
except TrackingError as error:
    print(error)
"""


@pytest.mark.parametrize("moved", [False, True])
def test_a_read_only_project_can_be_read(
    tmp_path: Path,
    alone: pytest.MonkeyPatch,
    environment: dict[str, str],
    moved: bool,
) -> None:
    """Without the capabilities of root, who may write everywhere; mounted elsewhere too."""
    root = make_root(tmp_path / "p")
    alone.chdir(root)
    run_id = log_note("kept")
    model = root / "mlruns" / "svevae" / "models" / "m-1"
    model.mkdir(parents=True)
    (model / "MLmodel").write_text(
        "flavors:\n  python_function:\n    data: data\n", encoding="utf-8"
    )
    client = mlflow.MlflowClient()
    client.create_registered_model("m")
    client.create_model_version("m", model.as_uri())
    client.set_registered_model_alias("m", "champion", "1")
    if moved:
        alone.chdir(tmp_path)
        root = Path(shutil.move(root, tmp_path / "q"))
    for path in (root, *root.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    humbly = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"] if os.getuid() == 0 else []
    before = sorted(root.rglob("*"))
    done = subprocess.run(
        [*humbly, sys.executable, "-c", READ.replace("RUN", run_id)],
        cwd=root,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    lines = done.stdout.splitlines()
    assert lines[:2] == [
        f"sqlite:///mlflow.db {root}/mlruns/svevae/models/m-1/data",
        "kept",
    ], done.stderr
    assert lines[2] == f"{root}/mlflow.db: expected to write a run, the project is read-only"
    for path in (root, *root.rglob("*")):
        path.chmod(0o755)
    assert sorted(root.rglob("*")) == before
