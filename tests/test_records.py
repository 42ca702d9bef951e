"""Dataclasses from JSON: what is wrong is named by file and key."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from svevae.errors import DataError
from svevae.records import read_record, record_text


@dataclass(frozen=True)
class Record:
    count: int
    ratio: float = 1.0


def test_numbers_keep_their_kind_and_nan_is_one(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_text('{"count": 2, "ratio": 3, "unknown": []}', encoding="utf-8")
    assert read_record(Record, path) == Record(2, 3.0)
    path.write_text('{"count": 2, "ratio": -Infinity}', encoding="utf-8")
    assert read_record(Record, path).ratio == float("-inf")
    path.write_text('{"count": 2, "ratio": NaN}', encoding="utf-8")
    assert read_record(Record, path).ratio != read_record(Record, path).ratio


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "expected JSON, cannot be read: Invalid JSON"),
        ("[]", r"the file: expected an object, received \[\]"),
        ("{}", "count: expected a value, received nothing"),
        ('{"count": 2.0}', "count: expected a valid integer, received 2.0"),
        (
            f'{{"count": "{"9" * 999}"}}',
            "count: expected a valid integer, received '9{59}\\.\\.\\.$",
        ),
    ],
)
def test_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "record.json").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=rf"record\.json: {message}"):
        read_record(Record, tmp_path / "record.json")


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"record\.json: expected a JSON file, cannot be read"):
        read_record(Record, tmp_path / "record.json")


def test_a_changed_number_is_told(tmp_path: Path) -> None:
    """Unless whoever changed it removed the digest."""
    path = tmp_path / "record.json"
    path.write_text(record_text(Record(2, 0.1)), encoding="utf-8")
    assert read_record(Record, path) == Record(2, 0.1)
    path.write_text(path.read_text(encoding="utf-8").replace("0.1", "0.2"), encoding="utf-8")
    with pytest.raises(DataError, match=r"record\.json: digest: expected \w{16} for what the file"):
        read_record(Record, path)
    path.write_text(
        path.read_text(encoding="utf-8").replace("digest", "no digest"), encoding="utf-8"
    )
    assert read_record(Record, path) == Record(2, 0.2)
