"""The search for a model's configuration: space, study, workers, winner, report.

`open_journal` opens a finished study with Optuna; `score` and `front` judge its trials as the
search does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from svevae.lazy import lazy

if TYPE_CHECKING:
    from svevae.search.pick import finalists, front, score
    from svevae.search.space import parse_space
    from svevae.search.storage import JOURNAL, open_journal, open_storage
    from svevae.search.study import Study, Ticket

__all__ = [
    "JOURNAL",
    "Study",
    "Ticket",
    "finalists",
    "front",
    "open_journal",
    "open_storage",
    "parse_space",
    "score",
]

__getattr__ = lazy(
    __name__,
    {
        "JOURNAL": "storage",
        "Study": "study",
        "Ticket": "study",
        "finalists": "pick",
        "front": "pick",
        "open_journal": "storage",
        "open_storage": "storage",
        "parse_space": "space",
        "score": "pick",
    },
)
