"""`svevae design`: find SVEs with wished properties, check them with the solver, rank them by it.

SVEs are moved until the predictor gives the wished values, so they are also chosen for its errors:
fewer of them lie in the intervals of 90 % than of SVEs that were not chosen. The solver's values
decide.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from svevae.dataset.cluster import HERE, Work, open_cluster
from svevae.dataset.journal import Journal, voxel_digest
from svevae.dataset.label_settings import LabelSettings, parse_settings
from svevae.dataset.labelling import label_sves
from svevae.dataset.store import label_record, open_dataset, write_dataset
from svevae.errors import ConfigError, DataError, SolverError, blaming
from svevae.model.latent import LatentModel
from svevae.model.metal import in_metal
from svevae.model.metrics import QUANTILE_90
from svevae.model.porosity import NAME, with_porosity
from svevae.model.sampling import sample_sves
from svevae.model.wishes import FAR
from svevae.physics.label import property_names
from svevae.use.champion import load
from svevae.use.targets import check_output
from svevae.words import counted, headed

JOURNAL = Path(".checkpoints/design")


class Wished(NamedTuple):
    """One target quantity of all candidates: its unit, then arrays (candidate,) of what is
    predicted, half the interval of 90 %, and what the solver gives.
    """

    unit: str
    predicted: np.ndarray
    half: np.ndarray
    solved: np.ndarray


@dataclass(frozen=True)
class Design:
    """Candidates for `targets` (name: value), the best first; `names` and `units` of the
    properties, `n` voxels along an edge.

    voxels (candidate, n, n, n) uint8, latent (candidate, latent); predicted, std and solved
    (candidate, property): values predicted from the voxels, their standard deviations, and the
    solver's values, NaN where it was not asked or did not converge; porosity (candidate,) of the
    voxels and novelty (candidate,). `scale` (target,) is what the model can tell apart: the median
    of std over the candidates. `distance` (candidate,) is the root mean square over the targets of
    (value - target) / scale, of the solver's values where there are such, else of the predicted
    ones: 1 is a miss by one standard deviation.
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

    def wished(self, name: str) -> Wished:
        """Take one target of all candidates.

        The porosity is counted, so its interval is 0 and the solver has nothing to add.
        """
        if name not in self.names:
            return Wished("-", self.porosity, np.zeros(len(self.porosity)), self.porosity)
        column = self.names.index(name)
        return Wished(
            self.units[column],
            self.predicted[:, column],
            QUANTILE_90 * self.std[:, column],
            self.solved[:, column],
        )

    def table(self) -> pd.DataFrame:
        """Tabulate the candidates: of each target the predicted value, the ends of its interval of
        90 % and the solver's value.
        """
        columns: list[tuple[str, Iterable]] = [("rank", range(1, len(self.voxels) + 1))]
        for name in self.targets:
            if name not in self.names:
                continue
            unit, predicted, half, solved = self.wished(name)
            columns += [
                (
                    headed(name, unit),
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
    *,
    count: int,
    seed: int,
    settings: LabelSettings | None = None,
    solve: int | None = None,
    work: Work = HERE,
) -> Design:
    """Find `count` SVEs for `targets` (properties in the units of the model, or the porosity), and
    solve the best `solve` of them, or all for None.

    Latent vectors come from `sample_latent`, SVEs from `realise`; labels are kept in
    .checkpoints/design, so that the same call goes on where it was interrupted. Without `settings`
    nothing is solved. Raises DataError for a target that the model lacks or cannot reach.
    """
    random = np.random.default_rng(seed)
    if unknown := [name for name in targets if name not in (NAME, *model.names)]:
        raise DataError(f"target {unknown[0]}: expected one of {', '.join((NAME, *model.names))}")
    wishing = with_porosity(model, random) if NAME in targets else model
    latent, voxels = sample_sves(wishing, count, random, targets, aimed=True)
    prediction = wishing.prediction(model.encode(voxels)[0])
    columns, properties = [wishing.names.index(name) for name in targets], len(model.names)
    porosity = voxels.mean((1, 2, 3), dtype=np.float64)
    scale = np.median(prediction.std[:, columns], axis=0)

    def distance(values: np.ndarray) -> np.ndarray:
        """(candidate, property) -> (candidate,)."""
        values = np.column_stack([values, porosity])[:, columns]
        return np.sqrt(np.square((values - list(targets.values())) / scale).mean(axis=1))

    predicted = distance(prediction.properties[:, :properties])
    solved = np.full((count, properties), np.nan)
    if settings:
        chosen = np.argsort(predicted, kind="stable")[:solve]
        solved[chosen] = _solve(voxels[chosen], model, settings, work)
    is_solved = np.isfinite(solved).all(axis=1)
    final = np.where(is_solved, distance(solved), predicted)
    rank = np.lexsort((final, ~is_solved))  # a value of the solver goes before a prediction
    return Design(
        targets=dict(targets),
        names=model.names,
        units=model.units,
        voxels=voxels[rank],
        latent=latent[rank],
        predicted=prediction.properties[rank, :properties],
        std=prediction.std[rank, :properties],
        solved=solved[rank],
        porosity=porosity[rank],
        novelty=prediction.novelty[rank],
        scale=scale,
        distance=final[rank],
    )


def _solve(
    voxels: np.ndarray,
    model: LatentModel,
    settings: LabelSettings,
    work: Work,
) -> np.ndarray:
    """Solve for the properties (sve, property) of the model; NaN where the solver did not converge,
    which is reported on stderr.
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
    solved = np.stack(
        [journal.rows.get(voxel_digest(sve), unknown)["properties"] for sve in voxels]
    )
    return solved[:, [names.index(name) for name in model.names]].astype(np.float64)


def solver_settings(model: LatentModel, uri: str, data: Path | None = None) -> LabelSettings:
    """Find the solver's settings that give the labels which the model was trained on.

    They come from the file `data` where it is given, else from the model's contract, else, for a
    model from before the contract had them, from the file it was trained on, if that is here.
    Raises ConfigError where none of them has settings, or where these give other properties than
    the model's.
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
    """Turn (name, value) pairs into targets by name. Raises ConfigError where a name is given
    twice, or the porosity is not from 0 to below 1.
    """
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
    *,
    count: int,
    solve: int | None,
    seed: int,
    data: Path | None = None,
    material: Any = None,
    work: Work = HERE,
) -> Design:
    """Run `design` with the model at `uri` and write `target`, an SVE file whose rows are in the
    order of their rank.

    Beside the contract: /properties_std, /solved (NaN where not solved), /rank (from 1), /distance,
    /latent and /novelty; /properties are predicted. The matrix is `material`
    (`svevae.use.champion.load`). The same seed gives the same file. Raises
    DataError, ConfigError, TrackingError.
    """
    check_output("design", target, [data] if data else [])
    model = load(uri, material=material)
    settings = None if solve == 0 else solver_settings(model, uri, data)
    if data and settings and model.contract.law:
        if material is not None:
            raise ConfigError("material: expected none beside data, which says it")
        with blaming(f"{data}: "):
            model = in_metal(model, settings.material)
    result = design(
        model, targets, count=count, seed=seed, settings=settings, solve=solve, work=work
    )
    arrays = {
        "voxels": result.voxels,
        "properties": result.predicted,
        "part_id": np.arange(count),
        "porosity": result.porosity,
        "latent": result.latent,
        "properties_std": result.std,
        "novelty": result.novelty,
        "distance": result.distance,
        "solved": result.solved,
        "rank": np.arange(1, count + 1),
    }
    wished = ", ".join(f"{name} = {value:g}" for name, value in targets.items())
    attributes = {
        "title": f"SVEs designed by {uri} for {wished}",
        "model": uri,
        "seed": seed,
        "targets": json.dumps(dict(targets)),
        "properties": "predicted; /solved is what the solver says",
    }
    if settings:
        attributes["solved_with"] = repr(settings)
    if model.voxel_size:
        attributes["voxel_size_um"] = model.voxel_size
    write_dataset(target, arrays, model.names, model.units, attributes)
    return result


def describe_design(result: Design) -> str:
    """Say in words: the table, and how close the solver's values are to the targets."""
    lines = [result.table().to_string(index=False)]
    solved = result.is_solved
    if solved.any():
        for (name, value), scale in zip(result.targets.items(), result.scale, strict=True):
            wished = result.wished(name)
            away = np.abs(wished.solved[solved] - value)
            unit = "" if wished.unit == "-" else f" {wished.unit}"
            within = (away <= QUANTILE_90 * scale).sum()
            lines.append(
                f"{name} = {value:g}{unit}: the solver is {_short(away.mean())}{unit} away on"
                f" average, {_short(away[0])}{unit} for rank 1; {within} of {solved.sum()} within"
                f" {_short(QUANTILE_90 * scale)}{unit}, the model's interval of 90 %"
            )
    if result.distance[0] > FAR:
        nearest = ", ".join(f"{name} = {_best(result, name):.4g}" for name in result.targets)
        lines.append(f"out of reach together: no SVE was found with these; the nearest: {nearest}")
    lines.append(
        f"{counted(len(solved), 'SVE')}, {solved.sum()} solved; distance 1: a miss by one standard"
        " deviation of the model"
    )
    return "\n".join(lines)


def _best(result: Design, name: str) -> float:
    wished = result.wished(name)
    return wished.solved[0] if result.is_solved[0] else wished.predicted[0]


def _short(value: float) -> str:
    """Format two digits without a power of ten: 230."""
    return f"{float(f'{value:.2g}'):g}"
