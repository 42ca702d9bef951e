"""One trial: suggest a configuration, train it, judge it on the validation parts, tell the study
and MLflow.
"""

from __future__ import annotations

import dataclasses
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import keras
import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution, IntDistribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState

from svevae import tracking
from svevae.config import Search, Train
from svevae.model.checkpoint import Checkpoint
from svevae.model.fit import fit, set_up
from svevae.model.losses import mean_squared_error
from svevae.model.metrics import constant_cross_entropy
from svevae.search.pick import score
from svevae.search.space import applied
from svevae.search.storage import OUTAGES, patiently, repeatedly
from svevae.search.study import BEAT, RUN_STATUS, Study
from svevae.search.task import Task

RUNGS = 3  # portions of the training SVEs, where the pruner hands out these instead of epochs
LONGEST_REASON = 500  # characters


def make_pruner(search: Search) -> optuna.pruners.BasePruner:
    """Make the pruner of a study of one objective. The unit of its resource is an epoch, or the
    smallest portion of the training SVEs.
    """
    most = search.epochs if search.resource == "epochs" else search.reduction ** (RUNGS - 1)
    if len(search.objectives) > 1 or search.pruner == "none":
        return optuna.pruners.NopPruner()
    if search.pruner == "hyperband":
        return optuna.pruners.HyperbandPruner(
            min_resource=1, max_resource=most, reduction_factor=search.reduction
        )
    return optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=search.reduction)


def run_trial(
    task: Task, study: Study, trial: optuna.Trial, parent_run_id: str, device: str
) -> None:
    """Train the trial's configuration and end the trial, and its MLflow run, as complete, pruned,
    or failed with the reason.

    An exception that interrupts this process passes through and leaves the trial running.
    """
    began = time.monotonic()
    tags = {
        "svevae.study": study.study.study_name,
        "svevae.trial": str(trial.number),
        "svevae.device": device,
    }
    again = trial.user_attrs.get("finalist")
    name = (
        f"trial-{trial.number}"
        if again is None
        else f"trial-{again}-again-{trial.user_attrs['seed']}"
    )
    run_id, status = patiently(tracking.start_trial_run, name, parent_run_id, tags), "KILLED"
    try:
        with _beating(study, trial):
            patiently(trial.set_user_attr, "run_id", run_id)
            notes, values, state = _outcome(task, study, trial)
            notes |= {"seconds": time.monotonic() - began, "device": device}
            # before the study knows: with the last trial the search is over and ends its workers
            _log_figures(notes)
            if _finish(study, trial, notes, values, state):
                status = RUN_STATUS[state]
    finally:
        patiently(tracking.end_trial_run, run_id, status)
        keras.backend.clear_session()


def _outcome(
    task: Task, study: Study, trial: optuna.Trial
) -> tuple[dict[str, Any], list[float] | None, TrialState]:
    """Train the trial's configuration; what the trial is to carry, its values and its state."""
    try:
        config = _suggested(task, trial)
        _log_params(task, trial, config)
        notes = _train(task, study, trial, config)
        return notes, _values(task.params.search, study, notes["errors"]), TrialState.COMPLETE
    except optuna.TrialPruned as pruned:
        return {"reason": str(pruned)}, None, TrialState.PRUNED
    except OUTAGES:
        raise
    except Exception as error:  # the study goes on: a configuration that fails is an answer too
        traceback.print_exc()
        return (
            {"reason": f"{type(error).__name__}: {error}"[:LONGEST_REASON]},
            None,
            TrialState.FAIL,
        )


def _suggested(task: Task, trial: optuna.Trial) -> Train:
    """Let the sampler choose a value for each key of the space; the configuration with them."""
    for key, kind in task.space.items():
        if isinstance(kind, CategoricalDistribution):
            patiently(trial.suggest_categorical, key, kind.choices)
            continue
        suggest: Callable[..., Any] = (
            trial.suggest_int if isinstance(kind, IntDistribution) else trial.suggest_float
        )
        patiently(suggest, key, kind.low, kind.high, step=kind.step, log=kind.log)
    config, epochs = applied(task.params.train, trial.params), task.params.search.epochs
    passes = round(config.property_epochs * min(1.0, epochs / config.epochs))
    return dataclasses.replace(config, epochs=epochs, patience=epochs, property_epochs=passes)


def _train(task: Task, study: Study, trial: optuna.Trial, config: Train) -> dict[str, Any]:
    """Train, and return the figures of the best epoch. The pruner is asked after each epoch, or
    after each portion of the training SVEs.
    """
    search, seed = task.params.search, trial.user_attrs["seed"]
    rungs = (
        RUNGS
        if search.resource == "fraction"
        and not isinstance(study.study.pruner, optuna.pruners.NopPruner)
        else 1
    )
    by_epoch, judge = rungs == 1, _Judge(task)
    for rung in range(rungs):
        fraction = search.fraction * float(search.reduction) ** (rung + 1 - rungs)
        trainer, train, validation = set_up(config, seed, task.split, task.data, fraction)
        targets = len(trainer.std)

        def on_epoch(
            epoch: int,
            numbers: dict[str, float],
            first: int = rung * config.epochs,
            targets: int = targets,
        ) -> None:
            patiently(tracking.log_epoch, first + epoch, numbers)
            if by_epoch:
                _report(study, search, trial, judge(numbers, targets), epoch + 1)

        progress = fit(
            trainer,
            train,
            validation,
            config.epochs,
            config.patience,
            seed,
            Checkpoint(None, trainer, ""),
            on_epoch,
        )
        errors = judge(progress.history[progress.best_epoch], targets)
        if not by_epoch:
            _report(study, search, trial, errors, search.reduction**rung)
    speed = float(np.mean([row["sve_per_second"] for row in progress.history]))
    return {"errors": errors, "best_epoch": progress.best_epoch + 1, "sve_per_second": speed}


class _Judge:
    """Computes the errors of an epoch on the validation parts, as `svevae.search.pick.score` reads
    them.
    """

    def __init__(self, task: Task):
        porosity = task.data.porosity()
        train, validation = (
            porosity[task.split.index(subset, task.data.part_id)]
            for subset in ("train", "validation")
        )
        self.constant = float(
            constant_cross_entropy(validation, float(train.mean()), task.data.n).mean()
        )

    def __call__(self, numbers: Mapping[str, float], targets: int) -> dict[str, float]:
        return {
            "property": mean_squared_error(numbers["val_property"], targets),
            "reconstruction": numbers["val_reconstruction"] / self.constant,
        }


def _report(
    study: Study, search: Search, trial: optuna.Trial, errors: Mapping[str, float], step: int
) -> None:
    """Tell the pruner the error at a step. Raises TrialPruned where it wants no more of this
    trial.
    """
    if len(study.study.directions) > 1:
        return
    value = score(errors, search.objectives[0])
    patiently(trial.report, value, step)
    if patiently(trial.should_prune):
        raise optuna.TrialPruned(
            f"{search.pruner} at step {step} ({search.resource}): {search.objectives[0]} error"
            f" {value:.4f} is not among the best 1/{search.reduction}"
        )


def _values(search: Search, study: Study, errors: Mapping[str, float]) -> list[float]:
    values = [score(errors, name) for name in search.objectives]
    if not all(np.isfinite(values)):
        raise ValueError(f"the errors are not finite: {dict(errors)}")
    return values[: len(study.study.directions)]


def _finish(
    study: Study,
    trial: optuna.Trial,
    notes: Mapping[str, Any],
    values: list[float] | None,
    state: TrialState,
) -> bool:
    """End the trial. Returns False if it had been given up."""
    try:
        for key, value in notes.items():
            patiently(trial.set_user_attr, key, value)
        patiently(study.study.tell, trial, values, state, skip_if_finished=True)
    except UpdateFinishedTrialError:  # it was given up for lost, and another has its ticket
        print(f"trial {trial.number} came too late: it had been given up", flush=True)
        return False
    return True


def _log_figures(notes: Mapping[str, Any]) -> None:
    figures = {f"validation/{name}_error": value for name, value in notes.get("errors", {}).items()}
    figures |= {
        key: notes[key] for key in ("seconds", "sve_per_second", "best_epoch") if key in notes
    }
    patiently(tracking.log_scores, figures)
    patiently(tracking.set_tags, {"svevae.reason": notes.get("reason", "")})


def _log_params(task: Task, trial: optuna.Trial, config: Train) -> None:
    values = {"train": dataclasses.asdict(config), "base": {"seed": trial.user_attrs["seed"]}}
    values["search"] = {key: getattr(task.params.search, key) for key in ("epochs", "fraction")}
    patiently(tracking.log_params, values)


def _beating(study: Study, trial: optuna.Trial) -> AbstractContextManager[None]:
    """Give a sign of life each BEAT seconds; a trial that was given up needs none."""
    return repeatedly(
        lambda count: study.storage.set_trial_user_attr(trial._trial_id, "beat", count),
        BEAT,
        UpdateFinishedTrialError,
    )
