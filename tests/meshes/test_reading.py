"""Formats that meshio reads: types of elements, physical groups of gmsh, what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import meshio
import numpy as np
import pytest

from svevae.errors import DataError
from svevae.meshes.elements import ELEMENTS
from svevae.meshes.readable import complete
from svevae.meshes.reading import NAMES, read_mesh
from tests.meshes.bars import bar

GMSH = """$MeshFormat
2.2 0 8
$EndMeshFormat
$PhysicalNames
2
2 1 "left face"
3 2 "body"
$EndPhysicalNames
$Nodes
4
1 0 0 0
2 1 0 0
3 0 1 0
4 0 0 1
$EndNodes
$Elements
2
1 2 2 1 1 1 3 4
2 4 2 2 1 1 2 3 4
$EndElements
"""


INVERTED = """*NODE
1, 0, 0, 0
2, 1, 0, 0
3, 0, 1, 0
4, 0, 0, 1
*ELEMENT, TYPE=C3D4, ELSET=A
1, 1, 3, 2, 4
"""
PARTLY = """$MeshFormat
4.1 0 8
$EndMeshFormat
$Entities
0 0 1 1
1 0 0 0 1 1 0 0 0
1 0 0 0 1 1 1 1 7 0
$EndEntities
$Nodes
1 4 1 4
3 1 0 4
1
2
3
4
0 0 0
1 0 0
0 1 0
0 0 1
$EndNodes
$Elements
2 2 1 2
2 1 2 1
1 1 2 3
3 1 4 1
2 1 2 3 4
$EndElements
"""  # with Mesh.SaveAll: a surface in no physical group


@pytest.mark.parametrize("kind", sorted({"C3D4", "C3D6", "C3D8", "C3D10", "C3D15", "C3D20"}))
@pytest.mark.parametrize("suffix", [".vtu", ".vtk", ".msh", ".inp"])
def test_types_of_elements(kind: str, suffix: str, tmp_path: Path) -> None:
    """As meshio writes them; each format has an order of nodes of its own."""
    complete()
    mesh, path = bar(kind, (2, 1, 1)), tmp_path / f"a{suffix}"
    cells = mesh.rows(mesh.blocks[0].nodes)
    how = {"file_format": "gmsh"} if suffix == ".msh" else {}
    meshio.write(path, meshio.Mesh(mesh.points, [(NAMES[kind], cells)]), **how)
    found = read_mesh(path)
    np.testing.assert_allclose(found.geometry()[1], mesh.geometry()[1])
    np.testing.assert_allclose(found.geometry()[0], mesh.geometry()[0], atol=1e-12)
    assert found.elements.tolist() == list(range(1, 1 + len(cells)))
    reduced = suffix == ".inp" and kind in ("C3D8", "C3D20")  # as meshio's writer has them
    assert found.blocks[0].kind == kind + "R" * reduced


def test_physical_groups_of_gmsh(tmp_path: Path) -> None:
    path = tmp_path / "a.msh"
    path.write_text(GMSH, encoding="utf-8")
    mesh = read_mesh(path)
    assert mesh.face("left_face").tolist() == [1, 3, 4]
    assert mesh.element_sets["BODY"].tolist() == [1]
    assert "1 of triangle" in mesh.remarks[0]


def test_names_that_would_be_the_same_are_told(tmp_path: Path) -> None:
    text = GMSH.replace("$PhysicalNames\n2", "$PhysicalNames\n3").replace(
        "body", 'body"\n2 3 "Body'
    )
    text = text.replace("$Elements\n2", "$Elements\n3").replace(
        "2 4 2 2", "3 2 2 3 2 1 2 3\n2 4 2 2"
    )
    path = tmp_path / "a.msh"
    path.write_text(text, encoding="utf-8")
    mesh = read_mesh(path)
    assert mesh.face("BODY").tolist() == [1, 2, 3]
    assert mesh.element_sets["BODY_2"].tolist() == [1]
    assert mesh.remarks[-1].endswith("'body' is BODY_2")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.msh", GMSH.replace("2\n1 2", "1\n1 2").replace("2 4 2 2 1 1 2 3 4\n", ""), "1 of"),
        (
            "a.msh",
            PARTLY,
            "Incompatible cell data .*; in gmsh save as .inp, or without Mesh.SaveAll and with",
        ),
        ("a.msh", GMSH.replace("4 0 0 1", "4 0 0 nan"), "node 4: expected finite coordinates"),
        ("a.msh", GMSH.replace("1 2 3 4", "1 2 3 3"), "1 element: expected volumes above 0"),
        ("a.msh", GMSH.replace("4 0 0 1", "5 0 0 1"), ""),
        ("a.inp", INVERTED, "1 element: expected volumes above 0"),
        ("a.msh", "no mesh", "expected a mesh that meshio reads"),
        ("a.xyz", "no mesh", "expected a mesh that meshio reads"),
        ("b.msh", None, "expected the file of a mesh, received none"),
    ],
)
def test_bad_files(name: str, text: str | None, message: str, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=f"{name}: .*{message}"):
        read_mesh(tmp_path / name)


def test_voxels_of_vtk_are_no_cells(tmp_path: Path) -> None:
    """VTK_VOXEL, type 11, as pyvista casts an image, meshio leaves out."""
    mesh, path = bar("C3D8"), tmp_path / "a.vtu"
    cells = [("hexahedron", mesh.rows(mesh.blocks[0].nodes))]
    meshio.write(path, meshio.Mesh(mesh.points, cells), binary=False)
    text, times = re.subn(
        r'(Name="types"[^>]*>\s*)12', r"\g<1>11", path.read_text(encoding="utf-8")
    )
    assert times == 1
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match="expected solid elements alone"):
        read_mesh(path)


def test_every_type_has_a_name_of_meshio() -> None:
    for kind, name in NAMES.items():
        assert meshio._mesh.num_nodes_per_cell[name] == ELEMENTS[kind].count
