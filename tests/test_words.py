"""Counts and lists as people read them."""

from __future__ import annotations

import pytest

from svevae.words import counted, headed, short, some


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 SVEs"), (1, "1 SVE"), (2, "2 SVEs"), (1000, "1000 SVEs")]
)
def test_counts_have_their_plural(count: int, text: str) -> None:
    assert counted(count, "SVE") == text


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
