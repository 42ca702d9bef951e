"""A part of any shape, cut open: what its elements are made of, and how it flows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from svevae.errors import DataError
from svevae.meshes.results import Results
from svevae.pictures.render import View, render
from svevae.pictures.style import save
from svevae.words import counted

if TYPE_CHECKING:
    from svevae.use.on_mesh import Deck

MOST = 2_000_000  # elements of a deck that is drawn
SHOWN = 0.06  # of the longest edge, how far a part is moved in a picture
FARTHEST = 0.5  # percent of the values that a bar of colours leaves out at an end
NICE = (1, 2, 5)
TALL, WIDE = 4.6, 3.4  # inches of the longer edge of a part that stands, and of one that lies
BAR, HEAD = 1.15, 0.75  # inches of a bar of colours, and of the titles


@dataclass(frozen=True, eq=False)
class _Panel:
    """Colours of `values`, which the .vtu file has as `name`, in units of 1 / `factor`."""

    name: str
    title: str
    colours: str
    values: np.ndarray
    factor: float = 1.0

    def view(self, low: float | None = None, moved: str = "", scale: float = 0.0) -> View:
        """How it is rendered, from `low` on, or from the lowest values."""
        first, last = limits(self.values)
        low = first if low is None else low
        return View(self.name, self.colours, low, last, self.factor, moved, scale)


def plot_part(path: Path, fields: Path, results: Results) -> None:
    """Plot the porosity of the elements, where their table has it, and the equivalent plastic
    strain, both of the deformed part, pulled upwards and cut open. `fields` is the .vtu file of the
    results.

    Raises as `svevae.pictures.render.render`.
    """
    save(part_figure(fields, results), path)


def part_figure(fields: Path, results: Results) -> Figure:
    """The figure of `plot_part`."""
    vectors, scale = f"displacement [{results.unit}]", magnified(results)
    plastic = 100 * results.field("PE")[:, 0]
    flow = _Panel("PEEQ", "equivalent plastic strain [%]", "magma_r", plastic, 100.0)
    panels = {flow: flow.view(0.0, vectors, scale)}
    if "porosity" in results.table:
        pores = _porosity(results.table["porosity"].to_numpy(float))
        panels = {pores: pores.view(None, vectors, scale)} | panels
    moved = "as it moved" if scale == 1 else f"displacements x {scale:g}"
    reached = f"pulled by {results.displacement[-1]:.3g} {results.unit}"
    return _figure(fields, results.axis, panels, f"{reached}, {moved}")


def plot_deck(path: Path, fields: Path, deck: Deck) -> None:
    """Plot the porosity and the yield stress of the elements of a deck, cut open, with the axis
    that it is pulled along upwards. `fields` is the .vtu file of the deck.

    Raises DataError for more than MOST elements, and as `svevae.pictures.render.render`.
    """
    save(deck_figure(fields, deck), path)


def deck_figure(fields: Path, deck: Deck) -> Figure:
    """The figure of `plot_deck`."""
    count = len(deck.mesh.elements)
    if count > MOST:
        raise DataError(f"{fields}: {count} elements, more than the {MOST} that are drawn")
    pores = _porosity(deck.columns["porosity"])
    strength = _Panel("yield [MPa]", "0.2 % yield stress [MPa]", "cividis", deck.columns["yield"])
    up = "xyz"[deck.axis]
    title = f"{counted(count, 'element')}, porosity {deck.porosity:.2%}, {up} upwards"
    return _figure(fields, deck.axis, {one: one.view() for one in (pores, strength)}, title)


def _porosity(values: np.ndarray) -> _Panel:
    return _Panel("porosity", "porosity [%]", "viridis_r", 100 * values, 100.0)


def _figure(fields: Path, axis: int, panels: dict[_Panel, View], title: str) -> Figure:
    """The panels side by side, each with a bar of its colours."""
    images = trimmed(render(fields, axis, list(panels.values())))
    height, width = images[0].shape[:2]
    tall = TALL if height > width else WIDE * height / width
    panel = tall * width / height + BAR
    figure = Figure(figsize=(panel * len(panels), max(tall, 2.2) + HEAD), layout="constrained")
    cells = figure.subplots(1, len(panels), squeeze=False)[0]
    for cell, (shown, view), image in zip(cells, panels.items(), images, strict=True):
        cell.imshow(image, interpolation="antialiased")
        cell.set_axis_off()
        cell.set_title(shown.title, fontsize=10)
        _bar(figure, cell, view, shown.values)
    figure.suptitle(title, fontsize=10)
    return figure


def _bar(figure: Figure, cell: Axes, view: View, values: np.ndarray) -> None:
    """A bar of the colours of a view, with tips where values lie beyond its ends."""
    ends = (np.nanmin(values) < view.low, np.nanmax(values) > view.high)
    extend = {(True, True): "both", (True, False): "min", (False, True): "max"}
    bar = figure.colorbar(
        ScalarMappable(Normalize(view.low, view.high), view.colours),
        ax=cell,
        shrink=0.75,
        aspect=24,
        extend=extend.get((bool(ends[0]), bool(ends[1])), "neither"),
        ticks=MaxNLocator(6),
    )
    bar.outline.set_visible(False)


def magnified(results: Results) -> float:
    """How many times displacements are shown: 1, 2 or 5 times a power of ten, so that the farthest
    one is not much more than SHOWN of the longest edge; at least once.
    """
    size = np.ptp(results.mesh.points, axis=0).max()
    farthest = np.nanmax(np.linalg.norm(results.field("DISP"), axis=1))
    if farthest <= 0:
        return 1.0
    wanted = SHOWN * size / farthest
    power = 10.0 ** np.floor(np.log10(max(wanted, 1.0)))
    return float(power * max(one for one in NICE if one * power <= max(wanted, 1.0) * (1 + 1e-9)))


def limits(values: np.ndarray) -> tuple[float, float]:
    """Ends of a bar of colours, without the farthest values where they are few and far."""
    known = values[np.isfinite(values)]
    low, high = np.percentile(known, [FARTHEST, 100 - FARTHEST]) if known.size else (0.0, 1.0)
    if high - low <= 1e-6 * max(abs(high), 1e-6):
        low, high = low - 0.5 * abs(low), high + max(0.5 * abs(high), 1e-6)
    return float(low), float(high)


def trimmed(images: list[np.ndarray]) -> list[np.ndarray]:
    """Images (height, width, 4) without the margin that is clear in all of them."""
    there = np.any([image[..., 3] > 0 for image in images], axis=0)
    rows, columns = (np.flatnonzero(there.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return images
    window = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return [image[window] for image in images]
