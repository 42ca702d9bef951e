"""Solutions: one at a time, of what is shown, seen by the page that asked."""

from __future__ import annotations

import threading
import time

import pytest

from svevae.explore.page import make_app
from svevae.explore.session import Explorer
from tests.conftest import PATIENCE
from tests.explore.answers import answer, open_page


def test_one_solution_at_a_time(explorer: Explorer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another page is told so, and is not shown the end of what it did not ask for."""
    going, free = threading.Event(), threading.Event()

    def solve(*_: object) -> None:
        going.set()
        assert free.wait(PATIENCE)

    monkeypatch.setattr(explorer, "solve", solve)
    app = make_app(explorer, "any")
    pages = [open_page(app) for _ in range(2)]
    starts = [answer(app, "start", "", page=page)["start"]["data"] for page in pages]

    def ask(which: int, trigger: str) -> dict:
        wish = {"start": starts[which], "moves": [], "axis": "z"}
        values = {"start": starts[which], "page": pages[which], "wish": wish, "clock": 3}
        return answer(app, "clock", trigger, **values)

    assert ask(0, "solve.n_clicks")["solve"]["disabled"]
    assert going.wait(PATIENCE)
    assert ask(1, "solve.n_clicks")["progress"]["children"].startswith("busy with another SVE")
    free.set()
    end = time.monotonic() + PATIENCE
    while not (seen := ask(0, "clock.n_intervals"))["clock"]["disabled"]:
        assert time.monotonic() < end
    assert seen["progress"]["children"].startswith("solved in")
    after = ask(1, "clock.n_intervals")
    assert (after["progress"]["children"], after["clock"]["disabled"]) == ("", True)


def test_what_is_shown_is_solved(explorer: Explorer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where Solve is pressed before the browser has asked for a view of the new SVE."""
    asked: list[tuple] = []
    solved = threading.Event()

    def solve(*wish: object) -> None:
        asked.append(wish[:3])
        solved.set()

    monkeypatch.setattr(explorer, "solve", solve)
    app = make_app(explorer, "any")
    page = open_page(app)
    old, new = (answer(app, "start", "", page=page)["start"]["data"] for _ in range(2))
    wish = {"start": old, "moves": [1.0], "axis": "z"}
    answer(app, "clock", "solve.n_clicks", start=new, page=page, wish=wish, clock=3)
    assert solved.wait(PATIENCE)
    assert asked == [(new, [], "z")]
