"""Binary SVEs from probabilities, against what is known of them."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from svevae.model.latent import Prediction
from svevae.model.metrics import two_point_correlation
from svevae.model.sampling import binarise, realise


@pytest.mark.parametrize("grain", [0.0, 1.0])
def test_every_voxel_is_a_pore_with_its_probability(grain: float) -> None:
    """Low probabilities too: nothing decoded at 0.1 would ever pass a threshold of 1/2."""
    probability = np.tile(np.linspace(0, 0.9, 8), (2000, 8, 8, 1))
    found = binarise(probability, grain, np.random.default_rng(0))
    assert found.dtype == np.uint8
    np.testing.assert_allclose(found.mean(axis=(0, 1, 2)), np.linspace(0, 0.9, 8), atol=0.02)


def test_grain_makes_pores_of_several_voxels() -> None:
    probability = np.full((20, 16, 16, 16), 0.1)
    fine, coarse = (
        two_point_correlation(binarise(probability, grain, np.random.default_rng(0)))
        for grain in (0.0, 1.0)
    )
    assert fine[1] == pytest.approx(0.01, rel=0.1)  # independent voxels
    assert coarse[1] > 0.05
    assert fine[0] == pytest.approx(coarse[0], rel=0.1)


def test_realise_keeps_the_draw_whose_properties_are_the_predicted_ones() -> None:
    """A decoder that is off by a third in porosity, and a predictor that knows the porosity: the
    SVEs have the predicted one.
    """
    random = np.random.default_rng(0)
    blurred = gaussian_filter(random.standard_normal((12, 12, 12)), 2)
    scale = np.linspace(0.02, 0.08, 6)

    def decode(latent: np.ndarray) -> np.ndarray:
        return np.clip(
            0.7 * latent[:, :1, None, None] * np.exp(3 * blurred / blurred.std() - 4.5), 0, 0.95
        )

    model = SimpleNamespace(
        grain=1.0,
        decode=decode,
        prediction=lambda latent: Prediction(
            decode(latent).mean((1, 2, 3))[:, None] / 0.7,
            np.full((len(latent), 1), 1e-3),
            np.zeros(1),
        ),
        predict=lambda voxels: voxels.mean((1, 2, 3))[:, None],
    )
    latent = (scale / decode(np.ones((1, 1))).mean() * 0.7)[:, None]
    wished = model.prediction(latent).properties[:, 0]
    once = binarise(decode(latent), 1.0, random).mean((1, 2, 3))
    found, distance = realise(model, latent, random)
    np.testing.assert_allclose(
        distance, np.square((found.mean((1, 2, 3)) - wished) / 1e-3), rtol=1e-3, atol=1e-3
    )
    assert found.dtype == np.uint8
    errors = [np.abs(porosity - wished).mean() for porosity in (once, found.mean((1, 2, 3)))]
    assert errors[1] < errors[0] / 3


def test_aimed_sves_have_the_target_and_not_what_was_predicted() -> None:
    """Layers of pores whose height the vector gives; the target lies between two of them."""

    def decode(latent: np.ndarray) -> np.ndarray:
        height = np.clip(latent[:, :1] - np.arange(12), 0, 0.999)
        return np.broadcast_to(height[:, :, None, None], (len(latent), 12, 12, 12))

    model = SimpleNamespace(
        grain=0.0,
        names=("E", "porosity"),
        decode=decode,
        prediction=lambda latent: Prediction(
            np.repeat(latent[:, :1] / 12, 2, axis=1), np.full((len(latent), 2), 1e-3), np.zeros(1)
        ),
        predict=lambda voxels: np.column_stack([np.full(len(voxels), 7.0), voxels.mean((1, 2, 3))]),
    )
    voxels, distance = realise(
        model, np.full((4, 1), 3.4), np.random.default_rng(0), {"porosity": 0.28}
    )
    np.testing.assert_allclose(voxels.mean((1, 2, 3)), 0.28, atol=2e-3)
    assert (distance < 4).all(), "E is free"
