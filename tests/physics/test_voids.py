"""Periodic arrays of spherical voids: the series against closed forms, the kept table against the
series, bounds and the dilute limit, and the page against the kept table.
"""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
from benchmarks import void_series, voids
from benchmarks.void_series import moduli_by_series

from tests.deps import ROOT

KEPT: dict[str, Any] = json.loads(voids.RESULT.read_text(encoding="utf-8"))
CASES = [
    (nu, lattice, porosity)
    for nu in voids.POISSON
    for lattice in voids.CENTRES
    for porosity in voids.POROSITIES
]


def kept(nu: float, lattice: str, porosity: float) -> dict[str, Any]:
    return KEPT[f"nu {nu:g}"][lattice][f"{porosity:g}"]


@pytest.mark.parametrize("lattice", voids.CENTRES)
def test_cells_have_their_porosity_in_round_voids(lattice: str) -> None:
    """Every void has the same voxels, all those whose centres lie within one radius, none else."""
    count = len(voids.CENTRES[lattice])
    for n, shift in ((16, 0), (18, 3)):
        voxels = voids.cell(lattice, 0.2, n, shift)
        assert voxels.sum() == pytest.approx(0.2 * n**3, abs=count / 2)
        for centre in voids.CENTRES[lattice]:
            moved = np.roll(voxels, [round(n * x) for x in centre], axis=(0, 1, 2))
            np.testing.assert_array_equal(moved, voxels)
        moved = (shift + 1) * voids.PLASTIC ** -np.arange(1.0, 4.0) % 1
        to_centres = [
            np.linalg.norm(
                (np.argwhere(voxels == pore) + 0.5 - moved - n * c + n / 2) % n - n / 2, axis=1
            )
            for c in np.array(voids.CENTRES[lattice])
            for pore in (1, 0)
        ]
        inside, outside = (np.min(to_centres[first::2], axis=0) for first in (0, 1))
        assert inside.max() < outside.min()
    assert not np.array_equal(voids.cell(lattice, 0.2, 16, 0), voids.cell(lattice, 0.2, 16, 1))


@pytest.mark.parametrize("lattice", voids.CENTRES)
@pytest.mark.parametrize("nu", [0.0, 0.3, 0.45])
def test_the_first_bound_of_the_series_is_known(lattice: str, nu: float) -> None:
    """With uniform strains in the voids K of any cubic array is Hashin and Shtrikman's bound, and
    few voids take from the shear moduli what Mackenzie's single void does.
    """
    for porosity in (0.1, 0.4):
        bulk = moduli_by_series(lattice, porosity, nu, degree=1)[0]
        assert bulk == pytest.approx(voids.hashin_shtrikman(porosity, nu)[0], abs=1e-7)
    taken = (1 - moduli_by_series(lattice, 1e-5, nu, degree=3)) / 1e-5
    np.testing.assert_allclose(taken, voids.dilute(nu)[[0, 1, 1]], rtol=1e-4)


def test_bounds_of_the_series_fall_and_do_not_depend_on_the_window(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bounds = np.array([moduli_by_series("face-centred", 0.4, 0.3, d) for d in (1, 3, 5, 7)])
    falls = -np.diff(bounds, axis=0)
    assert (falls > 0).all()
    assert (falls[-1] < 5e-4).all()
    monkeypatch.setattr(void_series, "SHARP", 11.0)
    other = moduli_by_series("face-centred", 0.4, 0.3, 5)
    np.testing.assert_allclose(other, bounds[2], atol=1e-8)


def test_the_series_refuses_voids_that_touch() -> None:
    with pytest.raises(ValueError, match="touch"):
        moduli_by_series("simple cubic", 0.53, 0.3)


@pytest.mark.parametrize("lattice", voids.CENTRES)
def test_the_code_gives_the_kept_results(lattice: str) -> None:
    of = kept(0.3, lattice, 0.1)
    np.testing.assert_allclose(voids.solve(lattice, 0.1, 0.3, 32, 0), of["32"][0], atol=1e-5)
    series = moduli_by_series(lattice, 0.1, 0.3, degree=7)  # higher ones change nothing here
    np.testing.assert_allclose(series, of["series"], atol=1e-6)


@pytest.mark.parametrize(("nu", "lattice", "porosity"), CASES)
def test_the_kept_table_is_within_bounds_and_voxels_tend_to_the_series(
    nu: float, lattice: str, porosity: float
) -> None:
    """The Reuss mean of the shear moduli is that of an isotropic solid of many arrays at most, and
    so below the bound. Voxels err by 0.4 % of what voids take at most, and by 5 standard errors.
    """
    of = kept(nu, lattice, porosity)
    assert {n: len(of[f"{n}"]) for n in voids.SHIFTS} == voids.SHIFTS
    exact = np.array(of["series"])
    bulk, shear = voids.hashin_shtrikman(porosity, nu)
    assert exact[0] <= bulk
    assert 5 / (2 / exact[1] + 3 / exact[2]) <= shear
    for n in voids.SHIFTS:  # rough walls are softer
        assert (np.array(of[f"{n}"]) < exact).all()
    exact = np.append(exact, voids.young_100(*exact[:2], nu))
    found, error = voids.extrapolated(of, lattice, porosity, nu)
    assert (np.abs(found - exact) < 0.004 * (1 - exact)).all(), (found, exact)
    assert (np.abs(found - exact) < 5 * error).all(), (found, exact, error)


def test_the_dilute_limit() -> None:
    for nu in voids.POISSON:
        exact = voids.dilute(nu)[[0, 1, 1]]
        for lattice in voids.CENTRES:
            series, voxels = voids.dilute_limits(KEPT, lattice, nu)
            np.testing.assert_allclose(series, exact, rtol=4e-3)
            np.testing.assert_allclose(voxels, exact, rtol=0.006)


def test_the_page_has_the_kept_tables() -> None:
    """Each under its heading, with or without prose between."""
    page = (ROOT / "docs" / "voids.md").read_text(encoding="utf-8")
    for heading, table in voids.tables(KEPT).items():
        under = rf"\n##+ {re.escape(heading)}\n(?:\n[^#|]+)?\n{re.escape(table)}\n"
        assert re.search(under, page), f"{heading}: python -m benchmarks.voids"
