"""The store of a project: a sqlite file at its root, made on first use, mended where the project
was moved, and read from a copy where the project is read-only.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import mlflow
from sqlalchemy import make_url

from svevae.errors import TrackingError
from svevae.places import DATABASE

EXPERIMENT = "svevae"
PATIENCE = 20  # seconds for another program to let go of the database
# Where the sqlite schema of MLflow keeps absolute artifact paths.
ARTIFACT_COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
_COPIES: dict[Path, Path] = {}  # of read-only projects, by their roots


def sqlite_uri(database: Path) -> str:
    """The address of a sqlite file, whatever characters its path has.

    The characters % and ? must be quoted, and MLflow makes the folder of an address as it is
    written, quoted: a path with such is given from the working folder, which is in the project.
    """
    path = str(database)
    if {"%", "?"} & set(path):
        path = os.path.relpath(path)
    return f"sqlite:///{path.replace('%', '%25').replace('?', '%3F')}"


def sqlite_file(uri: str) -> Path | None:
    """The file that a sqlite address names, absolute; None where it names none."""
    name = make_url(uri).database
    return Path(name).resolve() if name and name != ":memory:" else None


def open_embedded(root: Path) -> str:
    """The address of the store of `root`. Raises TrackingError where its file is no store.

    Its schema is made by one process at a time: several at once corrupt a fresh file.
    """
    # not where a registered model is loaded, which brings this code along but not this library
    from filelock import FileLock

    database = root / DATABASE
    if not os.access(root, os.W_OK) or (database.exists() and not os.access(database, os.W_OK)):
        return sqlite_uri(_copy(root))
    with FileLock(root / f".{DATABASE}.lock"):
        check_database(database)
        client = mlflow.MlflowClient(sqlite_uri(database))
        if client.get_experiment_by_name(EXPERIMENT) is None:
            client.create_experiment(EXPERIMENT, artifact_location=artifacts_beside(database))
        _mend_moved(database, root)
    return sqlite_uri(database)


def artifacts_beside(database: Path) -> str:
    """Where the artifacts of a sqlite store belong."""
    return (database.parent / "mlruns" / EXPERIMENT).as_uri()


def check_database(database: Path) -> None:
    """Raises TrackingError where the file is there and sqlite cannot read it, or another program
    does not let it go. MLflow alone tries for an hour.
    """
    if not database.is_file():
        return
    try:
        with closing(sqlite3.connect(database, timeout=PATIENCE)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        raise TrackingError(f"{database}: expected MLflow's database, received: {error}") from error


def is_copy(uri: str) -> bool:
    """Whether `uri` is a copy that stands for the store of a read-only project."""
    return uri in {sqlite_uri(copy) for copy in _COPIES.values()}


def _copy(root: Path) -> Path:
    """A copy of the store of a read-only project, for this process alone: MLflow writes to a
    database that it opens, and the paths in it may be those of another machine.
    """
    if root not in _COPIES:
        database = root / DATABASE
        if not database.is_file():
            raise TrackingError(f"{database}: expected to make it, but {root} is read-only")
        check_database(database)
        folder = Path(tempfile.mkdtemp(prefix="svevae-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        copy = folder / DATABASE
        shutil.copyfile(database, copy)
        _mend_moved(copy, root)
        _COPIES[root] = copy
    return _COPIES[root]


def _mend_moved(database: Path, root: Path) -> None:
    """Artifact paths are stored absolute: where the project's folder was moved, point them to where
    it is now.
    """
    with closing(sqlite3.connect(database, timeout=PATIENCE)) as connection, connection:
        row = connection.execute(
            "SELECT artifact_location FROM experiments WHERE name = ?", (EXPERIMENT,)
        ).fetchone()
        # the last: the project itself may lie below a folder of this name
        old, separator, _ = (row[0] if row else "").rpartition("/mlruns/")
        new = root.as_uri() if old.startswith("file:") else str(root)
        if not separator or old == new:
            return
        for table, column in ARTIFACT_COLUMNS:
            connection.execute(
                f"UPDATE {table} SET {column} = ? || substr({column}, ?)"
                f" WHERE substr({column}, 1, ?) = ?",
                (f"{new}/mlruns/", len(old) + 9, len(old) + 8, f"{old}/mlruns/"),
            )
