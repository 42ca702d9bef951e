"""params.yaml as one frozen dataclass for each section; an unknown or ill-typed key is an error
that names it.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from svevae.errors import ConfigError

BACKENDS = ("tensorflow", "jax", "torch")
ARCHITECTURES = ("conv", "residual", "patch")  # svevae.model.vae
BLOCKS = ("residual", "bottleneck", "plain")  # svevae.model.layers
AUGMENTATIONS = ("flip_x", "flip_y", "flip_z", "swap_xy")
ERRORS = ("property", "reconstruction", "combined")  # what a trial is judged by: svevae.search.pick
PRUNERS = ("none", "hyperband", "halving")
RESOURCES = ("epochs", "fraction")


@dataclass(frozen=True)
class Base:
    """What every stage shares. `backend` is the Keras backend, unless the environment's
    KERAS_BACKEND says otherwise.
    """

    seed: int
    backend: str

    def __post_init__(self) -> None:
        _choice("base.backend", self.backend, BACKENDS)
        _at_least("base.seed", self.seed, 0)


@dataclass(frozen=True)
class Generate:
    """Parts of porous metal, cut into SVEs and labelled, into a file of the contract.

    `parameters` are those of the generator (`svevae.physics.microstructure`): a number, or a range
    from which each part draws its own, [low, high] evenly or [low, high, log] evenly in the
    logarithm. `part` is in SVEs along x, y, z; `sve` and `stride` in voxels, of `voxel_size`
    micrometres. `material` is the name of a preset or a mapping of E, nu, s0, Q, b (MPa;
    `svevae.physics.elasticity`). `strain` are the increments of the curves along each of `tension`,
    `dtype` and `tolerance` the solver's (`svevae.physics.homogenize`). `batch` SVEs are a piece of
    work, labelled together on a GPU and one by one on a CPU.
    """

    output: str
    seed: int
    generator: str
    parameters: dict[str, Any]
    parts: int
    part: tuple[int, ...]
    sve: int
    stride: int
    voxel_size: float
    material: Any
    tension: tuple[str, ...]
    strain: tuple[float, ...]
    dtype: str
    tolerance: float
    batch: int

    def __post_init__(self) -> None:
        for name in ("parts", "stride", "batch"):
            _at_least(f"generate.{name}", getattr(self, name), 1)
        _at_least("generate.seed", self.seed, 0)
        _at_least("generate.sve", self.sve, 2)
        _part("generate.part", self.part)
        if not 0 < self.voxel_size < float("inf"):
            raise ConfigError(
                f"generate.voxel_size: expected a number above 0, received {self.voxel_size}"
            )
        if not self.output.endswith(".h5"):
            raise ConfigError(
                f"generate.output: expected the name of a .h5 file, received {self.output!r}"
            )
        for name, value in self.parameters.items():
            _range(f"generate.parameters.{name}", value)


@dataclass(frozen=True)
class Prepare:
    """`dataset` is a file of the contract; the fractions are of its parts, the rest trains."""

    dataset: str
    validation_fraction: float
    test_fraction: float

    def __post_init__(self) -> None:
        for name in ("validation_fraction", "test_fraction"):
            value = getattr(self, name)
            if not 0 < value < 1:
                raise ConfigError(
                    f"prepare.{name}: expected a number between 0 and 1, received {value}"
                )
        if self.validation_fraction + self.test_fraction >= 1:
            raise ConfigError(
                "prepare: expected validation_fraction + test_fraction below 1, so that some parts"
                f" train, received {self.validation_fraction} + {self.test_fraction}"
            )


@dataclass(frozen=True)
class Search:
    """Optuna's search for the keys of `train` that `space` names; the others are as `train` has
    them.

    `space` gives each key choices, or a range `low`, `high` with `log` or `step`
    (`svevae.search.space`). `storage` is "journal" (the file artifacts/search/study.journal) or an
    address: postgresql+psycopg://user@host/database, grpc://host:port; the environment's
    SVEVAE_STORAGE goes first. A trial trains on a `fraction` of the training SVEs for `epochs`. Two
    `objectives` (property, reconstruction) make a Pareto study; one (of ERRORS) makes a single one,
    whose `pruner` hands out the `resource` in growing portions, each `reduction` times the one
    before, to ever fewer trials. Of the front the best `finalists` by `rule` (of ERRORS), and the
    configuration of params.yaml, are trained again with `seeds` fresh seeds each; the best mean
    wins, where it is clearly the best.
    """

    study: str
    storage: str
    trials: int
    workers: int
    objectives: tuple[str, ...]
    pruner: str
    resource: str
    reduction: int
    epochs: int
    fraction: float
    rule: str
    finalists: int
    seeds: int
    space: dict[str, Any]

    def __post_init__(self) -> None:
        for name in ("trials", "workers", "epochs", "finalists", "seeds"):
            _at_least(f"search.{name}", getattr(self, name), 1)
        _at_least("search.reduction", self.reduction, 2)
        if not self.study or "/" in self.study:
            raise ConfigError(f"search.study: expected a name without /, received {self.study!r}")
        if not 0 < self.fraction <= 1:
            raise ConfigError(
                f"search.fraction: expected a number above 0, at most 1, received {self.fraction}"
            )
        _choice("search.pruner", self.pruner, PRUNERS)
        _choice("search.resource", self.resource, RESOURCES)
        _choice("search.rule", self.rule, ERRORS)
        if self.objectives != ERRORS[:2] and not (
            len(self.objectives) == 1 and self.objectives[0] in ERRORS
        ):
            raise ConfigError(
                "search.objectives: expected [property, reconstruction] or one of"
                f" {', '.join(ERRORS)}, received {list(self.objectives)}"
            )


@dataclass(frozen=True)
class Train:
    """The model and its training. Weights multiply the terms of `svevae.model.losses`; lengths of
    schedules are in epochs.

    The model works on `depth` grids, each half as fine as the one before, with `width` channels on
    the finest and twice as many on each coarser one, and has `blocks` blocks of the type `block`
    (`svevae.model.layers.BLOCKS`) on each; the architecture `conv` has none, whatever `blocks` and
    `block` say. With `elastic` the encoder has the statistics of `svevae.model.elastic` beside what
    it learns.

    With `from_search`, what the search found stands in place of the keys that its space names
    (`with_found`).
    """

    architecture: str
    latent_dim: int
    width: int
    depth: int
    blocks: int
    block: str
    elastic: bool
    dense_width: int
    predictor_width: int
    dropout: float
    reconstruction_weight: float
    kl_weight: float
    property_weight: float
    kl_warmup: int
    learning_rate: float
    learning_rate_warmup: int
    weight_decay: float
    batch_size: int
    epochs: int
    patience: int
    augmentation: tuple[str, ...]
    from_search: bool

    def __post_init__(self) -> None:
        for name in ("latent_dim", "width", "depth", "dense_width", "predictor_width"):
            _at_least(f"train.{name}", getattr(self, name), 1)
        for name in ("batch_size", "epochs", "patience", "learning_rate_warmup"):
            _at_least(f"train.{name}", getattr(self, name), 1)
        for name in (
            "blocks",
            "kl_warmup",
            "reconstruction_weight",
            "kl_weight",
            "property_weight",
            "weight_decay",
        ):
            _at_least(f"train.{name}", getattr(self, name), 0)
        if not self.learning_rate > 0:
            raise ConfigError(
                f"train.learning_rate: expected a number above 0, received {self.learning_rate}"
            )
        _choice("train.architecture", self.architecture, ARCHITECTURES)
        _choice("train.block", self.block, BLOCKS)
        for name in self.augmentation:
            _choice("train.augmentation", name, AUGMENTATIONS)
        if not 0 <= self.dropout < 1:
            raise ConfigError(
                f"train.dropout: expected a number from 0 to below 1, received {self.dropout}"
            )

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels on each grid, the finest first."""
        return tuple(self.width * 2**level for level in range(self.depth))


@dataclass(frozen=True)
class Evaluate:
    """What the test parts are used for, beside the scores of the properties.

    `samples` SVEs are drawn from the aggregate posterior, and as many from the prior; `solved` of
    them go through the solver, 0 for none; `pictures` SVEs are shown. `regressor_epochs` trains the
    encoder anew for the properties alone, the ceiling of a latent code of that size; 0 leaves it
    out. `others` are files of SVEs with the same properties, e.g. of another pore generator.
    """

    samples: int
    solved: int
    pictures: int
    regressor_epochs: int
    others: tuple[str, ...]

    def __post_init__(self) -> None:
        for name in ("samples", "pictures"):
            _at_least(f"evaluate.{name}", getattr(self, name), 1)
        for name in ("solved", "regressor_epochs"):
            _at_least(f"evaluate.{name}", getattr(self, name), 0)
        if self.solved > self.samples:
            raise ConfigError(
                f"evaluate.solved: expected at most evaluate.samples, {self.samples}, received"
                f" {self.solved}"
            )


@dataclass(frozen=True)
class Register:
    """`name` of the registered model."""

    name: str


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


@dataclass(frozen=True)
class Parts:
    """What the multiscale stages share. `model` is a registry URI or a folder; the material, the
    strain of the flow stress and the porosity-only baseline come from `dataset`, labelled by
    svevae.

    A part is simulated with `refine` elements along each edge of an SVE, and directly with one for
    each voxel, to the elongations `strain` of the cell, whose first is elastic, with the solver's
    residual `tolerance`.
    """

    seed: int
    model: str
    dataset: str
    refine: int
    strain: tuple[float, ...]
    tolerance: float

    def __post_init__(self) -> None:
        _at_least("parts.seed", self.seed, 0)
        _at_least("parts.refine", self.refine, 1)
        _growing("parts.strain", self.strain)
        if not 0 < self.tolerance < 1:
            raise ConfigError(
                f"parts.tolerance: expected a number between 0 and 1, received {self.tolerance}"
            )


@dataclass(frozen=True)
class Compare:
    """Direct simulation of `parts` tensile bars of `part` SVEs beside their latent simulation;
    pores as in `Generate`.
    """

    parts: int
    part: tuple[int, ...]
    generator: str
    parameters: dict[str, Any]

    def __post_init__(self) -> None:
        _at_least("compare.parts", self.parts, 1)
        _part("compare.part", self.part)


@dataclass(frozen=True)
class Propagate:
    """Uncertainty of the microstructure pushed through the latent space to the response of bars of
    `part` SVEs.

    The process, a `generator` with `parameters`, made blocks of `block` SVEs. The latent field is
    fitted to `coupons` of them and `fields` bars are sampled from it; `direct` bars cut from other
    blocks are simulated directly. `segmentation` is the standard deviation of the measured
    porosity, relative, common to all of a part.
    """

    part: tuple[int, ...]
    block: tuple[int, ...]
    generator: str
    parameters: dict[str, Any]
    coupons: int
    fields: int
    direct: int
    segmentation: float

    def __post_init__(self) -> None:
        for name in ("coupons", "fields", "direct"):
            _at_least(f"propagate.{name}", getattr(self, name), 2)
        if not 0 <= self.segmentation < 1:
            raise ConfigError(
                "propagate.segmentation: expected a share from 0 to below 1, received"
                f" {self.segmentation}"
            )
        _part("propagate.part", self.part)
        _part("propagate.block", self.block)
        if any(whole % edge for whole, edge in zip(self.block, self.part, strict=True)):
            raise ConfigError(
                f"propagate.part: expected one that divides the block {list(self.block)}, received"
                f" {list(self.part)}"
            )


@dataclass(frozen=True)
class Grade:
    """A notched bar or a plate with a hole, of `part` SVEs, whose porosity varies in space:
    `porosity` (lowest, highest).

    `radius` of the notches or the hole in SVE edges. The gradation of least mass whose yield load
    is `load` times that of the part at the lowest porosity is sought in `trials`, its load being
    the mean over `fields` sampled latent fields; it is then generated with pores of `pore_length`
    voxels, `elongation` times that along z, and simulated directly, `direct` times, to each
    elongation of `strain`: finer steps than of a smooth bar, since a notch or hole gathers strain.
    """

    shape: str
    part: tuple[int, ...]
    radius: float
    porosity: tuple[float, ...]
    load: float
    trials: int
    fields: int
    direct: int
    strain: tuple[float, ...]
    pore_length: float
    elongation: float

    def __post_init__(self) -> None:
        _growing("grade.strain", self.strain)
        _choice("grade.shape", self.shape, ("notched", "hole"))
        _part("grade.part", self.part)
        for name in ("trials", "fields", "direct"):
            _at_least(f"grade.{name}", getattr(self, name), 1)
        if len(self.porosity) != 2 or not 0 < self.porosity[0] < self.porosity[1] < 0.5:
            raise ConfigError(
                "grade.porosity: expected two growing numbers between 0 and 0.5, received"
                f" {list(self.porosity)}"
            )
        for name in ("pore_length", "elongation"):
            if not 0 < getattr(self, name) < math.inf:
                raise ConfigError(
                    f"grade.{name}: expected a number above 0, received {getattr(self, name)}"
                )
        if not 0 < self.load < 1:
            raise ConfigError(
                f"grade.load: expected a number between 0 and 1, received {self.load}"
            )
        if not 0 < self.radius < min(self.part[0], self.part[2]) / 2:
            raise ConfigError(
                "grade.radius: expected above 0 and below half of x and z of grade.part, received"
                f" {self.radius}"
            )


def _growing(key: str, strain: tuple[float, ...]) -> None:
    if (
        len(strain) < 2
        or not strain[0] > 0
        or not all(a < b for a, b in itertools.pairwise(strain))
    ):
        raise ConfigError(f"{key}: expected growing strains above 0, received {list(strain)}")


@dataclass(frozen=True)
class Multiscale:
    """All of multiscale/params.yaml."""

    parts: Parts
    compare: Compare
    propagate: Propagate
    grade: Grade


def load_multiscale(path: str | Path = "multiscale/params.yaml") -> Multiscale:
    """Read and check multiscale/params.yaml. Raises ConfigError that names the file and the key."""
    return _load(Path(path), Multiscale)


def load_params(path: str | Path = "params.yaml") -> Params:
    """Read and check params.yaml. Raises ConfigError that names the file and the key."""
    return _load(Path(path), Params)


def _load(path: Path, cls: type) -> Any:
    if not path.is_file():
        raise ConfigError(
            f"{path}: expected the parameters of the pipeline, found nothing; run svevae from the"
            " project's root"
        )
    try:
        values = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: expected YAML in UTF-8: {error}") from error
    try:
        return _sections(cls, values)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def parse_params(values: Any) -> Params:
    """Params from nested dictionaries as params.yaml holds them. Raises ConfigError that names the
    key.
    """
    return _sections(Params, values)


def _sections(cls: type, values: Any) -> Any:
    sections = _fields(cls)
    _same_keys("", sections, values)
    return cls(
        **{name: _section(name, section, values[name]) for name, section in sections.items()}
    )


def train_config(values: Mapping[str, Any]) -> Train:
    """The configuration that a model's contract holds. Raises ConfigError that names a key that
    this version does not have.
    """
    return _section("train", Train, values)


def with_value(train: Train, key: str, value: Any, where: str) -> Train:
    """`train` with one key as YAML gives it. Raises ConfigError that names `where` for an unknown
    key or a value it cannot have.
    """
    kinds = _fields(Train)
    if key not in kinds:
        raise ConfigError(f"{where}: unknown key; train has {', '.join(kinds)}")
    try:
        return dataclasses.replace(train, **{key: _typed(where, value, kinds[key])})
    except ConfigError as error:
        raise ConfigError(str(error).replace(f"train.{key}", where)) from None


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


def _section(section: str, cls: type, values: Any) -> Any:
    fields = _fields(cls)
    _same_keys(f"{section}.", fields, values)
    return cls(
        **{name: _typed(f"{section}.{name}", values[name], kind) for name, kind in fields.items()}
    )


def _fields(cls: type) -> dict[str, Any]:
    hints = typing.get_type_hints(cls)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


def _same_keys(prefix: str, expected: Mapping[str, Any], received: Any) -> None:
    where = prefix.rstrip(".") or "the file"
    if not isinstance(received, Mapping):
        raise ConfigError(
            f"{where}: expected the keys {', '.join(expected)}, received {received!r}"
        )
    for key in received:
        if key not in expected:
            raise ConfigError(f"{prefix}{key}: unknown key; {where} has {', '.join(expected)}")
    for key in expected:
        if key not in received:
            raise ConfigError(f"{prefix}{key}: missing")


def _typed(key: str, value: Any, kind: Any) -> Any:
    """`value` as `kind` (int, float, str, bool or a tuple of one of them); 1 is a float too, true
    is no number.
    """
    if kind is Any:
        return value
    if typing.get_origin(kind) is dict:
        if not isinstance(value, Mapping):
            raise ConfigError(f"{key}: expected a mapping, received {value!r}")
        return {str(name): item for name, item in value.items()}
    if isinstance(kind, types.GenericAlias):
        inner, _ = typing.get_args(kind)
        if not isinstance(value, list):
            raise ConfigError(f"{key}: expected a list of {inner.__name__}, received {value!r}")
        return tuple(_typed(f"{key}[{i}]", item, inner) for i, item in enumerate(value))
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        hint = (
            " (YAML reads 1e-3 as text: write 1.0e-3)"
            if kind is float and isinstance(value, str)
            else ""
        )
        raise ConfigError(f"{key}: expected {kind.__name__}, received {value!r}{hint}")
    return value


def _part(key: str, value: tuple[int, ...]) -> None:
    if len(value) != 3 or min(value) < 1:
        raise ConfigError(
            f"{key}: expected three numbers of SVEs, each at least 1, received {list(value)}"
        )


def _range(key: str, value: Any) -> None:
    """A number, [low, high] or [low, high, log]."""
    numbers = value[:2] if isinstance(value, list) else [value]
    if not all(
        isinstance(number, int | float) and not isinstance(number, bool) for number in numbers
    ):
        raise ConfigError(
            f"{key}: expected a number, [low, high] or [low, high, log], received {value!r}"
        )
    if isinstance(value, list):
        if len(value) not in (2, 3) or value[2:] not in ([], ["log"]):
            raise ConfigError(
                f"{key}: expected a number, [low, high] or [low, high, log], received {value!r}"
            )
        if not numbers[0] <= numbers[1] or (len(value) == 3 and numbers[0] <= 0):
            raise ConfigError(
                f"{key}: expected low <= high, and above 0 for log, received {value!r}"
            )


def _at_least(key: str, value: float, least: float) -> None:
    if not value >= least:
        raise ConfigError(f"{key}: expected at least {least}, received {value}")


def _choice(key: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigError(f"{key}: expected one of {', '.join(choices)}, received {value!r}")
