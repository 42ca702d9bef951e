"""`svevae explore`: a page on this machine to move SVEs through the latent space. `views` computes,
this shows.

Dash serves the page with its scripts from this machine, plotly's among them: nothing comes from a
network. Only requests to the loopback address by its own pages are answered, so that no other page
in the same browser reaches the server by a name or a form of its own.
"""

from __future__ import annotations

import base64
import logging
import socket
import threading
import time
import webbrowser
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import flask
import numpy as np
from dash import ALL, ClientsideFunction, Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.exceptions import PreventUpdate
from skimage.measure import marching_cubes
from werkzeug.serving import make_server

from svevae.dataset.store import open_dataset
from svevae.errors import ConfigError, DataError, SvevaeError
from svevae.explore.session import LARGEST, Directions, Explorer, Solved, View, data_of
from svevae.model.metrics import QUANTILE_90
from svevae.pictures.style import BASELINE, MODEL
from svevae.use.champion import load

HOST, NAMES = "127.0.0.1", ("127.0.0.1", "localhost")
FURTHEST = 3.0  # standard deviations, of a slider
POLL = 400  # ms
LIGHT = {
    "x": 1e4,
    "y": -4e4,
    "z": 4e4,
}  # over the shoulder of who looks from where the camera is at first
GREY, PALE = "#9aa5b1", "#e6e9ed"
CAMERA = {"eye": {"x": 1.55, "y": -1.75, "z": 0.95}, "center": {"x": -0.05, "y": -0.05, "z": -0.12}}
# The edges of a cube in one line, None between two strokes.
BOX = [
    (0, 0, 0),
    (1, 0, 0),
    (1, 1, 0),
    (0, 1, 0),
    (0, 0, 0),
    (0, 0, 1),
    (1, 0, 1),
    (1, 1, 1),
    (0, 1, 1),
    (0, 0, 1),
    (None,) * 3,
]
BOX += [(1, 0, 0), (1, 0, 1), (None,) * 3, (1, 1, 0), (1, 1, 1), (None,) * 3, (0, 1, 0), (0, 1, 1)]
FONT = {
    "family": "system-ui, Segoe UI, Roboto, DejaVu Sans, sans-serif",
    "size": 12,
    "color": "#222222",
}


@dataclass
class Job:
    """A solution on its way in a thread: `said` is how far it is, `error` what went wrong, in
    words.
    """

    start: str
    axis: str
    began: float
    said: str = "starting"
    error: str = ""
    done: bool = False


def explore(uri: str, file: Path | None, port: int, browser: bool) -> None:
    """Serve the page of the model `uri` until interrupted; SVEs to pick come from `file`, or from
    the model's own data where these are.

    Raises DataError, TrackingError for the model or the data, ConfigError where the port is taken.
    """
    listening = _listen(port)
    with listening:
        model = load(uri)
        path = file or data_of(model)
        explorer = Explorer(model, None if path is None else open_dataset(path, labelled=False))
        app = make_app(explorer, uri)
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        server = make_server(
            HOST, listening.getsockname()[1], app.server, threaded=True, fd=listening.fileno()
        )
        address = f"http://{HOST}:{server.port}"
        print(f"{address}  ({uri}); Ctrl-C ends it", flush=True)
        if browser:
            webbrowser.open(address)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


def _listen(port: int) -> socket.socket:
    """A socket on the loopback address. Raises ConfigError where the port is taken or none."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
        listening.listen()
    except (OSError, OverflowError) as error:
        listening.close()
        raise ConfigError(
            f"--port: expected a free port of this machine, received {port}: {error}"
        ) from error
    return listening


def make_app(explorer: Explorer, uri: str) -> Dash:
    """The page with its callbacks; `.server` is the WSGI application."""
    folder = Path(__file__).parent / "assets"
    app = Dash(
        "svevae",
        title="svevae explore",
        update_title=None,
        assets_folder=str(folder),
        serve_locally=True,
    )
    app.server.config["MAX_CONTENT_LENGTH"] = (
        4 * LARGEST
    )  # base64 takes 4/3; beyond, not even an answer
    app.server.before_request(_refuse_strangers)
    app.layout = _layout(explorer, uri)
    _add_units(app, explorer)
    _add_drop(app, explorer)
    _add_starts(app, explorer)
    _add_view(app, explorer)
    _add_solver(app, explorer)
    return app


def _refuse_strangers() -> None:
    """403 unless the request is to this machine by name, from a page of this server or from no
    page.
    """
    host, origin = urlsplit(f"//{flask.request.host}"), flask.request.headers.get("Origin")
    if host.hostname not in NAMES or (
        origin is not None and urlsplit(origin).netloc != host.netloc
    ):
        flask.abort(403)


def _layout(explorer: Explorer, uri: str) -> html.Div:
    model = explorer.model
    size = f", voxels of {model.voxel_size:g} µm" if model.voxel_size else ""
    facts = f"SVEs of {model.n}³ voxels{size}; {model.latent_dim} latent units"
    head = [html.H1("svevae explore"), html.Span(uri), html.Span(facts)]
    properties, shapes = _sliders(explorer.directions)
    return html.Div(
        [
            html.Header(head),
            html.Main(
                [
                    html.Div([_starts(explorer), properties], className="column"),
                    html.Div([_pores_card(), shapes], className="column"),
                    html.Div(_results(explorer), className="column results"),
                ]
            ),
            *(dcc.Store(id=name) for name in ("start", "dropped", "wish", "answered", "solved")),
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
    text = f"Drop a volume here, or click: .tif, .npy, .npz, .h5, up to {LARGEST >> 20} MB"
    parts.append(
        dcc.Upload(text, id="upload", className="drop", className_active="drop drop-active")
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
    parts += [html.Div(id="busy", className="quiet"), html.Div(id="said"), html.Div(id="wrong")]
    return html.Div(parts, className="card")


def _sliders(directions: Directions) -> tuple[html.Div, html.Div]:
    """The card of the properties' directions, and that of the morphology's and the latent
    units'.
    """
    first, second = directions.properties, directions.properties + directions.morphology
    sliders = [_named_slider(directions, k) for k in range(second)]
    head = html.Div(
        [html.H2("Move the properties"), html.Button("Reset", id="reset")], className="row apart"
    )
    text = html.Div("in standard deviations of the training SVEs", className="quiet")
    # Mounted when they are asked for: sliders that nobody sees take part in every move of one that
    # is seen.
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


def _named_slider(directions: Directions, k: int) -> html.Div:
    name = html.Div(
        [html.Span(directions.names[k]), html.Span(id=f"moved-{k}", className="quiet")],
        className="name",
    )
    options = {
        "value": 0,
        "marks": None,
        "updatemode": "drag",
        "included": False,
        "allow_direct_input": False,
    }
    bar = dcc.Slider(-FURTHEST, FURTHEST, 0.1, **options, id=_slider(k))
    return html.Div(
        [name, html.Div(directions.effects[k], className="quiet"), bar], className="slider"
    )


def _slider(k: int | Any) -> dict[str, Any]:
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


def _add_units(app: Dash, explorer: Explorer) -> None:
    directions = explorer.directions
    shown = range(directions.properties + directions.morphology, len(directions.names))

    @app.callback(
        Output("units", "children"),
        Input("open-units", "n_clicks"),
        State("units", "children"),
        prevent_initial_call=True,
    )
    def mount(_: int | None, there: list | None) -> list:
        if there:
            raise PreventUpdate
        return [_named_slider(directions, k) for k in shown]


def _add_drop(app: Dash, explorer: Explorer) -> None:
    @app.callback(
        Output("dropped", "data"),
        Output(
            "upload",
            "contents",
            # given back: else the page sends it again with every click, and cannot take the same
            # file
            # twice
        ),
        Input("upload", "contents"),
        State("upload", "filename"),
        State("pores-are", "value"),
        State("threshold", "value"),
        running=[(Output("busy", "children"), "reading …", "")],
        prevent_initial_call=True,
    )
    def drop(
        contents: str | None, filename: str | None, pores: str, threshold: float | None
    ) -> tuple:
        if contents is None:
            raise PreventUpdate
        try:
            found = explorer.upload(
                filename, base64.b64decode(contents.partition(",")[2]), pores, threshold
            )
        except Exception as error:
            return {"error": _in_words(error), "at": time.time()}, None
        return {"found": found, "at": time.time()}, None


def _in_words(error: Exception) -> str:
    """What to show of an error; one that nobody foresaw goes to the log too."""
    if isinstance(error, SvevaeError):
        return str(error)
    logging.getLogger(__name__).error("svevae explore", exc_info=error)
    return f"{type(error).__name__}: {error}"


def _add_starts(app: Dash, explorer: Explorer) -> None:
    @app.callback(
        Output("start", "data"),
        Output(_slider(ALL), "value"),
        Output("said", "children"),
        Output("wrong", "children"),
        Output("volume", "hidden"),
        Output("cut-of", "children"),
        Output("pick", "value"),
        Output("cut", "value"),
        Input("sample", "n_clicks"),
        Input("pick", "value"),
        Input("another", "n_clicks"),
        Input("dropped", "data"),
        Input("cut", "value"),
        Input("pores-are", "value"),
        Input("threshold", "value"),
        Input("reset", "n_clicks"),
        State("start", "data"),
        running=[
            (Output("busy", "children"), "working …", ""),
            (Output("sample", "disabled"), True, False),
            (Output("another", "disabled"), True, False),
        ],
    )
    def begin(
        _: int | None,
        index: int | None,
        __: int | None,
        dropped: dict[str, Any] | None,
        cut: int | None,
        pores: str,
        threshold: float | None,
        ___: int | None,
        there: str | None,
    ) -> tuple:
        shown = len(ctx.outputs_list[1])
        zeros, keep = [0] * shown, [no_update] * shown
        hidden, of, picked = no_update, no_update, no_update
        by = ctx.triggered_id
        if by == "reset":
            return no_update, zeros, no_update, "", *[no_update] * 4
        if (by == "pick" and index is None) or (by == "cut" and cut is None):
            raise PreventUpdate  # while the number is being typed
        if by is None and there:
            raise PreventUpdate  # sliders were mounted, which Dash takes for a page that is new
        try:
            if by == "another":
                index = picked = int(np.random.default_rng().integers(explorer.data.count))
            if by in ("dropped", "pores-are", "threshold"):
                hidden, cut = False, 0
                if by == "dropped" and "error" in dropped:
                    raise DataError(dropped["error"])
                found = dropped["found"] if by == "dropped" else explorer.segment(pores, threshold)
                of = f"of {found:,}, from 0"
            if by in ("dropped", "pores-are", "threshold", "cut"):
                key = explorer.cut(int(cut))
            elif by in ("pick", "another") or (by is None and explorer.data is not None):
                key = explorer.pick(int(index))
            else:
                key = explorer.sample(
                    0 if by is None else int(np.random.default_rng().integers(1_000_000))
                )
        except Exception as error:
            return (
                no_update,
                keep,
                no_update,
                html.Div(_in_words(error), className="error"),
                hidden,
                of,
                picked,
                no_update,
            )
        start = explorer.start(key)
        said = [
            html.Div(start.title, className="note"),
            *(html.Div(note, className="warning") for note in start.notes),
        ]
        if by in ("dropped", "pores-are", "threshold", "cut"):
            said.append(html.Div(explorer.report, className="report"))
        return key, zeros, said, "", hidden, of, picked, cut if hidden is False else no_update


def _add_view(app: Dash, explorer: Explorer) -> None:
    # Moves go through the browser, which asks for one view at a time: assets/explore.js.
    inputs = [
        Input(_slider(ALL), "value"),
        Input("pores", "value"),
        Input("axis", "value"),
        Input("start", "data"),
        Input("solved", "data"),
    ]
    app.clientside_callback(ClientsideFunction("svevae", "ask"), *inputs)
    app.clientside_callback(ClientsideFunction("svevae", "next"), Input("answered", "data"))

    @app.callback(
        Output("pores-figure", "figure"),
        Output("pores-say", "children"),
        Output("curve", "figure"),
        Output("numbers", "children"),
        Output("answered", "data"),
        Input("wish", "data"),
        prevent_initial_call=True,
    )
    def show(wish: dict[str, Any]) -> tuple:
        try:
            view = explorer.view(wish["start"], wish["moves"])
            pores, said = pores_figure(explorer, view, wish["pores"])
            curve = curve_figure(explorer, view, wish["axis"]) if explorer.axes else no_update
            return pores, said, curve, _numbers(explorer, view), wish["count"]
        except Exception as error:
            return (
                no_update,
                no_update,
                no_update,
                html.Div(_in_words(error), className="error"),
                wish["count"],
            )


def _add_solver(app: Dash, explorer: Explorer) -> None:
    jobs: list[Job] = []  # the last one, of whichever page: two at once would take twice as long
    lock = threading.Lock()

    def work(job: Job, moves: list[float]) -> None:
        def report(text: str) -> None:
            job.said = text

        try:
            explorer.solve(job.start, moves, job.axis, report)
        except Exception as error:
            job.error = _in_words(error)
        finally:
            job.done = True

    @app.callback(
        Output("clock", "disabled"),
        Output("solve", "disabled"),
        Output("progress", "children"),
        Output("solver-error", "children"),
        Output("solved", "data"),
        Input("solve", "n_clicks"),
        Input("clock", "n_intervals"),
        Input("start", "data"),
        State("wish", "data"),
        prevent_initial_call=True,
    )
    def solve(
        _: int | None, tick: int | None, start: str | None, wish: dict[str, Any] | None
    ) -> tuple:
        with lock:
            if ctx.triggered_id == "solve" and wish and (not jobs or jobs[-1].done):
                jobs[:] = [Job(wish["start"], wish["axis"], time.monotonic())]
                threading.Thread(target=work, args=(jobs[-1], wish["moves"]), daemon=True).start()
            job = jobs[-1] if jobs else None
        mine = job is not None and start == job.start
        if job is None or (job.done and not mine):
            return True, False, "", "", no_update
        seconds = time.monotonic() - job.began
        if not job.done:
            said = job.said if mine else "busy with another SVE"
            return False, True, f"{said} … {seconds:.0f} s", "", no_update
        error = html.Div(f"The solver: {job.error}", className="error") if job.error else ""
        return True, False, "" if job.error else f"solved in {seconds:.1f} s", error, tick


def pores_figure(explorer: Explorer, view: View, kind: str) -> tuple[dict[str, Any], str]:
    """The pores as a surface in micrometres, or voxels where the model does not say, and what it
    shows in words.

    "decoded" is the level set of the probability that encloses its expected porosity: at 1/2 small
    pores would not be seen. A figure is a plain dictionary: plotly's own classes check every value,
    and take longer than the model.
    """
    model, field, level = explorer.model, view.voxels.astype(np.float32), 0.5
    share = float(field.mean())
    said = f"{view.origin}, porosity {_percent(share)}"
    if kind == "decoded":
        field, share = view.probability, float(view.probability.mean())
        level = min(float(np.quantile(field, 1 - share)), 0.999 * float(field.max()))
        said = (
            f"where a pore is likelier than {100 * level:.0f} %: this encloses the expected"
            f" porosity, {_percent(share)}"
        )
    edge = model.voxel_size or 1.0
    side, unit = model.n * edge, "µm" if model.voxel_size else "voxels"
    x, y, z = side * np.array(BOX, float).T
    traces = [
        {
            "type": "scatter3d",
            "mode": "lines",
            "x": x,
            "y": y,
            "z": z,
            "line": {"color": GREY, "width": 2},
            "hoverinfo": "skip",
        }
    ]
    padded = np.pad(field, 1)
    if share * field.size >= 1 and padded.max() > level:
        vertices, faces, _, _ = marching_cubes(padded, level)
        # Within the box: plotly cuts off what is not, and compiles its axes anew whenever the
        # bounds change.
        places = np.clip((vertices - 0.5) * edge, 0, side).astype(np.float32)
        points = dict(zip("xyz", places.T, strict=True)) | dict(zip("ijk", faces.T, strict=True))
        points = {name: _packed(values) for name, values in points.items()}
        light = {"ambient": 0.5, "diffuse": 0.8, "specular": 0.15, "roughness": 0.7}
        look = {"color": MODEL, "lighting": light, "lightposition": LIGHT, "hoverinfo": "skip"}
        traces.append({"type": "mesh3d", **points, **look})
    ticks = {
        "range": [0, side],
        "nticks": 5,
        "gridcolor": PALE,
        "zeroline": False,
        "showspikes": False,
    }
    axes = {
        f"{axis}axis": (
            ticks | {"title": {"text": f"{axis}{' (build)' if axis == 'z' else ''} / {unit}"}}
        )
        for axis in "xyz"
    }
    scene = axes | {"aspectmode": "cube", "camera": CAMERA, "dragmode": "orbit"}
    margin = {"l": 0, "r": 0, "t": 0, "b": 0}
    return {
        "data": traces,
        "layout": {
            "scene": scene,
            "margin": margin,
            "showlegend": False,
            "uirevision": "pores",
            "font": FONT,
        },
    }, said


def curve_figure(explorer: Explorer, view: View, axis: str) -> dict[str, Any]:
    """Stress against strain along `axis`: predicted, its band of 90 %, and the solver's where there
    is one.
    """
    strain, stress, band = explorer.curves(view.prediction, axis)
    percent = 100 * strain
    around = {
        "x": np.concatenate([percent, percent[::-1]]),
        "y": np.concatenate([band[1], band[0][::-1]]),
    }
    traces = [
        {
            "type": "scatter",
            **around,
            "fill": "toself",
            "fillcolor": f"{MODEL}40",
            "line": {"width": 0},
            "mode": "lines",
            "name": "90 %",
        },
        {
            "type": "scatter",
            "x": percent,
            "y": stress,
            "mode": "lines",
            "line": {"color": MODEL, "width": 2},
            "name": "predicted",
        },
    ]
    if view.solved and axis in view.solved.curves:
        x, y = (np.insert(part, 0, 0.0) for part in view.solved.curves[axis])
        traces.append(
            {
                "type": "scatter",
                "x": 100 * x,
                "y": y,
                "mode": "markers",
                "marker": {"color": BASELINE, "size": 7},
                "name": "solver",
            }
        )
    grid = {"gridcolor": PALE, "zerolinecolor": GREY, "rangemode": "tozero"}
    layout = {
        "xaxis": grid | {"title": {"text": f"strain along {axis} / %"}},
        "yaxis": grid | {"title": {"text": "stress / MPa"}},
        "margin": {"l": 58, "r": 12, "t": 8, "b": 44},
        "legend": {"x": 0.98, "y": 0.04, "xanchor": "right", "yanchor": "bottom"},
        "plot_bgcolor": "white",
        "font": FONT,
        "uirevision": f"curve-{axis}",
    }
    return {"data": traces, "layout": layout}


def _packed(values: np.ndarray) -> dict[str, str]:
    """An array as plotly.js takes it, without a text for each number."""
    return {
        "dtype": {"f": "f4", "i": "i4"}[values.dtype.kind],
        "bdata": base64.b64encode(np.ascontiguousarray(values)).decode(),
    }


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def _numbers(explorer: Explorer, view: View) -> list:
    novelty, porosity = float(view.prediction.novelty[0]), view.probability.mean()
    tiles = [
        ("porosity, decoded", _percent(porosity)),
        ("porosity, binary SVE", _percent(view.voxels.mean())),
        ("novelty", f"{novelty:.2f}"),
    ]
    parts: list = [
        html.Div(
            [
                html.Div([html.B(value), html.Span(name, className="quiet")], className="tile")
                for name, value in tiles
            ],
            className="tiles",
        )
    ]
    if novelty > 1:
        text = (
            "Unlike the SVEs that the model was trained on (novelty above 1): what it predicts"
            " here, and how sure it is, are guesses."
        )
        parts.append(html.Div(text, className="warning"))
    parts.append(_table(explorer, view.prediction, view.solved))
    if view.solved and view.solved.predicted is not None:
        pairs = zip(explorer.model.names, explorer.model.units, view.solved.predicted, strict=True)
        listed = [
            f"{name} {_number(value, 0 if value > 1e3 else 1)} {unit}"
            for name, unit, value in pairs
            if name in view.solved.properties
        ]
        text = (
            "The solver's SVE was realised from the latent vector, where the intervals are"
            " calibrated on SVEs of the data."
        )
        parts.append(
            html.Div(f"{text} In its pores the model finds {', '.join(listed)}.", className="quiet")
        )
    return parts


def _table(explorer: Explorer, prediction: Any, solved: Solved | None) -> html.Table:
    names, units = explorer.model.names, explorer.model.units
    head = html.Tr([html.Th(text) for text in ("property", "predicted", "90 % interval", "solver")])
    rows = []
    for name, unit, mean, std in zip(
        names, units, prediction.properties[0], prediction.std[0], strict=True
    ):
        half = QUANTILE_90 * float(std)
        digits = int(np.clip(1 - np.floor(np.log10(half)), 0, 6)) if half > 0 else 4
        known = (
            _number(solved.properties[name], digits) if solved and name in solved.properties else ""
        )
        cells = [
            name if unit == "-" else f"{name} / {unit}",
            html.Span(_number(mean, digits), className="predicted"),
        ]
        cells += [
            f"{_number(mean - half, digits)} to {_number(mean + half, digits)}",
            html.Span(known, className="solved"),
        ]
        rows.append(html.Tr([html.Td(cell) for cell in cells]))
    return html.Table([html.Thead(head), html.Tbody(rows)])


def _number(value: float, digits: int) -> str:
    return f"{value:,.{digits}f}".replace(",", "\u2009").replace("-", "\u2212")
