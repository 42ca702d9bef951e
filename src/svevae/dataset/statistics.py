"""How SVEs of a dataset resemble their neighbours, and how large their pores are."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import prod

import numpy as np
import pandas as pd
from skimage.measure import label

from svevae.dataset.store import SVEDataset
from svevae.errors import ConfigError, DataError
from svevae.hdf5 import reading

SEPARATIONS = ("euclidean", "x", "y", "z")
KEY_LIMIT = 2**62  # keys of positions are int64


def read_position(data: SVEDataset) -> np.ndarray | None:
    """/position, the index of each SVE in its part: (sve, 3) int64, axes x, y, z; None where the
    file has none.

    Raises DataError where it is not whole numbers, or where two SVEs of a part stand in one place.
    """
    with reading(data.path, known=True) as file:
        if "position" not in file:
            return None
        stored = file["position"][:]
    if not np.isfinite(stored).all() or (stored != np.rint(stored)).any():
        raise DataError(
            f"{data.path}: /position: expected whole numbers, the index of an SVE in its part;"
            " received fractions"
        )
    if (np.abs(stored.astype(float)) > KEY_LIMIT).any():
        raise DataError(
            f"{data.path}: /position: expected indices of SVEs in their part, received"
            f" {np.abs(stored.astype(float)).max():g}"
        )
    position = stored.astype(np.int64)
    order = np.lexsort((*position.T, data.part_id))
    same = (np.diff(position[order], axis=0) == 0).all(axis=1) & (np.diff(data.part_id[order]) == 0)
    if same.any():
        first, second = sorted(order[np.argmax(same) :][:2].tolist())
        raise DataError(
            f"{data.path}: /position: expected one SVE in each place of a part, received {first}"
            f" and {second} both at {position[first].tolist()} of part {data.part_id[first]}"
        )
    return position


def neighbour_correlation(
    values: np.ndarray,
    part_id: np.ndarray,
    position: np.ndarray,
    separation: str = "euclidean",
    reach: float = 6,
) -> pd.DataFrame:
    """Correlation of a quantity between two SVEs of one part, over the distance of their positions
    in SVE edges (steps).

    values (sve,) in any unit, part_id (sve,) integers, position (sve, 3) integers. `separation`
    "euclidean" takes all pairs up to `reach` edges apart, each distance that occurs on the grid by
    itself (1, 2^0.5, 3^0.5, 2, ...); "x", "y" or "z" only pairs along that axis. Columns: distance,
    pairs (number of them), correlation, standard_error. The last row, distance inf, takes pairs of
    different parts: the baseline. An SVE stands in one place of a part, see `read_position`.

    With m and s^2 the mean and the variance of all values, the estimator is

        r(h) = sum over pairs h apart of (v_i - m)(v_j - m) / (pairs s^2)

    Moran's I of each lag (Cliff and Ord 1981, Spatial Processes). Its bias: m is itself a mean over
    few parts. Where P independent, equally large parts correlate with themselves by c on average
    (all pairs of a part, each SVE with itself too), r expects (rho - c/P) / (1 - c/P) to the first
    order in 1/P, and the baseline is -c/(P - c), not 0; (r - baseline) / (1 - baseline) removes
    that. In one part alone there is no baseline, and r is low by (1 - rho) c/(1 - c).

    The standard error is the delete-one jackknife over parts (Efron and Stein 1981): SVEs of a part
    are dependent, parts are not. No random numbers. NaN where fewer than two parts have such pairs.

    Raises DataError for arrays that do not fit, are not finite or do not vary; ConfigError for an
    unknown separation.
    """
    if separation not in SEPARATIONS:
        raise ConfigError(
            f"separation: expected one of {', '.join(SEPARATIONS)}, received {separation!r}"
        )
    if not reach >= 1:
        raise ConfigError(f"reach: expected at least 1 SVE edge, received {reach}")
    values, part, position = _standardised(values, part_id, position)
    lags = lags_within(position, reach, separation)
    squared = np.square(lags).sum(axis=1)
    classes, row = np.unique(squared, return_inverse=True)
    parts = part.max() + 1
    # of each class and part: number of pairs, sum of v_i + v_j, sum of v_i v_j
    sums = pairs, first, second = np.zeros((3, len(classes), parts))
    for k, (i, j) in zip(row, pairs_apart(part, position, lags), strict=True):
        pairs[k] += np.bincount(part[i], minlength=parts)
        first[k] += np.bincount(part[i], values[i] + values[j], parts)
        second[k] += np.bincount(part[i], values[i] * values[j], parts)
    moments = np.stack([np.bincount(part, values**power, parts) for power in range(3)])
    whole = _correlation(sums.sum(axis=2), moments)
    without = np.stack([_left_out(sums, moments, p) for p in range(parts)], axis=1)
    error = np.sqrt((parts - 1) * without.var(axis=1))
    pairs_between = (moments[0].sum() ** 2 - np.square(moments[0]).sum()) / 2
    table = pd.DataFrame(
        {
            "distance": np.append(np.sqrt(classes), np.inf),
            "pairs": np.append(pairs.sum(axis=1), pairs_between).astype(np.int64),
            "correlation": whole,
            "standard_error": error,
        }
    )
    return table[table["pairs"] > 0].reset_index(drop=True)


def lags_within(position: np.ndarray, reach: float, separation: str = "euclidean") -> np.ndarray:
    """Steps (lag, 3) between places of a part up to `reach` SVE edges long, one of each
    opposite pair; position (sve, 3).
    """
    extent = np.minimum(np.ptp(position, axis=0), reach).astype(int)
    axes = [
        np.arange(-m, m + 1) if separation in ("euclidean", "xyz"[k]) else (0,)
        for k, m in enumerate(extent)
    ]
    lags = [lag for lag in product(*axes) if lag > (0, 0, 0) and np.dot(lag, lag) <= reach**2]
    return np.array(lags, dtype=np.int64).reshape(-1, 3)


def pairs_apart(
    part: np.ndarray, position: np.ndarray, lags: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """For each lag (lag, 3) the indices i, j of SVEs with position[j] = position[i] + lag in the
    same part.

    part (sve,) integers from 0 on, position (sve, 3) integers. Raises DataError for positions that
    are too far apart to be indices.
    """
    position = position - position.min(axis=0)
    extent = position.max(axis=0) + 1
    if prod([int(part.max()) + 1, *extent.tolist()]) > KEY_LIMIT:
        raise DataError(
            "position: expected indices of SVEs in their part, received a part of"
            f" {extent.tolist()} SVEs"
        )
    strides = np.array([extent[1] * extent[2], extent[2], 1])
    keys = part * np.prod(extent) + position @ strides
    order = np.argsort(keys)
    ordered = keys[order]
    for lag in lags:
        target = position + lag
        i = np.flatnonzero(((target >= 0) & (target < extent)).all(axis=1))
        wanted = keys[i] + lag @ strides
        at = np.minimum(np.searchsorted(ordered, wanted), len(ordered) - 1)
        exists = ordered[at] == wanted
        yield i[exists], order[at[exists]]


def pore_sizes(voxels: np.ndarray, voxel_size: float) -> np.ndarray:
    """Diameters of the spheres as large as each pore, in the unit of voxel_size: d = (6 V /
    pi)^(1/3).

    voxels (sve, n, n, n) of 0 and 1 -> (pore,), SVE by SVE. A pore is what hangs together by faces,
    edges or corners of voxels. An SVE is not periodic: a pore cut by its faces counts with the
    piece inside, so the largest are underrated. Raises DataError for another number of axes.
    """
    if voxels.ndim != 4:
        raise DataError(f"voxels: expected (sve, n, n, n), received shape {voxels.shape}")
    if not voxel_size > 0:
        raise DataError(f"voxel_size: expected a length above 0, received {voxel_size}")
    counts = [np.bincount(label(cube).ravel())[1:] for cube in voxels]
    return voxel_size * np.cbrt(6 / np.pi * np.concatenate([np.empty(0), *counts]))


def _standardised(
    values: np.ndarray, part_id: np.ndarray, position: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Standardised values, parts counted from 0, positions as int64. Raises DataError for arrays
    that do not fit together, are not finite or do not vary.
    """
    values, part_id, position = (
        np.asarray(values, np.float64),
        np.asarray(part_id),
        np.asarray(position),
    )
    if values.ndim != 1 or len(values) == 0:
        raise DataError(f"values: expected one number for each SVE, received shape {values.shape}")
    for name, array, shape in (
        ("part_id", part_id, (len(values),)),
        ("position", position, (len(values), 3)),
    ):
        if array.shape != shape:
            raise DataError(f"{name}: expected shape {shape}, received {array.shape}")
        if array.dtype.kind not in "iu":
            raise DataError(f"{name}: expected integers, received {array.dtype}")
    if not np.isfinite(values).all():
        raise DataError(
            f"values: expected finite numbers, received {values[~np.isfinite(values)][0]}"
        )
    spread = np.ptp(values)
    if not spread > 1e-12 * np.abs(values).max():
        raise DataError(
            f"values: expected them to vary over the SVEs, received {values[0]:g} everywhere"
        )
    return (
        (values - values.mean()) / values.std(),
        np.unique(part_id, return_inverse=True)[1],
        position.astype(np.int64),
    )


def _correlation(sums: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """r of each class, and of pairs of different parts (class + 1,).

    `sums` (3, class) over parts are the number of pairs, the sums of v_i + v_j and of v_i v_j;
    `moments` (3, part) the sums of the powers 0 to 2 of the values.
    """
    pairs, first, second = sums
    count, total, square = moments.sum(axis=1)
    mean = total / count if count else 0.0
    variance = square / count - mean**2 if count else 0.0
    between = (count**2 - np.square(moments[0]).sum()) / 2
    products = np.append(
        second - mean * first + mean**2 * pairs,
        -np.square(moments[1] - mean * moments[0]).sum() / 2,
    )
    scale = variance * np.append(pairs, between)
    return np.divide(products, scale, out=np.full(len(scale), np.nan), where=scale > 1e-12)


def _left_out(sums: np.ndarray, moments: np.ndarray, part: int) -> np.ndarray:
    """`_correlation` without one part; `sums` (3, class, part)."""
    return _correlation(sums.sum(axis=2) - sums[:, :, part], np.delete(moments, part, axis=1))
