"""Averages of SVEs in large elements: of two with shares of 1/4 and 3/4, by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.sparse import csr_array

from svevae.meshes.bins import Curves
from svevae.use.mesh_average import Averages
from tests.use.test_mesh_places import grid

WEIGHTS = csr_array([[0.0, 0, 1], [0, 0.25, 0.75], [0, 0, 1]])
SOLID = np.array([False, True, True])
CURVES = Curves(
    np.array([0.01, 0.03]),
    np.array([60.0, 80.0]),
    np.array([0.3, 0.34]),
    np.array([[100.0, 140.0], [200.0, 220.0]]),
)


def test_curves_of_elements() -> None:
    """The second SVE with material is there once, for two elements; the average beside it."""
    own, which = Averages(WEIGHTS).curves(CURVES, SOLID)
    assert which.tolist() == [0, 1, 0]
    np.testing.assert_allclose(own.E, [80, 75])
    np.testing.assert_allclose(own.nu, [0.34, 0.33])
    np.testing.assert_allclose(own.stress, [[200, 220], [175, 200]])


def test_columns_of_elements() -> None:
    """Standard deviations add as independent ones do; what an element does not have is not read."""
    field = {
        "E": np.array([np.nan, 60.0, 80.0]),
        "E_std": np.array([np.nan, 4.0, 1.0]),
        "novelty": np.array([np.nan, 0.9, 0.2]),
    }
    found = Averages(WEIGHTS).columns({name: one.reshape(3, 1, 1) for name, one in field.items()})
    np.testing.assert_allclose(found["E"], [80, 75, 80])
    np.testing.assert_allclose(found["E_std"], [1, 1.25, 1])  # of 1 and 0.75, as 3, 4 and 5
    np.testing.assert_allclose(found["novelty"], [0.2, 0.9, 0.2])


def test_large_elements_are_told() -> None:
    averages, of = Averages(WEIGHTS), replace(grid((3, 1, 1)), edge=0.04, unit="mm")
    assert not list(averages.say(np.zeros(3, bool), of))
    (said,) = averages.say(np.array([False, True, True]), of)
    assert "2 elements larger than an SVE of 0.04 mm: averages over their volume, of 1 to 2" in said
