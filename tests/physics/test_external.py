"""The solver against numbers of others: an exact solution, and a published scan of ductile iron."""

from __future__ import annotations

import numpy as np
import pytest

from svevae.physics.elasticity import Material
from svevae.physics.homogenize import Settings, Solver
from tests.conftest import ROOT

# test/input/3D/ggg40_100.raw of chfem, its graphite (87) one bit a voxel; MIT, see beside it
IRON = ROOT / "tests" / "physics" / "ggg40_100.npz"


def bulk_modulus(n: int, cube: int) -> float:
    """Of a cell of n^3 voxels, K = 1, that has a cube of K = 20 in it, G = 1 in both."""
    bulk, shear = np.ones((1, n, n, n)), 1.0
    bulk[:, :cube, :cube, :cube] = 20.0
    young = 9 * bulk * shear / (3 * bulk + shear)
    poisson = (3 * bulk - 2 * shear) / (6 * bulk + 2 * shear)
    solver = Solver((n, n, n), Settings(dtype="float64", elastic_tolerance=1e-6))
    return float(solver.elastic(Material(E=young, nu=poisson)).stiffness[0, :3, :3].sum() / 9)


def test_equal_shear_moduli() -> None:
    """Where the shear modulus G is the same everywhere, 1 / (K* + 4 G / 3) is the mean of
    1 / (K + 4 G / 3) for any geometry (R. Hill, J. Mech. Phys. Solids 11, 1963): K* = 2.263250.

    The manual of NIST's finite elements (E. Garboczi, NISTIR 6269, 1998) has 2.269684 for 30^3
    voxels. The error falls with the voxels.
    """
    share = (22 / 30) ** 3
    exact = 1 / (share / (20 + 4 / 3) + (1 - share) / (1 + 4 / 3)) - 4 / 3
    assert exact == pytest.approx(2.263250, abs=1e-6)
    coarse, fine = (bulk_modulus(n, cube) / exact - 1 for n, cube in ((15, 11), (30, 22)))
    assert 0 < fine < 0.0012
    assert fine < 0.6 * coarse


def test_ductile_iron() -> None:
    """100^3 voxels of a scan, graphite in steel, loaded along y: the numbers of chfem
    (https://github.com/cortezpedro/chfem, test/input/3D) at a tolerance of 1e-6, in GPa.
    """
    with np.load(IRON) as file:
        bits = np.unpackbits(file["graphite"])
    graphite = bits.reshape(100, 100, 100).transpose(2, 1, 0)[None] == 1
    assert graphite.mean() == pytest.approx(0.1139, abs=5e-5)
    young, poisson = np.where(graphite, 39.7, 210.0), np.where(graphite, 0.2225, 0.3)
    solver = Solver((100, 100, 100), Settings(elastic_tolerance=1e-5))
    column = solver.elastic(Material(E=young, nu=poisson)).stiffness[0, :3, 1]
    np.testing.assert_allclose(column, [94.196, 233.161, 92.879], rtol=1e-3)
