"""Properties of elements from those of the SVEs in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array

from svevae.meshes.bins import Curves
from svevae.use.mesh_places import Grid
from svevae.words import counted


@dataclass(frozen=True)
class Averages:
    """Averages over the volume of elements, by `weights` (element, SVE), of values of SVEs.

    That of stresses at each strain is what SVEs that share the strain have on the mean: the upper
    bound.
    """

    weights: csr_array

    @cached_property
    def counts(self) -> np.ndarray:
        """SVEs of each element, (element,)."""
        return np.diff(self.weights.indptr)

    def curves(self, curves: Curves, solid: np.ndarray) -> tuple[Curves, np.ndarray]:
        """The curves that elements have, of SVEs that are there as they are and of each average
        beside them, and which of them is whose, (element,); `curves` are those of the SVEs that are
        `solid` (sve,).
        """
        alone = self.counts == 1
        first = self.weights.indices[self.weights.indptr[:-1]]
        used, which = np.unique(first[alone], return_inverse=True)
        rows = (np.cumsum(solid) - 1)[used]
        mixed = self.weights[np.flatnonzero(~alone)][:, np.flatnonzero(solid)]
        own = (
            np.concatenate([values[rows], mixed @ values])
            for values in (curves.E, curves.nu, curves.stress)
        )
        found = np.empty(len(alone), np.int64)
        found[alone] = which
        found[~alone] = len(used) + np.arange(len(alone) - alone.sum())
        return Curves(curves.strain, *own), found

    def columns(self, field: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Columns (x, y, z) of `PropertyField.columns` for each element: averages; standard
        deviations as if SVEs erred independently, and the largest novelty.
        """
        squared = self.weights.multiply(self.weights).tocsr()
        made: dict[str, np.ndarray] = {}
        for name, column in field.items():
            flat = column.ravel()
            if name.endswith("_std"):
                made[name] = np.sqrt(squared @ np.square(flat))
            elif name == "novelty":
                own = flat[self.weights.indices]
                made[name] = np.maximum.reduceat(own, self.weights.indptr[:-1])
            else:
                made[name] = self.weights @ flat
        return made

    def say(self, larger: np.ndarray, grid: Grid) -> Iterator[str]:
        """Tell how many elements are `larger` (element,) than an SVE, and what they have."""
        if larger.any():
            counts = self.counts[larger]
            several = " to ".join(map(str, sorted({int(counts.min()), int(counts.max())})))
            yield (
                f"{counted(int(larger.sum()), 'element')} larger than an SVE of {grid.edge:.4g}"
                f" {grid.unit}: averages over their volume, of {several} SVEs each, standard"
                " deviations as if SVEs erred independently"
            )
