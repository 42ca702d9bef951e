"""Small random SVEs and the settings of their labels, for tests of labelling and its journal."""

from __future__ import annotations

import numpy as np

from svevae.dataset.label_settings import LabelSettings
from svevae.physics.elasticity import PRESETS
from svevae.physics.label import Tension, property_names

N = 6
STRAIN = (0.001, 0.003, 0.006, 0.01)
SETTINGS = LabelSettings(PRESETS["as-built-z"], Tension(("x", "z"), STRAIN), "float32", 5e-4)
NAMES, UNITS = property_names(SETTINGS.tension.axes)


def random_sves(count: int, porosity: float = 0.1) -> np.ndarray:
    return (np.random.default_rng(0).random((count, N, N, N)) < porosity).astype(np.uint8)
