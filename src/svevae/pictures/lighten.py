"""The gradation of porosity that saves mass on a mesh."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from svevae.pictures.style import BASELINE, MODEL, TRUTH, save
from svevae.use.lighten import Lightened
from svevae.words import counted

POINTS = 200  # along the distance
COLOURS = {"uniform": BASELINE, "graded": MODEL}


def plot_lightened(path: Path, found: Lightened) -> None:
    """Plot the porosity of both designs over the distance from the surface, and the load curves of
    the fresh parts that verify them, with the yield load that was wanted.
    """
    figure = Figure(figsize=(9.2, 3.7), layout="constrained")
    left, right = figure.subplots(1, 2)
    _plot_porosity(left, found)
    _plot_curves(right, found)
    save(figure, path)


def _plot_porosity(axes: Axes, found: Lightened) -> None:
    at = np.linspace(0, found.reach, POINTS)
    for name, design in found.designs.items():
        label = f"{name}, mean {found.means[name]:.2%}"
        axes.plot(at, 100 * design.porosity(at), color=COLOURS[name], label=label)
    axes.set(xlabel=f"distance from the surface [{found.unit}]", ylabel="porosity [%]")
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=8)


def _plot_curves(axes: Axes, found: Lightened) -> None:
    for name, design in found.curves.groupby("design", sort=False):
        loads = found.verified[name]
        label = f"{name}, yields at {loads.mean():.1f} $\\pm$ {loads.std():.1f} N"
        for _, curve in design.groupby("seed"):
            strain, force = (np.append(0, curve[one]) for one in ("strain", "force [N]"))
            axes.plot(100 * strain, force, color=COLOURS[str(name)], lw=0.8, label=label)
            label = ""
    axes.axhline(
        found.target, color=TRUTH, lw=0.8, ls="--", label=f"wanted at yield, {found.target:.1f} N"
    )
    axes.set(xlabel="displacement / distance of the faces [%]", ylabel="force [N]")
    axes.set_title(f"{counted(len(found.verified), 'fresh part')} of each", fontsize=10)
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=8, loc="lower right")
