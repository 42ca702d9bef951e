"""Tables of hardening: what is refused, what tension they stand for, how SVEs are taken."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from svevae.errors import ConfigError
from svevae.physics.elasticity import PorousMaterial
from svevae.physics.hardening import Hardening

STRAIN, STRESS = np.array([0.0, 0.001, 0.004]), np.array([100.0, 150.0, 150.0])


@pytest.mark.parametrize(
    ("strain", "stress", "said"),
    [
        (
            [0.0, 0.002, 0.001],
            STRESS,
            r"strain: expected plastic strains that grow, received 0.002",
        ),
        ([0.0, 0.001, 0.001], STRESS, r"strain: .* grow, received 0.001, 0.001"),
        ([0.001, 0.002, 0.003], STRESS, r"strain: .* begin at 0, received 0.001"),
        ([0.0, 0.001, np.nan], STRESS, r"strain: expected finite"),
        (STRAIN, [-1.0, 150.0, 160.0], r"stress: expected at least 0, received -1"),
        (STRAIN, [100.0, np.nan, 160.0], r"stress: expected at least 0, received nan"),
        (STRAIN, [100.0, 150.0, 140.0], r"stress: .* do not fall, received 150, 140"),
        (STRAIN, [100.0, 150.0, np.inf], r"stress: expected finite stresses, or none that is"),
        (STRAIN, [100.0, 150.0], r"stress: expected one for each of 3 strains, received 2"),
        ([[0.0, 0.001, 0.004]], STRESS, r"strain: expected shape \(point,\) or"),
        ([], [], r"strain: expected shape"),
    ],
)
def test_bad_tables_are_refused(strain: Any, stress: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=r"^material\.hardening\." + said):
        Hardening(np.array(strain), np.array(stress))


def test_lines_are_points_and_slopes() -> None:
    """The last line is flat, and so are those of what never yields."""
    lines = Hardening(STRAIN, STRESS).lines()
    assert lines.shape == (3, 3, 1, 1, 1, 1)
    np.testing.assert_allclose(lines.reshape(3, 3)[:, 2], [5e4, 0, 0])
    never = Hardening(STRAIN, np.full(3, np.inf)).lines().reshape(3, 3)
    assert np.isinf(never[:, 1]).all()
    assert not never[:, 2].any()


def test_tension_of_a_table() -> None:
    """Elastic below 100 MPa; 125 MPa at 0.0005 + 125 MPa / E; constant beyond the last point;
    nothing where there is no stiffness.
    """
    E = np.array([50e3, 0.0]).reshape(2, 1, 1, 1)
    strain = np.array([0.001, 0.002, 0.0005 + 125 / 50e3, 0.1])
    found = Hardening(STRAIN, STRESS).tension(E, strain).reshape(2, -1)
    np.testing.assert_allclose(found, [[50, 100, 125, 150], [0, 0, 0, 0]])


def test_sves_of_a_batch_are_taken() -> None:
    stress = STRESS * np.arange(1, 4).reshape(3, 1, 1, 1, 1)
    material = PorousMaterial(70e3, 0.33, hardening=Hardening(STRAIN, stress))
    table = material.take(np.array([2, 0])).hardening
    assert table is not None
    np.testing.assert_array_equal(table.stress, stress[[2, 0]])
    np.testing.assert_array_equal(table.strain, STRAIN)
    assert PorousMaterial(70e3, 0.33).take(np.array([0])).hardening is None
