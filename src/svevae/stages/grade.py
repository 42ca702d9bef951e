"""grade: find the gradation of porosity that carries a load at least mass through the latent space,
and verify it directly.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pandas as pd

from svevae import tracking
from svevae.errors import blaming
from svevae.files import write_json, written_whole
from svevae.parts.coarse import Coarse
from svevae.parts.config import Multiscale
from svevae.parts.direct import Direct
from svevae.parts.gradation import GradationStudy, Outline, fit_trend, verify
from svevae.parts.ground import Ground
from svevae.parts.lightest import Gradation
from svevae.pictures.parts import plot_designs, plot_trials
from svevae.use.champion import load

FOLDER = Path("artifacts/grade")
METRICS = FOLDER / "metrics.json"


def grade(params: Multiscale) -> None:
    """Search, verify, plot, log to MLflow. Raises SvevaeError, ConfigError where no gradation
    carries the load.
    """
    settings, shared = params.grade, params.parts
    ground = Ground.read(shared.dataset)
    model = load(shared.model)
    ground.check(model)
    with blaming("multiscale/params.yaml: parts."):
        outline = Outline(
            settings.shape, settings.part, settings.radius, n=model.n, refine=shared.refine
        )
    direct = Direct(ground.material, settings.strain, shared.tolerance, model.n)
    coarse = Coarse(ground.law, shared.strain, shared.tolerance, shared.refine)
    with blaming("multiscale/params.yaml: grade."):
        study = GradationStudy(
            outline,
            model,
            fit_trend(model, ground.data),
            coarse,
            porosity=settings.porosity,
            fields=settings.fields,
            seed=shared.seed,
        )
    with blaming("multiscale/params.yaml: parts."):
        dense = study.load(Gradation(settings.porosity[0], settings.porosity[0], 1.0))
    target = settings.load * dense
    with blaming("multiscale/params.yaml: grade."):
        uniform = study.uniform(target)
    best, trials = study.search(target, uniform, settings.trials)
    designs = {"uniform": uniform, "graded": best}
    rows, responses = [], {}
    for name, design in designs.items():
        responses[name] = verify(
            name,
            design,
            outline,
            direct,
            count=settings.direct,
            seed=shared.seed,
            pore_length=settings.pore_length,
            elongation=settings.elongation,
        )
        rows.append(
            asdict(design)
            | {
                "design": name,
                "mean porosity": outline.mean_porosity(design),
                "latent load": study.load(design),
                "direct load": float(responses[name].yield_stress.mean()),
                "target": target,
            }
        )
    table = pd.DataFrame(rows).set_index("design")
    scores: dict = {
        str(name): {str(key).replace(" ", "_"): float(value) for key, value in row.items()}
        for name, row in table.to_dict("index").items()
    }
    saved = table["mean porosity"]["graded"] - table["mean porosity"]["uniform"]
    scores["mass_saved_percent"] = 100 * float(saved)
    FOLDER.mkdir(parents=True, exist_ok=True)
    with written_whole(FOLDER / "designs.csv") as beside:
        table.to_csv(beside, float_format="%.6g")
    with written_whole(FOLDER / "trials.csv") as beside:
        trials.to_csv(beside, index=False, float_format="%.6g")
    write_json(METRICS, scores)
    slices = {name: outline.porosity_slice(design) for name, design in designs.items()}
    plot_designs(FOLDER / "designs.png", slices, responses, target)
    plot_trials(FOLDER / "trials.png", trials, outline.mean_porosity(uniform))
    logged = {"parts": asdict(shared), "grade": asdict(settings)}
    tracking.log_study("grade", logged, shared.model, scores, FOLDER)
    print(table.to_string(float_format=lambda x: f"{x:.4g}"))
