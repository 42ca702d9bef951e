"""Keywords and data of .inp files: case, comments, continuation, includes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from svevae.errors import DataError
from svevae.meshes.keywords import Keyword, read_keywords


def test_keywords_and_their_data(tmp_path: Path) -> None:
    """Written as the two manuals allow."""
    (tmp_path / "more.txt").write_text("3, 4,\n** a comment\n5\n", encoding="utf-8")
    (tmp_path / "nodes.inp").write_text("*node\n1, 0., 0., 0.\n", encoding="utf-8")
    path = tmp_path / "a.inp"
    path.write_text(
        "*include, input=nodes.inp\n2, 1., 0., 0.\n*Solid Section,\n elset=A, material=steel\n\n"
        '*Elset, elset="my set", GENERATE\n1, 5\n*NSET, NSET=B, INPUT=more.txt\n',
        encoding="utf-8",
    )
    found = read_keywords(path)
    assert [keyword.name for keyword in found] == ["NODE", "SOLIDSECTION", "ELSET", "NSET"]
    assert found[0].rows() == [["1", "0.", "0.", "0."], ["2", "1.", "0.", "0."]]
    assert found[1].parameters == {"ELSET": "A", "MATERIAL": "steel"}
    assert found[2].get("ELSET") == "MYSET"
    assert found[2].parameters["GENERATE"] is None
    assert found[3].rows() == [["3", "4"], ["5"]]
    assert found[3].places == [(tmp_path / "more.txt", 1), (tmp_path / "more.txt", 3)]


@pytest.mark.parametrize(
    ("lines", "quick"),
    [
        (["1, 2, 3", " 4 ,5,\t6"], True),
        (["1, 2,", "3", "4, 5, ", "6"], True),
        (["1, 2", "3", "4, 5", "6"], False),  # without commas
        (["1, 2, 3,", "4, 5, 6,"], False),  # at the end of each row
    ],
)
def test_whole_numbers(lines: list[str], quick: bool) -> None:
    """At once where rows are regular, else field by field, to the same table."""
    places = [(Path("a.inp"), 1 + k) for k in range(len(lines))]
    keyword = Keyword("ELEMENT", {}, "a.inp, line 0", lines, places)
    assert keyword.numbers(3, "three").tolist() == [[1, 2, 3], [4, 5, 6]]
    assert (keyword.table(3, np.int64) is not None) == quick


@pytest.mark.parametrize("line", ["1, 2", "1, 2, 3.5", "1, 2, x", "1, 2, 3, 4", "1, 2, # 3", ""])
def test_what_is_no_table_of_whole_numbers(line: str) -> None:
    keyword = Keyword("ELEMENT", {}, "", [line] if line else [])
    assert keyword.table(3, np.int64) is None


def test_a_table_of_numbers() -> None:
    keyword = Keyword("NODE", {}, "", ["7, 0.1, -2e-3, 1"])
    table = keyword.table(4, np.float64)
    assert table is not None
    assert table.tolist() == [[7.0, 0.1, -2e-3, 1.0]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1, 2\n", "a.inp, line 1: expected a keyword"),
        ("*NODE\n*INCLUDE\n", r"line 2: expected \*INCLUDE, INPUT=FILE"),
        ("*INCLUDE, INPUT=b.inp\n", "line 1: expected a file to include, received 'b.inp'"),
        ("*INCLUDE, INPUT=a.inp\n", "a.inp: expected a file that does not include itself"),
        ("\0\0", "a.inp: expected a text file"),
    ],
)
def test_bad_files(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.inp"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_keywords(path)


@pytest.mark.parametrize(
    ("text", "other"),
    [("*INCLUDE, INPUT=b.inp\n", "*NODE\n1, 0., 0., 0.\n"), ("*NODE, INPUT=b.inp\n", "1, 0.\n")],
)
def test_a_file_that_shall_be_alone(text: str, other: str, tmp_path: Path) -> None:
    """Reads no other, whether it is there or not."""
    path = tmp_path / "a.inp"
    path.write_text(f"*HEADING\n{text}", encoding="utf-8")
    for _ in range(2):
        with pytest.raises(DataError, match=r"a.inp, line 2: expected all of the mesh in this fil"):
            read_keywords(path, alone=True)
        (tmp_path / "b.inp").write_text(other, encoding="utf-8")
    assert len(read_keywords(path)) == 2
