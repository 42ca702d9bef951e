"""The mesh of an .inp file of Abaqus or CalculiX.

Nodes, elements, sets and surfaces are read, with their numbers. Materials, sections and steps are
not: their names are among the remarks. A file of Abaqus/CAE may have one part, in one instance that
is not moved.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from svevae.errors import DataError
from svevae.meshes.elements import ELEMENTS
from svevae.meshes.keywords import Keyword, capitals, read_keywords
from svevae.meshes.mesh import Block, Mesh
from svevae.words import some

KINDS = ", ".join(ELEMENTS)
# of the same nodes as one that both codes have
ALIKE = {"C3D8RH": "C3D8R", "C3D8H": "C3D8", "C3D8IH": "C3D8I", "C3D20H": "C3D20"}
ALIKE |= {"C3D20RH": "C3D20R", "C3D4H": "C3D4", "C3D6H": "C3D6", "C3D15H": "C3D15"}
ALIKE |= {"C3D10M": "C3D10", "C3D10H": "C3D10", "C3D10MH": "C3D10"}
FRAME = {"PART", "ENDPART", "ASSEMBLY", "ENDASSEMBLY", "INSTANCE", "ENDINSTANCE", "HEADING"}
Sets = dict[str, np.ndarray]


def read_inp(path: Path, alone: bool = False) -> Mesh:
    """Read a mesh. Raises DataError, which names file and line, for what is no such file, for
    keywords that contradict each other, where there are no solid elements, and for a file that
    shall be `alone` and includes another.
    """
    return _Reading(path, alone).mesh()


class _Reading:
    """What of the file has been understood so far."""

    def __init__(self, path: Path, alone: bool):
        self.path, self.alone = path, alone
        self.nodes: list[np.ndarray] = []
        self.points: list[np.ndarray] = []
        self.blocks: list[Block] = []
        self.node_sets: Sets = {}
        self.element_sets: Sets = {}
        self.surfaces: dict[str, tuple[tuple[str, str], ...]] = {}
        self.others: dict[str, int] = {}  # elements that are no solids, by type
        self.faces: dict[int, list[int]] = {}  # the nodes of each of those
        self.left_out: list[str] = []
        self.once: set[str] = set()
        self.remarks: list[str] = []

    def mesh(self) -> Mesh:
        for keyword in read_keywords(self.path, self.alone):
            self.take(keyword)
        if not self.blocks:
            found = some([f"{count} of {kind}" for kind, count in self.others.items()])
            raise DataError(
                f"{self.path}: expected solid elements, of type {KINDS}, received"
                f" {found or 'no elements'}"
            )
        if self.others:
            found = some([f"{count} of {kind}" for kind, count in self.others.items()])
            self.remarks.append(
                f"elements that are no solids are left out, {found}; their sets are sets of nodes"
            )
        if self.left_out:
            found = some([f"*{name}" for name in dict.fromkeys(self.left_out)])
            self.remarks.append(f"of the file, its mesh alone is read, and not {found}")
        solid = np.concatenate([block.numbers for block in self.blocks])
        for name, members in list(self.element_sets.items()):
            rest = members[~np.isin(members, solid)].tolist()
            nodes = [node for one in rest for node in self.faces.get(one, [])]
            if not nodes:
                continue  # numbers that nobody has are for Mesh to refuse
            self.node_sets.setdefault(name, np.unique(nodes))
            members = members[~np.isin(members, [one for one in rest if one in self.faces])]
            del self.element_sets[name]
            if members.size:
                self.element_sets[name] = members
        try:
            return Mesh(
                np.concatenate(self.nodes) if self.nodes else np.empty(0, np.int64),
                np.concatenate(self.points) if self.points else np.empty((0, 3)),
                tuple(self.blocks),
                self.node_sets,
                self.element_sets,
                self.surfaces,
                tuple(self.remarks),
            )
        except DataError as error:
            raise DataError(f"{self.path}: {error}") from error

    def take(self, keyword: Keyword) -> None:
        if keyword.name == "NODE":
            self.take_nodes(keyword)
        elif keyword.name == "ELEMENT":
            self.take_elements(keyword)
        elif keyword.name == "NSET":
            self.take_set(keyword, "NSET", self.node_sets)
        elif keyword.name == "ELSET":
            self.take_set(keyword, "ELSET", self.element_sets)
        elif keyword.name == "SURFACE":
            self.take_surface(keyword)
        elif keyword.name in FRAME:
            self.check_frame(keyword)
        else:
            self.left_out.append(keyword.name)

    def check_frame(self, keyword: Keyword) -> None:
        """One part in one place is a mesh; more is an assembly, whose numbers clash."""
        if keyword.name not in ("PART", "INSTANCE"):
            return
        if keyword.name in self.once or (keyword.name == "INSTANCE" and keyword.lines):
            raise DataError(
                f"{keyword.place}: expected one part in one instance that is not moved, received"
                f" {'a moved one' if keyword.lines else f'another *{keyword.name}'}; mesh the"
                " assembly as one part"
            )
        self.once.add(keyword.name)

    def take_nodes(self, keyword: Keyword) -> None:
        values = keyword.table(4, np.float64)
        if values is None:
            values = self.nodes_by_line(keyword)
        numbers = values[:, 0]
        bad = ~np.isfinite(values).all(axis=1) | (numbers < 1) | (numbers != np.floor(numbers))
        if bad.any():
            k = int(np.argmax(bad))
            expected = "a whole number above 0 and finite coordinates"
            raise keyword.error(k, expected, keyword.lines[k].strip())
        numbers = numbers.astype(np.int64)
        self.nodes.append(numbers)
        self.points.append(values[:, 1:])
        if (name := keyword.get("NSET")) is not None:
            _join(self.node_sets, name, numbers)

    def nodes_by_line(self, keyword: Keyword) -> np.ndarray:
        """Numbers and coordinates, (node, 4); what is left out at the end of a line is 0."""
        rows = keyword.rows()
        values = np.zeros((len(rows), 4))
        for k, row in enumerate(rows):
            try:
                # Fortran's 1.0D+00; a coordinate that is left out is 0
                fields = [float(one.upper().replace("D", "E") or 0) for one in row]
                values[k, : len(fields)] = fields
            except ValueError:
                fields = []
            if not fields or not fields[0].is_integer():
                expected = "a node: its number and x, y, z"
                raise keyword.error(k, expected, keyword.lines[k].strip()) from None
        return values

    def take_elements(self, keyword: Keyword) -> None:
        given = keyword.get("TYPE") or ""
        kind = ALIKE.get(given, given)
        name = keyword.get("ELSET")
        if kind not in ELEMENTS:
            if given.startswith("C3D") or not given:
                raise DataError(
                    f"{keyword.place}: expected TYPE={KINDS}, received {given or 'no type'}"
                )
            self.take_others(keyword, given, name)
            return
        if kind != given:
            self.remarks.append(f"{given} is taken for {kind}")
        count = ELEMENTS[kind].count
        what = f"an element of {kind}: its number and {count} nodes"
        table = keyword.numbers(1 + count, what)
        if not len(table):
            raise DataError(f"{keyword.place}: expected elements, received no data")
        numbers = table[:, 0]
        if (numbers < 1).any():
            raise DataError(
                f"{keyword.place}: expected element numbers above 0, received {numbers.min()}"
            )
        self.blocks.append(Block(kind, numbers, table[:, 1:]))
        if name is not None:
            _join(self.element_sets, name, numbers)

    def take_others(self, keyword: Keyword, kind: str, name: str | None) -> None:
        """Shells, beams and trusses, which meshers write for the faces and edges of a solid: a line
        is an element, as these have few nodes.
        """
        try:
            rows = [[int(one) for one in row] for row in keyword.rows()]
        except ValueError:
            raise DataError(f"{keyword.place}: expected whole numbers in each line") from None
        self.others[kind] = self.others.get(kind, 0) + len(rows)
        self.faces |= {row[0]: row[1:] for row in rows}
        if name is not None:
            _join(self.element_sets, name, np.array([row[0] for row in rows], np.int64))

    def take_set(self, keyword: Keyword, parameter: str, sets: Sets) -> None:
        name = keyword.get(parameter)
        if not name:
            raise DataError(f"{keyword.place}: expected {parameter}=NAME, received none")
        members: list[int] = []
        if parameter == "NSET" and (other := keyword.get("ELSET")) is not None:
            members += self.nodes_of(keyword, other)
        for k, row in enumerate(keyword.rows()):
            if "GENERATE" in keyword.parameters:
                members += _generated(keyword, k, row)
                continue
            for text in row:
                if text.isdigit():
                    members.append(int(text))
                elif (known := sets.get(capitals(text))) is not None:
                    members += known.tolist()
                elif text:
                    expected = "numbers or names of sets before this one"
                    raise keyword.error(k, expected, text)
        _join(sets, name, np.array(members, np.int64))

    def nodes_of(self, keyword: Keyword, name: str) -> Iterator[int]:
        if name not in self.element_sets:
            raise DataError(f"{keyword.place}: expected a set of elements, received ELSET={name}")
        members = self.element_sets[name]
        for block in self.blocks:
            yield from block.nodes[np.isin(block.numbers, members)].ravel().tolist()

    def take_surface(self, keyword: Keyword) -> None:
        """Of elements and faces, or of sets of nodes; another kind is left out."""
        name, kind = keyword.get("NAME"), keyword.get("TYPE") or "ELEMENT"
        rows = [[capitals(one) for one in row] for row in keyword.rows()]
        if not name:
            raise DataError(f"{keyword.place}: expected NAME=NAME, received none")
        if kind == "NODE":
            for k, row in enumerate(rows):
                if row[0] not in self.node_sets and not row[0].isdigit():
                    raise keyword.error(k, "a node or a set of nodes", row[0])
                nodes = self.node_sets.get(row[0])
                found = np.array([int(row[0])]) if nodes is None else nodes
                _join(self.node_sets, name, found)
            return
        if kind != "ELEMENT" or any(len(row) != 2 or row[1][0] != "S" for row in rows):
            self.left_out.append(f"SURFACE, NAME={name}")
            return
        for k, (members, face) in enumerate(rows):
            if not members.isdigit() and members not in self.element_sets:
                raise keyword.error(k, "an element or a set of elements", members)
            if face[1:] not in ("1", "2", "3", "4", "5", "6"):
                raise keyword.error(k, "a face from S1 to S6", face)
        self.surfaces[name] = tuple((members, face) for members, face in rows)


def _generated(keyword: Keyword, k: int, row: list[str]) -> range:
    try:
        first, last, step = (int(one) for one in (*row, "1")[:3])
    except ValueError:
        first, last, step = 1, 0, 0
    if step < 1 or last < first:
        raise keyword.error(k, "first, last, step of GENERATE", keyword.lines[k].strip())
    return range(first, last + 1, step)


def _join(sets: Sets, name: str, members: np.ndarray) -> None:
    """Put `members` to those that the set has, each once, sorted."""
    sets[name] = np.unique(np.concatenate([sets.get(name, np.empty(0, np.int64)), members]))
