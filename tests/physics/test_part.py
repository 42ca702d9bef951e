"""Parts between grips, against closed forms: bars in series and in parallel, a free bar, what grips
take of the elongation.
"""

from __future__ import annotations

import numpy as np
import pytest

from svevae.errors import ConfigError, DataError, SolverError
from svevae.physics.elasticity import PRESETS, Material, PorousMaterial
from svevae.physics.hardening import Hardening
from svevae.physics.homogenize import Loading, Path, Settings, Solver
from svevae.physics.part import block_means, pull
from svevae.physics.voce import voce_curve

EXACT = Settings("float64", elastic_tolerance=1e-9, tolerance=1e-8)
STRAIN = (0.0005, 0.002, 0.004, 0.007, 0.012, 0.02)
MATRIX = PRESETS["as-built-z"]
BAR = np.ones((3, 2, 6), bool)


def test_a_free_bar_is_under_uniaxial_stress() -> None:
    """Without grips a homogeneous bar in void follows the curve of its material, contracts by nu
    and flows without volume change.
    """
    found = pull(MATRIX, BAR, STRAIN, grip=0, settings=EXACT)
    stress = voce_curve(MATRIX.E, MATRIX.s0, MATRIX.Q, MATRIX.b, np.array(STRAIN))
    np.testing.assert_allclose(found.strain[0], STRAIN, rtol=1e-12)
    np.testing.assert_allclose(found.stress[0], stress, rtol=1e-6)
    plastic = np.array(STRAIN) - stress / MATRIX.E
    np.testing.assert_allclose(
        found.lateral[0], -(MATRIX.nu * stress / MATRIX.E + plastic / 2), rtol=1e-6
    )
    np.testing.assert_allclose(
        found.plastic[0], plastic[:, None, None, None] * np.ones(BAR.shape), rtol=1e-5, atol=1e-9
    )
    assert found.stiffness == pytest.approx(MATRIX.E)
    assert found.yield_stress == pytest.approx(
        MATRIX.s0 + MATRIX.Q * (1 - np.exp(-MATRIX.b * 0.002)), rel=2e-3
    )
    assert found.at(0.002) == pytest.approx(stress[1], rel=1e-6)
    assert found.lateral_at(0.002) == pytest.approx(found.lateral[0, 1])


def test_tables_stand_in_their_places() -> None:
    """A strong half beside a weak one: the grips, which never yield, stretch both alike, and the
    load is near the mean of their curves, which the ends, held by the grips, do not follow.
    """
    modulus, nu = 70e3, 0.0  # and flow without contraction, so that neither half holds the other
    stress = np.array([[100.0, 150.0], [200.0, 260.0]])[:, None, None].repeat(3, 1).repeat(6, 2)
    table = Hardening(np.array([0.0, 0.06]), stress[None])
    material = PorousMaterial(modulus, nu, nu_p=0.0, hardening=table)
    found = pull(material, np.ones((2, 3, 6), bool), STRAIN, grip=2, settings=EXACT)
    moduli = np.full((1, 2, 3, 6), modulus)
    for k, strain in enumerate(found.strain[0]):
        expected = table.tension(moduli, np.array([strain])).mean()
        assert found.stress[0, k] == pytest.approx(expected, rel=0.02)


def test_layers_in_series_and_columns_in_parallel() -> None:
    """Compliances add along the bar where nothing contracts (nu = 0); stiffnesses add across it
    where all contract alike.
    """
    layers = np.broadcast_to(np.array([70e3, 35e3] * 3), (1, *BAR.shape))
    series = pull(Material(layers, 0.0), BAR, STRAIN[:1], grip=0, settings=EXACT)
    assert series.stiffness == pytest.approx(1 / np.mean(1 / layers), rel=1e-6)
    columns = np.broadcast_to(np.array([70e3, 50e3, 30e3])[:, None, None], (1, *BAR.shape))
    parallel = pull(Material(columns, 0.3), BAR, STRAIN[:1], grip=0, settings=EXACT)
    assert parallel.stiffness == pytest.approx(50e3, rel=1e-6)


def test_a_part_answers_alike_in_any_company() -> None:
    """Beside one that is ten times as stiff, in one batch."""
    fields = np.array([70e3, 7e3])[:, None, None, None] * np.linspace(1, 0.8, 36).reshape(
        1, *BAR.shape
    )
    fields[1, 2, :, 2:4] = 0.0  # air, where the other one is
    nu, outline = np.where(fields > 0, 0.33, 0.0), fields[1] > 0
    both = pull(Material(fields, nu, 100.0, 50.0, 40.0), BAR, STRAIN[:3], grip=1, settings=EXACT)
    alone = pull(
        Material(fields[1:], nu[1:], 100.0, 50.0, 40.0), outline, STRAIN[:3], grip=1, settings=EXACT
    )
    for name in ("strain", "stress", "plastic"):  # the lateral strain is the mean over the outline
        np.testing.assert_allclose(
            getattr(both, name)[1], getattr(alone, name)[0], rtol=1e-5, atol=1e-9
        )


def test_the_elongation_of_the_grips_is_no_strain_of_the_part() -> None:
    """Parts of different moduli are as stiff as their moduli say, since grips scale with the part;
    with the grips' share of the elongation a part would be outside of the bounds of free and of
    held sides.
    """
    one, other = (
        pull(Material(E, 0.33), BAR, STRAIN[:1], grip=2, settings=EXACT) for E in (70e3, 7e3)
    )
    assert one.stiffness / other.stiffness == pytest.approx(10, rel=1e-6)
    assert one.strain[0, 0] > STRAIN[0]  # the grips are stiffer, so the part has more than the mean
    # between free and held sides
    assert 70e3 < one.stiffness[0] < 70e3 * (1 - 0.33) / ((1 + 0.33) * (1 - 0.66))


@pytest.mark.slow
def test_elements_converge() -> None:
    """Whatever the void beside the part: its width follows from the Fourier transform's needs, and
    nothing else may depend on it.
    """

    def stiffness(refine: int) -> float:
        outline = np.ones((2 * refine, 2 * refine, 4 * refine), bool)
        return float(
            pull(Material(70e3, 0.33), outline, STRAIN[:1], grip=refine, settings=EXACT).stiffness[
                0
            ]
        )

    errors = np.abs(np.diff([stiffness(refine) for refine in (1, 2, 4)]))
    assert (errors[1:] < 0.6 * errors[:-1]).all()


def test_pores_and_fields_of_a_batch_are_those_of_its_parts() -> None:
    pores = (np.random.default_rng(0).random((2, *BAR.shape)) < 0.1).astype(np.uint8)
    both = pull(MATRIX, BAR, STRAIN[:3], pores, settings=EXACT)
    alone = pull(MATRIX, BAR, STRAIN[:3], pores[1:], settings=EXACT)
    np.testing.assert_allclose(both.stress[1], alone.stress[0], rtol=1e-6)
    material = Material(MATRIX.E * (pores == 0), MATRIX.nu, MATRIX.s0, MATRIX.Q, MATRIX.b)
    np.testing.assert_allclose(
        pull(material, BAR, STRAIN[:3], settings=EXACT).stress, both.stress, rtol=1e-6
    )
    assert (both.stress[:, 0] < pull(MATRIX, BAR, STRAIN[:1], settings=EXACT).stress[0, 0]).all()


def test_blocks() -> None:
    field = np.arange(2 * 4 * 2 * 6, dtype=float).reshape(2, 4, 2, 6)
    assert block_means(field, 2).shape == (2, 2, 1, 3)
    assert block_means(field, 2)[1, 1, 0, 2] == field[1, 2:, :, 4:].mean()


def test_what_cannot_be_pulled() -> None:
    cut_through = np.zeros((1, *BAR.shape), np.uint8)
    cut_through[:, :, :, 3] = 1
    with pytest.raises(
        DataError,
        match="bar 7: expected material that leads from grip to grip, found no load path along z",
    ):
        pull(MATRIX, BAR, STRAIN, cut_through, names=["bar 7"])
    with pytest.raises(
        DataError, match=r"pores: expected shape \(part, 3, 2, 6\), received \(3, 2, 6\)"
    ):
        pull(MATRIX, BAR, STRAIN, cut_through[0])
    with pytest.raises(DataError, match="outline: expected a part"):
        pull(MATRIX, np.zeros((3, 2, 6), bool), STRAIN)
    with pytest.raises(
        DataError, match=r"block: expected one that divides \(3, 2, 6\), received 2"
    ):
        pull(MATRIX, BAR, STRAIN, block=2)
    table = Hardening(np.array([0.0, 0.01]), np.full((1, 2, 2, 6, 2), 100.0))
    with pytest.raises(
        DataError,
        match=r"hardening.stress: expected shape \(part, 3, 2, 6\), received \(1, 2, 2, 6\)",
    ):
        pull(PorousMaterial(70e3, 0.33, hardening=table), BAR, STRAIN)
    with pytest.raises(DataError, match="one number of parts"):
        pull(Material(np.ones((3, *BAR.shape)), 0.3), BAR, STRAIN, np.zeros((2, *BAR.shape)))
    with pytest.raises(
        ConfigError, match=r"strain: expected to reach 0.05, received parts that end at 0.02"
    ):
        pull(MATRIX, BAR, STRAIN, grip=0).at(0.05)


def test_an_increment_that_does_not_converge_is_halved(monkeypatch: pytest.MonkeyPatch) -> None:
    """A porous bar whose solver gives up in the fourth increment once: the same curve, from twice
    as many increments.
    """
    pores = (np.random.default_rng(1).random((1, 6, 6, 12)) < 0.05).astype(np.uint8)
    outline, told, given = np.ones((6, 6, 12), bool), [], []
    whole = pull(MATRIX, outline, STRAIN, pores, grip=2, block=2)
    path = Solver.path

    def moody(solver: Solver, material: Material, loading: Loading, **how: object) -> Path:
        given.append(len(loading.strain))
        if len(given) == 1:
            path(solver, material, Loading.prescribed_strain(loading.strain[:3]), **how)
            raise SolverError("part 0, increment 3: residual 0.06 after 8 Newton iterations")
        return path(solver, material, loading, **how)

    monkeypatch.setattr(Solver, "path", moody)
    halved = pull(MATRIX, outline, STRAIN, pores, grip=2, block=2, report=told.append)
    assert given == [6, 12]
    assert told == [0, 1, 2, *np.repeat(range(6), 2)]
    np.testing.assert_allclose(halved.strain, whole.strain, rtol=1e-3)
    np.testing.assert_allclose(halved.stress, whole.stress, rtol=2e-3)
    np.testing.assert_allclose(halved.plastic, whole.plastic, atol=2e-4)
    assert halved.iterations.shape == whole.iterations.shape
