"""The ceiling of a latent code: the same from the same seed, and no weights of a bad epoch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from svevae.config import Params
from svevae.dataset.split import split_by_part
from svevae.dataset.store import SVEDataset
from svevae.model.regressor import regressor_r2


@pytest.mark.slow
def test_encoder_and_predictor_learn_the_properties(params: Params, tiny: SVEDataset) -> None:
    split = split_by_part(tiny, 0.25, 0.25, seed=0)
    config = replace(params.train, elastic=True)
    r2 = regressor_r2(config, 0, split, tiny, epochs=2)
    assert list(r2.of) == list(tiny.names)
    assert r2.mean == pytest.approx(np.mean(list(r2.of.values())))
    assert regressor_r2(config, 0, split, tiny, epochs=2).mean == pytest.approx(r2.mean, abs=1e-3)
    assert r2.mean > 0.5  # the elastic statistics alone explain so much from the start
