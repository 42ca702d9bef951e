"""The space that params.yaml declares: which values a key of `train` may take, as Optuna's
distributions.

    latent_dim: {low: 8, high: 128, log: true}
    depth: {low: 2, high: 3}
    dropout: {low: 0.0, high: 0.4, step: 0.1}
    augmentation: {choices: [[], [flip_x, flip_y, flip_z]]}

A list among the choices is JSON text in the study, because a parameter in Optuna is a number, a
text, true or false.
"""

from __future__ import annotations

import dataclasses
import json
import math
import typing
from collections.abc import Mapping
from typing import Any, TypeAlias

from optuna.distributions import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from svevae.config import Train, with_value
from svevae.errors import ConfigError

Distribution: TypeAlias = CategoricalDistribution | FloatDistribution | IntDistribution
Space: TypeAlias = dict[str, Distribution]
NOT_SEARCHED = {
    "epochs": "a trial has search.epochs",
    "patience": "a trial has search.epochs",
    "from_search": "it says whether the search's result is used",
    "reconstruction_weight": (
        "only ratios of the three weights act; search kl_weight and property_weight"
    ),
}
FORMS = "{choices: [...]}, {low: ..., high: ...}, with log: true or step: ..."


def parse_space(declared: Mapping[str, Any], train: Train) -> Space:
    """Make the distribution of each key of `search.space`. Raises ConfigError that names the key
    and what is wrong with its range.
    """
    if not declared:
        raise ConfigError("search.space: expected one or more keys of train, received none")
    return {
        key: _distribution(f"search.space.{key}", key, form, train)
        for key, form in declared.items()
    }


def applied(train: Train, values: Mapping[str, Any]) -> Train:
    """Return `train` with the values of a trial as the study holds them. Raises ConfigError for a
    value that train cannot have.
    """
    for key, value in decoded(values).items():
        train = with_value(train, key, value, f"search.space.{key}")
    return train


def decoded(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a trial as params.yaml would have them: JSON text becomes a list."""
    return {
        key: json.loads(value) if isinstance(value, str) and value.startswith("[") else value
        for key, value in values.items()
    }


def starting_point(space: Space, train: Train) -> dict[str, Any] | None:
    """Return the configuration of params.yaml as a point of the space, as the study holds it; None
    where it lies outside.
    """
    values = {key: _encoded(getattr(train, key)) for key in space}
    try:
        inside = all(
            space[key]._contains(space[key].to_internal_repr(value))
            for key, value in values.items()
        )
    except ValueError:  # a value is not among the choices
        return None
    return values if inside else None


def fixed_values(space: Space, train: Train) -> dict[str, Any]:
    """Return what every trial has in common: the keys of train that are not searched and that act
    on a trial.
    """
    outside = ("epochs", "patience", "from_search")  # these do not act
    values = dataclasses.asdict(train)
    return {
        key: _plain(value)
        for key, value in values.items()
        if key not in space and key not in outside
    }


def _distribution(where: str, key: str, form: Any, train: Train) -> Distribution:
    if key in NOT_SEARCHED:
        raise ConfigError(f"{where}: cannot be searched: {NOT_SEARCHED[key]}")
    if isinstance(form, Mapping) and set(form) == {"choices"}:
        return _choices(where, key, form["choices"], train)
    if not isinstance(form, Mapping) or not {"low", "high"} <= set(form) <= {
        "low",
        "high",
        "log",
        "step",
    }:
        # an unknown key is the worse mistake
        with_value(train, key, getattr(train, key, None), where)
        raise ConfigError(f"{where}: expected {FORMS}, received {form!r}")
    kind = typing.get_type_hints(Train).get(key)  # without the bounds that Annotated adds
    low, high = (getattr(with_value(train, key, form[end], where), key) for end in ("low", "high"))
    if kind not in (int, float):
        raise ConfigError(
            f"{where}: expected choices, received {form!r}; only numbers have a range"
        )
    log, step = form.get("log", False), form.get("step")
    if not low <= high:
        raise ConfigError(f"{where}: expected low <= high, received low {low}, high {high}")
    if not isinstance(log, bool) or (log and (step is not None or low <= 0)):
        raise ConfigError(
            f"{where}: expected log: true with low above 0 and no step, received {form!r}"
        )
    if step is not None and not _is_step(step, high - low):
        raise ConfigError(
            f"{where}: expected a step above 0 that leads from low to high, received {form!r}"
        )
    if kind is int:
        return IntDistribution(low, high, log=log, step=1 if step is None else int(step))
    return FloatDistribution(low, high, log=log, step=None if step is None else float(step))


def _choices(where: str, key: str, choices: Any, train: Train) -> CategoricalDistribution:
    if not isinstance(choices, list) or not choices:
        raise ConfigError(f"{where}: expected one or more choices, received {choices!r}")
    values = [_encoded(getattr(with_value(train, key, choice, where), key)) for choice in choices]
    if len(set(values)) < len(values):
        raise ConfigError(f"{where}: expected choices that differ, received {choices!r}")
    return CategoricalDistribution(values)


def _is_step(step: Any, span: float) -> bool:
    if isinstance(step, bool) or not isinstance(step, int | float) or not step > 0:
        return False
    return math.isclose(span / step, round(span / step), abs_tol=1e-9)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _encoded(value: Any) -> Any:
    return json.dumps(list(value)) if isinstance(value, tuple) else value
