"""What a user would try before a neural network. Each score of a model is reported beside these."""

from __future__ import annotations

import numpy as np
from scipy import fft
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from svevae.model.metrics import voxel_cross_entropy

POROSITY_DEGREE = 3
# 64 to 256 make no difference on the validation parts: docs/model-log.md
TWO_POINT_COMPONENTS = 128
# Penalties of the ridge regression, chosen by leave-one-out within the training SVEs.
PENALTIES = np.logspace(-5, 4, 19)
PLATT_VOXELS = 1_000_000  # that the reconstruction's probabilities are fitted to


class PorosityBaseline:
    """Each property as a cubic polynomial in the porosity, least squares over the training SVEs."""

    def __init__(self, porosity: np.ndarray, properties: np.ndarray):
        """porosity (sve,), properties (sve, property) in their units."""
        self.scale = max(float(porosity.max()), 1e-12)
        self.coefficients = np.linalg.lstsq(
            self._powers(porosity), properties.astype(np.float64), rcond=None
        )[0]

    def predict(self, porosity: np.ndarray) -> np.ndarray:
        """(sve,) -> (sve, property), in their units."""
        return self._powers(porosity) @ self.coefficients

    def _powers(self, porosity: np.ndarray) -> np.ndarray:
        return np.vander(
            porosity.astype(np.float64) / self.scale, POROSITY_DEGREE + 1, increasing=True
        )


class RidgeBaseline:
    """Each property linear in the first powers of the porosity and in statistics of the
    microstructure, by ridge regression.
    """

    def __init__(
        self,
        porosity: np.ndarray,
        statistics: np.ndarray,
        properties: np.ndarray,
        components: int | None = None,
    ):
        """porosity (sve,), statistics (sve, any), properties (sve, property); with `components`,
        statistics go through a PCA to that many.
        """
        self.scaler = StandardScaler().fit(properties)
        count = min(components or 0, len(statistics) - 1, statistics.shape[1])
        self.pca = (
            PCA(count, svd_solver="randomized", random_state=0).fit(statistics)
            if components
            else None
        )
        self.ridge = make_pipeline(StandardScaler(), RidgeCV(PENALTIES))
        self.ridge.fit(self._features(porosity, statistics), self.scaler.transform(properties))

    def predict(self, porosity: np.ndarray, statistics: np.ndarray) -> np.ndarray:
        """(sve,), (sve, any) -> (sve, property), in their units."""
        standardised = self.ridge.predict(self._features(porosity, statistics))
        # of one property scikit-learn drops the axis
        return self.scaler.inverse_transform(standardised.reshape(len(porosity), -1))

    def _features(self, porosity: np.ndarray, statistics: np.ndarray) -> np.ndarray:
        powers = porosity[:, None] ** np.arange(1, POROSITY_DEGREE + 1)
        return np.column_stack([powers, self.pca.transform(statistics) if self.pca else statistics])


def two_point_map(voxels: np.ndarray) -> np.ndarray:
    """The two-point correlation of each SVE as a function of the vector between two voxels,
    averaged over mirrors.

    Periodic, by the Fourier transform. Voxels (sve, n, n, n) of 0 and 1 -> (sve, (n // 2 + 1)^3)
    float32.
    """
    n = voxels.shape[1]
    maps = []
    for cube in voxels.astype(np.float32):
        correlation = fft.irfftn(np.abs(fft.rfftn(cube)) ** 2, s=cube.shape) / cube.size
        for axis in range(3):
            correlation = (correlation + np.take(correlation, -np.arange(n) % n, axis)) / 2
        maps.append(correlation[: n // 2 + 1, : n // 2 + 1, : n // 2 + 1].ravel())
    return np.stack(maps)


class VoxelPCA:
    """Reconstruction by the principal components of the voxels, their values turned into
    probabilities by a logistic curve.
    """

    def __init__(self, voxels: np.ndarray, components: int):
        """voxels (sve, n, n, n) of the training SVEs."""
        flat = voxels.reshape(len(voxels), -1).astype(np.float32)
        self.pca = PCA(min(components, len(flat) - 1), svd_solver="randomized", random_state=0).fit(
            flat
        )
        random = np.random.default_rng(0)
        rows = random.integers(len(flat), size=max(1, PLATT_VOXELS // flat.shape[1]))
        self.curve = LogisticRegression().fit(
            self._linear(flat[rows]).reshape(-1, 1), flat[rows].ravel()
        )

    def cross_entropy(self, voxels: np.ndarray) -> np.ndarray:
        """-log Bernoulli likelihood of the reconstructions, summed over voxels, nats; (sve, n, n,
        n) -> (sve,).
        """
        linear = self._linear(voxels.reshape(len(voxels), -1).astype(np.float32))
        logits = self.curve.coef_[0, 0] * linear + self.curve.intercept_[0]
        return voxel_cross_entropy(voxels, logits.reshape(voxels.shape))

    def _linear(self, flat: np.ndarray) -> np.ndarray:
        return self.pca.inverse_transform(self.pca.transform(flat))
