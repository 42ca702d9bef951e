"""`svevae predict` with the model that it takes where none is named."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from svevae import __version__, places
from svevae.cli import main
from svevae.dataset.seal import content_digest_of
from svevae.dataset.store import LabelledDataset, open_dataset
from svevae.model.latent import load_folder


@pytest.fixture
def outside(tmp_path: Path, champion: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, in no project; svevae carries a champion."""
    for name in ("DVC_ROOT", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(places, "_CLONE", champion.parents[1])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_carried_champion_and_one_line_that_says_so(
    outside: Path, tiny_file: Path, champion: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main(["predict", str(tiny_file), "-o", "a.h5"]) == 0
    printed = capsys.readouterr()
    assert printed.err == (
        "svevae predict: no project and no MLFLOW_TRACKING_URI here: using the champion that came"
        f" with svevae {__version__}\n"
    )
    assert printed.out == "a.h5: properties of 96 SVEs, by svevae:/champion\n"
    model, voxels = load_folder(champion), next(open_dataset(tiny_file).slabs())[1]
    with h5py.File("a.h5") as file:
        assert file.attrs["model"] == "svevae:/champion"
        np.testing.assert_allclose(file["properties"][:], model.predict(voxels), rtol=1e-6)
        assert content_digest_of(file) is not None
        assert all(item.fletcher32 for item in file.values())


@pytest.mark.parametrize("share", [0.8, 1.0, None])
def test_voxels_of_another_or_unknown_size_are_told(
    outside: Path,
    tiny_file: Path,
    champion: Path,
    share: float | None,
    capsys: pytest.CaptureFixture,
) -> None:
    edge = load_folder(champion).voxel_size
    assert edge is not None
    with h5py.File("other.h5", "w") as file:
        file["voxels"] = open_dataset(tiny_file).voxels(np.arange(3))
        if share is not None:
            file.attrs["voxel_size_um"] = share * edge
    assert main(["predict", "other.h5", "-o", "a.csv", "-m", str(champion)]) == 0
    told = {
        0.8: (
            f"svevae predict: other.h5: voxels of {0.8 * edge:g} um, where the model was trained on"
            f" {edge:g} um: it takes these pores for 1.25 times their size\n"
        ),
        1.0: "",
        None: (
            f"svevae predict: other.h5: voxel size unknown, taken for the {edge:g} um that the"
            " model was trained on; the attribute voxel_size_um of an SVE file says it\n"
        ),
    }
    assert capsys.readouterr().err == told[share]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("models:/svevae@champion", "expected a svevae project (MLproject and dvc.yaml)"),
        ("nowhere", "nowhere: expected a folder with model.keras and contract.json"),
    ],
)
def test_a_model_that_is_named_is_not_replaced(
    outside: Path, tiny_file: Path, name: str, message: str, capsys: pytest.CaptureFixture
) -> None:
    assert main(["predict", str(tiny_file), "-o", "a.csv", "-m", name]) == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert "came with svevae" not in printed
    assert not Path("a.csv").exists()


def read_csv(path: str) -> pd.DataFrame:
    table = pd.read_csv(path)
    return table.rename(columns=lambda name: name.split(" ")[0])


def test_each_sve_in_the_metal_that_its_file_says(
    outside: Path, metals: LabelledDataset, metal_model: Path
) -> None:
    """And in the one that is named instead; a file that says none in the model's usual one."""
    model, voxels = load_folder(metal_model), metals.voxels(np.arange(metals.count))
    latent = model.encode(voxels)[0]
    command = ["predict", str(metals.path), "-m", str(metal_model), "-o", "a.csv"]
    assert main(command) == 0
    expected = model.prediction(latent, metals.laws).properties
    np.testing.assert_allclose(read_csv("a.csv")[list(model.names)], expected, rtol=1e-4)
    law = {"E": 112e3, "nu": 0.33, "s0": 900.0, "Q": 150.0, "b": 30.0}
    text = ",".join(f"{name}={value:g}" for name, value in law.items())
    assert main([*command, "--material", text]) == 0
    expected = model.prediction(latent, np.array(list(law.values()))).properties
    np.testing.assert_allclose(read_csv("a.csv")[list(model.names)], expected, rtol=1e-4)
    with h5py.File("unsaid.h5", "w") as file:
        file["voxels"] = voxels[:3]
    assert main(["predict", "unsaid.h5", "-m", str(metal_model), "-o", "a.csv"]) == 0
    expected = model.predict(voxels[:3])
    np.testing.assert_allclose(read_csv("a.csv")[list(model.names)], expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("material", "words"),
    [
        ("steel", "--material: expected one of as-built-z, "),
        ("E=70000", "--material: expected a preset or a mapping of E, nu, s0, Q, b"),
        ("E=1,nu=nan,s0=1,Q=1,b=1", "--material.nu: expected a number between -1 and 0.5"),
        ("E=70000,nu=0.1,s0=200,Q=300,b=40", "--material: expected nu from 0."),
        ("E=x", "argument --material: expected NAME=VALUE, received 'E=x'"),
        ("E=1,E=2", "argument --material: expected each constant once"),
    ],
)
def test_materials_that_are_none(
    outside: Path,
    tiny_file: Path,
    metal_model: Path,
    material: str,
    words: str,
    capsys: pytest.CaptureFixture,
) -> None:
    command = ["predict", str(tiny_file), "-o", "a.csv", "-m", str(metal_model)]
    try:
        code = main([*command, "--material", material])
    except SystemExit as error:  # of argparse
        code = error.code
    assert code == 2
    assert words in capsys.readouterr().err
    assert not Path("a.csv").exists()
