"""Contracts of models that are made for a test."""

from __future__ import annotations

from typing import Any

from svevae.model.contract import ModelContract


def make_contract(**values: Any) -> ModelContract:
    """A contract of one property E of SVEs of 8 voxels, where `values` do not say otherwise."""
    default = {"names": ("E",), "units": ("MPa",), "n": 8, "latent_dim": 4, "voxel_size": None}
    return ModelContract(**default | values)
