"""Counts, lists and units in sentences for people."""

from __future__ import annotations

from collections.abc import Sequence


def counted(count: int, noun: str) -> str:
    """1 SVE, 2 SVEs, 3 properties."""
    if count == 1:
        return f"{count} {noun}"
    return f"{count} {noun[:-1]}ies" if noun.endswith("ty") else f"{count} {noun}s"


def some(items: Sequence[str], most: int = 20) -> str:
    """The first of `items`, and how many more; an attribute of an HDF5 file holds 64 kB."""
    return ", ".join(items[:most]) + (f" and {len(items) - most} more" if len(items) > most else "")


def short(text: str, most: int = 60) -> str:
    """`text`, its middle left out where it has more than `most` characters."""
    kept = (most - 3) // 2
    return text if len(text) <= most else f"{text[:kept]}...{text[-kept:]}"


def headed(name: str, unit: str) -> str:
    """Put a quantity with its unit at the head of a column or an axis: E_x [MPa]; the name alone
    for the unit "-".
    """
    return name if unit == "-" else f"{name} [{unit}]"
