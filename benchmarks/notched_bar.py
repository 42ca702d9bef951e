"""A mesh to try `svevae field --mesh`, `svevae spread` and `svevae lighten` with: a bar with
two round notches.

1.28 x 0.64 x 3.84 mm, so 4 x 2 x 12 SVEs of 32 voxels of 10 um; notches of radius 0.64 mm at half
its height leave half of its width. 288 hexahedra C3D8I with sets of nodes BOTTOM, TOP and NOTCH.
`python benchmarks/notched_bar.py notched.inp`
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

WIDTH, DEPTH, LENGTH = 1.28, 0.64, 3.84  # mm
CELLS = (8, 2, 18)
RADIUS, CUT = 0.64, 0.32  # of a notch, and how far it goes in
FIRST = np.array([(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)])  # corners of an element, and above


def half_width(z: np.ndarray) -> np.ndarray:
    """Half of the width at the height z [mm]."""
    away = np.abs(z - LENGTH / 2)
    sunk = np.sqrt(np.maximum(RADIUS**2 - away**2, 0)) - (RADIUS - CUT)
    return WIDTH / 2 - np.maximum(sunk, 0)


def write(path: Path) -> None:
    """Write the mesh as an .inp file."""
    ends = [count + 1 for count in CELLS]
    index = np.stack(np.meshgrid(*map(np.arange, ends), indexing="ij"), -1).reshape(-1, 3)
    share = index / np.array(CELLS)
    z = LENGTH * share[:, 2]
    x = WIDTH / 2 + (2 * share[:, 0] - 1) * half_width(z)
    points = np.column_stack([x, DEPTH * share[:, 1], z])
    lines = ["*HEADING", "a bar with two notches, mm", "*NODE"]
    lines += [f"{k}, {x:.9g}, {y:.9g}, {z:.9g}" for k, (x, y, z) in enumerate(points.tolist(), 1)]
    lines.append("*ELEMENT, TYPE=C3D8I, ELSET=BAR")
    corners = np.concatenate([FIRST, FIRST + np.array([0, 0, 1])])
    for number, cell in enumerate(np.ndindex(*CELLS), 1):
        nodes = 1 + np.ravel_multi_index((corners + np.array(cell)).T, ends)
        lines.append(", ".join(map(str, (number, *nodes.tolist()))))
    side = (index[:, 0] == 0) | (index[:, 0] == CELLS[0])
    for name, there in (
        ("BOTTOM", index[:, 2] == 0),
        ("TOP", index[:, 2] == CELLS[2]),
        ("NOTCH", side & (half_width(z) < WIDTH / 2)),
    ):
        nodes = 1 + np.flatnonzero(there)
        lines.append(f"*NSET, NSET={name}")
        lines += [f"{node}," for node in nodes.tolist()]
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
