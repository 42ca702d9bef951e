"""How often which grey occurs in volumes of any size, and where to divide them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from skimage.filters import threshold_otsu

from svevae.scans.view import LABELS, View

BINS = 1 << 16  # every value of a 16-bit scan has its own
# of the values at the end of the pores, which may be few, and at the end of the solid, where a
# detector's hot pixels lie: they are no class of their own
TAIL, HOT = 0.0005, 0.005
SEEN = 1 << 13  # values of a slab looked at, at least, to find where the greys lie
Volume = np.ndarray | View


@dataclass(frozen=True)
class Histogram:
    """The values that occur, ascending, and how often; where not `exact`, bins by their upper
    edges, what lies beyond them counted in the first and the last.
    """

    values: np.ndarray
    counts: np.ndarray
    exact: bool = True

    @property
    def phases(self) -> bool:
        """Whether these are a few values, not greys."""
        return self.exact and len(self.values) <= LABELS

    def otsu(self, pores: str | float = "dark") -> float:
        """The threshold of Otsu's method, in the middle of a gap if it stands in one. Values far
        from all others count as the nearest that is not; which end may have more of these follows
        from where the `pores` are.
        """
        share = np.cumsum(self.counts) / self.counts.sum()
        low, high = _range(self.values, share, _tails(pores))
        kept = (self.values >= low) & (self.values <= high)
        values, counts = self.values[kept], self.counts[kept].copy()
        counts[0] += self.counts[self.values < low].sum()
        counts[-1] += self.counts[self.values > high].sum()
        last = min(
            int(np.searchsorted(values, threshold_otsu(hist=(counts, values)))), len(values) - 2
        )
        return float((values[last] + values[last + 1] - np.diff(values).min()) / 2)


def _tails(pores: str | float) -> tuple[float, float]:
    """The share of values at the lower and the upper end that may be far from all others."""
    return (HOT if pores == "bright" else TAIL, HOT if pores == "dark" else TAIL)


def _range(
    values: np.ndarray, share: np.ndarray, tails: tuple[float, float]
) -> tuple[float, float]:
    """Where greys lie: what is between the `tails`, and as much again at either side; `share` of
    all is at or below each of `values`.
    """
    first, last = (
        float(values[min(int(np.searchsorted(share, quantile)), len(values) - 1)])
        for quantile in (tails[0], 1 - tails[1])
    )
    width = last - first
    if width == 0:
        return float(values[0]), float(values[-1])
    return max(float(values[0]), first - width), min(float(values[-1]), last + width)


def histogram(volumes: Iterable[Volume], pores: str | float = "dark") -> Histogram:
    """Count the values of `volumes`, which are gone through once for integers of up to 16 bits,
    else twice.

    Exact for those, for phases, and for integers that span up to 65,536 values. Others are counted
    in 65,536 bins over the range in which greys lie, `pores` dark or bright.
    """
    found = _counted(volumes)
    return _binned(volumes, _tails(pores)) if found is None else found


def values_of(volumes: Iterable[Volume]) -> Iterator[np.ndarray]:
    """What counts in volumes, a slab at a time."""
    for volume in volumes:
        yield from (volume if isinstance(volume, View) else View.whole(volume)).values()


def _counted(volumes: Iterable[Volume]) -> Histogram | None:
    """Of integers of up to 16 bits; None where there are others."""
    counts = np.zeros(3 << 15, np.int64)  # -32768 to 65535
    for part in values_of(volumes):
        if part.dtype.kind not in "biu" or part.dtype.itemsize > 2:
            return None
        bits = 8 * part.dtype.itemsize
        if part.dtype == bool:  # True may be any byte but 0
            part = part.view(np.uint8) != 0
        unsigned = part.astype(part.dtype.newbyteorder("="), copy=False).view(f"u{bits // 8}")
        one = np.bincount(unsigned.ravel("K"), minlength=1 << bits)
        half = 1 << (bits - 1) if part.dtype.kind == "i" else 1 << bits
        counts[1 << 15 : (1 << 15) + half] += one[:half]
        counts[(1 << 15) - (len(one) - half) : 1 << 15] += one[half:]
    occur = np.flatnonzero(counts)
    return Histogram(occur - (1 << 15), counts[occur])


def _binned(volumes: Iterable[Volume], tails: tuple[float, float]) -> Histogram:
    low, high, whole = np.inf, -np.inf, True
    distinct: dict[float, int] | None = {}
    seen = []
    for part in values_of(volumes):
        low, high = min(low, float(part.min())), max(high, float(part.max()))
        whole = whole and part.dtype.kind != "f"
        seen.append(part.ravel()[:: max(1, part.size // SEEN)].astype(np.float64))
        few = None if distinct is None else _few(part)
        if distinct is not None and few is not None:
            for value, count in zip(*few, strict=True):
                distinct[value] = distinct.get(value, 0) + count
        if few is None or (distinct is not None and len(distinct) > LABELS):
            distinct = None
    if distinct is not None:
        few_values = sorted(distinct)
        times = [distinct[value] for value in few_values]
        return Histogram(np.array(few_values), np.array(times, np.int64))
    exact = whole and high - low < BINS
    if not exact:
        looked = np.sort(np.concatenate(seen))
        low, high = _range(looked, (np.arange(len(looked)) + 1) / len(looked), tails)
    width = 1.0 if exact else (high - low) / BINS
    counts = np.zeros(int(high - low) + 1 if exact else BINS, np.int64)
    for part in values_of(volumes):
        bins = np.subtract(part.ravel(), low, dtype=np.float64)
        bins /= width
        np.clip(bins, 0, len(counts) - 1, out=bins)
        counts += np.bincount(bins.astype(np.int64), minlength=len(counts))
    values = low + width * (np.arange(len(counts)) + (not exact))
    return Histogram(values[counts > 0], counts[counts > 0], exact)


def _few(part: np.ndarray) -> tuple[list[float], list[int]] | None:
    """The values of phases and how often they occur; None for greys, mostly seen at the first
    look.
    """
    if len(np.unique(part.ravel()[:4096])) > LABELS:
        return None
    values, counts = np.unique(part, return_counts=True)
    return None if len(values) > LABELS else (values.astype(float).tolist(), counts.tolist())
