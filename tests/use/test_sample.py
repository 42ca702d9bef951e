"""Sampled files: the contract, the targets in words, the same file for the same seed."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

from svevae.dataset.store import find_problems
from svevae.errors import DataError
from svevae.use.sample import sample_file
from tests.use.test_design import N, layered


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    model = layered()
    model.n, model.voxel_size, model.latent_dim = N, 10.0, 1
    monkeypatch.setattr("svevae.use.sample.load", lambda _: model)
    return model


def test_a_file_of_samples(model: SimpleNamespace, tmp_path: Path) -> None:
    said = sample_file(tmp_path / "a.h5", "any", 4, 0, {})
    assert said.startswith(f"{tmp_path / 'a.h5'}: 4 SVEs, porosity ")
    assert find_problems(tmp_path / "a.h5") == []
    with h5py.File(tmp_path / "a.h5") as file:
        voxels, latent, properties = (file[key][:] for key in ("voxels", "latent", "properties"))
        assert file.attrs["voxel_size_um"] == 10
        assert (file["part_id"][:] == np.arange(4)).all()
    np.testing.assert_allclose(properties, model.prediction(latent).properties, rtol=1e-6)
    sample_file(tmp_path / "b.h5", "any", 4, 0, {})
    with h5py.File(tmp_path / "b.h5") as file:
        np.testing.assert_array_equal(file["voxels"][:], voxels)


def test_wished_properties_are_said_in_words(model: SimpleNamespace, tmp_path: Path) -> None:
    said = sample_file(tmp_path / "a.h5", "any", 4, 0, {"E_z": 52_500.0})
    assert "  E_z: wished 52500, predicted " in said
    assert "each known to 5e+02" in said
    with h5py.File(tmp_path / "a.h5") as file:
        assert file.attrs["targets"] == "E_z = 52500"
        np.testing.assert_allclose(file["properties"][:, 0], 52_500, rtol=0.03)


def test_a_target_that_cannot_be_written(tmp_path: Path) -> None:
    """Before a model is loaded."""
    with pytest.raises(DataError, match="not written: expected a folder"):
        sample_file(tmp_path / "nowhere" / "a.h5", "any", 4, 0, {})
