"""The keywords of an .inp file of Abaqus or CalculiX and the data below each, before anybody asks
what they mean.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from svevae.errors import DataError

DEEPEST = 20  # files that include each other


@dataclass
class Keyword:
    """A keyword `name`, in capitals and without blanks (NODE, SOLIDSECTION), its parameters (None
    for one without a value), and the data lines below it with the `places` that they came from.
    """

    name: str
    parameters: dict[str, str | None]
    place: str
    lines: list[str] = field(default_factory=list)
    places: list[tuple[Path, int]] = field(default_factory=list)

    def get(self, parameter: str) -> str | None:
        """The value of a parameter, in capitals; None where there is none."""
        value = self.parameters.get(parameter)
        return None if value is None else capitals(value)

    def error(self, line: int, expected: str, received: object) -> DataError:
        """A DataError about a data line, by its index."""
        file, number = self.places[line]
        return DataError(f"{file}, line {number}: expected {expected}, received {received!r}")

    def rows(self) -> list[list[str]]:
        """The fields of each data line, without empty ones at its end."""
        found = []
        for line in self.lines:
            fields = [field.strip() for field in line.split(",")]
            while fields and not fields[-1]:
                fields.pop()
            found.append(fields)
        return found

    def table(self, width: int, kind: type) -> np.ndarray | None:
        """Data as numbers of a kind, (row, width), where each line, or those that commas at their
        ends join, is a row; None where they are anything else: the long way tells what.
        """
        lines = self.lines
        if lines and lines[0].rstrip().endswith(","):
            lines = re.sub(r",[ \t]*\n", ",", "\n".join(lines)).split("\n")
        try:
            with warnings.catch_warnings(action="error"):  # of 1.0 for a whole number, of no data
                table: np.ndarray = np.loadtxt(lines, kind, comments=None, delimiter=",", ndmin=2)
        except (ValueError, OverflowError, Warning):
            return None
        return table if table.shape[1] == width else None

    def numbers(self, width: int, what: str) -> np.ndarray:
        """Data as a table of whole numbers, `width` in a row, (row, width); a row may go on over
        several lines, and ends where a line ends.
        """
        if (table := self.table(width, np.int64)) is not None:
            return table
        rows = self.rows()
        ends = np.cumsum([len(row) for row in rows])
        total = int(ends[-1]) if len(ends) else 0
        due = width * np.arange(1, total // width + 1)
        good = np.isin(due, ends)
        if not good.all() or total % width:
            # the line in which the first row that is not whole begins
            whole = int(np.argmin(good)) if not good.all() else total // width
            line = int(np.searchsorted(ends, whole * width, side="right"))
            raise self.error(line, what, self.lines[line].strip())
        try:
            flat = np.array([field for row in rows for field in row], dtype=np.int64)
        except (ValueError, OverflowError):
            for line, row in enumerate(rows):
                for text in row:
                    if not text.lstrip("+-").isdigit():
                        raise self.error(line, "whole numbers", text) from None
            raise
        return flat.reshape(-1, width)


def capitals(text: str) -> str:
    """A name as Abaqus and CalculiX compare it: in capitals, without quotes and blanks."""
    return "".join(text.replace('"', "").split()).upper()


def read_keywords(path: Path, alone: bool = False) -> list[Keyword]:
    """All keywords of a file and of those that it includes, in order.

    *INCLUDE is replaced by what its file has, and INPUT= of another keyword is data below it; both
    names are sought from the folder of the file that names them. Raises DataError, which names file
    and line, where a file cannot be read, includes itself, or begins with data, and for one that
    shall be `alone` and includes another.
    """
    found: list[Keyword] = []
    for file, number, text in _lines(path, (), alone):
        if not text.startswith("*"):
            if not found:
                raise DataError(
                    f"{file}, line {number}: expected a keyword, such as *NODE, received"
                    f" {text[:60]!r}"
                )
            found[-1].lines.append(text)
            found[-1].places.append((file, number))
            continue
        name, parameters = _parsed(text)
        found.append(Keyword(name, parameters, f"{file}, line {number}"))
        if (other := parameters.get("INPUT")) is not None:
            for place in _lines(_beside(file, number, other, alone), (file,), alone):
                found[-1].lines.append(place[2])
                found[-1].places.append(place[:2])
    return found


def _lines(path: Path, above: tuple[Path, ...], alone: bool) -> Iterator[tuple[Path, int, str]]:
    """(file, number, text) of the lines that count; keywords on one line each."""
    if path in above or len(above) > DEEPEST:
        raise DataError(f"{path}: expected a file that does not include itself")
    try:
        try:
            text = path.read_text(encoding="utf-8-sig")  # Windows' editors begin with a mark
        except UnicodeDecodeError:
            text = path.read_text(encoding="latin-1")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    if "\0" in text:
        raise DataError(f"{path}: expected a text file, received binary data")
    begun, started = "", 0
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("**") or not line.strip():
            continue
        if begun or line.startswith("*"):
            begun, started = begun + line.strip(), started or number
            if begun.endswith(","):  # goes on in the next line
                continue
            name, parameters = _parsed(begun)
            if name == "INCLUDE":
                other = parameters.get("INPUT")
                if not other:
                    raise DataError(
                        f"{path}, line {started}: expected *INCLUDE, INPUT=FILE, received {begun!r}"
                    )
                yield from _lines(_beside(path, started, other, alone), (*above, path), alone)
            else:
                yield path, started, begun
            begun, started = "", 0
        else:
            yield path, number, line
    if begun:
        yield path, started, begun


def _parsed(text: str) -> tuple[str, dict[str, str | None]]:
    name, *rest = text[1:].split(",")
    parameters: dict[str, str | None] = {}
    for one in rest:
        key, equals, value = one.partition("=")
        if key.strip():
            parameters[capitals(key)] = value.strip() if equals else None
    return capitals(name), parameters


def _beside(path: Path, number: int, name: str, alone: bool) -> Path:
    if alone:
        raise DataError(
            f"{path}, line {number}: expected all of the mesh in this file, received another one"
            f" that it includes, {name!r}; put what that has in its place"
        )
    other = path.parent / name.strip('"')
    if not other.is_file():
        raise DataError(f"{path}, line {number}: expected a file to include, received {name!r}")
    return other
