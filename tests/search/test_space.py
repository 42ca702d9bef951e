"""The declared space: what each form becomes, and every mistake named."""

from __future__ import annotations

from dataclasses import replace

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from svevae.config import Params
from svevae.errors import ConfigError
from svevae.search.space import applied, decoded, fixed_values, parse_space, starting_point


def test_each_form_becomes_its_distribution(params: Params) -> None:
    declared = {
        "latent_dim": {"low": 8, "high": 128, "log": True},
        "batch_size": {"low": 16, "high": 64, "step": 16},
        "learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
        "dropout": {"low": 0, "high": 0.4, "step": 0.1},
        "architecture": {"choices": ["patch", "conv"]},
        "augmentation": {"choices": [["flip_x", "flip_y"], []]},
    }
    assert parse_space(declared, params.train) == {
        "latent_dim": IntDistribution(8, 128, log=True),
        "batch_size": IntDistribution(16, 64, step=16),
        "learning_rate": FloatDistribution(1e-4, 1e-2, log=True),
        "dropout": FloatDistribution(0.0, 0.4, step=0.1),
        "architecture": CategoricalDistribution(("patch", "conv")),
        "augmentation": CategoricalDistribution(('["flip_x", "flip_y"]', "[]")),
    }


def test_the_shipped_space_is_valid_and_holds_the_shipped_configuration(shipped: Params) -> None:
    space = parse_space(shipped.search.space, shipped.train)
    start = starting_point(space, shipped.train)
    assert start is not None
    assert applied(shipped.train, start) == shipped.train
    named = {"latent_dim", "kl_weight", "width", "depth", "dense_width", "predictor_width"}
    assert set(space) == named


def test_values_of_a_trial_come_back_as_params_yaml_has_them(params: Params) -> None:
    values = {"augmentation": '["flip_x"]', "kl_weight": 0.5, "latent_dim": 7}
    assert decoded(values) == {"augmentation": ["flip_x"], "kl_weight": 0.5, "latent_dim": 7}
    config = applied(params.train, values)
    assert config == replace(params.train, augmentation=("flip_x",), kl_weight=0.5, latent_dim=7)


@pytest.mark.parametrize(
    "declared",
    [
        {"latent_dim": {"low": 5, "high": 9}},
        {"architecture": {"choices": ["conv"]}},
        {"dropout": {"low": 0.0, "high": 1e-3}},
    ],
)
def test_a_configuration_outside_the_space_is_no_starting_point(
    params: Params, declared: dict
) -> None:
    train = replace(params.train, latent_dim=4, architecture="patch", dropout=0.2)
    assert starting_point(parse_space(declared, train), train) is None


def test_fixed_values_are_what_acts_and_is_not_searched(params: Params) -> None:
    fixed = fixed_values(
        parse_space({"latent_dim": {"choices": [4, 8]}}, params.train), params.train
    )
    assert "latent_dim" not in fixed
    assert not {"epochs", "patience", "from_search"} & set(fixed)
    assert fixed["augmentation"] == list(params.train.augmentation)


@pytest.mark.parametrize(
    ("key", "form", "message"),
    [
        (
            "latent_dims",
            {"low": 1, "high": 2},
            "search.space.latent_dims: unknown key; train has architecture, ",
        ),
        (
            "latent_dims",
            {"choices": [1]},
            "search.space.latent_dims: unknown key; train has architecture, ",
        ),
        ("latent_dims", 3, "search.space.latent_dims: unknown key; train has architecture, "),
        (
            "latent_dim",
            {"low": 8, "high": 4},
            "search.space.latent_dim: expected low <= high, received low 8, high 4",
        ),
        (
            "latent_dim",
            {"low": 0, "high": 4},
            "search.space.latent_dim: expected at least 1, received 0",
        ),
        (
            "latent_dim",
            {"low": 1.5, "high": 4},
            "search.space.latent_dim: expected int, received 1.5",
        ),
        (
            "latent_dim",
            {"low": 4},
            r"search.space.latent_dim: expected \{choices: .*\}, .*, received \{'low': 4\}",
        ),
        (
            "latent_dim",
            {"low": 4, "high": 8, "steps": 2},
            r"search.space.latent_dim: expected \{choices: .*received",
        ),
        (
            "latent_dim",
            [4, 8],
            r"search.space.latent_dim: expected \{choices: .*, received \[4, 8\]",
        ),
        (
            "latent_dim",
            {"choices": []},
            r"search.space.latent_dim: expected one or more choices, received \[\]",
        ),
        (
            "latent_dim",
            {"choices": [4, 4]},
            r"search.space.latent_dim: expected choices that differ, received \[4, 4\]",
        ),
        (
            "latent_dim",
            {"choices": [4, "8"]},
            "search.space.latent_dim: expected int, received '8'",
        ),
        (
            "latent_dim",
            {"low": 4, "high": 9, "step": 2},
            "search.space.latent_dim: expected a step above 0 that leads from low to high",
        ),
        (
            "latent_dim",
            {"low": 4, "high": 8, "step": 0},
            "search.space.latent_dim: expected a step above 0 that leads from low to high",
        ),
        (
            "kl_weight",
            {"low": 0.0, "high": 1.0, "log": True},
            "search.space.kl_weight: expected log: true with low above 0 and no step",
        ),
        (
            "kl_weight",
            {"low": 0.1, "high": 1.0, "log": "yes"},
            "search.space.kl_weight: expected log: true with low above 0 and no step",
        ),
        (
            "kl_weight",
            {"low": "1e-3", "high": 1.0},
            r"search.space.kl_weight: expected float, received '1e-3' .*write 1.0e-3",
        ),
        (
            "dropout",
            {"low": 0.0, "high": 1.5},
            "search.space.dropout: expected a number from 0 to below 1, received 1.5",
        ),
        (
            "architecture",
            {"low": 1, "high": 2},
            "search.space.architecture: expected one of conv, residual, patch, received 1",
        ),
        (
            "architecture",
            {"choices": ["patch", "transformer"]},
            "search.space.architecture: expected one of .*, received 'transformer'",
        ),
        (
            "block",
            {"choices": ["dense"]},
            "search.space.block: expected one of .*, received 'dense'",
        ),
        (
            "augmentation",
            {"choices": [["flip_w"]]},
            r"search.space.augmentation\[0\]: expected one of flip_x, .* received 'flip_w'",
        ),
        (
            "epochs",
            {"low": 1, "high": 9},
            "search.space.epochs: cannot be searched: a trial has search.epochs",
        ),
        (
            "reconstruction_weight",
            {"choices": [1.0]},
            "search.space.reconstruction_weight: cannot be searched: only ratios",
        ),
    ],
)
def test_wrong_ranges_are_named(params: Params, key: str, form: object, message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{message}"):
        parse_space({key: form}, params.train)


def test_an_empty_space_is_refused(params: Params) -> None:
    with pytest.raises(
        ConfigError, match=r"^search\.space: expected one or more keys of train, received none"
    ):
        parse_space({}, params.train)
