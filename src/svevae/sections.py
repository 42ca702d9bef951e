"""Sections of a YAML file as frozen dataclasses, checked by pydantic. An unknown, missing or
ill-typed key is a ConfigError that names the key, what was expected and what was received.

A class for a section is decorated with `section`; the annotations of its fields are the checks.
"""

from __future__ import annotations

import functools
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar, dataclass_transform

import pydantic
from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticCustomError

from svevae.errors import ConfigError, blaming
from svevae.yaml_text import named, parse_yaml, received

T = TypeVar("T")

STRICT = ConfigDict(strict=True, extra="forbid")  # 1 is a float too; true is no number
TYPES = {"int": "int", "float": "float", "string": "str", "bool": "bool", "dict": "a mapping"}
LARGEST_FILE = 1_000_000  # bytes
LONGEST = 500  # characters of a text


class ValueRefusedError(ConfigError):
    """A value of a section is wrong: `message` is "key: expected ..., received ..."."""

    def __init__(self, section: str, message: str):
        super().__init__(f"{section}.{message}")
        self.message = message


@dataclass_transform(frozen_default=True)
def section(cls: type[T]) -> type[T]:
    """Make `cls` a frozen dataclass whose values are checked against their annotations: a wrong one
    is a ConfigError, also in `dataclasses.replace`.
    """
    made = pydantic.dataclasses.dataclass(cls, frozen=True, config=STRICT)
    validate = made.__init__

    @functools.wraps(validate)
    def __init__(self: Any, *values: Any, **named: Any) -> None:  # noqa: N807
        try:
            validate(self, *values, **named)
        except ValidationError as error:
            raise ValueRefusedError(cls.__name__.lower(), _first_message(made, error)) from None

    made.__init__ = __init__  # type: ignore[method-assign]
    return made  # type: ignore[return-value]


def check(holds: Callable[[Any], bool], expected: str) -> AfterValidator:
    """A check for `Annotated`: a value for which `holds` is false is refused as not `expected`."""

    def checked(value: Any) -> Any:
        if not holds(value):
            raise PydanticCustomError("check", "{expected}", {"expected": expected})
        return value

    return AfterValidator(checked)


def _list_to_tuple(value: Any) -> Any:
    if not isinstance(value, list | tuple):
        return value  # pydantic refuses it
    return tuple(value)


FROM_LIST = BeforeValidator(_list_to_tuple)  # YAML has lists, a frozen dataclass has tuples
PRINTABLE = check(
    lambda text: 0 < len(text) <= LONGEST and text.isprintable(),
    f"a text of 1 to {LONGEST} printable characters",
)
Text = Annotated[str, PRINTABLE]
Names = Annotated[tuple[Text, ...], FROM_LIST]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Floats = Annotated[tuple[Finite, ...], FROM_LIST]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]  # as Keras takes them
Natural = Annotated[int, Field(ge=0, le=1_000_000)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Size = Annotated[int, Field(ge=1, le=10_000)]  # of a layer, of an SVE in voxels: memory ends before
Nonnegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(gt=0, lt=1)]


def load_sections(path: str | Path, cls: type[T]) -> T:
    """The whole file as `cls`, a dataclass with a field for each section. Every section and every
    key must be there. Raises ConfigError that names the file and the key.
    """
    values = _read(Path(path))
    with blaming(f"{path}: "):
        return parse_sections(values, cls)


def load_section(path: str | Path, name: str, cls: type[T]) -> T:
    """The section `name` of a file that may lack all others; keys that are not there take the
    defaults of `cls`. Raises ConfigError that names the file and the key.
    """
    values = _read(Path(path), " name another with --params, or")
    with blaming(f"{path}: "):
        if not isinstance(values, Mapping) or name not in values:
            raise ConfigError(f"{name}: missing; expected this section in the file")
        return parse_section(name, cls, values[name], defaults=True)


def load_keys(path: str | Path, cls: type[T]) -> T:
    """A file that is one section without a name. Every key must be there. Raises ConfigError that
    names the file and the key.
    """
    values = _read(Path(path))
    with blaming(f"{path}: "):
        _check_keys("", typing.get_type_hints(cls), values)
        try:
            return cls(**values)
        except ValueRefusedError as error:
            raise ConfigError(error.message) from None


def parse_sections(values: Any, cls: type[T]) -> T:
    """`cls`, a dataclass with a field for each section, from nested dictionaries. Raises
    ConfigError that names the key.
    """
    kinds = typing.get_type_hints(cls)
    _check_keys("", kinds, values)
    return cls(**{name: parse_section(name, kind, values[name]) for name, kind in kinds.items()})


def parse_section(name: str, cls: type[T], values: Any, defaults: bool = False) -> T:
    """The section `name` from a dictionary. Raises ConfigError that names the key.

    A missing key is an error, which finds misspelt ones, unless `defaults` are wanted.
    """
    _check_keys(f"{name}.", typing.get_type_hints(cls), values, defaults)
    try:
        return cls(**values)
    except ValueRefusedError as error:
        raise ValueRefusedError(name, error.message) from None


def _first_message(cls: type, error: ValidationError) -> str:
    """The first of the errors as "key: expected ..., received ..."."""
    details = error.errors(include_url=False)[0]
    key, *inner = details["loc"]
    kinds = typing.get_type_hints(cls, include_extras=True)
    if key not in kinds or details["type"] == "missing":
        known = key in kinds
        return f"{key}: missing" if known else f"{key}: unknown key; it has {', '.join(kinds)}"
    kind = kinds[str(key)]
    for part in inner:
        key = f"{key}[{part}]" if isinstance(part, int) else f"{key}.{named(part)}"
    return f"{key}: expected {_expected(kind, details)}, received {received(details['input'])}" + (
        " (YAML reads 1e-3 as text: write 1.0e-3)"
        if details["type"] == "float_type" and isinstance(details["input"], str)
        else ""
    )


def _expected(kind: Any, details: ErrorDetails) -> str:
    """What the field with the annotation `kind` should have had."""
    error = details["type"]
    if error == "check":
        return details["msg"]
    if error == "tuple_type":
        item = typing.get_args(typing.get_args(kind)[0])[0]
        item = getattr(item, "__origin__", item)  # of Annotated
        return f"a list of {getattr(item, '__name__', 'str')}"
    if error == "less_than_equal" and "ge" in _bounds_of(kind):
        return f"at most {details['ctx']['le']}"
    if error == "finite_number" and not _bounds_of(kind):
        return "a finite number"
    if error == "literal_error":
        return f"one of {', '.join(_choices(kind))}"
    if name := TYPES.get(error.removesuffix("_type")):
        return name
    return _bounds(kind)


def _choices(kind: Any) -> tuple[str, ...]:
    """The values of the Literal inside an annotation."""
    if typing.get_origin(kind) is typing.Literal:
        return typing.get_args(kind)
    return next((found for inner in typing.get_args(kind) if (found := _choices(inner))), ())


def _bounds(kind: Any) -> str:
    """The bounds of an annotation in words: "at least 1", "a number above 0, at most 1"."""
    bounds = _bounds_of(kind)
    match bounds:
        case {"gt": low, "lt": high}:
            return f"a number between {low} and {high}"
        case {"ge": low, "lt": high}:
            return f"a number from {low} to below {high}"
        case {"gt": low, "le": high}:
            return f"a number above {low}, at most {high}"
        case {"gt": low}:
            return f"a number above {low}"
    return f"at least {bounds['ge']}" if bounds else "another value"


def _bounds_of(kind: Any) -> dict[str, str]:
    """The bounds of an annotation by the names that pydantic has for them."""
    return {
        name: f"{getattr(item, name)}"
        for item in FieldInfo.from_annotation(kind).metadata
        for name in ("gt", "ge", "lt", "le")
        if hasattr(item, name)
    }


def _read(path: Path, instead: str = "") -> Any:
    """The content of a YAML file; `instead` is what to do where there is none."""
    if not path.is_file():
        raise ConfigError(
            f"{path}: expected the parameters of the pipeline, found nothing;{instead} run svevae"
            " in the root of a project, which `svevae init` lays"
        )
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    if len(content) > LARGEST_FILE:
        raise ConfigError(
            f"{path}: expected at most {LARGEST_FILE:,} bytes, received {len(content):,}"
        )
    with blaming(f"{path}: "):
        return parse_yaml(content)


def _check_keys(prefix: str, known: Mapping[str, Any], values: Any, defaults: bool = False) -> None:
    where = prefix.rstrip(".") or "the file"
    if not isinstance(values, Mapping):
        raise ConfigError(
            f"{where}: expected the keys {', '.join(known)}, received {received(values)}"
        )
    for key in values:
        if key not in known:
            raise ConfigError(f"{prefix}{named(key)}: unknown key; {where} has {', '.join(known)}")
    for key in known:
        if key not in values and not defaults:
            raise ConfigError(f"{prefix}{key}: missing")
