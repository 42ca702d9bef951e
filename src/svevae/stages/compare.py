"""compare: tensile bars with every pore resolved beside the same bars with an element for each SVE,
encoded.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from svevae import tracking
from svevae.dataset.cluster import open_cluster
from svevae.errors import ConfigError
from svevae.parts.config import Multiscale
from svevae.parts.direct import Direct, joined
from svevae.parts.fields import PropertyField
from svevae.parts.ground import Ground, draw_bars, simulate
from svevae.physics.part import Response
from svevae.pictures import parts as draw
from svevae.use.champion import load

FOLDER = Path("artifacts/compare")
METRICS = FOLDER / "metrics.json"
CONTENDERS = ("latent", "solver labels", "porosity only", "mean properties")
STRAINS = (0.01, 0.02)


def compare(params: Multiscale) -> None:
    """Simulate the bars of multiscale/params.yaml each way, score and draw them, log to MLflow.
    Raises SvevaeError.
    """
    settings, farthest = params.compare, params.parts.strain[-1]
    if farthest < STRAINS[-1]:
        raise ConfigError(
            f"multiscale/params.yaml: parts.strain: expected to reach {STRAINS[-1]:g}, received"
            f" strains up to {farthest:g}"
        )
    ground = Ground.read(params.parts)
    model = load(params.parts.model)
    ground.check(model)
    bars = draw_bars(settings, settings.part, model.n, settings.parts, params.parts.seed)
    direct = Direct(ground.material, params.parts.strain, params.parts.tolerance, model.n)
    outline = np.ones(bars.shape[1:], bool)
    solved, seconds, latent_seconds = [], [], []
    latent = {name: [] for name in CONTENDERS}
    for k, bar in enumerate(bars):
        response, spent = direct.simulate(bar, outline, f"bar {k}")
        solved.append(response)
        seconds.append(spent)
    with open_cluster() as cluster:
        labelled = [ground.solve(bar, model.n, cluster) for bar in bars]
    first = PropertyField.encoded(model, bars[0])
    simulate([first], ground.law, params.parts)  # compiles, so that no bar's time has that in it
    for bar, known in zip(bars, labelled, strict=True):
        begun = time.monotonic()
        encoded = PropertyField.encoded(model, bar)
        latent["latent"].append(simulate([encoded], ground.law, params.parts))
        latent_seconds.append(time.monotonic() - begun)
        others = (known, ground.porosity_only(encoded), encoded.homogeneous())
        for name, field in zip(CONTENDERS[1:], others, strict=True):
            latent[name].append(simulate([field], ground.law, params.parts))
    truth, found = joined(solved), {name: joined(responses) for name, responses in latent.items()}
    table = errors(truth, found, bars.mean(axis=(1, 2, 3)))
    FOLDER.mkdir(parents=True, exist_ok=True)
    table.to_csv(FOLDER / "bars.csv", index=False, float_format="%.6g")
    scores = summary(table, np.array(seconds), np.array(latent_seconds))
    METRICS.write_text(json.dumps(scores, indent=1) + "\n")
    draw.draw_curves(FOLDER / "curves.png", truth, found)
    draw.draw_errors(
        FOLDER / "errors.png",
        table,
        ("E", "yield", *(f"load at {strain:.0%}" for strain in STRAINS), "curve"),
    )
    draw.draw_plastic(FOLDER / "plastic.png", bars, truth, found)
    first.write(FOLDER / "bar0.vtkhdf", ground.law)
    logged = {"parts": asdict(params.parts), "compare": asdict(settings)}
    tracking.log_study("compare", logged, params.parts.model, scores, FOLDER)
    print(table.to_string(index=False, float_format=lambda x: f"{x:.3g}"))


def errors(truth: Response, found: dict[str, Response], porosity: np.ndarray) -> pd.DataFrame:
    """A row for each bar and contender: errors in % of stiffness, yield load, loads at STRAINS and
    the curve; lateral strain; how the plastic strain of SVEs correlates with the direct one, and
    where its peak is off by, in SVEs.
    """
    rows = []
    for name, response in found.items():
        pairs = {
            "E": (response.stiffness, truth.stiffness),
            "yield": (response.yield_stress, truth.yield_stress),
        }
        pairs |= {
            f"load at {strain:.0%}": (response.at(strain), truth.at(strain)) for strain in STRAINS
        }
        pairs |= {"lateral strain": (response.lateral_at(STRAINS[0]), truth.lateral_at(STRAINS[0]))}
        columns = {key: 100 * (a / b - 1) for key, (a, b) in pairs.items()}
        for k, phi in enumerate(porosity):
            stress = np.interp(truth.strain[k], response.strain[k], response.stress[k])
            here, there = response.plastic[k, -1], truth.plastic[k, -1]
            peaks = [
                np.array(np.unravel_index(np.argmax(field), field.shape)) for field in (here, there)
            ]
            uniform = here.std() < 1e-9
            rows.append(
                {"bar": k, "porosity": phi, "contender": name}
                | {key: float(value[k]) for key, value in columns.items()}
                | {
                    "curve": float(100 * np.sqrt(np.square(stress / truth.stress[k] - 1).mean())),
                    "plastic correlation": (
                        0.0 if uniform else float(np.corrcoef(here.ravel(), there.ravel())[0, 1])
                    ),
                    "peak off": float(np.linalg.norm(peaks[0] - peaks[1])),
                }
            )
    return pd.DataFrame(rows)


def summary(table: pd.DataFrame, direct: np.ndarray, latent: np.ndarray) -> dict:
    """Scores of each contender over the bars: mean and largest absolute errors in %, and how much
    faster the latent path is.
    """
    columns = [
        "E",
        "yield",
        *(f"load at {strain:.0%}" for strain in STRAINS),
        "lateral strain",
        "curve",
    ]
    scores: dict = {}
    for name, rows in table.groupby("contender", sort=False):
        found = {f"{column}_mean": float(rows[column].abs().mean()) for column in columns}
        found |= {f"{column}_max": float(rows[column].abs().max()) for column in columns}
        found["plastic_correlation"] = float(rows["plastic correlation"].mean())
        scores[name] = {
            key.replace(" ", "_").replace("%", "_percent"): value for key, value in found.items()
        }
    one, other = (
        table[table.contender == name].set_index("bar")["yield"].abs()
        for name in ("latent", "porosity only")
    )
    scores["bars"] = int(table.bar.nunique())
    scores["bars_ahead_of_porosity_only"] = int((one < other).sum())
    scores["direct_seconds"], scores["latent_seconds"] = float(direct.mean()), float(latent.mean())
    scores["faster"] = float(direct.mean() / latent.mean())
    return scores
