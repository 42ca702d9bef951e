"""Laws of the matrix without their units: what the equations keep of a law, and what printed alloys
draw.
"""

from __future__ import annotations

import numpy as np
import pytest

from svevae.errors import ConfigError
from svevae.physics.alloys import (
    LAW,
    PRINTED,
    draw_printed,
    in_units_of,
    laws_of,
    strains_of,
)
from svevae.physics.elasticity import PRESETS, Material
from svevae.physics.homogenize import Settings, Solver
from svevae.physics.label import Tension, label
from svevae.physics.voce import voce_curve

REFERENCE = PRESETS["as-built-z"]  # E 70,000, s0 216, Q 312, b 40
# the same nu, Q/s0 and b s0/E: E, s0 and Q by 3 and 2, so that s0/E is 2/3 and b 3/2 times as large
ALIKE = np.array([210_000.0, 0.33, 432.0, 624.0, 60.0])
OTHER = np.array([190_000.0, 0.29, 450.0, 300.0, 10.0])
STRAIN = (0.001, 0.003, 0.006, 0.01)
TENSION = Tension(("x", "z"), STRAIN)


def test_laws_of_a_material() -> None:
    """In the order of LAW, one row an SVE; of fields the mean over each SVE."""
    assert LAW == ("E", "nu", "s0", "Q", "b")
    np.testing.assert_array_equal(laws_of(REFERENCE, 2), [[70_000, 0.33, 216, 312, 40]] * 2)
    field = np.ones((2, 4, 4, 4))
    field[1, :2] = 3
    np.testing.assert_array_equal(laws_of(Material(field, 0.3, 5.0), 2)[:, 0], [1, 2])


def test_strains_are_the_same_multiples_of_s0_over_e() -> None:
    """s0/E is 216/70,000 for the reference, 2/3 of it for ALIKE."""
    found = strains_of(np.stack([laws_of(REFERENCE, 1)[0], ALIKE]), REFERENCE, np.array(STRAIN))
    np.testing.assert_allclose(found, np.outer([1, 2 / 3], STRAIN), rtol=1e-14)


def test_a_law_in_other_units() -> None:
    """A law that differs in its units alone becomes the reference; any other keeps nu, Q/s0 and b
    s0/E, and with them its curve.
    """
    found = in_units_of(np.stack([ALIKE, OTHER]), REFERENCE)
    np.testing.assert_allclose(laws_of(found, 2)[0], laws_of(REFERENCE, 1)[0], rtol=1e-14)
    E, nu, s0, Q, b = laws_of(found, 2)[1]
    assert (E, s0, nu) == (REFERENCE.E, REFERENCE.s0, 0.29)
    assert Q / s0 == pytest.approx(300 / 450)
    assert b * s0 / E == pytest.approx(10 * 450 / 190_000)
    own = strains_of(OTHER[None], REFERENCE, np.array(STRAIN))[0]
    np.testing.assert_allclose(
        voce_curve(E, s0, Q, b, np.array(STRAIN)) / s0,
        voce_curve(190_000, 450, 300, 10, own) / 450,
        rtol=1e-12,
    )


@pytest.fixture(scope="module")
def solver() -> Solver:
    return Solver((8, 8, 8), Settings("float64", tolerance=1e-5))


def sves() -> np.ndarray:
    """One pore-free, one of random pores."""
    pores = np.random.default_rng(0).random((8, 8, 8)) < 0.1
    return np.stack([np.zeros((8, 8, 8), np.uint8), pores.astype(np.uint8)])


def test_porous_labels_scale(solver: Solver) -> None:
    """ALIKE gives the reference's curves, stresses twice and moduli three times as large, to 1e-3.

    The offset of 0.2 % is no multiple of s0/E, so yields are not twice as large: that of the solid
    is its own, and pores lower it.
    """
    first = label(sves(), REFERENCE, TENSION, solver)
    found = label(sves(), REFERENCE, TENSION, solver, laws=np.stack([ALIKE] * 2))
    for axis in "xz":
        np.testing.assert_allclose(found.stress[axis], 2 * first.stress[axis], rtol=1e-3)
    np.testing.assert_allclose(found.stiffness, 3 * first.stiffness, atol=1e-3 * 210_000)
    was, now = (
        dict(zip(first.names, properties.T, strict=True))
        for properties in (first.properties, found.properties)
    )
    for name, factor in (("E_x", 3), ("E_z", 3), ("nu_zx", 1), ("flow_x", 2), ("flow_z", 2)):
        np.testing.assert_allclose(now[name], factor * was[name], rtol=1e-3, err_msg=name)
    solid = 432 + 624 * (1 - np.exp(-0.002 * 60))
    np.testing.assert_allclose([now["yield_x"][0], now["yield_z"][0]], solid, rtol=1e-3)
    assert now["yield_z"][1] < solid


@pytest.mark.parametrize("law", [ALIKE, OTHER])
def test_labels_are_those_of_the_law_alone(solver: Solver, law: np.ndarray) -> None:
    """Solved in the units of the reference beside an SVE of the reference itself, or as the only
    material, on its own strains: the same labels to 1e-3.
    """
    laws = np.stack([laws_of(REFERENCE, 1)[0], law])
    both = sves()[[1, 1]]
    found = label(both, REFERENCE, TENSION, solver, laws=laws)
    own = tuple(strains_of(law[None], REFERENCE, np.array(STRAIN))[0])
    alone = label(both[:1], Material(*law), Tension(TENSION.axes, own), solver)
    np.testing.assert_allclose(found.properties[1], alone.properties[0], rtol=1e-3)
    np.testing.assert_allclose(found.stiffness[1], alone.stiffness[0], atol=1e-3 * law[0])
    for axis in "xz":
        np.testing.assert_allclose(found.stress[axis][1], alone.stress[axis][0], rtol=1e-3)
    plain = label(both[:1], REFERENCE, TENSION, solver)
    np.testing.assert_allclose(found.properties[0], plain.properties[0], rtol=1e-3)


def test_a_law_whose_curve_ends_early_is_late(solver: Solver) -> None:
    """Strains to 0.6 % of the reference are 0.13 % of a soft law, before its yield at 0.2 %."""
    soft = np.array([70_000.0, 0.33, 45.0, 0.0, 0.0])
    laws = np.stack([laws_of(REFERENCE, 1)[0], soft])
    found = label(sves()[[0, 0]], REFERENCE, Tension(("z",), (0.003, 0.006)), solver, laws=laws)
    assert set(found.late) == {1}
    assert isinstance(found.late[1], ConfigError)
    assert str(found.late[1]) == (
        "strain: expected to go on until the 0.2 % yield of SVE 1 along z, received 0.00125 as the"
        " last"
    )


def test_printed_alloys_are_drawn_within_their_ranges() -> None:
    """Of 600 draws each lies within the ranges of an alloy, and each of the alloys has at least 60,
    4 standard deviations of 9.1 below 100. Every range gives a material.
    """
    rng = np.random.default_rng(0)
    drawn = [draw_printed(rng) for _ in range(600)]
    counts = np.zeros(len(PRINTED), int)
    for law in drawn:
        assert tuple(law) == LAW
        inside = [
            all(low <= law[name] <= high for name, (low, high) in ranges.items())
            for ranges in PRINTED.values()
        ]
        assert any(inside)
        counts += inside
        Material(**law)
    assert counts.min() >= 60
    assert np.ptp([law["E"] for law in drawn]) > 100_000
    for ranges in PRINTED.values():
        assert tuple(ranges) == LAW
        assert all(low < high for low, high in ranges.values())
