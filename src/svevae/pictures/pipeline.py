"""The pictures of the pipeline: each function takes arrays and writes one PNG file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from svevae.dataset.split import SUBSETS, Split
from svevae.dataset.store import LabelledDataset, SVEDataset
from svevae.pictures.pores import fullest_slice, plot_points
from svevae.pictures.style import BASELINE, MODEL, TRUTH, grid, save
from svevae.words import headed

SHOWN = 6  # SVEs in the dataset's picture


def plot_sves(data: SVEDataset, path: Path) -> None:
    """Plot SVEs from the least to the most porous: pores in 3-D above, the slice with most pores
    below.
    """
    rank = np.argsort(data.porosity())
    chosen = rank[(np.linspace(0.2, 1, SHOWN) * (len(rank) - 1)).astype(int)]
    cubes = data.voxels(chosen)
    figure = Figure(figsize=(2.4 * SHOWN, 5.2), layout="constrained")
    for i, (sve, cube) in enumerate(zip(chosen, cubes, strict=True)):
        axes = figure.add_subplot(2, SHOWN, i + 1, projection="3d")
        plot_points(axes, cube)
        axes.set_title(f"SVE {sve}\nporosity {cube.mean():.2%}", fontsize=9)
        axes = figure.add_subplot(2, SHOWN, SHOWN + i + 1)
        axes.imshow(
            cube[fullest_slice(cube)].T,
            origin="lower",
            cmap="Greys",
            vmin=0,
            vmax=1,
            interpolation="nearest",
        )
        axes.set(xticks=[], yticks=[], xlabel="y", ylabel="z (build)" if i == 0 else "")
    save(figure, path)


def plot_properties(data: LabelledDataset, split: Split, path: Path) -> None:
    """Plot each property against the porosity, by subset."""
    porosity = data.porosity()
    figure, axes = grid(len(data.names))
    for column, (name, unit, cell) in enumerate(zip(data.names, data.units, axes, strict=True)):
        for subset in SUBSETS:
            index = split.index(subset, data.part_id)
            cell.plot(
                porosity[index] * 100, data.properties[index, column], ".", ms=2, label=subset
            )
        cell.set(xlabel="porosity [%]", ylabel=headed(name, unit))
    axes[0].legend(markerscale=4, fontsize=8)
    save(figure, path)


def plot_parity(
    path: Path,
    names: tuple[str, ...],
    units: tuple[str, ...],
    true: np.ndarray,
    predicted: np.ndarray,
    porosity_only: np.ndarray,
) -> None:
    """Plot predicted against true values of the test parts, model over porosity-only baseline;
    three arrays (sve, property).
    """
    figure, axes = grid(len(names))
    for i, (name, unit, cell) in enumerate(zip(names, units, axes, strict=True)):
        cell.plot(
            true[:, i],
            porosity_only[:, i],
            ".",
            ms=3,
            color=BASELINE,
            alpha=0.5,
            label="porosity only",
        )
        cell.plot(true[:, i], predicted[:, i], ".", ms=3, color=MODEL, label="model")
        cell.axline((true[0, i], true[0, i]), slope=1, color=TRUTH, lw=0.8)
        cell.set(xlabel=headed(f"{name}, solver", unit), ylabel=headed(f"{name}, predicted", unit))
        cell.locator_params(nbins=6)  # long numbers would touch
    axes[0].legend(markerscale=3, fontsize=8)
    save(figure, path)


def plot_slices(path: Path, voxels: np.ndarray, probability: np.ndarray) -> None:
    """Plot the slice with most pores of each SVE beside its reconstruction; both (sve, n, n, n),
    from least to most porous.
    """
    figure = Figure(figsize=(1.9 * len(voxels), 4.2), layout="constrained")
    axes = figure.subplots(2, len(voxels), squeeze=False)
    for column, (cube, field) in enumerate(zip(voxels, probability, strict=True)):
        x = fullest_slice(cube)
        for row, picture in enumerate((cube[x], field[x])):
            image = axes[row, column].imshow(
                picture.T, origin="lower", cmap="Greys", vmin=0, vmax=1, interpolation="nearest"
            )
            axes[row, column].set(xticks=[], yticks=[])
        axes[0, column].set_title(
            f"porosity {cube.mean():.2%}\ndecoded {field.mean():.2%}", fontsize=8
        )
    axes[0, 0].set_ylabel("truth")
    axes[1, 0].set_ylabel("reconstruction")
    figure.colorbar(image, ax=axes, label="pore probability", shrink=0.8)
    save(figure, path)


def plot_latent(
    path: Path,
    latent_mean: np.ndarray,
    porosity: np.ndarray,
    strength: np.ndarray,
    strength_label: str,
) -> None:
    """Plot latent means (sve, latent) on their first two principal axes, coloured by porosity and
    by a strength, each (sve,).
    """
    centred = latent_mean - latent_mean.mean(axis=0)
    _, singular, axes_of_data = np.linalg.svd(centred, full_matrices=False)
    scores = centred @ axes_of_data[:2].T
    if scores.shape[1] == 1:
        scores = np.column_stack([scores, np.zeros(len(scores))])
    share = np.append(singular**2 / max((singular**2).sum(), 1e-30), 0.0)
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    cells = figure.subplots(1, 2)
    for cell, values, label in zip(
        cells, (porosity * 100, strength), ("porosity [%]", strength_label), strict=True
    ):
        points = cell.scatter(scores[:, 0], scores[:, 1], c=values, s=8, cmap="viridis")
        figure.colorbar(points, ax=cell, label=label)
        cell.set(
            xlabel=f"latent mean, principal axis 1 ({share[0]:.0%})",
            ylabel=f"principal axis 2 ({share[1]:.0%})",
        )
    save(figure, path)


def plot_two_point(path: Path, table: pd.DataFrame, unit: str) -> None:
    """Plot the two-point correlation over distance; columns distance, truth, reconstruction,
    samples, prior.
    """
    figure = Figure(figsize=(6, 4), layout="constrained")
    cell = figure.subplots()
    labels = {
        "truth": "held-out SVEs",
        "samples": "samples of the aggregate posterior",
        "prior": "samples of the prior",
    }
    styles = (
        ("truth", TRUTH, "-"),
        ("reconstruction", MODEL, "--"),
        ("samples", BASELINE, "-"),
        ("prior", BASELINE, ":"),
    )
    for column, colour, style in styles:
        label = labels.get(column, column)
        cell.plot(table["distance"], table[column], style, color=colour, lw=2, label=label)
    cell.set(xlabel=f"distance [{unit}]", ylabel="two-point correlation S2", ylim=(0, None))
    cell.legend()
    save(figure, path)


def plot_samples(
    path: Path, voxels: np.ndarray, samples: np.ndarray, count: int, random: np.random.Generator
) -> None:
    """Plot held-out SVEs above samples, both (sve, n, n, n) of 0 and 1, `count` of each at random
    in the order of their porosity.
    """
    figure = Figure(figsize=(1.9 * count, 4.6), layout="constrained")
    for row, (cubes, name) in enumerate(((voxels, "held-out"), (samples, "sampled"))):
        chosen = cubes[random.permutation(len(cubes))[:count]]
        for column, cube in enumerate(chosen[np.argsort(chosen.mean((1, 2, 3)))]):
            axes = figure.add_subplot(2, count, row * count + column + 1, projection="3d")
            plot_points(axes, cube)
            axes.set_title(f"{name}\nporosity {cube.mean():.2%}", fontsize=8)
    save(figure, path)


def plot_closed_loop(
    path: Path,
    names: tuple[str, ...],
    units: tuple[str, ...],
    solved: np.ndarray,
    predicted: np.ndarray,
) -> None:
    """Plot the prediction from the latent vectors of sampled SVEs against the solver's values of
    the decoded SVEs; (sve, property) twice.
    """
    figure, axes = grid(len(names))
    for i, (name, unit, cell) in enumerate(zip(names, units, axes, strict=True)):
        cell.plot(solved[:, i], predicted[:, i], ".", ms=5, color=MODEL)
        cell.axline((solved[0, i], solved[0, i]), slope=1, color=TRUTH, lw=0.8)
        cell.set(
            xlabel=headed(f"{name}, solver on the decoded SVE", unit),
            ylabel=headed(f"{name}, predicted", unit),
        )
        cell.locator_params(nbins=6)
    save(figure, path)


def plot_losses(path: Path, history: pd.DataFrame) -> None:
    """Plot each term of the loss over epochs, training and validation."""
    terms = ("loss", "reconstruction", "kl", "property")
    figure = Figure(figsize=(3.6 * len(terms), 3.4), layout="constrained")
    cells = figure.subplots(1, len(terms))
    for term, cell in zip(terms, cells, strict=True):
        cell.plot(history["epoch"], history[term], color=BASELINE, label="training")
        cell.plot(history["epoch"], history[f"val_{term}"], color=MODEL, label="validation")
        cell.set(
            xlabel="epoch",
            title=f"{term} [nats]" if term != "loss" else "weighted sum",
            yscale="log",
        )
    cells[0].legend()
    save(figure, path)
