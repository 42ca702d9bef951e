"""Change the threshold of a segmented volume, and learn how far that moves its latent codes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

BLUR = 1.0  # voxels, of the scanner, before the threshold
PENALTY = 1.0


def resegment(pores: np.ndarray, factor: float) -> np.ndarray:
    """Segment a volume (x, y, z) anew to `factor`, at least 0, times its porosity.

    Pores grow or shrink as they do where a blurred scan is cut elsewhere.
    """
    if factor == 1 or not pores.any():
        return pores
    grey = (
        gaussian_filter(pores.astype(np.float32), BLUR, mode="nearest") + np.float32(1e-3) * pores
    )
    count = min(round(factor * int(pores.sum())), pores.size)
    changed = np.zeros_like(pores)
    changed.flat[np.argpartition(-grey, max(count - 1, 0), axis=None)[:count]] = 1
    return changed


@dataclass(frozen=True)
class SegmentationShift:
    """How latent codes move with the threshold: linear in latent vector and porosity, by ridge
    regression.
    """

    regression: Pipeline

    @classmethod
    def fit(
        cls, latent: np.ndarray, porosity: np.ndarray, fewer: np.ndarray, more: np.ndarray
    ) -> SegmentationShift:
        """`fewer`, `more` (sve, latent): codes of the SVEs `latent` whose porosity is one standard
        deviation lower and higher.
        """
        return cls(
            make_pipeline(StandardScaler(), Ridge(PENALTY)).fit(
                np.column_stack([latent, porosity]), (more - fewer) / 2
            )
        )

    def apply(self, latent: np.ndarray, porosity: np.ndarray, deviations: float) -> np.ndarray:
        """Codes (..., latent) of SVEs with porosities (...), measured `deviations` standard
        deviations higher.
        """
        columns = np.concatenate([latent, porosity[..., None]], axis=-1)
        moved = self.regression.predict(columns.reshape(-1, columns.shape[-1])).reshape(
            latent.shape
        )
        return (latent + deviations * moved).astype(np.float32)
