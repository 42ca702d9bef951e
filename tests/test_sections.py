"""Sections of a YAML file: types, bounds and keys, each refused with the name of the key."""

from __future__ import annotations

import dataclasses
import json
import pickle
import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pytest
import yaml
from pydantic import Field

from svevae.config import Base, Generate, load_params
from svevae.errors import ConfigError
from svevae.sections import (
    FROM_LIST,
    Count,
    Floats,
    Fraction,
    Names,
    Positive,
    check,
    load_section,
    load_sections,
    parse_section,
    section,
)

ROOT = Path(__file__).parents[1]


@section
class Oven:
    heat: Positive
    trays: Count = 2
    share: Fraction = 0.5
    fill: Annotated[float, Field(gt=0, le=1)] = 1.0
    fan: bool = False
    door: Literal["left", "right"] = "left"
    shelves: Annotated[tuple[Literal["low", "high"], ...], FROM_LIST] = ("low",)
    times: Floats = (1.0, 2.0)
    names: Names = ()
    name: Annotated[str, check(str.isupper, "capital letters")] = "A"
    extra: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True)
class Kitchen:
    oven: Oven


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "oven.heat: missing"),
        ({"heat": 1, "tray": 1}, "oven.tray: unknown key; oven has heat, trays, share, .*, extra"),
        ({"heat": 1, 3: 1}, "oven.3: unknown key"),
        (None, "oven: expected the keys heat, .* received None"),
        ({"heat": 0}, "oven.heat: expected a number above 0, received 0"),
        ({"heat": float("inf")}, "oven.heat: expected a number above 0, received inf"),
        ({"heat": float("nan")}, "oven.heat: expected a number above 0, received nan"),
        ({"heat": True}, "oven.heat: expected float, received True"),
        (
            {"heat": "1e-3"},
            r"oven.heat: expected float, .* \(YAML reads 1e-3 as text: write 1.0e-3",
        ),
        ({"heat": 1, "trays": 0}, "oven.trays: expected at least 1, received 0"),
        ({"heat": 1, "trays": 2.0}, "oven.trays: expected int, received 2.0"),
        ({"heat": 1, "trays": True}, "oven.trays: expected int, received True"),
        ({"heat": 1, "share": 1}, "oven.share: expected a number between 0 and 1, received 1"),
        ({"heat": 1, "fill": 2}, "oven.fill: expected a number above 0, at most 1, received 2"),
        ({"heat": 1, "fan": 1}, "oven.fan: expected bool, received 1"),
        ({"heat": 1, "door": "top"}, "oven.door: expected one of left, right, received 'top'"),
        ({"heat": 1, "shelves": ["low", "mid"]}, r"oven.shelves\[1\]: expected one of low, high,"),
        ({"heat": 1, "times": 1.0}, "oven.times: expected a list of float, received 1.0"),
        ({"heat": 1, "times": {1.0}}, r"oven.times: expected a list of float, received \{1.0\}"),
        ({"heat": 1, "times": [1, "2"]}, r"oven.times\[1\]: expected float, received '2' \(YAML"),
        ({"heat": 1, "names": "abc"}, "oven.names: expected a list of str, received 'abc'"),
        ({"heat": 1, "name": "b"}, "oven.name: expected capital letters, received 'b'"),
        ({"heat": 1, "extra": []}, r"oven.extra: expected a mapping, received \[\]"),
    ],
)
def test_wrong_values_are_named(values: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{message}"):
        parse_section("oven", Oven, values, defaults=values != {})


def test_values_have_the_types_of_the_fields() -> None:
    oven = parse_section("oven", Oven, {"heat": 1, "times": [3, 4.5]}, defaults=True)
    assert type(oven.heat) is float
    assert oven.times == (3.0, 4.5)
    assert type(oven.times[0]) is float


def test_long_values_are_cut() -> None:
    with pytest.raises(ConfigError, match=r"^oven\.times: expected a list of float") as refused:
        parse_section("oven", Oven, {"heat": 1, "times": "x" * 10_000}, defaults=True)
    assert len(str(refused.value)) < 200


def test_sections_are_frozen_dataclasses() -> None:
    """What Dask, contracts and fingerprints ask of them."""
    oven = Oven(heat=1.0)
    assert pickle.loads(pickle.dumps(oven)) == oven
    assert dataclasses.replace(oven, trays=3).trays == 3
    assert list(dataclasses.asdict(oven)) == [field.name for field in dataclasses.fields(Oven)]
    assert json.loads(json.dumps(dataclasses.asdict(oven)))["times"] == [1.0, 2.0]
    with pytest.raises(dataclasses.FrozenInstanceError):
        oven.trays = 3
    with pytest.raises(ConfigError, match=r"^oven\.trays: expected at least 1, received 0"):
        dataclasses.replace(oven, trays=0)


def test_one_section_of_a_file_that_lacks_the_others(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("generate: {sve: 16, material: aged-z}", encoding="utf-8")
    assert load_section(path, "generate", Generate) == Generate(sve=16, material="aged-z")
    for text, message in (
        ("generate: {svee: 16}", "generate.svee: unknown key; generate has output, seed"),
        ("generate: {sve: 1}", "generate.sve: expected at least 2, received 1"),
        ("generate:", "generate: expected the keys output, .* received None"),
        ("train: {}", "generate: missing; expected this section in the file"),
        ("", "generate: missing"),
    ):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ConfigError, match=rf"own\.yaml: {message}"):
            load_section(path, "generate", Generate)
    with pytest.raises(ConfigError, match=r"other\.yaml: expected .*, found nothing"):
        load_section(tmp_path / "other.yaml", "generate", Generate)


def test_a_whole_file_has_every_key_in_spite_of_defaults(tmp_path: Path) -> None:
    path = tmp_path / "kitchen.yaml"
    path.write_text("oven: {heat: 200}", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"kitchen\.yaml: oven\.trays: missing"):
        load_sections(path, Kitchen)
    path.write_text(
        yaml.safe_dump({"oven": json.loads(json.dumps(dataclasses.asdict(Oven(7))))}),
        encoding="utf-8",
    )
    assert load_sections(path, Kitchen) == Kitchen(Oven(7.0))


def test_defaults_of_generate_are_what_is_shipped() -> None:
    """But for the material, of which the defaults have one, and for the families."""
    shipped = load_section(ROOT / "params.yaml", "generate", Generate)
    default = Generate()
    assert shipped.material[0] == default.material
    assert default.families.items() <= shipped.families.items()
    changes = {"families": shipped.families, "material": shipped.material}
    assert shipped == dataclasses.replace(default, **changes)


YAML = [  # what is written as params.yaml, and what is said of it
    ("oven: {heat: 2026-02-30}", r"heat: expected another value, received no timestamp: '2026-02"),
    (f"oven: {{trays: {'9' * 5000}}}", r"trays: expected another value, received no int: '9999"),
    (f"oven: {{trays: 0x{'f' * 5000}}}", "trays: expected a number below 2.63, .* 20000 bits"),
    (f"oven: {{trays: {2**70}}}", r"trays: expected a number below 2\^63, received one of 71 bits"),
    (f"oven: {'[' * 5000}", "expected at most 20 levels of lists and mappings"),
    (f"oven: {'{a: ' * 30}", "expected at most 20 levels of lists and mappings"),
    (
        "a: &a [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]\n"
        + "".join(f"{k}: &{k} [{', '.join([f'*{j}'] * 10)}]\n" for j, k in pairwise("abcdef")),
        "expected at most 100,000 values in 20 levels, received more by aliases",
    ),
    ("oven: &a [*a]", "expected values, received one in itself"),
    ("oven: [*a]", "found undefined alias"),
    ("oven: {heat: 1}\noven: {heat: 2}", "line 2, column 1: .*oven: received twice"),
    ("oven:\n\theat: 1", r"line 2, column 1: .*found character '\\t'"),
    (
        "oven:\n  heat: 1\n trays: 2",
        "line 3, column 2: .*, while parsing a .* from line 1, column 1",
    ),
    ("oven: a: b", "line 1, column 8: expected YAML in UTF-8: mapping values are not allowed here"),
    ("oven: !!python/object:os.system x", "could not determine a constructor for the tag"),
    ("oven: {[1]: 2}", "expected a name as key"),
    (
        "#\noven: {heat: \u00e9".encode("latin-1"),
        "line 2, column 14: expected YAML in UTF-8: received the byte 0xe9",
    ),
    (b"a: 1\nb\x00", r"line 2, column 2: .* received the character U\+0000"),
    (b"#" * 1_000_001, "expected at most 1,000,000 bytes, received 1,000,001"),
    (f"oven: {{{'k' * 900}: 1, heat: 1}}", "oven.'kkk.*: unknown key"),
    ("oven: {heat: 1, trays: 1000001}", "oven.trays: expected at most 1000000, received 1000001"),
    ("oven: {heat: 1, times: [.inf]}", r"oven.times\[0\]: expected a finite number, received inf"),
    ("oven: {heat: 1, names: ['a', \"\\0\"]}", r"oven.names\[1\]: expected a text of 1 to 500"),
    (f"oven: {{heat: 1, names: [{'n' * 501}]}}", r"oven.names\[0\]: expected a text of 1 to 500"),
    ("oven: {heat: 2026-02-28}", "oven.heat: expected float, received datetime.date"),
]


def test_aliases_are_read(tmp_path: Path) -> None:
    """As programs write what stands in two places."""
    oven = {"heat": 7.0}
    path = tmp_path / "kitchen.yaml"
    path.write_text(yaml.safe_dump({"oven": oven, "spare": oven}), encoding="utf-8")
    assert "*id001" in path.read_text(encoding="utf-8")
    assert load_section(path, "oven", Oven) == Oven(7.0)


@pytest.mark.parametrize(("content", "message"), YAML)
def test_yaml_that_is_no_section(tmp_path: Path, content: str | bytes, message: str) -> None:
    path = tmp_path / "kitchen.yaml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(ConfigError) as refused:
        load_section(path, "oven", Oven)
    said = str(refused.value)
    assert said.startswith(f"{path}: ")
    assert "string>" not in said  # how PyYAML names what is no file
    assert re.search(message, said, re.DOTALL), said
    assert len(said) < 2000


def test_mutations_of_the_shipped_file_are_read_or_refused(tmp_path: Path) -> None:
    """Whatever 300 seeded changes make of it: parameters, or a short ConfigError with its name."""
    random = np.random.default_rng(0)
    shipped = (ROOT / "params.yaml").read_bytes()
    path = tmp_path / "params.yaml"
    pieces = [b"[", b"{", b"\t", b"\xff", b"-1", b"1e999", b"*a", b"&a ", b"!!int ", b".nan", b"\0"]
    for _ in range(300):
        content = bytearray(shipped)
        for _ in range(random.integers(1, 4)):
            start = int(random.integers(len(content)))
            stop = start + int(random.integers(0, 40))
            content[start:stop] = pieces[random.integers(len(pieces))]
        path.write_bytes(content)
        said = f"{path}: "
        try:
            load_params(path)
        except ConfigError as error:
            said = str(error)
        assert said.startswith(f"{path}: ")
        assert len(said) < 2000


@pytest.mark.parametrize(
    ("key", "value"),
    [("latent_dim", 10**9), ("epochs", -1), ("width", 10**6), ("batch_size", 10**9)],
)
def test_replacing_by_a_size_beyond_reason_names_the_key(key: str, value: int) -> None:
    train = load_params(ROOT / "params.yaml").train
    with pytest.raises(ConfigError, match=rf"^train\.{key}: expected at .*, received {value}$"):
        dataclasses.replace(train, **{key: value})
    with pytest.raises(ConfigError, match=r"^base\.seed: expected at most 4294967295, received"):
        Base(seed=2**70, backend="jax")
    with pytest.raises(ConfigError, match=r"^base\.seed: missing"):
        Base(backend="jax")
    with pytest.raises(ConfigError, match=r"^base\.seeds: unknown key"):
        Base(seed=1, seeds=2, backend="jax")
