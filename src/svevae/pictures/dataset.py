"""One picture of a dataset that a person understands at a glance: its SVEs, their pores, properties
and neighbours.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator
from mpl_toolkits.mplot3d.art3d import Poly3DCollection
from scipy.ndimage import gaussian_filter, map_coordinates
from skimage.measure import block_reduce, marching_cubes

from svevae.dataset.statistics import neighbour_correlation, pore_sizes, read_position
from svevae.dataset.store import SVEDataset, without_load_path
from svevae.errors import DataError
from svevae.pictures.style import save

SHOWN = 6  # SVEs
SURFACE_N, TRIANGLES = (
    64,
    30_000,
)  # of a rendered cube at most; a finer one is averaged down, matplotlib takes 0.1 ms a triangle
SIZED = 2**25  # voxels in which pores are measured: 1,024 SVEs of 32^3
PROPERTIES, COLUMNS = 12, 7
BINS = 40
BAR, LINE, SOLID = "#9fb1c1", "#8a8a8a", "#ececec"
ELEVATION, AZIMUTH = 20, -60  # degrees, of the viewer: x to the right, y away, z up
LIGHT = np.array([0.25, -0.75, 0.61])
PAD = 3  # voxels around a rendered cube, so that cut pores are closed and the smoothing has room
EDGES = [
    (a, b)
    for a in np.ndindex(2, 2, 2)
    for b in np.ndindex(2, 2, 2)
    if a < b and np.abs(np.subtract(a, b)).sum() == 1
]
HIDDEN = (0, 1, 0)  # the corner of the cube that is farthest from the viewer
MICROMETRE = "\N{MICRO SIGN}m"
STYLES = {"z": "-", "x": "--", "y": ":"}


def draw_dataset(data: SVEDataset, path: Path, seed: int = 0) -> None:
    """Write `dataset_figure` to a .png file at `path`, whole or not at all. Raises DataError as
    `dataset_figure`, or where it cannot.
    """
    path = Path(path)
    if path.suffix != ".png":
        raise DataError(f"{path}: expected a name that ends in .png")
    try:
        figure = dataset_figure(data, seed)
    except OSError as error:  # of h5py: a damaged chunk
        raise DataError(f"{data.path}: cannot be read, damaged or truncated: {error}") from error
    save(figure, path)


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
    heights = [5.3, 3.2] + [2.4 * rows] * bool(names)
    figure = Figure(figsize=(16, sum(heights)), layout="constrained")
    sections = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    _draw_shown(sections[0], data, shown, porosity[shown], colours)
    _draw_statistics(sections[1], data, shown, porosity, colours, seed)
    if names:
        if stuck := _stuck(data):
            sections[2].suptitle(stuck, fontsize=10)
        cells = sections[2].subplots(rows, -(-len(names) // rows), squeeze=False)
        for column, (cell, name, unit) in enumerate(
            zip(cells.flat, names, data.units[:PROPERTIES], strict=False)
        ):
            values = data.properties[:, column].astype(np.float64)
            title = f"{_number(values.mean(), 4)} \N{PLUS-MINUS SIGN} {_number(values.std(), 2)}"
            _histogram(cell, values, f"{name} [{unit}]", title, shown, colours, ticks=3)
        for cell in cells.flat[len(names) :]:
            cell.remove()
        for row in cells:
            row[0].set_ylabel("SVEs")
    return figure


def _stuck(data: SVEDataset) -> str:
    """Which labels are 0 for want of a load path, in words; empty where none is, or the file does
    not say.
    """
    with h5py.File(data.path, "r") as file:
        return without_load_path(file["load_path"][:]) if "load_path" in file else ""


def _draw_shown(
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
        draw_pores(axes, cube, colour, labelled=i == 0)
        title = f"SVE {sve}: {_number(100 * porosity[i], 3)} % pores"
        section.text(left + 0.5 / SHOWN, 0.885, title, ha="center", weight="bold", color=colour)
        x = int(cube.sum(axis=(1, 2), dtype=int).argmax())
        axes = section.add_axes((left + 0.03, 0.075, 1 / SHOWN - 0.06, 0.28))
        look = {
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


def draw_pores(axes: Axes, cube: np.ndarray, colour: np.ndarray, labelled: bool) -> None:
    """The pore surface of (n, n, n) in `axes` with projection "3d", inside the edges of the SVE;
    `labelled` names its axes.
    """
    n = len(cube)
    for a, b in EDGES:
        ends = n * np.array([a, b]).T
        behind = HIDDEN in (a, b)
        axes.plot(
            *ends,
            color=LINE,
            lw=0.7 if behind else 1.1,
            ls=":" if behind else "-",
            zorder=1 if behind else 3,
        )
    if cube.any():
        triangles, brightness = _surface(cube)
        faces = np.clip(
            brightness[:, None] * colour + 0.25 * np.maximum(brightness - 0.75, 0)[:, None], 0, 1
        )
        axes.add_collection3d(
            Poly3DCollection(
                triangles, facecolors=faces, edgecolors=faces, linewidths=0.2, zorder=2
            )
        )
    if labelled:
        for name, place in (("x", (0.5, -0.13, 0)), ("y", (1.13, 0.5, 0)), ("z", (-0.1, 0, 0.5))):
            axes.text(*(n * np.array(place)), name, ha="center", va="center", color=LINE)
    axes.computed_zorder = False
    axes.set(xlim=(0, n), ylim=(0, n), zlim=(0, n))
    axes.set_axis_off()
    axes.set_proj_type("ortho")
    axes.view_init(ELEVATION, AZIMUTH)
    axes.set_box_aspect((1, 1, 1), zoom=1.1)


def _surface(cube: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pore surface of (n, n, n): triangles (face, 3, 3) in voxels, from 0 to n, and their
    brightness (face,) from 0.4 to 1.

    The surface follows the voxels; the light falls on the gradient of the smoothed voxels, so that
    it shows shapes, not steps.
    """
    factor = -(-len(cube) // SURFACE_N)
    field, vertices, faces = _averaged_surface(cube, factor)
    while len(faces) > TRIANGLES:
        factor += 1
        field, vertices, faces = _averaged_surface(cube, factor)
    triangles = vertices[faces]
    centres = triangles.mean(axis=1).T
    normal = -np.array(
        [
            map_coordinates(slope, centres, order=1)
            for slope in np.gradient(gaussian_filter(field, 1.0))
        ]
    )
    lit = LIGHT @ normal / np.maximum(np.linalg.norm(normal, axis=0), 1e-12)
    return np.clip((triangles - PAD + 0.5) * factor, 0, len(cube)), 0.7 + 0.3 * lit


def _averaged_surface(cube: np.ndarray, factor: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means over `factor`^3 voxels, padded; vertices and faces of their level 1/2, or lower where
    no mean reaches it.
    """
    field = np.pad(block_reduce(cube.astype(np.float32), factor, np.mean), PAD)
    vertices, faces, *_ = marching_cubes(field, min(0.5, field.max() / 2))
    return field, vertices, faces


def _draw_statistics(
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
    _draw_sizes(cells[1], data, seed)
    if tables:
        _draw_neighbours(cells[2], tables)
    if curves:
        _draw_curves(cells[-1], curves, colours)


def _draw_sizes(cell: Axes, data: SVEDataset, seed: int) -> None:
    count = min(data.count, max(1, SIZED // data.n**3))
    sample = np.sort(np.random.default_rng(seed).choice(data.count, count, replace=False))
    length, unit = _lengths(data)
    sizes = pore_sizes(data.voxels(sample), length / data.n)
    whose = f"{count:,} SVE{'s' * (count > 1)}" if count < data.count else "all SVEs"
    title = f"{len(sizes):,} pore{'s' * (len(sizes) != 1)} of {whose}" + (
        f": mean {_number(sizes.mean(), 3)} {unit}" if len(sizes) else ""
    )
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
        alike = np.abs(np.corrcoef(properties[:, varying].T)[0])
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
    except (
        DataError
    ):  # a picture shows what it can: positions that make no sense are no reason to show nothing
        return {}
    return {name: table for name, table in tables.items() if np.isfinite(table["distance"]).any()}


def _draw_neighbours(cell: Axes, tables: dict[str, pd.DataFrame]) -> None:
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
        style = {"color": f"C{i}", "marker": "os^"[i], "ms": 3.5, "elinewidth": 0.8}
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
    bars = any(
        np.isfinite(table["standard_error"]).any() for table in tables.values()
    )  # of one part there are none
    cell.set_title("neighbours: correlation" + ", standard error" * bars, fontsize=10)
    cell.legend(fontsize=8)


def _curves(data: SVEDataset, shown: np.ndarray) -> dict[str, np.ndarray]:
    """/tension of the SVEs `shown`: strain (increment,), then for each axis x, y, z that the file
    has (shown, increment) in MPa.
    """
    with h5py.File(data.path, "r") as file:
        if "tension" not in file:
            return {}
        group = file["tension"]
        stress = {
            axis: np.stack([group[f"stress_{axis}"][i] for i in shown])
            for axis in STYLES
            if f"stress_{axis}" in group
        }
        return {"strain": group["strain"][:]} | stress if stress else {}


def _draw_curves(cell: Axes, curves: dict[str, np.ndarray], colours: np.ndarray) -> None:
    for axis, stress in curves.items():
        if axis == "strain":
            continue
        cell.plot([], [], STYLES[axis], color=LINE, label=f"along {axis}")
        for row, colour in zip(stress, colours, strict=True):
            cell.plot(
                np.append(0, curves["strain"] * 100),
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
    counts = f"{data.count:,} SVE{'s' * (data.count > 1)} of {data.n}\N{SUPERSCRIPT THREE}"
    left = (
        "" if len(data.names) <= PROPERTIES else f"; {PROPERTIES} of {len(data.names)} properties"
    )
    return (
        f"{data.path.name}: {counts} {size}, from {parts}"
        f" part{'s' * (parts > 1)}{left if data.names else '; no labels'}"
    )
