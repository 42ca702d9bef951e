"""The registry: what is told of versions, and what no model is."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import mlflow
import pytest

from svevae import tracking
from svevae.errors import TrackingError
from tests.conftest import unused_port
from tests.tracking.conftest import make_root, python

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


def make_version(root: Path, name: str = "logged") -> Path:
    """A version "m/1" whose MLmodel is in the folder `name`, at the path that is returned."""
    folder = root / name
    (folder / "data").mkdir(parents=True)
    description = folder / "MLmodel"
    description.write_text(
        "flavors:\n  python_function:\n    data: data\n    loader_module: svevae.use.champion\n",
        encoding="utf-8",
    )
    tracking.connect()
    client = mlflow.MlflowClient()
    client.create_registered_model("m")
    client.create_model_version("m", folder.as_uri())
    return description


@pytest.mark.parametrize("name", ["logged", "x%20y/m", "what?/m", "a#b/m"])
def test_the_folder_of_a_version(root: Path, name: str) -> None:
    make_version(root, name)
    assert tracking.download_model("models:/m/1") == root / name / "data"


def test_a_version_without_its_description(root: Path) -> None:
    make_version(root).unlink()
    with pytest.raises(TrackingError, match=r"models:/m/1: expected the file MLmodel .* no such"):
        tracking.download_model("models:/m/1")


@pytest.mark.parametrize("content", ["", "a: [", "- 1", "flavors: 3", "flavors: {a: {}}", "\0"])
def test_a_damaged_description_is_named(root: Path, content: str) -> None:
    make_version(root).write_text(content, encoding="utf-8")
    expected = (
        "^models:/m/1: expected the file MLmodel of a model of svevae in the registry"
        " sqlite:///mlflow.db, received"
    )
    with pytest.raises(TrackingError, match=expected) as refused:
        tracking.download_model("models:/m/1")
    assert ("line 1, column 5: expected YAML" in str(refused.value)) == (content == "a: [")


def test_a_version_whose_files_are_gone(root: Path) -> None:
    shutil.rmtree(make_version(root).parent)
    with pytest.raises(TrackingError, match=r"models:/m/1: expected a model of svevae"):
        tracking.download_model("models:/m/1")


@pytest.mark.parametrize(
    "uri",
    [
        "models:/none/1",
        "models:/none@champion",
        "models:/",
        "runs:/1234/model",
        "s3://bucket/model",
        "http://127.0.0.1:{port}/model",
        "https://127.0.0.1:{port}/model",
        "nonsense://there/model",
        "file:/not/there",
    ],
)
def test_what_is_no_model_is_named(root: Path, uri: str) -> None:
    uri = uri.format(port=unused_port())
    with pytest.raises(TrackingError, match=f"^{uri}: expected a") as refused:
        tracking.download_model(uri)
    assert len(str(refused.value)) < 2000


def test_an_alias_that_is_not_there_is_told_from_a_store_that_does_not_answer(root: Path) -> None:
    make_version(root)
    assert tracking.aliased_version("m", "champion") is None
    assert tracking.aliased_version("none", "champion") is None
    tracking.set_alias("m", "champion", "1")
    assert tracking.aliased_version("m", "champion") == "1"
    mlflow.set_tracking_uri(f"http://127.0.0.1:{unused_port()}")
    with pytest.MonkeyPatch.context() as quick:
        quick.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        with pytest.raises(TrackingError, match="expected a model registry that answers"):
            tracking.aliased_version("m", "champion")


def test_a_model_in_a_bucket_without_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, scheme, package in (
        ("botocore", "s3", "boto3"),
        ("google.cloud", "gs", "google-cloud-storage"),
    ):
        monkeypatch.setitem(sys.modules, module, None)
        said = rf"^{scheme}://b/m: expected a model of svevae in that place, .* install {package}$"
        with pytest.raises(TrackingError, match=said):
            tracking.download_model(f"{scheme}://b/m")
