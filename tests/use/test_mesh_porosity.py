"""What --porosity says: a mean, a function of the distance to the surface, values of elements."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from svevae.errors import DataError
from svevae.meshes.points import points_of
from svevae.use.mesh_porosity import OfDistance, OfElements, read_porosity
from tests.meshes.bars import bar

MESH = bar("C3D8", (3, 3, 3))  # elements 7, 14 and so on
POINTS, _ = points_of(MESH, 1.0)


def test_a_number_is_the_mean() -> None:
    assert read_porosity("0.05", MESH) == 0.05


def test_distance_to_the_surface() -> None:
    """0.5 in all elements but the middle one, there 1.5; beyond the last pair it is constant."""
    asked = read_porosity("0.25:0.01,0.75:0.03,1:0.1", MESH)
    assert isinstance(asked, OfDistance)
    expected = np.full(27, 0.02)
    expected[13] = 0.1
    np.testing.assert_allclose(asked.at(POINTS), expected)


def test_values_of_elements(tmp_path: Path) -> None:
    """In any order of the table, and other columns beside; in that of the mesh of an array."""
    table, array = tmp_path / "a.csv", tmp_path / "a.npy"
    rows = [f"{number}, 1, {number / 1000}" for number in reversed(MESH.elements.tolist())]
    table.write_text("\n".join(["element, x, porosity", *rows]), encoding="utf-8")
    np.save(array, MESH.elements / 1000)
    for path in (table, array):
        asked = read_porosity(str(path), MESH)
        assert isinstance(asked, OfElements)
        np.testing.assert_allclose(asked.at(POINTS), MESH.elements / 1000)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "much",
            "porosity: expected a number from 0 to 1 or DISTANCE.* name.* received 'much'",
        ),
        ("5", "porosity: expected porosities from 0 to 1, received 5"),
        ("nan", "porosity: expected porosities from 0 to 1, received nan"),
        (
            "0:0.1,x:0.2",
            "porosity: expected a number from 0 to 1 or DISTANCE.* name.*'0:0.1,x:0.2'",
        ),
        (
            "0:0.1,1",
            "porosity: expected a number from 0 to 1 or DISTANCE.* name.*'0:0.1,1'",
        ),
        ("1:0.1,0:0.2", "porosity: expected distances from 0 on that grow, received 1, 0"),
        ("0:0.1,1:2", "porosity: expected porosities from 0 to 1, received 2"),
        ("no.csv", "porosity no.csv: expected a file of element values, received none"),
    ],
)
def test_what_is_no_porosity(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_porosity(text, MESH)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("element,p\n7,0.1", "expected columns of numbers called element and porosity, received"),
        ("element,porosity\n7,a", "expected columns of numbers called element and porosity"),
        ("element,porosity\n7,0.1\n7,0.2", "expected each element once, received 7 twice"),
        ("element,porosity\n8,0.1", "expected elements of the mesh, received 8"),
        ("element,porosity\n7,0.1", "expected the porosity of each element, received none of 14"),
        ("", "expected a table, cannot be read"),
    ],
)
def test_bad_tables(lines: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(lines, encoding="utf-8")
    with pytest.raises(DataError, match=f"a.csv: {message}"):
        read_porosity(str(path), MESH)


def test_bad_arrays(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(b"")
    with pytest.raises(DataError, match=r"a.npy: expected an array, cannot be read"):
        read_porosity(str(path), MESH)
    np.save(path, np.zeros(3))
    with pytest.raises(DataError, match=r"a number for each of 27 elements, received float64 of"):
        read_porosity(str(path), MESH)
    np.save(path, np.full(27, 1.5))
    with pytest.raises(DataError, match=r"a.npy: expected porosities from 0 to 1, received 1.5"):
        read_porosity(str(path), MESH)
