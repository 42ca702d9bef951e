"""What a page of `svevae explore` answers, asked as a browser asks."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
from dash import Dash

OWN = "http://127.0.0.1:5006"


def answer(app: Dash, of: str, trigger: str, **values: object) -> dict | None:
    """What the callback with the output `of` answers when `trigger` changed, None for nothing;
    `values` of inputs and states by id.
    """
    [(key, callback)] = [
        (key, callback) for key, callback in app.callback_map.items() if f"{of}." in key
    ]
    parts = [part.rsplit(".", 1) for part in key.strip(".").split("...")]
    named = {
        kind: [
            one | {"value": values.get("filename" if one["property"] == "filename" else one["id"])}
            for one in callback[kind]
        ]
        for kind in ("inputs", "state")
    }
    sliders = [{"id": {"index": k, "type": "move"}, "property": "value"} for k in range(3)]
    outputs = [
        sliders if name.startswith("{") else {"id": name, "property": what} for name, what in parts
    ]
    body = named | {
        "output": key,
        "outputs": outputs,
        "changedPropIds": [trigger] if trigger else [],
    }
    reply = app.server.test_client().post("/_dash-update-component", base_url=OWN, json=body)
    assert reply.status_code in (200, 204)
    return reply.get_json()["response"] if reply.status_code == 200 else None


def open_page(app: Dash) -> str:
    """The key of a page that is loaded now."""
    text = app.server.test_client().get("/_dash-layout", base_url=OWN).get_data(as_text=True)
    [key] = re.findall(
        r'"data": *"([^"]+)", *"id": *"page"|"id": *"page", *"data": *"([^"]+)"', text
    )
    return "".join(key)


def drop(app: Dash, page: str, name: str, content: bytes, store: str = "dropped") -> dict | str:
    """What the page has in `store` of a file that is dropped on it: how many SVEs a volume has, or
    what was wrong with it; `wrong` for what was wrong with a mesh.
    """
    contents = "data:;base64," + base64.b64encode(content).decode()
    values = {"upload": contents, "filename": name, "pores-are": "dark", "page": page}
    found = answer(app, "upload", "upload.contents", **values)
    assert found["upload"]["contents"] is None, "else the browser sends it with every click"
    return found[store]["children" if store == "wrong" else "data"]


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()
