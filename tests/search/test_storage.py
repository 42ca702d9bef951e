"""Storages: a wrong or absent one is named; a torn journal is mended; an outage is waited for."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy.exc import OperationalError

from svevae.errors import ConfigError, DataError
from svevae.search import storage
from svevae.search.storage import mend_journal, open_journal, open_storage, patiently, storage_url
from svevae.search.study import Study, Ticket
from tests.conftest import unused_port


def test_a_damaged_journal_is_named(tmp_path: Path) -> None:
    """Each of 100 seeded changes of a byte is read, as what it says now, or refused."""
    path, damaged = tmp_path / "study.journal", tmp_path / "damaged.journal"
    Study.create(open_journal(path), "s", ("combined",), {"a": 1})
    content, said = path.read_bytes(), []
    random = np.random.default_rng(0)
    places = random.integers(len(content), size=100)
    for place, value in zip(places, random.bytes(100), strict=True):
        damaged.write_bytes(content[:place] + bytes([value]) + content[place + 1 :])
        try:
            open_journal(damaged)
        except DataError as error:
            said.append(str(error))
    assert len(said) > 20
    start = f"{damaged}: expected the journal of a study, cannot be read, damaged: "
    assert all(message.startswith(start) for message in said)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (
            "file.journal",
            "search.storage: expected journal, or an address .*, received 'file.journal'",
        ),
        (
            "postgresql+psycopg://me:secret@127.0.0.1:{port}/db",
            r"search.storage: expected a storage at postgresql\+psycopg://me:\*\*\*@127",
        ),
        (
            "grpc://127.0.0.1:{port}",
            (
                "search.storage: expected a storage at grpc://127.0.0.1:.*which cannot be used:"
                " GRPC connection timeout"
            ),
        ),
        (
            "grpc://127.0.0.1",
            (
                "search.storage: expected a storage at grpc://127.0.0.1, which cannot be used:"
                " expected grpc://host:port"
            ),
        ),
        ("oracle+none://here/db", "search.storage: expected a storage at oracle"),
        (
            "nonsense://here/db",
            "search.storage: expected a storage at nonsense://here/db, .* used: no kind of",
        ),
        ("mysql+pymysql://here/db", "search.storage: expected a storage at mysql.*pymysql"),
    ],
)
def test_a_storage_that_cannot_be_used_is_named_without_its_password(
    url: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "TIMEOUT", 1)
    with pytest.raises(ConfigError, match=f"^{message}") as refused:
        open_storage(url.format(port=unused_port()))
    assert "secret" not in str(refused.value)


def test_a_server_that_accepts_and_says_nothing_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(storage, "TIMEOUT", 2)
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        with pytest.raises(
            ConfigError, match=r"expected a storage at postgresql\+psycopg://127\.0\.0\.1"
        ):
            open_storage(f"postgresql+psycopg://127.0.0.1:{mute.getsockname()[1]}/db")


def test_the_environment_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SVEVAE_STORAGE", raising=False)
    assert storage_url("journal") == "journal"
    monkeypatch.setenv("SVEVAE_STORAGE", "grpc://host:13000")
    assert storage_url("journal") == "grpc://host:13000"


def test_a_line_that_a_full_disk_left_unfinished_is_cut_off(tmp_path: Path) -> None:
    """Without that, the next line would be written behind it, and the journal could never be read
    again.
    """
    path = tmp_path / "study.journal"
    study = Study.create(open_journal(path), "s", ("combined",), {})
    study.issue([Ticket(0, 0)])
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"op_code": 4, "worker')
    mend_journal(path)
    assert path.read_bytes() == whole
    again = Study.load(open_journal(path), "s")
    again.issue([Ticket(0, 0), Ticket(1, 1)])
    assert len(Study.load(open_journal(path), "s").trials()) == 2
    assert all(json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())


def test_patience_outlasts_an_outage_and_ends(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    pauses: list[float] = []
    clock = [0.0]

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        clock[0] += seconds

    monkeypatch.setattr(storage.time, "sleep", sleep)
    monkeypatch.setattr(storage.time, "monotonic", lambda: clock[0])
    answers = iter(
        [OperationalError("select", {}, Exception("server closed the connection")), None]
    )

    def call(value: int, more: int) -> int:
        if error := next(answers):
            raise error
        return value + more

    assert patiently(call, 1, more=2) == 3
    assert (
        "OperationalError: (builtins.Exception) server closed the connection; trying again for"
        " 10 min" in capsys.readouterr().err
    )

    def never() -> None:
        raise OperationalError("select", {}, Exception("gone"))

    with pytest.raises(OperationalError):
        patiently(never, patience=60)
    assert 60 < sum(pauses) < 90


def test_patience_is_for_outages_alone() -> None:
    with pytest.raises(ZeroDivisionError):
        patiently(lambda: 1 / 0)
