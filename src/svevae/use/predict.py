"""`svevae predict`: properties of every SVE of a file, to a table or an HDF5 file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from svevae.dataset.curves import laws_of_file
from svevae.dataset.problems import same_size
from svevae.dataset.store import SVEDataset, open_dataset, write_arrays
from svevae.errors import DataError
from svevae.files import written_whole
from svevae.model.latent import LatentModel
from svevae.use.champion import load
from svevae.use.targets import check_output
from svevae.words import headed


def predict_file(source: Path, target: Path, uri: str, material: Any = None) -> int:
    """Predict for all SVEs of `source` and write `target`, whole or not at all; how many SVEs.

    The matrix is `material` (`svevae.use.champion.load`), without it what `source` says of each
    SVE, without that the model's usual one.

    .csv: a row an SVE with part_id, porosity, the properties, their standard deviations and the
    novelty, units in the header. .h5: /properties with names and units, /properties_std, /novelty,
    /latent_mean, /latent_std, /porosity, /part_id, and the model's URI as attribute. Says on
    stderr where the voxels have another size than those of the model, or none is known. Raises
    DataError, TrackingError.
    """
    check_output("predict", target, [source])
    data = open_dataset(source, labelled=False)
    model = load(uri, material=material)
    if data.n != model.n:
        raise DataError(
            f"{source}: /voxels: expected SVEs of n = {model.n} as {uri} was trained on, received n"
            f" = {data.n}"
        )
    say_voxels("predict", data, model)
    known = model.contract.law and material is None
    laws = laws_of_file(data) if known else None
    columns: dict[str, list[np.ndarray]] = {}
    with tqdm(total=data.count, unit="SVE", desc="predict", disable=not sys.stderr.isatty()) as bar:
        for slab, voxels in data.slabs():
            mean, std = model.encode(voxels)
            law = None if laws is None else laws[slab]
            properties, properties_std, novelty = model.prediction(mean, law)
            found = {
                "porosity": voxels.mean((1, 2, 3)),
                "properties": properties,
                "properties_std": properties_std,
                "novelty": novelty,
            }
            for key, array in (found | {"latent_mean": mean, "latent_std": std}).items():
                columns.setdefault(key, []).append(array)
            bar.update(len(voxels))
    arrays = {key: np.concatenate(blocks) for key, blocks in columns.items()} | {
        "part_id": data.part_id
    }
    with written_whole(target) as beside:
        write = _write_csv if target.suffix == ".csv" else _write_h5
        write(beside, arrays, model, uri)
    return data.count


def say_voxels(verb: str, data: SVEDataset, model: LatentModel) -> None:
    """Tell people on stderr where voxels are not of the size that a model was trained on, or none
    is known.
    """
    size, trained = data.voxel_size, model.voxel_size
    if trained is None or (size is not None and same_size(size, trained)):
        return
    if size is None:
        told = f"voxel size unknown, taken for the {trained:g} um that the model was trained on"
        told += "; the attribute voxel_size_um of an SVE file says it"
    else:
        told = f"voxels of {size:g} um, where the model was trained on {trained:g} um: it takes"
        told += f" these pores for {trained / size:.3g} times their size"
    print(f"svevae {verb}: {data.path}: {told}", file=sys.stderr)


def _write_csv(path: Path, arrays: dict[str, np.ndarray], model: LatentModel, uri: str) -> None:
    pairs = list(zip(model.names, model.units, strict=True))
    header = [headed(name + suffix, unit) for suffix in ("", "_std") for name, unit in pairs]
    table = pd.DataFrame(
        np.hstack([arrays["properties"], arrays["properties_std"]]), columns=header
    )
    table.insert(0, "porosity", arrays["porosity"])
    table.insert(0, "part_id", arrays["part_id"])
    table["novelty"] = arrays["novelty"]
    table.to_csv(path, index_label="sve", float_format="%.7g")


def _write_h5(path: Path, arrays: dict[str, np.ndarray], model: LatentModel, uri: str) -> None:
    labels = {"names": list(model.names), "units": list(model.units)}
    origin = {"model": uri, "model_contract": model.contract.text()}
    write_arrays(path, arrays, origin, {"properties": labels})
