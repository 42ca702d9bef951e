"""Pages served on this machine: where they listen, and whose requests they answer.

Another page in the same browser can send requests here too, by a name of its own that points to
this machine, or from its own origin. So a request is answered only where its Host is an address
that is served, and its Origin, if it has one, is that same address.
"""

from __future__ import annotations

import reprlib
import socket
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from svevae.errors import ConfigError

HOST = "127.0.0.1"
NAMES = (HOST, "localhost", "[::1]")
TEXT = "text/plain; charset=utf-8"

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]
WSGI = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
ASGI = Callable[[Message, Receive, Send], Awaitable[None]]


def listen(port: int) -> socket.socket:
    """A socket on the loopback address. Raises ConfigError where the port is taken or none."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
        listening.listen()
    except (OSError, OverflowError) as error:
        listening.close()
        raise ConfigError(
            f"port: expected a free port of this machine, received {port}: {error}"
        ) from error
    return listening


def addresses(port: int, allowed: Iterable[str] = ()) -> tuple[str, ...]:
    """What the Host of a request may be: this machine's names with `port`, and the `allowed` ones,
    as NAME:PORT, or as NAME with `port` or none.
    """
    answered = [f"{name}:{port}" for name in NAMES]
    answered += NAMES if port == 80 else ()  # a browser leaves the port of http out
    for name in allowed:
        has_port = ":" in name.rpartition("]")[2]
        answered += [name.lower()] if has_port else [name.lower(), f"{name.lower()}:{port}"]
    return tuple(answered)


def refusal(host: str | None, origin: str | None, answered: Iterable[str]) -> str:
    """Why a request with these headers, None where it has none, is not answered; empty where it
    is. `answered` are `addresses`.
    """
    answered = tuple(answered)
    if host is None or host.lower() not in answered:
        return (
            f"Host: expected {' or '.join(answered)}, received {reprlib.repr(host)};"
            " --allow-host lets another name in"
        )
    if origin is not None and origin.lower() not in {
        f"{scheme}://{host.lower()}" for scheme in ("http", "https")
    }:
        return f"Origin: expected that of this page, received {reprlib.repr(origin)}"
    return ""


class GuardedWSGI:
    """The WSGI application `app` for requests to the `addresses` answered; 403 for others."""

    def __init__(self, app: WSGI, answered: Iterable[str]):
        self._app, self._answered = app, tuple(answered)

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        why = refusal(environ.get("HTTP_HOST"), environ.get("HTTP_ORIGIN"), self._answered)
        if not why:
            return self._app(environ, start_response)
        body = f"{why}\n".encode()
        start_response(
            "403 Forbidden", [("Content-Type", TEXT), ("Content-Length", str(len(body)))]
        )
        return [body]


class GuardedASGI:
    """The ASGI application `app` for requests to the `addresses` answered; 403 for others."""

    def __init__(self, app: ASGI, answered: Iterable[str]):
        self._app, self._answered = app, tuple(answered)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):  # starting and ending
            await self._app(scope, receive, send)
            return
        headers: dict[bytes, str] = {}
        for name, value in scope["headers"]:  # one that is given twice fits nothing
            before = f"{headers[name]}, " if name in headers else ""
            headers[name] = before + value.decode("latin-1")
        why = refusal(headers.get(b"host"), headers.get(b"origin"), self._answered)
        if not why:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close"})
        else:
            named = [(b"content-type", TEXT.encode())]
            await send({"type": "http.response.start", "status": 403, "headers": named})
            await send({"type": "http.response.body", "body": f"{why}\n".encode()})
