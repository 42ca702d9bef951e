"""Figures and tables of the page of `svevae explore`, as plain dictionaries and Dash components."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from dash import html
from skimage.measure import marching_cubes

from svevae.explore.session import Explorer
from svevae.explore.views import Solved, View
from svevae.model.latent import Prediction
from svevae.model.metrics import QUANTILE_90
from svevae.pictures.style import BASELINE, GREY, MODEL, PALE
from svevae.words import headed

# Over the shoulder of a viewer where the camera is at first.
LIGHT = {"x": 1e4, "y": -4e4, "z": 4e4}
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


def pores_figure(explorer: Explorer, view: View, kind: str) -> tuple[dict[str, Any], str]:
    """Show the pores as a surface in micrometres, or in voxels where the model does not say their
    size; the second value says in words what is shown.

    "decoded" is the level set of the probability that encloses its expected porosity: at 1/2 small
    pores would vanish. A figure is a plain dictionary: plotly's own classes check every value,
    which takes longer than the model.
    """
    model, field, level = explorer.model, view.voxels.astype(np.float32), 0.5
    share = float(field.mean())
    said = f"{view.origin}, porosity {percent(share)}"
    if kind == "decoded":
        field, share = view.probability, float(view.probability.mean())
        level = min(float(np.quantile(field, 1 - share)), 0.999 * float(field.max()))
        said = (
            f"where a pore is likelier than {100 * level:.0f} %: this encloses the expected"
            f" porosity, {percent(share)}"
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
        points = {name: packed(values) for name, values in points.items()}
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
    """Show stress against strain along `axis`: predicted, its band of 90 %, and the solver's curve
    where there is one.
    """
    strain, stress, band = explorer.curve(view, axis)
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


def packed(values: np.ndarray) -> dict[str, str]:
    """Encode an array as plotly.js takes it: faster than a text for each number."""
    return {
        "dtype": f"{values.dtype.kind}{values.dtype.itemsize}",
        "bdata": base64.b64encode(values.tobytes()).decode(),
    }


def percent(share: float) -> str:
    """Format a share: 0.0312 as 3.12 %."""
    return f"{100 * share:.2f} %"


def numbers_card(explorer: Explorer, view: View) -> list:
    """Show porosity, novelty and the table of properties; warn of what the model does not know."""
    novelty, porosity = float(view.prediction.novelty[0]), view.probability.mean()
    tiles = [
        ("porosity, decoded", percent(porosity)),
        ("porosity, binary SVE", percent(view.voxels.mean())),
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
    parts.append(property_table(explorer, view.prediction, view.solved))
    if view.solved and view.solved.predicted is not None:
        pairs = zip(explorer.model.names, explorer.model.units, view.solved.predicted, strict=True)
        listed = [
            f"{name} {number(value, 0 if value > 1e3 else 1)} {unit}"
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


def property_table(explorer: Explorer, prediction: Prediction, solved: Solved | None) -> html.Table:
    """Tabulate each property: predicted, its interval of 90 %, and the solver's value."""
    names, units = explorer.model.names, explorer.model.units
    head = html.Tr([html.Th(text) for text in ("property", "predicted", "90 % interval", "solver")])
    rows = []
    for name, unit, mean, std in zip(
        names, units, prediction.properties[0], prediction.std[0], strict=True
    ):
        half = QUANTILE_90 * float(std)
        digits = int(np.clip(1 - np.floor(np.log10(half)), 0, 6)) if half > 0 else 4
        known = (
            number(solved.properties[name], digits) if solved and name in solved.properties else ""
        )
        cells: list = [
            headed(name, unit),
            html.Span(number(mean, digits), className="predicted"),
            f"{number(mean - half, digits)} to {number(mean + half, digits)}",
            html.Span(known, className="solved"),
        ]
        rows.append(html.Tr([html.Td(cell) for cell in cells]))
    return html.Table([html.Thead(head), html.Tbody(rows)])


def number(value: float, digits: int) -> str:
    """Format a number with `digits` after the point, a thin space between thousands and a minus
    sign.
    """
    return f"{value:,.{digits}f}".replace(",", "\u2009").replace("-", "\u2212")
