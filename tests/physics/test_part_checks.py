"""What generators refuse, by the name of the parameter."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from svevae.errors import ConfigError
from tests.physics.pores import part

WRONG = [
    ("gaussian", {"porosity": 1.0}, "porosity: expected a number from 0 to below 1, received 1.0"),
    (
        "spheres",
        {"porosity": -0.01},
        "porosity: expected a number from 0 to below 1, received -0.01",
    ),
    (
        "ellipsoids",
        {"porosity": float("nan")},
        "porosity: expected a number from 0 to below 1, received nan",
    ),
    (
        "gaussian",
        {"pore_length": 0.0},
        "pore_length: expected from 1 voxel to the part's smallest edge, 32 voxels, received 0",
    ),
    (
        "gaussian",
        {"pore_length": 33.0},
        "pore_length: expected from 1 voxel .* 32 voxels, received 33",
    ),
    (
        "gaussian",
        {"pore_length": float("nan")},
        "pore_length: expected from 1 voxel .* received nan",
    ),
    (
        "gaussian",
        {"pore_length": 20.0, "elongation": 2.0},
        r"pore_length \* elongation: expected from 1 voxel .* received 40",
    ),
    ("gaussian", {"elongation": 0.0}, "elongation: expected a number from 0.1 to 10, received 0.0"),
    (
        "gaussian",
        {"modulation_length": -3.0},
        "modulation_length: expected from 1 voxel .* received -3",
    ),
    (
        "gaussian",
        {"modulation_length": 96.0},
        "modulation_length: expected from 1 voxel .* 32 voxels, received 96",
    ),
    (
        "gaussian",
        {"modulation_strength": -0.1},
        "modulation_strength: expected a number from 0 to 2, received -0.1",
    ),
    (
        "gaussian",
        {"modulation_strength": float("inf")},
        "modulation_strength: expected a number from 0 to 2, received inf",
    ),
    ("spheres", {"diameter": 0.5}, "diameter: expected from 1 voxel .* received 0.5"),
    (
        "overlapping_spheres",
        {"diameter": 40.0},
        "diameter: expected from 1 voxel .* 32 voxels, received 40",
    ),
    (
        "spheres",
        {"diameter_spread": -1.0},
        "diameter_spread: expected a number from 0 to 2, received -1.0",
    ),
    (
        "spheres",
        {"diameter": 8.0, "diameter_spread": 0.5},
        "diameter 8, diameter_spread 0.5: the longest pore: expected .* received 35.85",
    ),
    (
        "ellipsoids",
        {"elongation": 11.0},
        "elongation: expected a number from 0.1 to 10, received 11.0",
    ),
    ("ellipsoids", {"tilt": 91.0}, "tilt: expected a number from 0 to 90, received 91.0"),
    ("spinodal", {"stretch": 20.0}, "stretch: expected a number from 0.1 to 10, received 20.0"),
    (
        "spinodal",
        {"wavelength": 1.5},
        "wavelength: expected from 2 voxels to the part's smallest edge, 32 voxels, received 1.5",
    ),
    (
        "spinodal",
        {"wavelength": 8.0, "stretch": 0.2},
        r"wavelength \* stretch: expected from 2 voxels .* received 1.6",
    ),
    ("grains", {"diameter": 0.5}, "diameter: expected from 1 voxel .* received 0.5"),
    ("grains", {"porosity": 1.0}, "porosity: expected a number from 0 to below 1, received 1.0"),
    ("gas", {"cluster_pores": 0.5}, "cluster_pores: expected a number from 1 to 100, received 0.5"),
    ("gas", {"cluster_length": 40.0}, "cluster_length: expected from 1 voxel .* received 40"),
    ("gas", {"modulation_length": 0.5}, "modulation_length: expected from 1 voxel .* received 0.5"),
    (
        "gas",
        {"modulation_strength": 2.5},
        "modulation_strength: expected a number from 0 to 2, received 2.5",
    ),
    (
        "lack_of_fusion",
        {"flatness": 0.05},
        "flatness: expected a number from 0.1 to 1, received 0.05",
    ),
    (
        "lack_of_fusion",
        {"roughness": 0.6},
        "roughness: expected a number from 0 to 0.5, received 0.6",
    ),
    ("lack_of_fusion", {"layer": 0.5}, "layer: expected from 1 voxel .* received 0.5"),
    (
        "lack_of_fusion",
        {"layer_spread": 10.0},
        "layer_spread: expected a number from 0 to 9.0, received 10.0",
    ),
    ("lack_of_fusion", {"tilt": -1.0}, "tilt: expected a number from 0 to 90, received -1.0"),
    ("keyhole", {"chain_pores": 0.0}, "chain_pores: expected a number from 1 to 100, received 0.0"),
    (
        "keyhole",
        {"chain_spacing": 0.0},
        "chain_spacing: expected a number from 0.1 to 10, received 0.0",
    ),
    ("keyhole", {"wander": 3.0}, "wander: expected a number from 0 to 2, received 3.0"),
    ("keyhole", {"elongation": 0.0}, "elongation: expected a number from 0.1 to 10, received 0"),
    ("mixture", {"flat": 1.5}, "flat: expected a number from 0 to 1, received 1.5"),
    ("mixture", {"chained": -1.0}, "chained: expected a number from 0 to 1, received -1.0"),
    ("mixture", {"irregular": float("nan")}, "irregular: expected a number from 0 to 1, received"),
]


@pytest.mark.parametrize(("generator", "changes", "message"), WRONG)
def test_wrong_values(generator: str, changes: Mapping[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{message}"):
        part(generator, **changes)


@pytest.mark.parametrize("shape", [(32, 32), (32, 32, 1), (32.0, 32.0, 32.0), 32, "cube"])
@pytest.mark.parametrize("generator", ["gaussian", "spheres"])
def test_wrong_shape(generator: str, shape: object) -> None:
    with pytest.raises(
        ConfigError, match=r"^shape: expected three integers of at least 2, received"
    ):
        part(generator, shape)
