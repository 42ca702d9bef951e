"""The volumes of a source as `svevae import` and `svevae field` see them: cropped, without what is
outside the field of view, with one rule for their pores.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np

from svevae.errors import DataError
from svevae.files import write_text
from svevae.scans import volume as vol
from svevae.scans.greys import histogram
from svevae.scans.layouts import find_sources
from svevae.scans.options import ImportOptions
from svevae.scans.resample import Edges, read_resampled
from svevae.scans.segmentation import OTSU, Segmentation, find_rule
from svevae.scans.sources import Source
from svevae.scans.view import View, check_mask, find_fill, inscribed_circle
from svevae.words import some

RULE = "segmentation.json"
SEEN = 4096  # values that tell greys from phases, mostly


class Volumes:
    """The volumes of a source, one at a time, as often as asked for; `at` names what an error now
    is about, `fills` are the constants that were taken for the outside.
    """

    def __init__(self, source: Source, options: ImportOptions):
        self.source, self.options, self.at = source, options, source.name
        self.cropped = False
        self.fills: dict[str, float] = {}
        self._few: dict[str, bool] = {}  # whether a sample looks as if it had no greys
        self._only: tuple[np.ndarray, float | None] | None = None
        self._mask: np.ndarray | None = None

    def __iter__(self) -> Iterator[View]:
        for sample in self.source.samples:
            self.at = sample.name
            volume, fill = self._only or self._loaded(sample.load())
            if len(self.source.samples) == 1:
                self._only = volume, fill  # a whole scan: read once
            if fill is not None and self.options.outside is None:
                self.fills[sample.name] = fill
            view = self._view(volume, fill)
            if sample.name not in self._few:
                seen = next(view.values(), np.empty(0))[:SEEN]
                self._few[sample.name] = len(np.unique(seen)) < 3
            yield view
        self.at = self.source.name

    def _loaded(self, volume: np.ndarray) -> tuple[np.ndarray, float | None]:
        if self.options.outside is not None:
            return volume, self.options.outside
        return volume, find_fill(volume) if isinstance(self.options.pores, str) else None

    def _view(self, volume: np.ndarray, fill: float | None) -> View:
        box = tuple(slice(0, edge) for edge in volume.shape)
        if self.cropped and self.options.crop is not None:
            vol.crop(volume, self.options.crop)  # checks it
            box = tuple(
                slice(start or 0, edge if stop is None else stop)
                for (start, stop), edge in zip(self.options.crop, volume.shape, strict=True)
            )
        circle = inscribed_circle(volume.shape) if self.options.field_of_view else None
        return View(volume, box, fill, circle, self._read_mask(volume.shape))

    def _read_mask(self, shape: tuple[int, ...]) -> np.ndarray | None:
        if self.options.mask is None:
            return None
        if self._mask is None:
            self._mask = vol.read_volume(
                self.options.mask, self.options.shape, "uint8", axes=self.options.axes
            )
            if self.options.resample is not None:
                edges = _edges(self.source, self.at, self.options)
                mask = self._mask != 0
                self._mask = read_resampled(lambda: mask, edges, self.options.resample, None)
        return check_mask(self._mask, shape)

    def segment(self, folder: Path | None = None) -> Segmentation:
        """One rule for all of them, sought before they are cropped, unless a threshold is given,
        and measured after that; kept in `folder`.

        Raises DataError as `svevae.scans.segmentation.find_rule`.
        """
        path = None if folder is None else folder / RULE
        if path is not None and (kept := _kept(path)) is not None:
            rule, self.fills = kept
            self.cropped = True
            return rule
        options = self.options
        self.cropped = options.crop is None or options.threshold is not None
        found = histogram(self, options.pores)
        rule = find_rule(found, options.threshold, options.pores)
        if not self.cropped:
            self.cropped = True
            found = histogram(self, options.pores)
            if not len(found.values):
                raise DataError("--crop: expected voxels inside the field of view, received none")
        rule = rule.measured(found, self)
        if rule.origin == OTSU and len(self.source.samples) > 1:
            self._check_greys()
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, json.dumps([asdict(rule), self.fills]))
        return rule

    def _check_greys(self) -> None:
        """Raises DataError for a volume of two values beside volumes of greys: with a threshold for
        both, a mask would be pore all over.
        """
        for sample in self.source.samples:
            if not self._few[sample.name]:
                continue
            self.at = sample.name
            seen: set[float] = set()
            for values in self._view(*self._loaded(sample.load())).values():
                seen |= {*np.unique(values).tolist()}
                if len(seen) > 2:
                    break
            if len(seen) == 2:
                low, high = sorted(seen)
                raise DataError(
                    f"expected greys as in the other volumes, received the two values {low:g} and"
                    f" {high:g}: a mask, or segmented before; import it by itself, --dataset names"
                    " one in a file"
                )
        self.at = self.source.name

    @contextmanager
    def named(self) -> Iterator[None]:
        """Puts the name of the sample at hand before what a DataError says."""
        try:
            yield
        except DataError as error:
            raise DataError(
                str(error) if str(error).startswith(self.at) else f"{self.at}: {error}"
            ) from error

    def remarks(self, rule: Segmentation, lost: float = 0.0, left_out: int = 0) -> Iterator[str]:
        """Lines for people: the rule, what it makes of the porosity and how sure that is, the share
        of voxels `lost`, how many SVEs were `left_out` since they touch the outside, notes of the
        source.
        """
        source = self.source
        yield f"porosity {rule.porosity:.3%}: pore is {rule}; axes {source.axes}"
        if rule.porosity in (0, 1):
            what, which = ("PORE", "pore") if rule.porosity == 0 else ("SOLID", "solid")
            yield (
                f"NO {what} AT ALL: not one voxel is {which}; look at the slices, and say what a"
                " pore is by --threshold or --pores"
            )
        if rule.sensitivity:
            moved = ", ".join(
                f"{shift:+.0%} {porosity:.3%}" for shift, _, porosity in rule.sensitivity if shift
            )
            yield (
                "porosity with the threshold moved by a share of the step between pore and solid:"
                f" {moved}"
            )
            shares = [share for *_, share in rule.sensitivity]
            if max(shares) - min(shares) > 0.2 * rule.porosity:
                yield (
                    "this is more than a fifth of the porosity: look at the slices before you trust"
                    " the threshold"
                )
        if self.fills:
            values = some([f"{value:g}" for value in dict.fromkeys(self.fills.values())])
            yield (
                f"outside is the constant {values} around the field of view, neither pore nor"
                " solid; --outside says another value"
            )
        if left_out:
            yield f"SVEs left out since they touch the outside of the field of view: {left_out}"
        if lost > 0:
            yield f"{lost:.1%} of the volume lies in no SVE, at the far borders or between SVEs"
        if source.labels is not None and all(sample.part is None for sample in source.samples):
            yield (
                "no part is named, so each sample is one; name parts where samples were cut from"
                " one piece, or scores come out too good"
            )
        yield from source.notes


def sources_of(paths: Sequence[Path], options: ImportOptions) -> list[Source]:
    """What `svevae.scans.layouts.find_sources` finds, resampled to cubes if the options say so; a
    note says from what. Raises DataError.
    """
    found = find_sources(list(paths), options)
    return found if options.resample is None else [_resampled(one, options) for one in found]


def _resampled(source: Source, options: ImportOptions) -> Source:
    samples, cubes, notes = [], [], []
    target = options.resample or 0.0
    for sample in source.samples:
        edges = _edges(source, sample.name, options)
        load = partial(read_resampled, sample.load, edges, target, options.outside)
        samples.append(replace(sample, load=load))
        if edges is not None:
            cubes.append(target or min(edges))
            was = " x ".join(f"{edge:g}" for edge in edges)
            notes.append(f"resampled from voxels of {was} um to cubes of {cubes[-1]:g} um")
    notes = [*source.notes, *dict.fromkeys(notes)]
    return replace(source, samples=samples, edges=tuple(cubes), notes=tuple(notes))


def _edges(source: Source, name: str, options: ImportOptions) -> Edges | None:
    """Edges of the voxels of a sample along x, y and z, um, before they are resampled: cubes as
    the options say, else as its file says; None where they are not known.
    """
    if options.voxel_size is None and Path(name).exists():
        return vol.voxel_edges(Path(name), options.axes, options.dataset, options.lengths)
    edge = options.voxel_size or next((edge for edge in source.edges if edge), None)
    return None if edge is None else (edge, edge, edge)


def source_digest(sources: list[Source], options: ImportOptions) -> str:
    """A name for files as they are now, read by `options`."""
    paths = [file for source in sources for file in source.files]
    paths += [Path(options.mask)] if options.mask is not None else []
    files = [
        (str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns)
        for path in paths
        if path.exists()
    ]
    return hashlib.sha256(repr((files, options)).encode()).hexdigest()[:24]


def _kept(path: Path) -> tuple[Segmentation, dict[str, float]] | None:
    """What `Volumes.segment` wrote; None where there is nothing, or where it is damaged."""
    try:
        rule, fills = json.loads(path.read_text(encoding="utf-8"))
        rule["sensitivity"] = tuple(tuple(shift) for shift in rule["sensitivity"])
        return Segmentation(**rule), fills
    except (OSError, ValueError, KeyError, TypeError):
        return None
