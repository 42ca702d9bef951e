"""prepare: split the dataset by part, fit the label scaler on the training part, draw SVEs."""

from __future__ import annotations

from pathlib import Path

from svevae.config import Params
from svevae.dataset.split import SUBSETS, split_by_part
from svevae.dataset.store import open_dataset
from svevae.pictures.pipeline import plot_properties, plot_sves
from svevae.words import counted

FOLDER = Path("artifacts/split")
SPLIT = FOLDER / "split.json"


def prepare(params: Params) -> None:
    """Read `prepare.dataset`; write artifacts/split. Raises DataError."""
    data = open_dataset(params.prepare.dataset)
    split = split_by_part(
        data, params.prepare.validation_fraction, params.prepare.test_fraction, params.base.seed
    )
    FOLDER.mkdir(parents=True, exist_ok=True)
    plot_sves(data, FOLDER / "sves.png")
    plot_properties(data, split, FOLDER / "properties.png")
    split.save(SPLIT)
    for subset in SUBSETS:
        print(
            f"{subset}: {counted(len(split.index(subset, data.part_id)), 'SVE')} of"
            f" {counted(len(split.parts[subset]), 'part')}"
        )
