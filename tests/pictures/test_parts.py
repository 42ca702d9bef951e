"""The pictures of the multiscale studies: their panels, labels and the values they show."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from svevae.parts.accuracy import LOADS, bar_errors
from svevae.parts.quantiles import DIRECT, ENCODED, confidence_band
from svevae.physics.part import Response
from svevae.pictures import parts
from svevae.pictures.style import MODEL, TRUTH

Watch = Callable[[ModuleType], dict[str, Figure]]
PNG = Path("a.png")


def response(scale: float = 1.0) -> Response:
    """Two bars of 2 x 1 x 4 SVEs."""
    strain = np.tile([0.001, 0.01, 0.02], (2, 1))
    plastic = scale * np.random.default_rng(0).random((2, 3, 2, 1, 4))
    stress = scale * np.tile([100.0, 200.0, 250.0], (2, 1))
    return Response(strain, stress, -0.3 * strain, plastic, np.ones((2, 3)))


def test_curves_with_their_errors_below(figures_of: Watch) -> None:
    figures = figures_of(parts)
    parts.plot_curves(PNG, response(), {"latent": response(1.1)})
    axes = figures["a.png"].axes
    assert [cell.get_title() for cell in axes[:2]] == ["bar 0", "bar 1"]
    direct, latent = axes[0].lines
    assert (direct.get_color(), latent.get_color()) == (TRUTH, MODEL)
    np.testing.assert_allclose(latent.get_ydata(), [0, 110, 220, 275])
    np.testing.assert_allclose(axes[2].lines[0].get_ydata(), 10)


def test_errors_have_a_panel_for_each_column(figures_of: Watch) -> None:
    figures = figures_of(parts)
    contenders = {"latent": response(1.1), "porosity only": response(1.2)}
    table = bar_errors(response(), contenders, np.array([0.01, 0.02]))
    parts.plot_errors(PNG, table, ("E", *LOADS))
    axes = figures["a.png"].axes
    assert [cell.get_title() for cell in axes] == ["E", *LOADS]
    np.testing.assert_allclose(axes[0].lines[0].get_ydata(), 10)
    np.testing.assert_allclose(axes[0].lines[1].get_ydata(), 20)


def test_plastic_strain_is_seen_along_y(figures_of: Watch) -> None:
    figures = figures_of(parts)
    pores = np.zeros((2, 8, 4, 16), np.uint8)
    pores[0, 3, :2, 5] = 1
    contenders = {name: response(0.5) for name in ("latent", "porosity only")}
    parts.plot_plastic(PNG, pores, response(), contenders)
    images = [cell.images[0].get_array() for cell in figures["a.png"].axes if cell.images]
    assert images[0][5, 3] == 50  # per cent of the voxels along y
    np.testing.assert_allclose(images[1], 100 * response().plastic[0, -1].mean(axis=1).T)
    np.testing.assert_allclose(images[2], images[1] / 2)


def test_distributions_with_the_band_of_the_direct_ones(figures_of: Watch) -> None:
    figures = figures_of(parts)
    values = np.arange(10.0)
    sources = {DIRECT: values, "latent": values + 1, ENCODED: values}
    parts.plot_quantiles(PNG, {"load [MPa]": sources}, {"load [MPa]": confidence_band(values)})
    [cell] = figures["a.png"].axes
    assert cell.get_xlabel() == "load [MPa]"
    assert [line.get_label() for line in cell.lines] == [
        "direct (10)",
        "latent (10)",
        f"{ENCODED} (10)",
    ]
    np.testing.assert_allclose(cell.lines[1].get_xdata(), values + 1)
    np.testing.assert_allclose(cell.lines[1].get_ydata(), np.arange(1, 11) / 10)


def test_correlations_of_latent_scores(figures_of: Watch) -> None:
    figures = figures_of(parts)
    table = pd.DataFrame({"distance": [1.0, 2.0], "estimated": [0.5, 0.2], "fitted": [0.4, 0.3]})
    parts.plot_latent_correlation(PNG, table)
    coupons, fitted = figures["a.png"].axes[0].lines[:2]
    assert coupons.get_ydata().tolist() == [0.5, 0.2]
    assert fitted.get_ydata().tolist() == [0.4, 0.3]


def test_designs_beside_their_direct_curves(figures_of: Watch) -> None:
    figures = figures_of(parts)
    porosity = {"uniform": np.full((8, 16), 0.02), "graded": np.full((8, 16), 0.04)}
    porosity["graded"][:2] = np.nan
    responses = {"uniform": response(), "graded": response(0.9)}
    parts.plot_designs(PNG, porosity, responses, 150.0)
    titles = [cell.get_title() for cell in figures["a.png"].axes[:5]]
    assert titles[:2] == ["uniform: porosity [%]", "graded: porosity [%]"]
    assert titles[4] == "direct simulation"
    labels = [text.get_text() for text in figures["a.png"].axes[4].get_legend().get_texts()]
    assert labels[-1] == "yield wanted, 150.0"


def test_trials_over_the_porosity_near_the_notch(figures_of: Watch) -> None:
    figures = figures_of(parts)
    table = pd.DataFrame({"near": [0.01, 0.02], "mean porosity": [0.03, 0.02], "width": [0.5, 2]})
    parts.plot_trials(PNG, table, 0.015)
    cell = figures["a.png"].axes[0]
    np.testing.assert_allclose(cell.collections[0].get_offsets(), [[1, 3], [2, 2]])
    np.testing.assert_allclose(cell.lines[0].get_ydata(), 1.5)
