"""multiscale/params.yaml against its dataclasses: what is shipped is valid, every wrong key or
value is named.
"""

from __future__ import annotations

import copy

import pytest
import yaml

from svevae.errors import ConfigError
from svevae.parts.config import Multiscale, load_multiscale
from svevae.sections import parse_sections
from tests.conftest import ROOT

SHIPPED = yaml.safe_load((ROOT / "multiscale" / "params.yaml").read_text(encoding="utf-8"))


def test_shipped_params_are_valid_and_typed() -> None:
    params = load_multiscale(ROOT / "multiscale" / "params.yaml")
    assert params.parts.strain == tuple(SHIPPED["parts"]["strain"])
    assert params.compare.part == (4, 4, 8)
    assert params.propagate.parameters == SHIPPED["propagate"]["parameters"]
    assert isinstance(params.propagate.segmentation, float)
    assert (params.grade.shape, params.grade.porosity) == ("notched", (0.005, 0.08))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("parts.seed", -1, "parts.seed: expected at least 0, received -1"),
        ("parts.refine", 0, "parts.refine: expected at least 1, received 0"),
        (
            "parts.strain",
            [0.1],
            r"parts.strain: expected growing strains above 0, received \[0.1\]",
        ),
        ("parts.strain", [0.0, 0.1], "parts.strain: expected growing strains above 0"),
        ("parts.strain", [0.2, 0.1], "parts.strain: expected growing strains above 0"),
        ("parts.tolerance", 1, "parts.tolerance: expected a number between 0 and 1, received 1"),
        ("compare.parts", 0, "compare.parts: expected at least 1, received 0"),
        (
            "compare.part",
            [4, 4],
            r"compare.part: expected three numbers of SVEs, each at least 1, received \[4, 4\]",
        ),
        (
            "compare.parameters",
            {"porosity": "high"},
            "compare.parameters.porosity: expected a number, .* received 'high'",
        ),
        ("propagate.coupons", 1, "propagate.coupons: expected at least 2, received 1"),
        ("propagate.fields", 1, "propagate.fields: expected at least 2, received 1"),
        ("propagate.direct", 1, "propagate.direct: expected at least 2, received 1"),
        (
            "propagate.segmentation",
            1.0,
            "propagate.segmentation: expected a number from 0 to below 1, received 1.0",
        ),
        (
            "propagate.part",
            [3, 2, 4],
            r"propagate.part: expected one that divides the block \[4, 4, 4\],"
            r" received \[3, 2, 4\]",
        ),
        ("propagate.block", [4, 4, 0], "propagate.block: expected three numbers of SVEs"),
        ("grade.shape", "star", "grade.shape: expected one of notched, hole, received 'star'"),
        (
            "grade.porosity",
            [0.1, 0.6],
            r"grade.porosity: expected two growing numbers between 0 and 0.5,"
            r" received \[0.1, 0.6\]",
        ),
        ("grade.load", 1.0, "grade.load: expected a number between 0 and 1, received 1.0"),
        (
            "grade.radius",
            2.0,
            "grade.radius: expected above 0 and below half of x and z of grade.part, received 2.0",
        ),
        ("grade.pore_length", 0, "grade.pore_length: expected a number above 0, received 0"),
        (
            "grade.elongation",
            float("inf"),
            "grade.elongation: expected a number above 0, received inf",
        ),
        ("grade.trials", 0, "grade.trials: expected at least 1, received 0"),
        ("grade.trial", 1, "grade.trial: unknown key; grade has shape, part"),
        ("notch", {}, "notch: unknown key; the file has parts, compare, propagate, grade"),
    ],
)
def test_wrong_values_are_named(key: str, value: object, message: str) -> None:
    settings = copy.deepcopy(SHIPPED)
    section, _, name = key.partition(".")
    if name:
        settings[section][name] = value
    else:
        settings[section] = value
    with pytest.raises(ConfigError, match=f"^{message}"):
        parse_sections(settings, Multiscale)
