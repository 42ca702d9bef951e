"""`svevae predict` with the model that it takes where none is named."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from svevae import __version__, places
from svevae.cli import main
from svevae.dataset.seal import content_digest_of
from svevae.dataset.store import open_dataset
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
def test_voxels_of_another_size_than_the_models_are_told(
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
    told = (
        f"svevae predict: other.h5: voxels of {0.8 * edge:g} um, where the model was trained on"
        f" {edge:g} um: it takes these pores for 1.25 times their size\n"
    )
    assert capsys.readouterr().err == (told if share == 0.8 else "")


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
