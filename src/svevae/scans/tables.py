"""Tables as people save them: comma, semicolon or tab between cells, decimal points or commas, any
common encoding, comments.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from svevae.errors import DataError
from svevae.scans.sources import Column
from svevae.words import counted, short, some

TABLES = (".csv", ".tsv", ".txt")
LARGEST = 1 << 28  # bytes of a table
SEPARATORS = ",;\t"
EXCEL = re.compile(r'\s*"?sep=([^\w\s"]|\t)"?\s*', re.IGNORECASE)  # the first line that Excel takes
MARKS = {  # of UTF-32 before UTF-16, whose mark it begins with
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
POWER = r"([eE][+-]?\d+)?"
NOTATIONS = {
    "whole": re.compile(rf"[+-]?\d+{POWER}", re.ASCII),
    "point": re.compile(rf"[+-]?(\d+\.\d*|\.\d+){POWER}", re.ASCII),
    "comma": re.compile(rf"[+-]?(\d+,\d*|,\d+){POWER}", re.ASCII),
    "grouped": re.compile(r"[+-]?\d{1,3}([.,'\u2019 \xa0\u202f]\d{3})+([.,]\d+)?", re.ASCII),
}
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}", re.ASCII)  # or three decimals
UNITS = r"%|[kMG]?Pa|N/mm(?:2|\u00b2|\^2)|psi|ksi|[nm\u00b5\u03bcu]m"  # in cells, behind numbers
MEASURED = re.compile(rf"(.*?)\s*({UNITS})")


@dataclass(frozen=True)
class Table:
    """Columns of text, a cell for each line of the file in `lines`; `notes` for people."""

    path: Path
    columns: list[Column]
    lines: list[int]
    separator: str
    notes: tuple[str, ...] = ()


def read_table(path: Path) -> Table:
    """The columns of a text file with a header.

    The text is UTF-8 or UTF-16, else taken as Windows-1252. The separator is what a first line
    `sep=;` says, or the one that makes rows of equal length. Empty lines and those that begin with
    # are left out; a comment that is as long as the rows is their header. Raises DataError that
    names the line.
    """
    text, notes = _decoded(path)
    separators, first, rest = SEPARATORS, *_first_line(text)
    if (said := EXCEL.fullmatch(first)) is not None:
        separators, text = said[1], "\n" + rest  # lines keep their numbers
    rows, separator = _rows(path, text, separators)
    if len(rows) < 2:
        raise DataError(
            f"{path}: expected a header and a row for each sample, received"
            f" {counted(len(rows), 'line')}"
        )
    (_, header), *body = rows
    for line, row in body:
        if any(row[len(header) :]) or len(row) < len(header):
            raise DataError(
                f"{path}: line {line}: expected {counted(len(header), 'cell')} as in the header,"
                f" received {len(row)}: {some([short(cell, 30) for cell in row])}"
            )
    columns = [
        Column(name, cells, number + 1)
        for number, (name, *cells) in enumerate(zip(*(row for _, row in rows), strict=False))
        if name or any(cells)
    ]
    lines = [line for line, _ in body]
    for column in columns:
        for line, cell in zip(lines, column.cells, strict=True):
            if found := CONTROL.search(cell):
                raise DataError(
                    f"{path}: line {line}, column {column.number}, {short(column.title)}:"
                    f" expected text, received the control character {found[0]!r}"
                )
    return Table(path, columns, lines, separator, notes)


def _decoded(path: Path) -> tuple[str, tuple[str, ...]]:
    """The text of a file, and a note where its encoding is taken for granted."""
    if not path.is_file():
        found = "a folder" if path.is_dir() else "nothing"
        raise DataError(f"{path}: expected a CSV file, found {found}")
    if path.stat().st_size > LARGEST:
        raise DataError(
            f"{path}: expected a CSV file of at most {LARGEST} bytes, received"
            f" {path.stat().st_size}"
        )
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: expected a CSV file, cannot be read: {error.strerror}") from error
    if content.startswith(b"PK\x03\x04"):
        raise DataError(
            f"{path}: expected a CSV file, received an archive such as .xlsx; save it as CSV"
        )
    encoding = next((name for mark, name in MARKS.items() if content.startswith(mark)), None)
    content = content.removeprefix(codecs.BOM_UTF8)
    if encoding is None:
        zeros = [content[:4000:2].count(0), content[1:4000:2].count(0)]
        half = len(content[:4000]) // 4
        encoding = "utf-16-be" if zeros[0] > half else "utf-16-le" if zeros[1] > half else "utf-8"
    try:
        return content.decode(encoding), ()
    except UnicodeDecodeError as error:
        if encoding != "utf-8":
            raise DataError(
                f"{path}: expected text in {encoding}, cannot be read: {error.reason}"
            ) from error
    note = f"{path.name} is read as Windows-1252 text, since it is not UTF-8"
    return content.decode("cp1252", errors="replace"), (note,)


def _first_line(text: str) -> tuple[str, str]:
    first, _, rest = text.partition("\n")
    return first, rest


def _rows(path: Path, text: str, separators: str) -> tuple[list[tuple[int, list[str]]], str]:
    """The header and the rows, each with its line, and the separator that makes most of them equal
    in length.
    """
    found: dict[str, list[tuple[int, list[str]]]] = {}
    failed: list[DataError] = []
    first = next((line for line in text.splitlines() if line.strip() and line[0] != "#"), "")
    for separator in sorted(separators, key=first.count, reverse=True):
        try:
            found[separator] = _split(path, text, separator)
        except DataError as error:
            failed.append(error)
    if not found or (failed and not any(len(rows[0][1]) > 1 for rows in found.values() if rows)):
        raise failed[0]

    def fit(separator: str) -> tuple[bool, int]:
        rows = found[separator]
        width = len(rows[0][1]) if rows else 0
        return width > 1 and all(len(row) == width for _, row in rows), width

    best = max(found, key=fit)
    return found[best], best


def _split(path: Path, text: str, separator: str) -> list[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    rows: list[tuple[int, list[str]]] = []
    comment: list[str] | None = None
    try:
        for cells in reader:
            row = [cell.strip() for cell in cells]
            if row and row[0].startswith("#"):
                if not rows:
                    comment = [row[0].lstrip("# "), *row[1:]]
            elif any(row):
                if comment is not None and len(row) == len(comment) > 1 and _is_data(row):
                    rows.append((reader.line_num - 1, comment))
                comment = None
                rows.append((reader.line_num, row))
    except csv.Error as error:
        line = reader.line_num
        lines = io.StringIO(text, newline="").readlines()
        limit = csv.field_size_limit()
        long = [len(cell) > limit for cell in lines[line - 1].split(separator)]
        column = f", column {long.index(True) + 1}" if any(long) else ""
        raise DataError(
            f"{path}: line {line}{column}: expected cells of at most {limit} characters, cannot be"
            f" read: {error}"
        ) from error
    return rows


def _is_data(row: Sequence[str]) -> bool:
    """Whether a row has a number, as no header has."""
    return any(notation(cell) is not None for cell in row)


def notation(cell: str) -> str | None:
    """How a number is written: "whole", with a decimal "point" or "comma", "grouped" in thousands;
    None for what is no number.
    """
    return next((name for name, form in NOTATIONS.items() if form.fullmatch(cell)), None)


def with_plain_numbers(
    table: Table, columns: Sequence[Column]
) -> tuple[list[Column], tuple[str, ...]]:
    """`columns` of `table` with decimal points, and a note where they had decimal commas.

    A unit behind the numbers of a column, as in 70 GPa, becomes the column's. Columns count of
    which half of the cells or more are numbers in any notation. Raises DataError that names line,
    column and cell where the notations of these are mixed, or may mean another number.
    """
    columns = [_without_units(table, column) for column in columns]
    places: dict[str, list[tuple[int, Column, str]]] = {"point": [], "comma": [], "grouped": []}
    numeric: list[int] = []
    for column in columns:
        found = [notation(cell) for cell in column.cells]
        if 2 * sum(one is not None for one in found) >= max(1, sum(map(bool, column.cells))):
            numeric.append(column.number)
            for line, cell, one in zip(table.lines, column.cells, found, strict=True):
                if one is not None and one in places:
                    places[one].append((line, column, cell))
    points, commas, grouped = places.values()
    if grouped:
        raise DataError(
            f"{_at(table, grouped[0])}: expected a number without a sign between its thousands,"
            f" received {short(grouped[0][2])}"
        )
    if points and commas:
        odd, usual = sorted((points, commas), key=len)
        line, column, cell = usual[0]
        raise DataError(
            f"{_at(table, odd[0])}: expected one decimal sign in the whole file, received"
            f" {short(odd[0][2])}, and {short(cell)} in line {line}, {short(column.title)}"
        )
    # "60,101" beside commas and tabs, and 60.101 beside semicolons, may be 60101
    signs = points or commas
    thousands = all(THOUSANDS.fullmatch(cell) for *_, cell in signs)
    if signs and (
        (table.separator == "," and commas)
        or (thousands and table.separator == ("\t" if commas else ";"))
    ):
        raise DataError(
            f"{_at(table, signs[0])}: expected a number that can be read in one way only, received"
            f" {short(signs[0][2])}, decimals or thousands; write decimals with a point and commas"
            " between the cells"
        )
    if not commas:
        return list(columns), ()
    changed = [
        replace(
            column,
            cells=[
                cell.replace(",", ".") if notation(cell) == "comma" else cell
                for cell in column.cells
            ],
        )
        if column.number in numeric
        else column
        for column in columns
    ]
    return changed, (f"{table.path.name} is read with decimal commas",)


def _without_units(table: Table, column: Column) -> Column:
    """`column` with the minus sign of type-setting as that of numbers, and the unit that its cells
    have behind their numbers as its own. Raises DataError where they have several, or another than
    the header.
    """
    pairs = [_number_and_unit(cell) for cell in column.cells]
    cells, units = [number for number, _ in pairs], [unit for _, unit in pairs if unit]
    if not units:
        return replace(column, cells=cells)
    name, unit = column.named
    expected = units[0] if unit == "-" else unit
    for line, (number, found), cell in zip(table.lines, pairs, column.cells, strict=True):
        bare = not found and unit == "-" and notation(number) is not None
        if bare or found not in ("", expected):
            raise DataError(
                f"{_at(table, (line, column, cell))}: expected a number in {expected} as in the"
                f" rest of the column, received {short(cell)}"
            )
    return replace(column, header=name, unit=expected, cells=cells)


def _number_and_unit(cell: str) -> tuple[str, str]:
    """A number and what stands behind it, "" for nothing; any other cell as it is."""
    plain = cell.replace("\u2212", "-")
    match = MEASURED.fullmatch(plain)
    if match and notation(match[1]):
        return match[1], match[2]
    return plain if notation(plain) else cell, ""


def _at(table: Table, place: tuple[int, Column, str]) -> str:
    line, column, _ = place
    return f"{table.path}: line {line}, {short(column.title) or f'column {column.number}'}"
