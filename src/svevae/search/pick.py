"""Which trial wins: its score by the rule, the front, the finalists, and the content of best.yaml
with the reason in words.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from svevae.config import Search, Train
from svevae.errors import SvevaeError
from svevae.search.space import Space, decoded, starting_point
from svevae.search.study import Study, Ticket, trial_seed
from svevae.words import counted

FRESH = 2**31  # the seeds of finalists begin at this number, above any ticket of a study
MOST_SEEDS = 1000  # of a finalist


def score(errors: Mapping[str, float], rule: str) -> float:
    """Reduce the errors of a trial, {"property", "reconstruction"}, to one number; "combined" is
    their geometric mean.

    property: mean squared standardised error on the validation parts. reconstruction: voxel
    cross-entropy there over that of a constant porosity. Either is 1 for a model that knows the
    means alone, and for either smaller is better.
    """
    return (
        math.sqrt(errors["property"] * errors["reconstruction"])
        if rule == "combined"
        else errors[rule]
    )


def front(study: Study, rule: str) -> list[FrozenTrial]:
    """List the trials that none beats in both objectives, the best by `rule` first. In a study of
    one objective, list all complete trials in the order of that objective.
    """
    single = len(study.study.directions) == 1
    candidates = study.trials(TrialState.COMPLETE) if single else study.study.best_trials
    return sorted(
        candidates,
        key=lambda trial: trial.values[0] if single else score(trial.user_attrs["errors"], rule),
    )


def finalists(study: Study, search: Search) -> list[FrozenTrial]:
    """List the best few of the front and, whatever it scored, the configuration of params.yaml.
    Raises SvevaeError where no trial is complete.
    """
    best = front(study, search.rule)
    if not best:
        reasons = {trial.user_attrs.get("reason", "no reason") for trial in study.finished()}
        raise SvevaeError(
            f"search: no trial of {study.study.study_name} is complete:"
            f" {'; '.join(sorted(reasons)) or 'none has begun'}"
        )
    chosen = best[: search.finalists]
    start = [
        trial
        for trial in study.finished()
        if "params_yaml" in trial.user_attrs and trial.state == TrialState.COMPLETE
    ]
    return chosen + [trial for trial in start if trial not in chosen]


def tickets_of_finalists(chosen: Sequence[FrozenTrial], search: Search, seed: int) -> list[Ticket]:
    """Make tickets to train each finalist `search.seeds` times more, with seeds that no trial of
    the study had, the same for all finalists.

    A ticket's number identifies finalist and seed, so that a longer search, which may have other
    finalists, does not repeat what was done.
    """
    return [
        Ticket(
            trial.number * MOST_SEEDS + repeat,
            trial_seed(seed, FRESH + repeat),
            trial.params,
            {"finalist": trial.number},
        )
        for trial in chosen
        for repeat in range(search.seeds)
    ]


def tickets_of_study(space: Space, train: Train, search: Search, seed: int) -> list[Ticket]:
    """Make `search.trials` tickets; the first is the configuration of params.yaml, where that lies
    in the space.
    """
    start = starting_point(space, train)
    first = (
        Ticket(0, trial_seed(seed, 0), start, {"params_yaml": True})
        if start
        else Ticket(0, trial_seed(seed, 0))
    )
    return [
        first,
        *(Ticket(number, trial_seed(seed, number)) for number in range(1, search.trials)),
    ]


def pick(
    study: Study, repeats: Study, search: Search, space: Space, train: Train
) -> dict[str, Any]:
    """Return the content of best.yaml: the finalist with the least mean score over its fresh
    seeds, and why.

    The configuration of params.yaml stays unless it is beaten by more than the standard deviation
    of either over the seeds. Raises SvevaeError where no finalist was trained to the end with every
    seed.
    """
    rows = [_row(trial, repeats, search) for trial in finalists(study, search)]
    rows = sorted(
        (row for row in rows if len(row["seeds"]) == search.seeds),
        key=lambda row: row["score"]["mean"],
    )
    if not rows:
        raise SvevaeError(
            f"search: no finalist of {study.study.study_name} could be trained again with"
            f" {counted(search.seeds, 'seed')} each"
        )
    winner = _winner(rows)
    trial = next(trial for trial in study.trials() if trial.number == winner["trial"])
    return {
        "study": study.study.study_name,
        "trial": trial.number,
        "rule": search.rule,
        "reason": _reason(winner, rows, search, len(study.finished())),
        "finalists": rows,
        "train": decoded({key: trial.params[key] for key in space}),
        "params_yaml": {
            key: list(value) if isinstance(value := getattr(train, key), tuple) else value
            for key in space
        },
        "trial_run_id": trial.user_attrs.get("run_id", ""),
        "study_run_id": study.study.user_attrs.get("run_id", ""),
    }


def _winner(rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Pick the winner among rows sorted by mean score: the first, where it is clearly better than
    the configuration of params.yaml.
    """
    first, start = rows[0]["score"], next((row for row in rows if row["params_yaml"]), rows[0])
    clear = start["score"]["mean"] - first["mean"] > max(first["std"], start["score"]["std"])
    return rows[0] if clear else start


def _row(trial: FrozenTrial, repeats: Study, search: Search) -> dict[str, Any]:
    wanted = range(trial.number * MOST_SEEDS, trial.number * MOST_SEEDS + search.seeds)
    done = [
        repeat
        for repeat in repeats.finished()
        if repeat.user_attrs["ticket"] in wanted and repeat.state == TrialState.COMPLETE
    ]
    errors = [repeat.user_attrs["errors"] for repeat in done]
    columns = {name: [error[name] for error in errors] for name in ("property", "reconstruction")}
    columns["score"] = [score(error, search.rule) for error in errors]
    return {
        "trial": trial.number,
        "params_yaml": "params_yaml" in trial.user_attrs,
        "seeds": [repeat.user_attrs["seed"] for repeat in done],
        **{name: _spread(values) for name, values in columns.items()},
    }


def _spread(values: Sequence[float]) -> dict[str, float]:
    if not values:
        return {"mean": math.nan, "std": math.nan}
    return {
        "mean": statistics.fmean(values),
        "std": statistics.stdev(values) if len(values) > 1 else 0.0,
    }


def _reason(
    winner: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], search: Search, trials: int
) -> str:
    def told(row: Mapping[str, Any]) -> str:
        name = f"trial {row['trial']}{' (params.yaml)' if row['params_yaml'] else ''}"
        spread = f" +- {row['score']['std']:.4f}" if search.seeds > 1 else ""
        return f"{name} {row['score']['mean']:.4f}{spread}"

    kind = (
        "on the Pareto front" if len(search.objectives) == 2 else f"by {search.objectives[0]} error"
    )
    epochs = counted(search.epochs, "epoch")
    fidelity = f"{epochs} on {search.fraction:.0%} of the training SVEs"
    seeds = counted(search.seeds, "fresh seed")
    verdict = "has the least" if winner is rows[0] else "is not clearly beaten in"
    others = [told(row) for row in rows if row is not winner]
    beside = f"; beside it {', '.join(others)}" if others else ""
    field = f"{counted(trials, 'trial')} {kind} ({fidelity})"
    return (
        f"{told(winner)} {verdict} mean {search.rule} error over {seeds}, among the best of"
        f" {field}{beside}"
    )
