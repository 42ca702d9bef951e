"""What the page of `svevae explore` answers about a mesh: how it is filled, shown, written."""

from __future__ import annotations

import time
from typing import Any

from dash import Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.exceptions import PreventUpdate

from svevae.errors import DataError
from svevae.explore.mesh import SAMPLED, VOLUME, Choice, Filled, MeshSession
from svevae.explore.mesh_figure import mesh_figure
from svevae.explore.mesh_layout import ORIGIN, ROTATION
from svevae.explore.pages import Pages
from svevae.explore.said import in_words

# what is pulled and held, where nobody says others: faces along the axis of the properties
NAMED, SIDES = ("TOP", "BOTTOM"), ("ZMAX", "ZMIN")
# what changes nothing of a mesh that takes the volume, or a sampled part
UNHEEDED = {VOLUME: ("mesh-porosity", "mesh-another"), SAMPLED: ("pores-are", "threshold", *ORIGIN)}
# what options of the command are called on the page
WORDS = {
    "--mesh-unit, --origin and --rotation place it": (
        "its unit, the place of the first voxel and its rotation move it"
    ),
    "--mesh-unit says its unit": "say its unit",
    "; --voxel-size says it": "",
}


def add_mesh(app: Dash, pages: Pages) -> None:
    """Add the callbacks of the card of `svevae.explore.mesh_layout`."""
    _add_fill(app, pages)
    _add_progress(app, pages)
    _add_show(app, pages)
    _add_deck(app, pages)


def _add_fill(app: Dash, pages: Pages) -> None:
    output = {
        "filled": Output("mesh-filled", "data"),
        "card_hidden": Output("mesh-card", "hidden"),
        "picture_hidden": Output("mesh-picture", "hidden"),
        "source": Output("mesh-source", "value"),
        "origin_hidden": Output("mesh-origin", "hidden"),
        "seeds_hidden": Output("mesh-seeds", "hidden"),
        "seed": Output("mesh-seed", "children"),
        "summary": Output("mesh-summary", "children"),
        "boxes": Output("mesh-boxes", "children"),
        "notes": Output("mesh-notes", "children"),
        "said": Output("mesh-said", "children"),
        "faces": Output("mesh-pull", "options"),
        "held": Output("mesh-hold", "options"),
        "pull": Output("mesh-pull", "value"),
        "hold": Output("mesh-hold", "value"),
        "clicked": Output("mesh-figure", "clickData"),
        "deck_said": Output("mesh-deck-say", "children"),
    }

    @app.callback(
        output=output,
        inputs={
            "dropped": Input("mesh-dropped", "data"),
            "volume": Input("dropped", "data"),
            "pores": Input("pores-are", "value"),
            "threshold": Input("threshold", "value"),
            "unit": Input("mesh-unit", "value"),
            "source": Input("mesh-source", "value"),
            "origin": [Input(name, "value") for name in ORIGIN],
            "rotation": [Input(name, "value") for name in ROTATION],
            "porosity": Input("mesh-porosity", "value"),
            "parts": Input("mesh-another", "n_clicks"),
            "page": State("page", "data"),
        },
        running=[
            (Output("filling", "hidden"), False, True),
            (Output("mesh-busy", "hidden"), False, True),
            (Output("mesh-clock", "disabled"), False, True),
            (Output("mesh-another", "disabled"), True, False),
        ],
        prevent_initial_call=True,
    )
    def fill(
        dropped: dict[str, Any] | None,
        volume: dict[str, Any] | None,
        pores: str,
        threshold: float | None,
        unit: str,
        source: str,
        origin: list[float | None],
        rotation: list[float | None],
        porosity: str | None,
        parts: int | None,
        page: str | None,
    ) -> dict[str, Any]:
        trigger = ctx.triggered_id
        if dropped is None or (trigger == "dropped" and "error" in (volume or {})):
            raise PreventUpdate
        changed: dict[str, Any] = {"card_hidden": False, "clicked": None, "deck_said": ""}
        try:
            explorer = pages.find(page).explorer
            if trigger == "mesh-dropped":
                changed |= _dropped(explorer.meshes)
                source = VOLUME if explorer.has_volume or explorer.data is None else SAMPLED
            elif trigger == "dropped":
                source = VOLUME
            elif trigger in UNHEEDED[source]:
                raise PreventUpdate
            sampled, seed = source == SAMPLED, 1 + (parts or 0)
            changed |= {"source": source, "origin_hidden": sampled, "seeds_hidden": not sampled}
            changed["seed"] = f"seed {seed}"
            turned = _numbers(rotation) or (0.0, 0.0, 0.0)
            choice = Choice(source, unit, _numbers(origin), seed, turned, porosity or "")
            filled = explorer.fill_mesh(choice, pores, threshold)
        except PreventUpdate:
            raise
        except Exception as error:
            said = html.Div(_on_page(in_words(error)), className="error")
            nothing = {
                "picture_hidden": True,
                "boxes": "",
                "notes": said,
                "said": "",
            }
            return dict.fromkeys(output, no_update) | changed | nothing | {"filled": None}
        finally:
            pages.trim()
        changed |= _about(filled)
        return dict.fromkeys(output, no_update) | changed


def _add_progress(app: Dash, pages: Pages) -> None:
    @app.callback(
        output=[Output("filling-far", "children"), Output("mesh-busy-far", "children")],
        inputs={"tick": Input("mesh-clock", "n_intervals"), "page": State("page", "data")},
        prevent_initial_call=True,
    )
    def follow(tick: int | None, page: str | None) -> list[str]:
        try:
            progress = pages.find(page).explorer.meshes.progress
        except DataError:  # the page is gone, which its filling will say
            raise PreventUpdate from None
        return 2 * ["" if progress is None else progress.say()]


def _numbers(typed: list[float | None]) -> tuple[float, float, float] | None:
    """None where nothing was typed; what was left out is 0."""
    if all(one is None for one in typed):
        return None
    x, y, z = (float(one or 0.0) for one in typed)
    return x, y, z


def _dropped(meshes: MeshSession) -> dict[str, Any]:
    """What a mesh is, and what there is to pull and to hold: at first what it calls so, or its
    faces along AXIS.
    """
    names = meshes.face_names
    pull, hold = NAMED if set(NAMED) <= set(names) else SIDES
    sides = {"faces": names, "held": names, "pull": pull, "hold": hold}
    return {"summary": meshes.summary} | sides


def _about(filled: Filled) -> dict[str, Any]:
    return {
        "picture_hidden": False,
        "filled": time.time(),
        "summary": filled.summary,
        "boxes": "\n".join(filled.boxes),
        "notes": [html.Div(note, className="warning") for note in filled.notes],
        "said": _on_page("\n".join(filled.said)),
    }


def _on_page(text: str) -> str:
    for option, words in WORDS.items():
        text = text.replace(option, words)
    return text


def _add_show(app: Dash, pages: Pages) -> None:
    @app.callback(
        output={
            "figure": Output("mesh-figure", "figure"),
            "shown": Output("mesh-shown", "children"),
            "cutting_hidden": Output("mesh-cutting", "hidden"),
        },
        inputs={
            "filled": Input("mesh-filled", "data"),
            "show": Input("mesh-show", "value"),
            "axis": Input("mesh-axis", "value"),
            "cut": Input("mesh-cut", "value"),
            "dropped": State("mesh-dropped", "data"),
            "page": State("page", "data"),
        },
        prevent_initial_call=True,
    )
    def show(
        filled: float | None,
        show: str,
        axis: str,
        cut: float,
        dropped: dict[str, Any] | None,
        page: str | None,
    ) -> dict[str, Any]:
        if filled is None:
            raise PreventUpdate
        try:
            there = pages.find(page).explorer.meshes.filled
            if there is None:  # it is filled anew, and will be shown then
                raise PreventUpdate
            figure, shown = mesh_figure(there, show, axis or None, cut, str(dropped))
        except DataError as gone:
            figure, shown = no_update, html.Div(str(gone), className="error")
        return {"figure": figure, "shown": shown, "cutting_hidden": not axis}


def _add_deck(app: Dash, pages: Pages) -> None:
    @app.callback(
        output={
            "data": Output("mesh-download", "data"),
            "said": Output("mesh-deck-say", "children", allow_duplicate=True),
        },
        inputs={
            "clicks": Input("mesh-deck", "n_clicks"),
            "pull": State("mesh-pull", "value"),
            "hold": State("mesh-hold", "value"),
            "percent": State("mesh-strain", "value"),
            "page": State("page", "data"),
        },
        running=[
            (Output("mesh-packing", "children"), "writing …", ""),
            (Output("mesh-deck", "disabled"), True, False),
        ],
        prevent_initial_call=True,
    )
    def write(
        clicks: int | None,
        pull: str | None,
        hold: str | None,
        percent: float | None,
        page: str | None,
    ) -> dict[str, Any]:
        try:
            filled = pages.find(page).explorer.meshes.filled
            if filled is None:
                raise DataError("expected a mesh with material, there is none")
            content, said = filled.deck(pull, hold, percent)
        except Exception as error:
            return {
                "data": no_update,
                "said": html.Div(_on_page(in_words(error)), className="error"),
            }
        name = f"{filled.chosen.mesh.stem}-part.zip"
        return {
            "data": dcc.send_bytes(content, name),
            "said": html.Div(said, className="report"),
        }
