"""Elastic statistics of an SVE, as fixed Keras layers: the mechanics an encoder need not learn.

They are of its first-order response (`svevae.model.first_order`) and of its response as a few steps
of a solver find it (`svevae.model.coarse_solve`). As the labels, they do not change when an SVE is
mirrored or shifted periodically, by whole coarse voxels.

Both are of coarse voxels, two fine ones wide, which costs an eighth and loses little: of the
first-order statistics alone a ridge regression to the properties has R2 = 0.9960 on validation
parts, 0.9962 from all voxels (docs/model-log.md). Where n is odd they are of the voxels themselves.
"""

from __future__ import annotations

import sys

import keras
import numpy as np
from keras import layers
from tqdm import tqdm

from svevae.dataset.batches import PackedVoxels
from svevae.model import coarse_solve, first_order

STATISTICS = first_order.STATISTICS + coarse_solve.STATISTICS
COARSE = 2  # voxels along the edge of a coarse one
MOST_VOXELS = 2**23  # of a batch; the encoder takes 80 bytes of memory a voxel
KEPT = 4  # sets of SVEs whose statistics this process remembers: trials share theirs
_known: dict[str, np.ndarray] = {}  # by digest of the voxels, the newest last


def transposed(turn: tuple[int, int, int]) -> np.ndarray:
    """Where each statistic of voxels.transpose(turn) is among those of the voxels themselves:
    (statistic,) integers.
    """
    of_solve = coarse_solve.transposed(turn)
    return np.concatenate([first_order.transposed(turn), first_order.STATISTICS + of_solve])


def at_once(n: int, wanted: int) -> int:
    """How many SVEs of n^3 voxels a batch is to have, `wanted` or what MOST_VOXELS allow."""
    return max(1, min(wanted, MOST_VOXELS // n**3))


def elastic_statistics(n: int) -> keras.Model:
    """Voxels (batch, n, n, n) of 0 and 1 -> the statistics (batch, 114), dimensionless. Nothing in
    it is trained.
    """
    voxels = keras.Input((n, n, n), name="voxels")
    field = layers.Reshape((n, n, n, 1), dtype="float32")(voxels)
    if n % COARSE == 0:
        n = n // COARSE
        field = layers.AveragePooling3D(COARSE, dtype="float32")(field)
    pores = layers.Reshape((n, n, n), dtype="float32")(field)
    statistics = [
        first_order.first_order_statistics(n)(pores),
        coarse_solve.coarse_statistics(n)(pores),
    ]
    model = keras.Model(
        voxels, layers.Concatenate(dtype="float32")(statistics), name="elastic_statistics"
    )
    model.trainable = False
    return model


def statistics_of(voxels: PackedVoxels) -> np.ndarray:
    """(sve, 114) the statistics of SVEs, with a bar; remembered, as a search asks for the same ones
    in each trial.
    """
    digest = voxels.digest()
    if digest not in _known:
        model, batch = elastic_statistics(voxels.n), at_once(voxels.n, 64)
        found = []
        with tqdm(
            total=len(voxels), unit="SVE", desc="statistics", disable=not sys.stderr.isatty()
        ) as bar:
            for cubes in voxels.blocks():
                found.append(model.predict(cubes, batch_size=batch, verbose=0))
                bar.update(len(cubes))
        if len(_known) == KEPT:
            del _known[next(iter(_known))]
        _known[digest] = np.concatenate(found)
    return _known[digest]
