"""Sets of nodes and of elements in what meshio reads, whatever the format calls them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from svevae.meshes.mesh import NAME, plain_name

Sets = dict[str, np.ndarray]
DIMENSIONS = ("POINT", "LINE", "SURFACE", "VOLUME")
# cell data with the number of the group, or of the entity, that a cell is of, the first that is
# there; what is before the dimension in the names that gmsh gives these in .inp files
NUMBERS = {
    "gmsh:physical": "PHYSICAL",
    "gmsh:geometrical": "",
    "nastran:ref": "",
    "medit:ref": "",
    "CellEntityIds": "",  # .vtk files of gmsh
}


def sets_of(found: Any, numbers: list[np.ndarray | None]) -> tuple[Sets, Sets, dict[str, str]]:
    """Sets of nodes and of elements of a mesh of meshio's, by their names: its own sets, groups of
    MED, physical groups of gmsh, and where cells have a number alone PHYSICALSURFACE2 or SURFACE2;
    and what became of names that others would have been, see `distinct`. `numbers` are those of the
    elements of each block of cells, None where these are no solids: a set of faces becomes the set
    of their nodes. Nodes are numbered from 1.
    """
    nodes_of, members_of = _nodes(found), _members(found)
    names = distinct([*nodes_of, *members_of])
    node_sets = {
        names[name]: np.unique(np.concatenate(parts)) + 1 for name, parts in nodes_of.items()
    }
    element_sets: Sets = {}
    for name, parts in members_of.items():
        solids, nodes = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        for cells, own, members in zip(found.cells, numbers, parts, strict=True):
            if own is None:
                nodes.append(np.asarray(cells.data, np.int64)[members].ravel() + 1)
            else:
                solids.append(own[members])
        if (elements := np.concatenate(solids)).size:
            element_sets[names[name]] = np.unique(elements)
        if (faces := np.concatenate(nodes)).size:
            node_sets.setdefault(names[name], np.unique(faces))
    there = {*node_sets, *element_sets}
    others = {name: own for name, own in names.items() if own in there and own != plain_name(name)}
    return node_sets, element_sets, others


def distinct(names: Iterable[str]) -> dict[str, str]:
    """Names that .inp files may have, by those of a file; of some that would be the same, such as
    "top" and "Top", those after the first end in _2, _3.
    """
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in dict.fromkeys(names):
        own = plain = plain_name(name)
        number = 1
        while own in taken:
            number += 1
            own = f"{plain[: NAME - 6]}_{number}"
        found[name] = own
        taken.add(own)
    return found


def _nodes(found: Any) -> dict[str, list[np.ndarray]]:
    """Rows of the points in each set, by its name."""
    sets = {name: [np.asarray(one, np.int64)] for name, one in found.point_sets.items()}
    tags = found.point_data.get("point_tags")
    for family, groups in getattr(found, "point_tags", {}).items():
        rows = np.flatnonzero(np.asarray(tags) == family)
        for name in groups if rows.size else ():
            sets.setdefault(name, []).append(rows)
    return sets


def _members(found: Any) -> dict[str, list[np.ndarray]]:
    """Which cells of each block are in a set, by its name."""
    none = np.empty(0, np.int64)
    sets = {
        name: [none if part is None else np.asarray(part, np.int64) for part in parts]
        for name, parts in found.cell_sets.items()
        if not name.startswith("gmsh:")  # what bounds what, no set
    }
    sets |= _of_families(found) | _of_numbers(found)
    return sets


def _of_families(found: Any) -> dict[str, list[np.ndarray]]:
    """Groups of MED: each cell is of one family, and each family in some groups."""
    groups: dict[str, list[int]] = {}
    for family, names in getattr(found, "cell_tags", {}).items():
        for name in names:
            groups.setdefault(name, []).append(family)
    tags = found.cell_data.get("cell_tags", [])
    return {
        name: [np.flatnonzero(np.isin(one, families)) for one in tags]
        for name, families in groups.items()
    }


def _of_numbers(found: Any) -> dict[str, list[np.ndarray]]:
    """Physical groups of gmsh, and numbers that have no name."""
    given = [key for key in NUMBERS if key in found.cell_data]
    # gmsh writes 0 for all groups where it saves what is in none, too
    told = [
        key for key in given if any((np.asarray(one) > 0).any() for one in found.cell_data[key])
    ]
    key = next(iter(told), None)
    if key is None:
        return {}
    tags = [np.asarray(one).ravel() for one in found.cell_data[key]]
    dimensions = [cells.dim for cells in found.cells]
    if [len(one) for one in tags] != [len(cells.data) for cells in found.cells]:
        return {}  # meshio leaves out cells of Nastran without a property
    groups = {
        (number, dimension): f"{NUMBERS[key]}{DIMENSIONS[dimension]}{number}"
        for one, dimension in zip(tags, dimensions, strict=True)
        for number in np.unique(one).tolist()
        if number > 0  # 0 and -1 are of none
    }
    if key == "gmsh:physical":
        for name, (number, dimension) in found.field_data.items():
            groups[int(number), int(dimension)] = name
    return {
        name: [
            np.flatnonzero((one == number) & (own == dimension))
            for one, own in zip(tags, dimensions, strict=True)
        ]
        for (number, dimension), name in groups.items()
    }
