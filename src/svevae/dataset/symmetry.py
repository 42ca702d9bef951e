"""What becomes of the labels of an SVE when its axes change places. An isotropic matrix has no axes
of its own, so that the turned SVE needs no solver.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np

from svevae.dataset.curves import Curves, response_of, turned_response
from svevae.dataset.store import LabelledDataset
from svevae.hdf5 import reading
from svevae.physics.elasticity import poisson

AXES = "xyz"
Turn = tuple[int, int, int]  # axis i of the turned SVE was axis turn[i]
TURNS: tuple[Turn, ...] = tuple((x, y, z) for x, y, z in itertools.permutations(range(3)))
AS_IS: Turn = (0, 1, 2)
XY: Turn = (1, 0, 2)


def turned_targets(
    data: LabelledDataset, index: np.ndarray, curves: Curves | None
) -> dict[Turn, np.ndarray]:
    """(SVE of `index`, target) what the predictor is to learn, after each of those TURNS of the
    voxels' axes that the file has labels for: the response where there are `curves`
    (`svevae.dataset.curves`), else the properties.
    """
    if curves is None:
        turned = turned_properties(data, index)
    else:
        response = response_of(data, curves, index)
        turned = {turn: turned_response(response, curves, turn) for turn in TURNS}
    return {turn: labels for turn, labels in turned.items() if labels is not None}


def turned_properties(data: LabelledDataset, index: np.ndarray) -> dict[Turn, np.ndarray | None]:
    """(SVE of `index`, property) the properties after each of TURNS, None where the file lacks one.

    A name's axes stand behind its last underscore: yield_x becomes yield_y. A Poisson's ratio that
    the properties lack, such as nu_xz, is found from /stiffness.
    """
    stiffness = _stiffness(data, index)
    turned: dict[Turn, np.ndarray | None] = {}
    for turn in TURNS:
        columns = [_turned_column(data, index, name, turn, stiffness) for name in data.names]
        found = [column for column in columns if column is not None]
        whole = len(found) == len(columns)
        turned[turn] = np.stack(found, axis=1).astype(np.float32) if whole else None
    return turned


def turned_name(name: str, turn: Turn) -> str:
    """The property of an SVE that is called `name` once its axes have changed places."""
    head, _, axes = name.rpartition("_")
    if not head or not set(axes) <= set(AXES):
        return name
    return f"{head}_{''.join(AXES[turn[AXES.index(axis)]] for axis in axes)}"


def _stiffness(data: LabelledDataset, index: np.ndarray) -> np.ndarray | None:
    if not Path(data.path).is_file():  # SVEs that are in memory alone
        return None
    with reading(data.path, known=True) as file:
        return file["stiffness"][:][index].astype(float) if "stiffness" in file else None


def _turned_column(
    data: LabelledDataset,
    index: np.ndarray,
    name: str,
    turn: Turn,
    stiffness: np.ndarray | None,
) -> np.ndarray | None:
    wanted = turned_name(name, turn)
    if wanted in data.names:
        return data.properties[index, data.names.index(wanted)]
    head, _, axes = wanted.rpartition("_")
    if head != "nu" or len(set(axes)) != 2 or stiffness is None:
        return None
    ratio = poisson(stiffness, axes[0], axes[1])
    # as the label is: 0 where an SVE carries no load along the axis
    modulus = f"E_{axes[0]}"
    if modulus in data.names:
        ratio = np.where(data.properties[index, data.names.index(modulus)] > 0, ratio, 0.0)
    return ratio
