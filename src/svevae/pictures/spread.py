"""How the load curves of sampled parts spread."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from svevae.errors import DataError
from svevae.parts.quantiles import confidence_band
from svevae.pictures.style import BAR, LINE, MODEL, TRUTH, WISHED, save
from svevae.use.spread import Spread
from svevae.words import counted

BAND = (0.05, 0.5, 0.95)
POINTS = 200  # of the band along the strain


def plot_spread(path: Path, spread: Spread) -> None:
    """Plot the load curves of all parts with the band of 5 to 95 %, and the distribution of their
    yield loads, or of the forces at the end where too few yield, with its quantiles. Raises
    DataError where no part reached the end of the step.
    """
    if spread.whole.empty:
        raise DataError(f"{path}: expected parts whose run reached the end, received none")
    figure = Figure(figsize=(9.2, 3.9), layout="constrained")
    left, right = figure.subplots(1, 2)
    _plot_curves(left, spread)
    name = next((one for one in ("yield load [N]", "force [N]") if one in spread.quantities), None)
    if name is None:
        right.remove()
    else:
        _plot_distribution(right, spread, name)
    save(figure, path)


def _plot_curves(axes: Axes, spread: Spread) -> None:
    curves = spread.curves[spread.curves["seed"].isin(spread.whole["seed"])]
    at = np.linspace(0, spread.strain, POINTS)
    forces = []
    for _, curve in curves.groupby("seed"):
        strain, force = (np.append(0, curve[one]) for one in ("strain", "force [N]"))
        axes.plot(100 * strain, force, color=BAR, lw=0.5, alpha=0.5)
        forces.append(np.interp(at, strain, force))
    low, middle, high = np.quantile(forces, BAND, axis=0)
    axes.fill_between(100 * at, low, high, color=MODEL, alpha=0.25, lw=0, label="5 to 95 %")
    axes.plot(100 * at, middle, color=MODEL, lw=1.5, label="median")
    axes.set(xlabel="displacement / distance of the faces [%]", ylabel="force [N]")
    axes.set_title(counted(len(forces), "part"), fontsize=10)
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=8, loc="lower right")


def _plot_distribution(axes: Axes, spread: Spread, name: str) -> None:
    values = spread.quantities[name]
    band = confidence_band(values)
    share = np.arange(1, len(values) + 1) / len(values)
    axes.fill_between(
        band.values, band.low, band.high, step="post", color=MODEL, alpha=0.2, lw=0, label="95 %"
    )
    axes.step(band.values, share, where="post", color=MODEL, lw=1.5, label="share below")
    table: pd.DataFrame = spread.quantiles
    own = table[(table["quantity"] == name) & table["quantile"].isin(BAND)]
    for at, value, low, high in own[["quantile", "value", "low", "high"]].to_numpy(float).tolist():
        ends = [one if np.isfinite(one) else value for one in (low, high)]
        axes.plot(ends, [at] * 2, color=WISHED, lw=1.2)
        axes.plot([value], [at], "o", color=WISHED, ms=4)
        axes.annotate(
            f"{at:.0%}: {value:.5g}",
            (ends[1], at),
            xytext=(6, -3),
            textcoords="offset points",
            fontsize=8,
            color=TRUTH,
        )
    axes.axhline(0, color=LINE, lw=0.5)
    axes.margins(x=0.15)
    axes.set(xlabel=name, ylabel="share of parts below")
    axes.legend(fontsize=8, loc="upper left")
