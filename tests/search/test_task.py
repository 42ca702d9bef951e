"""The contract: what makes trials comparable, and nothing else, so that a longer search or other
workers join the same study.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from svevae.config import Params
from svevae.dataset.split import split_by_part
from svevae.dataset.store import SVEDataset
from svevae.errors import ConfigError
from svevae.search.space import parse_space
from svevae.search.task import Task, load_task, terms


@pytest.fixture(scope="module")
def task(params: Params, tiny: SVEDataset) -> Task:
    split = split_by_part(tiny, 0.25, 0.25, seed=0)
    return Task(
        params, parse_space({"kl_weight": {"low": 0.5, "high": 2.0}}, params.train), split, tiny
    )


def changed(task: Task, section: str, **values: object) -> Task:
    return replace(
        task,
        params=replace(task.params, **{section: replace(getattr(task.params, section), **values)}),
    )


@pytest.mark.parametrize(
    ("section", "values"),
    [
        ("search", {"epochs": 9}),
        ("search", {"fraction": 0.1}),
        ("search", {"objectives": ("property",)}),
        ("train", {"latent_dim": 7}),
        ("train", {"kl_warmup": 9}),
        ("base", {"seed": 3}),
    ],
)
def test_what_changes_a_trial_changes_the_contract(task: Task, section: str, values: dict) -> None:
    assert terms(changed(task, section, **values)) != terms(task)


@pytest.mark.parametrize(
    ("section", "values"),
    [
        ("search", {"trials": 99}),
        ("search", {"workers": 9}),
        ("search", {"storage": "grpc://h:1"}),
        ("search", {"finalists": 5, "seeds": 5, "rule": "property"}),
        ("search", {"pruner": "halving"}),  # of a Pareto study nothing is pruned
        ("train", {"kl_weight": 0.7}),  # is searched
        ("train", {"epochs": 99, "patience": 3, "from_search": False}),
    ],
)
def test_what_does_not_leaves_it(task: Task, section: str, values: dict) -> None:
    assert terms(changed(task, section, **values)) == terms(task)


def test_other_data_another_split_and_another_space_change_it(task: Task) -> None:
    other = replace(task.split, dataset_digest="0" * 32)
    assert terms(replace(task, split=other)) != terms(task)
    parts = {**task.split.parts, "train": task.split.parts["train"][1:]}
    assert terms(replace(task, split=replace(task.split, parts=parts))) != terms(task)
    wider = parse_space({"kl_weight": {"low": 0.5, "high": 4.0}}, task.params.train)
    assert terms(replace(task, space=wider)) != terms(task)


def test_a_pruner_is_part_of_a_single_study(task: Task) -> None:
    single = changed(task, "search", objectives=("property",))
    assert terms(changed(single, "search", pruner="halving")) != terms(
        changed(single, "search", pruner="none")
    )


def test_nothing_prepared_is_named(
    params: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        ConfigError, match=r"artifacts/split/split\.json: expected the split, found nothing"
    ):
        load_task(params)
