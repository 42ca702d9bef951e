"""Inverse design: the solver's word decides, what is out of reach is said, and the command is tried
as a user does.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import h5py
import keras
import matplotlib.image
import numpy as np
import pytest

from svevae.cli import main
from svevae.config import Params
from svevae.dataset.cluster import Work
from svevae.dataset.label_settings import LabelSettings
from svevae.dataset.store import find_problems
from svevae.errors import ConfigError
from svevae.model.contract import TrainingData
from svevae.model.latent import Prediction, load_folder, save_folder
from svevae.model.porosity import PorosityModel
from svevae.model.posterior import Posterior
from svevae.model.vae import build_vae
from svevae.physics.elasticity import PRESETS
from svevae.physics.label import Tension, property_names
from svevae.use.design import Design, describe_design, design, solver_settings
from tests.contracts import make_contract

N = 8
SETTINGS = LabelSettings(
    PRESETS["as-built-z"], Tension(("z",), (0.002, 0.004, 0.01)), "float32", 5e-4
)
NAMES, UNITS = property_names(SETTINGS.tension.axes)
RECORD = {
    "material": asdict(SETTINGS.material),
    "solver_settings": asdict(SETTINGS.solver()),
    "tension": {"axes": ["z"], "strain": list(SETTINGS.tension.strain)},
    "label_digest": SETTINGS.digest(),
}


def layered() -> SimpleNamespace:
    """A model of layers of pores across x, as thick as the latent unit says: along z they carry the
    share of the matrix, exactly.
    """

    def prediction(latent: np.ndarray) -> Prediction:
        solid = 1 - latent[:, :1] / N
        return Prediction(
            solid * [70_000, 230, 330],
            np.tile([500.0, 3.0, 3.0], (len(latent), 1)),
            np.zeros(len(latent)),
        )

    def encode(voxels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        latent = N * voxels.mean((1, 2, 3))[:, None]
        return latent, np.zeros_like(latent)

    return SimpleNamespace(
        names=NAMES,
        units=UNITS,
        grain=0.0,
        posterior=Posterior(np.ones(1), np.full((1, 1), 2.0), np.ones((1, 1, 1))),
        encode=encode,
        decode=lambda latent: np.broadcast_to(
            (np.arange(N) < np.rint(latent))[:, :, None, None], (len(latent), N, N, N)
        ).astype(float),
        prediction=prediction,
        predict=lambda voxels: prediction(encode(voxels)[0]).properties,
        predict_from_latent=lambda latent: prediction(latent).properties,
    )


@pytest.fixture(scope="module")
def layers(tmp_path_factory: pytest.TempPathFactory) -> Design:
    """Designed for E_z of two layers of eight; the solver asked about three of four."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("layers"))
        return design(
            layered(),
            {"E_z": 52_500.0},
            count=4,
            seed=0,
            settings=SETTINGS,
            solve=3,
            work=Work(workers=1),
        )


def test_the_solver_confirms_what_was_wished(layers: Design) -> None:
    np.testing.assert_array_equal(layers.is_solved, [True, True, True, False])
    np.testing.assert_allclose(layers.porosity, 2 / N)
    np.testing.assert_allclose(layers.solved[:3, 0], 52_500, rtol=2e-3)
    np.testing.assert_allclose(layers.predicted[:, 0], 52_500, rtol=1e-6)


def test_rank_is_by_the_solver(layers: Design) -> None:
    """Distance: what the solver is away over the standard deviation; what was not solved comes
    last.
    """
    np.testing.assert_allclose(
        layers.distance[:3], np.abs(layers.solved[:3, 0] - 52_500) / 500, rtol=1e-5
    )
    assert (np.diff(layers.distance[:3]) >= 0).all()
    assert layers.distance[3] == pytest.approx(0, abs=1e-4), (
        "by the prediction it would be the first"
    )


def test_in_words(layers: Design) -> None:
    lines = describe_design(layers).splitlines()
    assert lines[0].split() == [
        "rank",
        "E_z",
        "[MPa]",
        "in",
        "90",
        "%",
        "solver",
        "porosity",
        "distance",
        "novelty",
    ]
    assert "51678 .. 53322" in lines[1]  # 1.645 standard deviations
    assert "3 of 3 within 820 MPa" in lines[5]
    assert lines[-1].startswith("4 SVEs, 3 solved")


def test_each_target_has_its_own_columns(layers: Design) -> None:
    table = replace(
        layers, targets={"E_z": 52_500.0, "yield_z": 170.0}, scale=np.array([500.0, 3.0])
    ).table()
    assert list(table) == [
        "rank",
        "E_z [MPa]",
        "in 90 %",
        "solver",
        "yield_z [MPa]",
        "in 90 %",
        "solver",
        "porosity",
        "distance",
        "novelty",
    ]
    assert table.iloc[0, 2] == "51678 .. 53322"
    assert table.iloc[0, 5] == "167.57 .. 177.43"


def test_what_the_voxels_do_not_reach_is_said() -> None:
    """Between two layers and three the latent space has everything, the voxels nothing."""
    found = design(
        layered(), {"E_z": 70_000 * (1 - 2.5 / N), "yield_z": 230 * (1 - 2.5 / N)}, count=3, seed=0
    )
    assert not found.is_solved.any()
    assert (
        "out of reach together: no SVE was found with these; the nearest: E_z = 5.25e+04"
        in describe_design(found).replace("52500", "5.25e+04")
    )


@pytest.fixture(scope="module")
def folder(params: Params, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model, untrained, whose labels the solver can make."""
    keras.utils.set_random_seed(0)
    mean, std = np.array([66_000.0, 229.0, 390.0]), np.array([4_600.0, 12.0, 20.0])
    contract = make_contract(
        names=tuple(NAMES), units=tuple(UNITS), n=N, voxel_size=10.0, grain=1.0, labels=RECORD
    )
    path = tmp_path_factory.mktemp("models") / "model"
    vae = build_vae(params.train, N, mean, std)
    last = [layer for layer in vae.get_layer("decoder").layers if layer.weights][-1]
    last.bias.assign(last.bias - 4)  # few pores, so that the solver is quick
    save_folder(path, vae, contract)
    return path


@pytest.mark.slow
def test_as_a_user(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """From the command line to the file and the picture; again, from the journal alone, the same
    file.
    """
    monkeypatch.chdir(tmp_path)
    model = PorosityModel(load_folder(folder), np.random.default_rng(0))
    found = model.predict_from_latent(model.posterior.sample(1000, np.random.default_rng(0)))
    wished = {
        "E_z": float(f"{np.median(found[:, 0]):.6g}"),
        "porosity": float(f"{np.median(found[:, -1]):.3g}"),
    }
    targets = [word for name, value in wished.items() for word in ("-t", f"{name}={value}")]
    words = ["design", "-m", str(folder), *targets, "-n", "3", "--solve", "2", "--workers", "1"]
    code, said = main(words), capsys.readouterr()
    assert code == 0, said.err
    assert "3 SVEs, 2 solved" in said.out
    assert not find_problems("design.h5")
    with h5py.File("design.h5") as file:
        assert file["rank"][:].tolist() == [1, 2, 3]
        assert np.isfinite(file["solved"][:]).all(axis=1).tolist() == [True, True, False]
        assert json.loads(file.attrs["targets"]) == wished
        first = {key: file[key][:] for key in ("voxels", "solved", "distance")}
    assert matplotlib.image.imread("design.png").shape[1] == 1540
    monkeypatch.setattr("svevae.dataset.labelling.label_batch", None)
    assert main([*words, "-o", "again.h5"]) == 0
    with h5py.File("again.h5") as file:
        for key, array in first.items():
            np.testing.assert_array_equal(file[key][:], array)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-t", "strength=3"], "target strength: expected one of porosity, E_z, yield_z, flow_z"),
        (["-t", "E_z=nan"], "target E_z: expected a number, received nan"),
        (["-t", "E_z=1", "-t", "E_z=2"], "target E_z: expected one value, received 1, 2"),
        (
            ["-t", "porosity=3"],
            "target porosity: expected a share of the volume from 0 to 1, such as 0.03, received 3",
        ),
        (["-t", "E_z=1e6"], " MPa; the nearest that was made: E_z = "),
        (["-t", "E_z=60000", "-o", "a.txt"], "a.txt: expected a name that ends in .h5"),
        (["-t", "E_z=60000", "-o", "none/a.h5"], "expected a folder none that can be written to"),
        (["-t", "E_z=60000", "--data", "none.h5"], "none.h5"),
    ],
)
def test_bad_input(
    folder: Path,
    words: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["design", "-m", str(folder), *words]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.glob("*.h5"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "the following arguments are required: -t/--target"),
        (["-t", "E_z"], "argument -t/--target: expected NAME=VALUE, received 'E_z'"),
    ],
)
def test_no_target_or_no_number(
    words: list[str], message: str, capsys: pytest.CaptureFixture
) -> None:
    with pytest.raises(SystemExit) as refusal:
        main(["design", *words])
    assert refusal.value.code == 2
    assert message in capsys.readouterr().err


def test_a_model_without_uncertainty(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    model = load_folder(folder)
    old = keras.Model(
        model.model.input,
        {key: value for key, value in model.model.output.items() if key != "properties_std"},
    )
    save_folder(tmp_path / "old", old, model.contract)
    assert (
        main(
            ["design", "-m", str(tmp_path / "old"), "-t", "E_z=60000", "-o", str(tmp_path / "a.h5")]
        )
        == 2
    )
    assert (
        "received one without properties_std; one of an earlier svevae has to be trained again"
        in capsys.readouterr().err
    )


def test_settings_come_from_the_contract(tiny_file: Path) -> None:
    model = SimpleNamespace(names=NAMES, contract=make_contract(labels=RECORD))
    assert solver_settings(model, "here") == SETTINGS
    with pytest.raises(
        ConfigError,
        match=r"tiny\.h5 does not say how it was labelled: expected --data with a file labelled by",
    ):
        solver_settings(model, "here", tiny_file)
    model.contract = make_contract(labels=RECORD | {"label_digest": "another"})
    with pytest.raises(
        ConfigError,
        match=(
            r"here was labelled by another version of the solver: expected --data .*, or --solve 0"
        ),
    ):
        solver_settings(model, "here")
    model.contract, model.names = make_contract(labels=RECORD), ("E_z", "toughness")
    with pytest.raises(
        ConfigError,
        match=r"here: expected labels E_z, toughness of the model, received none of toughness",
    ):
        solver_settings(model, "here")
    model.contract = make_contract()
    with pytest.raises(ConfigError, match="here does not say how it was labelled"):
        solver_settings(model, "here")


def test_an_older_model_asks_the_file_it_was_trained_on() -> None:
    path = Path(__file__).parents[2] / "data" / "sve_porous_alsi10mg_32.h5"
    found = solver_settings(
        SimpleNamespace(
            names=("E_x", "yield_z"), contract=make_contract(data=TrainingData(file=str(path)))
        ),
        "here",
    )
    assert found.tension.axes == ("x", "y", "z")
