"""Meshes made by hand: one element of each type, and a bar of hexahedra."""

from __future__ import annotations

from itertools import product

import numpy as np

from svevae.meshes.elements import ELEMENTS, HEXAHEDRON, WEDGE
from svevae.meshes.mesh import Block, Mesh

SPLIT = {  # of the cube of a hexahedron, so that its faces are flat
    "tetra": ((0, 1, 2, 5), (0, 2, 7, 5), (0, 2, 3, 7), (0, 5, 7, 4), (2, 7, 5, 6)),
    "wedge": ((0, 1, 2, 4, 5, 6), (0, 2, 3, 4, 6, 7)),
    "hexa": (tuple(range(8)),),
}


def bar(kind: str, shape: tuple[int, int, int] = (1, 1, 1), edge: float = 1.0) -> Mesh:
    """A box of cubes of `edge` from the origin, each split into elements of a type. Nodes are
    numbered from 11 in steps of 10, elements from 7 in steps of 7.
    """
    element = ELEMENTS[kind]
    form = {HEXAHEDRON: "hexa", WEDGE: "wedge"}.get(element.family, "tetra")
    unit = (np.array(HEXAHEDRON.corners) + 1) / 2
    places: dict[tuple[float, ...], int] = {}
    rows = []
    for cell in product(*map(range, shape)):
        for corners in SPLIT[form]:
            own = unit[list(corners)] + cell
            if sum(cell) % 2 and form == "tetra":  # else diagonals of neighbours would cross
                own[:, 0] = 2 * cell[0] + 1 - own[:, 0]
                own = own[[0, 2, 1, 3]]
            if element.quadratic:
                edges = np.array(element.family.edges)
                own = np.concatenate([own, own[edges].mean(axis=1)])
            rows.append([places.setdefault(tuple(at), len(places)) for at in own.tolist()])
    points = edge * np.array(list(places), float)
    numbers = 11 + 10 * np.arange(len(points))
    nodes = numbers[np.array(rows)]
    elements = 7 * (1 + np.arange(len(rows)))
    bottom, top = numbers[points[:, 2] == 0], numbers[points[:, 2] == points[:, 2].max()]
    sets = {"BOTTOM": bottom, "TOP": top}
    return Mesh(numbers, points, (Block(kind, elements, nodes),), sets, {"ALL": elements})
