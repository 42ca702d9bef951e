"""Meshes as Abaqus/CAE, gmsh and people write them, and what is wrong with others."""

from __future__ import annotations

from pathlib import Path

import pytest

from svevae.errors import DataError
from svevae.meshes.inp import read_inp

NODES = """*NODE, NSET=every
10, 0., 0., 0.
20, 1.0D+00
30, 0., 1., 0.
40, , , 1.
"""
MESH = NODES + "*ELEMENT, TYPE=c3d4, ELSET=Solid\n5, 10, 20,\n30, 40\n"


def read(folder: Path, text: str):
    path = folder / "a.inp"
    path.write_text(text, encoding="utf-8")
    return read_inp(path)


def test_numbers_sets_and_surfaces(tmp_path: Path) -> None:
    """Fortran's exponent, coordinates left out, an element over two lines."""
    mesh = read(
        tmp_path,
        MESH + "*NSET, NSET=Base, GENERATE\n10, 30, 10\n*NSET, NSET=more\nbase, 40\n"
        "*NSET, NSET=all, ELSET=solid\n*SURFACE, NAME=skin\nsolid, S1\n"
        "*SURFACE, NAME=points, TYPE=NODE\nbase, 1.\n*STEP\n*STATIC\n*END STEP\n",
    )
    assert mesh.numbers.tolist() == [10, 20, 30, 40]
    assert mesh.points.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
    [block] = mesh.blocks
    assert (block.kind, block.numbers.tolist()) == ("C3D4", [5])
    assert block.nodes.tolist() == [[10, 20, 30, 40]]
    sets = {name: members.tolist() for name, members in mesh.node_sets.items()}
    every, base = [10, 20, 30, 40], [10, 20, 30]
    assert sets == {"EVERY": every, "BASE": base, "MORE": every, "ALL": every, "POINTS": base}
    assert mesh.element_sets["SOLID"].tolist() == [5]
    assert mesh.face("skin").tolist() == base
    assert mesh.remarks == (
        "of the file, its mesh alone is read, and not *STEP, *STATIC, *ENDSTEP",
    )


def test_a_part_of_abaqus_cae(tmp_path: Path) -> None:
    frame = "*Heading\n** Job name: a\n*Part, name=P\n{}*End Part\n*Assembly, name=A\n"
    frame += "*Instance, name=P-1, part=P\n{}*End Instance\n*Nset, nset=Top, instance=P-1\n 40,\n"
    frame += "*End Assembly\n"
    mesh = read(tmp_path, frame.format(MESH, ""))
    assert mesh.face("top").tolist() == [40]
    with pytest.raises(DataError, match=r"line 14: expected one part in .* received a moved one"):
        read(tmp_path, frame.format(MESH, "1., 0., 0.\n"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
def test_names_of_sets_in_any_encoding(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "a.inp"
    path.write_text(MESH + "*NSET, NSET=C\u00f4t\u00e9\n10\n", encoding=encoding)
    assert read_inp(path).node_sets["C\u00d4T\u00c9"].tolist() == [10]


def test_shells_beside_solids_are_sets_of_nodes(tmp_path: Path) -> None:
    """As gmsh writes faces of a solid."""
    text = MESH.replace("*ELEMENT", "*ELEMENT, TYPE=CPS3, ELSET=Surface1\n1, 10, 20, 30\n*ELEMENT")
    mesh = read(tmp_path, text + "*ELSET, ELSET=bottom\n1\n*ELSET, ELSET=both\n1, 5\n")
    assert mesh.node_sets["SURFACE1"].tolist() == [10, 20, 30]
    assert mesh.face("bottom").tolist() == mesh.face("both").tolist() == [10, 20, 30]
    assert {name: one.tolist() for name, one in mesh.element_sets.items()} == {
        "SOLID": [5],
        "BOTH": [5],
    }
    assert "1 of CPS3" in mesh.remarks[0]
    with pytest.raises(DataError, match=r"expected solid elements, .*, received 1 of S3"):
        read(tmp_path, NODES + "*ELEMENT, TYPE=S3\n1, 10, 20, 30\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected solid elements, of type C3D4, .*, received no elements"),
        (NODES, "received no elements"),
        (MESH.replace("c3d4", "C3D27"), r"line 6: expected TYPE=C3D4, .*, received C3D27"),
        (MESH.replace("TYPE=c3d4, ", ""), "line 6: expected TYPE=.*, received no type"),
        (MESH.replace("30, 40", "30"), "line 7: expected an element of C3D4: its number and 4 no"),
        (MESH.replace("30, 40", "30, 40, 10"), "line 7: expected an element of C3D4"),
        (MESH.replace("30, 40", "30, x"), "line 8: expected whole numbers, received 'x'"),
        (MESH.replace("30, 40", "30, 50"), "element 5: expected nodes of the mesh, received 50"),
        (MESH.replace("0., 1., 0.", "0., one, 0."), "line 4: expected a node: its number and x"),
        (
            MESH.replace("0., 1., 0.", "0., nan, 0."),
            "line 4: expected a whole number above 0 and fin",
        ),
        (MESH.replace("0., 1., 0.", "0., 1., 0., 2."), "line 4: expected a node"),
        (MESH.replace("30, 0.", "30.5, 0."), "line 4: expected a node: its number"),
        (
            MESH.replace("30, 0., 1., 0.", "1e999, 0., 1.0D0, 0."),
            "line 4: expected a node: its number and x",
        ),
        (MESH.replace("10, 0.", "20, 0."), "node 20: expected one of this number, received two"),
        (MESH + "*NSET\n10\n", "line 9: expected NSET=NAME"),
        (MESH + "*NSET, NSET=a\nb\n", "line 10: expected numbers or names of sets .* 'b'"),
        (MESH + "*NSET, NSET=a\n70\n", "set A: expected nodes of the mesh, received 70"),
        (MESH + "*ELSET, ELSET=a, GENERATE\n5\n", "line 10: expected first, last, step"),
        (MESH + "*SURFACE, NAME=a\nb, S1\n", "line 10: expected an element or a set of elements"),
        (MESH + "*SURFACE, NAME=a\nsolid, S7\n", "line 10: expected a face from S1 to S6"),
    ],
)
def test_bad_meshes(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path, text)
