"""compare: simulate tensile bars with every pore resolved, and the same bars, encoded, with one
material for each SVE.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

from svevae import tracking
from svevae.dataset.cluster import open_cluster
from svevae.errors import ConfigError, blaming
from svevae.files import write_json, written_whole
from svevae.parts.accuracy import LOADS, STRAINS, accuracy_scores, bar_errors
from svevae.parts.coarse import Coarse
from svevae.parts.config import Multiscale
from svevae.parts.direct import Direct, joined
from svevae.parts.fields import PropertyField
from svevae.parts.ground import Ground, generate_bars
from svevae.physics.part import Response
from svevae.pictures.parts import plot_curves, plot_errors, plot_plastic
from svevae.use.champion import load

FOLDER = Path("artifacts/compare")
METRICS = FOLDER / "metrics.json"
CONTENDERS = ("latent", "solver labels", "porosity only", "mean properties")


def compare(params: Multiscale) -> None:
    """Simulate the bars of multiscale/params.yaml each way, score and plot them, log to MLflow.
    Raises SvevaeError.
    """
    settings, shared = params.compare, params.parts
    if shared.strain[-1] < STRAINS[-1]:
        raise ConfigError(
            f"multiscale/params.yaml: parts.strain: expected to reach {STRAINS[-1]:g}, received"
            f" strains up to {shared.strain[-1]:g}"
        )
    ground = Ground.read(shared.dataset)
    model = load(shared.model)
    ground.check(model)
    with blaming("multiscale/params.yaml: compare: "):
        bars = generate_bars(
            settings.generator,
            settings.parameters,
            study="compare",
            shape=settings.part,
            n=model.n,
            count=settings.parts,
            seed=shared.seed,
        )
    direct = Direct(ground.material, shared.strain, shared.tolerance, model.n)
    coarse = Coarse(ground.law, shared.strain, shared.tolerance, shared.refine)
    outline = np.ones(bars.shape[1:], bool)
    solved, direct_seconds, latent_seconds = [], [], []
    latent: dict[str, list[Response]] = {name: [] for name in CONTENDERS}
    for k, bar in enumerate(bars):
        response, spent = direct.simulate(bar, outline, f"bar {k}")
        solved.append(response)
        direct_seconds.append(spent)
    with open_cluster() as cluster:
        labelled = [ground.solve(bar, model.n, cluster) for bar in bars]
    first = PropertyField.encoded(model, bars[0])
    coarse.simulate([first])  # compiles, so that the time of no bar includes it
    for bar, known in zip(bars, labelled, strict=True):
        begun = time.monotonic()
        encoded = PropertyField.encoded(model, bar)
        latent["latent"].append(coarse.simulate([encoded]))
        latent_seconds.append(time.monotonic() - begun)
        others = (known, ground.porosity_only(encoded), encoded.homogeneous())
        for name, field in zip(CONTENDERS[1:], others, strict=True):
            latent[name].append(coarse.simulate([field]))
    truth = joined(solved)
    contenders = {name: joined(responses) for name, responses in latent.items()}
    errors = bar_errors(truth, contenders, bars.mean(axis=(1, 2, 3)))
    scores = accuracy_scores(errors, np.array(direct_seconds), np.array(latent_seconds))
    FOLDER.mkdir(parents=True, exist_ok=True)
    with written_whole(FOLDER / "bars.csv") as beside:
        errors.to_csv(beside, index=False, float_format="%.6g")
    write_json(METRICS, scores)
    plot_curves(FOLDER / "curves.png", truth, contenders)
    plot_errors(FOLDER / "errors.png", errors, ("E", "yield", *LOADS, "curve"))
    plot_plastic(FOLDER / "plastic.png", bars, truth, contenders)
    first.write(FOLDER / "bar0.vtkhdf", ground.law)
    logged = {"parts": asdict(shared), "compare": asdict(settings)}
    tracking.log_study("compare", logged, shared.model, scores, FOLDER)
    print(errors.to_string(index=False, float_format=lambda x: f"{x:.3g}"))
