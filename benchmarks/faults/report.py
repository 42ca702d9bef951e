"""The tables of `docs/reliability.md` and the file that they come from."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.faults.project import ROOT

RESULT = Path(__file__).parents[1] / "faults.json"


def about() -> dict[str, Any]:
    """When, where and of which commit."""
    asked = ["git", "describe", "--always", "--dirty", "--abbrev=7", "--exclude", "*"]
    commit = subprocess.run(
        asked, cwd=ROOT, capture_output=True, encoding="utf-8", check=False
    ).stdout
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": platform.machine(),
        "cores": (
            len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        ),
        "commit": commit.strip(),
    }


def read() -> dict[str, Any]:
    """What was found so far."""
    return json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {}


def keep(part: str, found: dict[str, Any]) -> None:
    """Put what a part found into the file, with when and where."""
    beside = RESULT.with_suffix(".part")
    beside.write_text(json.dumps(read() | {part: {"run": about()} | found}, indent=1) + "\n")
    os.replace(beside, RESULT)


def _table(head: list[str], rows: list[list[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def kill_table(found: dict[str, Any]) -> str:
    """A row for each command."""
    head = [
        *("command", "kills", "pieces of work", "lost", "results equal", "refused"),
        *("failed", "files left", "processes left", "minutes"),
    ]
    rows = [
        [
            f"`{name}`",
            row["kills"],
            row["pieces"],
            row["lost"],
            f"{row['equal']} of {row['runs']}",
            row["refused"],
            len(row["failed"]),
            len(row["leftovers"]),
            row["running"],
            f"{row['seconds'] / 60:.1f}",
        ]
        for name, row in found["commands"].items()
    ]
    return _table(head, rows)


def fuzz_table(found: dict[str, Any]) -> str:
    """A row for each kind of files."""
    from benchmarks.faults.fuzz import FAULTS

    head = ["files", "cases", "refused", *FAULTS, "MiB", "s"]
    rows = [
        [
            name,
            row["cases"],
            row["refused"],
            *(row[fault] for fault in FAULTS),
            row["memory"],
            f"{row['seconds']:.1f}",
        ]
        for name, row in found["kinds"].items()
    ]
    return _table(head, rows)


def soak_table(found: dict[str, Any]) -> str:
    """One row."""
    head = {
        "minutes": f"{found['minutes']:.0f}",
        "restarts": found["restarts"],
        "trials complete": found["complete"],
        "tried again": found["tried_again"],
        "lost": found["lost"],
        "doubled": found["doubled"],
        "left running": found["running"] + found["runs_running"],
        "MLflow runs finished": f"{found['runs_finished']} of {found['runs']}",
    }
    return _table(list(head), [list(head.values())])


NOT_RUN = "No run of this command is kept yet."
TABLES = {"kill": kill_table, "fuzz": fuzz_table, "soak": soak_table}


def tables() -> dict[str, str]:
    """What the page shows of each part: its table, or that there is none."""
    found = read()
    return {part: t(found[part]) if part in found else NOT_RUN for part, t in TABLES.items()}
