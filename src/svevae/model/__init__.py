"""The latent model: encoder, decoder and predictor, their training, their samples, their scores.

`LatentModel` is what people use, in physical units; `sample_sves` makes new SVEs from it.
`build_vae` assembles the network and `svevae.model.fit.fit` trains it; the baselines say what is
reached without one.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from svevae.lazy import lazy

if TYPE_CHECKING:
    from svevae.model.baselines import PorosityBaseline, RidgeBaseline, VoxelPCA
    from svevae.model.contract import ModelContract
    from svevae.model.elastic import elastic_statistics
    from svevae.model.latent import LatentModel, Prediction, load_folder, save_folder
    from svevae.model.losses import kl_divergence, property_loss, reconstruction_loss
    from svevae.model.metrics import coverage, r2
    from svevae.model.posterior import Posterior, fit_posterior
    from svevae.model.protocols import GenerativeModel
    from svevae.model.sampling import sample_sves
    from svevae.model.scores import Scores
    from svevae.model.vae import ARCHITECTURES, Architecture, Trainer, build_vae
    from svevae.model.wishes import OutOfReachError, sample_latent

__all__ = [
    "ARCHITECTURES",
    "Architecture",
    "GenerativeModel",
    "LatentModel",
    "ModelContract",
    "OutOfReachError",
    "PorosityBaseline",
    "Posterior",
    "Prediction",
    "RidgeBaseline",
    "Scores",
    "Trainer",
    "VoxelPCA",
    "build_vae",
    "coverage",
    "elastic_statistics",
    "fit_posterior",
    "kl_divergence",
    "load_folder",
    "property_loss",
    "r2",
    "reconstruction_loss",
    "sample_latent",
    "sample_sves",
    "save_folder",
]

__getattr__ = lazy(
    __name__,
    {
        "ARCHITECTURES": "vae",
        "Architecture": "vae",
        "GenerativeModel": "protocols",
        "LatentModel": "latent",
        "ModelContract": "contract",
        "OutOfReachError": "wishes",
        "PorosityBaseline": "baselines",
        "Posterior": "posterior",
        "Prediction": "latent",
        "RidgeBaseline": "baselines",
        "Scores": "scores",
        "Trainer": "vae",
        "VoxelPCA": "baselines",
        "build_vae": "vae",
        "coverage": "metrics",
        "elastic_statistics": "elastic",
        "fit_posterior": "posterior",
        "kl_divergence": "losses",
        "load_folder": "latent",
        "property_loss": "losses",
        "r2": "metrics",
        "reconstruction_loss": "losses",
        "sample_latent": "wishes",
        "sample_sves": "sampling",
        "save_folder": "latent",
    },
)


def _is_no_retracing(record: logging.LogRecord) -> bool:
    """TensorFlow counts the first calls of all Keras models together: several models in one
    process, each traced once, are to it one function that is traced too often.
    """
    return "triggered tf.function retracing" not in record.getMessage()


logging.getLogger("tensorflow").addFilter(_is_no_retracing)
