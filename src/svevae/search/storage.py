"""Where a study is stored: the journal file of this project, a database, or a gRPC proxy for one;
and how to wait for it during an outage.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import grpc
import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, GrpcStorageProxy, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock
from sqlalchemy.exc import SQLAlchemyError

from svevae import tracking
from svevae.errors import ConfigError, DataError
from svevae.words import short

JOURNAL = Path("artifacts/search/study.journal")  # a finished study, kept by DVC
TIMEOUT = 10  # seconds for a storage to answer before it counts as unreachable
OUTAGE = 600  # seconds that a storage or the tracking store may be away while a search goes on
OUTAGES = (SQLAlchemyError, StorageInternalError, grpc.RpcError, tracking.OutageError)

# what Optuna raises of a journal that is damaged
UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, AssertionError, RuntimeError)

Result = TypeVar("Result")


def storage_url(configured: str) -> str:
    """Return SVEVAE_STORAGE if it is set, else search.storage: "journal" or an address."""
    return os.environ.get("SVEVAE_STORAGE") or configured


def open_storage(url: str, journal: Path = JOURNAL) -> BaseStorage:
    """Open the storage at "journal", which is the file `journal`, or at an address; a new one is
    set up. Raises ConfigError where it cannot be reached.
    """
    if url == "journal":
        return open_journal(journal)
    if "://" not in url:
        example = "postgresql+psycopg://user@host/database"
        raise ConfigError(
            f"search.storage: expected journal, or an address such as {example}, received {url!r}"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return _open_proxy(url) if url.startswith("grpc://") else _open_database(url)
    except (*OUTAGES, OSError, ImportError, ValueError) as error:
        reason = tracking.said(error).splitlines()[0]
        raise ConfigError(
            tracking.masked(
                f"search.storage: expected a storage at {url}, which cannot be used: {reason}"
            )
        ) from error


def open_journal(path: Path) -> JournalStorage:
    """Open the journal file at `path`, made if absent. Raises DataError where it is damaged."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # The path becomes the target of the lock's symbolic link, through which its age is read: hence
    # absolute.
    lock = JournalFileSymlinkLock(str(path.resolve()))
    try:
        return JournalStorage(JournalFileBackend(str(path), lock))
    except UNREADABLE as error:  # Optuna reads all of it
        raise DataError(
            f"{path}: expected the journal of a study, cannot be read, damaged:"
            f" {short(str(error))}; `dvc checkout search` brings back what is kept"
        ) from error


def mend_journal(path: Path) -> None:
    """Cut off a last line that a full disk left unfinished: the next line would be appended to it,
    and neither could be read.
    """
    if path.is_file():
        content = path.read_bytes()
        whole = whole_lines(content)
        if whole != content:
            with open(path, "r+b") as file:
                file.truncate(len(whole))


def whole_lines(content: bytes) -> bytes:
    """The content of a journal without a last line that is not written yet."""
    return content[: content.rfind(b"\n") + 1]


def _open_database(url: str) -> RDBStorage:
    connect = {"connect_timeout": TIMEOUT} if url.startswith("postgresql") else {}
    return RDBStorage(url, engine_kwargs={"pool_pre_ping": True, "connect_args": connect})


def _open_proxy(url: str) -> GrpcStorageProxy:
    parts = urlsplit(url)
    if not parts.hostname or not parts.port:
        raise ValueError("expected grpc://host:port")
    storage = GrpcStorageProxy(host=parts.hostname, port=parts.port)
    storage.wait_server_ready(timeout=TIMEOUT)
    return storage


def patiently(
    call: Callable[..., Result], *arguments: Any, patience: float = OUTAGE, **options: Any
) -> Result:
    """Return call(*arguments, **options); try again while the storage or the tracking store is
    away, for `patience` seconds, then raise the error.

    So a finished trial is not lost because its database was restarted.
    """
    begun, pause = time.monotonic(), 0.5
    while True:
        try:
            return call(*arguments, **options)
        except OUTAGES as error:
            if time.monotonic() - begun > patience:
                raise
            if pause == 0.5:
                print(
                    f"{_first_line(error)}; trying again for {patience / 60:.0f} min",
                    file=sys.stderr,
                    flush=True,
                )
            time.sleep(pause)
            pause = min(2 * pause, 15)


@contextmanager
def repeatedly(
    call: Callable[[int], object], seconds: float, *ignored: type[Exception]
) -> Iterator[None]:
    """Call `call` with 1, 2, ... every `seconds` from a thread of its own, until the context ends.
    What an outage or one of `ignored` refuses is left out: the next may go through.
    """
    over = threading.Event()

    def go_on() -> None:
        count = 0
        while not over.wait(seconds):
            count += 1
            with suppress(*OUTAGES, *ignored, OSError):
                call(count)

    thread = threading.Thread(target=go_on, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _first_line(error: BaseException) -> str:
    text = str(error).strip() or "no answer"
    return tracking.masked(f"{type(error).__name__}: {text.splitlines()[0]}")
