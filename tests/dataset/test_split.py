"""Splits by part, the label scaler."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from svevae.dataset.split import SUBSETS, Split, split_by_part
from svevae.dataset.store import SVEDataset
from svevae.errors import DataError


def test_no_part_is_on_two_sides_and_none_is_lost(tiny: SVEDataset) -> None:
    split = split_by_part(tiny, 0.25, 0.25, seed=0)
    index = [split.index(subset, tiny.part_id) for subset in SUBSETS]
    np.testing.assert_array_equal(np.sort(np.concatenate(index)), np.arange(tiny.count))
    parts = [set(tiny.part_id[rows]) for rows in index]
    assert [len(found) for found in parts] == [4, 2, 2]
    assert not parts[0] & parts[1]
    assert not parts[1] & parts[2]
    assert not parts[0] & parts[2]


def test_every_family_and_metal_is_in_every_subset(tiny: SVEDataset) -> None:
    """Eight parts of four SVEs, four of each family; or two families in two metals, of which two
    parts each are too few to be told apart.
    """
    family = np.isin(tiny.part_id, np.unique(tiny.part_id)[1::2]).astype(int)
    two = replace(tiny, family=family, families=("a", "b"))
    split = split_by_part(two, 0.25, 0.25, seed=0)
    for subset in SUBSETS:
        assert set(family[split.index(subset, two.part_id)]) == {0, 1}
    laws = np.tile([70e3, 0.33, 200.0, 300.0, 40.0], (tiny.count, 1))
    laws[tiny.part_id >= np.unique(tiny.part_id)[4], 2] = 300.0
    metals = split_by_part(replace(tiny, laws=laws), 0.25, 0.25, seed=0)
    for subset in SUBSETS:
        assert set(laws[metals.index(subset, tiny.part_id), 2]) == {200.0, 300.0}
    both = split_by_part(replace(two, laws=laws), 0.25, 0.25, seed=0)
    assert both.parts == split_by_part(tiny, 0.25, 0.25, seed=0).parts


def test_scaler_is_of_the_training_parts_alone(tiny: SVEDataset) -> None:
    split = split_by_part(tiny, 0.25, 0.25, seed=0)
    train = tiny.properties[split.index("train", tiny.part_id)].astype(float)
    np.testing.assert_allclose(split.mean, train.mean(axis=0))
    np.testing.assert_allclose(split.std, train.std(axis=0))


def test_seed_decides_and_file_round_trip(tiny: SVEDataset, tmp_path: Path) -> None:
    split = split_by_part(tiny, 0.25, 0.25, seed=0)
    assert split == split_by_part(tiny, 0.25, 0.25, seed=0)
    assert split.parts != split_by_part(tiny, 0.25, 0.25, seed=1).parts
    split.save(tmp_path / "split.json")
    assert Split.load(tmp_path / "split.json") == split


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("{", "", "expected JSON, cannot be read"),
        ('"train"', '"trial"', r"parts: expected train, validation, test, received trial, "),
        ('"std": [', '"std": [1.0,', r"std: expected one for each of the \d+ names, received \d+"),
        ('"mean": [', '"mean": ["a",', r"mean\.0: expected a valid number, received 'a'"),
        ('"dataset":', '"data":', "dataset: expected a value, received nothing"),
    ],
)
def test_a_damaged_split_is_named(
    tiny: SVEDataset, tmp_path: Path, old: str, new: str, message: str
) -> None:
    path = tmp_path / "split.json"
    split_by_part(tiny, 0.25, 0.25, seed=0).save(path)
    path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    with pytest.raises(DataError, match=rf"split\.json: {message}"):
        Split.load(path)


@pytest.mark.parametrize("parts", [1, 2])
def test_too_few_parts(tiny: SVEDataset, parts: int) -> None:
    few = replace(tiny, part_id=np.arange(tiny.count) % parts)
    with pytest.raises(
        DataError, match=f"tiny.h5: /part_id: expected at least 3 parts, .* received {parts}"
    ):
        split_by_part(few, 0.25, 0.25, seed=0)


def test_small_fractions_still_leave_a_part_each(tiny: SVEDataset) -> None:
    split = split_by_part(replace(tiny, part_id=np.arange(tiny.count) % 3), 0.01, 0.98, seed=0)
    assert [len(split.parts[subset]) for subset in SUBSETS] == [1, 1, 1]


def test_constant_property(tiny: SVEDataset) -> None:
    flat = tiny.properties.copy()
    flat[:, 3] = 5
    with pytest.raises(DataError, match="expected yield_x to vary over the training parts"):
        split_by_part(replace(tiny, properties=flat), 0.25, 0.25, seed=0)
