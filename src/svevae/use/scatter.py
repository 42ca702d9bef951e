"""`svevae scatter`: measure how the scatter of properties falls with SVE size and how properties
correlate with distance, for data and a model.

A field has values of SVEs at positions in parts. It comes from a file (`data_field`), from a
model's predictions for the SVEs of the file (`model_field`), from parts sampled from a latent field
fitted to them (`sampled_field`), or from any arrays.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
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
from svevae.use.predict import say_voxels
from svevae.words import headed

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
    """One quantity of one field: `blocks` as `block_scatter`, `neighbours` as
    `neighbour_correlation` gives them.
    """

    blocks: pd.DataFrame
    neighbours: pd.DataFrame

    @property
    def exponent(self) -> float:
        """As `scatter_exponent`."""
        return scatter_exponent(self.blocks)


def scatter(field: Field, reach: float = 4) -> dict[str, Scatter]:
    """Compute both statistics of each quantity, correlation up to `reach` SVE edges. Raises
    DataError as they do, with the quantity's name.
    """
    scatters = {}
    for name, values in field.values.items():
        try:
            blocks = block_scatter(values, field.part_id, field.position)
            scatters[name] = Scatter(
                blocks, neighbour_correlation(values, field.part_id, field.position, reach=reach)
            )
        except DataError as error:
            raise DataError(f"{name}: {error}") from error
    return scatters


def data_field(data: SVEDataset, names: Sequence[str]) -> Field:
    """Read a file: its labels, and the porosity of its voxels.

    Raises DataError where it has no /position, ConfigError for a name that it lacks.
    """
    position = read_position(data)
    if position is None:
        raise DataError(
            f"{data.path}: /position is missing, so it is unknown which SVEs are neighbours"
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


def encode_sves(
    model: LatentModel,
    data: SVEDataset,
    names: Sequence[str],
    tell: Callable[[int, int], object] = lambda done, total: None,
) -> np.ndarray:
    """Encode the SVEs of a file: latent means (sve, latent). `tell` hears how many are done, and of
    how many.

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
    latent, done = [], 0
    tell(done, data.count)
    with tqdm(total=data.count, unit="SVE", desc="encode", disable=not sys.stderr.isatty()) as bar:
        for _, voxels in data.slabs():
            latent.append(model.encode(voxels)[0])
            bar.update(len(voxels))
            tell(done := done + len(voxels), data.count)
    return np.concatenate(latent)


def model_field(
    model: LatentModel,
    latent: np.ndarray,
    *,
    names: Sequence[str],
    part_id: np.ndarray,
    position: np.ndarray,
) -> Field:
    """Predict SVEs from their latent means (sve, latent): properties, and the decoder's expected
    porosity.
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
    *,
    names: Sequence[str],
    part_id: np.ndarray,
    position: np.ndarray,
    seed: int = 0,
) -> Field:
    """Predict new parts with SVEs at the positions of the given ones, sampled from the latent field
    fitted to these.

    Raises DataError as `LatentField.fit`.
    """
    field = LatentField.fit(latent, porosity, part_id, position)
    random = np.random.default_rng(seed)
    sampled = np.empty_like(latent)
    for part in np.unique(part_id):
        here = part_id == part
        places = position[here] - position[here].min(axis=0)
        x, y, z = (int(edge) for edge in places.max(axis=0) + 1)
        sampled[here] = field.sample((x, y, z), random)[0][tuple(places.T)]
    return model_field(model, sampled, names=names, part_id=part_id, position=position)


def scatter_of_file(
    source: Path, uri: str | None, names: Sequence[str]
) -> tuple[dict[str, dict[str, Scatter]], dict[str, str]]:
    """Measure the scatter of a file and, unless `uri` is None, of a model's predictions for it and
    for sampled parts.

    Returns {"data": {name: Scatter}, "model": ..., "latent field": ...}, the last where there are
    enough SVEs to fit a latent field to, and the unit of each name. Without `names` they are the
    porosity, the first property and the one that correlates with it least. Says on stderr where
    the model's voxels are of another size. Raises DataError, ConfigError, TrackingError.
    """
    data = open_dataset(source, labelled=False)
    names = list(dict.fromkeys(names)) or [POROSITY, *telling(data)]
    fields = {"data": data_field(data, names)}
    if uri:
        model = load(uri)
        say_voxels("scatter", data, model)
        latent = encode_sves(model, data, names)
        position = fields["data"].position
        fields["model"] = model_field(
            model, latent, names=names, part_id=data.part_id, position=position
        )
        if data.count >= FEWEST:
            fields["latent field"] = sampled_field(
                model,
                latent,
                data.porosity(),
                names=names,
                part_id=data.part_id,
                position=position,
            )
    known = dict(zip(data.names, data.units, strict=True))
    units = {name: known.get(name, "-") for name in names}
    return {label: scatter(field) for label, field in fields.items()}, units


def telling(data: SVEDataset) -> list[str]:
    """Choose the first property and the one that correlates with it least; none in a file without
    labels.
    """
    if data.properties is None:
        return []
    varying = np.flatnonzero(np.ptp(data.properties, axis=0) > 0)
    if len(varying) < 2:
        return [data.names[column] for column in varying]
    columns = data.properties[:, varying].astype(np.float64)
    alike = np.abs(np.atleast_2d(np.corrcoef(columns.T))[0])
    return [data.names[varying[0]], data.names[varying[alike.argmin()]]]


def describe_scatter(
    scatters: Mapping[str, Mapping[str, Scatter]], units: Mapping[str, str]
) -> str:
    """Say in words: the standard deviations by size, side by side, and the exponent of each."""
    lines = []
    for name, unit in units.items():
        tables = {label: quantities[name] for label, quantities in scatters.items()}
        first = next(iter(tables.values())).blocks
        columns: dict[str, Iterable] = {"SVEs": first["shape"]}
        for label, table in tables.items():
            pairs = zip(table.blocks["std"], table.blocks["standard_error"], strict=True)
            columns[label] = [
                f"{std:.4g} +- {error:.2g}" if error == error else f"{std:.4g}, of one part"
                for std, error in pairs
            ]
        columns["if independent"] = [f"{value:.4g}" for value in first["independent"]]
        power = ", ".join(f"V^{-table.exponent:.2f} ({label})" for label, table in tables.items())
        lines.append(
            f"{headed(name, unit)}: standard deviation within parts; its square falls as {power}"
        )
        lines.append(pd.DataFrame(columns).to_string(index=False))
    if "model" in scatters and "latent field" not in scatters:
        lines.append(f"no latent field: it takes at least {FEWEST} SVEs")
    return "\n".join(lines)
