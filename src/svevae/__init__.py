"""Latent-space multiscale simulation of porous metals."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

if TYPE_CHECKING:
    from svevae.dataset.store import open_dataset as open_dataset
    from svevae.model.latent import LatentModel as LatentModel
    from svevae.use.champion import load as load

_HOMES = {
    "open_dataset": "svevae.dataset.store",
    "LatentModel": "svevae.model.latent",
    "load": "svevae.use.champion",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:  # imported on first use: Keras takes seconds
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'svevae' has no attribute {name!r}")
