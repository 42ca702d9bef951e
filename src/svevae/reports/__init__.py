"""What a finished pipeline leaves for people: the card, the summary, the kept model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from svevae.lazy import lazy

if TYPE_CHECKING:
    from svevae.reports.card import model_card

__all__ = ["model_card"]

__getattr__ = lazy(
    __name__,
    {
        "model_card": "card",
    },
)
