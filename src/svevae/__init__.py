"""Latent-space multiscale simulation of porous metals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from svevae.lazy import lazy

__version__ = "0.2.0"

if TYPE_CHECKING:
    from svevae.dataset.store import open_dataset
    from svevae.model.latent import LatentModel
    from svevae.use.champion import load

__all__ = ["LatentModel", "load", "open_dataset"]

__getattr__ = lazy(
    __name__,
    {
        "LatentModel": "model.latent",
        "load": "use.champion",
        "open_dataset": "dataset.store",
    },
)
