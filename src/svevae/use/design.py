"""`svevae design`: SVEs with wished properties, checked by the solver and ranked by what it says.

The SVEs are moved until the predictor says what was wished, so its errors are among what they are
chosen by: the solver finds fewer of them in the intervals of 90 % than of SVEs that nobody chose.
Its word is what counts.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from svevae.dataset.cluster import HERE, Work, open_cluster
from svevae.dataset.journal import Journal, voxel_digest
from svevae.dataset.label_settings import LabelSettings, parse_settings
from svevae.dataset.labelling import label_sves
from svevae.dataset.store import label_record, open_dataset, write_dataset
from svevae.errors import ConfigError, SolverError
from svevae.files import check_target
from svevae.model.latent import LatentModel
from svevae.model.metrics import QUANTILE_90
from svevae.model.porosity import NAME, with_porosity
from svevae.model.sampling import sample_sves
from svevae.model.wishes import FAR
from svevae.physics.label import property_names
from svevae.use.champion import load
from svevae.words import counted

JOURNAL = Path(".checkpoints/design")


@dataclass(frozen=True)
class Design:
    """Candidates for `targets` (name: value), the best first; `names` and `units` of the
    properties, `n` voxels along an edge.

    voxels (candidate, n, n, n) uint8, latent (candidate, latent); predicted, std and solved
    (candidate, property): what encoder and predictor say of the voxels, their standard deviations,
    and what the solver says, NaN where it was not asked or did not converge; porosity (candidate,)
    of the voxels and novelty (candidate,). `scale` (target,) is what the model can tell apart: the
    median of std over the candidates. `distance` (candidate,) is the root mean square over the
    targets of value - target over scale, of the solver's values where there are such, and of the
    predicted ones else: 1 is a miss by one standard deviation.
    """

    targets: dict[str, float]
    names: tuple[str, ...]
    units: tuple[str, ...]
    voxels: np.ndarray
    latent: np.ndarray
    predicted: np.ndarray
    std: np.ndarray
    solved: np.ndarray
    porosity: np.ndarray
    novelty: np.ndarray
    scale: np.ndarray
    distance: np.ndarray

    @property
    def is_solved(self) -> np.ndarray:
        """(candidate,) of booleans."""
        return np.isfinite(self.solved).all(axis=1)

    def wished(self, name: str) -> tuple[str, np.ndarray, np.ndarray, np.ndarray]:
        """Of one target: its unit, what was predicted (candidate,), half the interval of 90 % and
        what the solver says (candidate,).

        The porosity is counted, so its interval is 0 and the solver has nothing to add.
        """
        if name not in self.names:
            return "-", self.porosity, np.zeros(len(self.porosity)), self.porosity
        column = self.names.index(name)
        return (
            self.units[column],
            self.predicted[:, column],
            QUANTILE_90 * self.std[:, column],
            self.solved[:, column],
        )

    def table(self) -> pd.DataFrame:
        """A row a candidate: of each target what was predicted, the ends of its interval of 90 %
        and what the solver says.
        """
        columns: list[tuple[str, Iterable]] = [("rank", range(1, len(self.voxels) + 1))]
        for name in self.targets:
            if name not in self.names:
                continue
            unit, predicted, half, solved = self.wished(name)
            columns += [
                (
                    name if unit == "-" else f"{name} [{unit}]",
                    [f"{value:.5g}" for value in predicted],
                ),
                (
                    "in 90 %",
                    [
                        f"{value - width:.5g} .. {value + width:.5g}"
                        for value, width in zip(predicted, half, strict=True)
                    ],
                ),
                ("solver", [f"{value:.5g}" if np.isfinite(value) else "-" for value in solved]),
            ]
        columns.append((NAME, [f"{value:.4f}" for value in self.porosity]))
        columns += [
            (name, [f"{value:.2f}" for value in getattr(self, name)])
            for name in ("distance", "novelty")
        ]
        return pd.concat([pd.Series(values, name=head) for head, values in columns], axis=1)


def design(
    model: LatentModel,
    targets: Mapping[str, float],
    count: int,
    seed: int,
    settings: LabelSettings | None = None,
    solve: int | None = None,
    work: Work = HERE,
) -> Design:
    """`count` SVEs for `targets` (properties in the units of the model, or the porosity), the
    solver asked about the best `solve` or all.

    Latent vectors come from `sample_latent`, SVEs from `realise`; labels are kept in
    .checkpoints/design, so that the same call goes on where it was interrupted. Without `settings`
    nothing is solved. Raises DataError for a target that the model lacks or cannot reach.
    """
    random = np.random.default_rng(seed)
    wishing = with_porosity(model, random) if NAME in targets else model
    latent, voxels = sample_sves(wishing, count, random, targets, aimed=True)
    found = wishing.prediction(model.encode(voxels)[0])
    columns, properties = [wishing.names.index(name) for name in targets], len(model.names)
    porosity = voxels.mean((1, 2, 3), dtype=np.float64)
    scale = np.median(found.std[:, columns], axis=0)

    def distance(values: np.ndarray) -> np.ndarray:
        """(candidate, property) -> (candidate,)."""
        values = np.column_stack([values, porosity])[:, columns]
        return np.sqrt(np.square((values - list(targets.values())) / scale).mean(axis=1))

    predicted = distance(found.properties[:, :properties])
    solved = np.full((count, properties), np.nan)
    if settings:
        chosen = np.argsort(predicted, kind="stable")[:solve]
        solved[chosen] = _solve(voxels[chosen], model, settings, work)
    is_solved = np.isfinite(solved).all(axis=1)
    final = np.where(is_solved, distance(solved), predicted)
    rank = np.lexsort((final, ~is_solved))  # a value of the solver goes before a prediction
    arrays = (
        voxels,
        latent,
        found.properties[:, :properties],
        found.std[:, :properties],
        solved,
        porosity,
        found.novelty,
    )
    return Design(
        dict(targets),
        model.names,
        model.units,
        *(array[rank] for array in arrays),
        scale,
        final[rank],
    )


def _solve(
    voxels: np.ndarray,
    model: LatentModel,
    settings: LabelSettings,
    work: Work,
) -> np.ndarray:
    """Properties (sve, property) of the model, NaN where the solver did not converge, which is
    told.
    """
    if not len(voxels):
        return np.empty((0, len(model.names)))
    journal = Journal(JOURNAL, settings)
    with open_cluster(work) as cluster:
        try:
            label_sves(
                voxels,
                [f"candidate {i}" for i in range(len(voxels))],
                settings,
                journal,
                cluster,
                batch=1,
            )
        except SolverError as error:
            print(error, file=sys.stderr)
    names = property_names(settings.tension.axes)[0]
    unknown = {"properties": np.full(len(names), np.nan)}
    found = np.stack([journal.rows.get(voxel_digest(sve), unknown)["properties"] for sve in voxels])
    return found[:, [names.index(name) for name in model.names]].astype(np.float64)


def solver_settings(model: LatentModel, uri: str, data: Path | None = None) -> LabelSettings:
    """How the solver is to be asked, so that its values are those which the model learnt.

    From the file `data` where it is given, else from the model's contract, else, of a model from
    before the contract had it, from the file it was trained on, if that is here. Raises ConfigError
    where none of them says it, or says other properties than the model's.
    """
    trained_on = Path(model.contract.data.file)
    if data is None and model.contract.labels is None and trained_on.is_file():
        data = trained_on
    record = model.contract.labels if data is None else label_record(open_dataset(data))
    settings, source = parse_settings(record), uri if data is None else data
    wanted = "a file labelled by `svevae generate` or `svevae import --label`"
    if settings is None:
        what = (
            "does not say how it was labelled"
            if record is None
            else "was labelled by another version of the solver"
        )
        raise ConfigError(f"{source} {what}: expected --data with {wanted}, or --solve 0")
    names = property_names(settings.tension.axes)[0]
    if missing := [name for name in model.names if name not in names]:
        raise ConfigError(
            f"{source}: expected labels {', '.join(model.names)} of the model, received none of"
            f" {', '.join(missing)}"
        )
    return settings


def check_targets(pairs: list[tuple[str, float]]) -> dict[str, float]:
    """Targets by name. Raises ConfigError where one is given twice."""
    names = [name for name, _ in pairs]
    for name, value in pairs:
        if names.count(name) > 1:
            values = ", ".join(f"{other:g}" for same, other in pairs if same == name)
            raise ConfigError(f"target {name}: expected one value, received {values}")
        if name == NAME and not 0 <= value < 1:
            raise ConfigError(
                f"target {name}: expected a share of the volume from 0 to 1, such as 0.03, received"
                f" {value:g}"
            )
    return dict(pairs)


def design_file(
    target: Path,
    uri: str,
    targets: Mapping[str, float],
    count: int,
    solve: int | None,
    seed: int,
    data: Path | None = None,
    work: Work = HERE,
) -> Design:
    """`design` with the model at `uri`, written to `target`, an SVE file whose rows are in the
    order of their rank.

    Beside the contract: /properties_std, /solved (NaN where not solved), /rank (from 1), /distance,
    /latent and /novelty; /properties are predicted. The same seed gives the same file. Raises
    DataError, ConfigError, TrackingError.
    """
    check_target(target, [data] if data else [])
    if target.suffix != ".h5":
        raise ConfigError(
            f"{target}: expected a name that ends in .h5; the picture beside it gets .png"
        )
    model = load(uri)
    settings = None if solve == 0 else solver_settings(model, uri, data)
    found = design(model, targets, count, seed, settings, solve, work)
    arrays = {
        "voxels": found.voxels,
        "properties": found.predicted,
        "part_id": np.arange(count),
        "porosity": found.porosity,
    }
    arrays |= {
        "latent": found.latent,
        "properties_std": found.std,
        "novelty": found.novelty,
        "distance": found.distance,
    }
    arrays |= {"solved": found.solved, "rank": np.arange(1, count + 1)}
    wished = ", ".join(f"{name} = {value:g}" for name, value in targets.items())
    attributes = {
        "title": f"SVEs designed by {uri} for {wished}",
        "model": uri,
        "seed": seed,
        "targets": json.dumps(dict(targets)),
    }
    attributes |= {"properties": "predicted; /solved is what the solver says"}
    if settings:
        attributes["solved_with"] = repr(settings)
    if model.voxel_size:
        attributes["voxel_size_um"] = model.voxel_size
    write_dataset(target, arrays, model.names, model.units, attributes)
    return found


def describe(found: Design) -> str:
    """The table, and how close the solver's values are to the targets."""
    lines = [found.table().to_string(index=False)]
    solved = found.is_solved
    if solved.any():
        for (name, value), scale in zip(found.targets.items(), found.scale, strict=True):
            unit, *_, values = found.wished(name)
            away = np.abs(values[solved] - value)
            unit = "" if unit == "-" else f" {unit}"
            within = (away <= QUANTILE_90 * scale).sum()
            lines.append(
                f"{name} = {value:g}{unit}: the solver is {_short(away.mean())}{unit} away on"
                f" average, {_short(away[0])}{unit} for rank 1; {within} of {solved.sum()} within"
                f" {_short(QUANTILE_90 * scale)}{unit}, the model's interval of 90 %"
            )
    if found.distance[0] > FAR:
        nearest = ", ".join(f"{name} = {_best(found, name):.4g}" for name in found.targets)
        lines.append(f"out of reach together: no SVE was found with these; the nearest: {nearest}")
    lines.append(
        f"{counted(len(solved), 'SVE')}, {solved.sum()} solved; distance 1: a miss by one standard"
        " deviation of the model"
    )
    return "\n".join(lines)


def _best(found: Design, name: str) -> float:
    _, predicted, _, solved = found.wished(name)
    return solved[0] if found.is_solved[0] else predicted[0]


def _short(value: float) -> str:
    """Two digits, and no power of ten for what is above 1: 230."""
    return f"{float(f'{value:.2g}'):g}"
