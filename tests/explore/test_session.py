"""What the page shows, without the page: a tiny network with volumes of known content."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from svevae.config import Params
from svevae.dataset.store import LabelledDataset, SVEDataset, open_dataset, write_dataset
from svevae.errors import DataError
from svevae.explore import session, upload
from svevae.explore.mesh import SAMPLED, Choice
from svevae.explore.session import Explorer
from svevae.model.contract import TrainingData
from svevae.model.latent import LatentModel, load_folder
from svevae.model.metal import in_metal
from svevae.model.sampling import Realised
from svevae.model.vae import build_vae
from svevae.physics.elasticity import PRESETS, Material
from svevae.physics.voce import voce_curve
from tests.contracts import make_contract
from tests.explore.meshes import text_of
from tests.meshes.bars import bar

NAMES, UNITS = ["E_z", "nu_zx", "yield_z", "flow_z"], ["MPa", "-", "MPa", "MPa"]
MEAN, STD = np.array([66_000.0, 0.326, 229.0, 390.0]), np.array([3_800.0, 0.005, 12.0, 22.0])
AGED = '{"E": 60000.0, "nu": 0.33, "s0": 217.0, "Q": 176.0, "b": 40.0}'


def tiny_model(
    params: Params,
    names: list[str] = NAMES,
    units: list[str] = UNITS,
    voxel_size: float | None = 10.0,
) -> LatentModel:
    """An untrained network for SVEs of 8 voxels of 10 um."""
    contract = make_contract(
        names=tuple(names),
        units=tuple(units),
        voxel_size=voxel_size,
        grain=1.0,
        data=TrainingData(material=AGED),
    )
    return LatentModel(build_vae(params.train, 8, MEAN[: len(names)], STD[: len(names)]), contract)


@pytest.fixture(scope="module")
def model(params: Params) -> LatentModel:
    return tiny_model(params)


@pytest.fixture
def explorer(model: LatentModel) -> Explorer:
    return Explorer(model)


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> SVEDataset:
    """Three SVEs of 8 voxels; the second has one pore of 2 x 2 x 2, and labels that count."""
    path = tmp_path_factory.mktemp("data") / "few.h5"
    voxels = np.zeros((3, 8, 8, 8), np.uint8)
    voxels[1, 2:4, 2:4, 2:4] = 1
    voxels[2, :, :, 5] = 1
    arrays = {
        "voxels": voxels,
        "properties": np.arange(12.0).reshape(3, 4),
        "part_id": np.arange(3),
    }
    arrays |= {
        "tension/strain": np.array([0.01, 0.04]),
        "tension/stress_z": np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]),
    }
    write_dataset(path, arrays, tuple(NAMES), tuple(UNITS), {"voxel_size_um": 10.0})
    return open_dataset(path)


def still(explorer: Explorer) -> list[float]:
    return [0.0] * len(explorer.directions.names)


def npy(array: np.ndarray, path: Path) -> bytes:
    np.save(path / "array.npy", array)
    return (path / "array.npy").read_bytes()


def test_a_start_that_was_not_moved_is_the_sve_itself(
    labelled: SVEDataset, model: LatentModel
) -> None:
    explorer = Explorer(model, labelled)
    key = explorer.pick(1)
    view = explorer.view(key, still(explorer))
    np.testing.assert_array_equal(view.voxels, labelled.voxels([1])[0])
    np.testing.assert_allclose(view.latent, model.encode(labelled.voxels([1]))[0][0], atol=1e-6)
    np.testing.assert_allclose(
        view.probability, model.reconstruct(labelled.voxels([1]))[0], atol=1e-6
    )
    assert view.solved.properties == {"E_z": 4.0, "nu_zx": 5.0, "yield_z": 6.0, "flow_z": 7.0}
    np.testing.assert_array_equal(view.solved.curves["z"], [[0.01, 0.04], [3.0, 4.0]])
    assert explorer.start(key).notes == ()


def test_moves_add_up_and_leave_the_labels_behind(labelled: SVEDataset, model: LatentModel) -> None:
    explorer = Explorer(model, labelled)
    key, moves = explorer.pick(1), still(explorer)
    moves[0], moves[-1] = 0.5, -2.0
    view, steps = explorer.view(key, moves), explorer.directions.steps
    np.testing.assert_allclose(
        view.latent, explorer.start(key).latent + 0.5 * steps[0] - 2 * steps[-1], atol=1e-6
    )
    np.testing.assert_allclose(
        view.prediction.properties, model.predict_from_latent(view.latent[None]), rtol=1e-5
    )
    assert view.solved is None
    assert view.origin == "one draw from the probabilities"
    # the same noise, or pores would flicker
    np.testing.assert_array_equal(view.voxels, explorer.view(key, moves).voxels)


def test_samples(explorer: Explorer) -> None:
    first, again, other = (explorer.start(explorer.sample(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.latent, again.latent)
    assert (first.latent != other.latent).any()
    assert first.voxels.shape == (8, 8, 8)
    assert set(np.unique(first.voxels)) <= {0, 1}


def test_only_the_last_starts_are_kept(explorer: Explorer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "KEPT", 2)
    keys = [explorer._keep(explorer.start(explorer.sample(0))) for _ in range(3)]
    with pytest.raises(DataError, match="older than the server: reload it"):
        explorer.view(keys[0], still(explorer))
    explorer.view(keys[2], still(explorer))


def test_a_page_of_another_server_is_told_to_reload(
    labelled: SVEDataset, model: LatentModel
) -> None:
    key = Explorer(model, labelled).pick(0)
    other = Explorer(model, labelled)
    other.pick(1)
    with pytest.raises(DataError, match="older than the server: reload it"):
        other.start(key)


def test_moves_of_the_first_directions_alone(explorer: Explorer) -> None:
    """The sliders of the latent units are not there until they are asked for."""
    key = explorer.sample(0)
    np.testing.assert_array_equal(
        explorer.latent(key, [1.5]), explorer.latent(key, [1.5, *still(explorer)[1:]])
    )


@pytest.mark.parametrize("index", [-1, 3])
def test_no_such_sve(labelled: SVEDataset, model: LatentModel, index: int) -> None:
    with pytest.raises(DataError, match=f"SVE: expected 0 to 2, received {index}"):
        Explorer(model, labelled).pick(index)


def test_another_sve_is_another(labelled: SVEDataset, model: LatentModel) -> None:
    several, single = Explorer(model, labelled), Explorer(model, replace(labelled, count=1))
    assert {several.random_index(1) for _ in range(99)} == {0, 2}
    assert {several.random_index(seen) for seen in (None, 7) for _ in range(99)} == {0, 1, 2}
    assert single.random_index(0) == 0


def test_data_of_another_edge(tiny: SVEDataset, model: LatentModel) -> None:
    with pytest.raises(
        DataError,
        match=(
            r"tiny\.h5: /voxels: expected SVEs of n = 8 as the model was trained on, received n"
            r" = 32"
        ),
    ):
        Explorer(model, tiny)


def test_a_volume_is_cut_to_the_models_edge(explorer: Explorer, tmp_path: Path) -> None:
    volume = np.zeros((8, 17, 24), np.uint8)
    volume[:, :8, 16:] = np.arange(8)[:, None, None] > 3
    assert explorer.upload("mine.npy", npy(volume, tmp_path)) == 6
    key = explorer.cut(2)
    assert explorer.start(key).title == "SVE 2 of 6 SVEs cut from mine.npy"
    assert explorer.start(key).voxels.mean() == 0.5
    assert explorer.start(key).notes == (
        "The file does not say how large its voxels are; the model was trained on voxels of 10 µm.",
    )
    assert "6 SVEs of 8 x 8 x 8 voxels" in explorer.report
    assert "\nmine.npy:\n" in explorer.report  # not where it lay meanwhile
    with pytest.raises(DataError, match="SVE: expected 0 to 5, received 6"):
        explorer.cut(6)


def test_a_file_that_cannot_be_cut_takes_nothing_away(explorer: Explorer, tmp_path: Path) -> None:
    """The last good volume stays; another rule for the greys is for the file that was dropped
    last.
    """
    explorer.upload("mine.npy", npy(np.zeros((8, 8, 8), np.uint8), tmp_path))
    phases = np.arange(512).reshape(8, 8, 8) % 3
    with pytest.raises(DataError, match="received 3 phases"):
        explorer.upload("phases.npy", npy(phases.astype(np.uint8), tmp_path))
    assert explorer.start(explorer.cut(0)).title == "SVE 0 of 1 SVE cut from mine.npy"
    explorer.segment("dark", 0.5)
    start = explorer.start(explorer.cut(0))
    assert start.title == "SVE 0 of 1 SVE cut from phases.npy"
    np.testing.assert_array_equal(start.voxels, phases == 0)


def test_greys_by_the_rule_that_was_chosen(explorer: Explorer, tmp_path: Path) -> None:
    """Half of the greys below 100, a tenth above 200; pores are dark, or bright above 200."""
    grey = np.random.default_rng(0).permutation(
        np.concatenate(
            [np.linspace(0, 99, 256), np.linspace(101, 199, 205), np.linspace(201, 250, 51)]
        )
    )
    explorer.upload("grey.npy", npy(grey.reshape(8, 8, 8), tmp_path), "dark", 100.0)
    assert explorer.start(explorer.cut(0)).voxels.mean() == 0.5
    explorer.segment("bright", 200.0)
    assert explorer.start(explorer.cut(0)).voxels.mean() == pytest.approx(51 / 512)


@pytest.mark.parametrize(("edge", "times"), [(5.0, "2"), (20.0, "0.5")])
def test_voxels_of_another_size_are_told(
    explorer: Explorer, tmp_path: Path, edge: float, times: str
) -> None:
    volume = (np.random.default_rng(0).random((8, 8, 8)) < 0.1).astype(np.uint8)
    metadata = {"spacing": edge, "unit": "um"}
    tifffile.imwrite(
        tmp_path / "scan.tif",
        volume,
        imagej=True,
        resolution=(1 / edge, 1 / edge),
        metadata=metadata,
    )
    explorer.upload("scan.tif", (tmp_path / "scan.tif").read_bytes())
    (note,) = explorer.start(explorer.cut(0)).notes
    assert (
        f"Voxels of {edge:g} µm, where the model was trained on 10 µm: it takes these pores for"
        f" {times} times their size" in note
    )


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "notes.txt",
            b"no volume",
            r"^notes\.txt: expected a folder of slices or a file .* received \.txt",
        ),
        ("scan.tif", b"no volume", r"^scan\.tif: expected a tif file, cannot be read"),
        ("a.npy", b"no volume", r"^a\.npy: expected a \.npy file, cannot be read"),
        ("a.h5", b"no volume", r"^a\.h5: expected an HDF5 file, received something else"),
        ("../../a.npz", b"no volume", r"^a\.npz: expected a \.npz file, cannot be read"),
        (
            "..",
            b"no volume",
            r"^volume: expected a folder of slices or a file .* received a name without suffix",
        ),
        (
            "a.npy",
            np.zeros((8, 8)),
            r"^a\.npy: expected a volume of three axes, received shape \(8, 8\)",
        ),
        (
            "a.npy",
            np.zeros((8, 7, 8)),
            (
                r"^a\.npy: expected a volume of at least one SVE of 8 x 8 x 8 voxels, received 8 x"
                r" 7 x 8"
            ),
        ),
        (
            "a.npy",
            np.arange(512.0).reshape(8, 8, 8) % 3,
            "expected greys or two phases, received 3 phases: 0, 1, 2",
        ),
        (
            "a.npy",
            np.full((8, 8, 8), np.nan),
            "expected voxels inside the field of view, received none",
        ),
    ],
)
def test_files_that_are_no_volume(
    explorer: Explorer, tmp_path: Path, name: str, content: bytes | np.ndarray, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        explorer.upload(name, content if isinstance(content, bytes) else npy(content, tmp_path))
    with pytest.raises(DataError, match="expected a volume, none was dropped yet"):
        explorer.cut(0)


def test_a_file_that_is_too_large(explorer: Explorer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "LARGEST", 1 << 20)
    with pytest.raises(
        DataError,
        match=r"big\.npy: expected at most 1 MB, received 2; cut it by svevae import --crop",
    ):
        explorer.upload("big.npy", bytes(2 << 20))


def test_the_solver_on_an_sve_without_pores(explorer: Explorer, tmp_path: Path) -> None:
    """The stress is the matrix's own Voce law, here that of the contract (aged-z), and the SVE that
    was solved is kept for its place.
    """
    explorer.upload("solid.npy", npy(np.zeros((8, 8, 8), np.uint8), tmp_path))
    key, said = explorer.cut(0), []
    found = explorer.solve(key, still(explorer), "z", said.append)
    matrix = PRESETS["aged-z"]
    assert explorer.material == matrix
    strain, stress = found.curves["z"]
    np.testing.assert_allclose(
        stress, voce_curve(matrix.E, matrix.s0, matrix.Q, matrix.b, strain), rtol=2e-3
    )
    assert found.properties["E_z"] == pytest.approx(matrix.E, rel=1e-4)
    assert said[-1] == "increment 11 of 11"
    assert explorer.view(key, still(explorer)).solved is found
    moved = still(explorer)
    moved[0] = 0.1
    assert explorer.view(key, moved).solved is None


def test_a_moved_sve_is_realised_and_then_shown(
    labelled: SVEDataset, model: LatentModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Realised is here always the SVE without pores, at whatever place."""
    realised = labelled.voxels([0])
    answer = Realised(realised, np.zeros(1))
    monkeypatch.setattr(session, "realise", lambda model, latent, random: answer)
    explorer = Explorer(model, labelled)
    key, moves, said = explorer.pick(1), still(explorer), []
    moves[-1] = 0.3
    found = explorer.solve(key, moves, "z", said.append)
    assert said[0] == "realising the SVE"
    assert found.properties["E_z"] == pytest.approx(explorer.material.E, rel=1e-4)
    np.testing.assert_array_equal(found.curves["z"][0], [0.01, 0.04])  # the data's own strains
    view = explorer.view(key, moves)
    assert (view.origin, view.solved) == ("the SVE that was solved", found)
    np.testing.assert_array_equal(view.voxels, realised[0])
    np.testing.assert_allclose(found.predicted, model.predict(realised)[0], rtol=1e-5)
    assert explorer.view(key, still(explorer)).solved.properties["E_z"] == 4.0  # its label


def test_an_sve_that_is_cut_through_bears_no_load(labelled: SVEDataset, model: LatentModel) -> None:
    explorer = Explorer(model, labelled)
    with pytest.raises(DataError, match="does not hang together along z: it bears no load"):
        explorer.solve(explorer.pick(2), still(explorer), "z")


def test_curves_along_the_axes_that_the_model_knows(explorer: Explorer, params: Params) -> None:
    assert explorer.axes == ("z",)
    assert Explorer(tiny_model(params, ["E_z", "nu_zx"], ["MPa", "-"])).axes == ()


def test_the_matrix_where_the_contract_does_not_say(params: Params) -> None:
    model = tiny_model(params)
    model.contract = replace(model.contract, data=TrainingData(material="E=70 GPa"))
    explorer = Explorer(model)
    assert (explorer.material, explorer.material_known) == (PRESETS["as-built-z"], False)
    assert json.loads(AGED)["E"] == PRESETS["aged-z"].E


def test_curves_of_a_model_that_learnt_them(metal_model: Path, metals: LabelledDataset) -> None:
    """The drawn curve is the model's own, through what it says at each increment; in another metal
    that of the other. Labels of another metal than the model's are not shown beside it.
    """
    model = load_folder(metal_model)
    assert metals.laws is not None
    usual = np.flatnonzero(np.isclose(metals.laws, model.contract.law).all(axis=1))[0]
    other = np.flatnonzero(~np.isclose(metals.laws, model.contract.law).all(axis=1))[0]
    explorer = Explorer(model, metals)
    view = explorer.view(explorer.pick(int(usual)), [])
    response = model.response(view.latent[None])
    strain, stress, band = explorer.curve(view, "y")
    inside = np.interp(response.strain[0], strain, stress)
    np.testing.assert_allclose(inside[2:], response.stress[0, 1][2:], rtol=5e-3)
    assert stress[-1] == pytest.approx(view.prediction.properties[0, model.names.index("flow_y")])
    assert (band[0] <= stress).all()
    assert (stress <= band[1]).all()
    assert view.solved is not None
    assert explorer.view(explorer.pick(int(other)), []).solved is None
    titanium = in_metal(load_folder(metal_model), Material(112e3, 0.33, 900.0, 150.0, 30.0))
    explorer = Explorer(titanium, metals)
    assert (explorer.material.E, explorer.material_known) == (112e3, True)
    view = explorer.view(explorer.pick(int(usual)), [])
    strain, stress, _ = explorer.curve(view, "y")
    assert strain[-1] == pytest.approx(explorer.strain[-1])
    assert stress[-1] > 500
    assert view.solved is None


def test_an_element_is_a_start(
    metal_model: Path, metals: LabelledDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a sampled part, the latent vector of its SVE and what the mesh says of it; of a scan, the
    voxels of its SVE. The mesh counts among the bytes of its page, and no other page has it.
    """
    monkeypatch.chdir(tmp_path)
    explorer = Explorer(load_folder(metal_model), metals)
    mesh = bar("C3D8", (2, 2, 3), 0.32)  # of some SVEs the process makes air
    with pytest.raises(DataError, match="expected a mesh with material, there is none"):
        explorer.element(7)
    before = explorer.nbytes
    explorer.meshes.take("bar.inp", text_of(mesh), explorer.unpacked)
    assert explorer.nbytes > before
    filled = explorer.fill_mesh(Choice(SAMPLED), "dark", None)
    start = explorer.start(explorer.element(14))
    known = explorer.model.predict_from_latent(start.latent[None])[0]
    at = explorer.model.names.index("E_z")
    assert filled.values["E"][1] == pytest.approx(known[at], rel=1e-4)
    assert "one draw from the probabilities" in start.notes[0]
    assert not explorer.has_volume
    scan = (np.random.default_rng(0).random((64, 64, 96)) < 0.03).astype(np.uint8)
    np.save("scan.npy", scan)
    explorer.upload("scan.npy", Path("scan.npy").read_bytes())
    filled = explorer.fill_mesh(Choice(), "dark", None)
    start = explorer.start(explorer.element(14))
    assert start.title == "SVE (0, 0, 1) of 2 x 2 x 3, round element 14 of bar.inp"
    np.testing.assert_array_equal(start.voxels, scan[:32, :32, 32:64])
    assert filled.values["porosity"][1] == pytest.approx(start.voxels.mean())
    assert not start.notes
    assert explorer.nbytes > scan.nbytes * 2
    assert explorer.fresh().meshes.mesh is None


def test_a_file_that_cannot_be_cut_is_no_material(explorer: Explorer, tmp_path: Path) -> None:
    """The mesh takes the volume before it."""
    assert not explorer.has_volume
    np.save(tmp_path / "a.npy", np.zeros((8, 8, 8), np.uint8))
    explorer.upload("a.npy", (tmp_path / "a.npy").read_bytes())
    with pytest.raises(DataError):
        explorer.upload("b.npy", b"no volume")
    explorer.meshes.take("bar.inp", text_of(bar("C3D8", (1, 1, 1), 0.08)), explorer.unpacked)
    with pytest.raises(DataError, match=r"contract.json"):  # not b.npy
        explorer.fill_mesh(Choice(), "dark", None)
