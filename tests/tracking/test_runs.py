"""Runs: one that the store lacks, or that was deleted, is not gone on with."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import mlflow
import numpy as np
import pytest

from svevae import tracking
from svevae.errors import TrackingError
from svevae.tracking import metric_name


def test_a_run_goes_on(root: Path) -> None:
    with tracking.run("first") as first:
        pass
    with tracking.run("second", first) as second:
        tracking.log_scores({"r2": 0.5})
    assert second == first
    assert mlflow.get_run(first).data.metrics == {"r2": 0.5}


@pytest.mark.parametrize("there", [True, False])
def test_a_new_run_names_the_one_that_is_gone(root: Path, there: bool) -> None:
    """Deleted in the page, or never in this store."""
    gone = "0" * 32
    if there:
        with tracking.run("first") as gone:
            pass
        mlflow.MlflowClient().delete_run(gone)
    with tracking.run("second", gone) as second:
        pass
    assert second != gone
    run = mlflow.get_run(second)
    assert run.data.tags["svevae.trained_in_run"] == gone
    assert (run.info.run_name, run.info.status) == ("second", "FINISHED")


def test_an_error_ends_the_run_as_failed(root: Path) -> None:
    with pytest.raises(ZeroDivisionError), tracking.run("first") as run_id:
        raise ZeroDivisionError
    assert mlflow.get_run(run_id).info.status == "FAILED"


def test_runs_that_begin_at_once_share_their_dataset(root: Path) -> None:
    """Each of them looks for the dataset before any has written it."""

    def begin(digest: str, together: Barrier) -> list[str]:
        with tracking.run("search") as run_id:
            together.wait()
            tracking.log_dataset("sve", "data/sve.h5", digest, np.zeros((3, 2)), "training")
        inputs = mlflow.get_run(run_id).inputs.dataset_inputs
        return [entry.dataset.digest for entry in inputs]

    with ThreadPoolExecutor(4) as pool:
        for digest in "abcdef":
            found = list(pool.map(begin, [digest] * 4, [Barrier(4)] * 4))
            assert found == [[digest]] * 4


def test_another_parameter_of_a_run_that_goes_on_is_refused(root: Path) -> None:
    with tracking.run("first") as first:
        tracking.log_params({"train": {"epochs": 1}})
    with (
        pytest.raises(TrackingError, match="the run has other parameters already"),
        tracking.run("first", first),
    ):
        tracking.log_params({"train": {"epochs": 2}})


def test_a_run_of_mlflow_run_that_the_store_lacks_is_named(
    root: Path, alone: pytest.MonkeyPatch
) -> None:
    alone.setenv("MLFLOW_RUN_ID", "0" * 32)
    for begin in (
        lambda: tracking.run("new").__enter__(),
        lambda: tracking.add_to_current_run({}, "a"),
    ):
        with pytest.raises(TrackingError, match=r"sqlite:///mlflow.db: expected .*, received"):
            begin()


def test_names_of_properties_as_mlflow_takes_them(root: Path) -> None:
    """What it takes stays; the rest is mapped, and each to a name of its own."""
    kept = ["E_x", "nu", "E x", "Rp0.2", "a-b:c"]
    assert [metric_name(name) for name in kept] == kept
    odd = ["Rp0.2%", "Rp0.2&", "E, [x]", "a/b", "\u03c3_y", ".", "..", "x" * 300, "x" * 301, "E\n"]
    found = [metric_name(name) for name in odd]
    assert len({*found, *kept}) == len(odd) + len(kept)
    with tracking.run("odd"):
        tracking.log_scores(tracking.flatten({"r2": dict.fromkeys([*kept, *odd], 0.5)}))
