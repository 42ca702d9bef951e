"""Tickets: the budget is met exactly, whoever works; a lost trial is told from a slow one and tried
again with its parameters.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState

from svevae.errors import ConfigError
from svevae.search import study as module
from svevae.search.storage import open_journal
from svevae.search.study import (
    DEATHS,
    DIED,
    INTERRUPTED,
    Study,
    Ticket,
    Watch,
    canonical,
    this_process,
    trial_seed,
)

CONTRACT = {
    "space": {"x": {"low": 0.0, "high": 1.0}},
    "search": {"epochs": 3},
    "dataset_digest": "abc",
}
TICKETS = [Ticket(number, trial_seed(0, number)) for number in range(6)]


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study.create(open_journal(tmp_path / "study.journal"), "s", ("combined",), CONTRACT)


def finish(study: Study, trial: optuna.Trial, value: float = 0.5) -> None:
    trial.suggest_float("x", 0, 1)
    study.study.tell(trial, value)


def numbers(study: Study, *states: TrialState) -> list[int]:
    return [trial.user_attrs["ticket"] for trial in study.trials(*states)]


def test_issuing_twice_gives_no_ticket_twice(study: Study) -> None:
    study.issue(TICKETS[:4])
    study.issue(TICKETS)
    assert numbers(study) == [0, 1, 2, 3, 4, 5]


def test_claims_end_with_the_tickets(study: Study) -> None:
    study.issue(TICKETS)
    for _ in TICKETS:
        finish(study, study.claim(0))
    assert study.claim(0) is None
    assert [trial.user_attrs["ticket"] for trial in study.finished()] == [0, 1, 2, 3, 4, 5]
    assert len(study.trials()) == 6


def claim_all(path: Path, found: multiprocessing.Queue) -> None:
    study = Study.load(open_journal(path), "s")
    while trial := study.claim(0):
        time.sleep(0.01)
        finish(study, trial)
        found.put((trial.user_attrs["ticket"], os.getpid()))


def test_four_processes_never_claim_the_same_ticket(study: Study, tmp_path: Path) -> None:
    """40 tickets among 4 processes that begin at once: 40 trials, each of one process, none
    left.
    """
    study.issue([Ticket(number, number) for number in range(40)])
    context = multiprocessing.get_context("spawn")
    found = context.Queue()
    processes = [
        context.Process(target=claim_all, args=(tmp_path / "study.journal", found))
        for _ in range(4)
    ]
    for process in processes:
        process.start()
    claimed = [found.get(timeout=120) for _ in range(40)]
    for process in processes:
        process.join(60)
    assert sorted(ticket for ticket, _ in claimed) == list(range(40))
    assert len(study.trials(TrialState.COMPLETE)) == len(study.trials()) == 40


def test_suggestions_depend_on_seed_and_ticket_alone(tmp_path: Path) -> None:
    """Two studies whose tickets are claimed by other processes, or in another study of the same
    seed, suggest the same values.
    """
    values = []
    for name in ("a", "b"):
        study = Study.create(
            open_journal(tmp_path / f"{name}.journal"), name, ("combined",), CONTRACT
        )
        study.issue(TICKETS)
        values.append([study.claim(7).suggest_float("x", 0, 1) for _ in TICKETS])
    assert values[0] == values[1]
    assert len(set(values[0])) == len(TICKETS)


def test_a_lost_trial_is_tried_again_with_its_parameters(study: Study) -> None:
    study.issue(TICKETS[:1])
    trial = study.claim(0)
    value = trial.suggest_float("x", 0, 1)
    assert study.give_up(study.trials()[0], DIED)
    assert not study.give_up(study.trials()[0], DIED), "it had been given up already"
    again = study.claim(0)
    assert again.suggest_float("x", 0, 1) == value
    assert (again.user_attrs["ticket"], again.user_attrs["seed"], again.user_attrs["retry_of"]) == (
        0,
        TICKETS[0].seed,
        0,
    )
    finish(study, again)
    assert [(trial.state.name, trial.user_attrs.get("lost")) for trial in study.trials()] == [
        ("FAIL", DIED),
        ("COMPLETE", None),
    ]
    assert len(study.finished()) == 1


def test_what_comes_after_it_was_given_up_is_dropped(study: Study) -> None:
    study.issue(TICKETS[:1])
    trial = study.claim(0)
    trial.suggest_float("x", 0, 1)
    study.give_up(study.trials()[0], DIED)
    study.study.tell(trial, 0.1, skip_if_finished=True)
    assert study.trials()[0].state == TrialState.FAIL
    assert study.finished() == []


def test_a_ticket_that_costs_too_many_workers_has_failed(study: Study) -> None:
    """Interruptions do not count, deaths do: after DEATHS of them the trial has failed and its
    ticket is spent.
    """
    study.issue(TICKETS[:1])
    for lost in [INTERRUPTED] * 4 + [DIED] * DEATHS:
        study.claim(0)
        study.give_up(study.trials(TrialState.RUNNING)[0], lost)
    assert study.claim(0) is None
    (trial,) = study.finished()
    assert trial.state == TrialState.FAIL
    assert "3 workers died of it" in trial.user_attrs["reason"]


def test_the_process_that_is_gone_is_told_at_once(study: Study) -> None:
    study.issue(TICKETS[:2])
    dead, alive = study.claim(0), study.claim(0)
    dead.set_user_attr("owner", this_process() | {"pid": 2**22 + 1})
    assert [trial.number for trial in Watch().lost(study)] == [dead.number]
    # the number of a process that began later
    alive.set_user_attr("owner", this_process() | {"born": 1.0})
    assert len(Watch().lost(study)) == 2


def test_a_beat_that_stands_still_is_a_loss_and_one_that_goes_on_is_not(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two trials of another machine, GRACE seconds by this process's clock; one of them beats."""
    study.issue(TICKETS[:2])
    silent, beating = study.claim(0), study.claim(0)
    for trial in (silent, beating):
        trial.set_user_attr("owner", {"host": "elsewhere", "pid": 1, "born": 0.0})
    clock = [1000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    watch = Watch()

    def after(seconds: float) -> list[int]:
        """What is lost after so many seconds in which the watch looked each second."""
        for _ in range(int(seconds)):
            clock[0] += 1
            found = watch.lost(study)
        return [trial.number for trial in found]

    assert after(module.GRACE - 1) == []
    beating.set_user_attr("beat", 1)
    assert after(3) == [silent.number]
    clock[0] += 10 * module.GRACE  # nobody looked: the storage was away
    assert watch.lost(study) == []
    assert after(module.GRACE + 1) == [silent.number, beating.number]


def test_two_searches_that_begin_at_once_spend_each_ticket_once(study: Study) -> None:
    """Both have put up all tickets: the earlier trial holds each; the others are never claimed, and
    withdrawn.
    """
    for ticket in TICKETS + TICKETS:
        study.study.enqueue_trial({}, user_attrs={"ticket": ticket.number, "seed": ticket.seed})
    for _ in TICKETS:
        finish(study, study.claim(0))
    assert study.claim(0) is None
    assert [trial.number for trial in study.finished()] == [0, 1, 2, 3, 4, 5]
    study.withdraw(TICKETS)
    assert not study.trials(TrialState.WAITING)
    assert len(study.finished()) == len(TICKETS)


def test_a_smaller_budget_withdraws_what_waits_and_a_larger_one_puts_it_up_again(
    study: Study,
) -> None:
    study.issue(TICKETS)
    study.withdraw(TICKETS[:2])
    assert numbers(study, TrialState.WAITING) == [0, 1]
    study.issue(TICKETS)
    assert sorted(numbers(study, TrialState.WAITING)) == [0, 1, 2, 3, 4, 5]


def test_a_study_of_another_contract_is_refused_with_what_differs(
    study: Study, tmp_path: Path
) -> None:
    other = {
        "space": {"x": {"low": 0.0, "high": 2.0}, "y": {"low": 1, "high": 2}},
        "search": {"epochs": 3},
        "dataset_digest": "def",
    }
    with pytest.raises(ConfigError) as refused:
        Study.create(open_journal(tmp_path / "study.journal"), "s", ("combined",), other)
    text = str(refused.value)
    assert text.startswith("search.study: 's' was made for another space, data or fidelity")
    assert "\n  dataset_digest: the study has abc, expected now def" in text
    assert "\n  space.x.high: the study has 1.0, expected now 2.0" in text
    assert "\n  space.y: the study has nothing, expected now {" in text
    assert "epochs" not in text


def test_the_same_contract_opens_the_same_study(study: Study, tmp_path: Path) -> None:
    study.issue(TICKETS)
    again = Study.create(open_journal(tmp_path / "study.journal"), "s", ("combined",), CONTRACT)
    assert len(again.trials()) == len(TICKETS)
    assert again.study.metric_names == ["combined"]
    with pytest.raises(KeyError):
        Study.load(again.storage, "none")


def test_canonical_holder_is_the_earliest_that_is_not_lost() -> None:
    def trial(state: TrialState, **attributes: object) -> optuna.trial.FrozenTrial:
        complete = {"params": {"x": 0.1}, "distributions": {"x": FloatDistribution(0, 1)}}
        value = 1.0 if state == TrialState.COMPLETE else None
        return optuna.create_trial(state=state, value=value, user_attrs=attributes, **complete)

    lost = trial(TrialState.FAIL, ticket=0, lost=DIED)
    held, late = trial(TrialState.RUNNING, ticket=0), trial(TrialState.WAITING, ticket=0)
    own_fault, foreign = (
        trial(TrialState.FAIL, ticket=1, reason="diverged"),
        trial(TrialState.COMPLETE),
    )
    # its watcher gave up a moment too late
    came_through = trial(TrialState.COMPLETE, ticket=2, lost=DIED)
    assert canonical([lost, held, late, own_fault, foreign, came_through]) == {
        0: held,
        1: own_fault,
        2: came_through,
    }


def test_seeds_differ_by_ticket_and_by_base_seed() -> None:
    seeds = {trial_seed(base, ticket) for base in range(3) for ticket in range(100)}
    assert len(seeds) == 300
    assert trial_seed(1, 2) == trial_seed(1, 2)
