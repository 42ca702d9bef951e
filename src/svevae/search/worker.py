"""A process that runs trials until the search is over: `python -m svevae.search.worker`, started by
`svevae.search.pool`.
"""

from __future__ import annotations

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
from svevae.search.storage import open_storage, patiently, storage_url
from svevae.search.study import INTERRUPTED, Study
from svevae.search.task import Task, contract, finalists_name, load_task

IDLE = 0.5  # seconds between looks for work
AGAIN = 8  # seconds until this process tells itself again to end
LOST_PARENT = 2  # seconds between looks for the process that started this one


class Interrupted(BaseException):
    """This worker is to end; its trial goes to another."""


def main() -> int:
    """0 when the search is over; 2 with a message where the input is at fault; 143 when told to
    end.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # a terminal sends Ctrl-C to all; the parent decides
    threading.Thread(target=_follow_parent, args=(os.getppid(),), daemon=True).start()
    try:
        params = load_params()
        os.environ["KERAS_BACKEND"] = choose_backend(params.base.backend)
        task = load_task(params)
        tracking.connect()
        _work(task, open_storage(storage_url(params.search.storage)), set_precision())
    except SvevaeError as error:
        print(f"worker: {error}", file=sys.stderr)
        return 2
    except Interrupted:
        return 128 + signal.SIGTERM
    return 0


def _work(task: Task, storage: BaseStorage, device: str) -> None:
    from svevae.search.trial import (
        make_pruner,
        run_trial,
    )  # Keras, whose backend is chosen by now: once, not once a trial

    search = task.params.search
    main_study = patiently(Study.load, storage, search.study, contract(task))
    main_study.study.pruner = make_pruner(search)
    while not patiently(lambda: main_study.study.user_attrs.get("over", False)):
        for study in (main_study, _repeats(storage, search)):
            trial = study and patiently(study.claim, task.params.base.seed)
            if trial:
                try:
                    run_trial(
                        task,
                        study,
                        trial,
                        patiently(lambda: main_study.study.user_attrs["run_id"]),
                        device,
                    )
                except Interrupted:
                    signal.signal(signal.SIGTERM, signal.SIG_IGN)
                    study.give_up(
                        next(found for found in study.trials() if found.number == trial.number),
                        INTERRUPTED,
                    )
                    raise
                break
        else:
            time.sleep(IDLE)


def _repeats(storage: BaseStorage, search: Search) -> Study | None:
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
