"""Files of CalculiX's fields, written here by the columns of its manual: what is read of them, and
what is said of those that are damaged, cut off, binary, or of other decks.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from svevae.errors import DataError
from svevae.meshes.frd import FIELDS, Increment, increments

NODES = [3, 99_999, 100_000, 1_234_567_890]
HEADS = {
    "DISP": ["D1", "D2", "D3", "ALL"],
    "STRESS": ["SXX", "SYY", "SZZ", "SXY", "SYZ", "SZX"],
    "PE": ["PE"],
    "ERROR": ["STR(%)"],
}


def values(name: str, number: int) -> np.ndarray:
    """Of both signs, so that no space stands between numbers, (node, component)."""
    count = FIELDS.get(name, 1)
    return number * 1e-3 * (1 - 2 * np.arange(len(NODES) * count).reshape(-1, count))


def block(name: str, number: int, form: int = 1, nodes: Sequence[int] = NODES) -> str:
    """A field of an increment, as Fortran and C write it."""
    heads, width = HEADS[name], 10 if form else 5
    text = f"    1PSTEP  {number:24d}{number:12d}{1:12d}\n"
    text += f"  100CL  {100 + number}{0.25 * number:12.5E}{len(nodes):12d}{'':20}{0:2d}{number:5d}"
    text += f"{'':10}{form:2d}\n"
    text += f" -4  {name:8}{len(heads):5d}    1\n"
    for head in heads:
        reckoned = head == "ALL"
        text += f" -5  {head:8}    1    2    1    0{1 if reckoned else 0:5d}{'ALL' * reckoned}\n"
    for node, row in zip(nodes, values(name, number), strict=True):
        text += f" -1{node:{width}d}" + "".join(f"{one:12.5E}" for one in row) + "\n"
    return text + " -3\n"


def text(form: int = 1, count: int = 2, names: Sequence[str] = tuple(HEADS)) -> str:
    nodes = "".join(f" -1{node:{10 if form else 5}d}{' 1.00000E+00' * 3}\n" for node in NODES)
    start = f"    1C\n    1UUSER\n    2C{'':18}{len(NODES):12d}{'':37}{form}\n{nodes} -3\n"
    start += f"    3C{'':18}{0:12d}{'':37}{form}\n -3\n"
    blocks = [block(name, k + 1, form) for k in range(count) for name in names]
    return start + "".join(blocks) + " 9999\n"


def read(path: Path, content: str) -> tuple[list[Increment], str]:
    """The increments, and what is said behind them."""
    path.write_text(content, newline="", encoding="utf-8")
    found = []
    try:
        for one in increments(path):
            found.append(one)
    except DataError as error:
        return found, str(error)
    return found, ""


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_all_increments(ends: str, tmp_path: Path) -> None:
    """Numbers of up to ten digits; ERROR, which CalculiX adds to stresses, is passed over."""
    found, said = read(tmp_path / "a.frd", text().replace("\n", ends))
    assert said == ""
    assert [(one.step, one.number, one.time) for one in found] == [(1, 1, 0.25), (1, 2, 0.5)]
    for one in found:
        assert one.nodes.tolist() == NODES
        assert set(one.fields) == set(FIELDS)
        for name, own in one.fields.items():
            np.testing.assert_allclose(own, values(name, one.number), rtol=1e-5)


def test_the_short_form(tmp_path: Path) -> None:
    """Numbers of nodes in five columns."""
    content = text(0).replace("    100000", "100000").replace("1234567890", "    7")
    found, said = read(tmp_path / "a.frd", content.replace(" -1100000", " -1    8"))
    assert said == ""
    assert found[1].nodes.tolist() == [3, 99_999, 8, 7]
    np.testing.assert_allclose(found[1].fields["STRESS"], values("STRESS", 2), rtol=1e-5)


def test_a_file_without_its_end(tmp_path: Path) -> None:
    """CalculiX that stops leaves 9999 out; both increments are whole."""
    found, said = read(tmp_path / "a.frd", text().replace(" 9999\n", ""))
    assert (len(found), said) == (2, "")


@pytest.mark.parametrize("share", np.linspace(0.02, 0.99, 40))
def test_a_file_cut_off_anywhere(share: float, tmp_path: Path) -> None:
    """What is whole before the cut is there, and the rest is told."""
    whole = text(count=3)
    cut = whole[: int(share * len(whole))]
    found, said = read(tmp_path / "a.frd", cut)
    assert len(found) == sum(block("PE", k) in cut for k in (1, 2, 3))
    for k, one in enumerate(found):
        np.testing.assert_allclose(one.fields["PE"], values("PE", k + 1), rtol=1e-5)
    assert said.startswith(f"{tmp_path / 'a.frd'}: ") or len(found) == 3 or cut.endswith("-3\n")


@pytest.mark.parametrize(
    ("change", "kept", "message"),
    [
        (lambda t: "no fields\n", 0, r"a.frd: expected a .frd file of CalculiX, received b'no fi"),
        (lambda t: "", 0, r"a.frd: expected a .frd file of CalculiX, received b''"),
        (
            lambda t: t.replace(f"{'':37}1\n", f"{'':37}2\n", 1),
            0,
            r"a.frd: expected a .frd file in text, received a binary one",
        ),
        (
            lambda t: t.replace("  2    2\n", "x 2    2\n").replace(" -4  PE ", " -7  PE "),
            0,
            r"increment 1 of step 1: expected the head of a block: received b' -7  PE",
        ),
        (
            lambda t: t.replace("-2.00000E-03-6.00000E-03", "-2.00000X-03-6.00000E-03"),
            1,
            r"increment 2 of step 1, DISP: expected numbers in the lines of nodes",
        ),
        (
            lambda t: t.replace("-2.00000E-03-6.00000E-03", "-2.00000E-03-6.00000E-0"),
            1,
            r"increment 2 of step 1, DISP: expected lines of 49 characters, received others",
        ),
        (
            lambda t: t.replace(block("PE", 2), block("PE", 2).replace("99999", "99998")),
            1,
            r"increment 2 of step 1: expected PE at the nodes of the others",
        ),
    ],
)
def test_damage(change, kept: int, message: str, tmp_path: Path) -> None:
    found, said = read(tmp_path / "a.frd", change(text()))
    assert len(found) == kept
    with pytest.raises(DataError, match=message):
        raise DataError(said)


def test_other_decks(tmp_path: Path) -> None:
    """Without plastic strains, without any of the fields, and without any increment."""
    _, said = read(tmp_path / "a.frd", text(names=["DISP", "STRESS", "ERROR"]))
    assert "increment 1 of step 1: expected DISP, STRESS, PE (*NODE FILE with U, *EL FILE" in said
    assert said.endswith("received none of PE")
    assert read(tmp_path / "a.frd", text(names=["ERROR"]))[1].endswith("PEEQ), received ERROR")
    assert read(tmp_path / "a.frd", text(count=0))[1].endswith("PEEQ), received no field")
