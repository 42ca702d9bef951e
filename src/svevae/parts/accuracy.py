"""Compare responses of bars, simulated through the latent space, with direct simulation."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from svevae.physics.part import Response

STRAINS = (0.01, 0.02)  # at which loads are compared
LOADS = tuple(f"load at {strain:.0%}" for strain in STRAINS)


def bar_errors(
    truth: Response, contenders: Mapping[str, Response], porosity: np.ndarray
) -> pd.DataFrame:
    """Tabulate the errors of each contender for each bar; porosity (bar,).

    In % of the direct simulation: E, yield, LOADS, lateral strain, and the root mean square over
    the curve. `plastic correlation` is that of the plastic strains of SVEs at the last increment
    with the direct ones, 0 for a uniform field; `peak off` the distance between the two largest, in
    SVEs.
    """
    rows = []
    for name, response in contenders.items():
        pairs = {
            "E": (response.stiffness, truth.stiffness),
            "yield": (response.yield_stress, truth.yield_stress),
        }
        for load, strain in zip(LOADS, STRAINS, strict=True):
            pairs[load] = (response.at(strain), truth.at(strain))
        pairs["lateral strain"] = (response.lateral_at(STRAINS[0]), truth.lateral_at(STRAINS[0]))
        columns = {key: 100 * (a / b - 1) for key, (a, b) in pairs.items()}
        for k, phi in enumerate(porosity):
            stress = np.interp(truth.strain[k], response.strain[k], response.stress[k])
            here, there = response.plastic[k, -1], truth.plastic[k, -1]
            rows.append(
                {"bar": k, "porosity": phi, "contender": name}
                | {key: float(value[k]) for key, value in columns.items()}
                | {
                    "curve": float(100 * np.sqrt(np.square(stress / truth.stress[k] - 1).mean())),
                    "plastic correlation": _correlation(here, there),
                    "peak off": float(np.linalg.norm(_peak(here) - _peak(there))),
                }
            )
    return pd.DataFrame(rows)


def accuracy_scores(
    errors: pd.DataFrame, direct_seconds: np.ndarray, latent_seconds: np.ndarray
) -> dict:
    """Summarise `bar_errors` of the contenders "latent", "porosity only" and any others.

    For each contender the mean and the largest absolute error in % over the bars, and the mean
    correlation of plastic strains; how many bars the latent path is nearer in than the
    porosity-only one (yield); the mean of the seconds (bar,) of each path and their ratio.
    """
    columns = ["E", "yield", *LOADS, "lateral strain", "curve"]
    scores: dict = {}
    for name, rows in errors.groupby("contender", sort=False):
        values = {f"{column}_mean": float(rows[column].abs().mean()) for column in columns}
        values |= {f"{column}_max": float(rows[column].abs().max()) for column in columns}
        values["plastic_correlation"] = float(rows["plastic correlation"].mean())
        scores[name] = {
            key.replace(" ", "_").replace("%", "_percent"): value for key, value in values.items()
        }
    latent, porosity_only = (
        errors[errors.contender == name].set_index("bar")["yield"].abs()
        for name in ("latent", "porosity only")
    )
    scores["bars"] = int(errors.bar.nunique())
    scores["bars_ahead_of_porosity_only"] = int((latent < porosity_only).sum())
    scores["direct_seconds"] = float(direct_seconds.mean())
    scores["latent_seconds"] = float(latent_seconds.mean())
    scores["faster"] = float(direct_seconds.mean() / latent_seconds.mean())
    return scores


def _correlation(field: np.ndarray, other: np.ndarray) -> float:
    if field.std() < 1e-9:
        return 0.0
    return float(np.corrcoef(field.ravel(), other.ravel())[0, 1])


def _peak(field: np.ndarray) -> np.ndarray:
    """Index of the largest value."""
    return np.array(np.unravel_index(np.argmax(field), field.shape))
