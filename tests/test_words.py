"""Counts and lists as people read them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from svevae.words import counted, headed, short, some

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 SVEs"), (1, "1 SVE"), (2, "2 SVEs"), (1000, "1000 SVEs")]
)
def test_counts_have_their_plural(count: int, text: str) -> None:
    assert counted(count, "SVE") == text


def test_a_plural_in_ies() -> None:
    assert [counted(count, "property") for count in (1, 2)] == ["1 property", "2 properties"]


def test_messages_count_by_the_helper() -> None:
    """A length before a plural would say "1 SVEs"."""
    plural = re.compile(r"\{len\([^{}]*\)\} (\w+ )?[A-Za-z]+s\b")
    for path in sorted((ROOT / "src").rglob("*.py")):
        found = [
            line.strip() for line in path.read_text("utf-8").splitlines() if plural.search(line)
        ]
        assert not found, path


@pytest.mark.parametrize(
    ("items", "text"),
    [([], ""), (["a"], "a"), (["a", "b"], "a, b"), (["a", "b", "c", "d"], "a, b and 2 more")],
)
def test_lists_say_what_they_leave_out(items: list[str], text: str) -> None:
    assert some(items, most=2) == text


def test_units_follow_their_names() -> None:
    assert headed("E_x", "MPa") == "E_x [MPa]"
    assert headed("nu_xy", "-") == "nu_xy"


def test_long_texts_are_shown_by_their_ends() -> None:
    assert short("x" * 60) == "x" * 60
    assert short("a" * 50 + "b" * 50, 13) == "aaaaa...bbbbb"
