"""Counts, lists and units as people read them."""

from __future__ import annotations

from svevae.words import counted, headed, some


def test_counts_have_their_plural() -> None:
    assert [counted(k, "SVE") for k in (0, 1, 4080)] == ["0 SVEs", "1 SVE", "4,080 SVEs"]


def test_long_lists_end_with_how_many_more() -> None:
    assert some(["a", "b"], 2) == "a, b"
    assert some(["a", "b", "c", "d"], 2) == "a, b and 2 more"


def test_units_follow_their_names() -> None:
    assert headed("E_x", "MPa") == "E_x [MPa]"
    assert headed("nu_xy", "-") == "nu_xy"
