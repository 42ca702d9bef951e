"""Sampled parts: the porosity that was asked for, codes that follow it, the same from a seed. The
command itself: `test_on_mesh.py`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from svevae.dataset.store import open_dataset, write_dataset
from svevae.errors import DataError
from svevae.physics.level_sets import gaussian_field
from svevae.scans.options import ImportOptions
from svevae.use.mesh_options import MeshOptions
from svevae.use.mesh_sample import Process, sampled_part
from tests.meshes.bars import bar

SHAPE = (4, 3, 5)


def process(parts: int = 20) -> Process:
    """Parts of 4 x 4 x 4 SVEs with porosities of 1 to 9 % that vary over 1.5 SVEs, and codes that
    are the porosity, and its double.
    """
    random = np.random.default_rng(0)
    fields = [gaussian_field((4, 4, 4), random, (1.5,) * 3).ravel() for _ in range(parts)]
    porosity = 0.05 + 0.04 * np.tanh(np.concatenate(fields))
    position = np.tile(np.array(list(np.ndindex(4, 4, 4))), (parts, 1))
    latent = np.column_stack([porosity, 2 * porosity])
    return Process(Path("a.h5"), latent, porosity, np.repeat(np.arange(parts), 64), position)


def test_the_porosity_of_each_sve() -> None:
    """Given in space it is what comes out, and codes that it determines follow it."""
    asked = np.random.default_rng(1).uniform(0.02, 0.08, SHAPE)
    latent, porosity = process().sample(SHAPE, 0, asked)
    np.testing.assert_allclose(porosity, asked, atol=1e-6)
    np.testing.assert_allclose(latent[..., 0], asked, atol=2e-3)
    np.testing.assert_allclose(latent[..., 1], 2 * asked, atol=4e-3)
    np.testing.assert_allclose(process().sample(SHAPE, 0, np.full(SHAPE, 0.05))[1], 0.05)


@pytest.mark.parametrize("mean", [0.02, 0.05, 0.085])
def test_the_mean_porosity(mean: float) -> None:
    """That of the part, weighted by what of it is in each SVE; it varies about it."""
    share = np.random.default_rng(2).random(SHAPE)
    _, porosity = process().sample(SHAPE, 0, mean, share)
    assert np.average(porosity, weights=share) == pytest.approx(mean, abs=1e-9)
    assert porosity.std() > 0.005
    assert 0.01 <= porosity.min() <= porosity.max() <= 0.09


def test_a_seed_is_a_part() -> None:
    """Of the data's porosity on the mean of many."""
    some = process()
    parts = [some.sample((4, 4, 4), seed)[1] for seed in range(30)]
    np.testing.assert_array_equal(parts[3], some.sample((4, 4, 4), 3)[1])
    assert not np.array_equal(parts[3], parts[4])
    assert np.mean(parts) == pytest.approx(some.porosity.mean(), abs=0.005)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            0.5,
            r"porosity: expected a mean between 0.01\d* and 0.0\d*, those of SVEs, received 0.5",
        ),
        (
            np.full(SHAPE, 0.2),
            r"porosity: expected porosities of SVEs of a.h5, .* received 0.2 to",
        ),
    ],
)
def test_porosities_that_no_sve_has(asked: float | np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        process().sample(SHAPE, 0, asked)


def test_too_few_sves() -> None:
    whole = process(1)
    names = ("latent", "porosity", "part_id", "position")
    some = replace(whole, **{name: getattr(whole, name)[:63] for name in names})
    with pytest.raises(DataError, match=r"a.h5: latent field: expected at least 64 SVEs"):
        some.sample(SHAPE, 0)


def test_bad_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without places, with SVEs that overlap; and options of a volume."""
    voxels, place = np.zeros((2, 4, 4, 4), np.uint8), np.array([[0, 0, 0], [1, 0, 0]])
    model = SimpleNamespace(n=4)
    write_dataset(tmp_path / "a.h5", {"voxels": voxels}, (), (), {})
    with pytest.raises(DataError, match=r"a.h5: /position is missing: the latent field is fitted"):
        Process.encoded(open_dataset(tmp_path / "a.h5", labelled=False), model)
    write_dataset(tmp_path / "b.h5", {"voxels": voxels, "position": place}, (), (), {"stride": 2})
    with pytest.raises(
        DataError, match=r"b.h5: stride: expected SVEs side by side, 4 voxels apart"
    ):
        Process.encoded(open_dataset(tmp_path / "b.h5", labelled=False), model)
    chosen = MeshOptions(tmp_path / "mesh.inp", sample=0)
    for name, options in (
        ("threshold", ImportOptions(threshold=0.5)),
        ("skip", ImportOptions(skip=3)),
    ):
        with pytest.raises(DataError, match=f"^{name}: expected none with --sample"):
            sampled_part(tmp_path / "a.h5", "any", options, chosen, bar("C3D8"))
