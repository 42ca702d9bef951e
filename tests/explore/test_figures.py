"""The figures and tables of the page: what they show of known voxels and a known prediction."""

from __future__ import annotations

import base64
from dataclasses import replace

import numpy as np
import pytest
from dash.development.base_component import Component

from svevae.explore.figures import (
    curve_figure,
    number,
    numbers_card,
    percent,
    pores_figure,
    property_table,
)
from svevae.explore.session import Explorer
from svevae.explore.views import Solved, View
from svevae.model.latent import Prediction


@pytest.fixture
def view(explorer: Explorer) -> View:
    """One pore of 4 x 2 x 2 voxels, and a solved curve."""
    voxels = np.zeros((8, 8, 8), np.uint8)
    voxels[2:6, 1:3, 6:8] = 1
    prediction = Prediction(
        np.array([[66_000.0, 229.0, 390.0]]), np.array([[100.0, 1.0, 2.0]]), np.array([0.5])
    )
    solved = Solved({}, {"z": (np.array([0.01, 0.03]), np.array([250.0, 390.0]))}, voxels)
    return View(np.zeros(4), 0.4 * voxels, voxels, "the SVE itself", prediction, solved)


@pytest.mark.parametrize("kind", ["binary", "decoded"])
def test_the_surface_lies_on_the_faces_of_the_voxels(
    explorer: Explorer, view: View, kind: str
) -> None:
    """A box from (20, 10, 60) to (60, 30, 80) um, closed at the face of the SVE that it touches;
    decoded at 0.4, its own level set.
    """
    figure, said = pores_figure(explorer, view, kind)
    (mesh,) = [trace for trace in figure["data"] if trace["type"] == "mesh3d"]
    x, y, z = (unpacked(mesh[axis]) for axis in "xyz")
    i, j, k = (unpacked(mesh[corner]) for corner in "ijk")
    assert max(i.max(), j.max(), k.max()) == len(x) - 1
    assert "3.12 %" in said or kind == "decoded"
    if kind == "binary":
        np.testing.assert_allclose(
            [[part.min(), part.max()] for part in (x, y, z)],
            [[20, 60], [10, 30], [60, 80]],
            atol=1e-4,
        )
    for part, low, high in ((x, 20, 60), (y, 10, 30), (z, 60, 80)):
        assert low - 5 <= part.min() < part.max() <= high + 5
    assert figure["layout"]["scene"]["zaxis"]["title"]["text"] == "z (build) / µm"


def unpacked(array: dict[str, str]) -> np.ndarray:
    return np.frombuffer(base64.b64decode(array["bdata"]), array["dtype"])


def test_no_surface_where_there_is_no_pore(explorer: Explorer, view: View) -> None:
    empty = View(
        view.latent,
        np.full((8, 8, 8), 1e-6),
        np.zeros((8, 8, 8), np.uint8),
        "the SVE itself",
        view.prediction,
        None,
    )
    for kind in ("binary", "decoded"):
        assert [trace["type"] for trace in pores_figure(explorer, empty, kind)[0]["data"]] == [
            "scatter3d"
        ]


def test_decoded_pores_end_at_the_faces(explorer: Explorer, view: View) -> None:
    """What probability goes on beyond the SVE is not drawn: bounds that change with every move cost
    plotly its shaders.
    """
    probability = 0.9 * view.voxels + 0.01 * np.random.default_rng(0).random((8, 8, 8))
    figure, _ = pores_figure(explorer, replace(view, probability=probability), "decoded")
    x, y, z = (unpacked(figure["data"][1][axis]) for axis in "xyz")
    assert z.max() == 80
    assert min(x.min(), y.min(), z.min()) >= 0
    assert max(x.max(), y.max()) <= 80


def test_the_curve_and_the_solvers(explorer: Explorer, view: View) -> None:
    traces = {trace["name"]: trace for trace in curve_figure(explorer, view, "z")["data"]}
    assert list(traces) == ["90 %", "predicted", "solver"]
    assert traces["predicted"]["x"][-1] == pytest.approx(3.0)
    assert traces["predicted"]["y"][-1] == pytest.approx(390.0)
    np.testing.assert_allclose(traces["solver"]["x"], [0, 1, 3])
    np.testing.assert_allclose(traces["solver"]["y"], [0, 250, 390])


def texts(component: object) -> list[str]:
    """All that a component says, in order."""
    if isinstance(component, Component):
        return texts(getattr(component, "children", None))
    if isinstance(component, list | tuple):
        return [text for child in component for text in texts(child)]
    return [] if component is None else [str(component)]


def test_a_row_for_each_property(explorer: Explorer, view: View) -> None:
    """1.645 standard deviations on both sides, with digits as they count; the solver's value where
    it is known.
    """
    solved = replace(view.solved, properties={"yield_z": 228.4})
    said = texts(property_table(explorer, view.prediction, solved))
    assert said[:4] == ["property", "predicted", "90 % interval", "solver"]
    assert said[4:8] == ["E_z [MPa]", "66\u2009000", "65\u2009836 to 66\u2009164", ""]
    assert said[8:12] == ["yield_z [MPa]", "229.0", "227.4 to 230.6", "228.4"]


def test_a_strange_sve_is_warned_of(explorer: Explorer, view: View) -> None:
    said = texts(numbers_card(explorer, view))
    assert said[:6] == [
        "1.25 %",
        "porosity, decoded",
        "3.12 %",
        "porosity, binary SVE",
        "0.50",
        "novelty",
    ]
    strange = replace(view, prediction=view.prediction._replace(novelty=np.array([1.5])))
    assert not any("Unlike the SVEs" in text for text in said)
    assert any("Unlike the SVEs" in text for text in texts(numbers_card(explorer, strange)))


def test_numbers_have_a_thin_space_and_a_true_minus() -> None:
    assert number(-12345.678, 1) == "\u221212\u2009345.7"
    assert percent(0.03125) == "3.12 %"
