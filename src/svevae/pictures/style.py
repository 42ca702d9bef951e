"""What all pictures share: resolution, colours, and how a figure becomes a file."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from svevae.errors import DataError
from svevae.files import written_whole

DPI = 110
TRUTH, MODEL, BASELINE = "#222222", "#1f77b4", "#d98c2b"
OTHER, WISHED = "#2a9d5c", "#c0392b"
LINE, BAR, SOLID = "#8a8a8a", "#9fb1c1", "#ececec"  # lines beside the data, bars, solid material
GREY, PALE = "#9aa5b1", "#e6e9ed"  # axes and grids of a page


def save(figure: Figure, path: Path) -> None:
    """Write a figure to a .png file, whole or not at all. Raises DataError for another name."""
    if path.suffix != ".png":
        raise DataError(f"{path}: expected a name that ends in .png")
    with written_whole(path) as beside:
        figure.savefig(beside, dpi=DPI, format="png")


def grid(count: int) -> tuple[Figure, list[Axes]]:
    """A figure of `count` panels, four in a row."""
    columns = min(4, count)
    rows = -(-count // columns)
    figure = Figure(figsize=(3.6 * columns, 3.2 * rows), layout="constrained")
    cells = list(figure.subplots(rows, columns, squeeze=False).flat)
    for cell in cells[count:]:
        cell.remove()
    return figure, cells[:count]
