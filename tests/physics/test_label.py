"""Labels: which axes carry load, the 0.2 % yield of curves with a known one, and SVEs whose labels
are the matrix's or zero.
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from scipy.optimize import brentq

from svevae.errors import ConfigError, DataError, SolverError
from svevae.physics.elasticity import PRESETS, Material, isotropic_stiffness
from svevae.physics.homogenize import Loading, Settings, Solver
from svevae.physics.label import Tension, label, proof_strain, property_names, yield_stress
from tests.conftest import REFERENCE
from tests.physics.shapes import SHAPE, cracked, hinged, solid, void

BATCH = 8  # of test_homogenize, for which the solver is compiled once
VOCE = PRESETS["as-built-z"]
TENSION = Tension(("x", "z"), tuple(np.linspace(0.003, 0.03, 10)))


@pytest.fixture(scope="module")
def solver() -> Solver:
    return Solver(SHAPE, Settings("float64"))


def matrix_curve() -> np.ndarray:
    """sigma = s0 + Q (1 - exp(-b p)), p = strain - sigma / E, at the strains of TENSION."""

    def excess(stress: float, strain: float) -> float:
        return stress - VOCE.s0 - VOCE.Q * (1 - np.exp(-VOCE.b * (strain - stress / VOCE.E)))

    return np.array(
        [
            VOCE.E * e if VOCE.E * e < VOCE.s0 else brentq(excess, 0, VOCE.E * e, args=(e,))
            for e in TENSION.strain
        ]
    )


def test_matrix(solver: Solver) -> None:
    """A pore-free SVE: E, nu, the yield and the last point of the matrix's curve, the same along x
    and z; to 1e-3, the tolerance.
    """
    found = label(np.stack([solid()] * BATCH), VOCE, TENSION, solver)
    curve = matrix_curve()
    yields = VOCE.s0 + VOCE.Q * (1 - np.exp(-VOCE.b * 0.002))
    assert found.names == ("E_x", "E_z", "nu_zx", "yield_x", "yield_z", "flow_x", "flow_z")
    assert found.units == ("MPa", "MPa", "-", "MPa", "MPa", "MPa", "MPa")
    exact = [VOCE.E, VOCE.E, VOCE.nu, yields, yields, curve[-1], curve[-1]]
    np.testing.assert_allclose(found.properties, np.tile(exact, (BATCH, 1)), rtol=1e-3)
    np.testing.assert_allclose(found.stress["z"], np.tile(curve, (BATCH, 1)), rtol=1e-3)
    np.testing.assert_allclose(
        found.stiffness,
        np.tile(isotropic_stiffness(VOCE.E, VOCE.nu), (BATCH, 1, 1)),
        rtol=1e-9,
        atol=1e-5,
    )
    assert found.load_path.all()
    assert found.residual.max() <= solver.settings.tolerance


@pytest.mark.parametrize("normal", [0, 2])
def test_cracked_right_through(solver: Solver, normal: int) -> None:
    """Slabs of thickness t that a crack parts: plane stress, so t E, and the matrix's curve times
    t, along x; nothing along z.

    Cracks 1, 2, 4 and 7 voxels wide, at the faces and inside, also with loose voxels in them. And
    the same with x and z exchanged.
    """
    loose, far = cracked(4), cracked(5, 6)
    loose[3, 3, 2] = 0
    far[0, 0, 0] = far[5, 2, 0] = 0
    voxels = np.stack(
        [
            cracked(1),
            cracked(1, 5),
            cracked(2, 7),
            cracked(4),
            cracked(7),
            cracked(7, 4),
            loose,
            far,
        ]
    )
    thickness = 1 - np.array([1, 1, 2, 4, 7, 7, 4, 5]) / 8
    voxels = np.swapaxes(voxels, 3, 1) if normal == 0 else voxels
    found = label(voxels, VOCE, TENSION, solver)
    along, across = ("z", "x") if normal == 0 else ("x", "z")
    values = dict(zip(found.names, found.properties.T, strict=True))
    curve = matrix_curve()
    np.testing.assert_allclose(values[f"E_{along}"], thickness * VOCE.E, rtol=1e-4)
    np.testing.assert_allclose(found.stress[along], np.outer(thickness, curve), rtol=1e-3)
    np.testing.assert_allclose(values[f"flow_{along}"], thickness * curve[-1], rtol=1e-3)
    yields = VOCE.s0 + VOCE.Q * (1 - np.exp(-VOCE.b * 0.002))
    np.testing.assert_allclose(values[f"yield_{along}"], thickness * yields, rtol=1e-3)
    for name in (f"E_{across}", f"yield_{across}", f"flow_{across}"):
        assert np.abs(values[name]).max() == 0
    assert not np.signbit(found.properties[found.properties == 0]).any()
    assert np.abs(found.stress[across]).max() == 0
    assert np.abs(values["nu_zx"]).max() == 0 or normal == 0
    np.testing.assert_array_equal(found.load_path, np.tile(np.arange(3) != normal, (BATCH, 1)))


def test_in_pieces(solver: Solver) -> None:
    """SVEs that are loose voxels, or rods with a gap: labels are zero, with no solve and no
    error.
    """
    found = label(
        np.stack([void((3, 3, 3)), void((slice(0, 7), 3, 5)), void((0, 0, 0), (4, 4, 4))]),
        VOCE,
        TENSION,
        solver,
    )
    for part in (found.properties, found.stiffness, found.residual, *found.stress.values()):
        assert np.abs(part).max() == 0
    assert not found.load_path.any()


def test_hinges_and_slants(solver: Solver) -> None:
    """What hangs together by hinges has no stiffness of its own and no Poisson's ratio: labels
    along z are zero, as for a crack.

    The hinged strut leaves the slabs, which carry at least 5/8 of the matrix's stress along x. A
    slanted rod carries no tension along an axis, since nothing balances the pull aside.
    """
    i, j, _ = np.indices(SHAPE)
    rod = (((i - j) % 8 > 1) | (np.arange(8) > 1)).astype(np.uint8)
    found = label(np.stack([hinged()] * BATCH), VOCE, TENSION, solver)
    values = dict(zip(found.names, found.properties.T, strict=True))
    np.testing.assert_allclose(values["E_x"], 0.6259 * VOCE.E, rtol=1e-3)
    for name in ("E_z", "nu_zx", "yield_z", "flow_z"):
        assert np.abs(values[name]).max() == 0, name
    assert np.abs(label(np.stack([rod] * BATCH), VOCE, TENSION, solver).properties).max() == 0


@pytest.mark.parametrize(("name", "share"), [("edges", 1 / 2), ("corners", 1 / 4)])
def test_voxels_that_hang_by_edges_or_corners(solver: Solver, name: str, share: float) -> None:
    """Solid voxels that touch by edges alone (a checkerboard), or by corners alone (those with
    coordinates that are all even or all odd): each node has a solid voxel on either side along
    every axis, so a uniform strain leaves all in balance. Exactly the share of the matrix.
    """
    i, j, k = np.indices(SHAPE)
    voxels = (i + j + k) % 2 if name == "edges" else (i % 2 != j % 2) | (j % 2 != k % 2)
    assert 1 - voxels.mean() == share
    found = label(np.stack([voxels.astype(np.uint8)] * BATCH), VOCE, TENSION, solver)
    values = dict(zip(found.names, found.properties.T, strict=True))
    for axis in "xz":
        np.testing.assert_allclose(values[f"E_{axis}"], share * VOCE.E, rtol=1e-6)
        exact = np.tile(share * matrix_curve(), (BATCH, 1))
        np.testing.assert_allclose(found.stress[axis], exact, rtol=1e-3)
    assert found.load_path.all()


def test_no_yield_is_an_error(solver: Solver) -> None:
    """What never yields has no 0.2 % yield: an error that names the first axis, not a number. The
    others of its batch have theirs.
    """
    s0 = np.full((2, 1, 1, 1), VOCE.s0)
    s0[0] = np.inf
    found = label(np.stack([solid()] * 2), replace(VOCE, s0=s0), TENSION, solver)
    assert {place: str(error) for place, error in found.late.items()} == {
        0: "strain: expected to go on until the 0.2 % yield of SVE 0 along x, received 0.03 as the"
        " last"
    }
    unknown = [name.startswith("yield_") for name in found.names]
    np.testing.assert_array_equal(np.isnan(found.properties), [unknown, [False] * len(unknown)])


@pytest.mark.parametrize("halves", [False, True])
def test_an_increment_that_does_not_converge_is_named_by_its_strain(
    solver: Solver, halves: bool
) -> None:
    """That of the list, also where the first half of the way there failed, to 0.0045.

    Without Newton iterations what an increment begins with is all: it is in equilibrium as long as
    the matrix is elastic, to 0.0031.
    """
    short, voxels = Solver(SHAPE, replace(solver.settings, newton=0)), np.stack([solid()] * BATCH)
    tension = Tension(("z",), (0.001, 0.003, 0.006, 0.01))
    with pytest.raises(
        SolverError,
        match=(
            r"^SVE 0, tension along z to strain 0\.006: residual \S+ after 0 Newton iterations,"
            r" expected"
        ),
    ):
        label(voxels, VOCE, tension, short, halves=halves)


def test_only_what_carries_load_is_solved() -> None:
    """A batch of whole, cracked, rod-like and loose SVEs: each result goes to its SVE, each solve
    gets its own SVEs and their names.

    The solver here is a stand-in: the stiffness of an SVE is that of its share of solid, its stress
    100 times that plus the axis.
    """
    calls = []

    def share(voxels: np.ndarray) -> np.ndarray:
        return 1 - voxels.mean((1, 2, 3))

    class Elastic(SimpleNamespace):
        def take(self, index: np.ndarray) -> Elastic:
            return Elastic(stiffness=self.stiffness[index])

    class StandIn:
        settings = Settings()

        def elastic(self, material: Material, voxels: np.ndarray, names: np.ndarray) -> Elastic:
            calls.append(("elastic", list(names)))
            return Elastic(
                stiffness=share(voxels)[:, None, None]
                * isotropic_stiffness(material.E, material.nu)
            )

        def path(
            self,
            material: Material,
            loading: Loading,
            voxels: np.ndarray,
            elastic: Elastic,
            names: np.ndarray,
        ) -> SimpleNamespace:
            axis = int(np.argmax(loading.controlled))
            calls.append(("xyz"[axis], list(names)))
            np.testing.assert_allclose(
                elastic.stiffness[:, 3, 3], share(voxels) * VOCE.E / (1 + VOCE.nu)
            )
            stress = np.zeros((len(voxels), len(loading.strain), 6))
            stress[:, :, axis] = 100 * share(voxels)[:, None] + axis
            return SimpleNamespace(
                stress=stress, residual=np.full((len(voxels), 10), 1e-4) * (axis + 1)
            )

    crack_x = np.swapaxes(cracked(2), 0, 2)
    voxels = np.stack(
        [
            void((1, 1, 1)),
            solid(),
            cracked(1),
            crack_x,
            void((0, 0, slice(None))),
            1 - void((3, 3, 3)),
        ]
    )
    found = label(voxels, VOCE, TENSION, StandIn(), names=range(10, 16))
    assert calls == [
        ("elastic", ["11", "12", "13", "14", "15"]),
        ("x", ["11", "12", "15"]),
        ("z", ["11", "13", "14", "15"]),
    ]
    solid_share = share(voxels)
    np.testing.assert_allclose(
        found.stress["x"][:, -1], np.where([0, 1, 1, 0, 0, 1], 100 * solid_share, 0)
    )
    np.testing.assert_allclose(
        found.stress["z"][:, -1], np.where([0, 1, 0, 1, 1, 1], 100 * solid_share + 2, 0)
    )
    np.testing.assert_allclose(found.residual, [0, 3e-4, 1e-4, 3e-4, 3e-4, 3e-4])
    np.testing.assert_allclose(found.properties[:, 0], VOCE.E * solid_share * [0, 1, 1, 0, 0, 1])
    np.testing.assert_allclose(found.properties[:, 1], VOCE.E * solid_share * [0, 1, 0, 1, 1, 1])
    np.testing.assert_array_equal(found.properties[:, 5], found.stress["x"][:, -1])


@pytest.mark.slow
def test_a_mixed_batch(solver: Solver) -> None:
    """Whole and cracked SVEs in one batch with the real solver: the whole ones are the matrix, the
    cracked ones zero along z.
    """
    found = label(
        np.stack([solid(), cracked(1), solid(), void((1, 1, 1)), cracked(4)]), VOCE, TENSION, solver
    )
    np.testing.assert_allclose(
        found.properties[:, 0], VOCE.E * np.array([1, 7 / 8, 1, 0, 1 / 2]), rtol=1e-4
    )
    np.testing.assert_allclose(
        found.stress["z"], np.outer([1, 0, 1, 0, 0], matrix_curve()), rtol=1e-3
    )


# Yield, names, errors


@pytest.mark.parametrize(
    ("strain", "stress", "exact"),
    [
        pytest.param(
            [0.002, 0.004, 0.01], [140, 200, 260], 210, id="between two points"
        ),  # 200 + 1e4 (e - 0.004) = 7e4 (e - 0.002)
        pytest.param(
            [0.01, 0.02], [300, 310], 105, id="from the origin"
        ),  # 3e4 e = 7e4 (e - 0.002)
        pytest.param([0.002, 0.004, 0.005, 0.01], [140, 200, 210, 215], 210, id="at a point"),
        pytest.param([0.002, 0.012], [140, 140], 140, id="perfect plasticity"),
        pytest.param(
            [0.003, 0.008], [240, 190], 218.75, id="after a peak"
        ),  # 240 - 1e4 (e - 0.003) = 7e4 (e - 0.002)
    ],
)
def test_yield_stress(strain: list[float], stress: list[float], exact: float) -> None:
    """Where the piecewise linear curve meets the line of slope E = 70,000 through 0.2 %."""
    assert yield_stress(strain, stress, 7e4) == pytest.approx(exact, rel=1e-12)


def test_yield_stress_of_a_perfectly_plastic_matrix() -> None:
    """Any curve that has reached a plateau by 0.2 % plastic strain: the plateau, whatever the
    modulus and the points before.
    """
    strain = np.array([0.001, 0.003, 0.006, 0.01])
    for modulus in (4e4, 7e4):
        assert yield_stress(strain, np.minimum(modulus * strain, 100), modulus) == pytest.approx(
            100, rel=1e-12
        )


def test_proof_strain() -> None:
    """At p = 0.002 the stress is s0 + Q (1 - exp(-0.002 b)) and the strain that over E and 0.002:
    240 MPa / 60 GPa + 0.002 = 0.006.
    """
    assert proof_strain(
        Material(E=6e4, nu=0.3, s0=140.0, Q=200.0, b=np.log(2) / 0.002)
    ) == pytest.approx(0.006)
    assert proof_strain(Material(E=6e4, nu=0.3)) == np.inf


def test_no_modulus_no_yield() -> None:
    assert yield_stress([0.01], [0.0], 0.0) == 0
    assert yield_stress([0.01], [1.0], -1.0) == 0


def test_a_curve_that_ends_before_yield() -> None:
    with pytest.raises(
        ConfigError,
        match=(
            r"^strain: expected to go on until the 0.2 % yield of the curve, received 0.004 as the"
            r" last$"
        ),
    ):
        yield_stress([0.002, 0.004], [140, 240], 7e4)


def test_property_names() -> None:
    """For curves along x and z the names and units are those of the reference dataset; Poisson's
    ratios need a curve along z.
    """
    with h5py.File(REFERENCE) as file:
        names, units = (tuple(file["properties"].attrs[key]) for key in ("names", "units"))
    assert property_names(("x", "z")) == (names, units)
    assert property_names(("x",)) == (("E_x", "yield_x", "flow_x"), ("MPa",) * 3)
    three = property_names(("x", "y", "z"))
    assert three[0] == (
        "E_x",
        "E_y",
        "E_z",
        "nu_zx",
        "nu_zy",
        "yield_x",
        "yield_y",
        "yield_z",
        "flow_x",
        "flow_y",
        "flow_z",
    )
    assert three[1] == ("MPa",) * 3 + ("-",) * 2 + ("MPa",) * 6


@pytest.mark.parametrize(
    ("axes", "strain", "message"),
    [
        ((), (0.01,), r"tension: expected some of x, y, z, each once, received \[\]"),
        (("x", "w"), (0.01,), r"tension: .* received \['x', 'w'\]"),
        (("x", "x"), (0.01,), "tension"),
        (("x",), (), "strain: expected positive strains"),
        (
            ("x",),
            (0.01, 0.01),
            (
                r"strain: expected positive strains, each above the one before, received \[0.01,"
                r" 0.01\]"
            ),
        ),
        (("x",), (0.02, 0.01), "strain: expected positive strains"),
        (("x",), (0.0, 0.01), "strain: expected positive strains"),
        (("x",), (-0.01, 0.01), "strain: expected positive strains"),
        (("x",), (0.01, np.nan), "strain: expected positive strains"),
        (("x",), (0.01, np.inf), "strain: expected positive strains"),
        (
            ("x",),
            (0.001, 0.0039),
            "strain: expected to end at 0.004 or more, or there is no yield; received 0.0039",
        ),
    ],
)
def test_wrong_tension(axes: tuple[str, ...], strain: tuple[float, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Tension(axes, strain)


def test_wrong_shape(solver: Solver) -> None:
    with pytest.raises(
        DataError, match=r"voxels: expected shape \(sve, 8, 8, 8\), received \(2, 8, 8, 7\)"
    ):
        label(np.zeros((2, 8, 8, 7)), VOCE, TENSION, solver)


@pytest.mark.slow
def test_a_stiffness_field_of_each_sve(solver: Solver) -> None:
    """SVEs of other stiffnesses, one of pores alone among them: the labels of each are those it has
    by itself.
    """
    pores = np.stack([solid(), np.ones_like(solid()), solid()])
    pores[0, 3:5, 3:6, 3] = pores[2, 2:5, 3, 4:6] = 1
    modulus = VOCE.E * np.array([1.0, 1.0, 0.4])[:, None, None, None] * np.ones(pores.shape)
    together = label(pores, replace(VOCE, E=modulus), TENSION, solver)
    np.testing.assert_array_equal(together.load_path, [[True] * 3, [False] * 3, [True] * 3])
    for sve in (0, 2):
        alone = label(
            pores[sve : sve + 1], replace(VOCE, E=float(modulus[sve, 0, 0, 0])), TENSION, solver
        )
        np.testing.assert_allclose(together.properties[sve], alone.properties[0], rtol=1e-3)
    assert not together.properties[1].any()
