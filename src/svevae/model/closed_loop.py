"""Close the loop: latent vector -> decoded SVE -> solver, against latent vector -> predictor."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from svevae.dataset.cluster import open_cluster
from svevae.dataset.journal import Journal
from svevae.dataset.label_settings import read_settings
from svevae.dataset.labelling import label_sves
from svevae.dataset.store import SVEDataset
from svevae.model.latent import LatentModel
from svevae.physics.label import property_names


def close_loop(
    model: LatentModel, data: SVEDataset, latent: np.ndarray, voxels: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """Properties (sve, property) of sampled SVEs as the solver finds them, and as the predictor
    gives them for their latent vectors.

    latent (sve, latent) and voxels (sve, n, n, n) as `svevae.model.sampling.sample_sves` gives
    them. The solver labels as the dataset was labelled; None where the file does not say how.
    Raises SolverError.
    """
    settings = read_settings(data)
    if settings is None or property_names(settings.tension.axes)[0] != model.names:
        return None
    with tempfile.TemporaryDirectory() as folder, open_cluster() as cluster:
        names = [f"sample {i}" for i in range(len(voxels))]
        solved = label_sves(
            voxels, names, settings, Journal(Path(folder), settings), cluster, batch=4
        )["properties"]
    return solved.astype(np.float64), model.predict_from_latent(latent).astype(np.float64)
