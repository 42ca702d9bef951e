"""The workers of this machine, and the watch over a study until all its tickets are spent."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from optuna.trial import FrozenTrial, TrialState
from tqdm import tqdm

from svevae import tracking
from svevae.errors import SvevaeError
from svevae.search import worker
from svevae.search.device import worker_environment
from svevae.search.storage import patiently, repeatedly
from svevae.search.study import (
    BEAT,
    DEATHS,
    DIED,
    INTERRUPTED,
    LEADER,
    RUN_STATUS,
    LeaderWatch,
    Study,
    Ticket,
    Watch,
    canonical,
    this_process,
)

LOGS = Path(".checkpoints/search")
LOOK = 1.0  # seconds between looks at the study
FAREWELL = 30  # seconds that a worker has to hand its trial back
AGAIN = 8  # seconds until it is told again


class Pool:
    """`count` worker processes, as a context: they start when they are needed and end with it,
    whatever happens.
    """

    def __init__(self, count: int):
        self.count = count
        self._processes: list[subprocess.Popen] = []
        self._deaths = 0

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is None:  # the search is over, and they see it too
            self._wait(AGAIN)
        self.end()

    def end(self) -> None:
        """Have the workers hand their trials back and end."""
        deadline = time.monotonic() + FAREWELL
        while alive := [process for process in self._processes if process.poll() is None]:
            # more than once: Python drops an exception that a handler raises inside a finaliser
            for process in alive:
                process.terminate() if time.monotonic() < deadline else process.kill()
            with suppress(subprocess.TimeoutExpired):
                alive[0].wait(AGAIN)

    def _wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self._processes and not self.over and time.monotonic() < deadline:
            time.sleep(LOOK / 10)

    def tend(self) -> None:
        """Start the workers that are missing, ask to be renewed or have died. Raises SvevaeError
        where they die without ever finishing a trial.
        """
        while len(self._processes) < self.count:
            self._processes.append(self._start(len(self._processes)))
        for index, process in enumerate(self._processes):
            code = process.poll()
            if code in (None, 0):
                continue
            self._deaths += code != worker.RENEW
            if code == 2 or self._deaths > DEATHS * self.count:
                raise SvevaeError(
                    f"worker {index} ended with code {code}; {self._log(index)} ends"
                    f" with:\n{self._last_words(index)}"
                )
            self._processes[index] = self._start(index)

    def wait(self) -> None:
        """Wait a moment, until it is worth looking again."""
        time.sleep(LOOK)

    def progress_was_made(self) -> None:
        """Note that a trial has ended, so that the deaths so far were not the workers' fault."""
        self._deaths = 0

    @property
    def over(self) -> bool:
        """Whether all workers have ended by themselves."""
        return bool(self._processes) and all(process.poll() == 0 for process in self._processes)

    def _start(self, index: int) -> subprocess.Popen:
        LOGS.mkdir(parents=True, exist_ok=True)
        # without MLFLOW_RUN_ID: a trial has a run of its own
        environment = {key: value for key, value in os.environ.items() if key != "MLFLOW_RUN_ID"}
        with open(self._log(index), "ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", worker.__name__],
                env=environment | worker_environment(index, self.count),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C goes to this process, which hands it on
            )

    def _log(self, index: int) -> Path:
        return LOGS / f"worker-{index}.log"

    def _last_words(self, index: int) -> str:
        return "\n".join(
            self._log(index).read_text(errors="replace", encoding="utf-8").splitlines()[-8:]
        )


def give_up_lost(study: Study, watch: Watch, lost: str = DIED) -> None:
    """Give up trials whose workers are gone: enqueue their tickets again and end their runs."""
    for trial in watch.lost(study):
        if study.give_up(trial, lost) and "run_id" in trial.user_attrs:
            tracking.end_lost_run(trial.user_attrs["run_id"])


def end_stray_runs(parent_run_id: str, studies: Iterable[Study]) -> None:
    """End the runs of trials that no longer run: a worker may be ended between making a run and
    naming it in its trial, or while it ends one, which then ends as its trial did.
    """
    trials = {
        (study.study.study_name, str(trial.number)): trial
        for study in studies
        for trial in study.trials()
    }
    for run_id, tags in tracking.open_trial_runs(parent_run_id).items():
        trial = trials.get((tags.get("svevae.study", ""), tags.get("svevae.trial", "")))
        if trial is None or trial.user_attrs.get("run_id", run_id) != run_id:
            tracking.end_lost_run(run_id)
        elif trial.state != TrialState.RUNNING:
            tracking.end_lost_run(run_id, RUN_STATUS.get(trial.state, "FAILED"))


def run_to_the_end(study: Study, tickets: Sequence[Ticket], pool: Pool, name: str) -> None:
    """Watch over the workers, of this pool and others, until each ticket has a finished trial. An
    interruption hands running trials back.
    """
    wanted = {ticket.number for ticket in tickets}
    patiently(study.withdraw, tickets)
    watch, bar = Watch(), _Bar(name, wanted, patiently(study.finished))
    try:
        while not bar.update(patiently(study.finished)):
            patiently(study.issue, tickets)
            pool.tend()
            patiently(give_up_lost, study, watch)
            pool.wait()
            if bar.moved:
                pool.progress_was_made()
        patiently(study.withdraw, tickets)  # what two searches have issued at once
    except KeyboardInterrupt:
        pool.end()
        give_up_lost(study, Watch(), INTERRUPTED)
        raise
    finally:
        bar.close()


def leading(study: Study) -> AbstractContextManager[None]:
    """Tell those who help that the search is led, until the context ends."""
    process = this_process()
    return repeatedly(
        lambda count: study.study.set_user_attr(LEADER, process | {"beat": count}), BEAT
    )


def help_out(study: Study, pool: Pool) -> None:
    """Work for a search that another process leads, until that process says it is over. Raises
    SvevaeError where that process is no more.
    """
    watch, leader, finished = Watch(), LeaderWatch(), patiently(study.finished)
    bar = _Bar("search", set(canonical(patiently(study.trials))), finished)
    try:
        while not (pool.over or patiently(lambda: study.study.user_attrs.get("over", False))):
            if patiently(leader.gone, study):
                raise SvevaeError(
                    f"search.study: expected a search that leads {study.study.study_name!r}, there"
                    " is none: it failed or was interrupted; run `svevae search`, then join it"
                )
            pool.tend()
            patiently(give_up_lost, study, watch)
            pool.wait()
            bar.update(patiently(study.finished))
    finally:
        bar.close()


class _Bar:
    """Shows how many of the wanted tickets are spent, the time left, and a line for each trial that
    ends.
    """

    def __init__(self, name: str, wanted: set[int], finished: Sequence[FrozenTrial]):
        self.name, self.wanted, self.moved = name, wanted, False
        self._shown = {trial.number for trial in finished}
        begun = len(wanted & {trial.user_attrs["ticket"] for trial in finished})
        self._bar = tqdm(
            total=len(wanted),
            initial=begun,
            desc=name,
            unit="trial",
            dynamic_ncols=True,
            disable=not sys.stderr.isatty(),
        )

    def update(self, finished: Sequence[FrozenTrial]) -> bool:
        """Show what is new. Returns whether all wanted tickets are spent."""
        done = self.wanted & {trial.user_attrs["ticket"] for trial in finished}
        new = [trial for trial in finished if trial.number not in self._shown]
        self.moved = bool(new)
        for count, trial in enumerate(new, start=len(done) - len(new) + 1):
            self._shown.add(trial.number)
            line = (
                trial_line(trial)
                if sys.stderr.isatty()
                else f"{self.name} {count} of {len(self.wanted)}: {trial_line(trial)}"
            )
            self._bar.write(line, file=sys.stderr)
        self._bar.n = len(done)
        self._bar.refresh()
        return done == self.wanted

    def close(self) -> None:
        """Leave the bar as it is."""
        self._bar.close()


def trial_line(trial: FrozenTrial) -> str:
    """Describe a finished trial in a line."""
    attributes = trial.user_attrs
    seconds = f", {attributes['seconds']:.0f} s" if "seconds" in attributes else ""
    name = (
        f"trial {attributes['finalist']} with seed {attributes['seed']}"
        if "finalist" in attributes
        else f"trial {trial.number}"
    )
    if trial.state == TrialState.COMPLETE:
        errors = ", ".join(
            f"{name} error {value:.4f}" for name, value in attributes["errors"].items()
        )
        return f"{name}: {errors}{seconds}"
    return (
        f"{name} {trial.state.name.lower()}: {attributes.get('reason', 'no reason known')}{seconds}"
    )
