"""Centroids and volumes against exact ones, sets and faces, what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from svevae.errors import DataError
from svevae.meshes.elements import ELEMENTS
from svevae.meshes.mesh import Block, Mesh
from tests.meshes.bars import bar


@pytest.mark.parametrize("kind", ELEMENTS)
def test_the_volumes_of_a_box_add_up(kind: str) -> None:
    """A box of 2 x 1 x 3 cubes, sheared and stretched: volume and centroid are exact."""
    mesh = bar(kind, (2, 1, 3), 0.5)
    shear = np.array([[1.0, 0.3, 0], [0, 2.0, 0.1], [0, 0, 1.5]])
    mesh = replace(mesh, points=mesh.points @ shear.T + 4)
    centres, volumes = mesh.geometry()
    assert volumes.sum() == pytest.approx(6 * 0.5**3 * np.linalg.det(shear))
    centre = volumes @ centres / volumes.sum()
    np.testing.assert_allclose(centre, shear @ [0.5, 0.25, 0.75] + 4)


def test_a_curved_tetrahedron() -> None:
    """The middles of its edges on the axes x and y are moved by b out of the face z = 0, and so
    along the faces x = 0 and y = 0. Each of these quadratic shape functions has the integral 1/6
    over the face: the volume is 1/6 + 2 b / 6.
    """
    nodes, bulge = ELEMENTS["C3D10"].nodes, 0.05
    nodes[[4, 6], 2] -= bulge
    one = Mesh(np.arange(10), nodes, (Block("C3D10", np.array([1]), np.arange(10)[None]),))
    assert one.geometry()[1][0] == pytest.approx(1 / 6 + 2 * bulge / 6)


def test_inverted_elements_are_named() -> None:
    mesh = bar("C3D8", (1, 1, 3))
    nodes = mesh.blocks[0].nodes.copy()
    nodes[1] = nodes[1][[4, 5, 6, 7, 0, 1, 2, 3]]
    with pytest.raises(DataError, match=r"1 element: expected volumes above 0, .*: 14$"):
        replace(mesh, blocks=(replace(mesh.blocks[0], nodes=nodes),)).geometry()


def test_coordinates_that_no_number_can_hold() -> None:
    """Their products overflow, without a warning of numpy's."""
    mesh = bar("C3D8", (1, 1, 2))
    points = mesh.points.copy()
    points[points[:, 2] > 1.5] *= 1e200
    with pytest.raises(DataError, match="expected volumes above 0"):
        replace(mesh, points=points).oriented().geometry()


def test_a_mesh_of_the_other_orientation() -> None:
    """As MED has it, turned; where some elements are inverted, they are errors."""
    mesh = bar("C3D20", (1, 1, 2))
    nodes = mesh.blocks[0].nodes[:, ELEMENTS["C3D20"].mirror]
    turned = replace(mesh, blocks=(replace(mesh.blocks[0], nodes=nodes),)).oriented()
    np.testing.assert_allclose(turned.geometry()[1], 1)
    assert "other orientation" in turned.remarks[0]
    assert mesh.oriented() is mesh


def test_faces_by_any_name() -> None:
    """A set, a surface, and a face of the box are the same nodes; capitals do not matter."""
    mesh = bar("C3D20", (2, 1, 2))
    last = mesh.blocks[0].numbers[1::2]  # z is fastest
    mesh = replace(
        mesh,
        element_sets={"UPPER": last},
        surfaces={"SURF": (("UPPER", "S2"),), "ONE": ((str(last[0]), "S2"),)},
    )
    for name in ("TOP", "surf", "ZMAX", "zmax"):
        np.testing.assert_array_equal(mesh.face(name), mesh.node_sets["TOP"])
    assert len(mesh.face("ONE")) == 8
    with pytest.raises(DataError, match=r"LID: expected a set of nodes.*the mesh has BOTTOM, TOP"):
        mesh.face("LID")


def test_faces_by_names_as_the_file_has_them() -> None:
    """Blanks are left out of those of .inp files, and are _ in those of others."""
    mesh = bar("C3D8")
    top = mesh.node_sets["TOP"]
    mesh = replace(mesh, node_sets={"UPPERFACE": top, "FACE_DU_C_T_": top[:2]})
    np.testing.assert_array_equal(mesh.face("Upper face"), top)
    np.testing.assert_array_equal(mesh.face("face du c\u00f4t\u00e9"), top[:2])


def test_a_part_of_a_mesh_keeps_its_numbers() -> None:
    mesh = bar("C3D8", (1, 1, 3))
    part = mesh.only(np.array([True, True, False]))
    assert part.elements.tolist() == [7, 14]
    assert part.node_sets["TOP"].size == 0
    assert part.element_sets["ALL"].tolist() == [7, 14]
    assert set(part.used()) == set(part.numbers) < set(mesh.numbers)
    np.testing.assert_array_equal(part.geometry()[0], mesh.geometry()[0][:2])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"numbers": np.full(8, 11)}, "node 11: expected one of this number, received two"),
        ({"numbers": np.arange(8)}, r"element 7: expected nodes of the mesh, received \d+"),
        (
            {"points": np.array([[0, np.nan, 1]] * 8)},
            r"node \d+: expected finite coordinates, received 0, nan, 1",
        ),
        (
            {"numbers": np.arange(10**10, 10**10 + 8)},
            "node 10000000007: expected numbers up to 999",
        ),
        ({"node_sets": {"A": np.array([5])}}, "set A: expected nodes of the mesh, received 5"),
        ({"element_sets": {"B": np.array([5])}}, "set B: expected elements of the mesh, receiv"),
    ],
)
def test_what_contradicts_itself_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        replace(bar("C3D8"), **change)
