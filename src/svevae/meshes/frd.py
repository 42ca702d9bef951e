"""The .frd files of CalculiX, in text: fields at the nodes, one increment at a time.

Blocks as in the manual of CGX 2.20, "Result Format": a line of three digits and a letter begins
one (1C, 2C nodes, 3C elements, 100C a field), -4 names a field, -5 a component, -1 has a node in
ten columns (five in the short form) and up to six numbers in twelve each, often without a space
between them, -3 ends it; 9999 ends the file. CalculiX leaves 9999 out where it stops on the way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from svevae.errors import DataError
from svevae.words import counted, some

# what a deck asks for, by CalculiX's names of the fields, and how many numbers they have at a node
FIELDS = {"DISP": 3, "STRESS": 6, "PE": 1}
ASKED = "*NODE FILE with U, *EL FILE with S, PEEQ"
WIDTH = 12  # columns of a number
NUMBER = {0: 5, 1: 10}  # columns of the number of a node, by the form of a block
LONGEST = 200  # bytes of a line in text


@dataclass(frozen=True)
class Increment:
    """What is known at the end of an increment: its `number` in its `step`, the total `time`, the
    numbers of `nodes` (node,), and `fields` (node, component) by name: DISP, STRESS in the order
    xx, yy, zz, xy, yz, zx, and PE, the equivalent plastic strain.
    """

    step: int
    number: int
    time: float
    nodes: np.ndarray
    fields: Mapping[str, np.ndarray]


def increments(path: Path) -> Iterator[Increment]:
    """The increments of a file that have all FIELDS, one by one; other fields are passed over.

    Raises DataError, which names the file, for what is no .frd file in text, for one without these
    fields, and, behind the increments before it, where the file is damaged or cut off.
    """
    with path.open("rb") as file:
        first = file.readline(LONGEST)
        if first.split()[:1] != [b"1C"]:
            raise DataError(f"{path}: expected a .frd file of CalculiX, received {first[:20]!r}")
        yield from _gathered(path, file)


def _gathered(path: Path, file: BinaryIO) -> Iterator[Increment]:
    """Fields of one increment together."""
    at, nodes, found, others = _At(), np.empty(0, np.int64), dict[str, np.ndarray](), list[str]()
    ended = False
    try:
        for block in _blocks(path, file):
            if block is None:
                ended = True
                break
            if block.at != at:
                if found:
                    yield _whole(path, at, nodes, found)
                at, found = block.at, {}
            if block.name not in FIELDS:
                others.append(block.name)
                continue
            numbers, values = block.values()
            if found and not np.array_equal(numbers, nodes):
                raise DataError(f"{path}: {at}: expected {block.name} at the nodes of the others")
            nodes, found[block.name] = numbers, values
    except DataError:
        if set(found) == set(FIELDS):  # the increment before the damage is whole
            yield _whole(path, at, nodes, found)
        raise
    if found and not ended and set(found) != set(FIELDS):
        raise DataError(f"{path}: ends within {at}")
    if found:
        yield _whole(path, at, nodes, found)
    elif others or at == _At():
        received = some(list(dict.fromkeys(others)), 8) if others else "no field"
        raise DataError(f"{path}: expected {', '.join(FIELDS)} ({ASKED}), received {received}")


@dataclass(frozen=True)
class _At:
    step: int = 0
    number: int = 0
    time: float = 0.0

    def __str__(self) -> str:
        return f"increment {self.number} of step {self.step}"


@dataclass(frozen=True)
class _Block:
    """A field: `rows` are its lines of nodes, in text."""

    path: Path
    at: _At
    name: str
    components: int
    form: int
    rows: list[bytes]

    def values(self) -> tuple[np.ndarray, np.ndarray]:
        """Numbers of nodes (node,) and values (node, component)."""
        where = f"{self.path}: {self.at}, {self.name}"
        if self.components != FIELDS[self.name]:
            raise DataError(
                f"{where}: expected {counted(FIELDS[self.name], 'component')}, received"
                f" {self.components}"
            )
        begin = 3 + NUMBER[self.form]
        end = begin + WIDTH * self.components
        rows = [row.rstrip()[:end] for row in self.rows if row.startswith(b" -1")]
        if len(rows) < len(self.rows) or {len(row) for row in rows} != {end}:
            raise DataError(f"{where}: expected lines of {end} characters, received others")
        text = np.frombuffer(b"".join(rows), "S1").reshape(len(rows), end)
        try:
            return (
                _columns(text[:, 3:begin]).astype(np.int64).ravel(),
                _columns(text[:, begin:].reshape(-1, WIDTH)).astype(float).reshape(len(rows), -1),
            )
        except ValueError as error:
            raise DataError(f"{where}: expected numbers in the lines of nodes: {error}") from error


def _columns(letters: np.ndarray) -> np.ndarray:
    """Texts (row,) of letters (row, letter)."""
    return np.ascontiguousarray(letters).view(f"S{letters.shape[1]}")


def _blocks(path: Path, file: BinaryIO) -> Iterator[_Block | None]:
    """The fields one by one, and None for the end of a whole file. Raises DataError for a block
    without its end, and for one in binary.
    """
    at = _At()
    while line := file.readline(LONGEST):
        key = line[:6].strip()
        if key == b"9999":
            yield None
            return
        try:
            if line.startswith(b"    1PSTEP"):
                _, number, step = line[10:].split()[:3]
                at = _At(int(step), int(number), at.time)
            elif key in (b"2C", b"3C"):
                _form(path, line)
                _rows(path, file, "the mesh", kept=False)
            elif key == b"100C":
                form = _form(path, line)
                at = _At(at.step, at.number, float(line[12:24]))
                name, components = _heads(file.readline(LONGEST), file)
                rows = _rows(path, file, f"{at}, {name}", kept=name in FIELDS)
                yield _Block(path, at, name, components, form, rows)
        except ValueError as error:
            raise DataError(f"{path}: {at}: expected the head of a block: {error}") from error


def _form(path: Path, line: bytes) -> int:
    """How the lines of a block are written."""
    form = int(line[73:75])
    if form not in NUMBER:
        raise DataError(
            f"{path}: expected a .frd file in text, received a binary one; leave OUTPUT and BINARY"
            " out of the deck"
        )
    return form


def _heads(line: bytes, file: BinaryIO) -> tuple[str, int]:
    """Name of a field, and how many of its components are written."""
    if not line.startswith(b" -4"):
        raise ValueError(f"received {line[:20]!r}")
    name, count, components = line[5:13].decode("ascii").strip(), int(line[13:18]), 0
    for _ in range(count):
        head = file.readline(LONGEST)
        if not head.startswith(b" -5"):
            raise ValueError(f"received {head[:20]!r}")
        components += not int(head[33:38].strip() or b"0")  # what viewers reckon is not written
    return name, components


def _rows(path: Path, file: BinaryIO, what: str, *, kept: bool) -> list[bytes]:
    """The lines to the end of a block."""
    rows: list[bytes] = []
    while line := file.readline(LONGEST):
        if line.startswith(b" -3"):
            return rows
        if kept:
            rows.append(line)
    raise DataError(f"{path}: ends within {what}")


def _whole(path: Path, at: _At, nodes: np.ndarray, found: dict[str, np.ndarray]) -> Increment:
    if missing := [name for name in FIELDS if name not in found]:
        raise DataError(
            f"{path}: {at}: expected {', '.join(FIELDS)} ({ASKED}), received none of"
            f" {', '.join(missing)}"
        )
    return Increment(at.step, at.number, at.time, nodes, found)
