"""Baselines recover what they can represent exactly."""

from __future__ import annotations

import numpy as np

from svevae.model.baselines import PorosityBaseline, RidgeBaseline, VoxelPCA, two_point_map
from svevae.model.metrics import constant_cross_entropy


def test_porosity_baseline_recovers_a_cubic() -> None:
    porosity = np.linspace(0, 0.2, 50)
    properties = np.stack([70_000 * (1 - 2 * porosity + porosity**3), 0.33 - porosity**2], axis=1)
    baseline = PorosityBaseline(porosity[::2], properties[::2])
    np.testing.assert_allclose(baseline.predict(porosity), properties, rtol=1e-8)


def test_ridge_baseline_recovers_a_linear_law_through_a_pca_too() -> None:
    random = np.random.default_rng(0)
    statistics = random.standard_normal((400, 5)) @ random.standard_normal((5, 30))
    porosity = random.uniform(0, 0.1, 400)
    properties = np.column_stack(
        [statistics @ random.standard_normal(30), 5e4 * porosity + statistics[:, 0]]
    )
    for components in (None, 5):
        baseline = RidgeBaseline(porosity[:300], statistics[:300], properties[:300], components)
        np.testing.assert_allclose(
            baseline.predict(porosity[300:], statistics[300:]),
            properties[300:],
            atol=2e-3 * properties.std(),
        )


def test_two_point_map_counts_pairs() -> None:
    voxels = (np.random.default_rng(0).random((2, 6, 6, 6)) < 0.3).astype(np.uint8)
    found = two_point_map(voxels).reshape(2, 4, 4, 4)
    for shift in [(0, 0, 0), (1, 0, 0), (2, 3, 1)]:
        mirrored = [
            np.array(shift) * signs for signs in [(1, 1, 1), (-1, 1, 1), (1, -1, 1), (1, 1, -1)]
        ]
        pairs = np.mean(
            [
                (voxels * np.roll(voxels, tuple(step), (1, 2, 3))).mean((1, 2, 3))
                for step in mirrored
            ],
            axis=0,
        )
        np.testing.assert_allclose(found[:, *shift], pairs, rtol=1e-5)


def test_voxel_pca_reconstructs_what_has_few_components() -> None:
    """Each SVE one of four patterns: three components tell them apart, and the cross entropy falls
    far below a constant's.
    """
    random = np.random.default_rng(0)
    patterns = random.random((4, 8, 8, 8)) < 0.2
    voxels = patterns[random.integers(4, size=200)].astype(np.uint8)
    constant = constant_cross_entropy(voxels.mean((1, 2, 3)), voxels.mean(), 8).mean()
    assert VoxelPCA(voxels[:150], 3).cross_entropy(voxels[150:]).mean() < 0.1 * constant
    assert VoxelPCA(voxels[:150], 1).cross_entropy(voxels[150:]).mean() > 0.1 * constant
