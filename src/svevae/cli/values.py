"""What the values of options may be; each raises ArgumentTypeError for others."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from svevae.errors import elsewhere


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected at least 1, received {text}")
    return int(text)


def count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected 0 or more, received {text}")
    return int(text)


def finite(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"expected a number, received {text!r}")
    return value


def span(text: str) -> tuple[int | None, int | None]:
    """start:stop, either left out for an end of the volume."""
    try:
        start, stop = (int(end) if end else None for end in text.split(":"))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected START:STOP, either may be left out, received {text!r}"
        ) from None
    return (start, stop)


def pores(text: str) -> str | float:
    try:
        return text if text in ("dark", "bright") else float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected dark, bright or a number, received {text!r}"
        ) from None


def target(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected NAME=VALUE, received {text!r}") from None


def material(text: str) -> str | dict[str, float]:
    if "=" not in text:
        return text
    pairs = [target(pair) for pair in text.split(",")]
    if len(dict(pairs)) < len(pairs):
        raise argparse.ArgumentTypeError(f"expected each constant once, received {text!r}")
    return dict(pairs)


def address_free(text: str) -> str:
    if there := elsewhere(text):
        raise argparse.ArgumentTypeError(f"expected a path on this machine, received {there}")
    return text


def path(text: str) -> Path:
    return Path(address_free(text))


def words(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))
