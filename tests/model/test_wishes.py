"""Latent vectors with wished properties, against their exact distribution."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from svevae.errors import DataError
from svevae.model.latent import Prediction
from svevae.model.posterior import Posterior
from svevae.model.wishes import sample_latent


def linear(std: float, latent_dim: int = 3) -> SimpleNamespace:
    """A model whose one property, E, is 10 times the first latent unit, known to `std`; the latent
    codes are N(0, I).
    """

    def prediction(latent: np.ndarray) -> Prediction:
        return Prediction(10 * latent[:, :1], np.full((len(latent), 1), std), np.zeros(len(latent)))

    return SimpleNamespace(
        names=("E",),
        units=("MPa",),
        latent_dim=latent_dim,
        posterior=Posterior.prior(latent_dim),
        prediction=prediction,
        predict_from_latent=lambda latent: prediction(latent).properties,
    )


@pytest.mark.parametrize("std", [10.0, 1.0])
def test_conditional_samples_have_the_exact_conditional_distribution(std: float) -> None:
    """z ~ N(0, 1) and 10 z = 15 +- std: z | 15 ~ N(1.5 / (1 + s^2), s^2 / (1 + s^2)) with s = std /
    10; the other units stay N(0, 1).
    """
    z = sample_latent(linear(std), 1000, np.random.default_rng(0), {"E": 15.0})
    s2 = (std / 10) ** 2
    assert z[:, 0].mean() == pytest.approx(1.5 / (1 + s2), abs=0.08)
    assert z[:, 0].std() == pytest.approx(np.sqrt(s2 / (1 + s2)), rel=0.15)
    np.testing.assert_allclose(z[:, 1:].mean(axis=0), 0, atol=0.15)
    np.testing.assert_allclose(z[:, 1:].std(axis=0), 1, rtol=0.15)


def test_without_targets_they_are_the_posteriors() -> None:
    z = sample_latent(linear(1.0), 2000, np.random.default_rng(0))
    np.testing.assert_allclose(z.std(axis=0), 1, rtol=0.1)


def correlated() -> SimpleNamespace:
    """Two properties, both from the first latent unit but for a thousandth: the pair (20, 20) is
    common, (20, -20) is not there.
    """

    def prediction(latent: np.ndarray) -> Prediction:
        values = 10 * latent[:, :1] + np.array([0.01, -0.01]) * latent[:, 1:2]
        return Prediction(values, np.full((len(latent), 2), 0.5), np.zeros(len(latent)))

    return SimpleNamespace(
        names=("E", "nu"),
        units=("MPa", "-"),
        posterior=Posterior.prior(2),
        prediction=prediction,
        predict_from_latent=lambda latent: prediction(latent).properties,
    )


def test_targets_that_contradict_each_other() -> None:
    z = sample_latent(correlated(), 100, np.random.default_rng(0), {"E": 20.0, "nu": 20.0})
    np.testing.assert_allclose(z[:, 0], 2, atol=0.2)
    with pytest.raises(
        DataError,
        match=(
            r"E = 20 MPa, nu = -20: out of reach: each is known, but not together; the nearest"
            r" found: E = "
        ),
    ):
        sample_latent(correlated(), 100, np.random.default_rng(0), {"E": 20.0, "nu": -20.0})


def test_a_tight_target_is_no_reason_to_give_up() -> None:
    """Two standard deviations out, known to a ten-thousandth of one."""
    z = sample_latent(linear(1e-3), 100, np.random.default_rng(0), {"E": 20.0})
    np.testing.assert_allclose(z[:, 0], 2, atol=1e-3)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("wished", [1e155, -1e300])
def test_out_of_reach_of_any_arithmetic(wished: float) -> None:
    with pytest.raises(DataError, match=r"out of reach: .* the nearest found: E = "):
        sample_latent(linear(0.1), 10, np.random.default_rng(0), {"E": wished})


def test_out_of_reach_says_how_near_one_comes() -> None:
    with pytest.raises(
        DataError, match=r"target E = 1000 MPa: .* the nearest found: E = \d+\.?\d* MPa"
    ):
        sample_latent(linear(0.1), 10, np.random.default_rng(0), {"E": 1000.0})


@pytest.mark.parametrize(
    ("targets", "message"),
    [({"nu": 0.3}, "target nu: expected one of E"), ({"E": np.nan}, "received nan")],
)
def test_wrong_targets(targets: dict[str, float], message: str) -> None:
    with pytest.raises(DataError, match=message):
        sample_latent(linear(1.0), 10, np.random.default_rng(0), targets)
