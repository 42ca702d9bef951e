"""What a source is: samples that are not read yet, and the labels that columns of cells say of
them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from svevae.errors import DataError
from svevae.scans.options import ImportOptions
from svevae.words import short, some

PARTS, EDGE = ("part", "part_id"), "voxel_size_um"
LONGEST = 100  # characters of a name of a property or part
HEADER = re.compile(r"(.*?)\s*[\[(]([^\])]*)[\])]")  # E_x [MPa] or E_x (MPa)
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
COUNTER = re.compile(
    r"level_0|unnamed: \d+|((sample|specimen|coupon|probe|sve)[ _.-]*)?(index|row|#|no\.?|nr\.?|id)"
    r"|sample|specimen|coupon|probe|sve",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Sample:
    """One volume that is not read yet; `part` None makes it a part of its own."""

    name: str
    load: Callable[[], np.ndarray] = field(repr=False)
    part: int | str | None = None


@dataclass(frozen=True)
class SampleLabels:
    """`values` (sample, property) with their `names` and `units`; `stiffness` (sample, 6, 6) in the
    order of the contract, MPa.
    """

    names: tuple[str, ...]
    units: tuple[str, ...]
    values: np.ndarray
    stiffness: np.ndarray | None = None


@dataclass(frozen=True)
class Source:
    """Samples that share a threshold, the files they come from, and what these say; `edges` of
    voxels in micrometres, None: unknown; the `corner` of the first voxel of a single volume along
    x, y and z in micrometres, where its file says it.
    """

    name: str
    samples: list[Sample]
    files: list[Path]
    axes: str
    edges: tuple[float | None, ...] = ()
    labels: SampleLabels | None = None
    notes: tuple[str, ...] = ()
    corner: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class Column:
    """A cell for each sample under a `header`; `number` counts the columns of a table from 1. The
    `unit` is in the brackets at the end of the header where it is None.
    """

    header: str
    cells: Sequence[Any] | np.ndarray
    number: int = 1
    unit: str | None = None

    @property
    def title(self) -> str:
        """The header on one line."""
        return re.sub(r"[ \t\r\n\xa0\u202f]+", " ", self.header).strip()

    @property
    def named(self) -> tuple[str, str]:
        """Name and unit."""
        match = HEADER.fullmatch(self.title) if self.unit is None else None
        name, unit = match.groups() if match else (self.title, self.unit)
        return name, (unit or "").strip() or "-"

    @property
    def counts(self) -> bool:
        """Whether it only numbers the rows: without a name, as the index that pandas writes; named
        so and with distinct whole numbers; or, without a unit, every number from 0 or 1 on, each
        once, in three rows or more.
        """
        if self.unit is not None or self.named[0].lower() in PARTS:
            return False
        if not self.title:
            return True
        numbers = whole_numbers(self.cells)
        if numbers is None or COUNTER.fullmatch(self.title) is not None:
            return numbers is not None
        return (
            self.named[1] == "-"
            and len(numbers) >= 3
            and sorted(numbers) == list(range(min(numbers), min(numbers) + len(numbers)))
            and min(numbers) in (0, 1)
        )


def whole_numbers(cells: Sequence[Any] | np.ndarray) -> list[int] | None:
    """The cells if they are distinct whole numbers, 0 or above, of up to 18 digits; else None."""
    texts = [text_of(cell) for cell in cells]
    if not all(re.fullmatch(r"\d{1,18}", text, re.ASCII) for text in texts):
        return None
    return [int(text) for text in texts] if len(set(texts)) == len(texts) else None


def labelled(
    source: Source,
    where: str,
    columns: Sequence[Column],
    rows: Sequence[str],
    options: ImportOptions,
) -> Source:
    """`source` with its parts and labels, from `columns` with a cell for each of `rows`.

    A column without one number is text and left out, and so is one that only numbers the rows; in
    any other every cell has to be a finite number. Without columns of numbers, or where the options
    want none, there are no labels. Raises DataError that names the row and the column.
    """
    wanted = options.properties
    names, units, values, left_out, counters = [], [], [], [], []
    for column, name, unit in _named(where, columns, wanted or ()):
        if name.lower() in PARTS:
            parts = [
                _part(f"{where}: {name} of {row}", cell)
                for row, cell in zip(rows, column.cells, strict=True)
            ]
            samples = zip(source.samples, parts, strict=True)
            source = replace(source, samples=[replace(s, part=part) for s, part in samples])
            continue
        if column.counts and name not in (wanted or ()):
            counters.append(name or f"column {column.number}")
            continue
        numbers = _numbers(column.cells)
        found = np.isfinite(numbers)
        if not options.labels or not (found.any() if wanted is None else name in wanted):
            left_out.append(short(name))
            continue
        if not found.all():
            row = int(np.argmin(found))
            cell = text_of(column.cells[row])
            raise DataError(
                f"{where}: {name} of {rows[row]}: expected a finite number, received"
                f" {short(cell) or 'nothing'}"
            )
        if len(name) > LONGEST or len(unit) > LONGEST:
            raise DataError(
                f"{where}: column {column.number}: expected a name and a unit of at most {LONGEST}"
                f" characters, received {short(name)} in {short(unit)}"
            )
        names.append(name)
        units.append(unit)
        values.append(numbers)
    if options.labels and (missing := [name for name in wanted or () if name not in names]):
        raise DataError(
            f"{where}: expected the properties {some([short(name) for name in missing])}, found"
            f" {some([*names, *left_out, *counters]) or 'none'}"
        )
    labels = SampleLabels(tuple(names), tuple(units), np.array(values).T) if names else None
    return replace(source, labels=labels, notes=(*source.notes, *_notes(left_out, counters)))


def _notes(left_out: list[str], counters: list[str]) -> Iterator[str]:
    if left_out:
        yield f"columns left out: {some(left_out)}"
    if counters:
        listed = some(counters)
        yield f"columns without a name, or that number the rows, are no properties: {listed}"


def _named(
    where: str, columns: Sequence[Column], wanted: Sequence[str]
) -> list[tuple[Column, str, str]]:
    """Each column with its name and unit. Where names are not distinct without their brackets, as
    in E(x), E(y), these belong to the names. Raises DataError, which counts columns from 1.
    """
    often = Counter(column.named[0] for column in columns)
    found: list[tuple[Column, str, str]] = []
    for column in columns:
        name, unit = column.named
        if often[name] > 1 and column.unit is None and name != column.title:
            name, unit = column.title, "-"
        at = f"{where}: column {column.number}"
        if not name and not column.counts:
            raise DataError(f"{at}: expected a name, received {short(column.header) or 'none'}")
        if not (name + unit).isprintable():
            raise DataError(
                f"{at}: expected a name without control characters, received {short(repr(name))}"
            )
        twins = [other.number for other, twin, _ in found if twin == name and name]
        if twins:
            raise DataError(
                f"{at}: expected distinct names, received {name} in column {twins[0]} too"
            )
        found.append((column, name, unit))
    parts = [(column, name) for column, name, _ in found if name.lower() in PARTS]
    if len(parts) > 1:
        listed = ", ".join(f"{name} in column {column.number}" for column, name in parts)
        raise DataError(f"{where}: expected one column of parts, received {listed}")
    return found


def _numbers(cells: Sequence[Any] | np.ndarray) -> np.ndarray:
    """Cells as float64; nan for what is no number."""
    if isinstance(cells, np.ndarray) and cells.ndim == 1 and cells.dtype.kind in "biuf":
        return cells.astype(np.float64)
    return np.array([_number(cell) for cell in cells], np.float64)


def _number(cell: Any) -> float:
    if isinstance(cell, str | bytes):
        text = text_of(cell).strip()
        return float(text) if NUMBER.fullmatch(text) else float("nan")
    try:
        one = np.ndim(cell) == 0 and not np.iscomplexobj(cell)
        return float(cell) if one else float("nan")
    except (TypeError, ValueError, OverflowError):
        return float("nan")


def _part(where: str, value: Any) -> int | str:
    """A whole number of 64 bits as such, anything else as text: 001 and 1 are two parts."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        value = int(value)
    text = text_of(value).strip()
    if re.fullmatch(r"0|-?[1-9]\d*", text, re.ASCII) and len(text) < 20:
        number = int(text)
        if -(1 << 63) <= number < 1 << 63:
            return number
    if not text or text == "nan" or len(text) > LONGEST or not text.isprintable():
        raise DataError(
            f"{where}: expected a number or a name of at most {LONGEST} characters, received"
            f" {short(repr(text)) if text else 'nothing'}"
        )
    return text


def text_of(value: Any) -> str:
    """Bytes decoded, None as nothing, anything else as it prints."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return "" if value is None else str(value)
