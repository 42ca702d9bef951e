"""Greys and phases made binary, 0 solid and 1 pore, and how far porosity depends on the choice of
threshold.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from skimage.filters import threshold_otsu

from svevae.errors import DataError

LABELS = 16  # a volume of at most this many different values holds phases, not greys
BINS = 1 << 16  # of the histogram of greys; every value of a 16-bit scan has its own
SLAB = 1 << 22  # voxels worked on at a time
SHIFTS = (-0.05, -0.02, 0.0, 0.02, 0.05)
Shift = tuple[float, float, float]


@dataclass(frozen=True)
class Segmentation:
    """The rule that makes values 0 (solid) or 1 (pore), and the porosity of what it was last
    measured on.

    Pore is at or below `threshold` where `pores` is "dark", above it where "bright"; or, with no
    threshold, equal to the label `pores`. `sensitivity` has (shift, threshold, porosity) for each
    of SHIFTS, the shift as a fraction of the distance between the mean greys of pore and solid, so
    that neither the scanner's offset nor its gain counts; it is empty for labels and where there is
    one class.
    """

    pores: str | float
    threshold: float | None = None
    origin: str = "the given"
    porosity: float = float("nan")
    sensitivity: tuple[Shift, ...] = ()

    def apply(self, volume: np.ndarray) -> np.ndarray:
        """`volume` as uint8, 0 solid and 1 pore."""
        binary = np.empty_like(volume, dtype=np.uint8, subok=False)
        for slab in slabs(volume):
            binary[slab] = self._is_pore(volume[slab], self.threshold)
        return binary

    def measured(self, values: np.ndarray, counts: np.ndarray) -> Segmentation:
        """The same rule with porosity and sensitivity of volumes that have these `grey_values`."""
        share, pore = counts / counts.sum(), self._is_pore(values, self.threshold)
        moved: tuple[Shift, ...] = ()
        if self.threshold is not None and 0 < pore.sum() < len(pore):
            step = abs(
                np.average(values[pore], weights=counts[pore])
                - np.average(values[~pore], weights=counts[~pore])
            )
            greys = [self.threshold + shift * float(step) for shift in SHIFTS]
            moved = tuple(
                (shift, grey, float(share[self._is_pore(values, grey)].sum()))
                for shift, grey in zip(SHIFTS, greys, strict=True)
            )
        return replace(self, porosity=float(share[pore].sum()), sensitivity=moved)

    def _is_pore(self, values: np.ndarray, threshold: float | None) -> np.ndarray:
        return (
            values == self.pores
            if threshold is None
            else (values <= threshold) == (self.pores == "dark")
        )

    def __str__(self) -> str:
        if self.threshold is None:
            return f"the value {self.pores:g}"
        return (
            f"{'at or below' if self.pores == 'dark' else 'above'} {self.origin} threshold"
            f" {self.threshold:g}"
        )


def segmentation(
    volumes: Iterable[np.ndarray], threshold: float | None = None, pores: str | float = "dark"
) -> Segmentation:
    """One rule for all `volumes`, which are gone through twice, a slab at a time.

    `pores` is "dark", "bright" or the value of the pores. A `threshold` always counts. Without one,
    values 0 and 1 are taken as they are (1 is pore), of two others the smaller is pore ("dark") or
    the larger, and greys are split by Otsu's method (N. Otsu, IEEE Trans. Syst. Man Cybern. 9,
    1979). That needs both classes in numbers: with a percent of pores it splits the solid, so let
    it see the air around a part. Raises DataError for values that are not finite, for three to 16
    values (phases, which are listed), for a single one, for a label that is not among them and for
    a threshold that makes all of it pore.
    """
    values, counts = grey_values(volumes)
    listed = ", ".join(f"{value:g}" for value in values[:LABELS])
    listed += " and more" if len(values) > LABELS else ""
    binary = set(values) <= {0, 1}
    if isinstance(pores, str) and pores not in ("dark", "bright"):
        raise DataError(
            f"--pores: expected dark, bright or the value of the pores, received {pores!r}"
        )
    if not isinstance(pores, str):
        if threshold is not None:
            raise DataError(
                f"expected --threshold or a value for --pores, received both: {threshold:g} and"
                f" {pores:g}"
            )
        if pores not in values and not (binary and pores in (0, 1)):
            raise DataError(f"--pores: expected one of the values {listed}, received {pores:g}")
        rule = Segmentation(float(pores))
    elif threshold is not None:
        rule = Segmentation(pores, float(threshold))
        if rule._is_pore(values, threshold).all():
            raise DataError(
                f"--threshold: expected one that leaves some solid of the greys {values[0]:g} to"
                f" {values[-1]:g}, received {threshold:g}"
            )
    elif binary:
        rule = Segmentation(1.0)
    elif len(values) == 2:
        rule = Segmentation(float(values[0] if pores == "dark" else values[1]))
    elif len(values) <= LABELS:
        phases = f"{len(values)} phases" if len(values) > 1 else "a single value"
        raise DataError(
            f"expected greys or two phases, received {phases}: {listed}; say which is pore: --pores"
            " VALUE or --threshold"
        )
    else:
        last = int(np.searchsorted(values, threshold_otsu(hist=(counts, values))))
        # of the gap, if there is one
        middle = (values[last] + values[last + 1] - np.diff(values).min()) / 2
        rule = Segmentation(pores, float(middle), "Otsu's")
    return rule.measured(values, counts)


def grey_values(volumes: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The values that occur, ascending, and how often: exact for phases and for integers that span
    up to 65,536 values.

    Others are counted in 65,536 bins from the smallest to the largest, each standing at its upper
    edge. Raises DataError where a value is not finite.
    """
    low, high, whole = np.inf, -np.inf, True
    distinct: dict[float, int] | None = {}
    for volume in volumes:
        for slab in slabs(volume):
            part = volume[slab]
            if part.dtype.kind == "f" and not np.isfinite(part).all():
                voxel = np.argwhere(~np.isfinite(volume))[0]
                raise DataError(
                    f"expected finite greys, received {volume[tuple(voxel)]} at voxel"
                    f" {tuple(map(int, voxel))}"
                )
            low, high, whole = (
                min(low, part.min()),
                max(high, part.max()),
                whole and part.dtype.kind != "f",
            )
            if distinct is not None:
                greys, counts = np.unique(part, return_counts=True)
                for value, count in zip(
                    greys[: LABELS + 1].astype(float), counts[: LABELS + 1], strict=True
                ):
                    distinct[value] = distinct.get(value, 0) + count
                distinct = distinct if len(distinct) <= LABELS else None
    if distinct is not None:
        return np.array(sorted(distinct)), np.array([distinct[value] for value in sorted(distinct)])
    low, high = float(low), float(high)
    exact = whole and high - low < BINS
    width = 1.0 if exact else (high - low) / BINS
    counts = np.zeros(int(high - low) + 1 if exact else BINS, np.int64)
    for volume in volumes:
        for slab in slabs(volume):
            bins = (np.subtract(volume[slab].ravel(), low, dtype=np.float64) / width).astype(
                np.int64
            )
            counts += np.bincount(np.minimum(bins, len(counts) - 1), minlength=len(counts))
    values = low + width * (np.arange(len(counts)) + (not exact))
    return values[counts > 0], counts[counts > 0]


def slabs(volume: np.ndarray) -> Iterator[tuple[slice, ...]]:
    """Index slices of about SLAB voxels that cover `volume` along the axis in which it lies in the
    file, so that reading is in order.
    """
    axis = int(np.argmax(np.abs(volume.strides)))
    depth = max(1, SLAB * volume.shape[axis] // volume.size)
    for start in range(0, volume.shape[axis], depth):
        yield tuple(
            slice(start, start + depth) if i == axis else slice(None) for i in range(volume.ndim)
        )
