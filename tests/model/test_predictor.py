"""What the predictor gives before it has learnt anything, and what it takes of a law."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest

from svevae.config import Params
from svevae.dataset.curves import Curves, law_features
from svevae.model.predictor import (
    INFORMED_UNITS,
    RESPONSE,
    Read,
    build_predictor,
    informed_units,
    usual_law,
)
from svevae.physics.label import property_names

MEAN, STD = np.array([66_000.0, 0.326]), np.array([4_600.0, 0.005])
LAWS = np.float32([[70e3, 0.33, 216.0, 312.0, 40.0], [200e3, 0.29, 500.0, 200.0, 15.0]])
CURVES = Curves(
    ("x", "y", "z"),
    (0.3, 1.0, 2.0, 9.0),
    tuple(map(float, LAWS[0])),
    tuple(law_features(LAWS).mean(axis=0)),
    tuple(law_features(LAWS).std(axis=0)),
)


def test_it_speaks_physical_units(params: Params) -> None:
    """With its last weights at zero it gives the training mean itself."""
    predictor = build_predictor(params.train, MEAN, STD, None)
    dense = predictor.get_layer(RESPONSE).get_layer("standardised")
    dense.set_weights([np.zeros_like(weight) for weight in dense.get_weights()])
    found = predictor(np.ones((4, params.train.latent_dim), np.float32))["properties"]
    np.testing.assert_allclose(found, np.tile(MEAN, (4, 1)), rtol=1e-6)


def test_a_law_comes_in_as_its_standardised_features(params: Params) -> None:
    """nu, log Q/s0 and log b s0/E: of these two laws 1 and -1, or -1 and 1."""
    config = replace(params.train, predictor_width=4)
    names, targets = property_names(CURVES.axes)[0], 9 + 3 * 4
    predictor = build_predictor(config, np.zeros(targets), np.ones(targets), Read(names, CURVES))
    response = predictor.get_layer(RESPONSE)
    [joined] = [x for x in response.layers if isinstance(x, keras.layers.Concatenate)][1:2]
    inner = keras.Model(response.inputs, joined.output)
    units = informed_units(config, targets)
    found = np.asarray(inner([np.zeros((2, units), np.float32), LAWS]))
    expected = (law_features(LAWS) - CURVES.law_mean) / CURVES.law_std
    np.testing.assert_allclose(found[:, units:], expected, atol=1e-3)


def test_the_usual_law_is_that_of_any_sve() -> None:
    found = usual_law(CURVES)(np.random.default_rng(0).normal(size=(3, 7)).astype(np.float32))
    np.testing.assert_allclose(found, np.tile(CURVES.law, (3, 1)), rtol=1e-6)


@pytest.mark.parametrize(
    ("targets", "latent_dim", "elastic", "units"),
    [(42, 96, True, INFORMED_UNITS), (7, 96, True, 7), (42, 6, True, 3), (42, 96, False, 96)],
)
def test_informed_units(
    params: Params, targets: int, latent_dim: int, elastic: bool, units: int
) -> None:
    config = replace(params.train, latent_dim=latent_dim, elastic=elastic)
    assert informed_units(config, targets) == units
