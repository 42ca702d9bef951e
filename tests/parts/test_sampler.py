"""Sampled parts: the same random numbers with and without an error of the porosity."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from svevae.model.latent import Prediction
from svevae.parts.ground import generate_bars
from svevae.parts.sampler import PartSampler
from tests.contracts import make_contract

N = 8


def model() -> SimpleNamespace:
    """A stand-in: the latent code is the porosity, its one property ten times that, known
    exactly.
    """
    return SimpleNamespace(
        n=N,
        voxel_size=10.0,
        names=("E_z",),
        units=("MPa",),
        encode=lambda voxels: (voxels.mean((1, 2, 3), dtype=np.float32)[:, None], None),
        prediction=lambda latent: Prediction(10 * latent, 0 * latent, latent[:, 0]),
        contract=make_contract(),
    )


@pytest.fixture(scope="module")
def sampler() -> PartSampler:
    coupons = generate_bars(
        "gaussian",
        {
            "porosity": 0.05,
            "pore_length": 3.0,
            "elongation": 1.0,
            "modulation_length": 16,
            "modulation_strength": 0.5,
        },
        study="test",
        shape=(4, 4, 4),
        n=N,
        count=6,
        seed=0,
    )
    return PartSampler.fit(model(), coupons, 0.1)


def test_parts_are_as_porous_as_the_coupons(sampler: PartSampler) -> None:
    parts = [sampler.sample(k, (2, 2, 2), seed=0) for k in range(40)]
    assert parts[0].values.shape == (2, 2, 2, 1)
    assert np.mean([part.porosity.mean() for part in parts]) == pytest.approx(0.05, rel=0.1)
    again = sampler.sample(0, (2, 2, 2), seed=0)
    np.testing.assert_array_equal(again.values, parts[0].values)
    assert not np.array_equal(again.values, sampler.sample(0, (2, 2, 2), seed=1).values)


def test_an_error_of_the_porosity_moves_all_of_a_part_alike(sampler: PartSampler) -> None:
    """By a tenth of its value times one normal number, which the regression finds to a few per
    cent: the code is the porosity.
    """
    shares = []
    for k in range(3):
        right = sampler.sample(k, (2, 2, 2), seed=0).values
        wrong = sampler.sample(k, (2, 2, 2), seed=0, segmented=True).values
        change, porous = (wrong - right).ravel(), right.ravel() > 0.2
        assert porous.any()
        assert np.ptp(np.sign(change[porous])) == 0
        shares.append((change[porous] / right.ravel()[porous]).mean())
    assert 0.01 < np.abs(shares).max() < 0.3
    assert np.ptp(shares) > 0.01


def test_independent_sves_have_the_same_marginals(sampler: PartSampler) -> None:
    parts = [sampler.sample(k, (2, 2, 2), seed=0, correlated=False) for k in range(40)]
    assert np.mean([part.porosity.mean() for part in parts]) == pytest.approx(0.05, rel=0.1)
