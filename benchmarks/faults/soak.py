"""A long search by four workers, two of them of a command that joined, with Optuna and MLflow on
one PostgreSQL that is killed and started again.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.faults.project import WORK, copied, environment, finished
from optuna.trial import FrozenTrial, TrialState
from tests.conftest import change_yaml
from tqdm import tqdm

TRIALS = 60  # a minute, more than two cores do
AWAY = (5, 60)  # seconds that the database is away
LOOK = 2.0


def soak(minutes: float, restarts: int, seed: int) -> dict[str, Any]:
    """The row of the table. Raises RuntimeError where there is no PostgreSQL, and where a search
    fails.
    """
    from tests.test_search import POSTGRES, Postgres, mlflow_runs, workers_of

    from svevae.search.storage import OUTAGES, open_storage
    from svevae.search.study import Study

    if not POSTGRES:
        raise RuntimeError("needs PostgreSQL (Debian: postgresql)")
    folder = WORK / "soak" / "project"
    copied(finished(), folder)
    search = {"study": "soak", "trials": round(TRIALS * minutes), "workers": 2, "epochs": 3}
    change_yaml(folder / "params.yaml", search=search)
    random = np.random.default_rng(seed)
    # one in each of as many equal spans, so that there is work between them
    times = (np.arange(restarts) + random.uniform(0.3, 0.9, restarts)) / max(1, restarts)
    seen: dict[int, list[float]] = {}
    lost: set[int] = set()
    with tempfile.TemporaryDirectory() as name:  # open to the user that PostgreSQL must run as
        server = Postgres(Path(name))
        variables = {
            "SVEVAE_STORAGE": server.url("optuna"),
            "MLFLOW_TRACKING_URI": server.url("mlflow"),
        }
        storage = open_storage(variables["SVEVAE_STORAGE"])

        def trials(study: str = "soak") -> list[FrozenTrial]:
            try:
                return Study.load(storage, study).trials()
            except KeyError:
                return []

        def look() -> int:
            complete = {t.number: t.values for t in trials() if t.state == TrialState.COMPLETE}
            lost.update(number for number, values in seen.items() if complete.get(number) != values)
            seen.update(complete)
            return len(complete)

        def start(*options: str) -> subprocess.Popen:
            log = WORK / "soak" / f"{'-'.join(('search', *options)).replace('--', '')}.log"
            return subprocess.Popen(
                ["svevae", "search", *options],
                cwd=folder,
                env=environment() | variables,
                stdout=open(log, "ab"),
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

        def told(*command: str, cwd: Path, **more: str) -> subprocess.CompletedProcess:
            return subprocess.run(
                command,
                cwd=cwd,
                env=environment() | more,
                capture_output=True,
                encoding="utf-8",
                check=True,
            )

        commands: list[subprocess.Popen] = []
        try:
            leader = start()
            commands.append(leader)
            while not trials():
                if leader.poll() is not None:
                    raise RuntimeError(f"svevae search ended with {leader.returncode}")
                time.sleep(LOOK)
            commands.append(start("--join"))
            begun, done, away = time.monotonic(), 0, []
            with tqdm(total=round(60 * minutes), unit="s", desc="search") as bar:
                while (gone := time.monotonic() - begun) < 60 * minutes:
                    if leader.poll() is not None:
                        break
                    if done < restarts and gone >= 60 * minutes * times[done]:
                        server.kill()
                        away.append(float(random.uniform(*AWAY)))
                        time.sleep(away[-1])
                        server.start()
                        done += 1
                    try:
                        look()
                    except OUTAGES:  # the first look after a restart has an old connection
                        storage = open_storage(variables["SVEVAE_STORAGE"])
                    bar.n = min(bar.total, round(gone))
                    bar.set_postfix_str(f"{len(seen)} trials, {done} restarts")
                    time.sleep(LOOK)
            length = time.monotonic() - begun
            if leader.poll() is None:
                os.killpg(leader.pid, signal.SIGINT)
            codes = [command.wait(600) for command in commands]
            while workers_of(folder):
                time.sleep(LOOK)
            budget = 1 + max(t.user_attrs["ticket"] for t in trials() if t.state.is_finished())
            change_yaml(folder / "params.yaml", search={"trials": budget})
            ending = start()
            commands.append(ending)
            if ending.wait():
                raise RuntimeError(f"svevae search ended with {ending.returncode}")
            look()
            everything = trials() + trials("soak/finalists")
            runs = mlflow_runs(told, folder, **variables)  # type: ignore[arg-type]
        finally:
            for command in commands:
                if command.poll() is None:
                    os.killpg(command.pid, signal.SIGKILL)
                    command.wait()
            server.kill()
    states = Counter(trial.state for trial in everything)
    tickets = Counter(t.user_attrs["ticket"] for t in trials_that_count(everything, "ticket"))
    nested = [run["status"] for run in runs if "mlflow.parentRunId" in run["tags"]]
    shutil.rmtree(folder)
    return {
        "minutes": length / 60,
        "restarts": done,
        "away_seconds": away,
        "exit_codes": codes,
        "complete": states[TrialState.COMPLETE],
        "tried_again": sum("retry_of" in trial.user_attrs for trial in everything),
        "lost": len(lost) + budget - len(tickets),
        "doubled": sum(count > 1 for count in tickets.values()),
        "running": states[TrialState.RUNNING] + states[TrialState.WAITING],
        "runs": len(nested),
        "runs_finished": nested.count("FINISHED"),
        "runs_running": nested.count("RUNNING"),
    }


def trials_that_count(trials: list[FrozenTrial], key: str) -> list[FrozenTrial]:
    """Trials of tickets that are not given up, without those of the finalists."""
    return [
        trial
        for trial in trials
        if key in trial.user_attrs
        and "finalist" not in trial.user_attrs
        and "lost" not in trial.user_attrs
    ]
