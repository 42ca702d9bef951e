"""What `prepare` says of data that a model cannot do justice to."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from svevae.config import Params
from svevae.dataset.store import LabelledDataset
from svevae.stages.prepare import prepare
from tests.conftest import REFERENCE, cut_dataset

LAW = [70e3, 0.33, 216.0, 312.0, 40.0]


@pytest.mark.parametrize(
    ("metals", "said"),
    [(1, ""), (2, "SVEs of 2 metals, without curves at the same multiples")],
)
def test_several_metals_are_told(
    params: Params,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
    metals: int,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    cut_dataset(REFERENCE, tmp_path / "data.h5")
    with h5py.File("data.h5", "a") as file:
        laws = np.tile(LAW, (len(file["voxels"]), 1))
        laws[::metals, 0] = 75e3 if metals > 1 else LAW[0]
        file["law"] = laws
        for key in ("contents", "content_digest"):
            del file.attrs[key]
    prepare(replace(params, prepare=replace(params.prepare, dataset="data.h5")))
    out = capsys.readouterr().out
    assert (said in out) if said else ("metals" not in out)


def test_metals_with_curves_are_no_noise_and_what_is_severed_is_told(
    params: Params,
    metals: LabelledDataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(metals.path, "data.h5")
    with h5py.File("data.h5", "a") as file:
        file["properties"][:, 0] = np.where(np.arange(metals.count) % 12 == 0, 10.0, 60e3)
        for key in ("contents", "content_digest"):
            del file.attrs[key]
    small = replace(params.prepare, dataset="data.h5", validation_fraction=0.25, test_fraction=0.25)
    prepare(replace(params, prepare=small))
    out = capsys.readouterr().out
    assert "metals" not in out
    assert "2 test SVEs with less than 2% of the matrix's modulus along an axis" in out
