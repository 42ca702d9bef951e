"""grade: the gradation of porosity that carries a load at least mass, found through the latent
space and verified directly.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from svevae import tracking
from svevae.parts.config import Multiscale
from svevae.parts.gradation import Gradation, GradationStudy, fit_trend
from svevae.parts.ground import Ground
from svevae.pictures import parts as draw
from svevae.use.champion import load

FOLDER = Path("artifacts/grade")
METRICS = FOLDER / "metrics.json"


def grade(params: Multiscale) -> None:
    """Search, verify, draw, log to MLflow. Raises SvevaeError, ConfigError where no gradation
    carries the load.
    """
    settings = params.grade
    ground = Ground.read(params.parts)
    model = load(params.parts.model)
    ground.check(model)
    study = GradationStudy(params, ground, model, fit_trend(model, ground.data))
    dense = study.load(Gradation(settings.porosity[0], settings.porosity[0], 1.0))
    target = settings.load * dense
    uniform = study.uniform(target)
    best, trials = study.search(target, uniform)
    designs = {"uniform": uniform, "graded": best}
    rows, responses = [], {}
    for name, design in designs.items():
        responses[name] = study.verify(name, design)
        rows.append(
            asdict(design)
            | {
                "design": name,
                "mean porosity": study.mean_porosity(design),
                "latent load": study.load(design),
                "direct load": float(responses[name].yield_stress.mean()),
                "target": target,
            }
        )
    table = pd.DataFrame(rows).set_index("design")
    scores = {
        name: {key.replace(" ", "_"): float(value) for key, value in row.items()}
        for name, row in table.to_dict("index").items()
    } | {
        "mass_saved_percent": (
            100 * float(table["mean porosity"]["graded"] - table["mean porosity"]["uniform"])
        )
    }
    FOLDER.mkdir(parents=True, exist_ok=True)
    table.to_csv(FOLDER / "designs.csv", float_format="%.6g")
    trials.to_csv(FOLDER / "trials.csv", index=False, float_format="%.6g")
    METRICS.write_text(json.dumps(scores, indent=1) + "\n")
    draw.draw_designs(
        FOLDER / "designs.png",
        {name: study.porosity(design) for name, design in designs.items()},
        responses,
        target,
    )
    draw.draw_trials(FOLDER / "trials.png", trials, study.mean_porosity(uniform))
    logged = {"parts": asdict(params.parts), "grade": asdict(settings)}
    tracking.log_study("grade", logged, params.parts.model, scores, FOLDER)
    print(table.to_string(float_format=lambda x: f"{x:.4g}"))
