"""HDF5 + split -> batches for Keras, with the augmentation that leaves labels exactly unchanged.

Voxels wait in memory at one bit each (4 KiB an SVE at n = 32, so a million fit in 4 GB) and are
unpacked a batch at a time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np

from svevae.dataset.curves import Curves, laws_of_file, response_weights
from svevae.dataset.store import LabelledDataset, SVEDataset
from svevae.dataset.symmetry import AS_IS, XY, Turn, turned_targets
from svevae.errors import ConfigError

BLOCK = 256  # SVEs unpacked at a time
STATISTICS_BATCH = 256  # SVEs of which the statistics are learnt from at a time


class PackedVoxels:
    """Binary voxel cubes at one bit a voxel."""

    def __init__(self, data: SVEDataset, index: np.ndarray):
        """Read the SVEs of `index` (ascending) from `data`, one pass over the file. Raises
        DataError for a voxel not 0 or 1.
        """
        self.n = data.n
        self._bits = np.empty((len(index), -(-(data.n**3) // 8)), np.uint8)
        for slab, voxels in data.slabs():
            rows = slice(*np.searchsorted(index, [slab.start, slab.stop]))
            self._bits[rows] = np.packbits(
                voxels[index[rows] - slab.start].reshape(-1, data.n**3), axis=1
            )

    def __len__(self) -> int:
        return len(self._bits)

    def __getitem__(self, rows: np.ndarray | slice) -> np.ndarray:
        """The cubes of `rows`: (len(rows), n, n, n) uint8."""
        n = self.n
        return np.unpackbits(self._bits[rows], axis=1, count=n**3).reshape(-1, n, n, n)

    def digest(self) -> str:
        """Of the voxels alone."""
        return hashlib.blake2b(self._bits.tobytes(), digest_size=16).hexdigest()

    def blocks(self) -> Iterator[np.ndarray]:
        """All cubes in order, up to 256 at a time."""
        for start in range(0, len(self), BLOCK):
            yield self[start : start + BLOCK]


class Batches(keras.utils.PyDataset):
    """Batches of ({"voxels": (batch, n, n, n) uint8}, targets (batch, target) float32), with the
    "law" of each SVE where it says more, and after `know` with its "statistics".

    Targets are the properties in their units, or the response where there are `curves`
    (`svevae.dataset.curves`), followed by the weights of its numbers (batch, target). With
    `shuffle`, SVEs are dealt anew each epoch and augmented; what epoch k shows depends on the seed
    and k alone, so an interrupted training goes on with the batches it would have seen. Without it,
    all SVEs come once, in file order.
    """

    def __init__(
        self,
        data: LabelledDataset,
        index: np.ndarray,
        batch_size: int,
        seed: int = 0,
        shuffle: bool = False,
        augmentation: tuple[str, ...] = (),
        curves: Curves | None = None,
    ):
        """Raises ConfigError for an augmentation that would change the labels of this file."""
        super().__init__()
        self.batch_size, self.seed, self.shuffle, self.augmentation = (
            batch_size,
            seed,
            shuffle,
            augmentation,
        )
        self.names = data.names
        self.targets = turned_targets(data, index, curves)
        if "swap_xy" in augmentation and XY not in self.targets:
            raise ConfigError(
                f"augmentation: swap_xy needs the labels along both x and y, and {data.path}"
                f" has {', '.join(data.names)}"
            )
        self.voxels = PackedVoxels(data, index)
        self.laws: np.ndarray | None = None
        if curves is not None:
            laws = laws_of_file(data)
            assert laws is not None
            self.laws = laws[index].astype(np.float32)
        self.statistics: np.ndarray | None = None
        self.start_epoch(0)

    def know(self, statistics: np.ndarray, orders: Mapping[Turn, np.ndarray]) -> None:
        """From now on give with each batch the `statistics` (sve, statistic) of its SVEs. Mirrors
        leave them as they are; after one of TURNS they come in its order of `orders`.
        """
        self.statistics, self.orders = statistics, orders

    def start_epoch(self, epoch: int) -> None:
        """Deal the batches of `epoch`, counted from 0."""
        self._epoch = epoch
        count = len(self.voxels)
        self._order = (
            np.random.default_rng([self.seed, epoch]).permutation(count)
            if self.shuffle
            else np.arange(count)
        )

    def __len__(self) -> int:
        """Batches in an epoch; a shuffled one leaves out the last SVEs that do not fill a batch,
        another choice each epoch.
        """
        count = len(self.voxels)
        return max(1, count // self.batch_size) if self.shuffle else -(-count // self.batch_size)

    def __getitem__(self, i: int) -> tuple[Any, ...]:
        rows = self._order[i * self.batch_size : (i + 1) * self.batch_size]
        voxels, targets = self.voxels[rows], self.targets[AS_IS][rows]
        x = {"voxels": voxels}
        if self.statistics is not None:
            x["statistics"] = self.statistics[rows]
        if self.laws is not None:
            x["law"] = self.laws[rows]
        random = np.random.default_rng([self.seed, self._epoch, i])
        for axis, name in enumerate(("flip_x", "flip_y", "flip_z"), start=1):
            if name in self.augmentation:
                chosen = random.random(len(rows)) < 0.5
                voxels[chosen] = np.flip(voxels[chosen], axis)
        if "swap_xy" in self.augmentation:
            chosen = random.random(len(rows)) < 0.5
            voxels[chosen] = voxels[chosen].swapaxes(1, 2)
            targets[chosen] = self.targets[XY][rows[chosen]]
            if self.statistics is not None:
                x["statistics"][chosen] = x["statistics"][chosen][:, self.orders[XY]]
        return (x, targets) if self.laws is None else (x, targets, response_weights(targets))


class StatisticsBatches(keras.utils.PyDataset):
    """Batches of (statistics (batch, statistic), or a pair with the law (batch, 5); standardised
    targets (batch, target); with the law, the weights of these) of the SVEs of `batches`, which
    know their statistics; the scaler is mean, std (target,).

    With `shuffle`, each SVE comes once an epoch with its axes in an order that its labels know, and
    what an epoch shows depends on the seed and the epoch alone; else as it is, all at once.
    """

    def __init__(
        self, batches: Batches, mean: np.ndarray, std: np.ndarray, shuffle: bool, seed: int = 0
    ):
        super().__init__()
        self.shuffle, self.seed, self.laws = shuffle, seed, batches.laws
        assert batches.statistics is not None
        self.statistics, self.orders = batches.statistics, batches.orders
        self.turns = list(batches.targets) if shuffle else [AS_IS]
        self.targets = np.stack(
            [((batches.targets[turn] - mean) / std).astype(np.float32) for turn in self.turns]
        )
        self.weights = None if self.laws is None else response_weights(batches.targets[AS_IS])
        count = len(self.statistics)
        self.batch_size = min(STATISTICS_BATCH, max(1, count // 4)) if shuffle else count
        self.start_epoch(0)

    def whole(self) -> tuple[np.ndarray, np.ndarray]:
        """All statistics and standardised targets, each SVE in each order of its axes."""
        statistics = [self.statistics[:, self.orders[turn]] for turn in self.turns]
        return np.concatenate(statistics), np.concatenate(list(self.targets))

    def __len__(self) -> int:
        return len(self.statistics) // self.batch_size

    def __getitem__(self, i: int) -> tuple[Any, ...]:
        rows = self._order[i * self.batch_size : (i + 1) * self.batch_size]
        statistics, turn = self.statistics[rows], self._turn[rows]
        for k, axes in enumerate(self.turns):
            if axes != AS_IS:
                statistics[turn == k] = statistics[turn == k][:, self.orders[axes]]
        targets = self.targets[turn, rows]
        if self.laws is None or self.weights is None:
            return statistics, targets
        # whatever the turn: they follow from the weakest axis, and all ratios have the same
        return (statistics, self.laws[rows]), targets, self.weights[rows]

    def start_epoch(self, epoch: int) -> None:
        """Deal the batches of `epoch`, counted from 0."""
        count = len(self.statistics)
        random = np.random.default_rng([self.seed, epoch])
        self._order = random.permutation(count) if self.shuffle else np.arange(count)
        self._turn = random.integers(len(self.turns), size=count)
