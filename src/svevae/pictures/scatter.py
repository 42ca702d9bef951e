"""One picture of how the scatter of properties falls with size, and of its correlation with
distance.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator, ScalarFormatter

from svevae.pictures.style import BASELINE, LINE, MODEL, OTHER, TRUTH, save
from svevae.use.scatter import Scatter
from svevae.words import headed

# colour, marker of each field
STYLES = ((TRUTH, "o"), (MODEL, "s"), (BASELINE, "^"), (OTHER, "D"))
SHIFT = 0.03  # between fields, so that error bars do not overlap


def plot_scatter(
    found: Mapping[str, Mapping[str, Scatter]], units: Mapping[str, str], path: Path
) -> None:
    """Write `scatter_figure` to a .png file at `path`, whole or not at all. Raises DataError for
    another name.
    """
    save(scatter_figure(found, units), path)


def scatter_figure(found: Mapping[str, Mapping[str, Scatter]], units: Mapping[str, str]) -> Figure:
    """A row for each quantity: standard deviation over block size, correlation over distance; a
    colour for each field of `found`.

    `found` is {field: {quantity: Scatter}}, `units` {quantity: unit}. Error bars are jackknife
    standard errors over parts.
    """
    figure = Figure(figsize=(11, 3.4 * len(units)), layout="constrained")
    cells = figure.subplots(len(units), 2, squeeze=False)
    for (left, right), (name, unit) in zip(cells, units.items(), strict=True):
        for i, (label, scatters) in enumerate(found.items()):
            colour, marker = STYLES[i % len(STYLES)]
            style = {
                "color": colour,
                "marker": marker,
                "ms": 5,
                "lw": 1,
                "elinewidth": 1,
                "capsize": 2,
            }
            _plot_sizes(
                left,
                scatters[name],
                f"{label}: variance as V^{-scatters[name].exponent:.2f}",
                i,
                style,
            )
            _plot_distances(right, scatters[name], label, i, style)
        left.set(xscale="log", yscale="log", xlabel="size of the block, V [SVEs]")
        left.set_ylabel(headed(f"std of {name} within parts", unit))
        sizes = next(iter(found.values()))[name].blocks["sves"]
        left.set_xticks(sizes, [str(size) for size in sizes])
        left.xaxis.set_minor_locator(NullLocator())
        left.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5, 7)))
        left.yaxis.set_major_formatter(ScalarFormatter())
        left.yaxis.set_minor_formatter(NullFormatter())
        right.axhline(0, color=LINE, lw=0.8)
        right.set(xlabel="distance in a part [SVE edges]", ylabel=f"correlation of {name}")
        left.legend(fontsize=8)
        right.legend(fontsize=8, loc="lower left", bbox_to_anchor=(0, 0.05))
    return figure


def _plot_sizes(cell: Axes, scatter: Scatter, label: str, i: int, style: dict) -> None:
    table = scatter.blocks
    cell.errorbar(
        table["sves"] * (1 + SHIFT * i), table["std"], table["standard_error"], label=label, **style
    )
    if i == 0:
        cell.plot(
            table["sves"],
            table["independent"],
            ":",
            color=style["color"],
            lw=1,
            label="independent SVEs: std as V^-1/2",
        )


def _plot_distances(cell: Axes, scatter: Scatter, label: str, i: int, style: dict) -> None:
    """Pairs of different parts, the baseline, stand apart at the right."""
    table = scatter.neighbours
    inside = np.isfinite(table["distance"])
    near, apart = table[inside], table[~inside]
    cell.errorbar(
        near["distance"] + SHIFT * i,
        near["correlation"],
        near["standard_error"],
        label=label,
        **style,
    )
    if len(apart) and len(near):
        farthest = near["distance"].max()
        place = 1.12 * farthest + 0.3
        cell.errorbar(
            [place + SHIFT * i], apart["correlation"], apart["standard_error"], ls="", **style
        )
        if i == 0:
            cell.axvline((farthest + place) / 2, color=LINE, lw=0.8, ls=":")
            cell.annotate(
                "other\nparts",
                (place, 0.97),
                xycoords=("data", "axes fraction"),
                ha="center",
                va="top",
                fontsize=8,
            )
