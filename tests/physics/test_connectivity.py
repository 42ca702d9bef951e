"""Load paths: along which axes the matrix of an SVE hangs together, and no stiffness along the
others.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from svevae.physics.connectivity import load_path
from svevae.physics.elasticity import PRESETS, young
from svevae.physics.homogenize import Settings, Solver
from tests.physics.shapes import SHAPE, cracked, helices, hinged, solid, void

BATCH = 8
VOCE = PRESETS["as-built-z"]
EVERY, NONE = (True, True, True), (False, False, False)


@pytest.mark.parametrize(
    ("sve", "expected"),
    [
        pytest.param(solid(), EVERY, id="solid"),
        pytest.param(void(), NONE, id="pores only"),
        pytest.param(1 - void((3, 3, 3)), EVERY, id="one pore"),
        pytest.param(void((3, 3, 3)), NONE, id="one voxel"),
        pytest.param(void((0, 0, 0)), NONE, id="one voxel in the corner"),
        pytest.param(cracked(1), (True, True, False), id="crack"),
        pytest.param(cracked(7, 3), (True, True, False), id="slab"),
        pytest.param(cracked(3, 6), (True, True, False), id="crack round the face"),
        pytest.param(np.swapaxes(cracked(1), 0, 2), (False, True, True), id="crack normal to x"),
        pytest.param(void((slice(None), 3, 5)), (True, False, False), id="rod"),
        pytest.param(void((slice(0, 7), 3, 5)), NONE, id="rod with a gap"),
        pytest.param(
            void((slice(None), 3, 5), (0, 6, 0)), (True, False, False), id="rod and island"
        ),
        pytest.param(
            void((slice(None), 3, 5), (2, slice(None), 5)), (True, True, False), id="crossed rods"
        ),
        pytest.param(
            void((slice(None), 0, 0), (3, slice(None), 4), (6, 4, slice(None))),
            EVERY,
            id="rods that do not meet",
        ),
        pytest.param(
            void(*((x, x % 2, 0) for x in range(8))), (True, False, False), id="chain by edges"
        ),
        pytest.param(
            void(*((x, x % 2, x % 2) for x in range(8))),
            (True, False, False),
            id="chain by corners",
        ),
        pytest.param(
            void(*((x, (0, 1, 2, 3, 3, 2, 1, 0)[x], 7) for x in range(8))),
            (True, False, False),
            id="zigzag",
        ),
        pytest.param(hinged(), EVERY, id="strut across a crack"),
        pytest.param(cracked(8), NONE, id="crack as thick as the SVE"),
    ],
)
def test_load_path(sve: np.ndarray, expected: tuple[bool, bool, bool]) -> None:
    """The axes along which the matrix hangs together, by faces, edges or corners; rotated and
    shifted SVEs have the same, rotated.
    """
    assert tuple(load_path(sve)) == expected
    assert tuple(load_path(np.roll(sve, (3, 1, 5), (0, 1, 2)))) == expected
    assert tuple(load_path(np.transpose(sve, (2, 0, 1)))) == (expected[2], expected[0], expected[1])
    assert tuple(load_path(sve[::-1])) == expected


def test_load_path_of_one_voxel_layers() -> None:
    """Grids of one voxel along an axis: a voxel is its own neighbour."""
    assert load_path(np.zeros((1, 1, 1))).all()
    assert tuple(load_path(np.array([[[0, 1, 0]]]))) == (True, True, False)
    assert tuple(load_path(np.array([[[0, 1, 0, 0, 1]]]))) == (True, True, False)


def test_no_load_path_is_no_stiffness() -> None:
    """Random SVEs about the density at which they fall apart, a diagonal rod, a diagonal plate and
    two helices: where `load_path` is False the apparent Young's modulus is none, to the tolerance:
    below 0.5 % of the mean of the voxels'. Some of each are among them.
    """
    rng = np.random.default_rng(0)
    noise = [(rng.random(SHAPE) > share).astype(np.uint8) for share in np.linspace(0.06, 0.16, 8)]
    fields = [gaussian_filter(rng.normal(size=SHAPE), 1, mode="wrap") for _ in range(5)]
    blobs = [(field < np.quantile(field, 0.8)).astype(np.uint8) for field in fields]
    i, j, _ = np.indices(SHAPE)
    rod, plate = ((i - j) % 8 > 1) | (np.arange(8) > 1), (i - j) % 8 > 3
    sves = np.stack([*noise, *blobs, rod.astype(np.uint8), plate.astype(np.uint8), helices()])
    paths = np.array([load_path(sve) for sve in sves])
    solver = Solver(SHAPE, Settings("float64", elastic_tolerance=1e-3))
    found = np.concatenate(
        [solver.elastic(VOCE, sves[:BATCH]).stiffness, solver.elastic(VOCE, sves[BATCH:]).stiffness]
    )
    share = (
        np.stack([young(found, axis) for axis in "xyz"], axis=-1)
        / VOCE.E
        / (1 - sves.mean((1, 2, 3)))[:, None]
    )
    assert (share[~paths] < 5e-3).all(), share[~paths].max()
    assert 5 < paths.sum() < paths.size - 5
    assert (share[-1] > 0.01).all()  # the helices hold
