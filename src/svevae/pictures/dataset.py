"""One picture of a dataset that a person understands at a glance: its SVEs, their pores, properties
and neighbours.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator

from svevae.dataset.statistics import neighbour_correlation, pore_sizes, read_position
from svevae.dataset.store import SVEDataset, without_load_path
from svevae.errors import DataError
from svevae.hdf5 import reading
from svevae.pictures.pores import fullest_slice, plot_surface
from svevae.pictures.style import BAR, LINE, SOLID, save
from svevae.words import counted, headed

SHOWN = 6  # SVEs
SIZED = 2**25  # voxels in which pores are measured: 1,024 SVEs of 32^3
PROPERTIES, COLUMNS = 12, 7
BINS = 40
MICROMETRE = "\N{MICRO SIGN}m"
STYLES = {"z": "-", "x": "--", "y": ":"}


def plot_dataset(data: SVEDataset, path: Path, seed: int = 0) -> None:
    """Write `dataset_figure` to a .png file at `path`, whole or not at all. Raises DataError as
    `dataset_figure`, or where it cannot.
    """
    path = Path(path)
    if path.suffix != ".png":
        raise DataError(f"{path}: expected a name that ends in .png")
    save(dataset_figure(data, seed), path)


def dataset_figure(data: SVEDataset, seed: int = 0) -> Figure:
    """Six SVEs from the least to the most porous, each in a colour that marks it everywhere else,
    above the statistics of all.

    What the file lacks (labels, positions, stress curves) has no panel. Pores are measured in a
    sample of SVEs, drawn by `seed`. Raises DataError for voxels that are not 0 or 1.
    """
    porosity = data.porosity()
    rank = np.argsort(porosity, kind="stable")
    shown = rank[np.rint(np.linspace(0, 1, min(SHOWN, data.count)) * (data.count - 1)).astype(int)]
    colours = matplotlib.colormaps["plasma"](np.linspace(0.05, 0.8, len(shown)))[:, :3]
    names = data.names[:PROPERTIES]
    rows = -(-len(names) // COLUMNS)
    heights = [5.3, 3.2, 2.4 * rows] if names else [5.3, 3.2]
    figure = Figure(figsize=(16, sum(heights)), layout="constrained")
    sections = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    _plot_shown(sections[0], data, shown, porosity[shown], colours)
    _plot_statistics(sections[1], data, shown, porosity, colours, seed)
    if (properties := data.properties) is not None and names:
        if stuck := _stuck(data):
            sections[2].suptitle(stuck, fontsize=10)
        cells = sections[2].subplots(rows, -(-len(names) // rows), squeeze=False)
        for column, (cell, name, unit) in enumerate(
            zip(cells.flat, names, data.units[:PROPERTIES], strict=False)
        ):
            values = properties[:, column].astype(np.float64)
            title = f"{_number(values.mean(), 4)} \N{PLUS-MINUS SIGN} {_number(values.std(), 2)}"
            _histogram(cell, values, headed(name, unit), title, shown, colours, ticks=3)
        for cell in cells.flat[len(names) :]:
            cell.remove()
        for row in cells:
            row[0].set_ylabel("SVEs")
    return figure


def _stuck(data: SVEDataset) -> str:
    """Which labels are 0 for want of a load path, in words; empty where none is, or the file does
    not say.
    """
    with reading(data.path, known=True) as file:
        return without_load_path(file["load_path"][:]) if "load_path" in file else ""


def _plot_shown(
    section: SubFigure,
    data: SVEDataset,
    shown: np.ndarray,
    porosity: np.ndarray,
    colours: np.ndarray,
) -> None:
    """The pores of the SVEs `shown` in space, and under each its slice with most pores."""
    length, unit = _lengths(data)
    section.text(
        0.5,
        0.975,
        _title(data),
        ha="center",
        va="top",
        fontsize=14,
        weight="bold",
        parse_math=False,
    )
    for i, (sve, cube, colour) in enumerate(zip(shown, data.voxels(shown), colours, strict=True)):
        left = 0.5 + (i - len(shown) / 2) / SHOWN
        axes = section.add_axes((left, 0.39, 1 / SHOWN, 0.49), projection="3d")
        plot_surface(axes, cube, colour, labelled=i == 0)
        title = f"SVE {sve}: {_number(100 * porosity[i], 3)} % pores"
        section.text(left + 0.5 / SHOWN, 0.885, title, ha="center", weight="bold", color=colour)
        x = fullest_slice(cube)
        axes = section.add_axes((left + 0.03, 0.075, 1 / SHOWN - 0.06, 0.28))
        look: dict[str, Any] = {
            "cmap": ListedColormap([SOLID, colour]),
            "vmin": 0,
            "vmax": 1,
            "interpolation": "nearest",
        }
        axes.imshow(cube[x].T, origin="lower", extent=(0, length) * 2, **look)
        axes.set_title(f"slice x = {(x + 0.5) * length / data.n:.4g} {unit}", fontsize=9)
        axes.set(xticks=[0, length], yticks=[0, length] if i == 0 else [])
        axes.set_xlabel(f"y [{unit}]", labelpad=-8)
        axes.set_ylabel(f"z, build [{unit}]" if i == 0 else "", labelpad=-14)


def _plot_statistics(
    section: SubFigure,
    data: SVEDataset,
    shown: np.ndarray,
    porosity: np.ndarray,
    colours: np.ndarray,
    seed: int,
) -> None:
    """Porosity, pore diameters, and what the file allows of neighbours and stress curves."""
    tables, curves = _neighbours(data, porosity), _curves(data, shown)
    cells = section.subplots(1, 2 + bool(tables) + bool(curves), squeeze=False)[0]
    title = (
        f"porosity: mean {_number(100 * porosity.mean(), 3)} %, up to"
        f" {_number(100 * porosity.max(), 3)} %"
    )
    _histogram(cells[0], porosity * 100, "porosity [%]", title, shown, colours)
    cells[0].set_ylabel("SVEs")
    _plot_sizes(cells[1], data, seed)
    if tables:
        _plot_neighbours(cells[2], tables)
    if curves:
        _plot_curves(cells[-1], curves, colours)


def _plot_sizes(cell: Axes, data: SVEDataset, seed: int) -> None:
    count = min(data.count, max(1, SIZED // data.n**3))
    sample = np.sort(np.random.default_rng(seed).choice(data.count, count, replace=False))
    length, unit = _lengths(data)
    sizes = pore_sizes(data.voxels(sample), length / data.n)
    whose = counted(count, "SVE") if count < data.count else "all SVEs"
    mean = f": mean {_number(sizes.mean(), 3)} {unit}" if len(sizes) else ""
    title = f"{counted(len(sizes), 'pore')} of {whose}{mean}"
    _histogram(cell, sizes, f"pore diameter, of equal sphere [{unit}]", title)
    cell.set_ylabel("pores")
    if len(sizes) > 200:
        cell.set(yscale="log", ylim=(0.7, None))


def _neighbours(data: SVEDataset, porosity: np.ndarray) -> dict[str, pd.DataFrame]:
    """Neighbour correlation of porosity, the first property and the one least like it; empty where
    the file has no usable positions.
    """
    properties = (
        np.empty((data.count, 0))
        if data.properties is None
        else data.properties[:, :PROPERTIES].astype(np.float64)
    )
    varying = np.flatnonzero(
        properties.std(axis=0) > 1e-6 * np.abs(properties).max(axis=0, initial=1e-30)
    )
    chosen = varying[:1].tolist()
    if len(varying) > 1:
        alike = np.abs(np.atleast_2d(np.corrcoef(properties[:, varying].T))[0])
        chosen.append(int(varying[alike.argmin()]))
    try:
        position = read_position(data)
        if position is None:
            return {}
        tables = (
            {"porosity": neighbour_correlation(porosity, data.part_id, position)}
            if np.ptp(porosity) > 0
            else {}
        )
        tables |= {
            data.names[k]: neighbour_correlation(properties[:, k], data.part_id, position)
            for k in chosen
        }
    except DataError:  # positions that make no sense: the picture shows the rest
        return {}
    return {name: table for name, table in tables.items() if np.isfinite(table["distance"]).any()}


def _plot_neighbours(cell: Axes, tables: dict[str, pd.DataFrame]) -> None:
    """Correlation with standard errors over distance; pairs of different parts stand apart, at the
    right.
    """
    farthest = max(
        table["distance"][np.isfinite(table["distance"])].max() for table in tables.values()
    )
    apart = farthest * 1.15 + 0.3
    for i, (name, table) in enumerate(tables.items()):
        inside = np.isfinite(table["distance"])
        shift = 0.012 * farthest * (i - 1)
        style: dict[str, Any] = {"color": f"C{i}", "marker": "os^"[i], "ms": 3.5, "elinewidth": 0.8}
        for rows, x, line in (
            (table[inside], table["distance"][inside] + shift, "-"),
            (table[~inside], apart + 2 * shift, ""),
        ):
            label = name if line else None
            cell.errorbar(
                np.broadcast_to(x, len(rows)),
                rows["correlation"],
                rows["standard_error"],
                ls=line,
                lw=0.8,
                label=label,
                **style,
            )
    cell.axhline(0, color=LINE, lw=0.8)
    ticks = np.unique(np.rint(np.linspace(1, max(1, np.floor(farthest)), 6)))
    cell.set_xticks(ticks)
    if any(np.isinf(table["distance"]).any() for table in tables.values()):
        cell.axvline((farthest + apart) / 2, color=LINE, lw=0.8, ls=":")
        cell.text(apart, 0.02, "other\nparts", ha="center", va="bottom", fontsize=8)
    cell.set(xlabel="distance in a part [SVE edges]", ylabel="correlation")
    # Of a single part there are no standard errors.
    bars = any(np.isfinite(table["standard_error"]).any() for table in tables.values())
    cell.set_title(f"neighbours: correlation{', standard error' if bars else ''}", fontsize=10)
    cell.legend(fontsize=8)


def _curves(data: SVEDataset, shown: np.ndarray) -> dict[str, np.ndarray]:
    """/tension of the SVEs `shown`: strain, then for each axis x, y, z that the file has the stress
    in MPa; each (shown, increment).
    """
    with reading(data.path, known=True) as file:
        if "tension" not in file:
            return {}
        group = file["tension"]
        stress = {
            axis: np.stack([group[f"stress_{axis}"][i] for i in shown])
            for axis in STYLES
            if f"stress_{axis}" in group
        }
        if not stress:
            return {}
        strain = group["strain"]
        own = np.stack([strain[i] if strain.ndim == 2 else strain[:] for i in shown])
        return {"strain": own} | stress


def _plot_curves(cell: Axes, curves: dict[str, np.ndarray], colours: np.ndarray) -> None:
    for axis, stress in curves.items():
        if axis == "strain":
            continue
        cell.plot([], [], STYLES[axis], color=LINE, label=f"along {axis}")
        for strain, row, colour in zip(curves["strain"], stress, colours, strict=True):
            cell.plot(
                np.append(0, strain * 100),
                np.append(0, row),
                STYLES[axis],
                color=colour,
                lw=1.2,
            )
    cell.set(xlabel="strain [%]", ylabel="stress [MPa]", xlim=(0, None), ylim=(0, None))
    cell.set_title("tension of the SVEs above", fontsize=10)
    cell.legend(fontsize=8, loc="best")


def _histogram(
    cell: Axes,
    values: np.ndarray,
    label: str,
    title: str,
    shown: np.ndarray | None = None,
    colours: np.ndarray | None = None,
    ticks: int = 5,
) -> None:
    """Counts of `values`, and where the SVEs `shown` stand among them."""
    cell.set_xlabel(label, parse_math=False)
    cell.set_title(title, fontsize=10, parse_math=False)
    if len(np.unique(values)) < 2:
        what = f"{values[0]:.5g} everywhere" if len(values) else "none"
        cell.text(0.5, 0.5, what, ha="center", va="center", color=LINE, transform=cell.transAxes)
        cell.set(xticks=[], yticks=[])
        return
    cell.hist(values, bins=int(np.clip(np.sqrt(len(values)), 5, BINS)), color=BAR)
    cell.xaxis.set_major_locator(MaxNLocator(ticks))
    cell.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    if shown is not None:
        height = np.full(len(shown), 0.03)
        cell.scatter(
            values[shown],
            height,
            c=colours,
            marker="^",
            s=36,
            zorder=3,
            transform=cell.get_xaxis_transform(),
            clip_on=False,
        )


def _number(value: float, digits: int) -> str:
    return f"{float(f'{value:.{digits}g}'):,.10g}"


def _lengths(data: SVEDataset) -> tuple[float, str]:
    """Edge of an SVE, and its unit."""
    return (data.n, "voxels") if data.voxel_size is None else (data.n * data.voxel_size, MICROMETRE)


def _title(data: SVEDataset) -> str:
    parts = len(np.unique(data.part_id))
    size = (
        "voxels, size unknown"
        if data.voxel_size is None
        else f"voxels of {data.voxel_size:g} {MICROMETRE}"
    )
    counts = f"{counted(data.count, 'SVE')} of {data.n}\N{SUPERSCRIPT THREE}"
    if not data.names:
        labels = "; no labels"
    elif len(data.names) > PROPERTIES:
        labels = f"; {PROPERTIES} of {counted(len(data.names), 'property')}"
    else:
        labels = ""
    return f"{data.path.name}: {counts} {size}, from {counted(parts, 'part')}{labels}"
