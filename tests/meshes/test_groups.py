"""Sets that other formats keep in ways of their own: MED as families of groups, gmsh as physical
groups, Nastran and Medit as numbers.
"""

from __future__ import annotations

from pathlib import Path

import meshio
import numpy as np
import pytest

from svevae.meshes.deck import Pull
from svevae.meshes.groups import distinct, sets_of
from svevae.meshes.reading import read_mesh

BRACKET = Path(__file__).parent / "bracket.med"  # an L of 0.16 mm, as gmsh 4.15 writes it
POINTS = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]], float)
TRIANGLES, TETRAHEDRA = [[0, 1, 2], [1, 2, 4]], [[0, 1, 2, 3], [1, 2, 3, 4]]


def made(**how: object) -> meshio.Mesh:
    cells = [("triangle", TRIANGLES), ("tetra", TETRAHEDRA)]
    return meshio.Mesh(POINTS, cells, **how)


def found(mesh: meshio.Mesh) -> tuple[dict, dict]:
    """Sets with lists in place of arrays; tetrahedra have the numbers 1 and 2."""
    node_sets, element_sets, _ = sets_of(mesh, [None, np.array([1, 2])])
    return tuple(
        {name: members.tolist() for name, members in one.items()}
        for one in (node_sets, element_sets)
    )


def test_groups_of_a_med_file_of_gmsh() -> None:
    """Faces are pulled by their names; elements are no longer inverted; what of a name is beyond
    ASCII is _.
    """
    mesh = read_mesh(BRACKET)
    volume = 0.16 * 0.08 * 0.04 + 0.04 * 0.08 * 0.12
    assert mesh.geometry()[1].sum() == pytest.approx(volume)
    assert mesh.element_sets["BODY"].tolist() == mesh.elements.tolist()
    assert set(mesh.node_sets) == {"BOTTOM", "HAUT_C_T_"}
    for name, face in (("BOTTOM", "ZMIN"), ("haut_c_t_", "ZMAX")):
        assert mesh.face(name).tolist() == mesh.face(face).tolist()
    pull = Pull.between(mesh, "haut_c_t_", "bottom", strain=0.01)
    assert (pull.axis, pull.length) == (2, pytest.approx(0.16))


def test_families_of_several_groups() -> None:
    """A cell, or a point, is of one family, a family in several groups, a group of several
    families.
    """
    mesh = made(
        point_data={"point_tags": np.array([0, 1, 2, 0, 1])},
        cell_data={"cell_tags": [np.array([-1, -2]), np.array([-3, 0])]},
    )
    mesh.point_tags = {1: ["corner"], 2: ["corner", "one"], 3: ["empty"]}
    mesh.cell_tags = {-1: ["top"], -2: ["top", "skin"], -3: ["core", "skin"]}
    node_sets, element_sets = found(mesh)
    assert node_sets == {
        "CORNER": [2, 3, 5],
        "ONE": [3],
        "TOP": [1, 2, 3, 5],
        "SKIN": [2, 3, 5],
    }
    assert element_sets == {"CORE": [1], "SKIN": [1]}


def test_physical_groups_with_and_without_names() -> None:
    """Names are of a number and a dimension; 0 and -1 are no groups."""
    numbers = [np.array([4, -1]), np.array([4, 5])]
    mesh = made(
        cell_data={"gmsh:physical": numbers, "gmsh:geometrical": numbers},
        field_data={"lid, upper": np.array([4, 2])},
    )
    assert found(mesh) == (
        {"LID__UPPER": [1, 2, 3]},
        {"PHYSICALVOLUME4": [1], "PHYSICALVOLUME5": [2]},
    )


@pytest.mark.parametrize("key", ["gmsh:geometrical", "nastran:ref", "medit:ref", "CellEntityIds"])
def test_numbers_alone(key: str) -> None:
    mesh = made(cell_data={key: [np.array([3, 4]), np.array([[3], [3]])]})
    assert found(mesh) == ({"SURFACE3": [1, 2, 3], "SURFACE4": [2, 3, 5]}, {"VOLUME3": [1, 2]})


def test_numbers_of_some_cells_alone() -> None:
    """meshio leaves out those of Nastran's cells without a property."""
    mesh = made()
    mesh.cell_data["nastran:ref"] = [np.array([3]), np.array([3, 3])]
    assert found(mesh) == ({}, {})


def test_groups_that_are_told_apart_by_capitals_and_accents_alone() -> None:
    """Neither takes the other's place, nor is it put to it; a set of nodes and one of cells with
    the same name keep it.
    """
    mesh = made(
        point_sets={"top": np.array([4])},
        cell_sets={
            "Top": [np.array([0]), None],
            "face \u00e9": [np.array([0]), np.array([0])],
            "face \u00e8": [np.array([1]), np.array([1])],
            "top": [None, np.array([1])],
        },
    )
    node_sets, element_sets, others = sets_of(mesh, [None, np.array([1, 2])])
    assert {name: one.tolist() for name, one in node_sets.items()} == {
        "TOP": [5],
        "TOP_2": [1, 2, 3],
        "FACE__": [1, 2, 3],
        "FACE___2": [2, 3, 5],
    }
    assert {name: one.tolist() for name, one in element_sets.items()} == {
        "TOP": [2],
        "FACE__": [1],
        "FACE___2": [2],
    }
    assert others == {"Top": "TOP_2", "face \u00e8": "FACE___2"}


def test_names_that_are_too_long_for_calculix() -> None:
    assert list(distinct(["a" * 100, "a" * 90]).values()) == ["A" * 80, "A" * 74 + "_2"]


def test_entities_where_no_group_is_told() -> None:
    """As gmsh's .msh files of version 2.2 have them with Mesh.SaveAll: all groups are 0."""
    numbers = {
        "gmsh:physical": [np.array([0, 0]), np.array([0, 0])],
        "gmsh:geometrical": [np.array([3, 4]), np.array([1, 1])],
    }
    node_sets, element_sets = found(made(cell_data=numbers))
    assert (set(node_sets), set(element_sets)) == ({"SURFACE3", "SURFACE4"}, {"VOLUME1"})
