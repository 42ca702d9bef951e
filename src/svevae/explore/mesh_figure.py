"""The figure of a mesh on the page of `svevae explore`, as a plain dictionary: the surface of what
is left of it when it is cut open, in the colours of a property.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from svevae.explore.figures import FONT, packed
from svevae.explore.mesh_faces import outline, triangles
from svevae.explore.mesh_filled import Filled
from svevae.parts.fields import AXIS
from svevae.pictures.part import limits
from svevae.pictures.style import PALE


@dataclass(frozen=True)
class Shown:
    """What may be shown: `title` in words, its `unit`, of which there are `factor` in one of the
    value, and the scale of colours of plotly; `reverse` makes large values dark.
    """

    title: str
    unit: str = ""
    factor: float = 1.0
    colours: str = "Viridis"
    reverse: bool = False

    @property
    def headed(self) -> str:
        """The title with its unit."""
        return f"{self.title} / {self.unit}" if self.unit else self.title


SHOWN = {
    "porosity": Shown("porosity", "%", 100.0, reverse=True),
    "E": Shown(f"E along {AXIS}", "GPa", 1e-3),
    "yield": Shown(f"0.2 % yield stress along {AXIS}", "MPa"),
    "novelty": Shown("novelty", colours="Plasma"),
    "E_std": Shown(f"standard deviation of E along {AXIS}", "GPa", 1e-3, "Plasma"),
    "yield_std": Shown(f"standard deviation of yield along {AXIS}", "MPa", 1.0, "Plasma"),
}
EDGED = 12_000  # faces, of more of which edges would hide the colours
EDGE = {"color": "#3c4652", "width": 1.5}
LIFTED = 2e-3  # of the box, how far edges lie before their faces, which would hide them
LONGEST = 1.4  # of the cube that plotly shows, the longest edge of the box
LIGHTING = {"ambient": 0.78, "diffuse": 0.32, "specular": 0.04, "roughness": 0.9, "fresnel": 0.05}
LIGHT = {"x": 2e4, "y": 5e4, "z": 6e4}
UNITS = {"um": "µm", "mm": "mm", "cm": "cm", "m": "m"}  # of MeshOptions, and what a page calls them
# from where the faces of a cut are seen, along each axis
CAMERA = {"eye": {"x": 1.3, "y": 1.45, "z": 0.7}, "center": {"x": 0, "y": 0, "z": -0.03}}


def place_of(filled: Filled, axis: str, share: float) -> float:
    """Where a share of the box round the mesh ends along x, y or z."""
    low, high = (float(end["xyz".index(axis)]) for end in filled.box)
    return low + share * (high - low)


def mesh_figure(
    filled: Filled, name: str, axis: str | None = None, share: float = 1.0, view: str = ""
) -> tuple[dict[str, Any], str]:
    """Show the property `name` of SHOWN; elements whose centroid lies beyond a `share` of the box
    along `axis` are left out, and what is cut then is seen. The second value says in words how much
    is shown. The camera stays where the user turned it as long as `view` is the same.
    """
    what, values = SHOWN[name], filled.values[name] * SHOWN[name].factor
    kept = np.ones(len(values), bool)
    total = f"{len(kept):,} {'element' if len(kept) == 1 else 'elements'}"
    said = total
    if axis is not None:
        place = place_of(filled, axis, share)
        kept = filled.centres[:, "xyz".index(axis)] <= place
        said = f"{axis} to {place:.4g} {UNITS[filled.chosen.unit]}: {int(kept.sum()):,} of {total}"
    corners, element = filled.faces.seen(kept)
    traces = [_surface(filled, what, values, corners, element)] if len(corners) else []
    if 0 < len(corners) <= EDGED:
        traces.append(_edges(filled, corners, element))
    return {"data": traces, "layout": _layout(filled, view)}, said


def _surface(
    filled: Filled, what: Shown, values: np.ndarray, corners: np.ndarray, element: np.ndarray
) -> dict[str, Any]:
    cells, face = triangles(corners)
    used, cells = np.unique(cells, return_inverse=True)
    own = element[face]
    places = filled.mesh.points[used].astype(np.float32)
    points = dict(zip("xyz", places.T, strict=True))
    points |= dict(zip("ijk", cells.reshape(-1, 3).astype(np.int32).T, strict=True))
    low, high = limits(values)
    unit = f" {what.unit}" if what.unit else ""
    return {
        "type": "mesh3d",
        **{key: packed(np.ascontiguousarray(one)) for key, one in points.items()},
        "intensity": packed(values[own].astype(np.float32)),
        "intensitymode": "cell",
        # not packed: else Dash does not tell it of a click
        "customdata": filled.mesh.elements[own].tolist(),
        "hovertemplate": f"element %{{customdata}}<br>%{{intensity:.4g}}{unit}<extra></extra>",
        "cmin": low,
        "cmax": high,
        "colorscale": what.colours,
        "reversescale": what.reverse,
        "flatshading": True,
        "lighting": LIGHTING,
        "lightposition": LIGHT,
        "colorbar": {
            "title": {"text": what.headed, "side": "right"},
            "thickness": 14,
            "len": 0.8,
            "x": 1.0,
            "outlinewidth": 0,
            "nticks": 7,
        },
    }


def _edges(filled: Filled, corners: np.ndarray, element: np.ndarray) -> dict[str, Any]:
    """The edges of the faces; nan between two."""
    rows, points = outline(corners).reshape(len(corners), -1), filled.mesh.points
    out = points[corners[:, :3]].mean(axis=1) - filled.centres[element]
    low, high = filled.box
    out *= LIFTED * (high - low).max() / np.linalg.norm(out, axis=1, keepdims=True).clip(1e-30)
    lifted = points[rows] + out[:, None]
    places = np.where(rows[..., None] < 0, np.nan, lifted).reshape(-1, 3).astype(np.float32)
    along = {axis: packed(one.copy()) for axis, one in zip("xyz", places.T, strict=True)}
    return {
        "type": "scatter3d",
        "mode": "lines",
        **along,
        "line": EDGE,
        "hoverinfo": "skip",
        "showlegend": False,
    }


def _layout(filled: Filled, view: str) -> dict[str, Any]:
    low, high = filled.box
    gap = 0.02 * float((high - low).max())
    sides = high - low + 2 * gap
    lengths = LONGEST * sides / sides.max()
    ticks = {"gridcolor": PALE, "zeroline": False, "showspikes": False}
    axes = {
        f"{axis}axis": ticks
        | {
            "title": {"text": f"{axis} / {UNITS[filled.chosen.unit]}"},
            "nticks": 2 + round(4 * lengths[k]),  # numbers that do not lie on each other
            "range": [float(low[k]) - gap, float(high[k]) + gap],
        }
        for k, axis in enumerate("xyz")
    }
    ratio = dict(zip("xyz", lengths.tolist(), strict=True))
    shape = {"aspectmode": "manual", "aspectratio": ratio}
    return {
        "scene": axes | shape | {"camera": CAMERA, "dragmode": "orbit"},
        "margin": {"l": 0, "r": 0, "t": 0, "b": 0},
        "showlegend": False,
        "uirevision": view,
        "font": FONT,
    }
