"""The sections of params.yaml: one frozen dataclass for each.

An unknown, missing or ill-typed key is a ConfigError that names it (`svevae.sections`). The
sections of multiscale/params.yaml are in `svevae.parts.config`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import Field

from svevae.errors import ConfigError, elsewhere
from svevae.sections import (
    FROM_LIST,
    PRINTABLE,
    Count,
    Finite,
    Floats,
    Fraction,
    Names,
    Natural,
    Nonnegative,
    Positive,
    Seed,
    Size,
    Text,
    ValueRefusedError,
    check,
    load_sections,
    parse_section,
    parse_sections,
    section,
)

Backend = Literal["tensorflow", "jax", "torch"]
Architecture = Literal["conv", "residual", "patch"]  # svevae.model.architectures
Block = Literal["residual", "bottleneck", "plain"]  # svevae.model.layers
Augmentation = Literal["flip_x", "flip_y", "flip_z", "swap_xy"]
ErrorName = Literal["property", "reconstruction", "combined"]  # svevae.search.pick
Pruner = Literal["none", "hyperband", "halving"]
Resource = Literal["epochs", "fraction"]
ARCHITECTURES, BLOCKS, ERRORS = get_args(Architecture), get_args(Block), get_args(ErrorName)

CORRELATED = {  # of `generate`, where a file does not say
    "generator": "gaussian",
    "parameters": {
        "porosity": [0.005, 0.08, "log"],
        "pore_length": [3.5, 8.0],
        "elongation": [1.0, 2.0],
        "modulation_length": [32, 96],
        "modulation_strength": [0.0, 0.8],
    },
    "parts": 56,
}
STRAIN = (
    *(0.00082, 0.00233, 0.00427, 0.00658, 0.00919, 0.01209),
    *(0.01523, 0.01861, 0.0222, 0.026, 0.03),
)


def _is_range(value: Any) -> bool:
    """A number, [low, high] or [low, high, log]."""
    numbers = value[:2] if isinstance(value, list) else [value]
    return all(
        isinstance(number, int | float) and not isinstance(number, bool) for number in numbers
    ) and (not isinstance(value, list) or (len(numbers) == 2 and value[2:] in ([], ["log"])))


def _is_finite(value: Any) -> bool:
    return all(map(math.isfinite, value[:2] if isinstance(value, list) else [value]))


def _is_ordered(value: Any) -> bool:
    """Low <= high, and above 0 where the range is logarithmic."""
    if not isinstance(value, list):
        return True
    return value[0] <= value[1] and (len(value) == 2 or value[0] > 0)


Range = Annotated[
    Any,
    check(_is_range, "a number, [low, high] or [low, high, log]"),
    check(_is_finite, "finite numbers"),
    check(_is_ordered, "low <= high, and above 0 for log"),
]
Edges = Annotated[
    tuple[int, ...],
    FROM_LIST,
    check(
        lambda edges: len(edges) == 3 and 1 <= min(edges) <= max(edges) <= 10_000,
        "three numbers of SVEs, each at least 1",
    ),
]


@section
class Base:
    """What all stages share. `backend` is the Keras backend, unless the environment's KERAS_BACKEND
    names another.
    """

    seed: Seed
    backend: Backend


@section
class Family:
    """Parts with pores of one kind: how many, of which generator
    (`svevae.physics.microstructure`), and its parameters: a number, or a range from which each part
    draws its own, [low, high] evenly or [low, high, log] evenly in the logarithm.
    """

    generator: Text
    parameters: dict[str, Range]
    parts: Count


@section
class Generate:
    """How to make parts of porous metal and to label their SVEs, into a file of the contract.

    `families` has the keys of a `Family` by a name for each kind of pores. `part` is in SVEs along
    x, y, z; `sve` and `stride` in voxels, of `voxel_size` micrometres.

    `material` is the name of a preset, or a mapping of E, nu, s0, Q, b (MPa;
    `svevae.physics.elasticity`): numbers, or [low, high] from which each part draws; or "printed",
    of which each part draws one of the alloys of `svevae.physics.alloys`. Of a list of these the
    parts of a family take one after the other; the first must be of numbers. `strain` are the
    increments of the curves along each of `tension`, of the first material; those of another are
    the same multiples of its s0/E. `dtype` and `tolerance` are the solver's
    (`svevae.physics.homogenize`). `batch` finished SVEs make a file of the journal: what `kill -9`
    can lose.
    """

    output: Annotated[
        str, check(lambda name: name.endswith(".h5"), "the name of a .h5 file"), PRINTABLE
    ] = "data/porous_metals_32.h5"
    seed: Seed = 0
    families: Annotated[
        dict[Text, dict[str, Any]], check(lambda families: len(families) > 0, "at least one")
    ] = field(default_factory=lambda: {"correlated": dict(CORRELATED)})
    part: Edges = (3, 3, 3)
    sve: Annotated[int, Field(ge=2, le=10_000)] = 32
    stride: Size = 32
    voxel_size: Positive = 10.0
    material: Any = "as-built-z"
    tension: Names = ("x", "y", "z")
    strain: Floats = STRAIN
    dtype: Text = "float32"
    tolerance: Finite = 5.0e-4
    batch: Count = 32

    def __post_init__(self) -> None:
        self.kinds()

    def kinds(self) -> dict[str, Family]:
        """The families by name."""
        kinds = {}
        for name, values in self.families.items():
            try:
                kinds[name] = parse_section(f"generate.families.{name}", Family, values)
            except ValueRefusedError as error:  # of a family, not of this section
                raise ConfigError(str(error)) from None
        return kinds


@section
class Prepare:
    """How to split `dataset`, a file of the contract: fractions of its parts; the rest trains."""

    dataset: Text
    validation_fraction: Fraction
    test_fraction: Fraction

    def __post_init__(self) -> None:
        if self.validation_fraction + self.test_fraction >= 1:
            raise ConfigError(
                "prepare: expected validation_fraction + test_fraction below 1, so that some parts"
                f" train, received {self.validation_fraction} + {self.test_fraction}"
            )


@section
class Search:
    """Optuna's search for the keys of `train` that `space` names; the others are as `train` has
    them.

    `space` gives each key choices, or a range `low`, `high` with `log` or `step`
    (`svevae.search.space`). `storage` is "journal" (a file, in the end
    artifacts/search/study.journal) or an address: postgresql+psycopg://user@host/database,
    grpc://host:port; the environment's SVEVAE_STORAGE goes first. A trial trains on a `fraction` of
    the training SVEs for `epochs`.

    Two `objectives` (property, reconstruction) make a Pareto study. One (of ERRORS) makes a study
    whose `pruner` hands out the `resource` in growing portions, each `reduction` times the one
    before, to fewer and fewer trials. The best `finalists` of the front by `rule` (of ERRORS), and
    the configuration of params.yaml, are trained again with `seeds` fresh seeds each. The best mean
    wins, where it is clearly the best.
    """

    study: Annotated[
        str, check(lambda name: name and "/" not in name, "a name without /"), PRINTABLE
    ]
    storage: Text
    trials: Count
    workers: Count
    objectives: Annotated[
        tuple[str, ...],
        FROM_LIST,
        check(
            lambda names: names == ERRORS[:2] or (len(names) == 1 and names[0] in ERRORS),
            f"[property, reconstruction] or one of {', '.join(ERRORS)}",
        ),
    ]
    pruner: Pruner
    resource: Resource
    reduction: Annotated[int, Field(ge=2, le=1000)]
    epochs: Count
    fraction: Annotated[float, Field(gt=0, le=1)]
    rule: ErrorName
    finalists: Count
    seeds: Count
    space: dict[str, Any]


@section
class Train:
    """The model and its training. Weights multiply the terms of `svevae.model.losses`; lengths of
    schedules are in epochs.

    The model works on `depth` grids, each half as fine as the one before, with `width` channels on
    the finest and twice as many on each coarser one, and has `blocks` blocks of the type `block`
    (`svevae.model.layers.BLOCKS`) on each; the architecture `conv` has none, whatever `blocks` and
    `block` say. With `elastic` the encoder has the statistics of `svevae.model.elastic` beside what
    it learns.

    With `elastic` the properties are learnt first, from the statistics alone, for
    `property_epochs` passes over the training SVEs, with their axes in any order that the labels
    allow; then encoder and decoder for `epochs`.

    `augmentation` shows the SVEs mirrored (flip_x, flip_y, flip_z) and with x and y exchanged
    (swap_xy).

    With `from_search`, what the search found stands in place of the keys that its space names
    (`with_found`).
    """

    architecture: Architecture
    latent_dim: Size
    width: Size
    depth: Annotated[int, Field(ge=1, le=12)]
    blocks: Annotated[int, Field(ge=0, le=100)]
    block: Block
    elastic: bool
    dense_width: Size
    predictor_width: Size
    property_epochs: Natural
    dropout: Annotated[float, Field(ge=0, lt=1)]
    reconstruction_weight: Nonnegative
    kl_weight: Nonnegative
    property_weight: Nonnegative
    kl_warmup: Natural
    learning_rate: Positive
    learning_rate_warmup: Count
    weight_decay: Nonnegative
    batch_size: Count
    epochs: Count
    patience: Count
    augmentation: Annotated[tuple[Augmentation, ...], FROM_LIST]
    from_search: bool

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels on each grid, the finest first."""
        return tuple(self.width * 2**level for level in range(self.depth))


@section
class Evaluate:
    """How to use the test parts, beside the scores of the properties.

    `samples` SVEs are drawn from the aggregate posterior, and as many from the prior; `solved` of
    them go through the solver, 0 for none; `pictures` SVEs are shown. `others` are files of SVEs
    with the same properties, e.g. of another pore generator.
    """

    samples: Count
    solved: Natural
    pictures: Count
    others: Names

    def __post_init__(self) -> None:
        if self.solved > self.samples:
            raise ConfigError(
                f"evaluate.solved: expected at most evaluate.samples, {self.samples}, received"
                f" {self.solved}"
            )


@section
class Register:
    """The `name` of the registered model."""

    name: Text


@dataclass(frozen=True)
class Params:
    """All of params.yaml."""

    base: Base
    generate: Generate
    prepare: Prepare
    search: Search
    train: Train
    evaluate: Evaluate
    register: Register


def load_params(path: str | Path = "params.yaml") -> Params:
    """Read and check params.yaml. Raises ConfigError that names the file and the key."""
    return load_sections(path, Params)


def parse_params(values: Any) -> Params:
    """Params from nested dictionaries as params.yaml holds them. Raises ConfigError that names the
    key.
    """
    return parse_sections(values, Params)


def with_value(train: Train, key: str, value: Any, where: str) -> Train:
    """`train` with one key as YAML gives it. Raises ConfigError that names `where` for an unknown
    key or a value it cannot have.
    """
    known = [item.name for item in dataclasses.fields(Train)]
    if key not in known:
        raise ConfigError(f"{where}: unknown key; train has {', '.join(known)}")
    try:
        return dataclasses.replace(train, **{key: value})
    except ValueRefusedError as error:
        raise ConfigError(f"{where}{error.message.removeprefix(key)}") from None


def with_found(train: Train, best: Mapping[str, Any]) -> Train:
    """`train` with what the search found: `best` is the content of best.yaml, `train` and
    `params_yaml` its values and those they replace.

    A key that params.yaml has changed since the search keeps its new value.
    """
    for key, value in best["train"].items():
        then = with_value(train, key, best["params_yaml"][key], f"best.yaml: params_yaml.{key}")
        if getattr(then, key) == getattr(train, key):
            train = with_value(train, key, value, f"best.yaml: train.{key}")
    return train


def named_file(path: str, key: str) -> Path:
    """The file that a `key` of params.yaml names. Raises ConfigError where there is none."""
    if not Path(path).is_file():
        found = elsewhere(path) or f"nothing at {path}"
        raise ConfigError(f"params.yaml: {key}: expected an SVE file, found {found}")
    return Path(path)
