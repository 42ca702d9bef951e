"""prepare: split the dataset by part, fit the label scaler on the training part, draw SVEs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from svevae.config import Params, named_file
from svevae.dataset.curves import LEAST, carries_load, read_curves
from svevae.dataset.split import SUBSETS, Split, split_by_part
from svevae.dataset.store import LabelledDataset, open_dataset
from svevae.pictures.pipeline import plot_properties, plot_sves
from svevae.words import counted

FOLDER = Path("artifacts/split")
SPLIT = FOLDER / "split.json"


def prepare(params: Params) -> None:
    """Read `prepare.dataset`; write artifacts/split. Raises ConfigError and DataError."""
    data = open_dataset(named_file(params.prepare.dataset, "prepare.dataset"))
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
    for line in _not_judged(split, data):
        print(line)


def _not_judged(split: Split, data: LabelledDataset) -> list[str]:
    """What the test parts cannot tell of a model, a line each."""
    index = split.index("test", data.part_id)
    if len(index) == 1:
        return [
            "one test SVE: no R2 can be computed, so no model of this split becomes champion; more"
            " SVEs a part or a larger prepare.test_fraction would mend it"
        ]
    lines = []
    metals = 1 if data.laws is None else len(np.unique(data.laws, axis=0))
    if metals > 1 and read_curves(data) is None:
        lines.append(
            f"SVEs of {metals} metals, without curves at the same multiples of s0/E: the model does"
            " not see /law, so what differs between metals is noise to it"
        )
    if severed := int((~carries_load(data))[index].sum()):
        lines.append(
            f"{counted(severed, 'test SVE')} with less than {LEAST:.0%} of the matrix's modulus"
            " along an axis: nearly severed, not judged"
        )
    constant = np.ptp(data.properties[index], axis=0) == 0
    return lines + [
        f"property {name} is constant in the test parts: its R2 is undefined"
        for name, is_constant in zip(data.names, constant, strict=True)
        if is_constant
    ]
