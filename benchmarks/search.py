"""The search: trials an hour by workers, what a worker's start costs, and the share of a trial that
tracking and storage take.

`python benchmarks/search.py [--minutes 1] [--workers 1,2,4]` writes benchmarks/search.json. About
12 minutes on 2 cores.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from optuna.trial import TrialState
from parameters import TRIAL

from svevae.words import counted

ROOT = Path(__file__).parents[1]
RESULT = Path(__file__).with_suffix(".json")
TRIALS = 8
SPACE = {
    "kl_weight": {"low": 0.5, "high": 2.0, "log": True},
    "latent_dim": {"low": 16, "high": 64, "log": True},
}


def make_project(folder: Path, **search: Any) -> None:
    """A clone of this project whose data are split, with a search of the shipped model at small
    fidelity.
    """
    subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
    settings = yaml.safe_load((folder / "params.yaml").read_text())
    settings["search"] |= {
        "trials": TRIALS,
        **TRIAL,
        "finalists": 1,
        "seeds": 1,
        "space": SPACE,
    } | search
    (folder / "params.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
    subprocess.run(
        ["dvc", "repro", "--quiet", "--pull", "prepare"],
        cwd=folder,
        check=True,
        capture_output=True,
    )


def trials_an_hour(workers: int) -> dict[str, float]:
    """From the first trial's start to the last one's end; and the seconds from the command to the
    first trial.
    """
    from svevae.search.storage import open_journal
    from svevae.search.study import Study

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "project"
        make_project(folder, workers=workers)
        began = datetime.now()
        subprocess.run(["svevae", "search"], cwd=folder, check=True, capture_output=True)
        study = Study.load(
            open_journal(folder / "artifacts" / "search" / "study.journal"), "svevae"
        )
        trials = study.trials(TrialState.COMPLETE)
    first, last = min(t.datetime_start for t in trials), max(t.datetime_complete for t in trials)
    seconds = [trial.user_attrs["seconds"] for trial in trials]
    return {
        "trials_an_hour": 3600 * len(trials) / (last - first).total_seconds(),
        "seconds_a_trial": sum(seconds) / len(seconds),
        "start_seconds": (first - began).total_seconds(),
    }


OVERHEAD = """
import json, os, sys, time
from pathlib import Path
os.environ["KERAS_BACKEND"] = "tensorflow"
from svevae import tracking
from svevae.config import load_params
from svevae.search import trial as module
from svevae.search.pick import tickets_of_study
from svevae.search.storage import open_journal, patiently
from svevae.search.study import Study
from svevae.search.task import load_task, terms
spent = {}
def timed(call, *arguments, **options):
    began = time.perf_counter()
    try:
        return patiently(call, *arguments, **options)
    finally:
        kind = "tracking" if call.__module__ == tracking.__name__ else "storage"
        spent[kind] = spent.get(kind, 0) + time.perf_counter() - began
module.patiently = timed
params = load_params()
task = load_task(params)
journal = open_journal(Path("artifacts/search/study.journal"))
study = Study.create(journal, "svevae", params.search.objectives, terms(task))
study.issue(tickets_of_study(task.space, params.train, params.search, 0)[:1])
with tracking.run("search") as run_id:
    pass
began = time.perf_counter()
trial = study.claim(0)
module.run_trial(task, study, trial, run_id, "")
print(json.dumps(spent | {"trial": time.perf_counter() - began}))
"""


def overhead(minutes: float) -> dict[str, float]:
    """Seconds of one trial of about so many minutes, and of what it spent on MLflow and on the
    study.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "project"
        make_project(folder, epochs=max(1, round(minutes * 20)))  # an epoch takes about 3 s
        done = subprocess.run(
            [sys.executable, "-c", OVERHEAD],
            cwd=folder,
            check=True,
            capture_output=True,
            encoding="utf-8",
        )
    found = json.loads(done.stdout.splitlines()[-1])
    return found | {"share": (found["tracking"] + found["storage"]) / found["trial"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--minutes", type=float, default=1.0, help="length of the trial whose overhead is measured"
    )
    parser.add_argument("--workers", default="1,2,4")
    options = parser.parse_args()
    began = time.monotonic()
    found: dict[str, Any] = {"overhead": overhead(options.minutes)}
    print(
        f"a trial of {found['overhead']['trial']:.0f} s: tracking and storage"
        f" {found['overhead']['share']:.2%}",
        flush=True,
    )
    found["workers"] = {}
    for workers in map(int, options.workers.split(",")):
        row = found["workers"][workers] = trials_an_hour(workers)
        ratio = row["trials_an_hour"] / next(iter(found["workers"].values()))["trials_an_hour"]
        rate = f"{row['trials_an_hour']:.0f} trials an hour ({ratio:.2f})"
        print(
            f"{counted(workers, 'worker')}: {rate}, {row['seconds_a_trial']:.1f} s a trial,"
            f" the first {row['start_seconds']:.0f} s after the command",
            flush=True,
        )
    found["run"] = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": platform.machine(),
        "cores": (
            len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        ),
        "minutes": (time.monotonic() - began) / 60,
    }
    beside = RESULT.with_suffix(".part")
    beside.write_text(json.dumps(found, indent=1) + "\n")
    shutil.move(beside, RESULT)


if __name__ == "__main__":
    main()
