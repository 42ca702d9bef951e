"""params.yaml against its dataclasses: what is shipped is valid, every wrong key or type is
named.
"""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import yaml

from svevae.config import load_params, named_file, parse_params
from svevae.errors import ConfigError

ROOT = Path(__file__).parents[1]
PORES = "generate.families.correlated.parameters"
SHIPPED = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))


def test_shipped_params_are_valid_and_typed() -> None:
    params = load_params(ROOT / "params.yaml")
    assert params.train.latent_dim == SHIPPED["train"]["latent_dim"]
    assert params.train.widths == (48, 96)
    assert isinstance(params.train.kl_weight, float)
    assert params.generate.part == tuple(SHIPPED["generate"]["part"])
    assert params.generate.families == SHIPPED["generate"]["families"]
    assert isinstance(params.generate.voxel_size, float)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("train.latent_dim", 0, "train.latent_dim: expected at least 1, received 0"),
        ("train.latent_dim", 3.5, "train.latent_dim: expected int, received 3.5"),
        ("train.latent_dim", "8", "train.latent_dim: expected int, received '8'"),
        ("train.latent_dim", True, "train.latent_dim: expected int, received True"),
        (
            "train.latent_dims",
            8,
            "train.latent_dims: unknown key; train has architecture, latent_dim",
        ),
        ("train.width", 0, "train.width: expected at least 1, received 0"),
        ("train.depth", 0, "train.depth: expected at least 1, received 0"),
        ("train.depth", [8, 16], r"train.depth: expected int, received \[8, 16\]"),
        (
            "train.widths",
            [8, 16],
            "train.widths: unknown key; train has architecture, latent_dim, width, depth",
        ),
        (
            "train.learning_rate",
            "1e-3",
            (
                r"train.learning_rate: expected float, received '1e-3' \(YAML reads 1e-3 as text:"
                r" write 1.0e-3\)"
            ),
        ),
        ("train.learning_rate", 0, "train.learning_rate: expected a number above 0, received 0"),
        (
            "train.learning_rate",
            float("nan"),
            "train.learning_rate: expected a number above 0, received nan",
        ),
        ("train.kl_weight", -1, "train.kl_weight: expected at least 0, received -1"),
        ("train.dropout", 1.0, "train.dropout: expected a number from 0 to below 1, received 1.0"),
        (
            "train.augmentation",
            ["flip_w"],
            (
                r"train.augmentation\[0\]: expected one of flip_x, flip_y, flip_z, swap_xy,"
                " received 'flip_w'"
            ),
        ),
        (
            "generate.families.correlated.parts",
            0,
            "generate.families.correlated.parts: expected at least 1, received 0",
        ),
        ("generate.families", {}, "generate.families: expected at least one, received {}"),
        (
            "generate.families",
            {"gas": {"generator": "gas", "parameters": {}}},
            "generate.families.gas.parts: missing",
        ),
        ("generate.stride", 0, "generate.stride: expected at least 1, received 0"),
        ("generate.batch", 0, "generate.batch: expected at least 1, received 0"),
        ("generate.batch", 2.0, "generate.batch: expected int, received 2.0"),
        ("generate.seed", -1, "generate.seed: expected at least 0, received -1"),
        ("generate.sve", 1, "generate.sve: expected at least 2, received 1"),
        (
            "generate.part",
            [4, 4],
            r"generate.part: expected three numbers of SVEs, each at least 1, received \[4, 4\]",
        ),
        (
            "generate.part",
            [4, 4, 0],
            r"generate.part: expected three numbers of SVEs, each at least 1, received \[4, 4, 0\]",
        ),
        ("generate.voxel_size", 0, "generate.voxel_size: expected a number above 0, received 0"),
        (
            "generate.voxel_size",
            float("nan"),
            "generate.voxel_size: expected a number above 0, received nan",
        ),
        (
            "generate.voxel_size",
            float("inf"),
            "generate.voxel_size: expected a number above 0, received inf",
        ),
        ("generate.output", "", "generate.output: expected the name of a .h5 file, received ''"),
        (
            "generate.output",
            "data",
            "generate.output: expected the name of a .h5 file, received 'data'",
        ),
        ("generate.tension", "x", "generate.tension: expected a list of str, received 'x'"),
        (
            "generate.strain",
            [0.001, "0.01"],
            r"generate.strain\[1\]: expected float, received '0.01'",
        ),
        (
            "generate.tolerance",
            "5e-4",
            "generate.tolerance: expected float, received '5e-4' .*write 1.0e-3",
        ),
        (
            PORES,
            [0.1],
            rf"{PORES}: expected a mapping, received \[0.1\]",
        ),
        (
            PORES,
            {"porosity": "high"},
            rf"{PORES}.porosity: expected a number, .* received 'high'",
        ),
        (
            PORES,
            {"porosity": True},
            f"{PORES}.porosity: expected a number, .* received True",
        ),
        (
            PORES,
            {"porosity": None},
            f"{PORES}.porosity: expected a number, .* received None",
        ),
        (
            PORES,
            {"porosity": [0.1]},
            rf"{PORES}.porosity: expected a number, .* received \[0.1\]",
        ),
        (
            PORES,
            {"porosity": [0.1, 0.2, "lin"]},
            f"{PORES}.porosity: expected a number, .* 'lin'",
        ),
        (
            PORES,
            {"porosity": [0.2, 0.1]},
            rf"{PORES}.porosity: expected low <= high, .* received \[0.2, 0.1\]",
        ),
        (
            PORES,
            {"porosity": [0, 0.1, "log"]},
            f"{PORES}.porosity: expected low <= high, and above 0 for log",
        ),
        (
            PORES,
            {"porosity": [float("nan"), 1]},
            f"{PORES}.porosity: expected finite numbers, received",
        ),
        (
            "base.backend",
            "numpy",
            "base.backend: expected one of tensorflow, jax, torch, received 'numpy'",
        ),
        ("base.seed", None, "base.seed: expected int, received None"),
        (
            "prepare.test_fraction",
            1.0,
            "prepare.test_fraction: expected a number between 0 and 1, received 1.0",
        ),
        ("prepare.test_fraction", 0.9, "prepare: expected validation_fraction .* below 1"),
        (
            "evaluate.solved",
            257,
            "evaluate.solved: expected at most evaluate.samples, 256, received 257",
        ),
        ("evaluate.samples", 0, "evaluate.samples: expected at least 1, received 0"),
        (
            "serach",
            {},
            (
                "serach: unknown key; the file has base, generate, prepare, search, train,"
                " evaluate, register"
            ),
        ),
        ("search.trials", 0, "search.trials: expected at least 1, received 0"),
        ("search.workers", 0, "search.workers: expected at least 1, received 0"),
        ("search.seeds", 0, "search.seeds: expected at least 1, received 0"),
        ("search.finalists", 0, "search.finalists: expected at least 1, received 0"),
        ("search.reduction", 1, "search.reduction: expected at least 2, received 1"),
        (
            "search.fraction",
            0.0,
            "search.fraction: expected a number above 0, at most 1, received 0.0",
        ),
        (
            "search.fraction",
            1.5,
            "search.fraction: expected a number above 0, at most 1, received 1.5",
        ),
        (
            "search.pruner",
            "median",
            "search.pruner: expected one of none, hyperband, halving, received 'median'",
        ),
        (
            "search.resource",
            "time",
            "search.resource: expected one of epochs, fraction, received 'time'",
        ),
        (
            "search.rule",
            "knee",
            "search.rule: expected one of property, reconstruction, combined, received 'knee'",
        ),
        ("search.study", "a/b", "search.study: expected a name without /, received 'a/b'"),
        (
            "search.objectives",
            [],
            r"search.objectives: expected \[property, reconstruction\] or one of .*, received \[\]",
        ),
        (
            "search.objectives",
            ["property", "combined"],
            r"search.objectives: expected .*, received \['property', 'combined'\]",
        ),
        ("search.space", [1], r"search.space: expected a mapping, received \[1\]"),
        ("train.from_search", "yes", "train.from_search: expected bool, received 'yes'"),
        ("train.from_search", 1, "train.from_search: expected bool, received 1"),
        (
            "train.architecture",
            "u-net",
            "train.architecture: expected one of conv, residual, patch, received 'u-net'",
        ),
        (
            "train.block",
            "dense",
            "train.block: expected one of residual, bottleneck, plain, received 'dense'",
        ),
        ("train", None, "train: expected the keys architecture, .* received None"),
    ],
)
def test_wrong_values_are_named(key: str, value: object, message: str) -> None:
    settings = copy.deepcopy(SHIPPED)
    *sections, name = key.split(".")
    inner = settings
    for section in sections:
        inner = inner[section]
    inner[name] = value
    with pytest.raises(ConfigError, match=f"^{message}"):
        parse_params(settings)


def test_missing_key() -> None:
    settings = copy.deepcopy(SHIPPED)
    del settings["train"]["epochs"]
    with pytest.raises(ConfigError, match=r"^train\.epochs: missing"):
        parse_params(settings)


def test_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    with pytest.raises(
        ConfigError, match=r"params\.yaml: expected the parameters of the pipeline, found nothing"
    ):
        load_params(path)
    path.write_text("base: [", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"params\.yaml: line 1, column 8: expected YAML"):
        load_params(path)
    path.write_text("", encoding="utf-8")
    with pytest.raises(
        ConfigError, match=r"params\.yaml: the file: expected the keys base, .* received None"
    ):
        load_params(path)


def test_files_that_parameters_name_are_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^params\.yaml: prepare\.dataset: expected an SVE file"):
        named_file(str(tmp_path / "sves.h5"), "prepare.dataset")
    (tmp_path / "sves.h5").touch()
    assert named_file(str(tmp_path / "sves.h5"), "prepare.dataset") == tmp_path / "sves.h5"
