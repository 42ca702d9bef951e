"""`svevae scatter`: how the scatter of properties falls with SVE size, and how it correlates with
distance; data beside a model.

A field is what it works on: values of SVEs that stand somewhere in parts. It may come from a file
(`data_field`), from what a model says of the SVEs of the file (`model_field`), from parts sampled
from a latent field fitted to them (`sampled_field`), or from any arrays.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from svevae.dataset.blocks import block_scatter, scatter_exponent
from svevae.dataset.statistics import neighbour_correlation, read_position
from svevae.dataset.store import SVEDataset, open_dataset
from svevae.errors import ConfigError, DataError
from svevae.model.latent import LatentModel
from svevae.parts.latent_field import FEWEST, LatentField
from svevae.use.champion import load

POROSITY = "porosity"
CHUNK = 256  # SVEs decoded at a time


@dataclass(frozen=True)
class Field:
    """`values` (sve,) by name, in any unit, of SVEs at `position` (sve, 3) in parts `part_id`
    (sve,), both integers.
    """

    values: Mapping[str, np.ndarray]
    part_id: np.ndarray
    position: np.ndarray


@dataclass(frozen=True)
class Scatter:
    """Of one quantity of one field: `blocks` as `block_scatter`, `neighbours` as
    `neighbour_correlation` gives them.
    """

    blocks: pd.DataFrame
    neighbours: pd.DataFrame

    @property
    def exponent(self) -> float:
        """As `scatter_exponent`."""
        return scatter_exponent(self.blocks)


def scatter(field: Field, reach: float = 4) -> dict[str, Scatter]:
    """Both statistics of each quantity, correlation up to `reach` SVE edges. Raises DataError as
    they do, with the quantity's name.
    """
    found = {}
    for name, values in field.values.items():
        try:
            blocks = block_scatter(values, field.part_id, field.position)
            found[name] = Scatter(
                blocks, neighbour_correlation(values, field.part_id, field.position, reach=reach)
            )
        except DataError as error:
            raise DataError(f"{name}: {error}") from error
    return found


def data_field(data: SVEDataset, names: Sequence[str]) -> Field:
    """What a file says: its labels, and the porosity of its voxels.

    Raises DataError where it has no /position, ConfigError for a name that it lacks.
    """
    position = read_position(data)
    if position is None:
        raise DataError(
            f"{data.path}: /position is missing, so nobody knows which SVEs are neighbours"
        )
    for name in names:
        if name not in (POROSITY, *data.names):
            raise ConfigError(
                f"property {name}: expected one of {', '.join((POROSITY, *data.names))}"
            )
    labels = (
        {} if data.properties is None else dict(zip(data.names, data.properties.T, strict=True))
    )
    values = {
        name: data.porosity() if name == POROSITY else labels[name].astype(np.float64)
        for name in names
    }
    return Field(values, data.part_id, position)


def encode(model: LatentModel, data: SVEDataset, names: Sequence[str]) -> np.ndarray:
    """Latent means (sve, latent) of the SVEs of a file.

    Raises DataError where they have another n than the model's, ConfigError for a name that the
    model lacks.
    """
    if data.n != model.n:
        raise DataError(
            f"{data.path}: /voxels: expected SVEs of n = {model.n} as the model was trained on,"
            f" received n = {data.n}"
        )
    for name in names:
        if name not in (POROSITY, *model.names):
            raise ConfigError(
                f"property {name}: expected one of {', '.join((POROSITY, *model.names))} of the"
                " model"
            )
    latent = []
    with tqdm(total=data.count, unit="SVE", desc="encode", disable=not sys.stderr.isatty()) as bar:
        for _, voxels in data.slabs():
            latent.append(model.encode(voxels)[0])
            bar.update(len(voxels))
    return np.concatenate(latent)


def model_field(
    model: LatentModel,
    latent: np.ndarray,
    names: Sequence[str],
    part_id: np.ndarray,
    position: np.ndarray,
) -> Field:
    """What a model says of SVEs from their latent means (sve, latent): predicted properties, the
    decoder's expected porosity.
    """
    properties = model.predict_from_latent(latent).astype(np.float64)
    values = {name: properties[:, model.names.index(name)] for name in names if name != POROSITY}
    if POROSITY in names:
        pieces = np.array_split(latent, -(-len(latent) // CHUNK))
        values[POROSITY] = np.concatenate(
            [model.decode(piece).mean((1, 2, 3), dtype=np.float64) for piece in pieces]
        )
    return Field({name: values[name] for name in names}, part_id, position)


def sampled_field(
    model: LatentModel,
    latent: np.ndarray,
    porosity: np.ndarray,
    names: Sequence[str],
    part_id: np.ndarray,
    position: np.ndarray,
    seed: int = 0,
) -> Field:
    """What a model says of new parts with SVEs where the file's have them, sampled from the latent
    field fitted to those.

    Raises DataError as `LatentField.fit`.
    """
    field, random = (
        LatentField.fit(latent, porosity, part_id, position),
        np.random.default_rng(seed),
    )
    sampled = np.empty_like(latent)
    for part in np.unique(part_id):
        here = part_id == part
        places = position[here] - position[here].min(axis=0)
        sampled[here] = field.sample(tuple(places.max(axis=0) + 1), random)[0][tuple(places.T)]
    return model_field(model, sampled, names, part_id, position)


def scatter_of_file(
    source: Path, uri: str | None, names: Sequence[str]
) -> tuple[dict[str, dict[str, Scatter]], dict[str, str]]:
    """Of a file, and unless `uri` is None of a model's word on it and on sampled parts, and the
    unit of each name.

    The first is {"data": {name: Scatter}, "model": ..., "latent field": ...}, the last where there
    are enough SVEs to fit it to.

    Without `names` the porosity, the first property and the one least like it. Raises DataError,
    ConfigError, TrackingError.
    """
    data = open_dataset(source, labelled=False)
    names = list(dict.fromkeys(names)) or [POROSITY, *telling(data)]
    fields = {"data": data_field(data, names)}
    if uri:
        model = load(uri)
        latent = encode(model, data, names)
        fields["model"] = model_field(model, latent, names, data.part_id, fields["data"].position)
        if data.count >= FEWEST:
            fields["latent field"] = sampled_field(
                model, latent, data.porosity(), names, data.part_id, fields["data"].position
            )
    units = dict(zip(data.names, data.units, strict=True))
    return {label: scatter(field) for label, field in fields.items()}, {
        name: units.get(name, "-") for name in names
    }


def telling(data: SVEDataset) -> list[str]:
    """The first property, and the one that correlates with it least; none in a file without
    labels.
    """
    if data.properties is None:
        return []
    varying = np.flatnonzero(np.ptp(data.properties, axis=0) > 0)
    if len(varying) < 2:
        return [data.names[column] for column in varying]
    alike = np.abs(np.corrcoef(data.properties[:, varying].astype(np.float64).T)[0])
    return [data.names[varying[0]], data.names[varying[alike.argmin()]]]


def describe(found: Mapping[str, Mapping[str, Scatter]], units: Mapping[str, str]) -> str:
    """The standard deviations by size, side by side, and the exponent of each."""
    lines = []
    for name, unit in units.items():
        tables = {label: scatters[name] for label, scatters in found.items()}
        columns = {"SVEs": next(iter(tables.values())).blocks["shape"]}
        for label, table in tables.items():
            pairs = zip(table.blocks["std"], table.blocks["standard_error"], strict=True)
            columns[label] = [f"{std:.4g} +- {error:.2g}" for std, error in pairs]
        columns["if independent"] = [
            f"{value:.4g}" for value in next(iter(tables.values())).blocks["independent"]
        ]
        power = ", ".join(f"V^-{table.exponent:.2f} ({label})" for label, table in tables.items())
        lines.append(
            f"{name}{'' if unit == '-' else f' [{unit}]'}: standard deviation within parts; its"
            f" square falls as {power}"
        )
        lines.append(pd.DataFrame(columns).to_string(index=False))
    if "model" in found and "latent field" not in found:
        lines.append(f"no latent field: it takes at least {FEWEST} SVEs")
    return "\n".join(lines)
