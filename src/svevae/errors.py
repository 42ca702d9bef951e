"""Errors that a user can mend; the command line prints the message and exits with 2."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote

from svevae.words import short

EXTRAS = {  # what `pip install svevae` leaves out: modules by the extra that has them
    "pipeline": (
        "dvc",
        "grpc",
        "jinja2",
        "mlflow",
        "optuna",
        "plotly",
        "psutil",
        "requests",
        "sklearn",
        "sqlalchemy",
        "uvicorn",
    ),
    "explore": ("dash", "werkzeug"),
    "formats": ("SimpleITK", "vtk", "zarr"),
    "mesh": ("meshio", "pyvista"),
    "onnx": ("tf2onnx",),
}
PACKAGES = {  # of stores elsewhere, by the module that MLflow, SQLAlchemy or DVC import of them
    "azure": "azure-identity azure-storage-file-datalake",
    "boto3": "boto3",
    "botocore": "boto3",
    "google": "google-cloud-storage",
    "MySQLdb": "mysqlclient",
    "pymysql": "pymysql",
    "pyodbc": "pyodbc",
    "psycopg2": "psycopg2-binary",
    "pysftp": "pysftp",
}
FETCHED = {  # from addresses by DVC, and what it needs beside itself, by the scheme
    "azure": "dvc-azure",  # az:// elsewhere
    "gs": "dvc-gs",
    "http": "",
    "https": "",
    "s3": "dvc-s3",
    "ssh": "dvc-ssh",
}


class SvevaeError(Exception):
    """An error that the user can mend: the message names the file or parameter, what was expected
    and what was received. A received value of any length is cut, and so is a whole of more than
    2,000 characters.
    """

    def __str__(self) -> str:
        said = re.sub(r"\S{1000,}", lambda word: short(word[0], 200), super().__str__())
        return short(said, 1900)


class DataError(SvevaeError):
    """A dataset breaks the contract of `svevae.dataset.store`."""


class ConfigError(SvevaeError):
    """params.yaml, or an argument that stands for one of its keys, is wrong."""


class ClusterError(SvevaeError):
    """A Dask scheduler or its workers cannot be reached, were lost, or gave up."""


class TrainingError(SvevaeError):
    """Training cannot go on, e.g. a term of the loss is not finite."""


class TrackingError(SvevaeError):
    """The tracking store or the model registry cannot be reached, or lacks what was asked for."""


class SolverError(SvevaeError):
    """The solver did not converge; what it had is no label."""


def missing(error: ModuleNotFoundError) -> str | None:
    """Say how to install the package of a module that is not there; None where svevae knows
    none.
    """
    module = (error.name or "").partition(".")[0]
    extra = next((extra for extra, modules in EXTRAS.items() if module in modules), None)
    package = PACKAGES.get(module) if extra is None else f"'svevae[{extra}]'"
    return package and f"needs {module}, which is not installed: pip install {package}"


def elsewhere(name: str | Path) -> str | None:
    """Say how to fetch a file from the address `name`, such as s3://bucket/a.h5, which svevae does
    not read; None for a path.
    """
    match = re.fullmatch(r"(\w+):/+(.+)", str(name))  # a Path has one slash of the two
    scheme = match and {"az": "azure"}.get(match[1], match[1])
    if match is None or scheme not in FETCHED:
        return None
    address, package = f"{scheme}://{match[2]}", FETCHED[scheme]
    needs = f" (pip install {package})" if package else ""
    return f"the address {address}; fetch the file first: dvc get-url {quote(address)}{needs}"


@contextmanager
def blaming(where: str) -> Iterator[None]:
    """Put `where`, such as "params.yaml: generate.", before the message of a ConfigError, which
    begins with the name of a parameter. Functions know their parameters; only their caller knows
    the file.
    """
    try:
        yield
    except ConfigError as error:
        raise ConfigError(f"{where}{error}") from error
