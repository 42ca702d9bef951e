"""Views of a mesh in space by PyVista and VTK, in a process of their own: a driver that crashes, or
a machine on which nothing can be rendered, is a message, and what C++ prints goes nowhere.

VTK 9.4 and later need no display: they find EGL, else OSMesa, by themselves.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from svevae.errors import DataError
from svevae.pictures.style import LINE, SOLID, TRUTH

PATIENCE = 300  # seconds
PIXELS = 1000  # of the longer edge of a view
BESIDE = 1e-4  # of the depth of the part, how far the cut is beside its middle
SHARP = 35.0  # degrees between the faces at an edge that is drawn
# the viewer, in the frame of the normal of the cut, the direction to its right, and the way up
VIEW = np.array([1.0, -0.45, 0.32])
TILT = 0.5  # of the depth, how much higher and wider it makes a view


@dataclass(frozen=True)
class View:
    """One view: colours of the values `name` times `factor`, of elements or of nodes, from `low` to
    `high`, in matplotlib's map `colours`. Coordinates are moved by `scale` times the vectors
    `moved`, where there is a name.
    """

    name: str
    colours: str
    low: float
    high: float
    factor: float = 1.0
    moved: str = ""
    scale: float = 0.0


def render(path: Path, axis: int, views: Sequence[View]) -> list[np.ndarray]:
    """Images (height, width, 4) of a .vtu file of one size, with `axis` (0, 1, 2) upwards and the
    nearer half cut away.

    Raises DataError, which says so in a line, where VTK cannot render here or takes longer than
    PATIENCE, and ModuleNotFoundError without PyVista.
    """
    if find_spec("pyvista") is None:
        raise ModuleNotFoundError("No module named 'pyvista'", name="pyvista")
    with tempfile.TemporaryDirectory() as folder:
        asked = {
            "path": str(path),
            "axis": axis,
            "views": [asdict(one) for one in views],
            "folder": folder,
        }
        here = os.pathsep.join(place for place in sys.path if place)
        try:
            done = subprocess.run(
                [sys.executable, "-P", "-m", __name__],
                input=json.dumps(asked),
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=PATIENCE,
                env=os.environ | {"PYTHONPATH": here},
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise DataError(f"{path}: expected VTK to draw it within {PATIENCE} s") from error
        if done.returncode:
            raise DataError(f"{path}: VTK does not draw here: {_ended(done)}")
        return [np.load(Path(folder) / f"{k}.npy") for k in range(len(views))]


def _ended(done: subprocess.CompletedProcess[str]) -> str:
    """How the other process ended, in a line."""
    if done.returncode < 0:
        ended = f"it ended with {signal.Signals(-done.returncode).name}"
    else:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        ended = lines[-1][:200] if lines else f"it ended with {done.returncode}"
    return f"{ended}; on a machine without a display it needs libEGL or libOSMesa"


def main() -> None:
    """Write the images that are asked for on stdin."""
    import pyvista

    asked = json.load(sys.stdin)
    pyvista.OFF_SCREEN = True
    grid = pyvista.read(asked["path"])
    up = int(asked["axis"])
    extent = np.ptp(grid.points, axis=0)
    # the cut is the largest one that has the axis in it
    across = [k for k in range(3) if k != up]
    normal = min(across, key=lambda k: (round(float(extent[k] / extent.max()), 3), -k))
    frame = _frame(normal, up)
    for k, one in enumerate(asked["views"]):
        image = _image(pyvista, grid, frame, View(**one))
        np.save(Path(asked["folder"]) / f"{k}.npy", image)


def _frame(normal: int, up: int) -> np.ndarray:
    """Unit vectors: from the cut to the viewer, to the viewer's right, and up."""
    towards, upwards = -np.eye(3)[normal], np.eye(3)[up]
    right = np.cross(upwards, towards)
    return np.stack([towards, right, upwards])


def _image(pyvista: Any, grid: Any, frame: np.ndarray, view: View) -> np.ndarray:
    """One view. The cut is made before the part is deformed, and beside the planes of nodes that
    regular meshes have in their middle.
    """
    values = grid.cell_data if view.name in grid.cell_data else grid.point_data
    values["shown"] = np.asarray(values[view.name], float) * view.factor
    towards, right, upwards = frame
    middle = np.array(grid.center) + BESIDE * np.ptp(grid.points @ towards) * towards
    kept, left = (
        grid.clip(normal=towards, origin=middle, invert=one).extract_surface(
            algorithm="dataset_surface"
        )
        for one in (True, False)
    )
    edges, outline = _edges(kept.clean()), _edges(left.clean())
    for one in (kept, edges, outline):
        if view.moved and one.n_points:
            one.points = one.points + view.scale * np.nan_to_num(one.point_data[view.moved])
    extent = np.ptp(np.vstack([kept.points, outline.points]), axis=0) @ np.abs(frame).T
    size = extent[1:] + TILT * extent[0]
    size = np.maximum(size / size.max() * PIXELS, PIXELS / 4).astype(int)
    plotter = pyvista.Plotter(off_screen=True, window_size=size.tolist(), lighting="none")
    plotter.set_background("white")
    plotter.add_mesh(
        kept,
        scalars="shown",
        cmap=view.colours,
        clim=(view.low, view.high),
        show_scalar_bar=False,
        nan_color=SOLID,
        smooth_shading=True,
        split_sharp_edges=True,
        ambient=0.5,
        diffuse=0.6,
        specular=0.0,
        interpolate_before_map=True,
    )
    for lines, colour, width in ((edges, TRUTH, 2.0), (outline, LINE, 1.5)):
        if lines.n_points:
            lines.clear_data()
            plotter.add_mesh(lines, color=colour, line_width=width, lighting=False)
    where = VIEW @ frame
    # the face of the cut has the colours of the bar, other faces are a little darker
    light = pyvista.Light(light_type="scene light", intensity=1.0)
    light.positional = False
    light.position, light.focal_point = 0.8 * towards + 0.5 * upwards - 0.35 * right, (0, 0, 0)
    plotter.add_light(light)
    plotter.enable_anti_aliasing("ssaa")
    plotter.camera_position = [middle + where, middle, upwards]
    plotter.enable_parallel_projection()
    plotter.reset_camera()
    plotter.camera.zoom(1.2)
    image = plotter.screenshot(return_img=True, transparent_background=True)
    plotter.close()
    return np.asarray(image)


def _edges(surface: Any) -> Any:
    return surface.extract_feature_edges(
        SHARP, boundary_edges=False, non_manifold_edges=False, manifold_edges=False
    )


if __name__ == "__main__":
    main()
