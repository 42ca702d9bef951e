"""The pages that are open, each with what it looks at: no page sees another's upload, SVEs or
solutions.
"""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass

from svevae.errors import DataError
from svevae.explore.session import Explorer

MOST, MOST_BYTES = 64, 4 << 30  # pages that are kept, and bytes of all of them
GONE = (
    "what this page had is gone: the server was started again, or newer pages took its place;"
    " reload it, and drop your volume again"
)


@dataclass
class Job:
    """A solution under way in a thread: `said` is how far it is, `error` what went wrong, in
    words.
    """

    start: str
    axis: str
    began: float
    said: str = "starting"
    error: str = ""
    done: bool = False


@dataclass
class Page:
    """One page in one browser: what it looks at, and the solution that it asked for last."""

    explorer: Explorer
    job: Job | None = None


class Pages:
    """Pages by a key that cannot be guessed. The least recently used are dropped where there are
    more than `most`, or where they hold more than `most_bytes`.
    """

    def __init__(self, explorer: Explorer, most: int = MOST, most_bytes: int = MOST_BYTES):
        self._explorer, self._most, self._most_bytes = explorer, most, most_bytes
        self._pages: dict[str, Page] = {}  # the least recently used first
        self._lock = threading.Lock()

    def open(self) -> str:
        """A new page; its key."""
        key = secrets.token_urlsafe(24)
        with self._lock:
            self._pages[key] = Page(self._explorer.fresh())
        self.trim()
        return key

    def find(self, key: str | None) -> Page:
        """The page of `key`. Raises DataError where it was dropped, or is not of this server."""
        with self._lock:
            if key not in self._pages:
                raise DataError(GONE)
            self._pages[key] = page = self._pages.pop(key)
        return page

    def trim(self) -> None:
        """Drop the least recently used pages beyond the bounds; the last used one stays."""
        with self._lock:
            held = {key: page.explorer.nbytes for key, page in self._pages.items()}
            total = sum(held.values())
            for key in list(held)[:-1]:
                if len(self._pages) <= self._most and total <= self._most_bytes:
                    break
                del self._pages[key]
                total -= held[key]
