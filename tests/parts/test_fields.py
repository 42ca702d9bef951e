"""Property fields: the materials they stand for, the files they are written as. A stand-in for the
predictor gives known values.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pandas as pd
import pytest

from svevae.errors import DataError
from svevae.model.latent import Prediction, Response
from svevae.parts.fields import Law, PropertyField, material_of
from svevae.physics.homogenize import Settings
from svevae.physics.part import pull
from svevae.physics.voce import voce_curve
from tests.contracts import make_contract

NAMES, UNITS = ("E_z", "nu_zx", "nu_zy", "yield_z", "flow_z"), ("MPa", "-", "-", "MPa", "MPa")
LAW = Law((0.03,), 40.0, 0.33)
STRAIN = np.array([0.001, 0.004, 0.01, 0.02])


def field(shape: tuple[int, int, int] = (2, 2, 3)) -> PropertyField:
    """One law everywhere: E 65 GPa, nu 0.31, s0 200, Q 280."""
    strength = 200 + 280 * (1 - np.exp(-40 * 0.002))
    flow = voce_curve(65e3, 200.0, 280.0, 40.0, np.array([0.03]))[0]
    values = np.broadcast_to([65e3, 0.30, 0.32, strength, flow], (*shape, 5)).copy()
    return PropertyField.known(NAMES, UNITS, values, np.full(shape, 0.03), 320.0)


def test_a_homogeneous_field_is_pulled_as_its_law_says() -> None:
    """From properties to constants to the solver and back: the free bar's curve is that of the
    law.
    """
    found = pull(
        material_of([field()], LAW, refine=2),
        np.ones((4, 4, 6), bool),
        STRAIN,
        grip=0,
        settings=Settings("float64", tolerance=1e-8),
    )
    np.testing.assert_allclose(
        found.stress[0], voce_curve(65e3, 200.0, 280.0, 40.0, STRAIN), rtol=1e-6
    )
    assert found.lateral[0, 0] / found.strain[0, 0] == pytest.approx(-0.31, rel=1e-6)


MATRIX = (70e3, 0.33, 216.0, 312.0, 40.0)
KNOTS = np.array([0.0008, 0.0023, 0.0043, 0.0092, 0.02, 0.03])
CURVE = np.array([52.0, 147.0, 205.0, 235.0, 300.0, 340.0])  # gradual, as stiff as E_z says


def curved(shape: tuple[int, int, int] = (2, 2, 3)) -> PropertyField:
    """Predicted by a model of curves along x and z: the code of an SVE, 1 to 0.9, is its share of
    CURVE and of the properties.
    """

    def response(latent: np.ndarray) -> Response:
        stress = latent[:, :1] * CURVE
        both = np.stack([np.zeros_like(stress), stress], axis=1)
        return Response(np.tile(KNOTS, (len(latent), 1)), both, 0 * both, np.zeros(0))

    def prediction(latent: np.ndarray) -> Prediction:
        values = latent[:, :1] * [1.0, 65e3, 0.31 / latent[0, 0], 220.0, CURVE[-1]]
        return Prediction(values, 0.01 * values, latent[:, 0])

    model = SimpleNamespace(
        n=4,
        voxel_size=80.0,
        names=("E_x", "E_z", "nu_zx", "yield_z", "flow_z"),
        units=("MPa", "MPa", "-", "MPa", "MPa"),
        prediction=prediction,
        response=response,
        contract=make_contract(law=MATRIX),
    )
    latent = np.linspace(1.0, 0.9, int(np.prod(shape))).reshape(*shape, 1)
    return PropertyField.predicted(model, latent, np.full(shape, 0.03))


def test_a_part_of_one_curve_has_that_curve() -> None:
    """From the predicted response to the table to the solver and back, at each strain."""
    field = curved((1, 1, 2)).homogeneous()
    strain = KNOTS[1:]
    found = pull(
        material_of([field], LAW, refine=2),
        np.ones((2, 2, 4), bool),
        strain,
        grip=0,
        settings=Settings("float64", tolerance=1e-8),
    )
    np.testing.assert_allclose(found.stress[0], 0.95 * CURVE[1:], rtol=1e-4)
    without = replace(field, hardening=None)
    assert material_of([field, without], LAW).hardening is None


def test_drawn_curves_move_with_yield_and_flow_stress() -> None:
    """Up to the yield stress as that, at the flow stress as this; what is not drawn stays."""
    some = curved()
    some.std[..., :2] = 0.0
    drawn, names = some.drawn(np.random.default_rng(0)), some.names
    before, after = some.hardening, drawn.hardening
    assert before is not None
    assert after is not None
    np.testing.assert_array_equal(after.strain, before.strain)
    shares = (drawn.values / some.values)[..., [names.index("yield_z"), names.index("flow_z")]]
    assert shares.std() > 0.003
    for name, share in (("yield_z", shares[..., 0]), ("flow_z", shares[..., 1])):
        for at in np.ndindex(some.porosity.shape):
            old, new = before.stress[(0, *at)], after.stress[(0, *at)]
            stress = some.column(name)[at]
            assert np.interp(stress, old, new) / stress == pytest.approx(share[at], rel=2e-3)
    np.testing.assert_allclose((after.stress / before.stress)[0, ..., 0], shares[..., 0])


def test_air_is_void() -> None:
    some = field()
    some.porosity[0, 0, 0] = 0.9
    assert not some.solid[0, 0, 0]
    constants = some.constants(LAW)
    assert all(value[0, 0, 0] == 0 for value in constants.values())
    assert constants["E"][1, 1, 1] == 65e3


def test_standard_deviations_are_those_of_drawn_fields() -> None:
    """By the delta method, against 4,000 draws."""
    shape = (20, 20, 10)
    some = field(shape)
    some.std[:] = (500.0, 0.004, 0.006, 2.0, 4.0)
    drawn = some.drawn(np.random.default_rng(0)).constants(LAW)
    for name, std in some.constants_std(LAW).items():
        assert drawn[name].std() == pytest.approx(std[0, 0, 0], rel=0.05), name


def test_homogeneous_is_the_mean_of_the_material() -> None:
    some = field()
    some.values[0, 0, 0, 0] = 35e3
    some.porosity[1, 1, 2] = 0.9
    some.values[1, 1, 2, 0] = 1.0
    np.testing.assert_allclose(some.homogeneous().column("E_z"), (10 * 65e3 + 35e3) / 11)


def test_encoding_keeps_each_sve_in_its_place() -> None:
    """The stand-in's latent code is the porosity, its one property ten times that."""

    def prediction(latent: np.ndarray) -> Prediction:
        return Prediction(10 * latent, latent, latent[:, 0])

    model = SimpleNamespace(
        n=4,
        voxel_size=10.0,
        names=("E_z",),
        units=("MPa",),
        encode=lambda v: (v.mean((1, 2, 3))[:, None], None),
        prediction=prediction,
        contract=make_contract(),
    )
    pores = (np.random.default_rng(0).random((8, 4, 12)) < np.linspace(0, 1, 12)).astype(np.uint8)
    found = PropertyField.encoded(model, pores)
    assert (found.porosity.shape, found.edge) == ((2, 1, 3), 40.0)
    assert found.porosity[1, 0, 2] == pores[4:, :, 8:].mean()
    np.testing.assert_allclose(found.column("E_z"), 10 * found.porosity)
    with pytest.raises(DataError, match="a multiple of 4 voxels along each axis, received"):
        PropertyField.encoded(model, pores[:7])


def test_files(tmp_path: Path) -> None:
    some = field()
    some.write(tmp_path / "bar.csv", LAW)
    table = pd.read_csv(tmp_path / "bar.csv", index_col="sve")
    assert list(table.columns[:8]) == [
        "x [um]",
        "y [um]",
        "z [um]",
        "E [MPa]",
        "porosity",
        "nu",
        "s0 [MPa]",
        "Q [MPa]",
    ]
    assert tuple(table.iloc[-1, :3]) == (480.0, 480.0, 800.0)
    assert table["s0 [MPa]"].iloc[0] == pytest.approx(200, rel=1e-6)
    some.write(tmp_path / "bar.vtkhdf", LAW)
    with h5py.File(tmp_path / "bar.vtkhdf") as file:
        assert file["VTKHDF/CellData/Q"].shape == (3, 2, 2)
        np.testing.assert_allclose(file["VTKHDF"].attrs["Spacing"], 320)
        np.testing.assert_allclose(file["VTKHDF/CellData/Q"][:], 280, rtol=1e-5)


def test_curves_are_columns(tmp_path: Path) -> None:
    """At the strains of the labels, and none in the void."""
    some, law = curved(), Law(tuple(KNOTS), 40.0, 0.33)
    some.porosity[1, 1, 2] = 0.9
    some.write(tmp_path / "bar.csv", law)
    table = pd.read_csv(tmp_path / "bar.csv", index_col="sve")
    assert list(table.columns[-6:]) == [f"stress_{strain:g} [MPa]" for strain in KNOTS]
    np.testing.assert_allclose(table["stress_0.0092 [MPa]"].iloc[0], 235, rtol=1e-5)
    assert not table.iloc[-1, -6:].any()
    some.write(tmp_path / "bar.vtkhdf", law)
    with h5py.File(tmp_path / "bar.vtkhdf") as file:
        np.testing.assert_allclose(file["VTKHDF/CellData/stress_0.03"][0, 0, 0], 340, rtol=1e-5)


def test_what_is_missing_is_named() -> None:
    bare = PropertyField.known(
        ("E_z", "yield_z"), ("MPa", "MPa"), np.ones((1, 1, 1, 2)), np.zeros((1, 1, 1)), 320.0
    )
    with pytest.raises(DataError, match="flow_z: expected one of E_z, yield_z"):
        bare.constants(LAW)
    no_nu = PropertyField.known(
        ("E_z", "yield_z", "flow_z"),
        ("MPa",) * 3,
        np.ones((1, 1, 1, 3)),
        np.zeros((1, 1, 1)),
        320.0,
    )
    with pytest.raises(DataError, match="nu_z: expected a Poisson's ratio"):
        no_nu.constants(LAW)
