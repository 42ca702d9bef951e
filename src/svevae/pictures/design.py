"""One picture of a design: the best candidates, and each target as wished, predicted and solved."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from svevae.pictures.pores import plot_surface
from svevae.pictures.style import MODEL, TRUTH, WISHED, save
from svevae.use.design import Design
from svevae.words import headed

SHOWN, PITCH = 6, 0.155  # candidates in space, and the share of the width of each
PREDICTED, SOLVED = MODEL, TRUTH


def plot_design(found: Design, path: Path) -> None:
    """Write `design_figure` to a .png file at `path`, whole or not at all."""
    save(design_figure(found), path)


def design_figure(found: Design) -> Figure:
    """The best candidates above a panel for each target: what was wished, predictions with
    intervals of 90 %, what the solver says.
    """
    shown = min(SHOWN, len(found.voxels))
    figure = Figure(figsize=(14, 7), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(1, 1.1), squeeze=False)[:, 0]
    colour = matplotlib.colormaps["plasma"](0.35)[:3]
    for i, cube in enumerate(found.voxels[:shown]):
        left = 0.51 + (i - shown / 2) * PITCH
        axes = above.add_axes((left, 0.02, PITCH, 0.76), projection="3d")
        plot_surface(axes, cube, np.array(colour), labelled=i == 0)
        text = f"{i + 1}: porosity {found.porosity[i]:.2%}\ndistance {found.distance[i]:.2f}"
        if not found.is_solved[i]:
            text += ", not solved"
        above.text(left + PITCH / 2, 0.8, text, ha="center", fontsize=9)
    above.suptitle(
        "wished: " + ", ".join(f"{name} = {value:g}" for name, value in found.targets.items()),
        weight="bold",
    )
    rank = np.arange(1, len(found.voxels) + 1)
    cells = below.subplots(1, len(found.targets), squeeze=False)[0]
    for cell, (name, value) in zip(cells, found.targets.items(), strict=True):
        unit, predicted, half, solved = found.wished(name)
        cell.axhline(value, color=WISHED, lw=1.2, label=f"wished: {value:g}")
        if half.any():
            cell.errorbar(
                rank - 0.12,
                predicted,
                half,
                fmt="o",
                color=PREDICTED,
                ms=5,
                capsize=3,
                label="predicted, interval of 90 %",
            )
            cell.plot(rank + 0.12, solved, "D", color=SOLVED, ms=5, label="solver")
        else:
            cell.plot(rank, predicted, "D", color=SOLVED, ms=5, label="counted")
        cell.set(
            xlabel="rank",
            ylabel=headed(name, unit),
            xlim=(0.4, len(rank) + 0.6),
        )
        cell.xaxis.set_major_locator(MaxNLocator(integer=True))
        cell.ticklabel_format(useOffset=False)
        cell.legend(fontsize=8)
    return figure
