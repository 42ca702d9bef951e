"""YAML by itself: values, and faults by line and column; what sections make of it is in
`test_sections.py`.
"""

from __future__ import annotations

import pytest

from svevae.errors import ConfigError
from svevae.yaml_text import named, parse_yaml, received


def test_values() -> None:
    content = "a: [1, 2.5, x]\nb: {c: true, \u00e9: null}\n"
    assert parse_yaml(content.encode()) == {"a": [1, 2.5, "x"], "b": {"c": True, "\u00e9": None}}
    assert parse_yaml(b"") is None


@pytest.mark.parametrize(
    ("content", "where"),
    [
        (b"a: 1\nb: [1,\n  2", "line 3, column 4"),
        (b"a: 'x", "line 1, column 6"),
        (b"a: 1\n  b: 2", "line 2, column 4"),
        ("\u00e9: 1\n\u00e9\u00e9: @".encode(), "line 2, column 5"),
        ("\u00e9: \u00e9".encode() + b"\xff", "line 1, column 5"),
        ("\u00e9: 1\n\u00e9\u00e9\x07".encode(), "line 2, column 3"),
        (b"a: 1\nb: 2026-13-01", "line 2, column 4"),
        (b"a: !x 1", "line 1, column 4"),
    ],
)
def test_faults_have_a_place(content: bytes, where: str) -> None:
    with pytest.raises(ConfigError, match=rf"^{where}: expected YAML in UTF-8: \S") as refused:
        parse_yaml(content)
    assert "string>" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_long_values_are_cut() -> None:
    assert len(received("x" * 1000)) < 100
    assert named("heat") == "heat"
    assert named("a b\n") == "'a b\\n'"
