"""The rule, the front, the finalists and the reason, on studies whose errors are made up and whose
winner is known.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from optuna.trial import TrialState

from svevae.config import Params, Search, with_found
from svevae.errors import SvevaeError
from svevae.search.pick import finalists, front, pick, score, tickets_of_finalists, tickets_of_study
from svevae.search.space import Space, parse_space
from svevae.search.storage import open_journal
from svevae.search.study import Study, Ticket

# (property error, reconstruction error) of each trial; trial 0 is the configuration of params.yaml,
# None failed
ERRORS = [(0.5, 0.5), (0.1, 0.9), (0.2, 0.3), (0.9, 0.1), (0.6, 0.6), None]
BOTH = ("property", "reconstruction")


@pytest.fixture
def search(params: Params) -> Search:
    return replace(
        params.search, objectives=BOTH, rule="combined", finalists=2, seeds=3, trials=len(ERRORS)
    )


@pytest.fixture
def space(params: Params) -> Space:
    return parse_space(
        {
            "latent_dim": {"low": 2, "high": 40},
            "augmentation": {"choices": [["flip_x", "flip_y", "flip_z"], []]},
        },
        params.train,
    )


def spend(study: Study, space: Space, errors: list[tuple[float, float] | None]) -> None:
    """Claim the tickets in turn and end each trial with the errors given, as a worker would."""
    for pair in errors:
        trial = study.claim(0)
        trial.suggest_int("latent_dim", 2, 40)
        trial.suggest_categorical("augmentation", space["augmentation"].choices)
        if pair is None:
            trial.set_user_attr("reason", "diverged")
            study.study.tell(trial, state=TrialState.FAIL)
            continue
        found = dict(zip(BOTH, pair, strict=True))
        trial.set_user_attr("errors", found)
        names = study.study.metric_names
        study.study.tell(trial, [score(found, name) for name in names])


def make(path: Path, name: str, objectives: tuple[str, ...], tickets: list[Ticket]) -> Study:
    study = Study.create(open_journal(path / "study.journal"), name, objectives, {})
    study.issue(tickets)
    return study


@pytest.fixture
def study(tmp_path: Path, params: Params, space: Space, search: Search) -> Study:
    study = make(tmp_path, "s", BOTH, tickets_of_study(space, params.train, search, 0))
    spend(study, space, ERRORS)
    return study


def numbers(trials: list) -> list[int]:
    return [trial.number for trial in trials]


def test_combined_error_is_the_geometric_mean() -> None:
    """0.2 and 0.8: sqrt(0.16) = 0.4; to halve either counts the same."""
    assert score({"property": 0.2, "reconstruction": 0.8}, "combined") == pytest.approx(0.4)
    assert score({"property": 0.1, "reconstruction": 0.8}, "combined") == pytest.approx(
        0.4 / 2**0.5
    )
    assert score({"property": 0.2, "reconstruction": 0.8}, "property") == 0.2
    assert score({"property": 0.2, "reconstruction": 0.8}, "reconstruction") == 0.8


@pytest.mark.parametrize(
    ("rule", "order"),
    [("combined", [2, 1, 3]), ("property", [1, 2, 3]), ("reconstruction", [3, 2, 1])],
)
def test_front_holds_what_nothing_beats_in_both_the_best_by_the_rule_first(
    study: Study, rule: str, order: list[int]
) -> None:
    """Trials 0 and 4 are beaten in both errors by 2; of 1 and 3 the combined errors are equal
    (0.3), and the earlier comes first.
    """
    assert numbers(front(study, rule)) == order


def test_a_single_objective_orders_by_itself(
    tmp_path: Path, params: Params, space: Space, search: Search
) -> None:
    study = make(
        tmp_path, "single", ("reconstruction",), tickets_of_study(space, params.train, search, 0)
    )
    spend(study, space, ERRORS)
    assert numbers(front(study, "combined")) == [3, 2, 0, 4, 1]


def test_first_ticket_is_the_configuration_of_params_yaml(
    study: Study, params: Params, search: Search
) -> None:
    first = study.trials()[0]
    assert first.params == {
        "latent_dim": params.train.latent_dim,
        "augmentation": '["flip_x", "flip_y", "flip_z"]',
    }
    assert len(study.finished()) == search.trials


def test_a_configuration_outside_the_space_is_no_ticket(params: Params, search: Search) -> None:
    space = parse_space({"latent_dim": {"low": 30, "high": 40}}, params.train)
    assert [ticket.params for ticket in tickets_of_study(space, params.train, search, 0)] == [
        {}
    ] * len(ERRORS)


def test_finalists_are_the_best_of_the_front_and_params_yaml(study: Study, search: Search) -> None:
    assert numbers(finalists(study, search)) == [2, 1, 0]
    assert numbers(finalists(study, replace(search, finalists=9))) == [2, 1, 3, 0]


def test_finalists_have_the_same_fresh_seeds_and_lasting_tickets(
    study: Study, search: Search
) -> None:
    tickets = tickets_of_finalists(finalists(study, search), search, 0)
    seeds = [ticket.seed for ticket in tickets]
    assert seeds[:3] == seeds[3:6] == seeds[6:]
    assert not set(seeds) & {trial.user_attrs["seed"] for trial in study.trials()}
    fewer = tickets_of_finalists(finalists(study, search), replace(search, seeds=2, trials=99), 0)
    assert {(ticket.number, ticket.seed) for ticket in fewer} < {
        (ticket.number, ticket.seed) for ticket in tickets
    }


def repeated(
    tmp_path: Path,
    space: Space,
    study: Study,
    search: Search,
    errors: list[tuple[float, float] | None],
) -> Study:
    repeats = make(
        tmp_path, "s/finalists", BOTH, tickets_of_finalists(finalists(study, search), search, 0)
    )
    spend(repeats, space, errors)
    return repeats


def test_the_best_mean_over_fresh_seeds_wins_and_luck_does_not(
    tmp_path: Path, params: Params, space: Space, study: Study, search: Search
) -> None:
    """Trial 2 led the front by luck: again, it has 0.6, and params.yaml (tickets of trial 0 come
    first) 0.5, trial 1 0.3.
    """
    repeats = repeated(
        tmp_path,
        space,
        study,
        search,
        [(0.5, 0.5)] * 3 + [(0.1, 0.9)] * 3 + [(0.6, 0.6), (0.5, 0.5), (0.7, 0.7)],
    )
    best = pick(study, repeats, search, space, params.train)
    assert best["trial"] == 1
    assert [(row["trial"], row["params_yaml"]) for row in best["finalists"]] == [
        (1, False),
        (0, True),
        (2, False),
    ]
    assert best["finalists"][2]["score"] == {"mean": pytest.approx(0.6), "std": pytest.approx(0.1)}
    assert best["reason"].startswith(
        "trial 1 0.3000 +- 0.0000 has the least mean combined error over 3 fresh seeds, among the"
        " best of 6"
    )
    assert best["reason"].endswith(
        "; beside it trial 0 (params.yaml) 0.5000 +- 0.0000, trial 2 0.6000 +- 0.1000"
    )
    found = with_found(params.train, best)
    trial = study.trials()[1]
    assert found.latent_dim == trial.params["latent_dim"]
    assert (
        replace(found, latent_dim=params.train.latent_dim, augmentation=params.train.augmentation)
        == params.train
    )


@pytest.mark.parametrize(("value", "winner"), [(0.45, 0), (0.35, 1)])
def test_params_yaml_stays_unless_it_is_clearly_beaten(
    value: float,
    winner: int,
    tmp_path: Path,
    params: Params,
    space: Space,
    study: Study,
    search: Search,
) -> None:
    """params.yaml has 0.5 +- 0.1: 0.45 is within the spread of the seeds, 0.35 is not."""
    errors = [(0.4, 0.4), (0.5, 0.5), (0.6, 0.6)] + [(value, value)] * 3 + [(0.9, 0.9)] * 3
    best = pick(
        study, repeated(tmp_path, space, study, search, errors), search, space, params.train
    )
    assert best["trial"] == winner
    assert (
        "trial 0 (params.yaml) 0.5000 +- 0.1000 is not clearly beaten in mean combined error"
        in best["reason"]
    ) == (winner == 0)


def test_a_finalist_that_failed_with_a_seed_cannot_win(
    tmp_path: Path, params: Params, space: Space, study: Study, search: Search
) -> None:
    errors = [(0.5, 0.5)] * 3 + [(0.1, 0.1), (0.1, 0.1), None] + [(0.6, 0.6)] * 3
    assert (
        pick(study, repeated(tmp_path, space, study, search, errors), search, space, params.train)[
            "trial"
        ]
        == 0
    )


def test_no_complete_trial_is_an_error_with_the_reasons(
    tmp_path: Path, params: Params, space: Space, search: Search
) -> None:
    study = make(tmp_path, "bad", BOTH, tickets_of_study(space, params.train, search, 0))
    spend(study, space, [None] * len(ERRORS))
    with pytest.raises(SvevaeError, match="no trial of bad is complete: diverged"):
        finalists(study, search)


def test_what_params_yaml_has_changed_since_the_search_stands(params: Params) -> None:
    best = {
        "train": {"latent_dim": 9, "kl_weight": 0.5},
        "params_yaml": {"latent_dim": 4, "kl_weight": params.train.kl_weight},
    }
    assert with_found(params.train, best).latent_dim == 9
    changed = with_found(replace(params.train, latent_dim=6), best)
    assert (changed.latent_dim, changed.kl_weight) == (6, 0.5)
