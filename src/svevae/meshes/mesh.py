"""A mesh of solid elements, with the numbers and the names that its author gave."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from svevae.errors import DataError
from svevae.meshes.elements import ELEMENTS, HEXAHEDRON, quadrature
from svevae.words import counted, some

CHUNK = 1 << 14  # elements whose Gauss points are in memory at a time
FACES = ("XMIN", "XMAX", "YMIN", "YMAX", "ZMIN", "ZMAX")  # of the box round the mesh
HIGHEST = 999_999_999  # number; CalculiX takes larger ones for others
NAME = 80  # characters of the name of a set, at most
FLAT = 1e-6  # of the longest edge of the box: how near a face its nodes are


@dataclass(frozen=True)
class Block:
    """Elements of one type of Abaqus: their `numbers` (element,) and `nodes` (element, node), which
    are numbers of nodes.
    """

    kind: str
    numbers: np.ndarray
    nodes: np.ndarray


@dataclass(frozen=True)
class Mesh:
    """Nodes and their coordinates `points` (node, 3), blocks of elements and named sets.

    Numbers are those of the file. Names of sets are in capitals, since Abaqus and CalculiX do not
    tell them apart. A surface is a list of pairs: a number of an element or the name of a set of
    elements, and a face, such as S1. `remarks` say what of the file is not here. Raises DataError
    where a number is there twice, a coordinate is not finite, and an element names a node that is
    not there.
    """

    numbers: np.ndarray
    points: np.ndarray
    blocks: tuple[Block, ...]
    node_sets: Mapping[str, np.ndarray] = field(default_factory=dict)
    element_sets: Mapping[str, np.ndarray] = field(default_factory=dict)
    surfaces: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for noun, numbers in (("node", self.numbers), ("element", self.elements)):
            known, times = np.unique(numbers, return_counts=True)
            if (twice := known[times > 1]).size:
                raise DataError(f"{noun} {twice[0]}: expected one of this number, received two")
            if known.size and known[-1] > HIGHEST:
                raise DataError(
                    f"{noun} {known[-1]}: expected numbers up to {HIGHEST}, as Abaqus has them"
                )
        if (lost := ~np.isfinite(self.points).all(axis=1)).any():
            node = int(np.argmax(lost))
            raise DataError(
                f"node {self.numbers[node]}: expected finite coordinates, received"
                f" {', '.join(f'{one:g}' for one in self.points[node])}"
            )
        for block in self.blocks:
            if (lost := ~np.isin(block.nodes, self.numbers)).any():
                element, place = np.argwhere(lost)[0]
                raise DataError(
                    f"element {block.numbers[element]}: expected nodes of the mesh, received"
                    f" {block.nodes[element, place]}, which is not there"
                )
        for noun, sets, known in (
            ("node", self.node_sets, self.numbers),
            ("element", self.element_sets, self.elements),
        ):
            for name, members in sets.items():
                if (lost := members[~np.isin(members, known)]).size:
                    raise DataError(
                        f"set {name}: expected {noun}s of the mesh, received {lost[0]}, which is"
                        " not there"
                    )

    @property
    def elements(self) -> np.ndarray:
        """Numbers of all elements, (element,), block by block."""
        return np.concatenate([np.empty(0, np.int64), *(block.numbers for block in self.blocks)])

    def rows(self, nodes: np.ndarray) -> np.ndarray:
        """Where the nodes of these numbers stand in `points`."""
        order = np.argsort(self.numbers, kind="stable")
        return order[np.searchsorted(self.numbers, nodes, sorter=order)]

    def geometry(self) -> tuple[np.ndarray, np.ndarray]:
        """Centroids (element, 3) and volumes (element,) of all elements, by Gauss quadrature.

        Raises DataError, which names them, where elements are inverted or so distorted that the
        Jacobian is not positive at a Gauss point: no code would take them.
        """
        return self._geometry

    @cached_property
    def _geometry(self) -> tuple[np.ndarray, np.ndarray]:
        centres, volumes, bad = [], [], []
        for block in self.blocks:
            weights, shape, derivatives = quadrature(block.kind)
            rows = self.rows(block.nodes)
            for start in range(0, len(rows), CHUNK):
                corner = self.points[rows[start : start + CHUNK]]
                with np.errstate(all="ignore"):  # of coordinates at the end of what floats reach
                    jacobian = np.linalg.det(np.einsum("gij,ejk->egik", derivatives, corner))
                share = jacobian * weights
                volume = share.sum(axis=1)
                wrong = ~((jacobian > 0) & np.isfinite(jacobian)).all(axis=1)
                bad += block.numbers[start : start + CHUNK][wrong].tolist()
                volumes.append(volume)
                places = np.einsum("gj,ejk->egk", shape, corner)
                centre = np.einsum("eg,egk->ek", share, places)
                centres.append(centre / np.where(wrong, 1.0, volume)[:, None])
        if bad:
            raise DataError(
                f"{counted(len(bad), 'element')}: expected volumes above 0, received inverted or"
                f" too distorted: {some(list(map(str, bad)), 10)}"
            )
        return np.concatenate(centres), np.concatenate(volumes)

    def oriented(self) -> Mesh:
        """The nodes of a block in the other order, where each element of it is inverted: a
        convention of its author, as MED has it, and meshio of wedges in .vtu files.
        """
        blocks, turned = [], set()
        for block in self.blocks:
            element = ELEMENTS[block.kind]
            # three edges from the first corner of a form make a right-handed frame
            ends = (1, 3, 4) if element.family is HEXAHEDRON else (1, 2, 3)
            corner = self.points[self.rows(block.nodes[:, (0, *ends)])]
            with np.errstate(all="ignore"):
                frames = np.linalg.det(corner[:, 1:] - corner[:, :1])
            if (frames < 0).all():
                block = replace(block, nodes=block.nodes[:, element.mirror])
                turned.add(block.kind)
            blocks.append(block)
        if not turned:
            return self
        remark = (
            f"all {', '.join(sorted(turned))} had the other orientation: their nodes are turned"
        )
        return replace(self, blocks=tuple(blocks), remarks=(*self.remarks, remark))

    def used(self) -> np.ndarray:
        """Numbers of the nodes that elements have, sorted."""
        return np.unique(np.concatenate([block.nodes.ravel() for block in self.blocks]))

    @cached_property
    def bodies(self) -> np.ndarray:
        """Of each node (node,) the number of its body, the elements that share nodes with each
        other; -1 of nodes that no element has.
        """
        ends = [self.rows(block.nodes) for block in self.blocks]
        first = np.concatenate([np.repeat(rows[:, 0], rows.shape[1] - 1) for rows in ends])
        other = np.concatenate([rows[:, 1:].ravel() for rows in ends])
        count = len(self.numbers)
        graph = coo_array((np.ones(len(first), bool), (first, other)), (count, count))
        _, body = connected_components(graph, directed=False)
        return np.where(np.isin(self.numbers, self.used()), body, -1)

    def face(self, name: str) -> np.ndarray:
        """Numbers of the nodes of a set of nodes, a surface, or a face of the box round the mesh,
        such as ZMAX; only those that elements have. Names are taken as they are in the file, too.
        Raises DataError where there is none.
        """
        wanted, used = name.upper(), self.used()
        as_read = (wanted, "".join(wanted.replace('"', "").split()), plain_name(name))
        known = (one for one in as_read if one in self.node_sets or one in self.surfaces)
        wanted = next(known, wanted)
        if wanted in self.node_sets:
            found = np.intersect1d(self.node_sets[wanted], used)
        elif wanted in self.surfaces:
            found = self._surface_nodes(wanted)
        elif wanted in FACES:
            points = self.points[self.rows(used)]
            axis, end = divmod(FACES.index(wanted), 2)
            low, high = points.min(axis=0), points.max(axis=0)
            near = np.abs(points[:, axis] - (low, high)[end][axis]) <= FLAT * (high - low).max()
            found = used[near]
        else:
            names = [*self.node_sets, *self.surfaces]
            raise DataError(
                f"{name}: expected a set of nodes, a surface or one of {', '.join(FACES)}; the mesh"
                f" has {some(names, 10) if names else 'neither sets of nodes nor surfaces'}"
            )
        if not found.size:
            raise DataError(f"{name}: expected nodes of elements, received an empty set")
        return found

    def _surface_nodes(self, name: str) -> np.ndarray:
        found = []
        for members, face in self.surfaces[name]:
            numbers = np.array([int(members)]) if members.isdigit() else self.element_sets[members]
            for block in self.blocks:
                places = ELEMENTS[block.kind].face(int(face[1:]))
                found.append(block.nodes[np.isin(block.numbers, numbers)][:, places].ravel())
        return np.unique(np.concatenate(found))

    def with_kinds(self, kinds: Mapping[str, str]) -> Mesh:
        """Elements of another type in place of those that `kinds` names, with the same nodes."""
        blocks = [replace(one, kind=kinds.get(one.kind, one.kind)) for one in self.blocks]
        return replace(self, blocks=tuple(blocks))

    def only(self, kept: np.ndarray) -> Mesh:
        """The elements with `kept` (element,) bool, in the order of `elements`, and their nodes;
        sets and surfaces lose the others.
        """
        blocks, start = [], 0
        for block in self.blocks:
            here = kept[start : start + len(block.numbers)]
            start += len(block.numbers)
            if here.any():
                blocks.append(replace(block, numbers=block.numbers[here], nodes=block.nodes[here]))
        left = replace(self, blocks=tuple(blocks), node_sets={}, element_sets={}, surfaces={})
        nodes, elements = left.used(), left.elements
        there, sets = np.isin(self.numbers, nodes), _within(self.element_sets, elements)
        return replace(
            left,
            numbers=self.numbers[there],
            points=self.points[there],
            node_sets=_within(self.node_sets, nodes),
            element_sets=sets,
            surfaces={
                name: tuple(
                    one
                    for one in pairs
                    if (int(one[0]) in elements if one[0].isdigit() else sets[one[0]].size)
                )
                for name, pairs in self.surfaces.items()
            },
        )


def plain_name(name: str) -> str:
    """A name that .inp files may have."""
    return re.sub(r"[^A-Z0-9_.-]", "_", name.upper())[:NAME]


def _within(sets: Mapping[str, np.ndarray], known: np.ndarray) -> dict[str, np.ndarray]:
    return {name: members[np.isin(members, known)] for name, members in sets.items()}
