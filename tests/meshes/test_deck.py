"""Decks: numbers and sets round trip by our reader and by meshio; lines that CalculiX can read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import meshio
import numpy as np
import pytest

from svevae.errors import DataError
from svevae.meshes.bins import Bins, Curves
from svevae.meshes.deck import Pull, from_folder, read_pull, write_deck
from svevae.meshes.elements import ELEMENTS
from svevae.meshes.inp import read_inp
from svevae.meshes.keywords import read_keywords
from svevae.meshes.mesh import Block, Mesh
from svevae.meshes.reading import NAMES
from tests.meshes.bars import bar

CURVES = Curves(
    np.array([0.002, 0.01, 0.05]),
    np.array([70e3, 50e3]),
    np.array([0.33, 0.3]),
    np.array([[140.0, 200.0, 250.0], [100.0, 150.0, 190.0]]),
)


def halves(mesh: Mesh) -> tuple[Bins, np.ndarray]:
    """Elements of the two materials in turn."""
    which = np.arange(len(mesh.elements)) % 2
    return Bins(CURVES, np.arange(2)), which


@pytest.mark.parametrize("kind", ELEMENTS)
def test_nothing_is_lost(kind: str, tmp_path: Path) -> None:
    """By our reader with numbers and surfaces, by meshio with sets."""
    mesh, path = bar(kind, (2, 1, 3), 1 / 3), tmp_path / "a.inp"
    mesh = replace(mesh, surfaces={"SKIN": (("ALL", "S1"),)}, points=mesh.points - 1e-5 * np.pi)
    write_deck(path, mesh, *halves(mesh), pull=Pull.between(mesh, "TOP", "BOTTOM", 0.02))
    found = read_inp(path)
    np.testing.assert_array_equal(found.numbers, mesh.numbers)
    np.testing.assert_allclose(found.points, mesh.points, rtol=1e-12)
    assert found.surfaces == mesh.surfaces
    [block], [given] = found.blocks, mesh.blocks
    assert block.kind == kind
    np.testing.assert_array_equal(block.numbers, given.numbers)
    np.testing.assert_array_equal(block.nodes, given.nodes)
    for name in ("TOP", "BOTTOM"):
        np.testing.assert_array_equal(found.node_sets[name], np.sort(mesh.node_sets[name]))
    np.testing.assert_array_equal(found.element_sets["SVEVAE_2"], mesh.elements[1::2])
    if kind == "C3D15":
        return  # meshio 5.3.5 cannot hold it
    other = meshio.read(path)
    [cells] = other.cells
    assert cells.type == NAMES[kind]
    np.testing.assert_array_equal(cells.data, mesh.rows(given.nodes))
    np.testing.assert_array_equal(
        np.sort(other.point_sets["TOP"]), np.sort(mesh.rows(mesh.node_sets["TOP"]))
    )


def test_lines_fit_both_codes(tmp_path: Path) -> None:
    """Fields of 20 characters, 16 of them in a line; a material for each bin that is used."""
    mesh, path = bar("C3D20", (2, 2, 2), 1e-7 * np.pi), tmp_path / "a.inp"
    mesh = replace(mesh, points=mesh.points - 1e-101 * np.pi)
    bins, _ = halves(mesh)
    write_deck(path, mesh, bins, np.ones(8, int), ["scan.tif"])
    for line in path.read_text(encoding="utf-8").splitlines():
        fields = line.rstrip(",").split(",")
        assert line.startswith("*") or (
            len(fields) <= 16 and max(len(field.strip()) for field in fields) <= 20
        )
    found = {keyword.name: keyword for keyword in read_keywords(path)}
    assert found["MATERIAL"].parameters == {"NAME": "SVEVAE_2"}
    assert found["ELASTIC"].rows() == [["50000", "0.3"]]
    assert found["PLASTIC"].rows() == [["100", "0"], ["150", "0.007"], ["190", "0.0462"]]
    assert "STEP" not in found
    with pytest.raises(DataError, match=r"a\.inp: expected a deck with a step of tension"):
        read_pull(path)


def test_a_deck_is_a_mesh_again(tmp_path: Path) -> None:
    """The sets that the first one made are made anew."""
    mesh, path = bar("C3D8I", (1, 1, 2)), tmp_path / "a.inp"
    write_deck(path, mesh, *halves(mesh), pull=Pull.between(mesh, "ZMIN", "ZMAX", 0.02))
    once = path.read_text(encoding="utf-8")
    again = read_inp(path)
    write_deck(path, again, *halves(again), pull=Pull.between(again, "ZMIN", "ZMAX", 0.02))
    assert path.read_text(encoding="utf-8") == once
    said = read_pull(path)
    assert said == {"axis": 2, "length": 2.0, "displacement": -0.04, "unit": "mm"}


def test_clamped_faces_do_not_contract(tmp_path: Path) -> None:
    mesh, path = bar("C3D8I", (1, 1, 2)), tmp_path / "a.inp"
    write_deck(
        path, mesh, *halves(mesh), pull=Pull.between(mesh, "TOP", "BOTTOM", 0.02, clamped=True)
    )
    [boundary] = [one for one in read_keywords(path) if one.name == "BOUNDARY"]
    held = [("SVEVAE_HOLD", dof) for dof in "312"] + [("SVEVAE_PULL", dof) for dof in "123"]
    assert sorted((row[0], row[1]) for row in boundary.rows()) == sorted(held)
    assert [row for row in boundary.rows() if len(row) == 4] == [["SVEVAE_PULL", "3", "3", "0.04"]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("TOP", "TOP", 0.1), "expected faces without a common node, received 51 in both"),
        (("TOP", "BOTTOM"), "^strain: expected a fraction above 0, at most 1, received none"),
        (("TOP", "BOTTOM", -0.01), "^strain: expected a fraction above 0.*, received -0.01"),
        (("TOP", "BOTTOM", 2.0), "^strain: expected a fraction .*at most 1, received 2"),
        (("TOP", "BOTTOM", None, -1.0), "^displacement: expected a length above 0.* received -1"),
        (("TOP", "BOTTOM", None, 1.1), "at most 1 mm, the distance of the faces, received 1.1"),
        (("LID", "BOTTOM", 0.1), "^pull LID: expected a set of nodes"),
        (("TOP", "LID", 0.1), "^hold LID: expected a set of nodes"),
        (("TOP", "CORNER", 0.1), "expected faces that lie along x, y or z of each other"),
    ],
)
def test_bad_faces(arguments: tuple, message: str) -> None:
    mesh = bar("C3D8")
    below = mesh.numbers[(mesh.points == [0, 0, 0]).all(axis=1)]
    mesh = replace(mesh, node_sets={**mesh.node_sets, "CORNER": below})
    with pytest.raises(DataError, match=message):
        Pull.between(mesh, *arguments)


def test_pieces_that_nothing_holds() -> None:
    """Two elements that have nodes at the same places, not the same nodes, carry nothing; two bars
    side by side do.
    """
    upper, lower = bar("C3D8"), bar("C3D8")
    block = upper.blocks[0]

    def both(move: list[int]) -> Mesh:
        return Mesh(
            np.concatenate([lower.numbers, lower.numbers + 1000]),
            np.concatenate([lower.points, lower.points + move]),
            (*lower.blocks, Block("C3D8", block.numbers + 1000, block.nodes + 1000)),
        )

    with pytest.raises(DataError, match=r"2 pieces without .*; 4 nodes lie where others do: merge"):
        Pull.between(both([0, 0, 1]), "ZMAX", "ZMIN", 0.01)
    with pytest.raises(DataError, match=r"received 2 pieces without nodes of both, .* node \d+$"):
        Pull.between(both([0, 0, 3]), "ZMAX", "ZMIN", 0.01)
    assert len(Pull.between(both([3, 0, 0]), "ZMAX", "ZMIN", 0.01).pulled) == 8


def test_a_step_is_named_from_the_folder_of_the_deck(tmp_path: Path) -> None:
    mesh, deck = bar("C3D8", (2, 1, 1)), tmp_path / "decks" / "part.inp"
    deck.parent.mkdir()
    assert from_folder(tmp_path / "decks" / "a.inp", deck) == "a.inp"
    name = from_folder(tmp_path / "steps" / "a.inp", deck)
    assert name == "../steps/a.inp"
    write_deck(deck, mesh, *halves(mesh), step=name)
    assert deck.read_text(encoding="utf-8").endswith("\n*INCLUDE, INPUT=../steps/a.inp\n")
    for bad in ("my step.inp", "a,b.inp", f"{'a' * 120}.inp"):
        with pytest.raises(DataError, match="of at most 100 characters without blanks and commas"):
            from_folder(tmp_path / bad, deck)
