"""What of a volume counts: a crop of it, without what lies outside the scanner's field of view.

Outside is neither pore nor solid: numbers that are not finite or beyond 1e30 (fill values of
float32), a given fill value, what lies beyond a cylinder along z, and where a mask is zero. A
constant around a convex field of view is recognised, see `find_fill`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from svevae.errors import DataError
from svevae.files import release

OUTSIDE = 2  # in a binary volume: neither solid nor pore
LABELS = 16  # a volume of at most this many different values holds phases, not greys
SLAB = 1 << 21  # voxels worked on at a time
FILL = 1e30  # a larger number is no grey; arrays are compared with a float32, which float16 fits
CORNERS = 4  # of eight, at least, that a fill value stands at: a face of the volume
SHARE = 0.01  # of the volume that it fills, at least
SEEN = 1 << 16  # voxels looked at first
Where = tuple[slice, ...]


class Rule(Protocol):
    """What makes values binary, such as `svevae.scans.segmentation.Segmentation`."""

    def apply(self, volume: np.ndarray) -> np.ndarray:
        """`volume` as uint8, 0 solid and 1 pore."""


@dataclass(frozen=True)
class View:
    """The `box` of `volume` (x, y, z), without what is outside. `fill` is a value that is outside;
    `circle` (x, y) and `mask` (x, y, z) of the whole volume are zero there.
    """

    volume: np.ndarray
    box: Where
    fill: float | None = None
    circle: np.ndarray | None = None
    mask: np.ndarray | None = None

    @classmethod
    def whole(cls, volume: np.ndarray) -> View:
        return cls(volume, tuple(slice(0, edge) for edge in volume.shape))

    @property
    def shape(self) -> tuple[int, int, int]:
        x, y, z = (span.stop - span.start for span in self.box)
        return x, y, z

    @property
    def axis(self) -> int:
        """The axis along which slabs lie one after another in the file."""
        return int(np.argmax(np.abs(self.volume.strides)))

    def slabs(self) -> Iterator[Where]:
        """Index slices of about SLAB voxels that cover the view in the order of the file."""
        return slabs(self.shape, self.axis)

    def inside(self, where: Where) -> np.ndarray | None:
        """Which voxels of the slices `where` of the view count, bool; None for all of them."""
        place = self._place(where)
        values, parts = self.volume[place], []
        if values.dtype.kind == "f":
            parts.append(np.abs(values) < np.float32(FILL))
        if self.fill is not None and not np.isnan(self.fill):
            parts.append(values != self.fill)
        if self.circle is not None:
            parts.append(np.broadcast_to(self.circle[place[:2]][..., None], values.shape))
        if self.mask is not None:
            parts.append(self.mask[place] != 0)
        found = parts[0] if parts else None
        for part in parts[1:]:
            found = found & part
        return None if found is None or found.all() else found

    def values(self) -> Iterator[np.ndarray]:
        """What counts, a slab at a time."""
        for where in self.slabs():
            inside, values = self.inside(where), self.volume[self._place(where)]
            values = values if inside is None else values[inside]
            if values.size:
                yield values
            release(self.volume)

    def segmented(self, rule: Rule, where: Where) -> np.ndarray:
        """The slices `where` of the view as uint8: 0 solid, 1 pore, OUTSIDE."""
        binary = np.empty([span.stop - span.start for span in where], np.uint8)
        for span in slabs(binary.shape, self.axis):
            piece = tuple(
                slice(outer.start + inner.start, outer.start + inner.stop)
                for outer, inner in zip(where, span, strict=True)
            )
            binary[span] = rule.apply(self.volume[self._place(piece)])
            if (inside := self.inside(piece)) is not None:
                binary[span][~inside] = OUTSIDE
            release(self.volume)
        return binary

    def _place(self, where: Where) -> Where:
        """Slices of the view as slices of the volume."""
        return tuple(
            slice(outer.start + inner.start, outer.start + inner.stop)
            for outer, inner in zip(self.box, where, strict=True)
        )


def slabs(shape: tuple[int, ...], axis: int) -> Iterator[Where]:
    """Index slices of about SLAB voxels that cover `shape`, one after another along `axis`."""
    depth = max(1, SLAB * shape[axis] // int(np.prod(shape)))
    for start in range(0, shape[axis], depth):
        yield tuple(
            slice(start, min(start + depth, edge)) if i == axis else slice(0, edge)
            for i, edge in enumerate(shape)
        )


def inscribed_circle(shape: tuple[int, ...]) -> np.ndarray:
    """(x, y) bool: the voxels whose centre lies in the circle that touches the nearer borders."""
    x, y = (np.arange(edge) + 0.5 - edge / 2 for edge in shape[:2])
    return x[:, None] ** 2 + y[None, :] ** 2 <= (min(shape[:2]) / 2) ** 2


def find_fill(volume: np.ndarray) -> float | None:
    """The constant that surrounds a convex field of view, or None.

    It is the smallest value, stands at four corners or more and in a percent of the voxels, and all
    other voxels lie in one run along each line: no pore has this value, so it is no grey of pores.
    The largest value, white, is one too where it fills less than half: else a solid that is
    saturated may surround a cavity. Phases and bool have none.
    """
    step = max(1, int(np.ceil((volume.size / SEEN) ** (1 / 3))))
    seen = volume[::step, ::step, ::step]
    seen = seen[np.abs(seen) < np.float32(FILL)] if seen.dtype.kind == "f" else seen
    ends = tuple(slice(None, None, max(1, edge - 1)) for edge in volume.shape)
    corners, times = np.unique(volume[ends], return_counts=True)
    fill, count = corners[np.argmax(times)], times.max()
    if (
        count < CORNERS
        or volume.dtype == bool
        or not abs(float(fill)) < FILL
        or not seen.size
        or seen.min() < fill < seen.max()
        or len(np.unique(seen)) <= LABELS
    ):
        return None
    view, total, dark, bright = View.whole(volume), 0, True, True
    lines = [axis for axis in range(3) if axis != view.axis]
    for where in view.slabs():
        slab = volume[where]
        inside = slab != fill
        if (slab < fill).any():
            dark = False
        if (slab > fill).any():
            bright = False
        if not (dark or bright):
            return None
        for axis in lines:
            ahead = np.moveaxis(inside, axis, 0)
            # how often the line enters the inside
            starts = (ahead[1:] > ahead[:-1]).sum(axis=0, dtype=np.int32) + ahead[0]
            if (starts > 1).any():
                return None
        total += inside.size - int(np.count_nonzero(inside))
        release(volume)
    return float(fill) if SHARE <= total / volume.size < (1 if dark else 0.5) else None


def check_mask(mask: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """`mask` itself. Raises DataError where it is not of `shape`."""
    if mask.shape != shape:
        expected, received = (" x ".join(map(str, one)) for one in (shape, mask.shape))
        raise DataError(
            f"--mask: expected {expected} voxels as the volume has, received {received}"
        )
    return mask
