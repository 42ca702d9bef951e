"""Each term against a closed form."""

from __future__ import annotations

import numpy as np
import pytest

from svevae.model.losses import (
    kl_divergence,
    mean_squared_error,
    property_loss,
    reconstruction_loss,
)


def test_reconstruction_is_the_bernoulli_likelihood_summed_over_voxels() -> None:
    """With logit(1/4) everywhere a cube of 8 voxels with 2 pores costs -2 ln(1/4) - 6 ln(3/4)."""
    voxels = np.zeros((1, 2, 2, 2), np.uint8)
    voxels[0, 0, 0, :] = 1
    logits = np.full(voxels.shape, np.log(1 / 3), np.float32)
    np.testing.assert_allclose(
        reconstruction_loss(voxels, logits), [-2 * np.log(1 / 4) - 6 * np.log(3 / 4)], rtol=1e-6
    )


def test_reconstruction_stays_finite_for_extreme_logits() -> None:
    voxels = np.ones((1, 1, 1, 1), np.float32)
    np.testing.assert_allclose(reconstruction_loss(voxels, np.full((1, 1, 1, 1), -500.0)), [500.0])
    np.testing.assert_allclose(reconstruction_loss(voxels, np.full((1, 1, 1, 1), 500.0)), [0.0])


def test_kl_of_two_gaussians() -> None:
    """KL(N(m, s^2) || N(0, 1)) = (s^2 + m^2 - 1) / 2 - ln s; zero for the prior itself."""
    mean, std = np.array([[0.0, 2.0, -1.0]], np.float32), np.array([[1.0, 0.5, 3.0]], np.float32)
    expected = (std**2 + mean**2 - 1) / 2 - np.log(std)
    np.testing.assert_allclose(kl_divergence(mean, np.log(std**2)), expected, rtol=1e-5, atol=1e-7)


def test_kl_matches_a_monte_carlo_estimate() -> None:
    """KL = E_q[ln q(z) - ln p(z)], by 200,000 draws."""
    mean, std = 0.7, 0.4
    z = mean + std * np.random.default_rng(0).standard_normal(200_000)
    sampled = np.mean(-0.5 * ((z - mean) / std) ** 2 - np.log(std) + 0.5 * z**2)
    np.testing.assert_allclose(
        kl_divergence(np.float32([[mean]]), np.float32([[2 * np.log(std)]])), [[sampled]], rtol=0.01
    )


def test_property_loss_is_in_units_of_the_standard_deviation() -> None:
    """Errors of 2 and 1 standard deviations cost (4 + 1) / 2."""
    true, std = np.array([[70_000.0, 0.33]], np.float32), np.array([5_000.0, 0.01], np.float32)
    np.testing.assert_allclose(
        property_loss(true, true + std * np.float32([2, -1]), std), [2.5], rtol=1e-5
    )


def test_mean_squared_error_is_that_of_the_property_loss() -> None:
    true, predicted, std = np.array([[1.0, 2.0, 3.0]]), np.array([[2.0, 2.0, 9.0]]), [1.0, 2.0, 3.0]
    loss = float(property_loss(true, predicted, np.array(std))[0])
    assert mean_squared_error(loss, 3) == pytest.approx((1 + 0 + 4) / 3)
