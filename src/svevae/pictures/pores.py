"""Plot the pores of one SVE in space: a shaded surface, or points where a glance must do."""

from __future__ import annotations

import numpy as np
from mpl_toolkits.mplot3d import Axes3D
from mpl_toolkits.mplot3d.art3d import Poly3DCollection
from scipy.ndimage import gaussian_filter, map_coordinates
from skimage.measure import block_reduce, marching_cubes

from svevae.pictures.style import LINE

# Limits of a rendered cube; a finer one is averaged. Matplotlib takes 0.1 ms for a triangle.
SURFACE_N, TRIANGLES = 64, 30_000
ELEVATION, AZIMUTH = 20, -60  # degrees, of the viewer: x to the right, y away, z up
LIGHT = np.array([0.25, -0.75, 0.61])
PAD = 3  # voxels around a rendered cube, so that cut pores are closed and the smoothing has room
EDGES = [
    (a, b)
    for a in np.ndindex(2, 2, 2)
    for b in np.ndindex(2, 2, 2)
    if a < b and np.abs(np.subtract(a, b)).sum() == 1
]
HIDDEN = (0, 1, 0)  # the corner of the cube that is farthest from the viewer


def fullest_slice(cube: np.ndarray) -> int:
    """The x of the slice of (n, n, n) with most pores."""
    return int(cube.sum(axis=(1, 2), dtype=int).argmax())


def plot_points(axes: Axes3D, cube: np.ndarray) -> None:
    """Plot a point for each pore voxel of (n, n, n) in `axes` with projection "3d", coloured by
    height: a tenth of the time of `plot_surface`.
    """
    n = len(cube)
    if cube.any():
        x, y, z = np.nonzero(cube)
        axes.scatter(x, y, z, s=(60 / n) ** 2, c=z, cmap="cividis", marker="s", linewidths=0)
    axes.set(xlim=(0, n), ylim=(0, n), zlim=(0, n), xticks=[], yticks=[], zticks=[], aspect="equal")


def plot_surface(axes: Axes3D, cube: np.ndarray, colour: np.ndarray, *, labelled: bool) -> None:
    """Plot the pore surface of (n, n, n) in `axes` with projection "3d", inside the edges of the
    SVE; `labelled` names its axes.
    """
    n = len(cube)
    for a, b in EDGES:
        ends = n * np.array([a, b]).T
        behind = HIDDEN in (a, b)
        axes.plot(
            *ends,
            color=LINE,
            lw=0.7 if behind else 1.1,
            ls=":" if behind else "-",
            zorder=1 if behind else 3,
        )
    if cube.any():
        triangles, brightness = _surface(cube)
        faces = np.clip(
            brightness[:, None] * colour + 0.25 * np.maximum(brightness - 0.75, 0)[:, None], 0, 1
        )
        axes.add_collection3d(
            Poly3DCollection(
                triangles, facecolors=faces, edgecolors=faces, linewidths=0.2, zorder=2
            )
        )
    if labelled:
        for name, place in (("x", (0.5, -0.13, 0)), ("y", (1.13, 0.5, 0)), ("z", (-0.1, 0, 0.5))):
            axes.text(*(n * np.array(place)), name, ha="center", va="center", color=LINE)
    axes.computed_zorder = False
    axes.set(xlim=(0, n), ylim=(0, n), zlim=(0, n))
    axes.set_axis_off()
    axes.set_proj_type("ortho")
    axes.view_init(ELEVATION, AZIMUTH)
    axes.set_box_aspect((1, 1, 1), zoom=1.1)


def _surface(cube: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pore surface of (n, n, n): triangles (face, 3, 3) in voxels, from 0 to n, and their
    brightness (face,) from 0.4 to 1.

    The surface follows the voxels; the light falls on the gradient of the smoothed voxels, so that
    it shows shapes, not steps.
    """
    factor = -(-len(cube) // SURFACE_N)
    field, vertices, faces = _averaged_surface(cube, factor)
    while len(faces) > TRIANGLES:
        factor += 1
        field, vertices, faces = _averaged_surface(cube, factor)
    triangles = vertices[faces]
    centres = triangles.mean(axis=1).T
    normal = -np.array(
        [
            map_coordinates(slope, centres, order=1)
            for slope in np.gradient(gaussian_filter(field, 1.0))
        ]
    )
    lit = LIGHT @ normal / np.maximum(np.linalg.norm(normal, axis=0), 1e-12)
    return np.clip((triangles - PAD + 0.5) * factor, 0, len(cube)), 0.7 + 0.3 * lit


def _averaged_surface(cube: np.ndarray, factor: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means over `factor`^3 voxels, padded; vertices and faces of their level 1/2, or lower where
    no mean reaches it.
    """
    field = np.pad(block_reduce(cube.astype(np.float32), factor, np.mean), PAD)
    vertices, faces, *_ = marching_cubes(field, min(0.5, field.max() / 2))
    return field, vertices, faces
