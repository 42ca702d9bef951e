"""The solve on coarse voxels against closed forms, a solver of dense matrices, and symmetries."""

from __future__ import annotations

import numpy as np
import pytest

from svevae.model.coarse_solve import (
    EDGES,
    LAME,
    NU,
    SHEAR,
    STATISTICS,
    VOID,
    coarse_statistics,
)

MODULI, RATIOS, MOMENTS = slice(6, 9), slice(9, 15), slice(15, 30)


def statistics(pores: np.ndarray) -> np.ndarray:
    found = coarse_statistics(pores.shape[1]).predict(pores.astype(np.float32), verbose=0)
    assert found.shape == (len(pores), STATISTICS)
    return found


def test_solid_metal_has_its_own_moduli() -> None:
    found = statistics(np.zeros((1, 8, 8, 8)))[0]
    np.testing.assert_allclose(found[:6], [LAME + 2 * SHEAR] * 3 + [LAME] * 3, rtol=1e-5)
    np.testing.assert_allclose(found[MODULI], 1.0, atol=2e-3)
    np.testing.assert_allclose(found[RATIOS], NU, atol=1e-3)
    distortion = (1 + NU) * np.sqrt(2 / 3)  # of unit tension
    v = [distortion**0.5, distortion, distortion, distortion, 1 - 2 * NU]
    np.testing.assert_allclose(found[MOMENTS], np.repeat(v, 3), rtol=2e-3)


def test_a_laminate_across_z_is_known_in_closed_form() -> None:
    """Layers of solid and half solid metal: stresses across are the same, strains along are."""
    pores = np.zeros((1, 8, 8, 8))
    pores[:, :, :, 4:] = 0.5
    found = statistics(pores)[0]
    stiff = np.array([1.0, 0.25])
    across = 1 / np.mean(1 / (stiff * (LAME + 2 * SHEAR)))
    ratio = LAME / (LAME + 2 * SHEAR)
    along = np.mean(stiff) * (LAME + 2 * SHEAR - ratio * LAME) + ratio**2 * across
    np.testing.assert_allclose(found[2], across, rtol=1e-4)
    np.testing.assert_allclose(found[[0, 1]], along, rtol=1e-4)
    np.testing.assert_allclose(found[[3, 4]], ratio * across, rtol=1e-4)


def dense_stiffness(pores: np.ndarray) -> np.ndarray:
    """(3, 3) between normal strains, by the strain matrix of the staggered grid, written out."""
    n = pores.shape[0]
    solid = np.maximum((1 - pores) ** 2, VOID)
    one = np.eye(n)
    ahead = np.roll(one, 1, axis=1) - one  # row i: u[i + 1] - u[i]
    axes = [
        [
            np.kron(np.kron(*(d if a == i else one for i in range(2))), d if a == 2 else one)
            for a in range(3)
        ]
        for d in (ahead, -ahead.T)
    ]
    forward, backward = axes
    rows, weights = [], []
    zero = np.zeros((n**3, n**3))
    for a in range(3):
        rows.append(np.hstack([forward[a] if b == a else zero for b in range(3)]))
    for a, b in EDGES:
        blocks = [zero] * 3
        blocks[a], blocks[b] = backward[b], backward[a]
        rows.append(np.hstack(blocks))
        edge = sum(np.roll(solid, (i, j), axis=(a, b)) for i in (0, 1) for j in (0, 1)) / 4
        weights.append(SHEAR * edge.ravel())
    matrix = np.vstack(rows)
    s = solid.ravel()
    stress = np.zeros((6 * n**3, 6 * n**3))
    block = lambda i: slice(i * n**3, (i + 1) * n**3)  # noqa: E731
    for a in range(3):
        for b in range(3):
            stress[block(a), block(b)] = np.diag(s * (LAME + 2 * SHEAR * (a == b)))
    for i, weight in enumerate(weights):
        stress[block(3 + i), block(3 + i)] = np.diag(weight)
    loads = np.zeros((6 * n**3, 3))
    for a in range(3):
        loads[block(a), a] = 1.0
    u = np.linalg.lstsq(matrix.T @ stress @ matrix, -matrix.T @ stress @ loads, rcond=None)[0]
    strain = loads + matrix @ u
    return strain.T @ stress @ strain / n**3


def test_it_comes_close_to_the_dense_solution_from_above() -> None:
    pores = (np.random.default_rng(0).random((4, 4, 4)) < 0.2) * 0.6
    exact = dense_stiffness(pores)
    found = statistics(pores[None])[0]
    normal, coupled = found[:3], found[3:6]
    assert (normal >= np.diag(exact) * (1 - 1e-5)).all()
    np.testing.assert_allclose(normal, np.diag(exact), rtol=1e-3)
    np.testing.assert_allclose(coupled, [exact[pair] for pair in EDGES], rtol=2e-3)


@pytest.mark.parametrize("part", [1.0, 0.0])
def test_what_carries_nothing_has_finite_statistics(part: float) -> None:
    pores = np.full((1, 8, 8, 8), part)
    pores[:, :, :, :4] = 1.0
    found = statistics(pores)[0]
    assert np.isfinite(found).all()
    assert found[MODULI][2] < 0.01
