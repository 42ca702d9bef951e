"""Pictures of the multiscale studies: each function takes results and writes one PNG file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from svevae.parts.quantiles import DIRECT, ENCODED, Band
from svevae.physics.part import Response
from svevae.pictures.style import BASELINE, LINE, MODEL, OTHER, TRUTH, save

COLOURS = {
    "latent": MODEL,
    "solver labels": OTHER,
    "porosity only": BASELINE,
    "mean properties": LINE,
}


def plot_curves(path: Path, truth: Response, contenders: Mapping[str, Response]) -> None:
    """Plot stress over strain of each bar, direct and by contender, and the error of each contender
    below.
    """
    count = len(truth.strain)
    figure = Figure(figsize=(3.1 * count + 0.6, 5.6), layout="constrained")
    axes = figure.subplots(2, count, sharex=True, sharey="row", squeeze=False)
    for k, (above, below) in enumerate(axes.T):
        start = np.zeros(1)
        above.plot(
            100 * np.append(start, truth.strain[k]),
            np.append(start, truth.stress[k]),
            "o-",
            color=TRUTH,
            ms=3,
            lw=1.5,
            label="direct",
        )
        for name, response in contenders.items():
            stress = np.interp(truth.strain[k], response.strain[k], response.stress[k])
            above.plot(
                100 * np.append(start, truth.strain[k]),
                np.append(start, stress),
                color=COLOURS[name],
                lw=1,
                label=name,
            )
            below.plot(
                100 * truth.strain[k],
                100 * (stress / truth.stress[k] - 1),
                ".-",
                color=COLOURS[name],
                lw=1,
                label=name,
            )
        below.axhline(0, color=TRUTH, lw=0.8)
        above.set_title(f"bar {k}", fontsize=10)
        below.set_xlabel("strain [%]")
    axes[0, 0].set_ylabel("force / area [MPa]")
    axes[1, 0].set_ylabel("off the direct simulation [%]")
    axes[0, 0].legend(fontsize=8)
    save(figure, path)


def plot_errors(path: Path, table: pd.DataFrame, columns: tuple[str, ...]) -> None:
    """Plot errors in % of each bar by contender, a panel for each of `columns`."""
    figure = Figure(figsize=(2.6 * len(columns) + 0.6, 3.2), layout="constrained")
    axes = figure.subplots(1, len(columns), squeeze=False)
    names = list(dict.fromkeys(table.contender))
    for cell, column in zip(axes[0], columns, strict=True):
        for place, name in enumerate(names):
            rows = table[table.contender == name]
            cell.plot(
                rows.bar + 0.12 * (place - (len(names) - 1) / 2),
                rows[column],
                "o",
                ms=5,
                color=COLOURS[name],
                label=name,
            )
        cell.axhline(0, color=TRUTH, lw=0.8)
        cell.set(title=column, xlabel="bar", xticks=sorted(table.bar.unique()))
    axes[0, 0].set_ylabel("off the direct simulation [%]")
    axes[0, -1].legend(fontsize=8)
    save(figure, path)


def plot_plastic(
    path: Path, bars: np.ndarray, truth: Response, contenders: Mapping[str, Response]
) -> None:
    """Plot each bar seen along y: share of pores, and the plastic strain of SVEs (mean over y) at
    the end, direct and by contender.
    """
    shown = ["latent", "porosity only"]
    figure = Figure(figsize=(2.0 * (2 + len(shown)), 2.9 * len(bars)), layout="constrained")
    axes = figure.subplots(len(bars), 2 + len(shown), squeeze=False)
    for k, row in enumerate(axes):
        fields = {"direct": truth.plastic[k, -1]} | {
            name: contenders[name].plastic[k, -1] for name in shown
        }
        top = max(field.mean(axis=1).max() for field in fields.values())
        image = row[0].imshow(100 * bars[k].mean(axis=1).T, origin="lower", cmap="Greys")
        figure.colorbar(image, ax=row[0], shrink=0.8)
        for cell, (name, field) in zip(row[1:], fields.items(), strict=True):
            image = cell.imshow(
                100 * field.mean(axis=1).T, origin="lower", cmap="viridis", vmin=0, vmax=100 * top
            )
            cell.set_title(name, fontsize=9)
        figure.colorbar(image, ax=row[-1], shrink=0.8)
        row[0].set_title(f"bar {k}: pores along y [%]", fontsize=9)
        row[0].set_ylabel("z")
        for cell in row:
            cell.set(xticks=[], yticks=[])
    figure.suptitle("plastic strain of SVEs at the last increment [%], mean along y", fontsize=10)
    save(figure, path)


def plot_quantiles(
    path: Path,
    quantities: dict[str, dict[str, np.ndarray]],
    bands: Mapping[str, Band],
) -> None:
    """Plot cumulative distributions of each quantity by source, and the band in which that of the
    direct simulations lies.
    """
    figure = Figure(figsize=(4.2 * len(quantities), 3.6), layout="constrained")
    axes = figure.subplots(1, len(quantities), squeeze=False)
    styles = {
        DIRECT: (TRUTH, "-"),
        "latent": (MODEL, "-"),
        "latent, independent SVEs": (BASELINE, "--"),
        "latent, segmentation": (OTHER, ":"),
        ENCODED: (TRUTH, ":"),
    }
    for cell, (name, sources) in zip(axes[0], quantities.items(), strict=True):
        values, low, high = bands[name]
        cell.fill_between(
            values, low, high, step="post", color=TRUTH, alpha=0.12, lw=0, label="direct, 95 % band"
        )
        for source, sample in sources.items():
            ordered = np.sort(sample)
            colour, line = styles[source]
            cell.step(
                ordered,
                (np.arange(len(ordered)) + 1) / len(ordered),
                where="post",
                color=colour,
                ls=line,
                label=f"{source} ({len(sample)})",
            )
        cell.set(xlabel=name, ylim=(0, 1))
    axes[0, 0].set_ylabel("share of parts below")
    axes[0, 0].legend(fontsize=7, loc="upper left")
    save(figure, path)


def plot_latent_correlation(path: Path, table: pd.DataFrame) -> None:
    """Plot the correlation of the latent scores over distance: of the coupons, and fitted."""
    figure = Figure(figsize=(4.6, 3.2), layout="constrained")
    cell = figure.subplots()
    cell.plot(table.distance, table.estimated, "o", ms=4, color=TRUTH, label="coupons")
    cell.plot(table.distance, table.fitted, "-", color=MODEL, label="fitted")
    cell.axhline(0, color=LINE, lw=0.8)
    cell.set(xlabel="distance [SVE edges]", ylabel="correlation of latent scores")
    cell.legend(fontsize=8)
    save(figure, path)


def plot_designs(
    path: Path, porosity: dict[str, np.ndarray], responses: dict[str, Response], target: float
) -> None:
    """Plot the porosity of each design (x, z), its plastic strain in the first direct simulation,
    and the direct curves with the target.
    """
    count = len(porosity)
    figure = Figure(figsize=(2.3 * 2 * count + 3.6, 3.6), layout="constrained")
    axes = figure.subplots(1, 2 * count + 1, width_ratios=[1] * 2 * count + [1.8])
    top = max(np.nanmax(field) for field in porosity.values())
    peak = max(response.plastic[0, -1].mean(axis=1).max() for response in responses.values())
    # the void is no dense material
    greys = matplotlib.colormaps["Greys"].with_extremes(bad="#cfe3f2")
    for k, (name, field) in enumerate(porosity.items()):
        image = axes[k].imshow(100 * field.T, origin="lower", cmap=greys, vmin=0, vmax=100 * top)
        axes[k].set_title(f"{name}: porosity [%]", fontsize=9)
        plastic = axes[count + k].imshow(
            100 * responses[name].plastic[0, -1].mean(axis=1).T,
            origin="lower",
            cmap="viridis",
            vmax=100 * peak,
        )
        axes[count + k].set_title(f"{name}: plastic strain [%]", fontsize=9)
    figure.colorbar(image, ax=axes[count - 1], shrink=0.8)
    figure.colorbar(plastic, ax=axes[2 * count - 1], shrink=0.8)
    for cell in axes[:-1]:
        cell.set(xticks=[], yticks=[])
    for (name, response), colour in zip(responses.items(), (BASELINE, MODEL), strict=False):
        for k, (strain, stress) in enumerate(zip(response.strain, response.stress, strict=True)):
            label = {"label": f"{name}, yield {response.yield_stress.mean():.1f}"} if k == 0 else {}
            axes[-1].plot(
                100 * np.append(0, strain), np.append(0, stress), ".-", color=colour, **label
            )
    axes[-1].axhline(target, color=TRUTH, lw=0.8, ls="--", label=f"yield wanted, {target:.1f}")
    axes[-1].set(xlabel="strain [%]", ylabel="force / area [MPa]", title="direct simulation")
    axes[-1].legend(fontsize=7)
    save(figure, path)


def plot_trials(path: Path, trials: pd.DataFrame, uniform_porosity: float) -> None:
    """Plot the mean porosity of the gradations that carry the load over the porosity near the notch
    or hole and how far that reaches.
    """
    figure = Figure(figsize=(5.2, 3.4), layout="constrained")
    cell = figure.subplots()
    points = cell.scatter(
        100 * trials.near,
        100 * trials["mean porosity"],
        c=trials.width,
        norm="log",
        cmap="viridis",
        s=18,
    )
    cell.axhline(100 * uniform_porosity, color=BASELINE, lw=0.8, ls="--", label="uniform porosity")
    cell.set(xlabel="porosity near the notch or hole [%]", ylabel="mean porosity [%]")
    ticks = [0.25, 0.5, 1, 2, 4]
    figure.colorbar(points, label="width [SVE edges]", ticks=ticks, format="%g").minorticks_off()
    cell.legend(fontsize=8)
    save(figure, path)
