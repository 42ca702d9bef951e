"""A process that runs trials until the search is over: `python -m svevae.search.worker`, started by
`svevae.search.pool`.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from types import FrameType
from typing import NoReturn

import optuna
from optuna.storages import BaseStorage

from svevae import tracking
from svevae.config import Search, load_params
from svevae.errors import SvevaeError
from svevae.search.device import choose_backend, set_precision
from svevae.search.live import live_journal, settled
from svevae.search.storage import open_storage, patiently, storage_url
from svevae.search.study import INTERRUPTED, Study
from svevae.search.task import Task, finalists_name, load_task, terms

TRIALS = 25  # of one process, which TensorFlow makes some 70 MB larger with each
RENEW = 3  # exit code that asks for a new process in place of this one
IDLE = 0.5  # seconds between looks for work
AGAIN = 8  # seconds until this process tells itself again to end
LOST_PARENT = 2  # seconds between looks for the process that started this one


class Interrupted(BaseException):
    """This worker has been told to end; its trial goes to another."""


def main() -> int:
    """Run trials; the exit code is 0 when the search is over, RENEW after TRIALS of them, 2 (with a
    message) where the input is at fault, and 143 when told to end.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    # a terminal sends Ctrl-C to all; the parent decides
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.set_threshold(10_000)  # as in every command: see svevae.cli.main
    threading.Thread(target=_follow_parent, args=(os.getppid(),), daemon=True).start()
    try:
        params = load_params()
        os.environ["KERAS_BACKEND"] = choose_backend(params.base.backend)
        url = storage_url(params.search.storage)
        task = settled(load_task(params), url)
        tracking.connect()
        storage = open_storage(url, live_journal(task.params.search.study, terms(task)))
        return _work(task, storage, set_precision())
    except SvevaeError as error:
        print(f"worker: {error}", file=sys.stderr)
        return 2
    except Interrupted:
        return 128 + signal.SIGTERM


def _work(task: Task, storage: BaseStorage, device: str) -> int:
    """Run trials of the study and of its finalists until the search is over, or TRIALS of them; the
    exit code.
    """
    # Keras, whose backend is chosen by now, is imported once, not once a trial
    from svevae.search.trial import make_pruner, run_trial

    search = task.params.search
    main_study = patiently(Study.load, storage, search.study, terms(task))
    main_study.study.pruner = make_pruner(search)
    done = 0
    while not patiently(lambda: main_study.study.user_attrs.get("over", False)):
        for study in (main_study, _repeats(storage, search)):
            trial = patiently(study.claim, task.params.base.seed) if study else None
            if study and trial:
                try:
                    parent = patiently(lambda: main_study.study.user_attrs["run_id"])
                    run_trial(task, study, trial, parent, device)
                except Interrupted:
                    signal.signal(signal.SIGTERM, signal.SIG_IGN)
                    _hand_back(study, trial.number)
                    raise
                done += 1
                break
        else:
            time.sleep(IDLE)
        if done == TRIALS:
            return RENEW
    return 0


def _hand_back(study: Study, number: int) -> None:
    """Put the ticket of a running trial up again."""
    trial = next(trial for trial in study.trials() if trial.number == number)
    study.give_up(trial, INTERRUPTED)


def _repeats(storage: BaseStorage, search: Search) -> Study | None:
    """The study of the finalists, or None before there are any."""
    with suppress(KeyError):
        study = patiently(Study.load, storage, finalists_name(search))
        study.study.pruner = optuna.pruners.NopPruner()
        return study
    return None


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise Interrupted


def _follow_parent(parent: int) -> None:
    """End with the process that started this one, even where that was killed."""
    while os.getppid() == parent:
        time.sleep(LOST_PARENT)
    while True:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(AGAIN)


if __name__ == "__main__":
    sys.exit(main())
