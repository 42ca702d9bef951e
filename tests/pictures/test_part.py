"""The figure of a part, with views that are made by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import PIL.Image
import pytest

from svevae.errors import DataError
from svevae.meshes.bins import Bins, Curves
from svevae.meshes.deck import Pull
from svevae.meshes.frd import Increment
from svevae.meshes.results import Results
from svevae.pictures import part as module
from svevae.pictures.part import limits, magnified, plot_deck, plot_part, trimmed
from svevae.pictures.render import View
from svevae.use.on_mesh import Deck
from tests.meshes.bars import bar


def made(largest: float = 0.02, columns: dict | None = None) -> Results:
    """A bar of 1 x 1 x 4 whose top moved by `largest`, and plastic strains up to a tenth of it."""
    mesh = bar("C3D8", (1, 1, 4))
    z = mesh.points[:, 2] / 4
    along = np.stack([0 * z, 0 * z, largest * z], axis=-1)
    fields = {"DISP": along, "STRESS": np.zeros((len(z), 6)), "PE": 0.1 * largest * z[:, None]}
    last = Increment(1, 1, 1.0, mesh.numbers, fields)
    table = pd.DataFrame(columns or {}, index=mesh.elements)
    at, peak = mesh.numbers[[np.argmax(z)]], np.array([0.1 * largest])
    return Results(mesh, table, last, np.array([largest]), peak, at)


@pytest.mark.parametrize("columns", [{}, {"porosity": [0.01, 0.02, 0.03, 0.02]}])
def test_the_figure(columns: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two panels where the porosity of elements is known, else one; views are asked for by the
    names of the .vtu file, in percent.
    """
    asked: list[View] = []

    def render(path: Path, axis: int, views: list[View]) -> list[np.ndarray]:
        assert (path.name, axis) == ("a.vtu", 2)
        asked.extend(views)
        image = np.zeros((300, 200, 4), np.uint8)
        image[10:-10, 50:-50] = 200
        return [image for _ in views]

    monkeypatch.setattr(module, "render", render)
    results = made(columns=columns)
    figure = module.part_figure(tmp_path / "a.vtu", results)
    panels = [axes for axes in figure.axes if axes.images]
    titles = ["porosity [%]"] * bool(columns) + ["equivalent plastic strain [%]"]
    assert [axes.get_title() for axes in panels] == titles
    assert panels[0].images[0].get_array().shape == (280, 100, 4)
    assert figure.get_suptitle() == "pulled by 0.02 mm, displacements x 10"
    assert [view.name for view in asked] == ["porosity"] * bool(columns) + ["PEEQ"]
    assert asked[-1].low == 0
    assert asked[-1].high == pytest.approx(0.2, rel=0.02)
    if columns:
        assert (asked[0].low, asked[0].high) == pytest.approx((1.0, 3.0), rel=0.02)
    assert {(view.moved, view.scale, view.factor) for view in asked} == {
        ("displacement [mm]", 10.0, 100.0)
    }
    plot_part(tmp_path / "a.png", tmp_path / "a.vtu", results)
    with PIL.Image.open(tmp_path / "a.png") as image:
        assert min(image.size) > 200


def deck(pull: Pull | None = None) -> Deck:
    """A bar of 1 x 1 x 4 elements, the uppermost twice as large as the others."""
    mesh = bar("C3D8", (1, 1, 4))
    columns = {
        "volume": np.array([1.0, 1.0, 1.0, 2.0]),
        "porosity": np.array([0.01, 0.02, 0.03, 0.04]),
        "yield": np.array([230.0, 220.0, 210.0, 200.0]),
    }
    one = Curves(np.ones(1), np.ones(1), np.zeros(1), np.ones((1, 1)))
    bins, which = Bins(one, np.zeros(4, int)), np.zeros(4, int)
    return Deck(mesh, bins, which, np.zeros((4, 3)), columns, pull, None, "mm", "", (), ())


@pytest.mark.parametrize("axis", [2, 0])
def test_the_figure_of_a_deck(axis: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The axis of tension is upwards, without one that of the properties."""
    asked: list[tuple[int, list[View]]] = []

    def render(path: Path, axis: int, views: list[View]) -> list[np.ndarray]:
        asked.append((axis, views))
        return [np.full((300, 200, 4), 200, np.uint8) for _ in views]

    monkeypatch.setattr(module, "render", render)
    given = deck(Pull(np.ones(1), np.ones(1), 0, 1.0, 0.1) if axis == 0 else None)
    figure = module.deck_figure(tmp_path / "a.vtu", given)
    assert figure.get_suptitle() == f"4 elements, porosity 2.80%, {'zx'[axis == 0]} upwards"
    titles = [axes.get_title() for axes in figure.axes if axes.images]
    assert titles == ["porosity [%]", "0.2 % yield stress [MPa]"]
    [(upwards, [pores, strength])] = asked
    assert upwards == axis
    assert (pores.name, pores.factor, strength.name) == ("porosity", 100.0, "yield [MPa]")
    assert (pores.low, pores.high) == pytest.approx((1.0, 4.0), rel=0.05)
    assert (strength.low, strength.high) == pytest.approx((200.0, 230.0), rel=0.01)
    plot_deck(tmp_path / "a.png", tmp_path / "a.vtu", given)
    assert (tmp_path / "a.png").is_file()


def test_a_deck_of_too_many_elements(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 3)
    with pytest.raises(DataError, match=r"a.vtu: 4 elements, more than the 3 that are drawn"):
        plot_deck(tmp_path / "a.png", tmp_path / "a.vtu", deck())


@pytest.mark.parametrize(
    ("largest", "times"),
    [(0.24, 1), (0.1, 2), (0.048, 5), (0.0241, 5), (0.024, 10), (2.3e-5, 10_000), (1.0, 1), (0, 1)],
)
def test_how_much_larger_displacements_are(largest: float, times: float) -> None:
    """The longest edge is 4 mm, 6 % of it 0.24 mm."""
    assert magnified(made(largest)) == pytest.approx(times)


def test_ends_of_a_bar_of_colours() -> None:
    """Without a few that are far, nor what is not known, and never in one place."""
    values = np.append(np.linspace(0, 1, 1000), [50.0, np.nan])
    assert limits(values) == pytest.approx((0.005, 0.996), abs=1e-3)
    for one in (np.full(5, 2.0), np.zeros(3), np.array([np.nan])):
        low, high = limits(one)
        assert low < high
    assert limits(np.full(5, 2.0)) == (1.0, 3.0)


def test_margins_that_are_clear_in_all() -> None:
    images = [np.zeros((8, 9, 4)) for _ in range(2)]
    assert trimmed(images)[0].shape == (8, 9, 4)
    images[0][2, 3, 3] = images[1][5, 4, 3] = 1
    assert [one.shape for one in trimmed(images)] == [(4, 2, 4)] * 2


def test_a_part_at_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    still = replace(made(0.0), displacement=np.array([0.0]))
    monkeypatch.setattr(module, "render", lambda *_: [np.full((20, 90, 4), 9, np.uint8)])
    figure = module.part_figure(tmp_path / "a.vtu", still)
    assert figure.get_suptitle() == "pulled by 0 mm, as it moved"
