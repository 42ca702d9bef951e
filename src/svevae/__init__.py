"""Latent-space multiscale simulation of porous metals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from svevae.model.latent import LatentModel as LatentModel
    from svevae.use.champion import load as load


def __getattr__(name: str) -> Any:
    if name in ("load", "LatentModel"):  # on first use: Keras takes seconds
        from svevae.use import champion

        return getattr(champion, name)
    raise AttributeError(f"module 'svevae' has no attribute {name!r}")
