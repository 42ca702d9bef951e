"""Messages of errors: short enough to be read, whatever a file holds."""

from __future__ import annotations

from svevae.errors import DataError


def test_long_values_are_cut_and_paths_are_not() -> None:
    path = "/data/" + "part/" * 100 + "scan.h5"
    said = str(DataError(f"{path}: expected a number, received {'9' * 5000}, see {path}"))
    assert said.startswith(f"{path}: expected a number, received 999")
    assert said.endswith(f"999, see {path}")
    assert len(said) < 1300


def test_long_messages_keep_both_ends() -> None:
    said = str(DataError("scan.h5: expected " + "a word " * 1000 + "or a number"))
    assert said.startswith("scan.h5: expected a word")
    assert said.endswith("or a number")
    assert len(said) < 2000
