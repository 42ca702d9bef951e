"""Scatter over size and distance: of arrays with a known law, of a file, and of a model's word on
it.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from svevae.cli import main
from svevae.dataset.store import SVEDataset, write_dataset
from svevae.errors import ConfigError, DataError
from svevae.use.scatter import (
    Field,
    Scatter,
    data_field,
    describe_scatter,
    encode_sves,
    model_field,
    sampled_field,
    scatter,
    scatter_of_file,
)

ROOT = Path(__file__).parents[2]
NAMES = ("porosity", "E_x")


def field(parts: int = 100) -> Field:
    """Parts of 4 x 4 x 2 SVEs: one quantity independent, one a moving sum of two neighbours along
    x, which correlate by 1/2.
    """
    random = np.random.default_rng(0)
    noise = random.standard_normal((parts, 5, 4, 2))
    position = np.tile(np.array(list(np.ndindex(4, 4, 2))), (parts, 1))
    values = {
        "alone": noise[:, 1:].ravel(),
        "pairs": (noise[:, 1:] + noise[:, :-1]).ravel() / np.sqrt(2),
    }
    return Field(values, np.repeat(np.arange(parts), 32), position)


def test_a_scatter_that_grows_with_the_size_has_one_sign() -> None:
    """Variances that grow as the square root of the volume: V^0.50, not V^--0.50."""
    sves = np.array([1.0, 2, 4])
    blocks = pd.DataFrame(
        {
            "shape": ["1 x 1 x 1", "2 x 1 x 1", "2 x 2 x 1"],
            "sves": sves,
            "std": sves**0.25,
            "standard_error": 0.1,
            "independent": sves**-0.5,
        }
    )
    words = describe_scatter({"data": {"a": Scatter(blocks, pd.DataFrame())}}, {"a": "-"})
    assert "its square falls as V^0.50 (data)" in words
    assert "1 +- 0.1" in words
    alone = Scatter(blocks.assign(standard_error=np.nan), pd.DataFrame())
    assert "1, of one part" in describe_scatter({"data": {"a": alone}}, {"a": "-"})


def test_both_statistics_know_the_law() -> None:
    found = scatter(field())
    alone, pairs = found["alone"], found["pairs"]
    np.testing.assert_allclose(alone.blocks["std"], 1 / np.sqrt(alone.blocks["sves"]), rtol=0.08)
    assert alone.exponent == pytest.approx(1, abs=0.1)
    assert pairs.exponent < alone.exponent
    # of two neighbours: (1 + 1/2) / 2
    np.testing.assert_allclose(pairs.blocks["std"][1], np.sqrt(3) / 2, rtol=0.05)
    np.testing.assert_allclose(alone.neighbours["correlation"], 0, atol=0.1)
    along_x = 24 / (24 + 24 + 16)  # of the pairs one edge apart
    assert pairs.neighbours["correlation"][0] == pytest.approx(along_x / 2, abs=0.06)


def test_a_file_and_what_a_model_says_of_it(tiny: SVEDataset) -> None:
    """A model that says half of everything: half the scatter, the same correlation."""
    data = data_field(tiny, NAMES)
    model = SimpleNamespace(
        n=32,
        names=tiny.names,
        encode=lambda voxels: (voxels.mean((1, 2, 3))[:, None].astype(np.float32), None),
        decode=lambda latent: latent[:, :, None, None] / 2,
        predict_from_latent=lambda latent: np.repeat(
            35_000 * (1 - latent), len(tiny.names), axis=1
        ),
    )
    latent = encode_sves(model, tiny, ["porosity"])
    said = scatter(
        model_field(model, latent, names=["porosity"], part_id=tiny.part_id, position=data.position)
    )["porosity"]
    seen = scatter(data)["porosity"]
    np.testing.assert_allclose(said.blocks["std"], seen.blocks["std"] / 2, rtol=1e-6)
    np.testing.assert_allclose(
        said.neighbours["correlation"], seen.neighbours["correlation"], rtol=1e-4, atol=1e-6
    )
    words = describe_scatter(
        {"data": {"porosity": seen}, "model": {"porosity": said}}, {"porosity": "-"}
    )
    assert words.startswith("porosity: standard deviation within parts; its square falls as V^-")
    sampled = sampled_field(
        model,
        latent,
        tiny.porosity(),
        names=NAMES,
        part_id=tiny.part_id,
        position=data.position,
    )
    assert len(np.unique(sampled.part_id)) == len(np.unique(tiny.part_id))
    np.testing.assert_array_equal(np.ptp(sampled.position, axis=0), np.ptp(data.position, axis=0))
    np.testing.assert_allclose(
        np.median(sampled.values["porosity"]), np.median(tiny.porosity()) / 2, rtol=0.35
    )
    with pytest.raises(
        DataError, match="expected SVEs of n = 16 as the model was trained on, received n = 32"
    ):
        encode_sves(SimpleNamespace(n=16), tiny, NAMES)
    with pytest.raises(ConfigError, match="property K: expected one of porosity, E_x"):
        encode_sves(model, tiny, ["K"])


def test_too_few_sves_for_a_latent_field(
    tiny: SVEDataset, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """The other columns are there all the same; and voxels that are not the model's are told."""
    assert tiny.voxel_size is not None
    model = SimpleNamespace(
        n=32,
        names=("E_x",),
        voxel_size=2 * tiny.voxel_size,
        encode=lambda voxels: (voxels.mean((1, 2, 3))[:, None], None),
    )
    model.predict_from_latent = lambda latent: 70e3 * (1 - latent)
    monkeypatch.setattr("svevae.use.scatter.load", lambda _: model)
    monkeypatch.setattr("svevae.use.scatter.FEWEST", tiny.count + 1)
    found, units = scatter_of_file(tiny.path, "any", ["E_x"])
    assert list(found) == ["data", "model"]
    told = "it takes these pores for 2 times their size\n"
    assert capsys.readouterr().err.endswith(told)
    assert f"no latent field: it takes at least {tiny.count + 1} SVEs" in describe_scatter(
        found, units
    )


def test_as_a_user(tiny_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["scatter", str(tiny_file), "-o", str(tmp_path / "a.png"), "-p", "E_z"]) == 0
    assert "E_z [MPa]: standard deviation within parts" in capsys.readouterr().out
    assert (tmp_path / "a.png").is_file()
    assert main(["scatter", str(tiny_file), "-o", str(tmp_path / "b.png"), "-p", "strength"]) == 2
    assert "property strength: expected one of porosity, E_x" in capsys.readouterr().err


def test_without_names_the_telling_ones(tiny_file: Path) -> None:
    found, units = scatter_of_file(tiny_file, None, [])
    assert list(units) == ["porosity", "E_x", "nu_zx"]
    assert list(found) == ["data"]


def test_a_file_without_positions(tiny: SVEDataset, tmp_path: Path) -> None:
    write_dataset(tmp_path / "a.h5", {"voxels": tiny.voxels([0, 1])}, (), (), {})
    with pytest.raises(DataError, match=r"a\.h5: /position is missing"):
        scatter_of_file(tmp_path / "a.h5", None, [])
    with pytest.raises(ConfigError, match="property E: expected one of porosity"):
        data_field(tiny, ["E"])
