"""HDF5 + split -> batches for Keras, with the augmentation that leaves labels exactly unchanged.

Voxels wait in memory at one bit each (4 KiB an SVE at n = 32, so a million fit in 4 GB) and are
unpacked a batch at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import keras
import numpy as np

from svevae.dataset.store import LabelledDataset, SVEDataset
from svevae.dataset.symmetry import TURNS, XY, Turn, turned_labels, turned_name
from svevae.errors import ConfigError

BLOCK = 256  # SVEs unpacked at a time


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

    def blocks(self) -> Iterator[np.ndarray]:
        """All cubes in order, up to 256 at a time."""
        for start in range(0, len(self), BLOCK):
            yield self[start : start + BLOCK]


def xy_swap(names: tuple[str, ...]) -> list[int] | None:
    """Find the column that each property takes when x and y change places, e.g. E_x and E_y; None
    where a label along one is missing.

    A name's axes stand behind its last underscore: yield_x, nu_zx.
    """

    targets = [turned_name(name, XY) for name in names]
    return [names.index(target) for target in targets] if set(targets) <= set(names) else None


class Batches(keras.utils.PyDataset):
    """Batches of (voxels (batch, n, n, n) uint8, properties (batch, property) float32 in their
    units); after `know` of ({"voxels", "statistics", "turned"}, properties), where "turned" are the
    statistics of the SVEs that have these properties: with the augmentation `turns` those of the
    same SVEs with their axes in another order, whose voxels nobody is shown.

    With `shuffle`, SVEs are dealt anew each epoch and augmented; what epoch k shows depends on the
    seed and k alone, so an interrupted training goes on with the batches it would have seen.
    Without it, all SVEs come once, in file order.
    """

    def __init__(
        self,
        data: LabelledDataset,
        index: np.ndarray,
        batch_size: int,
        seed: int = 0,
        shuffle: bool = False,
        augmentation: tuple[str, ...] = (),
    ):
        """Raises ConfigError for an augmentation that would change the labels of this file."""
        super().__init__()
        self._swap = xy_swap(data.names)
        if "swap_xy" in augmentation and self._swap is None:
            raise ConfigError(
                f"augmentation: swap_xy needs the labels along both x and y, and {data.path}"
                f" has {', '.join(data.names)}"
            )
        self.batch_size, self.seed, self.shuffle, self.augmentation = (
            batch_size,
            seed,
            shuffle,
            augmentation,
        )
        self.names = data.names
        self.voxels = PackedVoxels(data, index)
        self.properties = data.properties[index]
        self.turned: np.ndarray | None = None
        if "turns" in augmentation:
            self.turned = turned_labels(data, index)
            if self.turned is None:
                raise ConfigError(
                    "augmentation: turns needs the labels along x, y and z and /stiffness, and"
                    f" {data.path} has {', '.join(data.names)}"
                )
        self.statistics: np.ndarray | None = None
        self.start_epoch(0)

    def know(self, statistics: np.ndarray, orders: Mapping[Turn, np.ndarray]) -> None:
        """From now on give with each batch the `statistics` (sve, statistic) of its SVEs. Mirrors
        leave them as they are; after one of TURNS they come in its order of `orders`.
        """
        self.statistics, self._orders = statistics, orders

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

    def __getitem__(self, i: int) -> tuple[np.ndarray | dict[str, np.ndarray], np.ndarray]:
        rows = self._order[i * self.batch_size : (i + 1) * self.batch_size]
        voxels, properties = self.voxels[rows], self.properties[rows]
        statistics = None if self.statistics is None else self.statistics[rows]
        random = np.random.default_rng([self.seed, self._epoch, i])
        for axis, name in enumerate(("flip_x", "flip_y", "flip_z"), start=1):
            if name in self.augmentation:
                chosen = random.random(len(rows)) < 0.5
                voxels[chosen] = np.flip(voxels[chosen], axis)
        if "swap_xy" in self.augmentation:
            chosen = random.random(len(rows)) < 0.5
            voxels[chosen] = voxels[chosen].swapaxes(1, 2)
            properties[chosen] = properties[chosen][:, self._swap]
            if statistics is not None:
                statistics[chosen] = statistics[chosen][:, self._orders[XY]]
        if statistics is None:
            return voxels, properties
        turned = statistics
        if self.turned is not None and self.statistics is not None:
            turned, turn = self.statistics[rows], random.integers(len(TURNS), size=len(rows))
            for i, axes in enumerate(TURNS):
                turned[turn == i] = turned[turn == i][:, self._orders[axes]]
            properties = self.turned[turn, rows]
        return {"voxels": voxels, "statistics": statistics, "turned": turned}, properties
