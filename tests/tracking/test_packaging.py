"""The champion at every door: the same answer, or the same refusal, to the same input."""

from __future__ import annotations

from pathlib import Path

import mlflow
import numpy as np
import pytest
import yaml
from mlflow.exceptions import MlflowException

from svevae import tracking
from svevae.errors import DataError
from svevae.model.latent import LatentModel, load_folder

N = 32


def cubes() -> np.ndarray:
    voxels = np.zeros((2, N, N, N), np.uint8)
    voxels[1, 4:8, 4:8, 4:8] = 1
    return voxels


ANSWERED = [cubes().astype(kind) for kind in ("u1", "i8", "f4", "f8", "?")]
REFUSED = {
    "0.999": (
        cubes() * 0.999,
        "expected 0 .* and 1 .*, received values from 0.0 to 0.999",
    ),
    "0.5": (np.full((1, N, N, N), 0.5), "received values from 0.5 to 0.5"),
    "2": (cubes() * 2, "received values from 0 to 2"),
    "nan": (np.full((1, N, N, N), np.nan), "received values from nan to nan"),
    "shape": (cubes()[:, :16], r"expected shape .sve, 32, 32, 32., received .2, 16, 32, 32."),
    "axes": (cubes()[0], r"expected shape .sve, 32, 32, 32., received .32, 32, 32."),
    "empty": (cubes()[:0], r"expected shape .sve, 32, 32, 32., received .0, 32, 32, 32."),
    "text": (cubes().astype(str), "expected numbers, received values of <U3"),
}


@pytest.fixture
def logged(root: Path, champion: Path) -> tuple[str, LatentModel]:
    """The address of the champion in a registry, and the champion of its folder."""
    model = load_folder(champion)
    contract = model.contract
    with tracking.run("register"):
        uri = tracking.log_model(
            champion,
            "svevae.use.champion",
            {},
            n=contract.n,
            latent_dim=contract.latent_dim,
            properties=len(contract.names),
            keras_version=contract.keras,
            backend=contract.backend,
        )
        version = tracking.register_version("m", uri, {"model_md5": "a"})
    assert tracking.registered_version("m", "a") == version
    return f"models:/m/{version}", model


def test_the_same_answer_or_refusal_in_python_and_by_pyfunc(
    logged: tuple[str, LatentModel],
) -> None:
    uri, model = logged
    pyfunc = mlflow.pyfunc.load_model(uri)
    expected = model.outputs(cubes())
    for voxels in ANSWERED:
        for outputs in (model.outputs(voxels), pyfunc.predict(voxels)):
            assert outputs.keys() == expected.keys()
            for key, values in expected.items():
                np.testing.assert_allclose(outputs[key], values, rtol=1e-5, atol=1e-6)
    for voxels, message in REFUSED.values():
        with pytest.raises(DataError, match=message):
            model.outputs(voxels)
        with pytest.raises(MlflowException, match=message) as refused:
            pyfunc.predict(voxels)
        assert refused.value.get_http_status_code() == 400


def test_the_description_names_outputs_requirements_and_code(
    logged: tuple[str, LatentModel],
) -> None:
    uri, _ = logged
    folder = tracking.download_model(uri).parents[1]
    description = yaml.safe_load((folder / "MLmodel").read_text(encoding="utf-8"))
    assert set(description["flavors"]) == {"keras", "python_function"}
    assert "novelty" in description["signature"]["outputs"]
    assert (folder / "code" / "svevae" / "use" / "champion.py").is_file()
    assert not (folder / "code" / "svevae" / "carried").exists()
    assert "keras==" in (folder / "requirements.txt").read_text(encoding="utf-8")


def test_a_version_of_an_earlier_svevae_loads(logged: tuple[str, LatentModel]) -> None:
    """Its inputs were uint8, to which MLflow's server cuts what it is sent."""
    uri, model = logged
    path = tracking.download_model(uri).parents[1] / "MLmodel"
    description = yaml.safe_load(path.read_text(encoding="utf-8"))
    description["signature"]["inputs"] = (
        '[{"type": "tensor", "tensor-spec": {"dtype": "uint8", "shape": [-1, 32, 32, 32]}}]'
    )
    path.write_text(yaml.safe_dump(description), encoding="utf-8")
    found = mlflow.pyfunc.load_model(uri).predict(cubes())
    np.testing.assert_allclose(found["properties"], model.predict(cubes()), rtol=1e-5)
