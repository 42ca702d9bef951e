"""The layout: every id that callbacks name is there, and each direction has its slider."""

from __future__ import annotations

from collections.abc import Iterator

from dash.development.base_component import Component

from svevae.explore.layout import FURTHEST, named_slider, page_layout
from svevae.explore.page import make_app
from svevae.explore.session import Explorer


def components(root: object) -> Iterator[Component]:
    if isinstance(root, Component):
        yield root
        yield from components(getattr(root, "children", None))
    elif isinstance(root, list | tuple):
        for child in root:
            yield from components(child)


def ids(root: Component) -> list:
    return [part.id for part in components(root) if hasattr(part, "id")]


def test_every_input_of_a_callback_is_on_the_page(explorer: Explorer) -> None:
    there = ids(page_layout(explorer, "champion/model", "key"))
    for callback in make_app(explorer, "any").callback_map.values():
        for named in (*callback["inputs"], *callback["state"]):
            assert named["id"].startswith("{") or named["id"] in there, named


def test_a_slider_for_each_direction_but_the_units(explorer: Explorer) -> None:
    directions = explorer.directions
    sliders = [one for one in ids(page_layout(explorer, "any", "key")) if isinstance(one, dict)]
    count = directions.properties + directions.morphology
    assert sorted(one["index"] for one in sliders) == list(range(count))


def test_a_slider_says_its_direction_and_effect(explorer: Explorer) -> None:
    parts = list(components(named_slider(explorer.directions, 0)))
    [bar] = [part for part in parts if isinstance(getattr(part, "id", None), dict)]
    assert (bar.min, bar.max, bar.value) == (-FURTHEST, FURTHEST, 0)
    said = [part.children for part in parts if isinstance(getattr(part, "children", None), str)]
    assert explorer.directions.names[0] in said
    assert explorer.directions.effects[0] in said


def test_nothing_to_pick_without_data(explorer: Explorer) -> None:
    [row] = [
        part
        for part in components(page_layout(explorer, "any", "key"))
        if getattr(part, "hidden", None) and "pick" in ids(part)
    ]
    assert row.hidden
