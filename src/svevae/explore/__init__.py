"""The page of `svevae explore`: `session` computes, `figures` and `layout` show, `page`
answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from svevae.lazy import lazy

if TYPE_CHECKING:
    from svevae.explore.page import explore, make_app
    from svevae.explore.session import Explorer

__all__ = ["Explorer", "explore", "make_app"]

__getattr__ = lazy(
    __name__,
    {
        "Explorer": "session",
        "explore": "page",
        "make_app": "page",
    },
)
