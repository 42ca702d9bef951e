"""Greys and phases made binary, 0 solid and 1 pore, and how far porosity depends on the choice of
threshold.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from svevae.errors import DataError
from svevae.scans.greys import Histogram, Volume, histogram, values_of
from svevae.scans.view import LABELS
from svevae.words import counted

OTSU = "Otsu's"
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
        return self._is_pore(np.asarray(volume), self.threshold).view(np.uint8)

    def measured(self, found: Histogram, volumes: Iterable[Volume]) -> Segmentation:
        """The same rule with porosity and sensitivity of `volumes`, of which `found` is the
        histogram. Where this has bins, the pores of the volumes themselves are counted.
        """
        values, counts = found.values, found.counts
        share, pore = counts / counts.sum(), self._is_pore(values, self.threshold)
        porosity = float(share[pore].sum())
        if not found.exact:
            pores = sum(np.count_nonzero(self.apply(part)) for part in values_of(volumes))
            porosity = pores / int(counts.sum())
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
        return replace(self, porosity=porosity, sensitivity=moved)

    def _is_pore(self, values: np.ndarray, threshold: float | None) -> np.ndarray:
        if threshold is None:
            return values == self.pores
        if values.dtype.kind in "iu":
            # integers are compared as such: floats take four times as long
            span = np.iinfo(values.dtype)
            whole = int(np.floor(np.clip(threshold, -(2.0**63), 2.0**63)))
            if not span.min <= whole <= span.max:
                return np.full(values.shape, (whole > span.max) == (self.pores == "dark"))
            threshold = whole
        return values <= threshold if self.pores == "dark" else values > threshold

    def __str__(self) -> str:
        if self.threshold is None:
            return f"the value {self.pores:g}"
        return (
            f"{'at or below' if self.pores == 'dark' else 'above'} {self.origin} threshold"
            f" {self.threshold:g}"
        )


def segmentation(
    volumes: Iterable[Volume], threshold: float | None = None, pores: str | float = "dark"
) -> Segmentation:
    """One rule for all `volumes`, which are gone through up to three times, a slab at a time.

    `pores` is "dark", "bright" or the value of the pores. A `threshold` always counts. Without one,
    values 0 and 1 are taken as they are (1 is pore), of two others the smaller is pore ("dark") or
    the larger, and greys are split by Otsu's method (N. Otsu, IEEE Trans. Syst. Man Cybern. 9,
    1979). That needs both classes in numbers: with a percent of pores it splits the solid, so let
    it see the air around a part. Raises DataError where nothing is inside, for three to 16 values
    (phases, which are listed), for a single one, for a label that is not among them and for a
    threshold that makes all of it pore.
    """
    found = histogram(volumes, pores)
    return find_rule(found, threshold, pores).measured(found, volumes)


def find_rule(found: Histogram, threshold: float | None, pores: str | float) -> Segmentation:
    """The rule for values that occur as in `found`, not yet measured; see `segmentation`."""
    values = found.values
    if not len(values):
        raise DataError("expected voxels inside the field of view, received none")
    listed = ", ".join(f"{value:g}" for value in values[:LABELS])
    listed += " and more" if len(values) > LABELS else ""
    binary = found.phases and set(values) <= {0, 1}
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
        known = not found.exact or pores in values or (binary and pores in (0, 1))
        if not known:
            raise DataError(f"--pores: expected one of the values {listed}, received {pores:g}")
        return Segmentation(float(pores))
    if threshold is not None:
        rule = Segmentation(pores, float(threshold))
        if rule._is_pore(values, threshold).all():
            raise DataError(
                f"--threshold: expected one that leaves some solid of the greys {values[0]:g} to"
                f" {values[-1]:g}, received {threshold:g}"
            )
        return rule
    if binary:
        return Segmentation(1.0)
    if found.phases and len(values) == 2:
        return Segmentation(float(values[0] if pores == "dark" else values[1]))
    if found.phases or len(values) < 2:
        phases = counted(len(values), "phase") if len(values) > 1 else "a single value"
        raise DataError(
            f"expected greys or two phases, received {phases}: {listed}; say which is pore: --pores"
            " VALUE or --threshold"
        )
    return Segmentation(pores, found.otsu(pores), OTSU)
