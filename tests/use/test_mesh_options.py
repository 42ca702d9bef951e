"""What is said of a mesh: what does not go together, and in which order a scan is turned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from svevae.errors import DataError
from svevae.use.mesh_options import MeshOptions

MESH = Path("mesh.inp")


@pytest.mark.parametrize(
    ("rotation", "x", "z"),
    [
        ((0, 0, 0), (1, 0, 0), (0, 0, 1)),
        ((90, 0, 0), (1, 0, 0), (0, -1, 0)),
        ((0, 90, 0), (0, 0, -1), (1, 0, 0)),
        ((0, 0, 90), (0, 1, 0), (0, 0, 1)),
        ((90, 0, 90), (0, 1, 0), (1, 0, 0)),  # about x first: z to -y, and that about z to x
    ],
)
def test_axes_of_a_turned_scan(rotation: tuple, x: tuple, z: tuple) -> None:
    turned = MeshOptions(MESH, rotation=rotation).turned
    np.testing.assert_allclose(turned[:, 0], x, atol=1e-12)
    np.testing.assert_allclose(turned[:, 2], z, atol=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"porosity": "0.1"}, "porosity: expected --sample SEED with it"),
        ({"sample": 1, "origin": (1.0, 0, 0)}, "origin: expected none with --sample"),
        ({"sample": -1}, "sample: expected a seed from 0 on, received -1"),
        ({"step": Path("no.inp")}, "step no.inp: expected a file with a step, received none"),
        (
            {"step": Path(__file__), "pull": "A", "hold": "B", "strain": 0.1},
            "step: expected none with --pull, whose step the deck has",
        ),
    ],
)
def test_what_does_not_go_together(change: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        MeshOptions(MESH, **change)
