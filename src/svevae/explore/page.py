"""`svevae explore`: serve a page on this machine to move SVEs through the latent space.

`session` computes, `layout` and `figures` show, this module answers what the user does. Dash serves
the page with its scripts from this machine, plotly's among them: nothing comes from a network. Who
is answered stands in `svevae.serving`. Each page that is loaded has a key of its own in
`svevae.explore.pages`, which it sends with what it asks.
"""

from __future__ import annotations

import base64
import logging
import time
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from dash import ALL, ClientsideFunction, Dash, Input, Output, State, ctx, html, no_update
from dash.exceptions import PreventUpdate
from werkzeug.serving import make_server

from svevae.dataset.store import open_dataset
from svevae.errors import DataError
from svevae.explore.figures import curve_figure, numbers_card, pores_figure
from svevae.explore.layout import named_slider, page_layout, slider
from svevae.explore.mesh_page import add_mesh
from svevae.explore.mesh_upload import is_mesh
from svevae.explore.pages import Pages
from svevae.explore.said import in_words
from svevae.explore.session import Explorer, data_of
from svevae.explore.solver_page import add_solver
from svevae.explore.upload import LARGEST, UNPACKED
from svevae.serving import HOST, GuardedWSGI, addresses, listen
from svevae.use.champion import load

PORT = 5006
SEGMENTING = ("dropped", "pores-are", "threshold")  # what makes new SVEs of the volume


def explore(
    uri: str,
    file: Path | None,
    port: int,
    browser: bool,
    allowed: Sequence[str] = (),
    unpacked: int = UNPACKED,
    material: Any = None,
) -> None:
    """Serve the page of the model `uri` until interrupted; SVEs to pick come from `file`, or from
    the model's own data where these are. `allowed` hosts are answered beside this machine's names;
    a dropped volume may unpack to `unpacked` bytes. The matrix is `material`
    (`svevae.use.champion.load`).

    Raises DataError, TrackingError for the model or the data, ConfigError where the port is taken.
    """
    listening = listen(port)
    with listening:
        model = load(uri, material=material)
        path = file or data_of(model)
        data = None if path is None else open_dataset(path, labelled=False)
        port = listening.getsockname()[1]
        app = make_app(Explorer(model, data, unpacked), uri, port, allowed)
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        server = make_server(HOST, port, app.server, threaded=True, fd=listening.fileno())
        address = f"http://{HOST}:{server.port}"
        print(f"{address}  ({uri}); Ctrl-C ends it", flush=True)
        if browser:
            webbrowser.open(address)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


def make_app(explorer: Explorer, uri: str, port: int = PORT, allowed: Sequence[str] = ()) -> Dash:
    """The page with its callbacks; `.server` is the WSGI application, which answers only requests
    to this machine's names with `port`, and to the `allowed` hosts.
    """
    folder = Path(__file__).parent / "assets"
    app = Dash(
        "svevae",
        title="svevae explore",
        update_title=None,  # as its documentation says
        assets_folder=str(folder),
        serve_locally=True,
    )
    # base64 takes 4/3 of a file; what exceeds this is not even answered
    app.server.config["MAX_CONTENT_LENGTH"] = 2 * LARGEST
    app.server.wsgi_app = GuardedWSGI(app.server.wsgi_app, addresses(port, allowed))
    pages = Pages(explorer)
    app.layout = lambda: page_layout(explorer, uri, pages.open())  # for each page that is loaded
    _add_units(app, explorer)
    _add_drop(app, pages)
    _add_starts(app, pages)
    _add_view(app, pages)
    add_solver(app, pages)
    add_mesh(app, pages)
    return app


def _add_units(app: Dash, explorer: Explorer) -> None:
    directions = explorer.directions
    units = range(directions.properties + directions.morphology, len(directions.names))

    @app.callback(
        output=Output("units", "children"),
        inputs={"clicks": Input("open-units", "n_clicks"), "there": State("units", "children")},
        prevent_initial_call=True,
    )
    def mount(clicks: int | None, there: list | None) -> list:
        if there:
            raise PreventUpdate
        return [named_slider(directions, k) for k in units]


def _add_drop(app: Dash, pages: Pages) -> None:
    @app.callback(
        output={
            "dropped": Output("dropped", "data"),
            "mesh": Output("mesh-dropped", "data"),
            "wrong": Output("wrong", "children", allow_duplicate=True),
            # Given back as None: else the page sends the file again with every click, and does not
            # take the same file twice.
            "contents": Output("upload", "contents"),
        },
        inputs={
            "contents": Input("upload", "contents"),
            "name": State("upload", "filename"),
            "pores": State("pores-are", "value"),
            "threshold": State("threshold", "value"),
            "page": State("page", "data"),
        },
        running=[(Output("busy", "children"), "reading …", "")],
        prevent_initial_call=True,
    )
    def drop(
        contents: str | None,
        name: str | None,
        pores: str,
        threshold: float | None,
        page: str | None,
    ) -> dict[str, Any]:
        if contents is None:
            raise PreventUpdate
        name, content = name or "volume", base64.b64decode(contents.partition(",")[2])
        answer = {"dropped": no_update, "mesh": no_update, "wrong": "", "contents": None}
        kind = "mesh" if is_mesh(name, content) else "dropped"
        try:
            explorer = pages.find(page).explorer
            if kind == "mesh":
                explorer.meshes.take(name, content, explorer.unpacked)
                answer["mesh"] = {"at": time.time()}
            else:
                count = explorer.upload(name, content, pores, threshold)
                answer["dropped"] = {"count": count, "at": time.time()}
        except Exception as error:
            said = in_words(error)
            if kind == "mesh":
                answer["wrong"] = html.Div(said, className="error")
            else:
                answer |= {"dropped": {"error": said, "at": time.time()}, "wrong": no_update}
        pages.trim()
        return answer


def _add_starts(app: Dash, pages: Pages) -> None:
    output = {
        "start": Output("start", "data"),
        "moves": Output(slider(ALL), "value"),
        "said": Output("said", "children"),
        "wrong": Output("wrong", "children"),
        "volume_hidden": Output("volume", "hidden"),
        "cut_of": Output("cut-of", "children"),
        "index": Output("pick", "value"),
        "cut": Output("cut", "value"),
    }

    @app.callback(
        output=output,
        inputs={
            "clicks": {name: Input(name, "n_clicks") for name in ("sample", "another", "reset")},
            "index": Input("pick", "value"),
            "dropped": Input("dropped", "data"),
            "cut": Input("cut", "value"),
            "pores": Input("pores-are", "value"),
            "threshold": Input("threshold", "value"),
            "element": Input("mesh-figure", "clickData"),
            "there": State("start", "data"),
            "page": State("page", "data"),
        },
        running=[
            (Output("busy", "children"), "working …", ""),
            (Output("sample", "disabled"), True, False),
            (Output("another", "disabled"), True, False),
        ],
    )
    def begin(
        clicks: dict[str, int | None],
        index: int | None,
        dropped: dict[str, Any] | None,
        cut: int | None,
        pores: str,
        threshold: float | None,
        element: dict[str, Any] | None,
        there: str | None,
        page: str | None,
    ) -> dict[str, Any]:
        sliders = len(ctx.outputs_grouping["moves"])
        unchanged = dict.fromkeys(output, no_update) | {"moves": [no_update] * sliders}
        unmoved = {"moves": [0] * sliders, "wrong": ""}
        trigger = ctx.triggered_id
        if trigger == "reset":
            return unchanged | unmoved
        if (trigger == "pick" and index is None) or (trigger == "cut" and cut is None):
            raise PreventUpdate  # while the number is being typed
        if trigger == "mesh-figure" and element is None:
            raise PreventUpdate  # while the mesh is filled
        if trigger is None and there:
            raise PreventUpdate  # sliders were mounted, which Dash takes for a page that is new
        changed: dict[str, Any] = {}
        try:
            explorer = pages.find(page).explorer
            if trigger in SEGMENTING:
                changed["volume_hidden"], cut = False, 0
                if trigger == "dropped":
                    count = _count(dropped)
                else:
                    count = explorer.segment(pores, threshold)
                changed["cut_of"] = f"of {count:,}, from 0"
            elif trigger == "another":
                index = changed["index"] = explorer.random_index(index)
            if element is not None and trigger == "mesh-figure":
                key = explorer.element(int(element["points"][0]["customdata"]))
            else:
                key = _new_start(explorer, trigger, index, cut)
            said = _said(explorer, key, trigger in (*SEGMENTING, "cut"))
        except Exception as error:
            wrong = html.Div(in_words(error), className="error")
            return unchanged | changed | {"wrong": wrong}
        if trigger in SEGMENTING:
            changed["cut"] = cut
        return unchanged | unmoved | changed | {"start": key, "said": said}


def _count(dropped: dict[str, Any] | None) -> int:
    """SVEs of the dropped volume. Raises DataError with what was wrong with it."""
    if dropped is None or "error" in dropped:
        raise DataError(dropped["error"] if dropped else "expected a volume, none was dropped yet")
    return dropped["count"]


def _new_start(explorer: Explorer, trigger: str | None, index: int | None, cut: int | None) -> str:
    """Begin with the SVE that the `trigger` asks for; its key. A new page (None) shows an SVE of
    the data, or the first sample where there are none.
    """
    if trigger in (*SEGMENTING, "cut"):
        return explorer.cut(int(cut or 0))
    if trigger in ("pick", "another") or (trigger is None and explorer.data is not None):
        return explorer.pick(int(index or 0))
    return explorer.sample(
        0 if trigger is None else int(np.random.default_rng().integers(1_000_000))
    )


def _said(explorer: Explorer, key: str, of_volume: bool) -> list[html.Div]:
    start = explorer.start(key)
    said = [html.Div(start.title, className="note")]
    said += [html.Div(note, className="warning") for note in start.notes]
    if of_volume:
        said.append(html.Div(explorer.report, className="report"))
    return said


def _add_view(app: Dash, pages: Pages) -> None:
    # Moves go through the browser, which asks for one view at a time: assets/explore.js.
    inputs = [
        Input(slider(ALL), "value"),
        Input("pores", "value"),
        Input("axis", "value"),
        Input("start", "data"),
        Input("solved", "data"),
    ]
    app.clientside_callback(ClientsideFunction("svevae", "ask"), *inputs)
    app.clientside_callback(ClientsideFunction("svevae", "next"), Input("answered", "data"))
    output = {
        "pores": Output("pores-figure", "figure"),
        "said": Output("pores-say", "children"),
        "curve": Output("curve", "figure"),
        "numbers": Output("numbers", "children"),
        "answered": Output("answered", "data"),
    }

    @app.callback(
        output=output,
        inputs={"wish": Input("wish", "data"), "page": State("page", "data")},
        prevent_initial_call=True,
    )
    def show(wish: dict[str, Any], page: str | None) -> dict[str, Any]:
        changed: dict[str, Any] = {"answered": wish["count"]}
        try:
            explorer = pages.find(page).explorer
            view = explorer.view(wish["start"], wish["moves"])
            pores, said = pores_figure(explorer, view, wish["pores"])
            curve = curve_figure(explorer, view, wish["axis"]) if explorer.axes else no_update
            numbers = numbers_card(explorer, view)
            changed |= {"pores": pores, "said": said, "curve": curve, "numbers": numbers}
        except Exception as error:
            changed["numbers"] = html.Div(in_words(error), className="error")
        return dict.fromkeys(output, no_update) | changed
