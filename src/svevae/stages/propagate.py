"""propagate: uncertainty of the microstructure, sampled in latent space, to the response of parts;
beside direct simulation.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import beta, ks_2samp, quantile_test, wilcoxon
from tqdm import tqdm

from svevae import tracking
from svevae.dataset.cluster import HERE, Work, open_cluster
from svevae.dataset.cut import cut
from svevae.model.latent import LatentModel
from svevae.parts.config import Multiscale
from svevae.parts.direct import Direct, joined
from svevae.parts.fields import PropertyField
from svevae.parts.ground import Ground, draw_bars, series, simulate
from svevae.parts.latent_field import LatentField
from svevae.parts.resegment import SegmentationShift, resegment
from svevae.physics.part import Response
from svevae.pictures import parts as draw
from svevae.use.champion import load

FOLDER = Path("artifacts/propagate")
METRICS = FOLDER / "metrics.json"
BATCH = 25  # parts that the solver has at a time
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
CONFIDENCE = 0.95
ENCODED = "the direct ones, encoded"


def propagate(params: Multiscale, work: Work = HERE) -> None:
    """Sample, simulate both ways, compare distributions, draw them, log to MLflow. Raises
    SvevaeError.
    """
    settings, seed = params.propagate, params.parts.seed
    ground = Ground.read(params.parts)
    model = load(params.parts.model)
    ground.check(model)
    coupons = draw_bars(settings, settings.block, model.n, settings.coupons, seed)
    spans = tuple(slice(edge * model.n) for edge in settings.part)
    bars = draw_bars(
        settings, settings.block, model.n, settings.direct, seed, first=settings.coupons
    )[:, *spans]
    outline = np.ones(bars.shape[1:], bool)
    direct = Direct(ground.material, params.parts.strain, params.parts.tolerance, model.n)
    with open_cluster(work) as cluster:
        truth, seconds = direct.simulate_all(bars, outline, cluster)

    begun = time.monotonic()
    field, shift = _fit(model, coupons, settings.segmentation)

    def sampled(k: int, correlated: bool = True, segmented: bool = False) -> PropertyField:
        """Part k, of the same random numbers whether its porosity is in error or not."""
        random, error = (
            np.random.default_rng([series(f"propagate: {what}", seed), k])
            for what in ("fields", "segmentation")
        )
        latent, porosity = field.sample(settings.part, random, correlated=correlated)
        latent = shift.apply(latent, porosity, error.standard_normal() if segmented else 0.0)
        return PropertyField.predicted(model, latent, porosity).drawn(random)

    def pushed(name: str, make: Callable[[int], PropertyField], count: int) -> Response:
        found = []
        with tqdm(total=count, unit="part", desc=name, disable=not sys.stderr.isatty()) as bar:
            for first in range(0, count, BATCH):
                fields = [make(k) for k in range(first, min(first + BATCH, count))]
                found.append(simulate(fields, ground.law, params.parts))
                bar.update(len(fields))
        return joined(found)

    sources = {"direct": truth, "latent": pushed("latent fields", sampled, settings.fields)}
    spent = time.monotonic() - begun
    sources["latent, independent SVEs"] = pushed(
        "independent SVEs", partial(sampled, correlated=False), settings.fields
    )
    sources["latent, segmentation"] = pushed(
        "segmentation", partial(sampled, segmented=True), settings.fields
    )
    sources[ENCODED] = pushed(
        "encoded", lambda k: PropertyField.encoded(model, bars[k]), settings.direct
    )
    quantities = {
        name: {source: take(response) for source, response in sources.items()}
        for name, take in QUANTITIES.items()
    }
    table = quantile_table(quantities)
    scores = summary(quantities) | {
        "direct_seconds_a_part": float(seconds.mean()),
        "latent_seconds_a_part": spent / settings.fields,
        "parts": {"direct": settings.direct, "latent": settings.fields},
    }
    FOLDER.mkdir(parents=True, exist_ok=True)
    table.to_csv(FOLDER / "quantiles.csv", index=False, float_format="%.6g")
    field.correlation.to_csv(FOLDER / "correlation.csv", index=False, float_format="%.4g")
    METRICS.write_text(json.dumps(scores, indent=1) + "\n")
    draw.draw_quantiles(
        FOLDER / "quantiles.png",
        quantities,
        {name: band(found["direct"]) for name, found in quantities.items()},
    )
    draw.draw_correlation(FOLDER / "correlation.png", field.correlation)
    logged = {"parts": asdict(params.parts), "propagate": asdict(settings)}
    tracking.log_study("propagate", logged, params.parts.model, scores, FOLDER)
    print(table.to_string(index=False, float_format=lambda x: f"{x:.4g}"))


QUANTITIES: dict[str, Callable[[Response], np.ndarray]] = {
    "yield load / area [MPa]": lambda response: response.yield_stress,
    "stiffness [MPa]": lambda response: response.stiffness,
    "peak plastic strain of an SVE": lambda response: (
        response.plastic[:, -1].reshape(len(response.plastic), -1).max(axis=1)
    ),
}


def _fit(
    model: LatentModel, coupons: np.ndarray, segmentation: float
) -> tuple[LatentField, SegmentationShift]:
    """The latent field of the coupons, and how latent codes move where their porosity is measured
    `segmentation` higher.
    """
    latent, fewer, more, porosity, positions = [], [], [], [], []
    with tqdm(
        total=len(coupons), unit="coupon", desc="encode", disable=not sys.stderr.isatty()
    ) as bar:
        for coupon in coupons:
            cubes, position = cut(coupon, model.n)
            latent.append(model.encode(cubes)[0])
            for codes, factor in ((fewer, 1 - segmentation), (more, 1 + segmentation)):
                codes.append(model.encode(cut(resegment(coupon, factor), model.n)[0])[0])
            porosity.append(cubes.mean(axis=(1, 2, 3)))
            positions.append(position)
            bar.update()
    part_id = np.repeat(np.arange(len(coupons)), [len(one) for one in porosity])
    latent, fewer, more, porosity, position = map(
        np.concatenate, (latent, fewer, more, porosity, positions)
    )
    field = LatentField.fit(latent, porosity, part_id, position)
    return field, SegmentationShift.fit(latent, porosity, fewer, more)


def quantile_table(quantities: dict[str, dict[str, np.ndarray]]) -> pd.DataFrame:
    """A row for each quantity, source and quantile: its estimate and the 95 % confidence interval
    from order statistics.

    An end is NaN where the sample is too small to have one: of 24 parts the lower one at 5 % and
    the upper one at 95 %.
    """
    rows = []
    for name, sources in quantities.items():
        for source, values in sources.items():
            for share in QUANTILES:
                interval = quantile_test(values, p=share).confidence_interval(CONFIDENCE)
                row = {
                    "quantity": name,
                    "source": source,
                    "quantile": share,
                    "value": np.quantile(values, share),
                }
                rows.append(row | {"low": interval.low, "high": interval.high})
    return pd.DataFrame(rows)


def summary(quantities: dict[str, dict[str, np.ndarray]]) -> dict:
    """Of each quantity and source: mean, standard deviation, and the p-value of a
    Kolmogorov-Smirnov test against the direct ones.

    Those encoded are the same parts: theirs is of Wilcoxon's test of the differences, whose mean
    and standard deviation stand beside it.
    """
    scores: dict = {}
    for name, sources in quantities.items():
        key = name.partition(" /")[0].partition(" [")[0].replace(" ", "_")
        for source, values in sources.items():
            found = {"mean": float(values.mean()), "std": float(values.std(ddof=1))}
            if source == ENCODED:
                off = values - sources["direct"]
                found |= {
                    "off": float(off.mean()),
                    "off_std": float(off.std(ddof=1)),
                    "p_value": float(wilcoxon(off).pvalue),
                }
            elif source != "direct":
                found["p_value"] = float(ks_2samp(sources["direct"], values).pvalue)
            scores.setdefault(key, {})[source.replace(", ", "_").replace(" ", "_")] = found
    return scores


def band(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where the distribution lies that a sample (part,) was drawn from: values, and 95 % limits of
    the share below each (Clopper-Pearson), of one at a time.
    """
    ordered, count = np.sort(values), len(values)
    below = np.arange(1, count + 1)
    tail = (1 - CONFIDENCE) / 2
    low = beta.ppf(tail, below, count - below + 1)
    high = np.where(below < count, beta.ppf(1 - tail, below + 1, np.maximum(count - below, 1)), 1.0)
    return ordered, low, high
