"""Batches: nothing lost, nothing changed that the labels know of, the same for the same seed and
epoch.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from svevae.dataset.batches import Batches, PackedVoxels, StatisticsBatches
from svevae.dataset.store import SVEDataset
from svevae.dataset.symmetry import AS_IS, TURNS, XY
from svevae.errors import ConfigError


def test_packing_is_lossless(tiny: SVEDataset) -> None:
    index = np.array([0, 5, 17, 95])
    packed = PackedVoxels(tiny, index)
    np.testing.assert_array_equal(packed[slice(None)], tiny.voxels(index))
    np.testing.assert_array_equal(packed[np.array([3, 0])], tiny.voxels(index[[3, 0]]))


def test_odd_edge_packs_too(tiny: SVEDataset) -> None:
    class Odd:
        n, count = 3, 2

        def slabs(self) -> list:
            return [(slice(0, 2), cubes)]

    cubes = np.random.default_rng(0).integers(0, 2, (2, 3, 3, 3)).astype(np.uint8)
    np.testing.assert_array_equal(PackedVoxels(Odd(), np.arange(2))[slice(None)], cubes)


def test_without_shuffle_all_come_once_in_order(tiny: SVEDataset) -> None:
    index = np.arange(40)
    batches = Batches(tiny, index, batch_size=16)
    assert [len(batches[i][0]["voxels"]) for i in range(len(batches))] == [16, 16, 8]
    np.testing.assert_array_equal(
        np.concatenate([batches[i][1] for i in range(len(batches))]), tiny.properties[:40]
    )


def test_an_epoch_depends_on_seed_and_number_alone(tiny: SVEDataset) -> None:
    flips = ("flip_x", "flip_y", "flip_z")
    first = Batches(tiny, np.arange(40), 16, seed=3, shuffle=True, augmentation=flips)
    second = Batches(tiny, np.arange(40), 16, seed=3, shuffle=True, augmentation=flips)
    first.start_epoch(1)
    first.start_epoch(5)
    second.start_epoch(5)
    for i in reversed(range(len(first))):
        np.testing.assert_array_equal(first[i][0]["voxels"], second[i][0]["voxels"])
        np.testing.assert_array_equal(first[i][1], second[i][1])
    before = second[0][1]
    second.start_epoch(6)
    assert not np.array_equal(before, second[0][1])


def test_flips_keep_pores_and_labels_together(tiny: SVEDataset) -> None:
    """Each SVE of a batch is one of the 8 mirror images of the SVE whose label it carries, and all
    8 appear.
    """
    batches = Batches(
        tiny, np.arange(96), 96, seed=0, shuffle=True, augmentation=("flip_x", "flip_y", "flip_z")
    )
    original = tiny.voxels(np.arange(96))
    seen = set()
    for epoch in range(4):
        batches.start_epoch(epoch)
        x, properties = batches[0]
        for cube, label in zip(x["voxels"], properties, strict=True):
            source = original[np.flatnonzero((tiny.properties == label).all(axis=1))[0]]
            images = {
                bits: np.flip(source, [axis for axis in range(3) if bits >> axis & 1])
                for bits in range(8)
            }
            fitting = [bits for bits, image in images.items() if np.array_equal(image, cube)]
            assert fitting or not source.any()
            if len(fitting) == 1:
                seen.add(fitting[0])
    assert seen == set(range(8))


def test_swap_moves_labels_with_the_axes(tiny: SVEDataset) -> None:
    names = ("E_x", "E_y", "nu_zx", "nu_zy", "yield_z", "porosity")
    labelled = replace(tiny, names=names, properties=tiny.properties[:, :6])
    batches = Batches(labelled, np.arange(96), 96, seed=0, shuffle=True, augmentation=("swap_xy",))
    x, properties = batches[0]
    order = np.random.default_rng([0, 0]).permutation(96)
    swapped = 0
    for cube, label, row in zip(x["voxels"], properties, order, strict=True):
        source, original = tiny.voxels(np.array([row]))[0], labelled.properties[row]
        if np.array_equal(label, original):
            np.testing.assert_array_equal(cube, source)
        else:
            swapped += 1
            np.testing.assert_array_equal(label, original[[1, 0, 3, 2, 4, 5]])
            np.testing.assert_array_equal(cube, source.swapaxes(0, 1))
    assert 20 < swapped < 76


def test_swap_needs_labels_along_y(tiny: SVEDataset) -> None:
    assert XY not in Batches(tiny, np.arange(4), 2).targets
    with pytest.raises(
        ConfigError,
        match=(
            r"^augmentation: swap_xy needs the labels along both x and y, and .*tiny\.h5 has"
            r" E_x, E_z"
        ),
    ):
        Batches(tiny, np.arange(4), 2, augmentation=("swap_xy",))


def test_statistics_come_in_the_order_of_the_axes_of_their_targets(tiny: SVEDataset) -> None:
    """Each SVE once an epoch, in each of the orders that its labels know; the same for a seed and
    an epoch. Without shuffling as it is, all at once.
    """
    names = ("E_x", "E_y", "E_z")
    numbers = np.arange(3 * 96, dtype=np.float32).reshape(96, 3)
    batches = Batches(replace(tiny, names=names, properties=numbers), np.arange(96), 8)
    assert list(batches.targets) == list(TURNS)
    batches.know(numbers.copy(), {turn: np.array(turn) for turn in TURNS})
    mean, std = np.full(3, 10.0), np.array([2.0, 4.0, 5.0])
    shuffled = StatisticsBatches(batches, mean, std, shuffle=True, seed=1)
    seen, epochs = set(), []
    for epoch in (0, 1, 0):
        shuffled.start_epoch(epoch)
        dealt = [shuffled[i] for i in range(len(shuffled))]
        statistics, targets = (np.concatenate(column) for column in zip(*dealt, strict=True))
        np.testing.assert_allclose(targets, (statistics - mean) / std, rtol=1e-5)
        assert sorted(np.sort(statistics, axis=1)[:, 0]) == list(numbers[:, 0])
        seen |= {tuple(row) for row in statistics.argsort(axis=1)}
        epochs.append(statistics)
    assert len(seen) == len(TURNS)
    np.testing.assert_array_equal(epochs[0], epochs[2])
    assert not np.array_equal(epochs[0], epochs[1])
    np.testing.assert_array_equal(shuffled.whole()[0][96:192], numbers[:, list(TURNS[1])])
    statistics, targets = StatisticsBatches(batches, mean, std, shuffle=False)[0]
    np.testing.assert_array_equal(statistics, numbers)
    np.testing.assert_allclose(targets, (batches.targets[AS_IS] - mean) / std, rtol=1e-5)
