"""Pages: each has its own, and what they hold is bounded."""

from __future__ import annotations

import numpy as np
import pytest

from svevae.errors import DataError
from svevae.explore.pages import Pages
from svevae.explore.session import Explorer


def test_a_page_has_nothing_of_another(explorer: Explorer) -> None:
    pages = Pages(explorer)
    one, other = pages.open(), pages.open()
    assert len({one, other}) == 2
    assert min(len(one), len(other)) >= 32
    key = pages.find(one).explorer.sample(0)
    assert pages.find(one).explorer.start(key).title == "Sample 0 of the model"
    with pytest.raises(DataError, match="reload it"):
        pages.find(other).explorer.start(key)
    assert pages.find(one).explorer.model is pages.find(other).explorer.model


def test_the_least_recently_used_is_dropped(explorer: Explorer) -> None:
    pages = Pages(explorer, most=2)
    first, second = pages.open(), pages.open()
    pages.find(first)
    third = pages.open()
    with pytest.raises(DataError, match=r"is gone: .* reload it, and drop your volume again"):
        pages.find(second)
    pages.find(first)
    pages.find(third)


def test_bytes_are_bounded(explorer: Explorer) -> None:
    """A sample of 8 voxels has 512 bytes; two pages hold 1,024, and the last used one stays."""
    pages = Pages(explorer, most_bytes=1000)
    first, second = pages.open(), pages.open()
    for page in (first, second):
        pages.find(page).explorer.sample(0)
        assert pages.find(page).explorer.nbytes == np.zeros((8, 8, 8), np.uint8).nbytes
    pages.find(first)
    pages.trim()
    pages.find(first)
    with pytest.raises(DataError, match="is gone"):
        pages.find(second)


@pytest.mark.parametrize("key", [None, "", "guessed"])
def test_a_key_that_was_never_given(explorer: Explorer, key: str | None) -> None:
    with pytest.raises(DataError, match="is gone"):
        Pages(explorer).find(key)
