"""Messages of errors: short enough to be read, whatever a file holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from svevae.config import named_file
from svevae.dataset.store import open_dataset
from svevae.errors import ConfigError, DataError, elsewhere, missing


def test_long_values_are_cut_and_paths_are_not() -> None:
    path = "/data/" + "part/" * 100 + "scan.h5"
    said = str(DataError(f"{path}: expected a number, received {'9' * 5000}, see {path}"))
    assert said.startswith(f"{path}: expected a number, received 999")
    assert said.endswith(f"999, see {path}")
    assert len(said) < 1300


def test_long_messages_keep_both_ends() -> None:
    said = str(DataError("scan.h5: expected " + "a word " * 1000 + "or a number"))
    assert said.startswith("scan.h5: expected a word")
    assert said.endswith("or a number")
    assert len(said) < 2000


@pytest.mark.parametrize(
    ("module", "package"),
    [
        ("botocore.client", "boto3"),
        ("google.cloud", "google-cloud-storage"),
        ("azure.storage.blob", "azure-identity azure-storage-file-datalake"),
        ("meshio", "'svevae[mesh]'"),
        ("mlflow.pyfunc", "'svevae[pipeline]'"),
    ],
)
def test_what_to_install(module: str, package: str) -> None:
    needs = f"needs {module.partition('.')[0]}, which is not installed: pip install {package}"
    assert missing(ModuleNotFoundError(name=module)) == needs


def test_a_module_of_nobody() -> None:
    """One of svevae itself that lacks is a fault of its own."""
    assert missing(ModuleNotFoundError(name="svevae.nothing")) is None
    assert missing(ModuleNotFoundError()) is None


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("s3://bucket/a/b.h5", "s3://bucket/a/b.h5 (pip install dvc-s3)"),
        ("gs://bucket/b.h5", "gs://bucket/b.h5 (pip install dvc-gs)"),
        ("az://bucket/b.h5", "azure://bucket/b.h5 (pip install dvc-azure)"),
        ("https://host/b.h5", "https://host/b.h5"),
    ],
)
def test_files_elsewhere_are_to_be_fetched(address: str, told: str) -> None:
    """As they are typed, and as a Path has them; files, not models."""
    said = f"fetch the file first: dvc get-url {told}"
    for name in (address, Path(address)):
        assert (elsewhere(name) or "").endswith(said)
    with pytest.raises(DataError) as opened:
        open_dataset(address)
    assert str(opened.value).endswith(said)
    with pytest.raises(ConfigError) as named:
        named_file(address, "prepare.dataset")
    assert str(named.value).endswith(said)
    for path in ("a/b.h5", "/a/b.h5", "C:/a/b.h5", "models:/svevae/3", "a:/b.h5"):
        assert elsewhere(path) is None
