"""Models that sampling can use are seen as such."""

from __future__ import annotations

import numpy as np

from svevae.model.latent import LatentModel
from svevae.model.porosity import PorosityModel
from svevae.model.protocols import GenerativeModel
from tests.contracts import make_contract


def test_models_that_can_be_sampled() -> None:
    assert isinstance(LatentModel(None, make_contract()), GenerativeModel)
    porosity = object.__new__(PorosityModel)
    porosity.names, porosity.units, porosity.grain, porosity.posterior = (), (), 0.0, None
    assert isinstance(porosity, GenerativeModel)
    assert not isinstance(np.zeros(3), GenerativeModel)
