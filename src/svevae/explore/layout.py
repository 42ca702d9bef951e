"""The layout of the page of `svevae explore`: what stands where, without what it answers."""

from __future__ import annotations

from typing import Any

from dash import dcc, html

from svevae.explore.directions import Directions
from svevae.explore.mesh_layout import filling, mesh_card
from svevae.explore.mesh_upload import MESHES
from svevae.explore.session import Explorer
from svevae.explore.upload import LARGEST
from svevae.words import counted

FURTHEST = 3.0  # standard deviations, of a slider
POLL = 400  # ms
VOLUMES = (".tif", ".npy", ".npz", ".h5")
STORES = ("start", "dropped", "mesh-dropped", "wish", "answered", "solved")


def page_layout(explorer: Explorer, uri: str, page: str) -> html.Div:
    """Lay out the page of the model that `uri` names; `page` is its key in `Pages`."""
    model = explorer.model
    size = f", voxels of {model.voxel_size:g} µm" if model.voxel_size else ""
    facts = f"SVEs of {model.n}³ voxels{size}; {counted(model.latent_dim, 'latent unit')}"
    head = [html.H1("svevae explore"), html.Span(uri), html.Span(facts)]
    properties, shapes = _sliders(explorer.directions)
    return html.Div(
        [
            html.Header(head),
            html.Main(
                [
                    html.Div([_starts(explorer), properties], className="column first"),
                    mesh_card(),
                    html.Div([_pores_card(), shapes], className="column"),
                    html.Div(_results(explorer), className="column results"),
                ]
            ),
            *(dcc.Store(id=name) for name in STORES),
            dcc.Store(id="page", data=page),
            dcc.Interval(id="clock", interval=POLL, disabled=True),
        ]
    )


def _starts(explorer: Explorer) -> html.Div:
    parts = [
        html.H2("SVE"),
        html.Div([html.Button("New sample", id="sample", className="main")], className="row"),
    ]
    count = 0 if explorer.data is None else explorer.data.count
    number = dcc.Input(
        id="pick",
        type="number",
        min=0,
        max=max(count - 1, 0),
        step=1,
        value=count // 2 if count else None,
        debounce=True,
    )
    row: list = ["SVE", number, html.Button("Another", id="another")]
    if explorer.data is not None:
        row.append(html.Span(f"of {count:,} in {explorer.data.path.name}", className="quiet"))
    parts.append(html.Div(row, className="row", hidden=not count))
    text = [
        html.Div("Drop a volume or a mesh here, or click"),
        html.Div(f"{', '.join(VOLUMES)} …, up to {LARGEST >> 20} MB"),
        html.Div(f"{', '.join(MESHES)}"),
    ]
    box = dcc.Upload(
        html.Div(text), id="upload", className="drop", className_active="drop drop-active"
    )
    # assets/explore.js refuses what is larger before it is sent
    parts.append(
        html.Div(box, id="drop-here", **{"data-largest": LARGEST, "data-meshes": " ".join(MESHES)})
    )
    rule = dcc.RadioItems(
        {"dark": "dark", "bright": "bright"},
        "dark",
        id="pores-are",
        inline=True,
        className="choice",
    )
    threshold = dcc.Input(id="threshold", type="number", debounce=True, placeholder="Otsu's")
    greys = [
        html.Div(["Pores are ", rule], className="row"),
        html.Div(["threshold ", threshold], className="row"),
    ]
    cut = dcc.Input(id="cut", type="number", min=0, step=1, value=0, debounce=True)
    which = html.Div(["SVE ", cut, html.Span(id="cut-of", className="quiet")], className="row")
    parts.append(html.Div([*greys, which], id="volume", hidden=True))
    parts += [html.Div(id="busy", className="quiet"), filling("filling")]
    parts += [html.Div(id="said"), html.Div(id="wrong")]
    return html.Div(parts, className="card")


def _sliders(directions: Directions) -> tuple[html.Div, html.Div]:
    """The card of the properties' directions, and that of the morphology's and the latent
    units'.
    """
    first, second = directions.properties, directions.properties + directions.morphology
    sliders = [named_slider(directions, k) for k in range(second)]
    head = html.Div(
        [html.H2("Move the properties"), html.Button("Reset", id="reset")], className="row apart"
    )
    text = html.Div("in standard deviations of the training SVEs", className="quiet")
    # Mounted on demand: hidden sliders would take part in every move of a visible one.
    units = html.Details(
        [html.Summary("Every latent unit"), html.Div(id="units", className="pairs units")],
        id="open-units",
    )
    shapes = [
        html.H2("Move the pores, not the properties"),
        html.Div(sliders[first:], className="pairs"),
        units,
    ]
    return html.Div([head, text, *sliders[:first]], className="card"), html.Div(
        shapes, className="card"
    )


def named_slider(directions: Directions, k: int) -> html.Div:
    """The slider of direction `k` with its name and effect."""
    name = html.Div(
        [html.Span(directions.names[k]), html.Span(id=f"moved-{k}", className="quiet")],
        className="name",
    )
    options: dict[str, Any] = {
        "value": 0,
        "marks": None,
        "updatemode": "drag",
        "included": False,
        "allow_direct_input": False,
    }
    bar = dcc.Slider(-FURTHEST, FURTHEST, 0.1, **options, id=slider(k))
    return html.Div(
        [name, html.Div(directions.effects[k], className="quiet"), bar], className="slider"
    )


def slider(k: int | Any) -> dict[str, Any]:
    """Id of the slider of direction `k`, or of all for `dash.ALL`."""
    return {"type": "move", "index": k}


def _pores_card() -> html.Div:
    kinds = {"decoded": "decoded probability", "binary": "binary SVE"}
    choice = dcc.RadioItems(kinds, "decoded", id="pores", inline=True, className="choice")
    graph = dcc.Graph(
        id="pores-figure",
        config={"displaylogo": False, "displayModeBar": False},
        style={"height": "500px"},
    )
    return html.Div(
        [html.H2("Pores"), choice, graph, html.Div(id="pores-say", className="quiet")],
        className="card",
    )


def _results(explorer: Explorer) -> list[html.Div]:
    axes = explorer.axes or ("z",)
    axis = dcc.RadioItems(
        {a: a for a in axes},
        "z" if "z" in axes else axes[0],
        id="axis",
        inline=True,
        className="choice",
    )
    solve = html.Button("Solve", id="solve", className="main")
    head = html.Div(
        [html.H2("Tension along"), axis, solve, html.Span(id="progress", className="quiet")],
        className="row",
    )
    graph = dcc.Graph(
        id="curve",
        config={"displaylogo": False, "displayModeBar": False},
        style={"height": "330px"},
    )
    matrix = explorer.material
    text = (
        f"matrix: E {matrix.E / 1e3:g} GPa, Voce s0 {matrix.s0:g}, Q {matrix.Q:g} MPa, b"
        f" {matrix.b:g}"
    )
    text += "" if explorer.material_known else " (assumed: the model does not say)"
    curve = [head, html.Div(id="solver-error"), graph, html.Div(text, className="quiet")]
    if not explorer.axes:
        missing = (
            "The model predicts no modulus, yield and flow stress along one axis, so there is no"
            " curve to draw."
        )
        curve = [html.Div(missing, className="note"), html.Div(curve, hidden=True)]
    return [html.Div(id="numbers", className="card"), html.Div(curve, className="card")]
