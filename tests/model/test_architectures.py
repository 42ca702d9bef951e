"""What params.yaml may name, and what `conv` leaves out; test_vae.py builds and trains each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from svevae import config as config_module
from svevae.config import Params
from svevae.model.architectures import ARCHITECTURES
from svevae.model.layers import BLOCKS
from svevae.model.vae import build_vae

MEAN, STD = np.array([66_000.0, 0.326]), np.array([4_600.0, 0.005])


def test_params_yaml_may_name_each_architecture_and_block() -> None:
    """config.py has their names, so that a wrong one is found without Keras."""
    assert set(ARCHITECTURES) == set(config_module.ARCHITECTURES)
    assert set(BLOCKS) == set(config_module.BLOCKS)


def test_conv_has_no_blocks(params: Params) -> None:
    """Whatever `blocks` and `block` say, it is `residual` with `blocks` 0."""
    config = replace(params.train, elastic=False)
    residual = build_vae(replace(config, architecture="residual", blocks=0), 8, MEAN, STD)
    conv = build_vae(replace(config, architecture="conv", blocks=3, block="plain"), 8, MEAN, STD)
    assert [weight.shape for weight in conv.weights] == [
        weight.shape for weight in residual.weights
    ]
