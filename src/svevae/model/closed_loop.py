"""Close the loop: latent vector -> decoded SVE -> solver, against latent vector -> predictor."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from svevae.dataset.cluster import open_cluster
from svevae.dataset.curves import LEAST
from svevae.dataset.journal import Journal
from svevae.dataset.label_settings import read_settings
from svevae.dataset.labelling import label_sves
from svevae.dataset.store import SVEDataset
from svevae.model import metrics
from svevae.model.protocols import Named
from svevae.model.scores import R2
from svevae.physics.label import property_names


class ClosedLoop(NamedTuple):
    """Properties (sve, property) of sampled SVEs: what the solver finds, and what the predictor
    gives for their latent vectors. `whole` (sve,) says which are not nearly severed.
    """

    solved: np.ndarray
    predicted: np.ndarray
    whole: np.ndarray

    def r2(self, names: tuple[str, ...]) -> R2:
        """How much of the solver's values the predictor explains, of those that are `whole`."""
        if self.whole.sum() < 2:
            return R2.of_columns(names, np.full(len(names), np.nan))
        found = metrics.r2(self.solved[self.whole], self.predicted[self.whole])
        return R2.of_columns(names, found)


def close_loop(
    model: Named, data: SVEDataset, latent: np.ndarray, voxels: np.ndarray
) -> ClosedLoop | None:
    """Solve sampled SVEs, and predict their properties.

    latent (sve, latent) and voxels (sve, n, n, n) as `svevae.model.sampling.sample_sves` gives
    them. The solver labels as the dataset was labelled; None where there are no SVEs, or where the
    file does not say how it was labelled. Raises SolverError.
    """
    if not len(voxels):
        return None
    settings = read_settings(data)
    if settings is None or property_names(settings.tension.axes)[0] != model.names:
        return None
    with tempfile.TemporaryDirectory() as folder, open_cluster() as cluster:
        names = [f"sample {i}" for i in range(len(voxels))]
        solved = label_sves(
            voxels, names, settings, Journal(Path(folder), settings), cluster, batch=4
        )["properties"]
    predicted = model.predict_from_latent(latent)
    moduli = [i for i, name in enumerate(model.names) if name.startswith("E_")]
    whole = np.asarray((solved[:, moduli] >= LEAST * settings.material.E).all(axis=1))
    return ClosedLoop(solved.astype(np.float64), predicted.astype(np.float64), whole)
