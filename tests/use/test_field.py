"""Volumes of any size to fields: tiles, mirror images at the borders, what is done is not done
again. A stand-in encodes the porosity.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pandas as pd
import PIL.Image
import pytest

from svevae.errors import DataError
from svevae.model.latent import Prediction, Response
from svevae.scans import volumes
from svevae.scans.options import ImportOptions
from svevae.scans.segmentation import segmentation
from svevae.scans.view import View
from svevae.use import field as module
from svevae.use.field import Tiles, encode_volume, field_file, shares
from tests.contracts import make_contract
from tests.scans.readers.surfaces import cuboid, save

VOLUME = (np.random.default_rng(0).random((10, 8, 9)) < 0.2).astype(np.uint8)
LABELS = {"tension": {"strain": [0.01, 0.03]}, "material": {"b": 40.0, "nu": 0.33}}


def stand_in(**contract: object) -> SimpleNamespace:
    """Encodes an SVE of 4^3 voxels to its porosity, and counts the SVEs; the properties fall with
    it.
    """
    names = ("E_z", "nu_zx", "yield_z", "flow_z")

    def encode(voxels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        model.encoded += len(voxels)
        return voxels.mean((1, 2, 3))[:, None], None

    def prediction(latent: np.ndarray) -> Prediction:
        values = (1 - latent) * np.array([70e3, 0.33, 240.0, 400.0])
        return Prediction(values, 0.01 * values, latent[:, 0])

    model = SimpleNamespace(
        n=4,
        voxel_size=10.0,
        names=names,
        units=("MPa", "-", "MPa", "MPa"),
        encode=encode,
        prediction=prediction,
    )
    model.contract, model.encoded, model.digest = (
        make_contract(**{"labels": LABELS} | contract),
        0,
        lambda: "these weights",
    )
    return model


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SimpleNamespace:
    """In place of any model that is loaded; the working folder is the test's own."""
    model = stand_in()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "load", lambda _, material: model)
    return model


def test_shares_of_sves_that_are_the_part() -> None:
    """Of the last ones along each axis that of what is there."""
    part = np.random.default_rng(3).random((10, 8, 9)) < 0.4
    found = shares(part, 4)
    assert found.shape == (3, 2, 3)
    for at, share in np.ndenumerate(found):
        own = part[tuple(slice(4 * k, 4 * k + 4) for k in at)]
        assert share == pytest.approx(own.mean())


def test_tiles_cover_the_volume_and_mirror_it_beyond() -> None:
    tiles = Tiles(View.whole(VOLUME), 4, segmentation([VOLUME]))
    assert (tiles.shape, tiles.padded) == ((3, 2, 3), (2, 0, 3))
    whole = np.pad(VOLUME, [(0, 2), (0, 0), (0, 3)], "symmetric")
    for i in range(3):
        for k, sve in enumerate(tiles.layer(i)):
            j, z = divmod(k, 3)
            np.testing.assert_array_equal(
                sve, whole[4 * i : 4 * i + 4, 4 * j : 4 * j + 4, 4 * z : 4 * z + 4]
            )


def test_an_interrupted_encoding_goes_on(model: SimpleNamespace, tmp_path: Path) -> None:
    tiles = Tiles(View.whole(VOLUME), 4, segmentation([VOLUME]))
    whole, porosity = encode_volume(model, tiles, tmp_path / "whole")
    assert (whole.shape, porosity.shape, model.encoded) == ((3, 2, 3, 1), (3, 2, 3), 18)
    stop = replace(tiles, view=View.whole(VOLUME[:8]))
    encode_volume(model, stop, tmp_path / "part")
    model.encoded = 0
    (tmp_path / "part" / "layer-00001.npz").write_bytes(b"torn")
    again, _ = encode_volume(model, tiles, tmp_path / "part")
    assert model.encoded == 12, "one layer was kept, one was damaged, one was new"
    np.testing.assert_array_equal(again, whole)


def test_layers_lie_along_the_slowest_axis(model: SimpleNamespace, tmp_path: Path) -> None:
    """So that a file is read in order; the result is the same."""
    found = [
        encode_volume(
            model, Tiles(View.whole(volume), 4, segmentation([volume])), tmp_path / str(k)
        )
        for k, volume in enumerate((VOLUME, np.asfortranarray(VOLUME)))
    ]
    assert [len(list((tmp_path / str(k)).iterdir())) for k in range(2)] == [3, 3]
    assert Tiles(View.whole(np.asfortranarray(VOLUME)), 4, segmentation([VOLUME])).axis == 2
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_sves_without_a_pore_are_encoded_once(model: SimpleNamespace, tmp_path: Path) -> None:
    volume = np.zeros((4, 16, 16), np.uint8)
    volume[:, :4] = 1
    volume[0, 8, 8] = 1
    tiles = Tiles(View.whole(volume), 4, segmentation([volume]))
    latent, porosity = encode_volume(model, tiles, tmp_path)
    assert model.encoded == 3
    np.testing.assert_array_equal(latent[..., 0], porosity)
    np.testing.assert_array_equal(porosity[0], tiles.layer(0).mean((1, 2, 3)).reshape(4, 4))


def test_where_the_outside_is_touched_is_no_material(
    model: SimpleNamespace, tmp_path: Path
) -> None:
    scan = np.where(VOLUME, 60.0, 200.0) + np.random.default_rng(2).normal(0, 5, VOLUME.shape)
    scan[:4, :4, :4] = np.nan
    np.save("scan.npy", scan)
    said = field_file(tmp_path / "scan.npy", tmp_path / "scan.csv", "any", ImportOptions())
    assert "1 SVE touching the outside of the field of view: no material there" in said
    table = pd.read_csv("scan.csv", index_col="sve")
    assert np.isnan(table["porosity"].iloc[0])
    assert (table["E [MPa]"].iloc[0], table["E [MPa]"].iloc[1:].min() > 0) == (0, True)


def test_a_segmentation_is_found_once(
    model: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save("scan.npy", VOLUME)
    first = field_file(tmp_path / "scan.npy", tmp_path / "scan.csv", "any", ImportOptions())
    monkeypatch.setattr(volumes, "histogram", lambda _: 1 / 0)
    again = field_file(tmp_path / "scan.npy", tmp_path / "scan.csv", "any", ImportOptions())
    assert again == first


def test_a_volume_becomes_a_table(model: SimpleNamespace, tmp_path: Path) -> None:
    np.save("scan.npy", VOLUME)
    said = field_file(tmp_path / "scan.npy", tmp_path / "scan.csv", "any", ImportOptions())
    assert "3 x 2 x 3 SVEs of 4^3 voxels" in said
    assert "filled up by mirror images, 2 voxels along x, 3 voxels along z" in said
    table = pd.read_csv("scan.csv", index_col="sve")
    assert len(table) == 18
    first = VOLUME[:4, :4, :4].mean()
    assert table["porosity"].iloc[0] == pytest.approx(first)
    assert table["E [MPa]"].iloc[0] == pytest.approx(70e3 * (1 - first), rel=1e-6)
    model.encoded = 0
    field_file(tmp_path / "scan.npy", tmp_path / "scan.vtkhdf", "any", ImportOptions())
    assert model.encoded == 0


def test_a_model_of_curves_writes_them(model: SimpleNamespace, tmp_path: Path) -> None:
    """Beside the constants, and the report says which columns."""
    law, strain = (70e3, 0.33, 200.0, 300.0, 40.0), np.array([[0.01, 0.03]])
    model.contract = make_contract(labels=LABELS, law=law)

    def response(latent: np.ndarray) -> Response:
        stress = (1 - latent)[:, None] * np.array([300.0, 400.0])
        return Response(strain.repeat(len(latent), 0), stress, 0 * stress, np.zeros(0))

    model.response = response
    np.save("scan.npy", VOLUME)
    said = field_file(tmp_path / "scan.npy", tmp_path / "scan.csv", "any", ImportOptions())
    assert "tension along z at 2 strains, stress_0.01 to stress_0.03: nearer than s0" in said
    table = pd.read_csv("scan.csv", index_col="sve")
    dense = 1 - table["porosity"]
    np.testing.assert_allclose(table["stress_0.01 [MPa]"], 300 * dense, rtol=1e-4)
    np.testing.assert_allclose(table["stress_0.03 [MPa]"], 400 * dense, rtol=1e-4)


def test_air_around_a_part_is_told(model: SimpleNamespace, tmp_path: Path) -> None:
    volume = VOLUME[:8, :8, :8].copy()
    volume[:4] = 1
    np.save("scan.npy", volume)
    assert "4 SVEs mostly pore, taken for air" in field_file(
        tmp_path / "scan.npy", tmp_path / "scan.csv", "any", ImportOptions()
    )


def test_the_air_that_is_cropped_away_tells_what_a_pore_is(
    model: SimpleNamespace, tmp_path: Path
) -> None:
    """A scan of a nearly dense part: Otsu's threshold of the part alone would split the noise of
    its solid.
    """
    random = np.random.default_rng(1)
    grey = random.normal(200, 8, (24, 24, 24))
    grey[:, :, :12] = random.normal(40, 8, (24, 24, 12))
    grey[4:7, 4:7, 16:18] = 45
    np.save("scan.npy", grey.astype(np.uint8))
    options = ImportOptions(crop=((0, 24), (0, 24), (12, 24)))
    said = field_file(tmp_path / "scan.npy", tmp_path / "scan.csv", "any", options)
    assert f"porosity {18 / (24 * 24 * 12):.3%}: pore is at or below Otsu's threshold" in said
    assert "voxel size unknown, taken for the 10 um that the model was trained on" in said


def test_what_a_file_says_of_itself_counts(model: SimpleNamespace, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["scan"] = VOLUME
        file["scan"].attrs["permute_order"], file["scan"].attrs["voxel_size_um"] = "zyx", 10.0
    said = field_file(tmp_path / "scan.h5", tmp_path / "scan.csv", "any", ImportOptions())
    assert "3 x 2 x 3 SVEs" in said
    assert "3 voxels along x, 2 voxels along z" in said
    assert "unknown" not in said
    with h5py.File(tmp_path / "scan.h5", "a") as file:
        file["scan"].attrs["voxel_size_um"] = 2.5
    with pytest.raises(DataError, match=r"scan.h5: expected voxels of 10 um .* received 2.5 um"):
        field_file(tmp_path / "scan.h5", tmp_path / "scan.csv", "any", ImportOptions())


def test_a_volume_that_is_resampled_to_the_models_voxels(
    model: SimpleNamespace, tmp_path: Path
) -> None:
    """From cubes of 5 um that the option alone knows, two for each voxel."""
    np.save(tmp_path / "scan.npy", np.kron(VOLUME, np.ones((2, 2, 2), np.uint8)))
    options = ImportOptions(axes="zyx", voxel_size=5.0, resample=10.0)
    said = field_file(tmp_path / "scan.npy", tmp_path / "scan.csv", "any", options)
    assert "3 x 2 x 3 SVEs" in said
    assert f"porosity {VOLUME.mean():.3%}" in said


def test_what_changes_is_encoded_again(model: SimpleNamespace, tmp_path: Path) -> None:
    """Other weights, or a slice that was replaced where it lies."""
    folder = tmp_path / "slices"
    folder.mkdir()
    for k, image in enumerate(VOLUME):
        PIL.Image.fromarray(255 - 255 * image).save(folder / f"slice-{k}.png")

    def encoded() -> int:
        before = model.encoded
        field_file(folder, tmp_path / "scan.csv", "any", ImportOptions())
        return model.encoded - before

    assert (encoded(), encoded()) == (18, 0)
    PIL.Image.fromarray(255 - 255 * VOLUME[4]).save(folder / "slice-3.png")
    assert (encoded(), encoded()) == (18, 0)
    model.digest = lambda: "other weights"
    assert encoded() == 18


def test_bad_input(model: SimpleNamespace, tmp_path: Path) -> None:
    np.save("scan.npy", VOLUME)
    scan, table = tmp_path / "scan.npy", tmp_path / "scan.csv"
    with pytest.raises(DataError, match=r"expected a name that ends in .csv or .vtkhdf"):
        field_file(scan, tmp_path / "scan.txt", "any", ImportOptions())
    with pytest.raises(
        DataError, match=r"voxels of 10 um as the model was trained on, received 5 um"
    ):
        field_file(scan, table, "any", ImportOptions(voxel_size=5.0))
    (tmp_path / "letter.npy").write_text("Dear all,", encoding="utf-8")
    with pytest.raises(DataError, match=r"letter.npy: expected a .npy file, cannot be read"):
        field_file(tmp_path / "letter.npy", table, "any", ImportOptions())
    with h5py.File(tmp_path / "scan.hdf", "w") as file:
        file["scan"] = VOLUME
    with pytest.raises(
        DataError,
        match=r"scan.hdf: expected another file than the source \S*scan.hdf, which would be lost",
    ):
        field_file(tmp_path / "scan.hdf", tmp_path / "scan.hdf", "any", ImportOptions())
    np.save("solid.npy", np.ones((8, 8, 8), np.uint8))
    with pytest.raises(
        DataError,
        match=(
            r"solid.npy: expected a part, received a volume that is pore in every SVE, .* --pores"
        ),
    ):
        field_file(tmp_path / "solid.npy", table, "any", ImportOptions())
    np.savez("two.npz", a=VOLUME, b=VOLUME)
    with pytest.raises(
        DataError, match=r"two.npz: expected one volume, found 2: .* --dataset names one"
    ):
        field_file(tmp_path / "two.npz", table, "any", ImportOptions())
    np.save("holes.npy", np.where(VOLUME, np.nan, 5.0))
    with pytest.raises(DataError, match=r"holes.npy: expected greys or two phases, .*: 5;"):
        field_file(tmp_path / "holes.npy", table, "any", ImportOptions())
    model.contract = make_contract()
    with pytest.raises(
        DataError, match="labels: expected a model trained on labels of svevae's solver"
    ):
        field_file(scan, table, "any", ImportOptions())
    assert not table.exists()


def test_surfaces_of_pores(model: SimpleNamespace, tmp_path: Path) -> None:
    """The porosity of each SVE is that of the cuboids in it."""
    path = save(tmp_path / "pores.vtp", cuboid(1, 1, 1, 3, 3, 3), cuboid(4, 0, 0, 6, 4, 4))
    options = ImportOptions(voxel_size=10.0, length_unit="cm", box=(0, 0, 0, 8, 4, 4))
    with pytest.raises(DataError, match="another --unit or --voxel-size"):
        field_file(path, tmp_path / "field.csv", "", options)
    options = replace(options, voxel_size=1e4)
    model.voxel_size = 1e4
    report = field_file(path, tmp_path / "field.csv", "", options)
    table = pd.read_csv(tmp_path / "field.csv", comment="#")
    np.testing.assert_allclose(table["porosity"], [8 / 64, 32 / 64])
    np.testing.assert_allclose(table[["x [um]", "y [um]", "z [um]"]], [[2e4] * 3, [6e4, 2e4, 2e4]])
    assert "2 closed surfaces; voxels from (0, 0, 0) to (8, 4, 4) cm" in report


def test_fields_lie_where_the_file_says(model: SimpleNamespace, tmp_path: Path) -> None:
    """The corner of the box in micrometres, moved on by what is cropped away."""
    options = ImportOptions(
        voxel_size=10.0,
        length_unit="mm",
        box=(4.96, -0.12, 1.0, 5.08, -0.08, 1.04),
        crop=((4, None), (0, None), (0, None)),
    )
    path = save(tmp_path / "pores.stl", cuboid(5.0, -0.11, 1.01, 5.02, -0.09, 1.03))
    field_file(path, tmp_path / "field.vtkhdf", "", options)
    with h5py.File(tmp_path / "field.vtkhdf") as file:
        root = file["VTKHDF"]
        np.testing.assert_allclose(root.attrs["Origin"], [5000, -120, 1000])
        porosity = root["CellData/porosity"][()].ravel()
    np.testing.assert_allclose(porosity, [8 / 64, 0], atol=1e-7)
