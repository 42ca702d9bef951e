"""Tables as spreadsheets, pandas and NumPy save them: the same cells; what may be read in two ways
is an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from svevae.errors import DataError
from svevae.scans.tables import notation, read_table, with_plain_numbers

PLAIN = "name,E [µm],ü\ns0,1,2\ns1,3,4\n"


def columns_of(path: Path, content: str | bytes) -> dict[str, list[str]]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return {column.header: list(column.cells) for column in read_table(path).columns}


@pytest.mark.parametrize(
    "content",
    [
        PLAIN,
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r"),
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", "\t"),
        PLAIN.replace(",", ", "),
        "sep=;\r\n" + PLAIN.replace(",", ";"),
        "sep=|\n" + PLAIN.replace(",", "|"),
        "# by hand, in 2026\n\n" + PLAIN + "\n# the end\n",
        "# " + PLAIN,  # as numpy.savetxt writes a header
        PLAIN.replace("\n", ",,\n") + ",,,,\n",  # as spreadsheets fill up
        PLAIN.encode("utf-8-sig"),
        PLAIN.encode("utf-16"),
        PLAIN.encode("utf-16-le"),
        PLAIN.encode("utf-16-be"),
        PLAIN.encode("utf-32"),
        PLAIN.encode("latin-1"),
    ],
)
def test_the_same_table_in_many_forms(tmp_path: Path, content: str | bytes) -> None:
    found = columns_of(tmp_path / "t.csv", content)
    assert found == {"name": ["s0", "s1"], "E [µm]": ["1", "3"], "ü": ["2", "4"]}


def test_lines_are_those_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(
        'sep=;\n# x\nname;remark\n\ns0;"two\nlines"\ns1;one\n', encoding="utf-8"
    )
    table = read_table(tmp_path / "t.csv")
    assert table.lines == [6, 7]
    assert list(table.columns[1].cells) == ["two\nlines", "one"]


def test_a_header_may_have_other_separators(tmp_path: Path) -> None:
    found = columns_of(tmp_path / "t.csv", "name;E (x, y, z) [MPa]\ns0;1\ns1;2\n")
    assert list(found) == ["name", "E (x, y, z) [MPa]"]


def test_an_encoding_taken_for_granted_is_said(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(PLAIN.encode("latin-1"))
    assert read_table(tmp_path / "t.csv").notes == (
        "t.csv is read as Windows-1252 text, since it is not UTF-8",
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"expected a header and a row for each sample, received 0 lines$"),
        ("name,E\n", r"expected a header and a row for each sample, received 1 line$"),
        ("n,E\ns0,1\ns1\n", r"line 3: expected 2 cells as in the header, received 1: s1$"),
        ("n,E\ns0,1,2\n", r"line 2: expected 2 cells as in the header, received 3: s0, 1, 2$"),
        ("n,E\ns0,1\ns1,\0\n", r"line 3, column 2, E: expected text, .* character '\\x00'$"),
        ("n,E\ns0,\x1b[31m\n", r"line 2, column 2, E: expected text, .* character '\\x1b'$"),
        (f"n,E\ns0,1\ns1,{'9' * 200_000}\n", r"line 3, column 2: expected cells of at most 131072"),
        (f"n,E\ns0,1\n{'s,' * 90_000}\n", r"line 3: expected 2 cells as in the header, .* and 89"),
        (b"PK\x03\x04\x14\0", r"expected a CSV file, received an archive such as \.xlsx"),
        (b"\xff\xfen\0,\0E", r"expected text in utf-16, cannot be read: truncated data$"),
    ],
)
def test_each_fault_of_a_table_is_named(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(DataError, match=r"t\.csv: " + message) as caught:
        columns_of(tmp_path / "t.csv", content)
    assert len(str(caught.value)) < 2000


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"t\.csv: expected a CSV file, found nothing$"):
        read_table(tmp_path / "t.csv")
    with pytest.raises(DataError, match=r": expected a CSV file, found a folder$"):
        read_table(tmp_path)


def test_what_pandas_writes(tmp_path: Path) -> None:
    frame = pd.DataFrame({"name": ["s0", "s1"], "E": [0.1, 1e-30]})
    found = columns_of(tmp_path / "t.csv", frame.to_csv())
    assert found == {"": ["0", "1"], "name": ["s0", "s1"], "E": ["0.1", "1e-30"]}
    assert columns_of(tmp_path / "t.csv", frame.to_csv(sep=";", decimal=",", index=False)) == {
        "name": ["s0", "s1"],
        "E": ["0,1", "1e-30"],
    }


@pytest.mark.parametrize(
    ("cell", "form"),
    [
        ("12", "whole"),
        ("-1e5", "whole"),
        ("1.5", "point"),
        (".5E-3", "point"),
        ("1,5", "comma"),
        ("+1,5e+3", "comma"),
        ("1.234,5", "grouped"),
        ("1,234,567", "grouped"),
        ("1'234.5", "grouped"),
        ("1\xa0234", "grouped"),
        ("1_000", None),
        ("\u0663", None),  # a digit, and no number of ours
        ("nan", None),
        ("70 GPa", None),
        ("1.2.3", None),
        ("", None),
    ],
)
def test_notations_of_numbers(cell: str, form: str | None) -> None:
    assert notation(cell) == form


def numbers_of(path: Path, separator: str, columns: dict[str, Sequence[str]]) -> dict[str, list]:
    """The numbers of columns after `with_plain_numbers`, text as it is."""
    frame = pd.DataFrame(columns)
    frame.index = pd.Index([f"s{i}" for i in frame.index], name="name")
    frame.to_csv(path, sep=separator)
    table = read_table(path)
    changed, notes = with_plain_numbers(table, table.columns[1:])
    assert bool(notes) == any("," in cell for cells in columns.values() for cell in cells)
    return {column.header: list(column.cells) for column in changed}


def test_decimal_commas(tmp_path: Path) -> None:
    """Text with commas stays; whole numbers are the same in both notations."""
    columns = {"E": ["60001,5", "7"], "nu": ["0,301", "0,3e-1"], "remark": ["a, b", "1,5 or so"]}
    for separator in ";\t":
        assert numbers_of(tmp_path / "t.csv", separator, columns) == {
            "E": ["60001.5", "7"],
            "nu": ["0.301", "0.3e-1"],
            "remark": ["a, b", "1,5 or so"],
        }
    points = {"E": ["60001.5", "7"], "nu": ["0.301", "0.3e-1"]}
    for separator in ",;\t":
        assert numbers_of(tmp_path / "t.csv", separator, points) == points


@pytest.mark.parametrize(
    ("separator", "columns", "message"),
    [
        (
            ";",
            {"E [MPa]": ["60.101", "60.102"], "nu": ["0,301", "0,3025"]},
            (
                r"line 2, E \[MPa\]: expected one decimal sign in the whole file, received 60\.101,"
                r" and 0,301 in line 2, nu$"
            ),
        ),
        (
            ";",
            {"E": ["60.5", "60.25", "7,5"]},
            r"line 4, E: expected one decimal sign in the whole file, received 7,5, and 60\.5 in",
        ),
        (";", {"E": ["60.101", "61.250"]}, r"line 2, E: expected a number that .* 60\.101, dec"),
        ("\t", {"E": ["60,101", "61,250"]}, r"line 2, E: expected a number that .* 60,101, dec"),
        (",", {"E": ["60,1", "61,25"]}, r"line 2, E: expected a number that .* received 60,1, dec"),
        (
            ",",
            {"E": ["60", "60,101,000.5"]},
            r"line 3, E: expected a number without a sign between .* received 60,101,000\.5$",
        ),
        (
            ";",
            {"E": ["1.060.101,5", "7,5"]},
            r"line 2, E: expected a number without a sign between .* received 1\.060\.101,5$",
        ),
        (
            ";",
            {"E": ["n/a", "", "7,5", "60.25"]},
            r"line 5, E: expected one decimal sign in the whole file, received 60\.25, and 7,5",
        ),
    ],
)
def test_numbers_that_may_be_others_are_refused(
    tmp_path: Path, separator: str, columns: dict[str, Sequence[str]], message: str
) -> None:
    with pytest.raises(DataError, match=r"t\.csv: " + message):
        numbers_of(tmp_path / "t.csv", separator, columns)


def test_a_few_decimals_with_semicolons_are_no_thousands(tmp_path: Path) -> None:
    """A zero in front, or another number of decimals, tells."""
    for cells in (["0.301", "0.302"], ["60.101", "60.1"], ["60.101", "1234.567"]):
        assert numbers_of(tmp_path / "t.csv", ";", {"nu": cells}) == {"nu": cells}
    assert np.isclose(float("60.101"), 60.101)


@pytest.mark.parametrize(
    ("header", "cells", "unit", "numbers"),
    [
        ("E", ["70 GPa", "68.5GPa", ""], "GPa", ["70", "68.5", ""]),
        ("E [GPa]", ["70 GPa", "68.5"], "GPa", ["70", "68.5"]),
        ("porosity", ["10,5 %", "3 %"], "%", ["10.5", "3"]),
        ("shift", ["\u22121.5", "2"], "-", ["-1.5", "2"]),
        ("edge", ["0,5 \u00b5m", "1,25 \u00b5m"], "\u00b5m", ["0.5", "1.25"]),
        ("sample", ["12 m", "3b"], "-", ["12 m", "3b"]),  # names, not lengths
        ("remark", ["broken \u2212 see %", "ok"], "-", ["broken \u2212 see %", "ok"]),
    ],
)
def test_units_behind_numbers(
    tmp_path: Path, header: str, cells: list[str], unit: str, numbers: list[str]
) -> None:
    pd.DataFrame({"name": [*map(str, range(len(cells)))], header: cells}).to_csv(
        tmp_path / "t.csv", sep=";", index=False
    )
    table = read_table(tmp_path / "t.csv")
    [column], _ = with_plain_numbers(table, table.columns[1:])
    assert (column.named, column.cells) == ((header.partition(" ")[0], unit), numbers)


@pytest.mark.parametrize(
    ("header", "cells", "message"),
    [
        (
            "E",
            ["70 GPa", "68500 MPa"],
            "line 3, E: expected a number in GPa .*, received 68500 MPa",
        ),
        ("E", ["70 GPa", "68.5"], r"line 3, E: expected a number in GPa .*, received 68\.5"),
        ("E [MPa]", ["70 GPa"], r"line 2, E \[MPa\]: expected a number in MPa .*, received 70 GPa"),
    ],
)
def test_one_unit_a_column(tmp_path: Path, header: str, cells: list[str], message: str) -> None:
    pd.DataFrame({"name": [*map(str, range(len(cells)))], header: cells}).to_csv(
        tmp_path / "t.csv", sep=";", index=False
    )
    table = read_table(tmp_path / "t.csv")
    with pytest.raises(DataError, match=r"t\.csv: " + message):
        with_plain_numbers(table, table.columns[1:])
