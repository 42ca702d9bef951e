"""Split a dataset by part, so that correlated neighbours never stand on both sides."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from svevae.dataset.digest import content_digest, dataset_digest
from svevae.dataset.store import LabelledDataset
from svevae.errors import DataError
from svevae.files import write_text
from svevae.records import read_record, record_text
from svevae.words import counted, some

SUBSETS = ("train", "validation", "test")


@dataclass(frozen=True)
class Split:
    """Which parts belong to each subset, and the label scaler fitted on the training parts.

    `mean` and `std` have one entry for each property, in its unit: standardised = (property - mean)
    / std. `dataset_digest` is DVC's name for the data, `test_digest` that of the test SVEs and
    labels themselves.
    """

    dataset: str
    dataset_digest: str
    test_digest: str
    names: tuple[str, ...]
    units: tuple[str, ...]
    parts: dict[str, tuple[int, ...]]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        if set(self.parts) != set(SUBSETS):
            raise DataError(f"parts: expected {', '.join(SUBSETS)}, received {some([*self.parts])}")
        for key in ("units", "mean", "std"):
            if len(getattr(self, key)) != len(self.names):
                raise DataError(
                    f"{key}: expected one for each of the {counted(len(self.names), 'name')},"
                    f" received {len(getattr(self, key))}"
                )

    def index(self, subset: str, part_id: np.ndarray) -> np.ndarray:
        """Indices of the SVEs of `subset` ("train", "validation" or "test") in file order; part_id
        is (sve,).
        """
        return np.flatnonzero(np.isin(part_id, self.parts[subset]))

    def save(self, path: Path) -> None:
        """Write as JSON, whole or not at all."""
        write_text(path, record_text(self))

    @classmethod
    def load(cls, path: Path) -> Split:
        """The split that `save` wrote. Raises DataError that names the file and the key."""
        return read_record(cls, path)


def split_by_part(
    data: LabelledDataset, validation_fraction: float, test_fraction: float, seed: int
) -> Split:
    """Deal whole parts to training, validation and test at random, at least one to each.

    Of each family of pores, in metals of their own and in that of most parts, each subset has its
    share, where there are parts enough. Raises DataError where the file has fewer than three parts,
    or a property that does not vary over the training parts.
    """
    parts = np.unique(data.part_id)
    if len(parts) < 3:
        raise DataError(
            f"{data.path}: /part_id: expected at least 3 parts, one each to train, validate and"
            f" test, received {len(parts)}"
        )
    rng = np.random.default_rng(seed)
    strata = _strata(data, parts)
    if min(map(len, strata)) < 3:
        strata = [parts]
    dealt = [_deal(stratum, validation_fraction, test_fraction, rng) for stratum in strata]
    cuts = [np.concatenate(subset) for subset in zip(*dealt, strict=True)]
    train = data.properties[np.isin(data.part_id, cuts[0])].astype(np.float64)
    mean, std = train.mean(axis=0), train.std(axis=0)
    for name, spread, level in zip(data.names, std, np.abs(mean), strict=True):
        if spread <= 1e-6 * level:
            raise DataError(
                f"{data.path}: /properties: expected {name} to vary over the training parts,"
                " received a constant"
            )
    test_index = np.flatnonzero(np.isin(data.part_id, cuts[2]))
    return Split(
        dataset=str(data.path),
        dataset_digest=dataset_digest(data.path),
        test_digest=content_digest(data.voxels(test_index), data.properties[test_index]),
        names=data.names,
        units=data.units,
        parts={
            subset: tuple(sorted(map(int, cut))) for subset, cut in zip(SUBSETS, cuts, strict=True)
        },
        mean=tuple(mean.tolist()),
        std=tuple(std.tolist()),
    )


def _strata(data: LabelledDataset, parts: np.ndarray) -> list[np.ndarray]:
    """The parts by family, and by whether their metal is that of most SVEs."""
    first = np.searchsorted(np.sort(data.part_id, kind="stable"), parts)
    first = np.argsort(data.part_id, kind="stable")[first]
    keys = np.zeros((len(parts), 2), int)
    if data.family is not None:
        keys[:, 0] = data.family[first]
    if data.laws is not None:
        laws, counts = np.unique(data.laws, axis=0, return_counts=True)
        keys[:, 1] = (data.laws[first] != laws[counts.argmax()]).any(axis=1)
    _, stratum = np.unique(keys, axis=0, return_inverse=True)
    return [parts[stratum == i] for i in range(stratum.max() + 1)]


def _deal(
    parts: np.ndarray, validation_fraction: float, test_fraction: float, rng: np.random.Generator
) -> list[np.ndarray]:
    """Parts to train, validate and test, at least one to each of three or more."""
    validation = max(1, round(validation_fraction * len(parts)))
    test = min(max(1, round(test_fraction * len(parts))), len(parts) - validation - 1)
    dealt = rng.permutation(parts)
    return np.split(dealt, [len(parts) - validation - test, len(parts) - test])
