"""The porosity as a property: a model whose predictor knows it, learnt from what the model makes
itself.
"""

from __future__ import annotations

import numpy as np
import pytest

from svevae.model.latent import LatentModel, Prediction
from svevae.model.porosity import FLOOR, PorosityModel, with_porosity
from svevae.model.posterior import Posterior
from svevae.model.wishes import sample_latent
from tests.contracts import make_contract


class Stiff(LatentModel):
    """E = 70 (1 - p)^2 GPa of SVEs of porosity p, exactly; the latent unit is the normal score of
    p, and its decoder is 20 % off.
    """

    def __init__(self, *_: object, **__: object) -> None:
        super().__init__(None, make_contract(n=16, latent_dim=1), posterior=Posterior.prior(1))

    def decode(self, latent: np.ndarray) -> np.ndarray:
        return np.broadcast_to(
            0.06 * np.exp(0.5 * latent)[:, :, None, None], (len(latent), 16, 16, 16)
        )

    def encode(self, voxels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        latent = 2 * np.log(np.maximum(voxels.mean((1, 2, 3))[:, None], 1e-4) / 0.05)
        return latent, np.zeros_like(latent)

    def prediction(self, latent: np.ndarray, law: np.ndarray | None = None) -> Prediction:
        properties = 70_000 * np.square(1 - 0.05 * np.exp(0.5 * latent[:, :1]))
        return Prediction(properties, np.full_like(properties, 50.0), np.zeros(len(latent)))


@pytest.fixture(scope="module")
def model() -> PorosityModel:
    """As `with_porosity` makes it, of a model that is no Keras model."""
    return with_porosity(Stiff(), np.random.default_rng(0))


def test_the_porosity_follows_from_the_properties(model: PorosityModel) -> None:
    """Nothing else decides it here; the decoder, which is 20 % too porous, does not spoil it."""
    assert (model.names, model.units) == (("E", "porosity"), ("MPa", "-"))
    porosity = np.array([0.02, 0.05, 0.1])
    found = model.prediction(2 * np.log(porosity / 0.05)[:, None])
    np.testing.assert_allclose(found.properties[:, 1], porosity, rtol=0.01)
    np.testing.assert_allclose(
        found.std[:, 1], model.spread * (found.properties[:, 1] + FLOOR), rtol=1e-5
    )
    assert model.spread < 0.02


def test_of_voxels_it_is_counted(model: PorosityModel) -> None:
    voxels = (np.random.default_rng(0).random((3, 16, 16, 16)) < 0.04).astype(np.uint8)
    np.testing.assert_allclose(model.predict(voxels)[:, 1], voxels.mean((1, 2, 3)), rtol=1e-6)


def test_it_can_be_wished_for(model: PorosityModel) -> None:
    latent = sample_latent(model, 50, np.random.default_rng(0), {"porosity": 0.08})
    np.testing.assert_allclose(0.05 * np.exp(0.5 * latent), 0.08, rtol=0.05)


def test_a_model_that_has_a_porosity_keeps_it() -> None:
    model = Stiff()
    model.names = ("porosity",)
    assert with_porosity(model, np.random.default_rng(0)) is model
