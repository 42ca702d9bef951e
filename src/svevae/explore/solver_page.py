"""What the page of `svevae explore` answers about a solution: asked for, followed, shown."""

from __future__ import annotations

import threading
import time
from typing import Any

from dash import Dash, Input, Output, State, ctx, html, no_update

from svevae.errors import DataError
from svevae.explore.pages import Job, Pages
from svevae.explore.said import in_words
from svevae.explore.session import Explorer


def add_solver(app: Dash, pages: Pages) -> None:
    """Add the callback of the button Solve, and of the clock that follows the solution."""
    running: list[Job] = []  # at most one, of any page: two at once would take twice as long
    lock = threading.Lock()

    def work(explorer: Explorer, job: Job, moves: list[float]) -> None:
        def report(text: str) -> None:
            job.said = text

        try:
            explorer.solve(job.start, moves, job.axis, report)
        except Exception as error:
            job.error = in_words(error)
        finally:
            running.clear()
            job.done = True

    @app.callback(
        output={
            "clock_disabled": Output("clock", "disabled"),
            "solve_disabled": Output("solve", "disabled"),
            "progress": Output("progress", "children"),
            "error": Output("solver-error", "children"),
            "solved": Output("solved", "data"),
        },
        inputs={
            "clicks": Input("solve", "n_clicks"),
            "tick": Input("clock", "n_intervals"),
            "start": Input("start", "data"),
            "wish": State("wish", "data"),
            "page": State("page", "data"),
        },
        prevent_initial_call=True,
    )
    def solve(
        clicks: int | None,
        tick: int | None,
        start: str | None,
        wish: dict[str, Any] | None,
        page: str | None,
    ) -> dict[str, Any]:
        idle: dict[str, Any] = {
            "clock_disabled": True,
            "solve_disabled": False,
            "progress": "",
            "error": "",
            "solved": no_update,
        }
        try:
            asking = pages.find(page)
        except DataError as gone:
            return idle | {"error": html.Div(str(gone), className="error")}
        with lock:
            if ctx.triggered_id == "solve" and start and wish and not running:
                asking.job = Job(start, wish["axis"], time.monotonic())
                running.append(asking.job)
                # the browser may not have asked for a view of a new start yet: that is unmoved
                moves = wish["moves"] if wish["start"] == start else []
                arguments = (asking.explorer, asking.job, moves)
                threading.Thread(target=work, args=arguments, daemon=True).start()
            job = next(iter(running), asking.job)
        # keys of starts are not those of another page
        mine = job is not None and start == job.start
        if job is None or (job.done and not mine):
            return idle
        seconds = time.monotonic() - job.began
        if not job.done:
            said = job.said if mine else "busy with another SVE"
            progress = f"{said} … {seconds:.0f} s"
            return idle | {"clock_disabled": False, "solve_disabled": True, "progress": progress}
        if job.error:
            error = html.Div(f"The solver: {job.error}", className="error")
            return idle | {"error": error, "solved": tick}
        return idle | {"progress": f"solved in {seconds:.1f} s", "solved": tick}
