"""The solid elements that Abaqus and CalculiX share, in their order of nodes: shape functions,
Gauss points and faces.

An element is a space of polynomials and the nodes that span it, so that each shape function is the
polynomial that is 1 at its own node and 0 at the others. Nodes between two corners follow the
corners, in the order of `edges`. Families and orders as in the Abaqus manual, "Solid (continuum)
elements"; VTK, and so meshio, has the same order of nodes for all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
from scipy.special import roots_jacobi

Points = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class Family:
    """Elements of one form: reference corners, the pairs of corners that edges join, and the
    corners of faces S1, S2 and so on. `linear` and `quadratic` are the exponents (r, s, t) of the
    polynomials of the two orders; `weight` gives the powers of the weights 1 - u and 1 - v that
    collapse a cube into the form; `mirror` has the corners in the order of the other orientation.
    """

    corners: Points
    edges: tuple[tuple[int, int], ...]
    faces: tuple[tuple[int, ...], ...]
    linear: Points
    quadratic: Points
    weight: tuple[int, int]
    mirror: tuple[int, ...]


def _exponents(allowed: Callable[[int, int, int], bool]) -> Points:
    """Exponents up to 2 that are allowed."""
    return tuple((a, b, c) for a, b, c in product(range(3), repeat=3) if allowed(a, b, c))


TETRAHEDRON = Family(
    corners=((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)),
    edges=((0, 1), (1, 2), (2, 0), (0, 3), (1, 3), (2, 3)),
    faces=((0, 1, 2), (0, 3, 1), (1, 3, 2), (2, 3, 0)),
    linear=_exponents(lambda a, b, c: a + b + c <= 1),
    quadratic=_exponents(lambda a, b, c: a + b + c <= 2),
    weight=(2, 1),
    mirror=(0, 2, 1, 3),
)
WEDGE = Family(
    corners=((0, 0, -1), (1, 0, -1), (0, 1, -1), (0, 0, 1), (1, 0, 1), (0, 1, 1)),
    edges=((0, 1), (1, 2), (2, 0), (3, 4), (4, 5), (5, 3), (0, 3), (1, 4), (2, 5)),
    faces=((0, 1, 2), (3, 5, 4), (0, 3, 4, 1), (1, 4, 5, 2), (2, 5, 3, 0)),
    linear=_exponents(lambda a, b, c: a + b <= 1 and c <= 1),
    quadratic=_exponents(lambda a, b, c: a + b <= 2 and a + b + c <= 3),
    weight=(1, 0),
    mirror=(3, 4, 5, 0, 1, 2),
)
HEXAHEDRON = Family(
    corners=(
        *((-1, -1, -1), (1, -1, -1), (1, 1, -1), (-1, 1, -1)),
        *((-1, -1, 1), (1, -1, 1), (1, 1, 1), (-1, 1, 1)),
    ),
    edges=(
        *((0, 1), (1, 2), (2, 3), (3, 0), (4, 5), (5, 6)),
        *((6, 7), (7, 4), (0, 4), (1, 5), (2, 6), (3, 7)),
    ),
    faces=((0, 1, 2, 3), (4, 7, 6, 5), (0, 4, 5, 1), (1, 5, 6, 2), (2, 6, 7, 3), (3, 7, 4, 0)),
    linear=_exponents(lambda a, b, c: max(a, b, c) <= 1),
    # one square at most, and beside it first powers (Arnold and Awanou 2011, serendipity)
    quadratic=_exponents(lambda a, b, c: sum(e for e in (a, b, c) if e > 1) <= 2),
    weight=(0, 0),
    mirror=(4, 5, 6, 7, 0, 1, 2, 3),
)


@dataclass(frozen=True)
class Element:
    """A type of element: `name` of Abaqus, its family, whether it has nodes between corners."""

    name: str
    family: Family
    quadratic: bool

    @property
    def nodes(self) -> np.ndarray:
        """Reference coordinates of the nodes, (node, 3)."""
        corners = np.array(self.family.corners, float)
        if not self.quadratic:
            return corners
        return np.concatenate([corners, corners[np.array(self.family.edges)].mean(axis=1)])

    @property
    def count(self) -> int:
        """Nodes of an element."""
        return len(self.family.corners) + self.quadratic * len(self.family.edges)

    @property
    def mirror(self) -> list[int]:
        """The places of the nodes in the order of the other orientation."""
        order = list(self.family.mirror)
        if not self.quadratic:
            return order
        edges = [set(edge) for edge in self.family.edges]
        turned = [{order[a], order[b]} for a, b in self.family.edges]
        return order + [len(order) + edges.index(edge) for edge in turned]

    def face(self, number: int) -> list[int]:
        """The places of the nodes of face S1, S2 and so on, by its number; first the corners."""
        corners = self.family.faces[number - 1]
        if not self.quadratic:
            return list(corners)
        between = [
            len(self.family.corners) + k
            for k, edge in enumerate(self.family.edges)
            if set(edge) <= set(corners)
        ]
        return [*corners, *between]


ELEMENTS = {
    name: Element(name, family, quadratic)
    for family, quadratic, names in (
        (TETRAHEDRON, False, ("C3D4",)),
        (TETRAHEDRON, True, ("C3D10",)),
        (WEDGE, False, ("C3D6",)),
        (WEDGE, True, ("C3D15",)),
        (HEXAHEDRON, False, ("C3D8", "C3D8I", "C3D8R")),
        (HEXAHEDRON, True, ("C3D20", "C3D20R")),
    )
    for name in names
}


@cache
def quadrature(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights (point,), shape functions (point, node) and their derivatives (point, 3, node) at the
    Gauss points of a type of element.

    2 points along each edge where the element is linear, 3 where it is quadratic: volumes are
    exact, and centroids too, but for C3D15 and C3D20 with curved edges.
    """
    element = ELEMENTS[name]
    count = 3 if element.quadratic else 2
    rules = [roots_jacobi(count, power, 0) for power in (*element.family.weight, 0)]
    points, weights = _collapsed(element.family, rules)
    return weights, *_shape_functions(element, points)


@cache
def pieces(name: str, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As `quadrature`, at the middles of `count`^3 pieces that a type of element is cut into, along
    the edges of the cube that collapses into the form; a weight is the volume of a piece.
    """
    element = ELEMENTS[name]
    ends = np.linspace(-1.0, 1.0, count + 1)
    middles, left = (ends[1:] + ends[:-1]) / 2, 1 - ends
    rules = [
        (middles, -np.diff(left ** (power + 1)) / (power + 1))
        for power in (*element.family.weight, 0)
    ]
    points, weights = _collapsed(element.family, rules)
    return weights, *_shape_functions(element, points)


def _shape_functions(element: Element, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shape functions (point, node) and their derivatives (point, 3, node) at reference points
    (point, 3).
    """
    exponents = np.array(element.family.quadratic if element.quadratic else element.family.linear)

    def powers(at: np.ndarray, shift: int | None = None) -> np.ndarray:
        """The monomials (point, monomial), or their derivatives by one coordinate."""
        power, factor = exponents.copy(), np.ones(len(exponents))
        if shift is not None:
            factor = exponents[:, shift].astype(float)
            power[:, shift] = np.maximum(power[:, shift] - 1, 0)
        return factor * np.prod(at[:, None] ** power, axis=-1)

    shape = np.linalg.inv(powers(element.nodes))
    derivatives = np.stack([powers(points, axis) @ shape for axis in range(3)], axis=1)
    return powers(points) @ shape, derivatives


def _collapsed(
    family: Family, rules: list[tuple[np.ndarray, np.ndarray]]
) -> tuple[np.ndarray, np.ndarray]:
    """Points (point, 3) and weights (point,) of a form, from places and weights along each axis of
    the cube -1 to 1 that collapses into it (Duffy 1982).
    """
    u, v, w = (grid.ravel() for grid in np.meshgrid(*(rule[0] for rule in rules), indexing="ij"))
    weights = np.prod(np.meshgrid(*(rule[1] for rule in rules), indexing="ij"), axis=0).ravel()
    if family is HEXAHEDRON:
        return np.stack([u, v, w], axis=-1), weights
    # 0 to 1, and what is left of 1 by the coordinates before
    r, s, t = (1 + u) / 2, (1 - u) / 2 * (1 + v) / 2, (1 - u) / 2 * (1 - v) / 2 * (1 + w) / 2
    if family is WEDGE:
        return np.stack([r, s, w], axis=-1), weights / 8
    return np.stack([r, s, t], axis=-1), weights / 64
