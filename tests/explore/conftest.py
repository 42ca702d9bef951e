"""A tiny network to explore: SVEs of 8 voxels of 10 um."""

from __future__ import annotations

import numpy as np
import pytest

from svevae.config import Params
from svevae.explore.session import Explorer
from svevae.model.latent import LatentModel
from svevae.model.vae import build_vae
from tests.contracts import make_contract

NAMES, UNITS = ["E_z", "yield_z", "flow_z"], ["MPa", "MPa", "MPa"]


@pytest.fixture(scope="module")
def explorer(params: Params) -> Explorer:
    contract = make_contract(names=tuple(NAMES), units=tuple(UNITS), voxel_size=10.0, grain=1.0)
    network = build_vae(
        params.train, 8, np.array([66_000.0, 229.0, 390.0]), np.array([3_800.0, 12.0, 22.0])
    )
    return Explorer(LatentModel(network, contract))
