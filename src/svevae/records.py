"""Frozen dataclasses in JSON files, with errors that name the file and the key."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from svevae.errors import DataError

T = TypeVar("T")
LARGEST = 10_000_000  # bytes; a contract has a few thousand
DIGEST = "digest"  # of all other keys: a changed number may be as good a number


def record_text(record: Any) -> str:
    """A dataclass as JSON for people to read, with a digest of what it says; ValueError for NaN and
    infinity, which JSON does not have.
    """
    content = asdict(record)
    sealed = content | {DIGEST: _digest(content)}
    return json.dumps(sealed, indent=1, allow_nan=False) + "\n"


def read_record(cls: type[T], path: Path) -> T:
    """An instance of the dataclass `cls` from a JSON file; keys that it does not have are left out.
    Raises DataError, also where its digest is of something else.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise DataError(f"expected at most {LARGEST:,} bytes, received {path.stat().st_size:,}")
        text = path.read_text(encoding="utf-8")
        record = parse_record(cls, text)
        content = json.loads(text)
        if DIGEST in content and content.pop(DIGEST) != _digest(content):
            raise DataError(
                f"{DIGEST}: expected {_digest(content)} for what the file says: it was changed or"
                f' damaged; make it again, or remove "{DIGEST}" from it if the change is meant'
            )
        return record
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path}: expected a JSON file, cannot be read: {type(error).__name__}: {error}"
        ) from error
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _digest(content: dict[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def parse_record(cls: type[T], text: str) -> T:
    """The same from JSON text. Raises DataError that begins with the key."""
    try:
        return TypeAdapter(cls).validate_json(text, strict=True)
    except ValidationError as error:
        raise DataError(_in_words(error.errors(include_url=False)[0])) from error


def _in_words(detail: ErrorDetails) -> str:
    key = ".".join(str(word) for word in detail["loc"])
    if detail["type"] == "json_invalid":
        return f"expected JSON, cannot be read: {detail['msg']}"
    if detail["type"] == "missing":
        return f"{_short(key)}: expected a value, received nothing"
    expected = detail["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    received = _short(repr(detail["input"]))
    return f"{_short(key) or 'the file'}: expected {expected}, received {received}"


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]}..."
