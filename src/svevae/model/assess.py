"""What a trained model is worth on SVEs that it has not seen, beside its baselines."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from svevae.dataset.batches import PackedVoxels
from svevae.dataset.curves import carries_load, laws_of_file, pore_free, read_curves
from svevae.dataset.split import Split
from svevae.dataset.statistics import pore_sizes
from svevae.dataset.store import LabelledDataset
from svevae.errors import ConfigError
from svevae.model import metrics
from svevae.model.baselines import (
    TWO_POINT_COMPONENTS,
    PorosityBaseline,
    RidgeBaseline,
    VoxelPCA,
    two_point_map,
)
from svevae.model.elastic import statistics_of
from svevae.model.latent import LatentModel, sigmoid
from svevae.model.losses import kl_divergence
from svevae.model.posterior import Posterior
from svevae.model.sampling import binarise
from svevae.model.scores import (
    R2,
    BaselineScores,
    OtherScores,
    PropertyScores,
    SampleScores,
    VoxelScores,
    by_name,
)
from svevae.words import some

PCA_SVES = 2048  # training SVEs, evenly taken, whose voxels the PCA sees: 270 MB at n = 32


@dataclass(frozen=True)
class Subset:
    """SVEs with their labels: voxels, properties (sve, property), part_id and porosity (sve,).

    `laws` (sve, 5) are those of the metals, None where the file does not say. Properties of several
    metals are multiplied by `scale` (sve, property), what the usual metal has without pores over
    what theirs has: they then differ by what pores do, which is to be explained.
    """

    voxels: PackedVoxels
    properties: np.ndarray
    part_id: np.ndarray
    porosity: np.ndarray
    laws: np.ndarray | None
    scale: np.ndarray

    @classmethod
    def read(cls, data: LabelledDataset, index: np.ndarray) -> Subset:
        voxels = PackedVoxels(data, index)
        porosity = np.concatenate(
            [cubes.mean((1, 2, 3), dtype=np.float64) for cubes in voxels.blocks()]
        )
        laws, curves = laws_of_file(data), read_curves(data)
        laws = None if laws is None else laws[index]
        scale = np.ones((len(index), len(data.names)))
        if curves is not None and laws is not None:
            usual = pore_free(curves, data.names, np.array([curves.law]))
            scale = usual / pore_free(curves, data.names, laws)
        properties = data.properties[index].astype(np.float64) * scale
        return cls(voxels, properties, data.part_id[index], porosity, laws, scale)


def subset(data: LabelledDataset, split: Split, name: str) -> Subset:
    """The SVEs of one subset of the split, but those that are nearly severed."""
    index = split.index(name, data.part_id)
    return Subset.read(data, index[carries_load(data)[index]])


@dataclass(frozen=True)
class ModelOutputs:
    """What a model gives for each SVE: properties and properties_std (sve, property), novelty
    (sve,), latent_mean, latent_std and kl (sve, latent), nats.

    bce and constant_bce (sve,), nats, are the cross entropy of the voxels with the decoded
    probabilities and with a constant one. s2_truth and s2_reconstruction (sve, distance) are
    two-point correlations, the latter of binary SVEs made of the decoded probabilities. overlap
    (2,) holds the parts of the Dice coefficient over all SVEs.
    """

    properties: np.ndarray
    properties_std: np.ndarray
    novelty: np.ndarray
    latent_mean: np.ndarray
    latent_std: np.ndarray
    kl: np.ndarray
    bce: np.ndarray
    constant_bce: np.ndarray
    s2_truth: np.ndarray
    s2_reconstruction: np.ndarray
    overlap: np.ndarray

    @property
    def bce_ratio(self) -> float | None:
        """Cross entropy over that of a constant probability; None where that is 0, of no pores."""
        constant = self.constant_bce.mean()
        return float(self.bce.mean() / constant) if constant > 0 else None


def run_model(
    model: LatentModel, held: Subset, constant: float, random: np.random.Generator
) -> ModelOutputs:
    """Run `model` on `held`, a block at a time, so that voxels need not be in memory together;
    `constant` is the porosity that the cross entropy is compared with.
    """
    known = bool(model.contract.law) and held.laws is not None
    blocks, start = [], 0
    for cubes in held.voxels.blocks():
        rows = slice(start, start := start + len(cubes))
        laws = held.laws[rows] if known and held.laws is not None else None
        blocks.append(_run_block(model, cubes, laws, held.scale[rows], constant, random))
    names = [entry.name for entry in dataclasses.fields(ModelOutputs) if entry.name != "overlap"]
    columns = {name: np.concatenate([getattr(block, name) for block in blocks]) for name in names}
    return ModelOutputs(**columns, overlap=sum((block.overlap for block in blocks), np.zeros(2)))


def _run_block(
    model: LatentModel,
    cubes: np.ndarray,
    laws: np.ndarray | None,
    scale: np.ndarray,
    constant: float,
    random: np.random.Generator,
) -> ModelOutputs:
    """The outputs for SVEs (sve, n, n, n) that are in memory."""
    raw = model.model.predict(cubes, batch_size=model.batch_size, verbose=0)
    predicted, logits = model.prediction(raw["latent_mean"], laws), raw["logits"]
    binary = binarise(sigmoid(logits), model.grain, random)
    porosity = cubes.mean((1, 2, 3), dtype=np.float64)
    return ModelOutputs(
        properties=predicted.properties * scale,
        properties_std=predicted.std * scale,
        novelty=raw["novelty"][:, 0],
        latent_mean=raw["latent_mean"],
        latent_std=np.exp(raw["latent_log_var"] / 2),
        kl=np.asarray(kl_divergence(raw["latent_mean"], raw["latent_log_var"])),
        bce=metrics.voxel_cross_entropy(cubes, logits),
        constant_bce=metrics.constant_cross_entropy(porosity, constant, model.n),
        s2_truth=metrics.two_point_of_each(cubes),
        s2_reconstruction=metrics.two_point_of_each(binary),
        overlap=np.array(metrics.overlap(cubes, logits), np.float64),
    )


def property_scores(
    names: tuple[str, ...], true: np.ndarray, outputs: ModelOutputs, porosity_only: np.ndarray
) -> PropertyScores:
    """Scores of the predicted properties; `true` and `porosity_only`, the cubic's, are (sve,
    property).
    """
    r2, porosity_r2 = (
        R2.of_columns(names, metrics.r2(true, predicted))
        for predicted in (outputs.properties, porosity_only)
    )
    inside = metrics.coverage(true, outputs.properties, outputs.properties_std)
    return PropertyScores(
        mean_r2=r2.mean,
        porosity_only_mean_r2=porosity_r2.mean,
        unexplained_of_porosity_only=_unexplained(r2.mean, porosity_r2.mean),
        worst_r2=min(r2.of.values(), default=None),
        r2=r2.of,
        porosity_only_r2=porosity_r2.of,
        mae=by_name(names, metrics.mean_absolute_error(true, outputs.properties)),
        porosity_only_mae=by_name(names, metrics.mean_absolute_error(true, porosity_only)),
        coverage_90=float(inside.mean()),
        coverage_90_of=by_name(names, inside),
        median_std=by_name(names, np.median(outputs.properties_std, axis=0)),
        novelty_median=float(np.median(outputs.novelty)),
        novel=float((outputs.novelty > 1).mean()),
    )


def _unexplained(r2: float | None, reference: float | None) -> float | None:
    """What `r2` leaves over what `reference` leaves; None where either is, or nothing is left."""
    if r2 is None or reference is None or reference == 1:
        return None
    return (1 - r2) / (1 - reference)


def voxel_scores(model: LatentModel, outputs: ModelOutputs) -> VoxelScores:
    """Scores of reconstruction and latent space."""
    hit, total = outputs.overlap
    return VoxelScores(
        bce=float(outputs.bce.mean()),
        bce_constant_porosity=float(outputs.constant_bce.mean()),
        bce_ratio=float(outputs.bce.mean() / outputs.constant_bce.mean()),
        dice=float(hit / total) if total else 1.0,
        kl=float(outputs.kl.sum(axis=1).mean()),
        active_units=metrics.active_units(outputs.latent_mean),
        latent_dim=model.latent_dim,
        aggregate_kl=metrics.divergence_from_prior(outputs.latent_mean, outputs.latent_std),
    )


def misfit(model: LatentModel, data: LabelledDataset) -> str:
    """Why a model says nothing of these SVEs: their size or their properties; "" where it fits."""
    if (data.n, data.names) == (model.n, model.names):
        return ""
    return (
        f"{data.path}: expected SVEs of n = {model.n} with {some(model.names)}, received n ="
        f" {data.n} with {some(data.names)}"
    )


def other_scores(
    model: LatentModel,
    data: LabelledDataset,
    porosity_only: PorosityBaseline,
    random: np.random.Generator,
) -> OtherScores:
    """Scores on all SVEs of another file, e.g. of another pore generator. Raises ConfigError
    where it does not fit the model.
    """
    if reason := misfit(model, data):
        raise ConfigError(reason)
    held = Subset.read(data, np.flatnonzero(carries_load(data)))
    outputs = run_model(model, held, float(held.porosity.mean()), random)
    reference = porosity_only.predict(held.porosity)
    scores = property_scores(model.names, held.properties, outputs, reference)
    return OtherScores(**vars(scores), bce_ratio=outputs.bce_ratio)


def baseline_scores(
    names: tuple[str, ...], train: Subset, held: Subset, latent_dim: int
) -> BaselineScores:
    """Scores on `held` of ridge regression from two-point statistics (PCA) and from the elastic
    statistics, and of a PCA of the voxels with `latent_dim` components.
    """

    def two_point_maps(voxels: PackedVoxels) -> np.ndarray:
        return np.concatenate([two_point_map(cubes) for cubes in voxels.blocks()])

    two_point = _ridge_r2(names, train, held, two_point_maps, TWO_POINT_COMPONENTS)
    elastic_ridge = _ridge_r2(names, train, held, statistics_of, None)
    count = len(train.voxels)
    pca = VoxelPCA(
        train.voxels[np.linspace(0, count - 1, min(count, PCA_SVES)).astype(int)], latent_dim
    )
    constant = metrics.constant_cross_entropy(
        held.porosity, float(train.porosity.mean()), held.voxels.n
    ).mean()
    pca_bce = np.concatenate([pca.cross_entropy(cubes) for cubes in held.voxels.blocks()]).mean()
    return BaselineScores(
        two_point_mean_r2=two_point.mean,
        two_point_r2=two_point.of,
        elastic_ridge_mean_r2=elastic_ridge.mean,
        elastic_ridge_r2=elastic_ridge.of,
        pca_bce_ratio=float(pca_bce / constant),
    )


def _ridge_r2(
    names: tuple[str, ...],
    train: Subset,
    held: Subset,
    statistics: Callable[[PackedVoxels], np.ndarray],
    components: int | None,
) -> R2:
    """R2 on `held` of ridge regression from `statistics`, reduced to `components` by a PCA."""
    known, new = (statistics(part.voxels) for part in (train, held))
    baseline = RidgeBaseline(train.porosity, known, train.properties, components)
    return R2.of_columns(names, metrics.r2(held.properties, baseline.predict(held.porosity, new)))


def prior_samples(model: LatentModel, count: int, random: np.random.Generator) -> np.ndarray:
    """Binary SVEs (count, n, n, n) uint8 of the prior N(0, I)."""
    latent = Posterior.prior(model.latent_dim).sample(count, random)
    return binarise(model.decode(latent), model.grain, random)


class _Pores(NamedTuple):
    """Two-point correlations (sve, distance), porosities (sve,) and the sizes of the pores of each
    of some SVEs.
    """

    two_point: np.ndarray
    porosity: np.ndarray
    sizes: list[np.ndarray]

    @classmethod
    def measure(cls, blocks: Iterable[np.ndarray]) -> _Pores:
        """From voxels (sve, n, n, n), a block at a time."""
        two_point, porosity, sizes = [], [], []
        for block in blocks:
            two_point.append(metrics.two_point_of_each(block))
            porosity.append(block.mean((1, 2, 3)))
            sizes += [pore_sizes(cube[None], 1.0) for cube in block]
        return cls(np.concatenate(two_point), np.concatenate(porosity), sizes)

    def only(self, index: np.ndarray) -> _Pores:
        """Those of some of the SVEs."""
        return _Pores(self.two_point[index], self.porosity[index], [self.sizes[i] for i in index])

    def all_sizes(self) -> np.ndarray:
        """(pore,); never empty."""
        return np.concatenate([np.zeros(1), *self.sizes])


_DISTANCES: dict[str, Callable[[_Pores, _Pores], float]] = {
    "two_point": lambda a, b: metrics.correlation_distance(
        a.two_point.mean(axis=0), b.two_point.mean(axis=0)
    ),
    "porosity": lambda a, b: metrics.distribution_distance(a.porosity, b.porosity),
    "pore_size": lambda a, b: metrics.distribution_distance(a.all_sizes(), b.all_sizes()),
}


def sample_scores(
    held: Subset, samples: np.ndarray, random: np.random.Generator
) -> SampleScores | None:
    """How far binary samples (sve, n, n, n) are from the held-out SVEs, over how far halves of
    these are from each other.

    The distances: of mean two-point correlations, of the distributions of porosities, and of those
    of pore sizes (all pores together). Each is divided by the 95 % quantile over random halves by
    part (`metrics.half_distances`): below 1 the samples are indistinguishable from held-out SVEs
    by that measure. None where there are no such halves: of one part, or of parts without pores.
    """
    true, made = _Pores.measure(held.voxels.blocks()), _Pores.measure([samples])
    ratios = {}
    for name, distance in _DISTANCES.items():

        def of_halves(first: np.ndarray, second: np.ndarray) -> float:
            return distance(true.only(first), true.only(second))  # noqa: B023 (called at once)

        halves = metrics.half_distances(held.part_id, of_halves, random)
        if not np.isfinite(halves).all() or not len(halves):
            return None
        ratios[name] = distance(made, true) / max(float(np.quantile(halves, 0.95)), 1e-12)
    return SampleScores(**ratios)
