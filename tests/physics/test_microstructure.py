"""What all generators of porous parts have in common."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from svevae.errors import ConfigError
from svevae.physics.microstructure import GENERATORS, make_part, parameter_names
from tests.physics.pores import GAUSSIAN, PARAMETERS, SHAPE, SPHERES, part


def digest(voxels: np.ndarray) -> str:
    return hashlib.sha256(voxels.tobytes()).hexdigest()


def test_every_generator_is_tested() -> None:
    assert set(PARAMETERS) == set(GENERATORS)
    for name, values in PARAMETERS.items():
        assert set(parameter_names(name)) == set(values)


@pytest.mark.parametrize("porosity", [0.0, 2e-5, 0.0031, 0.1])
@pytest.mark.parametrize("generator", GENERATORS)
def test_porosity_is_exact(generator: str, porosity: float) -> None:
    """Of N voxels round(porosity N) are pores: none at porosity 0, one at 2e-5 of 46,080."""
    voxels = part(generator, porosity=porosity)
    assert voxels.shape == SHAPE
    assert voxels.dtype == np.uint8
    assert set(np.unique(voxels)) <= {0, 1}
    assert voxels.sum() == round(porosity * voxels.size)


@pytest.mark.parametrize(("porosity", "pores"), [(0.999, 7992), (0.99995, 8000)])
@pytest.mark.parametrize("generator", ["gaussian", "overlapping_spheres", "overlapping_ellipsoids"])
def test_pores_that_overlap_can_fill_all(generator: str, porosity: float, pores: int) -> None:
    assert part(generator, (20, 20, 20), porosity=porosity).sum() == pores


@pytest.mark.parametrize("generator", GENERATORS)
def test_seed_and_part_decide(generator: str) -> None:
    """The same seed and part number give the same bytes, another of either gives another part."""
    first = part(generator)
    assert first.tobytes() == part(generator).tobytes()
    assert not np.array_equal(first, part(generator, number=1))
    assert not np.array_equal(first, part(generator, seed=1))
    assert not np.array_equal(part(generator, number=1), part(generator, seed=1))


@pytest.mark.parametrize(
    ("generator", "expected"),
    [
        ("gaussian", "c8c3dfb573ead07e07a70ba6debb5f7ead63f764636b2a97088fbd7a30f80e85"),
        ("ellipsoids", "387f5a941e0c494d3a63e7e0976eeded43cc4edb0601ab30011a6cecf3d2a24c"),
        ("spinodal", "6d80402584a219bdeb4fbc72634e7a82fbc0c352ef09e70c9acd0b9f32191059"),
        ("grains", "19a1a6e58fcf300fb350c41edc9f018abc6a8f08d1d01b3017b23da35110f948"),
        ("gas", "e6e4c8e74f2e622ae4ed66f31693c4112c118f51a9c7f8d8da724f36bb51791e"),
        ("lack_of_fusion", "489ffa3a65415f6ef526a83f9d308778e111da75ca3245ebf0b5f4ca63891f1a"),
        ("keyhole", "1c34100fc0bc0e90d132be85ae56db3b45cfa13ee9f33e221f3026e26d45dea0"),
        ("mixture", "0e5b4b8f6afd4eca37a651a329e48d09f4198fc0de58a07bb965a0431a796899"),
    ],
)
def test_bytes_are_those_of_the_day_they_were_written(generator: str, expected: str) -> None:
    """A change here means that datasets made from a seed can no longer be made again: say so in
    CHANGELOG.md.
    """
    assert digest(part(generator)) == expected


def test_bytes_do_not_depend_on_the_number_of_threads() -> None:
    code = (
        "import hashlib; from svevae.physics.microstructure import"
        " make_part;print(hashlib.sha256(make_part('gaussian', (96, 64, 96), 0, 0,"
        f" {GAUSSIAN}).tobytes()).hexdigest())"
    )
    seen = set()
    for threads in ("1", "2"):
        environment = {
            **os.environ,
            "OPENBLAS_NUM_THREADS": threads,
            "OMP_NUM_THREADS": threads,
            "MKL_NUM_THREADS": threads,
        }
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            encoding="utf-8",
            check=True,
        )
        seen.add(done.stdout.strip())
    assert seen == {digest(part("gaussian", (96, 64, 96)))}


@pytest.mark.parametrize("porosity", ["5 %", True])
def test_parameters_are_numbers(porosity: object) -> None:
    with pytest.raises(ConfigError, match=f"^porosity: expected a number, received {porosity!r}$"):
        part("gaussian", porosity=porosity)


@pytest.mark.parametrize(
    ("seed", "number", "name"),
    [(-1, 0, "seed"), (0, -1, "part"), (0.5, 0, "seed"), (0, None, "part")],
)
def test_wrong_seed(seed: object, number: object, name: str) -> None:
    with pytest.raises(ConfigError, match=f"^{name}: expected an integer of at least 0, received"):
        part("spheres", seed=seed, number=number)


def test_wrong_names() -> None:
    with pytest.raises(
        ConfigError,
        match=r"^generator: expected one of gaussian, spinodal, .*, received 'cubes'",
    ):
        make_part("cubes", SHAPE, 0, 0, SPHERES)
    with pytest.raises(
        ConfigError,
        match=r"^radius: unknown parameter; spheres has porosity, diameter, diameter_spread",
    ):
        part("spheres", radius=3.0)
    with pytest.raises(
        ConfigError,
        match=(
            r"^tilt: missing; ellipsoids has porosity, diameter, diameter_spread, elongation, tilt"
        ),
    ):
        make_part("ellipsoids", SHAPE, 0, 0, {**SPHERES, "elongation": 1.0})
