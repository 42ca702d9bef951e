"""What a page shows of SVEs: where it starts, what the solver says, and what there is to see."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from svevae.model.latent import Prediction


@dataclass(frozen=True)
class Solved:
    """What the solver says of `voxels` (n, n, n): properties by name, curves by axis, each strain
    and stress (increment,) in MPa.

    Where these were realised from a latent vector, `predicted` (property,) is what the model says
    of them, not of the vector.
    """

    properties: dict[str, float]
    curves: dict[str, tuple[np.ndarray, np.ndarray]]
    voxels: np.ndarray = field(repr=False)
    predicted: np.ndarray | None = None


@dataclass(frozen=True)
class Start:
    """An SVE as it was picked: its latent mean (latent,), its voxels (n, n, n), what must be said
    of it, its labels if it has any.
    """

    title: str
    latent: np.ndarray
    voxels: np.ndarray = field(repr=False)
    notes: tuple[str, ...] = ()
    solved: Solved | None = None


@dataclass(frozen=True)
class View:
    """A start after its moves: latent (latent,), pore probability and binary voxels (n, n, n), the
    prediction of this one SVE.

    `solved` is of this SVE, or None; `origin` says in words what the binary voxels are.
    """

    latent: np.ndarray
    probability: np.ndarray = field(repr=False)
    voxels: np.ndarray = field(repr=False)
    origin: str
    prediction: Prediction
    solved: Solved | None
