"""One trial at a time, in this process, on the tiny dataset: what it tells the study and MLflow
when it ends well, badly or early.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import keras
import mlflow
import numpy as np
import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from svevae import tracking
from svevae.config import Params, Search
from svevae.dataset.split import split_by_part
from svevae.dataset.store import SVEDataset
from svevae.search import trial as module
from svevae.search.space import parse_space
from svevae.search.storage import open_journal
from svevae.search.study import DIED, Study, Ticket
from svevae.search.task import Task
from svevae.search.trial import make_pruner, run_trial

BOTH = ("property", "reconstruction")


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The study's run, in a store of this module's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_ROOT", str(tmp_path_factory.mktemp("store")))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        with tracking.run("search") as run_id:
            pass
        yield run_id


Start = Callable[..., tuple[Study, Callable[[dict], FrozenTrial]]]


@pytest.fixture
def start(params: Params, tiny: SVEDataset, parent: str, tmp_path: Path) -> Start:
    """-> start(objectives, **search): a study, and a function that runs a trial of given parameters
    in it.
    """
    split = split_by_part(tiny, 0.25, 0.25, seed=0)
    # from scratch: the learning rate and the seed decide
    params = replace(params, train=replace(params.train, elastic=False))

    def begin(
        objectives: tuple[str, ...] = BOTH, **changes: object
    ) -> tuple[Study, Callable[[dict], FrozenTrial]]:
        search = replace(
            params.search,
            objectives=objectives,
            **({"epochs": 2, "fraction": 0.5, "trials": 9} | changes),
        )
        space = parse_space(
            {
                "learning_rate": {"low": 1e-5, "high": 1e9, "log": True},
                "latent_dim": {"choices": [3, 5]},
            },
            params.train,
        )
        task = Task(replace(params, search=search), space, split, tiny)
        study = Study.create(open_journal(tmp_path / "study.journal"), "s", objectives, {})
        study.study.pruner = make_pruner(search)

        def run(values: dict) -> FrozenTrial:
            number = len(study.trials())
            study.issue(
                [
                    Ticket(
                        number,
                        seed=11 + number,
                        params={"latent_dim": 3, "learning_rate": 1e-3} | values,
                    )
                ]
            )
            run_trial(task, study, study.claim(0), parent, "tensorflow cpu:0")
            return study.trials()[number]

        return study, run

    return begin


def mlflow_run(trial: FrozenTrial) -> mlflow.entities.Run:
    return mlflow.get_run(trial.user_attrs["run_id"])


def test_a_complete_trial_tells_study_and_mlflow_the_same(start: Start, parent: str) -> None:
    _, run = start()
    trial = run({"latent_dim": 5})
    assert trial.state == TrialState.COMPLETE
    errors = trial.user_attrs["errors"]
    assert trial.values == [errors["property"], errors["reconstruction"]]
    assert trial.user_attrs["seed"] == 11
    assert trial.user_attrs["seconds"] > 0
    found = mlflow_run(trial)
    assert found.info.status == "FINISHED"
    assert found.data.tags["mlflow.parentRunId"] == parent
    assert found.data.tags["svevae.trial"] == "0"
    assert found.data.tags["svevae.device"] == trial.user_attrs["device"] == "tensorflow cpu:0"
    assert found.data.params["train.latent_dim"] == "5"
    assert found.data.params["base.seed"] == "11"
    metrics = found.data.metrics
    assert metrics["validation/property_error"] == pytest.approx(errors["property"])
    assert metrics["validation/reconstruction_error"] == pytest.approx(errors["reconstruction"])
    assert metrics["sve_per_second"] == pytest.approx(trial.user_attrs["sve_per_second"])
    assert {
        "loss",
        "val_loss",
        "reconstruction",
        "val_reconstruction",
        "kl",
        "val_kl",
        "property",
        "val_property",
        "seconds",
    } <= set(metrics)
    history = mlflow.MlflowClient().get_metric_history(found.info.run_id, "val_loss")
    assert [point.step for point in history] == [1, 2]


def test_errors_are_1_for_what_knows_the_means_alone(start: Start, tiny: SVEDataset) -> None:
    """With labels and porosity at their training means the property error is the validation
    variance over the training variance plus the squared shift, and the reconstruction error is
    exactly 1.
    """
    _, run = start()
    task = run.__closure__[run.__code__.co_freevars.index("task")].cell_contents
    judge = module._Judge(task)
    train, validation = (
        task.split.index(subset, tiny.part_id) for subset in ("train", "validation")
    )
    standardised = (tiny.properties[validation] - np.array(task.split.mean)) / np.array(
        task.split.std
    )
    porosity = tiny.voxels(train).mean()
    voxels = tiny.voxels(validation)
    constant = (
        -(voxels * np.log(porosity) + (1 - voxels) * np.log(1 - porosity)).sum((1, 2, 3)).mean()
    )
    numbers = {
        "val_property": 0.5 * (standardised**2).sum(1).mean(),
        "val_reconstruction": constant,
    }
    errors = judge(numbers, standardised.shape[1])
    assert errors["reconstruction"] == pytest.approx(1, rel=1e-5)
    assert errors["property"] == pytest.approx((standardised**2).mean(), rel=1e-5)


@pytest.mark.slow
def test_a_trial_is_its_seed_and_its_parameters(start: Start) -> None:
    study, run = start()
    first = run({})
    study.issue([Ticket(1, seed=11, params=first.params)])
    task = run.__closure__[run.__code__.co_freevars.index("task")].cell_contents
    run_trial(task, study, study.claim(0), first.user_attrs["run_id"], "")
    np.testing.assert_allclose(study.trials()[1].values, first.values, rtol=1e-3)
    assert run({}).values != pytest.approx(first.values, rel=1e-3), (
        "another seed is another training"
    )


@pytest.mark.slow
def test_a_trial_that_diverges_fails_with_the_reason_and_the_study_goes_on(start: Start) -> None:
    study, run = start()
    trial = run({"learning_rate": 1e9})
    assert trial.state == TrialState.FAIL
    assert "TrainingError: the loss is not finite" in trial.user_attrs["reason"]
    found = mlflow_run(trial)
    assert found.info.status == "FAILED"
    assert found.data.tags["svevae.reason"] == trial.user_attrs["reason"]
    assert run({}).state == TrialState.COMPLETE
    assert len(study.finished()) == 2


@pytest.mark.slow
def test_a_trial_without_memory_fails_with_the_reason(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What TensorFlow raises where an array does not fit, raised by TensorFlow itself: 4 PB asked
    for.
    """

    def too_large(*_: object) -> None:
        keras.ops.zeros((2**50,)) + 1

    monkeypatch.setattr(module, "set_up", too_large)
    _, run = start()
    trial = run({})
    assert trial.state == TrialState.FAIL
    assert (
        "ResourceExhaustedError" in trial.user_attrs["reason"]
        or "OOM" in trial.user_attrs["reason"]
    )


def test_an_interrupted_trial_stays_running_and_its_run_is_killed(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "fit", interrupt)
    study, run = start()
    with pytest.raises(KeyboardInterrupt):
        run({})
    (trial,) = study.trials()
    assert trial.state == TrialState.RUNNING
    assert mlflow_run(trial).info.status == "KILLED"
    assert mlflow.active_run() is None


def test_all_figures_of_a_trial_are_logged_by_when_the_study_knows_it(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last trial ends the search, which ends its workers."""
    study, run = start()
    tell, logged = study.study.tell, []

    def told(trial: optuna.Trial, *arguments: object, **options: object) -> FrozenTrial:
        logged.append(mlflow.get_run(trial.user_attrs["run_id"]).data)
        return tell(trial, *arguments, **options)

    monkeypatch.setattr(study.study, "tell", told)
    trial = run({})
    (data,) = logged
    assert data.metrics.keys() == mlflow_run(trial).data.metrics.keys()
    assert data.metrics["validation/property_error"] == trial.values[0]
    assert data.tags["svevae.reason"] == ""


def test_the_run_of_a_trial_that_was_given_up_is_not_finished(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, run = start()
    score = module.tracking.log_scores

    def give_up(figures: dict[str, float]) -> None:
        score(figures)
        study.give_up(study.trials()[0], DIED)

    monkeypatch.setattr(module.tracking, "log_scores", give_up)
    trial = run({})
    assert trial.state == TrialState.FAIL
    assert mlflow_run(trial).info.status != "FINISHED"


@pytest.mark.slow
@pytest.mark.parametrize(("resource", "steps"), [("epochs", [1, 2]), ("fraction", [1, 2, 4])])
def test_halving_prunes_the_worse_of_two_by_epochs_and_by_data(
    start: Start, resource: str, steps: list[int]
) -> None:
    """A trial that learns, then one that cannot: the second ends at the first step as KILLED; the
    first reports each portion.
    """
    _, run = start(("combined",), pruner="halving", resource=resource, reduction=2, fraction=1.0)
    good = run({"learning_rate": 3e-3})
    assert good.state == TrialState.COMPLETE
    assert list(good.intermediate_values) == steps
    assert good.value == pytest.approx(np.sqrt(np.prod(list(good.user_attrs["errors"].values()))))
    bad = run({"learning_rate": 1e-5})
    assert bad.state == TrialState.PRUNED
    assert list(bad.intermediate_values) == [1]
    assert f"halving at step 1 ({resource}): combined error" in bad.user_attrs["reason"]
    assert mlflow_run(bad).info.status == "KILLED"


def test_pruners_hand_out_the_declared_resource(params: Params) -> None:
    def pruner(**changes: object) -> object:
        base: Search = replace(params.search, objectives=("property",), epochs=27, reduction=3)
        return make_pruner(replace(base, **changes))

    assert pruner(pruner="hyperband", resource="epochs")._max_resource == 27
    assert pruner(pruner="hyperband", resource="fraction")._max_resource == 9
    assert type(pruner(pruner="halving")).__name__ == "SuccessiveHalvingPruner"
    assert type(pruner(pruner="none")).__name__ == "NopPruner"
    assert type(pruner(pruner="hyperband", objectives=BOTH)).__name__ == "NopPruner"
