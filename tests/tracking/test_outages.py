"""What libraries say, in a few words and without passwords."""

from __future__ import annotations

import pytest
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import NoSuchModuleError, OperationalError

from svevae.errors import TrackingError
from svevae.tracking.outages import OutageError, masked, said, telling, telling_outages


def test_passwords_are_hidden() -> None:
    assert masked("no http://me:secret@host:5/a today") == "no http://me:***@host:5/a today"
    assert masked("sqlite:///a/b.db") == "sqlite:///a/b.db"


def test_long_texts_are_cut_and_empty_ones_named() -> None:
    assert said(ValueError("x" * 9000)) == f"{'x' * 500} ..."
    assert said(ValueError()) == "ValueError"
    assert "SELECT" not in said(OperationalError("SELECT", {}, OSError("away")))


@pytest.mark.parametrize("error", [ValueError("a"), TypeError("b"), MlflowException("c")])
def test_whatever_a_store_raises_is_told(error: Exception) -> None:
    with (
        pytest.raises(TrackingError, match=rf"^p://me:\*\*\*@h, received: {error}$"),
        telling("p://me:secret@h"),
    ):
        raise error


def test_an_outage_is_told_from_a_refusal() -> None:
    with pytest.raises(OutageError), telling_outages():
        raise OperationalError("SELECT", {}, OSError("away"))
    with pytest.raises(MlflowException), telling_outages():
        raise MlflowException("no such run", error_code=3)


def test_a_library_that_is_not_installed() -> None:
    assert said(ModuleNotFoundError(name="MySQLdb")).endswith(": pip install mysqlclient")
    assert said(ModuleNotFoundError("No module named 'x'", name="x")) == "No module named 'x'"
    assert said(NoSuchModuleError("Can't load plugin")).startswith("no kind of server or database")
