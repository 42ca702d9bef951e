"""`svevae predict`: properties of every SVE of a file, to a table or an HDF5 file."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from tqdm import tqdm

from svevae.dataset.store import open_dataset
from svevae.errors import DataError
from svevae.model.latent import LatentModel
from svevae.use.champion import load


def predict_file(source: Path, target: Path, uri: str) -> int:
    """Predict for all SVEs of `source` and write `target`, whole or not at all; how many SVEs.

    .csv: a row an SVE with part_id, porosity and the properties, units in the header. .h5: /properties with names and units,
    /latent_mean, /latent_std, /porosity, /part_id, and the model's URI as attribute. Raises DataError, TrackingError.
    """
    writers = {".csv": _write_csv, ".h5": _write_h5}
    if target.suffix not in writers:
        raise DataError(f"{target}: expected a name that ends in {' or '.join(writers)}, received {target.suffix or 'none'}")
    if not target.parent.is_dir():
        raise DataError(f"{target}: expected an existing folder {target.parent}")
    data = open_dataset(source, labelled=False)
    model = load(uri)
    if data.n != model.n:
        raise DataError(f"{source}: /voxels: expected SVEs of n = {model.n} as {uri} was trained on, received n = {data.n}")
    columns: dict[str, list[np.ndarray]] = {"porosity": [], "properties": [], "latent_mean": [], "latent_std": []}
    with tqdm(total=data.count, unit="SVE", desc="predict", disable=not sys.stderr.isatty()) as bar:
        for _, voxels in data.slabs():
            mean, std = model.encode(voxels)
            found = {"porosity": voxels.mean((1, 2, 3)), "latent_mean": mean, "latent_std": std}
            found["properties"] = model.predict_from_latent(mean)
            for key, array in found.items():
                columns[key].append(array)
            bar.update(len(voxels))
    arrays = {key: np.concatenate(blocks) for key, blocks in columns.items()} | {"part_id": data.part_id}
    beside = target.with_name(f".{target.stem}.{os.getpid()}{target.suffix}")
    try:
        writers[target.suffix](beside, arrays, model, uri)
        os.replace(beside, target)
    except OSError as error:
        raise DataError(f"{target}: not written: {error}") from error
    finally:
        beside.unlink(missing_ok=True)
    return data.count


def _write_csv(path: Path, arrays: dict[str, np.ndarray], model: LatentModel, uri: str) -> None:
    header = [name if unit == "-" else f"{name} [{unit}]" for name, unit in zip(model.names, model.units, strict=True)]
    table = pd.DataFrame(arrays["properties"], columns=header)
    table.insert(0, "porosity", arrays["porosity"])
    table.insert(0, "part_id", arrays["part_id"])
    table.to_csv(path, index_label="sve", float_format="%.7g")


def _write_h5(path: Path, arrays: dict[str, np.ndarray], model: LatentModel, uri: str) -> None:
    with h5py.File(path, "w") as file:
        for key, array in arrays.items():
            file[key] = array
        file["properties"].attrs["names"] = list(model.names)
        file["properties"].attrs["units"] = list(model.units)
        file.attrs["model"] = uri
        file.attrs["model_contract"] = str(model.contract)
