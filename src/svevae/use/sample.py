"""`svevae sample`: write new SVEs of a model, with wished properties if any, to an SVE file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from svevae.dataset.store import write_dataset
from svevae.model.porosity import NAME, with_porosity
from svevae.model.sampling import sample_sves
from svevae.use.champion import load
from svevae.use.targets import check_output
from svevae.words import counted


def sample_file(
    target: Path,
    uri: str,
    count: int,
    seed: int,
    targets: Mapping[str, float],
    material: Any = None,
) -> str:
    """Write `count` SVEs, each one part by itself, with the properties that the predictor gives;
    returns what is in it, in words.

    Latent vectors come from the aggregate posterior, conditional on `targets`: properties, or the
    porosity. The matrix is `material` (`svevae.use.champion.load`). Beside the contract: /latent,
    /properties_std and /novelty. The same seed gives the same file. Raises DataError,
    TrackingError.
    """
    check_output("sample", target)
    model = load(uri, material=material)
    random = np.random.default_rng(seed)
    wishing = with_porosity(model, random) if NAME in targets else model
    latent, voxels = sample_sves(wishing, count, random, targets)
    prediction = model.prediction(latent)
    porosity = voxels.mean((1, 2, 3), dtype=np.float64)
    arrays = {
        "voxels": voxels,
        "properties": prediction.properties,
        "part_id": np.arange(count),
        "porosity": porosity,
        "latent": latent,
        "properties_std": prediction.std,
        "novelty": prediction.novelty,
    }
    wished = ", ".join(f"{name} = {value:g}" for name, value in targets.items())
    attributes = {
        "title": f"SVEs sampled from {uri}",
        "model": uri,
        "seed": seed,
        "targets": wished,
        "properties": "predicted, not solved",
    }
    if model.voxel_size:
        attributes["voxel_size_um"] = model.voxel_size
    write_dataset(target, arrays, model.names, model.units, attributes)
    span = f"{porosity.min():.2%} to {porosity.max():.2%}"
    lines = [f"{target}: {counted(count, 'SVE')}, porosity {span}"]
    for name, value in targets.items():
        if name not in model.names:
            lines.append(
                f"  {name}: wished {value:g}, counted {porosity.mean():.5g} +- {porosity.std():.2g}"
                " among them"
            )
            continue
        column = model.names.index(name)
        values, std = prediction.properties[:, column], prediction.std[:, column].mean()
        lines.append(
            f"  {name}: wished {value:g}, predicted {values.mean():.5g} +- {values.std():.2g} among"
            f" them, each known to {std:.2g}"
        )
    return "\n".join(lines)
