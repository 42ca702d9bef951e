"""SVEs at the rim of what counts."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from svevae.scans.view import OUTSIDE

LEAST = 0.5  # of an SVE that counts; what has less is no SVE


def filled(sves: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Binary SVEs (sve, n, n, n) without OUTSIDE, and which of them have at least LEAST inside,
    (sve,) bool; the others come back solid.

    A voxel outside becomes the first of its mirror images across one, two or three of the middle
    planes that is inside, so that porosity and pores are those of what counts; where all are
    outside it is solid.
    """
    outside = sves == OUTSIDE
    whole = 1 - outside.mean(axis=(1, 2, 3)) >= LEAST
    found = np.where(whole[:, None, None, None], sves, 0)
    rim = np.flatnonzero(whole & outside.any(axis=(1, 2, 3)))
    given = sves[rim]
    kept = given.copy()
    for count in (1, 2, 3):
        for axes in combinations((1, 2, 3), count):
            kept = np.where(kept == OUTSIDE, np.flip(given, axes), kept)
    found[rim] = np.where(kept == OUTSIDE, 0, kept)
    return found, whole
