"""Curves of SVEs at strains that all share: what is predicted of them, or Voce's law."""

from __future__ import annotations

import numpy as np
import pytest

from svevae.errors import DataError
from svevae.meshes.bins import binned
from svevae.parts.fields import Law, PropertyField
from svevae.physics.knee import tension_table
from svevae.physics.voce import OFFSET, voce_curve
from svevae.use.mesh_curves import curves_of

MATRIX = (70e3, 0.33, 200.0, 300.0, 40.0)
STRAIN = (0.0008, 0.0023, 0.0043, 0.0092, 0.03)
LAW = Law(STRAIN, 40.0, 0.33)
NAMES, UNITS = ("E_z", "nu_zx", "nu_zy", "yield_z", "flow_z"), ("MPa", "-", "-", "MPa", "MPa")


def field_of(E: np.ndarray, strength: np.ndarray, flow: np.ndarray) -> PropertyField:
    """SVEs without curves, with Poisson's ratios of 0.29 and 0.31 and 20 % pores."""
    values = np.stack([E, np.full(E.shape, 0.29), np.full(E.shape, 0.31), strength, flow], axis=-1)
    return PropertyField.known(NAMES, UNITS, values, np.full(E.shape, 0.2), 40.0)


def with_curves(seed: int, weakest: float, noise: float) -> PropertyField:
    """SVEs whose stresses err beside their moduli, and that are as weak as this, of the matrix."""
    random = np.random.default_rng(seed)
    shape = (4, 5, 10)
    E = MATRIX[0] * weakest ** random.uniform(0, 1, shape)
    elastic = E[..., None] * np.array(STRAIN)
    sharp = 200 * weakest ** random.uniform(0, 1, (*shape, 1))
    stress = elastic / (1 + (elastic / sharp) ** 3) ** (1 / 3)
    stress *= random.normal(1, noise, stress.shape).clip(1 - 3 * noise, 1 + 3 * noise)
    field = field_of(E, stress[..., 2], stress[..., 4])
    table = tension_table(np.array(STRAIN), stress[None], E[None], np.array(MATRIX))
    return PropertyField(**vars(field) | {"hardening": table})


@pytest.mark.parametrize("seed", range(4))
def test_materials_of_predictions_that_contradict_each_other(seed: int) -> None:
    """Stresses up to 3 % above those of elasticity, and SVEs as weak as a thousandth of the matrix:
    materials are within the stated error of what the table of elements has, at all strains.
    """
    field = with_curves(seed, 1e-3, 0.01)
    curves, solid = curves_of(field, LAW)
    assert solid.all()
    bins = binned(curves, 0.002)
    assert bins.error <= 0.002
    made = bins.curves.tension(curves.strain, bins.slack)[bins.which]
    assert field.hardening is not None
    E = field.column("E_z")
    own = field.hardening.tension(E[None], curves.strain).reshape(made.shape)
    assert np.abs(made / own - 1).max() <= 0.002
    near = np.abs(curves.strain - np.array(STRAIN)[:, None]).min(axis=1)
    assert (near < 1e-3 * np.array(STRAIN)).all()  # the strains that the table of elements has


def test_common_strains_of_drawn_properties() -> None:
    """E and the curve err by themselves; at the strains that are shared each has its own stress:
    on the line between its points, and never above elastic.
    """
    field = with_curves(0, 0.5, 0.0)
    field = PropertyField(**vars(field) | {"std": 0.01 * field.values})
    drawn = field.drawn(np.random.default_rng(0))
    curves, solid = curves_of(drawn, LAW)
    assert solid.all()
    assert drawn.hardening is not None
    table = drawn.hardening
    for k in range(8):
        at = (0, *np.unravel_index(k, field.porosity.shape))
        plastic, stress = np.broadcast_to(table.strain, table.stress.shape)[at], table.stress[at]
        total = plastic + stress / curves.E[k]
        expected = np.minimum(curves.E[k] * curves.strain, np.interp(curves.strain, total, stress))
        np.testing.assert_allclose(curves.stress[k], expected)
    best, _ = curves_of(field, LAW)
    assert np.abs(curves.stress / best.stress - 1).max() < 0.06  # of 1 % standard deviation
    assert np.abs(curves.E / best.E - 1).max() > 0.005


def test_voces_law_where_no_curves_are_known() -> None:
    """Through yield at a plastic strain of 0.2 % and flow stress, on the law at its strains and
    near it between; one that is mostly pore has none, nor one without stiffness.
    """
    random = np.random.default_rng(0)
    share = random.uniform(0.2, 1.0, (3, 4, 5))
    E, strength = 70e3 * share, 240 * share**1.2
    E[0, 0, 0] = 0.0
    field = field_of(E, strength, 1.6 * strength)
    field.porosity[1, 1, 1] = 0.7
    curves, solid = curves_of(field, LAW)
    assert np.argwhere(~solid).ravel().tolist() == [0, 26]
    np.testing.assert_allclose(curves.nu, 0.30)
    constants = {name: one.ravel()[solid][:, None] for name, one in field.constants(LAW).items()}
    given = [constants[name] for name in ("E", "s0", "Q", "b")]
    np.testing.assert_allclose(curves.stress, voce_curve(*given, curves.strain))
    assert curves.strain[-1] == pytest.approx(5 * STRAIN[-1])
    assert (np.diff(curves.strain) > 0).all()
    at = np.geomspace(1e-4, 0.15, 4000)
    off = np.abs(curves.tension(at) / voce_curve(*given, at) - 1)
    assert off.max() < 0.008
    np.testing.assert_allclose(curves.proof(OFFSET), strength.ravel()[solid], rtol=2e-3)
    flow = curves.tension(np.array([STRAIN[-1]]))[:, 0]
    np.testing.assert_allclose(flow, 1.6 * strength.ravel()[solid], rtol=2e-3)
    assert binned(curves, 0.002).error <= 0.002


def test_voces_law_of_one_material() -> None:
    """All yield at one strain."""
    E, strength = np.full((1, 1, 2), 70e3), np.full((1, 1, 2), 240.0)
    curves, _ = curves_of(field_of(E, strength, 1.5 * strength), LAW)
    assert (np.diff(curves.strain) > 0).all()
    stress, plastic = curves.table(0)
    assert len(stress) > 20
    assert np.interp(OFFSET, plastic, stress) == pytest.approx(240.0, rel=2e-3)


def test_what_no_deck_can_be_made_of() -> None:
    E = np.full((1, 1, 2), 70e3)
    with pytest.raises(DataError, match="part: expected SVEs with stiffness and strength"):
        curves_of(field_of(0 * E, E, E), LAW)
    alone = PropertyField.known(NAMES[:3], UNITS[:3], np.ones((1, 1, 2, 3)), 0 * E, 40.0)
    with pytest.raises(DataError, match=r"yield_z: expected one of E_z, nu_zx, nu_zy;"):
        curves_of(alone, LAW)
