"""Labels of SVEs whose axes change places, against the solver's labels of the turned voxels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from svevae.dataset.store import LabelledDataset, open_dataset, write_dataset
from svevae.dataset.symmetry import (
    AS_IS,
    TURNS,
    XY,
    Turn,
    turned_name,
    turned_properties,
    turned_targets,
)
from svevae.physics.elasticity import PRESETS
from svevae.physics.homogenize import Settings, Solver
from svevae.physics.label import Tension, label

VOCE = PRESETS["as-built-z"]
TENSION = Tension(("x", "y", "z"), (0.001, 0.004, 0.01))


def boxes() -> np.ndarray:
    """(2, 8, 8, 8): a box of another length along each axis; a crack across z beside a pore."""
    voxels = np.zeros((2, 8, 8, 8), np.uint8)
    voxels[0, 1:3, 2:5, 1:7] = 1
    voxels[1, :, :, 4] = voxels[1, 2, 3, 1] = 1
    return voxels


def labelled(path: Path, voxels: np.ndarray, **changes: np.ndarray) -> LabelledDataset:
    solver = Solver((8, 8, 8), Settings("float64"))
    found = label(voxels, VOCE, TENSION, solver)
    arrays = {"voxels": voxels, "properties": found.properties, "part_id": np.arange(len(voxels))}
    arrays |= {"stiffness": found.stiffness} | changes
    write_dataset(path, arrays, found.names, found.units, {})
    return open_dataset(path)


@pytest.mark.parametrize("turn", TURNS)
def test_labels_are_those_of_the_turned_voxels(tmp_path: Path, turn: Turn) -> None:
    """Also where the crack leaves no load path along one axis; to the solver's tolerance."""
    data = labelled(tmp_path / "a.h5", boxes())
    turned = boxes().transpose(0, *(1 + axis for axis in turn))
    expected = labelled(tmp_path / "b.h5", turned).properties
    found = turned_properties(data, np.arange(2))[turn]
    assert found is not None
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=1e-4)


def test_names() -> None:
    assert turned_name("yield_x", (1, 2, 0)) == "yield_y"
    assert turned_name("nu_zx", (1, 2, 0)) == "nu_xy"
    assert turned_name("porosity", (1, 2, 0)) == "porosity"
    assert turned_name("hardness_top", (1, 2, 0)) == "hardness_top"


def test_labels_that_are_not_there(tmp_path: Path) -> None:
    """Without a label along y, or without the stiffness that other Poisson's ratios follow from."""
    data = labelled(tmp_path / "a.h5", boxes())
    keep = [i for i, name in enumerate(data.names) if name != "flow_y"]
    names = tuple(data.names[i] for i in keep)
    less = replace(data, names=names, properties=data.properties[:, keep])
    assert set(turned_targets(less, np.arange(2), None)) == {AS_IS, (2, 1, 0)}
    arrays = {"voxels": boxes(), "properties": data.properties, "part_id": np.arange(2)}
    write_dataset(tmp_path / "b.h5", arrays, data.names, data.units, {})
    without = turned_targets(open_dataset(tmp_path / "b.h5"), np.arange(2), None)
    assert set(without) == {AS_IS, XY}
