"""Materials of a few bins answer as each one's own within the tolerance."""

from __future__ import annotations

import numpy as np
import pytest

from svevae.errors import ConfigError
from svevae.meshes.bins import Curves, binned

STRAIN = np.geomspace(1e-3, 0.1, 12)


def curves(count: int, seed: int = 0) -> Curves:
    """Aluminium with pores: E, nu, yield and hardening fall together, each with a scatter."""
    random = np.random.default_rng(seed)
    porosity = random.uniform(0, 0.2, count)
    E = 70e3 * (1 - porosity) ** 2 * random.normal(1, 0.001, count)
    yields = 200 * (1 - porosity) ** 1.5 * random.normal(1, 0.001, count)
    nu = 0.33 - 0.1 * porosity
    plastic = np.maximum(0, STRAIN - yields[:, None] / E[:, None])
    stress = np.minimum(E[:, None] * STRAIN, yields[:, None] * (1 + plastic) ** 8)
    return Curves(STRAIN, E, nu, np.maximum.accumulate(stress, axis=1))


def strange(seed: int) -> Curves:
    """Groups of SVEs that are nearly alike, some of them very weak: E from 1 MPa on, curves that
    yield before the first strain, and harden after, here and there as steeply as is possible.
    """
    random = np.random.default_rng(seed)
    groups, own, points = 40, 8, len(STRAIN)
    E = 10 ** random.uniform(0, 5, (groups, 1))
    steep = random.uniform(0, 1, (groups, points)) ** random.integers(1, 12, (groups, 1))
    steep[random.random((groups, points)) < 0.2] = 1.0
    # the least share is not what plastic strains that grow cannot follow
    steep = 1e-4 + (1 - 2e-4) * np.repeat(steep, own, axis=0)
    scatter = random.normal(1, 4e-4, (groups * own, points))
    E = np.repeat(E, own, axis=0) * random.normal(1, 4e-4, (groups * own, 1))
    steps = E * np.diff(STRAIN, prepend=0) * np.minimum(steep * scatter, 1 - 1e-4)
    nu = random.uniform(0.05, 0.35) + random.normal(0, 1e-4, groups * own)
    return Curves(STRAIN, E[:, 0], nu, np.cumsum(steps, axis=1))


@pytest.mark.parametrize("seed", range(12))
def test_stress_is_within_the_tolerance_however_weak(seed: int) -> None:
    """At the strains of the table, with each curve as it is."""
    own = strange(seed)
    bins = binned(own, 0.002)
    off = np.abs(bins.curves.tension(STRAIN, bins.slack)[bins.which] / own.stress - 1)
    assert off.max() <= 0.002
    assert bins.error <= 0.002
    for modulus in ((lambda one: one.E), (lambda one: one.E / (1 - 2 * one.nu))):
        np.testing.assert_allclose(modulus(bins.curves)[bins.which], modulus(own), rtol=0.002)
    assert len(bins.curves) < 0.6 * len(own)


@pytest.mark.parametrize("tolerance", [0.002, 0.02])
def test_stress_is_within_the_tolerance(tolerance: float) -> None:
    """At strains between those of the table and beyond, too."""
    own, at = curves(300), np.linspace(1e-4, 0.15, 700)
    bins = binned(own, tolerance)
    off = np.abs(bins.curves.tension(at, bins.slack)[bins.which] / own.tension(at) - 1)
    assert off.max() < tolerance + 5e-5  # LEAST moves strains where all is elastic
    assert off.max() - 5e-5 < bins.error < tolerance + 5e-5
    pressure = [one.E / (1 - 2 * one.nu) for one in (bins.curves, own)]
    np.testing.assert_allclose(pressure[0][bins.which], pressure[1], rtol=tolerance)


def test_a_larger_error_needs_fewer_bins() -> None:
    own = curves(300)
    counts = [len(binned(own, tolerance).curves) for tolerance in (1e-9, 0.002, 0.02, 0.9)]
    assert counts[0] == 300
    assert counts[3] == 1
    assert sorted(counts, reverse=True) == counts


def test_what_is_alike_is_one_material() -> None:
    """Its own, to the last digits."""
    one = curves(1)
    same = Curves(STRAIN, *(np.repeat(value, 5, axis=0) for value in (one.E, one.nu, one.stress)))
    bins = binned(same, 0.002)
    assert bins.which.tolist() == [0] * 5
    assert bins.curves.nu[0] == pytest.approx(one.nu[0], rel=1e-12)
    np.testing.assert_allclose(bins.curves.stress, one.stress, rtol=1e-12)


def test_plastic_strains_begin_at_zero_and_grow() -> None:
    """Of a table without the points that are as good as elastic."""
    own = curves(50)
    for slack, least in ((0.0, 5), (0.001, 5), (0.2, 2)):
        tables = [own.table(k, slack) for k in range(50)]
        assert all(plastic[0] == 0 and (np.diff(plastic) > 0).all() for _, plastic in tables)
        assert min(len(plastic) for _, plastic in tables) >= least
    whole, short = (len(own.table(0, slack)[0]) for slack in (0.0, 0.2))
    assert short < whole


def test_proof_stress() -> None:
    """At a plastic strain of 0.2 %, here half-way to the second point; of a material that does not
    flow so far its last stress.
    """
    strain, stress = np.array([0.003, 0.004 + 230 / 70e3]), np.array([[210.0, 230.0]])
    own = Curves(strain, np.array([70e3]), np.array([0.3]), stress)
    assert own.proof(0.002) == pytest.approx(220.0)
    assert own.proof(0.1) == pytest.approx(230.0)


def test_bad_tolerance() -> None:
    with pytest.raises(ConfigError, match="bins: expected a tolerance between 0 and 1, received 0"):
        binned(curves(2), 0)
