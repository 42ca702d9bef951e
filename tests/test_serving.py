"""Who is answered: by the rule itself, and by both kinds of application."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from svevae.serving import GuardedASGI, GuardedWSGI, addresses, refusal

ANSWERED = addresses(5006, ["Lab.example", "proxy.example:8443"])
CASES = [
    ("127.0.0.1:5006", None, True),
    ("LOCALHOST:5006", "http://localhost:5006", True),
    ("[::1]:5006", "http://[::1]:5006", True),
    ("lab.example", "https://lab.example", True),
    ("lab.example:5006", None, True),
    ("proxy.example:8443", "https://proxy.example:8443", True),
    (None, None, False),
    ("", None, False),
    ("127.0.0.1", None, False),
    ("127.0.0.1:5007", None, False),
    ("proxy.example", None, False),
    ("example.org:5006", None, False),
    ("127.0.0.1:5006", "null", False),
    ("127.0.0.1:5006", "", False),
    ("127.0.0.1:5006", "http://localhost:5006", False),
    ("127.0.0.1:5006", "http://127.0.0.1:8000", False),
    ("127.0.0.1:5006", "http://example.org", False),
]


@pytest.mark.parametrize(("host", "origin", "answered"), CASES)
def test_hosts_and_origins(host: str | None, origin: str | None, answered: bool) -> None:
    why = refusal(host, origin, ANSWERED)
    assert (why == "") == answered
    assert answered or "expected" in why


def test_a_browser_leaves_the_port_80_out() -> None:
    assert refusal("localhost", "http://localhost", addresses(80)) == ""


@pytest.mark.parametrize(("host", "origin", "answered"), CASES)
def test_wsgi(host: str | None, origin: str | None, answered: bool) -> None:
    said: list[str] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [b"page"]

    environ = {"HTTP_HOST": host, "HTTP_ORIGIN": origin}
    given = {name: value for name, value in environ.items() if value is not None}
    body = GuardedWSGI(app, ANSWERED)(given, lambda status, headers: said.append(status))
    assert said == ["200 OK" if answered else "403 Forbidden"]
    assert (body == [b"page"]) == answered


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize(("host", "origin", "answered"), CASES)
def test_asgi(host: str | None, origin: str | None, answered: bool, kind: str) -> None:
    headers = {b"host": host, b"origin": origin}
    named = [(name, value.encode()) for name, value in headers.items() if value is not None]
    sent = ask(kind, named)
    refused = {
        "http": ["http.response.start", "http.response.body"],
        "websocket": ["websocket.close"],
    }
    assert [one["type"] for one in sent] == (["page"] if answered else refused[kind])
    assert answered or sent[0].get("status") == (403 if kind == "http" else None)


def test_a_host_that_is_given_twice() -> None:
    own = (b"host", b"localhost:5006")
    assert ask("http", [own])[0]["type"] == "page"
    assert ask("http", [own, (b"host", b"example.org")])[0]["status"] == 403


def test_starting_and_ending_need_no_host() -> None:
    assert ask("lifespan", []) == [{"type": "page"}]


def ask(kind: str, headers: list[tuple[bytes, bytes]]) -> list[Any]:
    """What is sent for a request to a guarded application that sends `page`."""
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "page"})

    async def receive() -> dict[str, Any]:
        return {}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(GuardedASGI(app, ANSWERED)({"type": kind, "headers": headers}, receive, send))
    return sent
