"""The pictures of the pipeline: their panels, labels and the values they show."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from svevae.dataset.split import Split, split_by_part
from svevae.dataset.store import SVEDataset
from svevae.pictures import pipeline
from svevae.pictures.style import BASELINE, MODEL

Watch = Callable[[ModuleType], dict[str, Figure]]
PNG = Path("a.png")
RANDOM = np.random.default_rng(0)
CUBES = (RANDOM.random((4, 8, 8, 8)) < np.linspace(0.05, 0.2, 4)[:, None, None, None]).astype(
    np.uint8
)


@pytest.fixture(scope="module")
def split(tiny: SVEDataset) -> Split:
    return split_by_part(tiny, 0.2, 0.2, 0)


def test_sves_from_the_least_to_the_most_porous(figures_of: Watch, tiny: SVEDataset) -> None:
    figures = figures_of(pipeline)
    pipeline.plot_sves(tiny, PNG)
    titles = [axes.get_title() for axes in figures["a.png"].axes if axes.get_title()]
    porosity = [float(title.split()[-1].rstrip("%")) for title in titles]
    assert len(porosity) == pipeline.SHOWN
    assert porosity == sorted(porosity)
    assert porosity[-1] == pytest.approx(100 * tiny.porosity().max(), abs=0.006)


def test_properties_by_subset(figures_of: Watch, tiny: SVEDataset, split: Split) -> None:
    figures = figures_of(pipeline)
    pipeline.plot_properties(tiny, split, PNG)
    axes = figures["a.png"].axes
    labels = [cell.get_ylabel() for cell in axes]
    assert {label.split()[0] for label in labels} == set(tiny.names)
    assert "E_x [MPa]" in labels
    assert "nu_zx" in labels
    assert sum(len(line.get_xdata()) for line in axes[0].lines) == tiny.count


def test_parity_and_closed_loop(figures_of: Watch) -> None:
    figures = figures_of(pipeline)
    true = RANDOM.random((9, 2))
    pipeline.plot_parity(PNG, ("E_x", "nu_xy"), ("MPa", "-"), true, true + 1, true + 2)
    left, right = figures["a.png"].axes
    baseline, model = left.lines[:2]
    assert (baseline.get_color(), model.get_color()) == (BASELINE, MODEL)
    np.testing.assert_array_equal(model.get_ydata(), true[:, 0] + 1)
    assert (left.get_xlabel(), right.get_ylabel()) == ("E_x, solver [MPa]", "nu_xy, predicted")
    pipeline.plot_closed_loop(PNG, ("E_x",), ("MPa",), true[:, :1], true[:, :1])
    assert figures["a.png"].axes[0].get_xlabel() == "E_x, solver on the decoded SVE [MPa]"


def test_slices_stand_above_their_reconstructions(figures_of: Watch) -> None:
    figures = figures_of(pipeline)
    pipeline.plot_slices(PNG, CUBES, CUBES / 2)
    axes = figures["a.png"].axes
    x = CUBES[0].sum(axis=(1, 2)).argmax()
    np.testing.assert_array_equal(axes[0].images[0].get_array(), CUBES[0, x].T)
    np.testing.assert_array_equal(axes[4].images[0].get_array(), CUBES[0, x].T / 2)
    assert f"porosity {CUBES[0].mean():.2%}" in axes[0].get_title()


@pytest.mark.parametrize(("units", "share"), [(3, "90%"), (1, "100%")])
def test_latent_means_on_their_principal_axes(figures_of: Watch, units: int, share: str) -> None:
    """Standard deviations 3, 1 and almost 0: the first axis has nine tenths of the variance."""
    figures = figures_of(pipeline)
    signs = np.array([[1, 1, 0], [1, -1, 0], [-1, 1, 0], [-1, -1, 0]]) * [3.0, 1.0, 1.0]
    pipeline.plot_latent(PNG, signs[:, :units], np.arange(4.0), np.arange(4.0), "yield_z [MPa]")
    cell, _, bar, other = figures["a.png"].axes
    assert cell.get_xlabel() == f"latent mean, principal axis 1 ({share})"
    assert (bar.get_ylabel(), other.get_ylabel()) == ("porosity [%]", "yield_z [MPa]")


def test_two_point_correlations(figures_of: Watch) -> None:
    figures = figures_of(pipeline)
    columns = ("distance", "truth", "reconstruction", "samples", "prior")
    pipeline.plot_two_point(PNG, pd.DataFrame({name: [0.0, 1.0] for name in columns}), "um")
    [cell] = figures["a.png"].axes
    assert cell.get_xlabel() == "distance [um]"
    assert [line.get_label() for line in cell.lines] == [
        "held-out SVEs",
        "reconstruction",
        "samples of the aggregate posterior",
        "samples of the prior",
    ]


def test_samples_below_held_out_sves(figures_of: Watch) -> None:
    figures = figures_of(pipeline)
    pipeline.plot_samples(PNG, CUBES, CUBES[:3], 3, np.random.default_rng(0))
    titles = [axes.get_title() for axes in figures["a.png"].axes]
    assert [title.split("\n")[0] for title in titles] == ["held-out"] * 3 + ["sampled"] * 3
    shares = [float(title.split()[-1].rstrip("%")) for title in titles]
    assert shares[:3] == sorted(shares[:3])


def test_losses_of_training_and_validation(figures_of: Watch) -> None:
    figures = figures_of(pipeline)
    terms = ("loss", "reconstruction", "kl", "property")
    history = {name: [2.0, 1.0] for term in terms for name in (term, f"val_{term}")}
    pipeline.plot_losses(PNG, pd.DataFrame({"epoch": [1, 2]} | history))
    titles = [cell.get_title() for cell in figures["a.png"].axes]
    assert titles == ["weighted sum", "reconstruction [nats]", "kl [nats]", "property [nats]"]
