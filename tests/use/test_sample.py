"""`sample_file`: a file of the contract that its seed decides, with what was wished said beside."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from svevae.dataset.store import find_problems
from svevae.errors import DataError
from svevae.model.latent import load_folder
from svevae.use.sample import sample_file


def test_a_seed_decides_the_file(champion: Path, tmp_path: Path) -> None:
    said = [
        sample_file(tmp_path / name, str(champion), 3, seed, {})
        for name, seed in (("a.h5", 1), ("b.h5", 1), ("c.h5", 2))
    ]
    assert said[0].startswith(f"{tmp_path / 'a.h5'}: 3 SVEs, porosity ")
    assert not find_problems(tmp_path / "a.h5")
    with (
        h5py.File(tmp_path / "a.h5") as a,
        h5py.File(tmp_path / "b.h5") as b,
        h5py.File(tmp_path / "c.h5") as c,
    ):
        np.testing.assert_array_equal(a["voxels"][:], b["voxels"][:])
        assert (a["voxels"][:] != c["voxels"][:]).any()
        assert a["part_id"][:].tolist() == [0, 1, 2]
        np.testing.assert_allclose(a["porosity"][:], a["voxels"][:].mean((1, 2, 3)), rtol=1e-6)
        wanted = load_folder(champion).prediction(a["latent"][:])
        np.testing.assert_allclose(a["properties"][:], wanted.properties, rtol=1e-5)
        np.testing.assert_allclose(a["properties_std"][:], wanted.std, rtol=1e-5)
        assert a.attrs["properties"] == "predicted, not solved"


def test_wished_properties(champion: Path, tmp_path: Path) -> None:
    """Each predicted yield stress is within three standard deviations of what was wished."""
    said = sample_file(tmp_path / "a.h5", str(champion), 4, 0, {"yield_z": 230.0})
    assert "\n  yield_z: wished 230, predicted 2" in said
    with h5py.File(tmp_path / "a.h5") as file:
        column = list(file["properties"].attrs["names"]).index("yield_z")
        away = np.abs(file["properties"][:, column] - 230)
        assert (away < 3 * file["properties_std"][:, column]).all()
        assert file.attrs["targets"] == "yield_z = 230"


def test_nothing_is_written_for_what_is_out_of_reach(champion: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="yield_z = 9000 MPa: out of reach"):
        sample_file(tmp_path / "a.h5", str(champion), 4, 0, {"yield_z": 9000.0})
    assert not list(tmp_path.iterdir())


def test_a_target_that_cannot_be_written(tmp_path: Path) -> None:
    """Before a model is loaded."""
    with pytest.raises(DataError, match="not written: expected a folder"):
        sample_file(tmp_path / "nowhere" / "a.h5", "any", 4, 0, {})
