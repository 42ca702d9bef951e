"""Parts with a notch or a hole whose porosity varies with the distance from it, and their loads by
our own solver.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from svevae.dataset.statistics import read_position
from svevae.dataset.store import SVEDataset
from svevae.errors import ConfigError, DataError, SolverError
from svevae.model.latent import LatentModel
from svevae.parts.coarse import Coarse
from svevae.parts.direct import Direct, joined
from svevae.parts.fields import PropertyField
from svevae.parts.ground import series
from svevae.parts.latent_field import LatentField
from svevae.parts.lightest import Gradation, GradationSearch
from svevae.physics.level_sets import graded
from svevae.physics.part import Response, block_means

WIDTHS = (0.25, 4.0)  # SVE edges
SECTION = 0.05  # relative error of the net section


def distance(shape: str, part: tuple[int, ...], radius: float, n: int) -> np.ndarray:
    """Measure the distance from the notches (two half circles at mid-height of the x faces) or the
    hole (along y), in SVE edges; negative in the void.

    (x, y, z) at the centres of `n` elements along each edge of an SVE; the part has `part` SVEs.
    """
    x, _, z = (np.arange(edge * n) + 0.5 for edge in part)
    across, along = np.meshgrid(x / n, z / n - part[2] / 2, indexing="ij")
    centres = (0.0, float(part[0])) if shape == "notched" else (part[0] / 2,)
    found = np.min([np.hypot(across - centre, along) for centre in centres], axis=0) - radius
    return np.broadcast_to(found[:, None, :], (part[0] * n, part[1] * n, part[2] * n))


def fit_trend(model: LatentModel, data: SVEDataset) -> LatentField:
    """Fit the latent field about its trend with porosity to all SVEs of a dataset. Raises DataError
    where the file does not say which SVEs are neighbours.
    """
    position = read_position(data)
    if position is None:
        raise DataError(
            f"{data.path}: /position is missing: the latent field is fitted to neighbours"
        )
    latent = np.concatenate([model.encode(voxels)[0] for _, voxels in data.slabs()])
    return LatentField.fit(latent, data.porosity(), data.part_id, position, trend=True)


@dataclass(frozen=True)
class Outline:
    """A notched bar or a plate with a hole (`shape`), of `part` SVEs; `radius` in SVE edges.

    `n` voxels and `refine` elements along each edge of an SVE.
    """

    shape: str
    part: tuple[int, ...]
    radius: float
    n: int
    refine: int

    def __post_init__(self) -> None:
        """Raises ConfigError where the elements' net section, which carries the load, is not that
        of the voxels.
        """
        coarse, fine = (
            (field > 0).mean(axis=(0, 1)).min() for field in (self.elements, self.voxels)
        )
        if abs(coarse / fine - 1) > SECTION:
            raise ConfigError(
                "refine: expected elements fine enough for the net section,"
                f" {fine:.3f} of the gross one, received one of {coarse:.3f}; raise it"
            )

    @cached_property
    def elements(self) -> np.ndarray:
        """`distance` at the centres of elements, (x, y, z)."""
        return distance(self.shape, self.part, self.radius, self.refine)

    @cached_property
    def voxels(self) -> np.ndarray:
        """`distance` at the centres of voxels, (x, y, z)."""
        return distance(self.shape, self.part, self.radius, self.n)

    @cached_property
    def sves(self) -> np.ndarray:
        """`distance` at the centres of SVEs, (x, y, z)."""
        return distance(self.shape, self.part, self.radius, 1)

    def sve_porosity(self, design: Gradation) -> np.ndarray:
        """Average the porosity of a design over the solid of each SVE, (x, y, z); where an SVE has
        none, take that at its centre.
        """
        inside = (self.voxels > 0)[None].astype(float)
        share, pores = (
            block_means(field, self.n)[0]
            for field in (inside, inside * design.porosity(self.voxels))
        )
        return np.where(
            share > 0, pores / np.where(share > 0, share, 1), design.porosity(self.sves)
        )

    def mean_porosity(self, design: Gradation) -> float:
        """Average the porosity of a design over the part."""
        return float(design.porosity(self.voxels)[self.voxels > 0].mean())

    def porosity_slice(self, design: Gradation) -> np.ndarray:
        """Porosity of a design in a slice across y, (x, z), NaN in the void."""
        return np.where(self.voxels[:, 0] > 0, design.porosity(self.voxels[:, 0]), np.nan)


class GradationStudy(GradationSearch):
    """Loads of designs of one part through the latent space, and the search for the lightest.
    Widths are in SVE edges.
    """

    def __init__(
        self,
        outline: Outline,
        model: LatentModel,
        field: LatentField,
        coarse: Coarse,
        *,
        porosity: tuple[float, ...],
        fields: int,
        seed: int,
    ):
        """`field` is the latent field about its trend with porosity, as `fit_trend` gives it;
        `porosity` the lowest and the highest of a design; a load is the mean over `fields` sampled
        latent fields.

        Raises ConfigError for porosities that the latent field does not know.
        """
        super().__init__(porosity, field.porosities, WIDTHS, seed)
        self.outline, self.model, self.field, self.coarse = outline, model, field, coarse
        self.fields = fields
        self.loads: dict[Gradation, float] = {}

    def mean_porosity(self, design: Gradation) -> float:
        return self.outline.mean_porosity(design)

    def load(self, design: Gradation) -> float:
        """Yield load over the area of the box, MPa: mean over sampled latent fields, the same
        random numbers for each design.
        """
        if design not in self.loads:
            random = np.random.default_rng(series("grade: fields", self.seed))
            fields = []
            x, y, z = self.outline.part
            for _ in range(self.fields):
                latent, porosity = self.field.sample(
                    (x, y, z), random, porosity=self.outline.sve_porosity(design)
                )
                fields.append(PropertyField.predicted(self.model, latent, porosity))
            response = self.coarse.simulate(fields, outline=self.outline.elements > 0)
            self.loads[design] = float(response.yield_stress.mean())
        return self.loads[design]


def verify(
    name: str,
    design: Gradation,
    outline: Outline,
    direct: Direct,
    *,
    count: int,
    seed: int,
    pore_length: float,
    elongation: float,
) -> Response:
    """Simulate `count` generated microstructures of a design directly; `pore_length` in voxels,
    `elongation` times that along z. One that does not converge is reported and replaced by another.

    Raises SolverError where `count` of them do not converge.
    """
    responses: list[Response] = []
    failed = k = 0
    while len(responses) < count:
        pores = graded(
            design.porosity(outline.voxels),
            np.random.default_rng([series("grade: pores", seed), k]),
            pore_length=pore_length,
            elongation=elongation,
        )
        try:
            responses.append(direct.simulate(pores, outline.voxels > 0, f"{name} {k}")[0])
        except SolverError as error:
            failed += 1
            if failed == count:
                raise
            print(f"{error}; microstructure {k + 1} takes its place", file=sys.stderr)
        k += 1
    return joined(responses)
