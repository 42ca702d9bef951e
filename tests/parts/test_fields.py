"""Property fields: the materials they stand for, the files they are written as. A stand-in for the
predictor gives known values.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pandas as pd
import pytest

from svevae.errors import DataError
from svevae.model.latent import Prediction
from svevae.parts.fields import Law, PropertyField, material_of
from svevae.physics.homogenize import Settings
from svevae.physics.part import pull
from svevae.physics.voce import voce_curve

NAMES, UNITS = ("E_z", "nu_zx", "nu_zy", "yield_z", "flow_z"), ("MPa", "-", "-", "MPa", "MPa")
LAW = Law(0.03, 40.0, 0.33)
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
