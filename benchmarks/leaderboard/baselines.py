"""What anyone would try first: regressions that see the training SVEs of
data/porous_metals_32.h5.

Each predicts the properties in units of the matrix, from features of the pores and from what is
left of the matrix's law once its units are gone (`svevae.physics.alloys`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from benchmarks.leaderboard.score import in_units_of_the_matrix
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import RidgeCV
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from svevae.dataset.curves import carries_load
from svevae.dataset.store import LabelledDataset
from svevae.model.baselines import PENALTIES, two_point_map
from svevae.model.elastic import elastic_statistics

BLOCK = 256
COMPONENTS = 128
Features = Callable[[LabelledDataset], np.ndarray]


def law_features(data: LabelledDataset) -> np.ndarray:
    """(sve, 4): nu, log Q/s0, log b s0/E, and log s0/E, which the offset of the yield sees."""
    assert data.laws is not None
    E, nu, s0, Q, b = data.laws.T
    return np.stack([nu, np.log(Q / s0), np.log(b * s0 / E), np.log(s0 / E)], axis=1)


def by_blocks(data: LabelledDataset, of: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Features (sve, any) of voxels, some SVEs at a time."""
    starts = range(0, data.count, BLOCK)
    rows = [np.arange(start, min(start + BLOCK, data.count)) for start in starts]
    return np.concatenate([of(data.voxels(index)) for index in rows])


def porosity(data: LabelledDataset) -> np.ndarray:
    """(sve, 3) the first powers of the porosity."""
    return data.porosity()[:, None] ** np.arange(1, 4)


def two_point(data: LabelledDataset) -> np.ndarray:
    """(sve, any) the two-point correlation, periodic and averaged over mirrors."""
    return np.hstack([porosity(data), by_blocks(data, two_point_map)])


def elastic(data: LabelledDataset) -> np.ndarray:
    """(sve, 117) the elastic statistics of the encoder."""
    model = elastic_statistics(data.n)
    found = by_blocks(data, lambda cubes: model.predict(cubes, verbose=0))
    return np.hstack([porosity(data), found])


def ridge() -> object:
    return make_pipeline(StandardScaler(), RidgeCV(PENALTIES))


def forest() -> object:
    return RandomForestRegressor(
        200, min_samples_leaf=2, max_features=0.3, n_jobs=-1, random_state=0
    )


def network() -> object:
    layers = MLPRegressor(
        hidden_layer_sizes=(256, 256),
        early_stopping=True,
        max_iter=200,
        n_iter_no_change=20,
        random_state=0,
    )
    return make_pipeline(StandardScaler(), layers)


# name: features of the pores, whether they go through a PCA, the regression
BASELINES: dict[str, tuple[Features, bool, Callable[[], object]]] = {
    "porosity, cubic": (porosity, False, ridge),
    "two-point, ridge": (two_point, True, ridge),
    "two-point, random forest": (two_point, True, forest),
    "elastic statistics, ridge": (elastic, False, ridge),
    "elastic statistics, network": (elastic, False, network),
}


def predict(name: str, train: LabelledDataset, test: LabelledDataset, path: Path) -> None:
    """Fit a baseline and write its predictions of the test SVEs as CSV."""
    features, reduced, regression = BASELINES[name]
    seen, new = features(train), features(test)
    if reduced:
        pca = PCA(COMPONENTS, svd_solver="randomized", random_state=0).fit(seen)
        seen, new = pca.transform(seen), pca.transform(new)
    laws = PolynomialFeatures(2, include_bias=False)
    seen = np.hstack([seen, laws.fit_transform(law_features(train))])
    new = np.hstack([new, laws.transform(law_features(test))])
    whole, target, model = carries_load(train), StandardScaler(), regression()
    wanted = in_units_of_the_matrix(train.properties.astype(float), train)[whole]
    model.fit(seen[whole], target.fit_transform(wanted))
    found = target.inverse_transform(model.predict(new))
    found *= in_units_of_the_matrix(np.ones(found.shape), test) ** -1
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(found, columns=list(test.names)).to_csv(path, index_label="sve")
