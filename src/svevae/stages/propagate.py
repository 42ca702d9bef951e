"""propagate: push the uncertainty of the microstructure, sampled in latent space, to the response
of parts, and compare it with direct simulation.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np

from svevae import tracking
from svevae.dataset.cluster import HERE, Work, open_cluster
from svevae.errors import blaming
from svevae.files import write_json, written_whole
from svevae.parts.coarse import Coarse
from svevae.parts.config import Multiscale
from svevae.parts.direct import Direct
from svevae.parts.fields import PropertyField
from svevae.parts.ground import Ground, generate_bars
from svevae.parts.quantiles import (
    DIRECT,
    ENCODED,
    confidence_band,
    distribution_scores,
    quantile_table,
    quantities_of,
)
from svevae.parts.sampler import PartSampler
from svevae.pictures.parts import plot_latent_correlation, plot_quantiles
from svevae.use.champion import load

FOLDER = Path("artifacts/propagate")
METRICS = FOLDER / "metrics.json"


def propagate(params: Multiscale, work: Work = HERE) -> None:
    """Sample, simulate both ways, compare distributions, plot them, log to MLflow. Raises
    SvevaeError.
    """
    settings, shared = params.propagate, params.parts
    ground = Ground.read(shared.dataset)
    model = load(shared.model)
    ground.check(model)
    generate = partial(
        generate_bars,
        settings.generator,
        settings.parameters,
        study="propagate",
        shape=settings.block,
        n=model.n,
        seed=shared.seed,
    )
    spans = tuple(slice(edge * model.n) for edge in settings.part)
    with blaming("multiscale/params.yaml: propagate: "):
        coupons = generate(count=settings.coupons)
        bars = generate(count=settings.direct, first=settings.coupons)[:, *spans]
    direct = Direct(ground.material, shared.strain, shared.tolerance, model.n)
    coarse = Coarse(ground.law, shared.strain, shared.tolerance, shared.refine)
    with open_cluster(work) as cluster:
        truth, seconds = direct.simulate_all(bars, np.ones(bars.shape[1:], bool), cluster)

    begun = time.monotonic()
    sampler = PartSampler.fit(model, coupons, settings.segmentation)
    sample = partial(sampler.sample, shape=settings.part, seed=shared.seed)
    sources = {DIRECT: truth}
    sources["latent"] = coarse.simulate_all(sample, settings.fields, "latent fields")
    spent = time.monotonic() - begun
    sources["latent, independent SVEs"] = coarse.simulate_all(
        partial(sample, correlated=False), settings.fields, "independent SVEs"
    )
    sources["latent, segmentation"] = coarse.simulate_all(
        partial(sample, segmented=True), settings.fields, "segmentation"
    )
    sources[ENCODED] = coarse.simulate_all(
        lambda k: PropertyField.encoded(model, bars[k]), settings.direct, "encoded"
    )
    quantities = quantities_of(sources)
    table = quantile_table(quantities)
    scores = distribution_scores(quantities) | {
        "direct_seconds_a_part": float(seconds.mean()),
        "latent_seconds_a_part": spent / settings.fields,
        "parts": {"direct": settings.direct, "latent": settings.fields},
    }
    FOLDER.mkdir(parents=True, exist_ok=True)
    with written_whole(FOLDER / "quantiles.csv") as beside:
        table.to_csv(beside, index=False, float_format="%.6g")
    correlation = sampler.field.correlation
    with written_whole(FOLDER / "correlation.csv") as beside:
        correlation.to_csv(beside, index=False, float_format="%.4g")
    write_json(METRICS, scores)
    bands = {name: confidence_band(values[DIRECT]) for name, values in quantities.items()}
    plot_quantiles(FOLDER / "quantiles.png", quantities, bands)
    plot_latent_correlation(FOLDER / "correlation.png", correlation)
    logged = {"parts": asdict(shared), "propagate": asdict(settings)}
    tracking.log_study("propagate", logged, shared.model, scores, FOLDER)
    print(table.to_string(index=False, float_format=lambda x: f"{x:.4g}"))
