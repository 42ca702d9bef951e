"""A study whose budget is met exactly: each trial holds one of its tickets, and a lost trial's
ticket is given out again.

Optuna's own counting overshoots with several workers, and its heartbeat is for databases alone;
this works with every storage. What a trial carries as user attributes: `ticket`, `seed`; `owner`
and `beat` while it runs; `errors`, `best_epoch`, `seconds`, `sve_per_second`, `device`, `run_id` of
what it did; `reason` where it was pruned or failed, and `lost` where its worker was.
"""

from __future__ import annotations

import socket
import time
import uuid
import warnings
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import optuna
import psutil
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from svevae.errors import ConfigError

BEAT = 15  # seconds between the signs of life of a running trial
GRACE = 90  # seconds without one after which it is lost
DEATHS = 3  # workers that a ticket may cost; then its trial has failed, likely for want of memory
STARTUP = 10  # trials drawn at random before the sampler learns from them
CARRIED = ("ticket", "seed", "finalist", "params_yaml")  # by whichever trial has the ticket
TERMS = "contract"  # the user attribute of a study that holds its terms
LEADER = "leader"  # the user attribute of a study with the last sign of life of its leader
DIED, INTERRUPTED = "its worker died", "its worker was interrupted"  # values of `lost`
RUN_STATUS = {  # of a trial's run in MLflow
    TrialState.COMPLETE: "FINISHED",
    TrialState.PRUNED: "KILLED",
    TrialState.FAIL: "FAILED",
}

optuna.logging.set_verbosity(optuna.logging.WARNING)


@dataclass(frozen=True)
class Ticket:
    """A place in the budget: the trial's seed, the values that it must take and the attributes
    that it carries.
    """

    number: int
    seed: int
    params: dict[str, Any] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)


def trial_seed(seed: int, ticket: int) -> int:
    """Derive the seed of a trial's weights, batches and suggestions from the base seed and the
    ticket alone, so that it does not matter which worker has it.
    """
    return int(np.random.SeedSequence([seed, ticket]).generate_state(1)[0])


class Study:
    """One study of `storage`, by name. Its terms are what all its trials have in common
    (`svevae.search.task.terms`).
    """

    def __init__(self, storage: BaseStorage, study: optuna.Study):
        self.storage, self.study = storage, study

    @classmethod
    def create(
        cls,
        storage: BaseStorage,
        name: str,
        objectives: tuple[str, ...],
        terms: Mapping[str, Any],
    ) -> Study:
        """Load the study of this name, or make it. Raises ConfigError that says what differs where
        it was made under other terms.
        """
        with suppress(KeyError):
            return cls.load(storage, name, terms)
        study = optuna.create_study(
            storage=storage,
            study_name=name,
            directions=["minimize"] * len(objectives),
            load_if_exists=True,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study.set_metric_names(list(objectives))
        study.set_user_attr(TERMS, dict(terms))
        return cls(storage, study)

    @classmethod
    def load(cls, storage: BaseStorage, name: str, terms: Mapping[str, Any] | None = None) -> Study:
        """Load the study of this name. Raises KeyError where there is none, ConfigError where it
        was made under other terms.
        """
        study = optuna.load_study(study_name=name, storage=storage)
        made = study.user_attrs.get(TERMS)
        if terms is not None and made is not None and made != terms:
            lines = _differences(made, dict(terms))
            text = (
                "was made for another space, data or fidelity, so its trials cannot be compared"
                " with new ones"
            )
            advice = "give search.study another name, or take the change back"
            raise ConfigError("\n  ".join([f"search.study: {name!r} {text}; {advice}:", *lines]))
        return cls(storage, study)

    def trials(self, *states: TrialState) -> list[FrozenTrial]:
        """List the trials in order of their numbers: of the given states, or all."""
        return self.study.get_trials(deepcopy=False, states=states or None)

    def issue(self, tickets: Iterable[Ticket]) -> None:
        """Enqueue a trial for each ticket that no running or finished trial holds. Two processes
        may do so at once.
        """
        held = canonical(self.trials())
        for ticket in tickets:
            if ticket.number not in held:
                notes = {"ticket": ticket.number, "seed": ticket.seed, **ticket.notes}
                self.study.enqueue_trial(ticket.params, user_attrs=notes)

    def claim(self, sampler_seed: int) -> optuna.Trial | None:
        """Take a waiting trial, which no other process gets; None where there is none.

        What the sampler suggests depends on the seed, the ticket and the trials finished so far.
        """
        for trial in canonical(self.trials()).values():
            with suppress(UpdateFinishedTrialError):
                if trial.state == TrialState.WAITING and self.storage.set_trial_state_values(
                    trial._trial_id, TrialState.RUNNING
                ):
                    seed = trial_seed(sampler_seed, trial.user_attrs["ticket"])
                    self.study.sampler = optuna.samplers.TPESampler(
                        seed=seed, n_startup_trials=STARTUP
                    )
                    claimed = optuna.Trial(self.study, trial._trial_id)
                    claimed.set_user_attr("owner", this_process())
                    return claimed
        return None

    def finished(self) -> list[FrozenTrial]:
        """List what counts towards the budget, one trial for each ticket: complete, pruned, or
        failed by its own fault.
        """
        return [trial for trial in canonical(self.trials()).values() if trial.state.is_finished()]

    def give_up(self, trial: FrozenTrial, lost: str) -> bool:
        """Fail a running trial whose worker is gone and enqueue its ticket again with its
        parameters. Returns False if the trial had ended.
        """
        ticket = trial.user_attrs["ticket"]
        others = [
            other
            for other in self.trials(TrialState.FAIL)
            if other.user_attrs.get("ticket") == ticket
        ]
        deaths = sum(other.user_attrs.get("lost") == DIED for other in others) + (lost == DIED)
        notes = {"lost": lost, "reason": lost}
        if deaths >= DEATHS:
            notes = {"reason": f"{DEATHS} workers died of it, perhaps for want of memory"}
        try:
            for key, value in notes.items():
                self.storage.set_trial_user_attr(trial._trial_id, key, value)
            self.storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
        except UpdateFinishedTrialError:
            return False
        if deaths < DEATHS:
            params = {**trial.system_attrs.get("fixed_params", {}), **trial.params}
            carried = {key: value for key, value in trial.user_attrs.items() if key in CARRIED}
            self.study.enqueue_trial(params, user_attrs={**carried, "retry_of": trial.number})
        return True

    def withdraw(self, tickets: Iterable[Ticket]) -> None:
        """Fail each waiting trial whose ticket is not among `tickets` (the budget was made smaller)
        or is held by another trial (two searches were begun at once).
        """
        wanted, holders = {ticket.number for ticket in tickets}, canonical(self.trials())
        for trial in self.trials(TrialState.WAITING):
            ticket = trial.user_attrs.get("ticket")
            if ticket not in wanted or holders[ticket].number != trial.number:
                with suppress(UpdateFinishedTrialError):
                    self.storage.set_trial_user_attr(trial._trial_id, "lost", "not wanted any more")
                    self.storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)


def canonical(trials: Iterable[FrozenTrial]) -> dict[int, FrozenTrial]:
    """Map each ticket, in order, to the trial that holds it: the earliest that is not lost."""
    holders: dict[int, FrozenTrial] = {}
    for trial in trials:
        ticket = trial.user_attrs.get("ticket")
        if ticket is not None and not is_lost(trial):
            holders.setdefault(ticket, trial)
    return dict(sorted(holders.items()))


def is_lost(trial: FrozenTrial) -> bool:
    """Whether the trial failed because its worker was lost, not by its own fault."""
    return trial.state == TrialState.FAIL and "lost" in trial.user_attrs


def this_process() -> dict[str, Any]:
    """Identify this process among all others: its machine, number and time of start."""
    return {
        "host": f"{socket.gethostname()}-{uuid.getnode():x}",
        "pid": psutil.Process().pid,
        "born": psutil.Process().create_time(),
    }


class Watch:
    """Tells a lost trial from a slow one: its process on this machine is gone, or it has given no
    sign of life for GRACE seconds.
    """

    def __init__(self) -> None:
        self._seen: dict[int, tuple[Any, float]] = {}
        self._looked = time.monotonic()

    def lost(self, study: Study) -> list[FrozenTrial]:
        """List running trials without a worker, by this process's own clock. Silence while nobody
        looked, such as in an outage, does not count.
        """
        if time.monotonic() - self._looked > BEAT:
            self._seen.clear()
        self._looked = time.monotonic()
        running = study.trials(TrialState.RUNNING)
        return [
            trial
            for trial in running
            if _is_orphan(trial.user_attrs.get("owner")) or self._stands_still(trial)
        ]

    def _stands_still(self, trial: FrozenTrial) -> bool:
        sign, now = (trial.user_attrs.get("beat"), len(trial.intermediate_values)), time.monotonic()
        key = hash((trial.datetime_start, trial._trial_id))
        before, since = self._seen.get(key, (None, now))
        if key not in self._seen or before != sign:
            self._seen[key] = (sign, now)
            return False
        return now - since > GRACE


class LeaderWatch:
    """Tells whether a search is led, by its leader's signs of life and this process's own clock, as
    `Watch` does.
    """

    def __init__(self) -> None:
        self._sign: Any = None
        self._since = self._looked = time.monotonic()

    def gone(self, study: Study) -> bool:
        """Whether no leader has given a sign for GRACE seconds."""
        sign, now = study.study.user_attrs.get(LEADER), time.monotonic()
        if sign != self._sign or now - self._looked > BEAT:
            self._sign, self._since = sign, now
        self._looked = now
        return now - self._since > GRACE


def _is_orphan(owner: dict[str, Any] | None) -> bool:
    """Whether the process was one of this machine and is gone."""
    if owner is None or owner["host"] != this_process()["host"]:
        return False
    try:
        return psutil.Process(owner["pid"]).create_time() != owner["born"]
    except psutil.Error:
        return True


def _differences(made: dict[str, Any], wanted: dict[str, Any], prefix: str = "") -> list[str]:
    """A line for each key, with dots, whose values differ."""
    lines = []
    for key in sorted(made.keys() | wanted.keys()):
        old, new = made.get(key, "nothing"), wanted.get(key, "nothing")
        if isinstance(old, dict) and isinstance(new, dict):
            lines += _differences(old, new, f"{prefix}{key}.")
        elif old != new:
            lines.append(f"{prefix}{key}: the study has {old}, expected now {new}")
    return lines
