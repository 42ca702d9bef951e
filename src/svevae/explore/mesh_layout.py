"""The card of a mesh on the page of `svevae explore`."""

from __future__ import annotations

from dash import dcc, html

from svevae.explore.mesh import SAMPLED, VOLUME
from svevae.explore.mesh_figure import SHOWN, UNITS

ORIGIN = ("origin-x", "origin-y", "origin-z")
ROTATION = ("rotation-x", "rotation-y", "rotation-z")
FILLING = "filling the mesh … "
EVERY = 1000  # ms between looks at how far that is
PERCENT = 1.0  # strain of a deck, where nobody says another


def mesh_card() -> html.Div:
    """What is shown of a mesh, hidden until one was dropped."""
    graph = dcc.Graph(
        id="mesh-figure",
        config={"displaylogo": False, "displayModeBar": False},
        style={"height": "600px"},
    )
    hint = "Click an element: its SVE becomes the one of this page."
    return html.Div(
        [
            html.Div(
                [
                    html.H2("Field on a mesh"),
                    filling("mesh-busy"),
                ],
                className="row apart",
            ),
            html.Div(
                [
                    html.Div([*_material(), *_show(), *_deck()], className="mesh-choices"),
                    html.Div(
                        [
                            graph,
                            html.Div(
                                [hint, html.Span(id="mesh-shown")], className="row apart quiet"
                            ),
                        ],
                        id="mesh-picture",
                        className="mesh-picture",
                    ),
                ],
                className="mesh",
            ),
            dcc.Store(id="mesh-filled"),
            dcc.Interval(id="mesh-clock", interval=EVERY, disabled=True),
            dcc.Download(id="mesh-download"),
        ],
        id="mesh-card",
        className="card mesh-card",
        hidden=True,
    )


def filling(name: str) -> html.Div:
    """What says how far a mesh is filled, hidden while none is."""
    return html.Div([FILLING, html.Span(id=f"{name}-far")], id=name, className="quiet", hidden=True)


def _radio(name: str, options: dict[str, str], value: str) -> dcc.RadioItems:
    return dcc.RadioItems(options, value, id=name, inline=True, className="choice")


def _material() -> list[html.Div]:
    places, turns = (
        [dcc.Input(id=name, type="number", debounce=True, placeholder=name[-1]) for name in names]
        for names in (ORIGIN, ROTATION)
    )
    sources = {VOLUME: "volume", SAMPLED: "sampled part"}
    another = html.Button("Another part", id="mesh-another")
    porosity = dcc.Input(
        id="mesh-porosity", type="text", debounce=True, placeholder="as in the data"
    )
    hint = "a fraction, its mean; or DISTANCE:POROSITY,... from the surface, 0:0.01,0.5:0.05"
    return [
        html.Div(id="mesh-summary", className="note"),
        html.Div(id="mesh-boxes", className="report"),
        html.Div(id="mesh-notes"),
        html.Div(["Unit ", _radio("mesh-unit", UNITS, "mm")], className="row"),
        html.Div(["Material of ", _radio("mesh-source", sources, VOLUME)], className="row"),
        html.Div([html.Div("First voxel at"), *places], id="mesh-origin", className="row origin"),
        html.Div(
            [
                html.Div(["Porosity", porosity], className="row wide"),
                html.Div(hint, className="quiet"),
                html.Div([another, html.Span(id="mesh-seed", className="quiet")], className="row"),
            ],
            id="mesh-seeds",
        ),
        html.Div(
            [html.Div("Turned by degrees, about x, then y, then z"), *turns],
            className="row origin",
        ),
    ]


def _show() -> list[html.Div]:
    what = dcc.Dropdown(
        {name: one.title for name, one in SHOWN.items()},
        "porosity",
        id="mesh-show",
        clearable=False,
        searchable=False,
    )
    axes = {"": "no", "x": "x", "y": "y", "z": "z"}
    bar = dcc.Slider(
        0,
        1,
        0.01,
        value=0.5,
        marks=None,
        included=False,
        allow_direct_input=False,
        updatemode="mouseup",
        id="mesh-cut",
    )
    return [
        html.Div([html.Div("Show"), what], className="field"),
        html.Div(["Cut open along ", _radio("mesh-axis", axes, "")], className="row"),
        html.Div(bar, id="mesh-cutting", className="slider", hidden=True),
    ]


def _deck() -> list[html.Div]:
    faces = [
        html.Div(
            [html.Div(label), dcc.Dropdown([], id=name, placeholder="no step")], className="field"
        )
        for label, name in (("Pull", "mesh-pull"), ("Hold", "mesh-hold"))
    ]
    strain = dcc.Input(id="mesh-strain", type="number", value=PERCENT, debounce=True)
    button = html.Button("Download the deck", id="mesh-deck", className="main")
    return [
        html.Div(faces, className="halves"),
        html.Div(["by a strain of ", strain, " %"], className="row"),
        html.Div([button, html.Span(id="mesh-packing", className="quiet")], className="row"),
        html.Div(id="mesh-deck-say"),
        html.Details(
            [html.Summary("How it was read"), html.Div(id="mesh-said", className="report")]
        ),
    ]
