"""How far the filling of a mesh is: one thread tells, another asks."""

from __future__ import annotations

import time
from collections.abc import Callable

from tqdm import tqdm


class Progress:
    """Work that has begun now. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._begun = self._counted = self._last = clock()
        self._done = self._total = 0

    def tell(self, done: int, total: int) -> None:
        """So many SVEs are encoded; none are where it begins, from which the rate is counted."""
        self._last = self._clock()
        if not done:
            self._counted = self._last
        self._done, self._total = done, total

    def say(self) -> str:
        """How many SVEs are encoded, their rate and the time left, where these are known; and how
        long it has taken.
        """
        gone = f"{tqdm.format_interval(self._clock() - self._begun)} gone"
        if self._done == self._total:  # before, and after
            return gone
        said = f"{self._done:,} of {self._total:,} SVEs, {gone}"
        if not self._done or self._last <= self._counted:
            return said
        rate = self._done / (self._last - self._counted)
        left = (self._total - self._done) / rate
        speed = f"{rate:.3g}" if rate < 100 else f"{rate:,.0f}"
        return f"{said}, {tqdm.format_interval(left)} left, {speed} SVE/s"
