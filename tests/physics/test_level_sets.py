"""Level sets of random fields against closed forms, against GSTools and against the reference
dataset.
"""

from __future__ import annotations

from typing import NamedTuple

import gstools
import h5py
import numpy as np
import pytest
from scipy.special import ndtr, ndtri, owens_t

from svevae.physics.level_sets import gaussian_field
from tests.conftest import REFERENCE
from tests.physics.pores import SHAPE, pair_probability, part


def level_set_pair_probability(
    porosity: np.ndarray | float, correlation: float
) -> np.ndarray | float:
    """P(g > t, g' > t) = Phi(-t) - 2 T(t, sqrt((1 - c) / (1 + c))), Owen's T; unit Gaussians of
    correlation c, Phi(-t) = porosity.
    """
    t = -ndtri(porosity)
    return ndtr(-t) - 2 * owens_t(t, np.sqrt((1 - correlation) / (1 + correlation)))


class _Impulse(NamedTuple):
    """Stands for a random generator: its white noise is 1 at one voxel."""

    voxel: int

    def standard_normal(self, shape: tuple[int, int, int]) -> np.ndarray:
        noise = np.zeros(shape)
        noise.flat[self.voxel] = 1
        return noise


@pytest.mark.parametrize("lengths", [(2.0, 2.0, 4.0), (1.0, 3.0, 5.0)])
def test_covariance_of_the_field_is_exact(lengths: tuple[float, float, float]) -> None:
    """The field is linear in its white noise, so its responses R to unit impulses give its
    covariance R R^T without sampling.

    Exact: GSTools' Gaussian model, which is exp(-(r/l)^2) when it does not rescale l; voxel by
    voxel, without a trace of periodicity.
    """
    shape = (6, 7, 5)
    response = np.stack(
        [gaussian_field(shape, _Impulse(voxel), lengths).ravel() for voxel in range(6 * 7 * 5)],
        axis=1,
    )
    positions = np.indices(shape).reshape(3, -1)
    lags = positions[:, :, None] - positions[:, None, :]
    exact = (
        gstools.Gaussian(dim=3, len_scale=lengths, rescale=1)
        .cor_spatial(lags.reshape(3, -1))
        .reshape(len(response), -1)
    )
    np.testing.assert_allclose(response @ response.T, exact, atol=1e-9)


def test_variogram_of_a_sample() -> None:
    """Estimated by GSTools from 4 fields of 64^3, lengths 3, 3, 6: 1 - exp(-(r/l)^2); its standard
    error is 1.5 % of the sill.
    """
    fields = [
        gaussian_field((64, 64, 64), np.random.default_rng(i), (3.0, 3.0, 6.0)) for i in range(4)
    ]
    for axis, length in (("x", 3), ("y", 3), ("z", 6)):
        variogram = np.mean(
            [gstools.vario_estimate_axis(field, direction=axis)[:10] for field in fields], axis=0
        )
        np.testing.assert_allclose(
            variogram, 1 - np.exp(-((np.arange(10) / length) ** 2)), atol=0.06
        )


def test_pores_are_the_level_set_of_their_definition() -> None:
    """g exceeds the normal quantile of 1 - phi exactly in the pores, phi = phi0 exp(s m - s^2/2)
    with the phi0 of the last pore.

    m has mean 0 and standard deviation 1 over the part, which a field of 30 voxels length in a part
    of 32 is far from by itself.
    """
    s, length = 0.8, 30.0
    voxels = part("gaussian", modulation_length=length, modulation_strength=s)
    rng = np.random.default_rng([0, 0])
    g, m = (
        gaussian_field(SHAPE, rng, (4.0, 4.0, 6.0)),
        gaussian_field(SHAPE, rng, (length, length, length)),
    )
    assert m.std() < 0.9
    weight = np.exp(s * (m - m.mean()) / m.std() - s**2 / 2)
    phi0 = (ndtr(-g) / weight)[voxels == 1].max() * (1 + 1e-9)
    np.testing.assert_array_equal(voxels, g > -ndtri(phi0 * weight))


def test_pair_probability_of_the_level_set() -> None:
    """Without modulation the probability of two pores at a lag is Owen's T of the correlation
    exp(-(r/l)^2), along x and y.

    Along z, with elongation 2, it is the same at twice the lag. 8 parts of 64^3; the tolerance is 3
    standard errors.
    """
    changes = {"porosity": 0.08, "modulation_strength": 0.0, "elongation": 2.0}
    parts = [part("gaussian", (64, 64, 64), number=i, **changes) for i in range(8)]
    for lag in (1, 2, 4):
        exact = level_set_pair_probability(0.08, np.exp(-((lag / 4) ** 2)))
        for axis, factor in ((0, 1), (1, 1), (2, 2)):
            seen = [pair_probability(voxels, axis, factor * lag) for voxels in parts]
            assert abs(np.mean(seen) - exact) < max(3 * np.std(seen) / 8**0.5, 0.02 * exact), (
                lag,
                axis,
            )


def test_modulation_makes_dense_and_porous_regions() -> None:
    """log phi has standard deviation s over the part, so the relative variance of phi is exp(s^2) -
    1.

    Regions (24 voxels) are wider than SVEs (8): the relative variance of their porosities grows by
    that much, less what varies inside an SVE; between half of it and all of it, over 6 parts.
    """

    def relative_variance(strength: float) -> float:
        changes = {
            "pore_length": 2.0,
            "elongation": 1.0,
            "modulation_length": 24.0,
            "modulation_strength": strength,
            "porosity": 0.1,
        }
        cubes = [
            part("gaussian", (64, 64, 64), number=i, **changes)
            .reshape(8, 8, 8, 8, 8, 8)
            .mean((1, 3, 5))
            for i in range(6)
        ]
        return float(np.var(cubes) / 0.1**2)

    gained = relative_variance(0.7) - relative_variance(0.0)
    assert 0.5 * np.expm1(0.7**2) < gained < np.expm1(0.7**2)


def test_lengths_have_the_convention_of_the_reference_dataset() -> None:
    """Pairs of pores at lag 2 in the 21 reference parts of weak modulation (s < 0.3), against
    exp(-(r/l)^2) and the length given.

    Closed form: Owen's T, averaged over the log-normal porosity phi. exp(-r^2 / (2 l^2)) and
    GSTools' exp(-pi/4 (r/l)^2) expect too many.
    """
    with h5py.File(REFERENCE, "r") as file:
        table, voxels, part_id = (
            file["parts"][:].astype(float),
            file["voxels"][:],
            file["part_id"][:],
        )
    points, weights = np.polynomial.hermite_e.hermegauss(31)
    ratios = {1.0: [], np.pi / 4: [], 0.5: []}
    for number, length, elongation, _, _, strength, porosity in table[table[:, 5] < 0.3]:
        phi = porosity * np.exp(strength * points - strength**2 / 2)
        for axis, stretch in ((-3, 1), (-2, 1), (-1, elongation)):
            seen = pair_probability(voxels[part_id == number], axis, 2)
            for factor, found in ratios.items():
                exact = (
                    level_set_pair_probability(phi, np.exp(-factor * (2 / (stretch * length)) ** 2))
                    @ weights
                    / weights.sum()
                )
                found.append(seen / exact)
    assert np.mean(ratios[1.0]) == pytest.approx(1, abs=0.02)
    assert np.mean(ratios[np.pi / 4]) < 0.95
    assert np.mean(ratios[0.5]) < 0.85


@pytest.mark.parametrize("stretch", [1.0, 2.0])
def test_spectrum_of_spinodal_pores_is_one_shell(stretch: float) -> None:
    """Waves 8 voxels long, `stretch` times that along z: in a part of 64, 8 waves on an edge. At
    half the porosity the covariance of pores is asin(c) / (2 pi), of which c itself has 2/pi; a
    part of 64 blurs the shell by a wave.
    """
    n, length = 64, 8.0
    power = np.zeros((n, n, n))
    for i in range(4):
        voxels = part(
            "spinodal", (n, n, n), number=i, porosity=0.5, wavelength=length, stretch=stretch
        )
        power += np.square(np.abs(np.fft.fftn(voxels - 0.5)))
    waves = np.fft.fftfreq(n, 1 / n)
    x, y, z = np.meshgrid(waves, waves, stretch * waves, indexing="ij")
    shell = np.rint(np.sqrt(x**2 + y**2 + z**2)).astype(int)
    share = np.bincount(shell.ravel(), power.ravel()) / power.sum()
    assert share.argmax() == n / length
    assert 0.5 < share[6:11].sum() < 0.75


def test_pair_probability_of_spinodal_pores() -> None:
    """Waves of one length in every direction have the correlation sin(k r) / (k r), k = 2 pi / L;
    with Owen's T that gives pairs of pores, and along z, stretched twice, at twice the lag. 12
    parts of 64^3, 4 standard errors: the sum of 200 waves is normal to half a percent.
    """
    length = 10.0
    changes = {"porosity": 0.1, "wavelength": length, "stretch": 2.0}
    parts = [part("spinodal", (64, 64, 64), number=i, **changes) for i in range(12)]
    for lag in (1, 2, 4, 7):
        exact = level_set_pair_probability(0.1, np.sinc(2 * lag / length))
        for axis, factor in ((0, 1), (1, 1), (2, 2)):
            seen = [pair_probability(voxels, axis, factor * lag) for voxels in parts]
            assert abs(np.mean(seen) - exact) < max(4 * np.std(seen) / 12**0.5, 0.02 * exact), (
                lag,
                axis,
            )
