"""search: find latent dimension, loss weights and architecture on the validation parts. The test
parts are never read.
"""

from __future__ import annotations

import dataclasses
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import optuna
import yaml
from optuna.storages import BaseStorage

from svevae import tracking
from svevae.config import Params
from svevae.errors import ConfigError
from svevae.files import written_whole
from svevae.search.found import BEST, read_found
from svevae.search.live import copy_journal, live_journal, newest_journal, settled, take_over
from svevae.search.pick import finalists, front, pick, tickets_of_finalists, tickets_of_study
from svevae.search.pool import Pool, end_stray_runs, help_out, leading, run_to_the_end, trial_line
from svevae.search.report import plot_study, write_report
from svevae.search.storage import (
    JOURNAL,
    open_journal,
    open_storage,
    patiently,
    storage_url,
)
from svevae.search.study import Study
from svevae.search.task import SPLIT, Task, finalists_name, load_task, terms

REPORT = Path("artifacts/search/report.html")
PLOTS = Path("artifacts/search/plots")


def search(params: Params, workers: int | None = None) -> None:
    """Run or resume the study of params.yaml; write artifacts/search and log it. Raises
    ConfigError, DataError, SvevaeError.
    """
    url, named = storage_url(params.search.storage), params.search.study
    task = settled(load_task(params), url)
    params, settings, seed = task.params, task.params.search, params.base.seed
    if settings.study != named:
        print(f"search.study: {named!r} is of other data and stays; these have {settings.study!r}")
    journal = live_journal(settings.study, terms(task))
    if url == "journal":
        take_over(JOURNAL, journal, settings.study, terms(task))
    storage = open_storage(url, journal)
    tracking.connect()
    study = Study.create(storage, settings.study, settings.objectives, terms(task))
    with (
        tracking.run("search", study.study.user_attrs.get("run_id")) as run_id,
        leading(study),
        Pool(workers or settings.workers) as pool,
    ):
        _begin(task, study, run_id)
        try:
            run_to_the_end(
                study, tickets_of_study(task.space, params.train, settings, seed), pool, "search"
            )
            repeats = Study.create(
                storage, finalists_name(settings), settings.objectives, terms(task)
            )
            chosen = finalists(study, settings)
            run_to_the_end(repeats, tickets_of_finalists(chosen, settings, seed), pool, "finalists")
        except KeyboardInterrupt:
            _end_stray_runs(params, study, run_id)
            _show_front(study, settings.rule)
            write_report(study.study, _repeats(storage, params), None, REPORT)
            raise
        _end_stray_runs(params, study, run_id)
        patiently(study.study.set_user_attr, "over", True)
        best = pick(study, repeats, settings, task.space, params.train)
        _write(study, repeats, best)
        if url == "journal":
            copy_journal(journal, JOURNAL)
        else:
            _keep_copy(storage, (study.study.study_name, repeats.study.study_name))
    print(f"winner: {best['reason']}")


def join(params: Params, workers: int | None) -> None:
    """Work for a search begun elsewhere, on the same storage and tracking store, until it is over.
    Raises ConfigError, DataError.
    """
    task = settled(load_task(params), storage_url(params.search.storage))
    params, settings = task.params, task.params.search
    tracking.connect()
    live = live_journal(settings.study, terms(task))
    # one of other terms is refused, which says what differs
    journal = live if live.is_file() else newest_journal(settings.study) or live
    study = _existing(params, journal, terms(task))
    tracking.check_run(study.study.user_attrs["run_id"])
    with Pool(workers or settings.workers) as pool:
        help_out(study, pool)
    print(f"the search {settings.study} is over")


def report(params: Params) -> Path:
    """Write the page of the study as it is now. Raises ConfigError where there is none."""
    if SPLIT.is_file():
        params = settled(load_task(params), storage_url(params.search.storage)).params
    study = _existing(params, newest_journal(params.search.study) or JOURNAL)
    best = read_found(BEST) if BEST.is_file() else None
    write_report(study.study, _repeats(study.storage, params), best, REPORT)
    return REPORT


def _existing(params: Params, journal: Path, wanted: dict[str, Any] | None = None) -> Study:
    """Load the study of params.yaml, which a search has begun, if need be under the terms
    `wanted`; it lies in `journal` or in another storage. Raises ConfigError where there is none.
    """
    url, name = storage_url(params.search.storage), params.search.study
    try:
        if url == "journal" and not journal.is_file():
            raise KeyError(name)
        study = Study.load(open_storage(url, journal), name, wanted)
        if "run_id" not in study.study.user_attrs:  # just being made
            raise KeyError(name)
    except KeyError as error:
        raise ConfigError(
            f"search.study: expected a study {name!r}, found none: run `svevae search` first"
        ) from error
    return study


def _begin(task: Task, study: Study, run_id: str) -> None:
    patiently(study.study.set_user_attr, "run_id", run_id)
    patiently(study.study.set_user_attr, "over", False)
    values = dataclasses.asdict(task.params.search)
    # without the number of trials and the like: a longer search has the same run
    lasting = {key: values[key] for key in ("study", "objectives", "epochs", "fraction", "space")}
    tracking.log_params({"search": lasting})
    tracking.log_dataset(
        Path(task.split.dataset).name,
        task.split.dataset,
        task.split.dataset_digest,
        task.data.properties,
        "training",
    )
    tracking.log_environment()


def _end_stray_runs(params: Params, study: Study, run_id: str) -> None:
    studies = [study]
    with suppress(KeyError):  # interrupted before the finalists
        studies.append(Study.load(study.storage, finalists_name(params.search)))
    patiently(end_stray_runs, run_id, studies)


def _repeats(storage: BaseStorage, params: Params) -> optuna.Study | None:
    try:
        return Study.load(storage, finalists_name(params.search)).study
    except KeyError:
        return None


def _show_front(study: Study, rule: str) -> None:
    best = front(study, rule)
    print(
        "the front so far:" if best else "no trial is complete yet",
        *(f"  {trial_line(trial)}" for trial in best),
        sep="\n",
        file=sys.stderr,
    )


def _write(study: Study, repeats: Study, best: dict[str, Any]) -> None:
    plot_study(study.study, PLOTS)
    write_report(study.study, repeats.study, best, REPORT)
    with written_whole(BEST) as beside:
        beside.write_text(yaml.safe_dump(best, sort_keys=False, width=140), encoding="utf-8")
    winner = next(row for row in best["finalists"] if row["trial"] == best["trial"])
    figures = {
        f"winner/{name}": winner[name]["mean"] for name in ("property", "reconstruction", "score")
    }
    tracking.log_scores(figures | {"trials": len(study.finished())})
    tracking.log_folder(PLOTS, "plots")
    for path in (REPORT, BEST):
        tracking.log_file(path)


def _keep_copy(storage: BaseStorage, names: tuple[str, ...]) -> None:
    """Copy the studies of another storage to this project's journal, which DVC keeps."""
    with written_whole(JOURNAL) as beside:
        for name in names:
            optuna.copy_study(
                from_study_name=name, from_storage=storage, to_storage=open_journal(beside)
            )
