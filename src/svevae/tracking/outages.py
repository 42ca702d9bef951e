"""What goes wrong with a store, in words: outages apart from refusals, without passwords."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import requests
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError

from svevae.errors import TrackingError, missing

LONGEST = 500  # characters of what a library says


class OutageError(TrackingError):
    """The store does not answer now; the same call may go through later."""


@contextmanager
def telling_outages() -> Iterator[None]:
    """OutageError in place of what says that the store is away; other errors pass."""
    try:
        yield
    except (SQLAlchemyError, requests.RequestException) as error:
        raise OutageError(said(error)) from error
    except MlflowException as error:
        if error.error_code in ("INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE"):
            raise OutageError(said(error)) from error
        raise


@contextmanager
def telling(what: str) -> Iterator[None]:
    """TrackingError that begins with `what` in place of whatever a store raises.

    Each kind of store has a library of its own (sqlite, a database driver, boto3, requests), and
    with damaged content each fails in its own ways; hence every exception.
    """
    try:
        yield
    except TrackingError:
        raise
    except Exception as error:
        raise TrackingError(f"{masked(what)}, received: {said(error)}") from error


def is_absence(error: MlflowException) -> bool:
    """Whether a store has answered that it lacks what was asked for."""
    return error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")


def said(error: BaseException) -> str:
    """What an error says, in a few words, without passwords and SQLAlchemy's statements; of a
    library that is not installed, how to get it.
    """
    text = masked(str(error).partition("\n[SQL:")[0].strip() or type(error).__name__)
    if isinstance(error, ModuleNotFoundError):
        text = missing(error) or text
    elif isinstance(error, NoSuchModuleError):
        text = "no kind of server or database that is known here"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ..."


def masked(text: str) -> str:
    """`text` with the passwords of its addresses hidden."""
    return re.sub(r"//([^/:@\s]+):[^/@\s]+@", r"//\1:***@", text)
