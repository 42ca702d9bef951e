"""A worker by itself: it ends with the process that started it. What it does with trials:
test_trial, test_study and tests/test_search.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from svevae.search import worker

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
