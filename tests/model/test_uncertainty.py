"""Standard deviations and novelty against residuals whose distribution is known."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest

from svevae.config import Params
from svevae.model.metrics import coverage
from svevae.model.uncertainty import fit_uncertainty
from svevae.model.vae import build_vae

MEAN, STD = np.array([66_000.0, 0.326]), np.array([4_600.0, 0.005])


@pytest.fixture
def predictor(params: Params) -> keras.Model:
    keras.utils.set_random_seed(0)
    return build_vae(replace(params.train, latent_dim=4), 8, MEAN, STD).get_layer("predictor")


def fitted(predictor: keras.Model, scale, latent: np.ndarray) -> np.ndarray:
    """Fit to the predicted properties plus errors of `scale`, a function of the standardised ones;
    the std of these errors.
    """
    random = np.random.default_rng(1)
    found = predictor.predict(latent, verbose=0)["properties"]
    std = scale((found - MEAN) / STD) * STD
    train = random.standard_normal((500, 4)), np.full((500, 4), 0.1)
    fit_uncertainty(predictor, train, latent, found + std * random.standard_normal(found.shape))
    return std


def test_intervals_hold_ninety_percent_of_new_sves(predictor: keras.Model) -> None:
    random = np.random.default_rng(0)
    fitted(
        predictor,
        lambda y: np.array([0.1, 0.3]) * np.ones_like(y),
        random.standard_normal((800, 4)),
    )
    new = predictor.predict(0.5 * random.standard_normal((2000, 4)), verbose=0)
    true = new["properties"] + np.array([0.1, 0.3]) * STD * random.standard_normal((2000, 2))
    np.testing.assert_allclose(
        coverage(true, new["properties"], new["properties_std"]), 0.9, atol=0.03
    )


def test_an_error_that_grows_with_a_property_is_seen(predictor: keras.Model) -> None:
    latent = np.random.default_rng(0).standard_normal((2000, 4))
    std = fitted(predictor, lambda y: 0.05 * np.exp(0.8 * y), latent)
    found = predictor.predict(latent, verbose=0)
    familiar = found["novelty"][:, 0] <= 1
    ratio = np.log(found["properties_std"] / std)[familiar]
    assert np.abs(ratio).mean() < 0.12
    assert np.log(std).std() > 0.2  # and there was something to see


def test_novelty_is_one_where_one_percent_of_the_known_sves_are_beyond(
    predictor: keras.Model,
) -> None:
    latent = np.random.default_rng(0).standard_normal((2000, 4))
    fitted(predictor, lambda y: 0.1 * np.ones_like(y), latent)
    near, far = (predictor.predict(factor * latent, verbose=0) for factor in (1.0, 3.0))
    assert (near["novelty"] > 1).mean() == pytest.approx(0.01, abs=0.002)
    np.testing.assert_allclose(far["novelty"], 3 * near["novelty"], rtol=0.1, atol=0.1)
    # an unfamiliar SVE is predicted less surely
    assert far["properties_std"].mean() > 1.2 * near["properties_std"].mean()


def test_properties_themselves_do_not_change(predictor: keras.Model) -> None:
    latent = np.random.default_rng(0).standard_normal((100, 4)).astype(np.float32)
    before = predictor.predict(latent, verbose=0)["properties"]
    fitted(predictor, lambda y: 0.1 * np.ones_like(y), latent)
    np.testing.assert_array_equal(predictor.predict(latent, verbose=0)["properties"], before)


def test_a_handful_of_sves_and_a_collapsed_unit_give_finite_numbers(predictor: keras.Model) -> None:
    latent = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
    latent[:, 2] = 0
    true = predictor.predict(latent, verbose=0)["properties"]
    fit_uncertainty(predictor, (latent, np.ones((3, 4))), latent, true)
    found = predictor.predict(latent, verbose=0)
    assert all(np.isfinite(value).all() for value in found.values())
    assert (found["properties_std"] > 0).all()
