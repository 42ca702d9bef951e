"""What the page of `svevae explore` says of an error."""

from __future__ import annotations

import logging

from svevae.errors import SvevaeError


def in_words(error: Exception) -> str:
    """Say what to show of an error; an unforeseen one goes to the log too."""
    if isinstance(error, SvevaeError):
        return str(error)
    logging.getLogger(__name__).error("svevae explore", exc_info=error)
    return f"{type(error).__name__}: {error}"
