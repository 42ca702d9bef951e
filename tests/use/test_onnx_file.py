"""The kept champion as an ONNX file says what it says in Python."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from svevae.cli import main
from svevae.errors import DataError
from svevae.model.latent import LatentModel
from svevae.use.onnx_file import OUTPUTS, export_onnx

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("tf2onnx")


@pytest.fixture(scope="module")
def exported(champion: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, LatentModel]:
    path = tmp_path_factory.mktemp("onnx") / "champion.onnx"
    return path, export_onnx(str(champion), path)


def test_the_file_says_what_the_model_says(exported: tuple[Path, LatentModel]) -> None:
    path, model = exported
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (voxels,) = session.get_inputs()
    assert (voxels.name, voxels.type) == ("voxels", "tensor(float)")
    assert voxels.shape[1:] == [model.n] * 3
    assert {output.name for output in session.get_outputs()} == set(OUTPUTS)
    random = np.random.default_rng(0)
    for count in (1, 2, 5):
        cubes = (random.random((count, *[model.n] * 3)) < 0.05).astype(np.uint8)
        expected = model.outputs(cubes)
        found = session.run(list(OUTPUTS), {"voxels": cubes.astype(np.float32)})
        for name, values in zip(OUTPUTS, found, strict=True):
            scale = np.abs(expected[name]).max()
            assert values.shape == expected[name].shape
            # eight steps of a solver in single precision: rounding grows tenfold
            np.testing.assert_allclose(values, expected[name], rtol=3e-4, atol=3e-4 * scale)


def test_names_and_units_are_in_the_file(exported: tuple[Path, LatentModel]) -> None:
    path, model = exported
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    found = session.get_modelmeta().custom_metadata_map
    assert tuple(json.loads(found["names"])) == model.names
    assert tuple(json.loads(found["units"])) == model.units
    assert json.loads(found["contract"])["n"] == int(found["n"]) == model.n


def test_a_target_that_is_no_onnx_file(champion: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.pb: expected a name that ends in \.onnx"):
        export_onnx(str(champion), tmp_path / "a.pb")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.h5", "-o", "a.vtkhdf"], "a.vtkhdf: expected --sve I or --part P of a.h5"),
        (["m", "-o", "m.onnx", "--sve", "1"], "m.onnx: expected no --sve and no --part of a model"),
        (["m", "-o", "m.onnx"], "m: expected a folder with model.keras and contract.json"),
    ],
)
def test_what_the_command_refuses(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["export", *arguments]) == 2
    assert f"svevae export: {message}" in capfd.readouterr().err


def test_the_extra_is_named(
    champion: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd
) -> None:
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    assert main(["export", str(champion), "-o", str(tmp_path / "champion.onnx")]) == 2
    assert (
        "needs tf2onnx, which is not installed: pip install 'svevae[onnx]'"
        in capfd.readouterr().err
    )
