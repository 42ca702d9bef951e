"""params.yaml against its dataclasses: what is shipped is valid, every wrong key or type is named."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import yaml

from svevae.config import load_params, parse_params
from svevae.errors import ConfigError

ROOT = Path(__file__).parents[1]
SHIPPED = yaml.safe_load((ROOT / "params.yaml").read_text())


def test_shipped_params_are_valid_and_typed() -> None:
    params = load_params(ROOT / "params.yaml")
    assert params.train.latent_dim == SHIPPED["train"]["latent_dim"]
    assert params.train.widths == tuple(SHIPPED["train"]["widths"])
    assert isinstance(params.train.kl_weight, float)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("train.latent_dim", 0, "train.latent_dim: expected at least 1, received 0"),
        ("train.latent_dim", 3.5, "train.latent_dim: expected int, received 3.5"),
        ("train.latent_dim", "8", "train.latent_dim: expected int, received '8'"),
        ("train.latent_dim", True, "train.latent_dim: expected int, received True"),
        ("train.latent_dims", 8, "train.latent_dims: unknown key; train has architecture, latent_dim"),
        ("train.widths", 8, "train.widths: expected a list of int, received 8"),
        ("train.widths", [], "train.widths: expected one or more integers"),
        ("train.widths", [8, "a"], r"train.widths\[1\]: expected int, received 'a'"),
        ("train.learning_rate", "1e-3", r"train.learning_rate: expected float, received '1e-3' \(YAML reads 1e-3 as text: write 1.0e-3\)"),
        ("train.learning_rate", 0, "train.learning_rate: expected a number above 0, received 0"),
        ("train.learning_rate", float("nan"), "train.learning_rate: expected a number above 0, received nan"),
        ("train.kl_weight", -1, "train.kl_weight: expected at least 0, received -1"),
        ("train.dropout", 1.0, "train.dropout: expected a number from 0 to below 1, received 1.0"),
        ("train.augmentation", ["flip_w"], "train.augmentation: expected one of flip_x, flip_y, flip_z, swap_xy, received 'flip_w'"),
        ("base.backend", "numpy", "base.backend: expected one of tensorflow, jax, torch, received 'numpy'"),
        ("base.seed", None, "base.seed: expected int, received None"),
        ("prepare.test_fraction", 1.0, "prepare.test_fraction: expected a number between 0 and 1, received 1.0"),
        ("prepare.test_fraction", 0.9, "prepare: expected validation_fraction .* below 1"),
        ("evaluate.samples", 0, "evaluate.samples: expected at least 1, received 0"),
        ("serach", {}, "serach: unknown key; the file has base, prepare, train, evaluate, register"),
        ("train", None, "train: expected the keys architecture, .* received None"),
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
        parse_params(settings)


def test_missing_key() -> None:
    settings = copy.deepcopy(SHIPPED)
    del settings["train"]["epochs"]
    with pytest.raises(ConfigError, match=r"^train\.epochs: missing"):
        parse_params(settings)


def test_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    with pytest.raises(ConfigError, match=r"params\.yaml: expected the parameters of the pipeline, found nothing"):
        load_params(path)
    path.write_text("base: [")
    with pytest.raises(ConfigError, match=r"params\.yaml: expected YAML"):
        load_params(path)
    path.write_text("")
    with pytest.raises(ConfigError, match=r"params\.yaml: the file: expected the keys base, .* received None"):
        load_params(path)
