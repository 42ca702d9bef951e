"""Errors in words."""

from __future__ import annotations

import pytest

from svevae.errors import DataError
from svevae.explore.said import in_words


def test_what_users_can_mend_and_what_nobody_foresaw(caplog: pytest.LogCaptureFixture) -> None:
    assert in_words(DataError("a.h5: expected SVEs")) == "a.h5: expected SVEs"
    assert not caplog.text
    assert in_words(KeyError("x")) == "KeyError: 'x'"
    assert "svevae explore" in caplog.text
