"""A worker by itself: it ends with the process that started it. What it does with trials:
test_trial, test_study and tests/test_search.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import optuna
import psutil
import pytest

from svevae.config import Params
from svevae.search import trial as trial_module
from svevae.search import worker
from svevae.search.storage import open_journal
from svevae.search.study import Study, Ticket

PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", '''
import os, signal, threading, time
from svevae.search import worker
signal.signal(signal.SIGTERM, worker._interrupt)
threading.Thread(target=worker._follow_parent, args=(os.getppid(),), daemon=True).start()
print("ready", flush=True)
try:
    time.sleep(600)
except worker.Interrupted:
    open("ended", "w").write("")
'''], start_new_session=True)
print(child.pid, flush=True)
time.sleep(600)
"""


def test_a_worker_ends_with_its_parent_even_where_that_was_killed(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT], cwd=tmp_path, stdout=subprocess.PIPE, encoding="utf-8"
    )
    with parent:
        lines = [parent.stdout.readline().strip() for _ in range(2)]
        child = psutil.Process(int(next(line for line in lines if line.isdigit())))
        assert "ready" in lines
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
        psutil.wait_procs([child], timeout=60)
    assert (tmp_path / "ended").exists()


def test_a_signal_interrupts() -> None:
    with pytest.raises(worker.Interrupted):
        worker._interrupt(signal.SIGTERM, None)


def test_a_worker_asks_for_a_new_process_after_some_trials(
    params: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And ends with 0 when the search is over."""
    storage = open_journal(tmp_path / "study.journal")
    study = Study.create(storage, params.search.study, params.search.objectives, {})
    study.study.set_user_attr("run_id", "run")
    study.issue([Ticket(number, number) for number in range(5)])

    def run_trial(
        task: object, study: Study, trial: optuna.Trial, parent: str, device: str
    ) -> None:
        study.study.tell(trial, [0.5, 0.5])
        if trial.number == 4:
            study.study.set_user_attr("over", True)

    monkeypatch.setattr(trial_module, "run_trial", run_trial)
    monkeypatch.setattr(worker, "terms", lambda task: {})
    monkeypatch.setattr(worker, "TRIALS", 2)
    task = SimpleNamespace(params=params)
    codes = [worker._work(task, storage, "cpu") for _ in range(3)]
    assert codes == [worker.RENEW, worker.RENEW, 0]
    assert len(study.finished()) == 5
