"""Segmentation of greys and phases against counts known by construction, and against
scikit-image.
"""

from __future__ import annotations

import numpy as np
import pytest
from skimage.filters import threshold_otsu

from svevae.errors import DataError
from svevae.scans.segmentation import Shift, segmentation
from svevae.scans.view import LABELS

GREYS = np.arange(5 * 6 * 7, dtype=np.uint16).reshape(5, 6, 7)  # every voxel its own value


def binarise(
    volume: np.ndarray, threshold: float | None = None, pores: str | float = "dark"
) -> np.ndarray:
    return segmentation([volume], threshold, pores).apply(volume)


def porosity_sensitivity(
    volume: np.ndarray, threshold: float | None = None, pores: str | float = "dark"
) -> tuple[Shift, ...]:
    return segmentation([volume], threshold, pores).sensitivity


def test_zero_and_one_are_taken_as_they_are() -> None:
    """Also a volume without any pore, and whatever the type."""
    binary = (GREYS % 5 == 0).astype(np.uint8)
    for volume in (binary, binary.astype(bool), binary.astype(float), np.zeros_like(binary)):
        found = binarise(volume)
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, volume.astype(np.uint8))
    np.testing.assert_array_equal(binarise(binary, pores=0), 1 - binary)
    assert porosity_sensitivity(binary) == ()


def test_of_two_values_the_smaller_or_the_larger_is_pore() -> None:
    mask = np.where(GREYS % 5 == 0, 7, 255).astype(np.uint8)
    np.testing.assert_array_equal(binarise(mask), GREYS % 5 == 0)
    np.testing.assert_array_equal(binarise(mask, pores="bright"), GREYS % 5 != 0)


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.float32])
def test_greys_are_split_by_otsu(dtype: type) -> None:
    """Two normal classes: the threshold of scikit-image for the whole volume, from counts made a
    slab at a time.
    """
    random = np.random.default_rng(0)
    solid = random.random((40, 41, 42)) > 0.1
    volume = (
        np.where(
            solid, random.normal(3000, 300, solid.shape), random.normal(-500, 200, solid.shape)
        ).round()
        + (dtype != np.int16) * 5000
    )
    volume = volume.astype(dtype).T  # no order of memory is special
    rule = segmentation([volume])
    np.testing.assert_array_equal(rule.apply(volume), ~solid.T)
    assert rule.porosity == pytest.approx(1 - solid.mean(), rel=1e-12)
    assert str(rule) == f"at or below Otsu's threshold {rule.threshold:g}"
    # 30: a bin of scikit-image, for floats
    assert threshold_otsu(volume) - 30 < rule.threshold < volume[solid.T].min()
    np.testing.assert_array_equal(binarise(volume, pores="bright"), solid.T)


def test_porosity_moves_with_the_threshold_by_shares_of_the_step_between_the_classes() -> None:
    """Greys 0 to 999, once each: classes 0-499 and 500-999 have means 249.5 and 749.5, 5 % of the
    step are 25 greys.
    """
    volume = np.random.default_rng(0).permutation(1000).astype(np.uint16).reshape(10, 10, 10)
    expected = (
        (-0.05, 474, 0.475),
        (-0.02, 489, 0.49),
        (0.0, 499, 0.5),
        (0.02, 509, 0.51),
        (0.05, 524, 0.525),
    )
    np.testing.assert_allclose(porosity_sensitivity(volume), expected, rtol=1e-12)
    np.testing.assert_allclose(
        porosity_sensitivity(volume, 499, "bright")[0], (-0.05, 474, 0.525), rtol=1e-12
    )
    assert segmentation([volume], 199).porosity == pytest.approx(0.2)
    np.testing.assert_allclose(
        porosity_sensitivity(3.0 * volume + 7, 3 * 499 + 7),
        [(s, 3 * t + 7, p) for s, t, p in expected],
        atol=1.1e-3,
    )


def test_overlapping_greys_have_the_threshold_of_scikit_image() -> None:
    volume = np.random.default_rng(0).normal(1000, 100, (30, 30, 30)).astype(np.uint16)
    assert segmentation([volume]).threshold == threshold_otsu(volume)


def test_a_threshold_in_a_gap_stands_in_its_middle() -> None:
    """Pores of one grey, as filters leave them: a small step of the threshold changes nothing."""
    volume = np.where(GREYS % 5 == 0, 0, 2000 + GREYS).astype(np.uint16)
    assert {porosity for *_, porosity in porosity_sensitivity(volume)} == {0.2}


def test_several_volumes_share_a_rule() -> None:
    """A volume that is solid all through takes its threshold from the others."""
    solid = np.full((4, 4, 4), 200, np.uint8) + np.arange(64, dtype=np.uint8).reshape(4, 4, 4) % 20
    porous = solid.copy()
    porous[:2] = 20
    rule = segmentation([solid, porous])
    assert (rule.apply(solid).sum(), rule.apply(porous).sum()) == (0, 32)
    assert rule.porosity == 0.25


def test_a_threshold_below_all_greys_finds_no_pore() -> None:
    rule = segmentation([GREYS + 100], threshold=50)
    assert (rule.porosity, rule.sensitivity, rule.apply(GREYS + 100).sum()) == (0, (), 0)


def phases(*values: float, dtype: type = np.uint8) -> np.ndarray:
    return np.resize(np.array(values), (4, 4, 4)).astype(dtype)


@pytest.mark.parametrize(
    ("volume", "options", "message"),
    [
        (
            phases(0, 1, 2),
            {},
            (
                r"expected greys or two phases, received 3 phases: 0, 1, 2; say which is pore:"
                r" --pores VALUE or --threshold"
            ),
        ),
        (phases(7), {}, r"expected greys or two phases, received a single value: 7"),
        (phases(0, 1, 2), {"pores": 3}, r"--pores: expected one of the values 0, 1, 2, received 3"),
        (
            phases(0, 1, 2),
            {"pores": "black"},
            r"--pores: expected dark, bright or the value of the pores, received 'black'",
        ),
        (
            phases(0, 1, 2),
            {"pores": 2, "threshold": 1},
            r"expected --threshold or a value for --pores, received both: 1 and 2",
        ),
        (
            phases(10, 20),
            {"threshold": 20},
            r"--threshold: expected one that leaves some solid of the greys 10 to 20, received 20",
        ),
        (
            phases(*range(64)),
            {"threshold": -1, "pores": "bright"},
            r"leaves some solid of the greys 0 to 63, received -1",
        ),
        (
            phases(np.nan, dtype=np.float32),
            {},
            r"expected voxels inside the field of view, received none",
        ),
    ],
)
def test_each_fault_of_a_segmentation_is_named(
    volume: np.ndarray, options: dict[str, object], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        binarise(volume, **options)


def test_phases_are_chosen_by_label_or_threshold() -> None:
    volume = phases(0, 1, 2)
    np.testing.assert_array_equal(binarise(volume, pores=2), volume == 2)
    np.testing.assert_array_equal(binarise(volume, threshold=1, pores="bright"), volume == 2)
    assert len(np.unique(phases(*range(LABELS + 1)))) == LABELS + 1
    binarise(phases(*range(LABELS + 1)))  # so many are greys
