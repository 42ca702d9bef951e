"""What the multiscale studies share: generated bars, the ground truth that the dataset gives,
simulation from property fields.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from svevae.dataset.cluster import Cluster
from svevae.dataset.cut import cut
from svevae.dataset.journal import Journal
from svevae.dataset.label_settings import LabelSettings, read_settings
from svevae.dataset.labelling import label_sves
from svevae.dataset.store import LabelledDataset, open_dataset
from svevae.errors import ConfigError, DataError
from svevae.model.baselines import PorosityBaseline
from svevae.model.latent import LatentModel
from svevae.parts.config import Compare, MultiscaleShared, Propagate
from svevae.parts.direct import JOURNAL
from svevae.parts.fields import Law, PropertyField, material_of
from svevae.physics.elasticity import Material, poisson
from svevae.physics.label import Tension, property_names
from svevae.physics.microstructure import make_part, random_parameters
from svevae.physics.part import PART_SETTINGS, Response, pull


@dataclass(frozen=True)
class Ground:
    """What a dataset that svevae labelled says of its SVEs beside the properties: the matrix, and
    how the labels came about.
    """

    data: LabelledDataset
    labels: LabelSettings

    @classmethod
    def read(cls, parts: MultiscaleShared) -> Ground:
        """Raises DataError where the file does not say how it was labelled."""
        data = open_dataset(parts.dataset)
        labels = read_settings(data)
        if labels is None:
            raise DataError(
                f"{parts.dataset}: expected a file that `svevae generate` or `svevae import"
                " --label` labelled"
            )
        return cls(data, replace(labels, tension=Tension(("z",), labels.tension.strain)))

    @property
    def material(self) -> Material:
        return self.labels.material

    @property
    def law(self) -> Law:
        return Law(self.labels.tension.strain[-1], float(self.material.b), float(self.material.nu))

    def check(self, model: LatentModel) -> None:
        """Raises DataError where the model is of other SVEs."""
        for name, expected, received in (
            ("n", self.data.n, model.n),
            ("voxel size", self.data.voxel_size, model.voxel_size),
            ("properties", self.data.names, model.names),
        ):
            if expected != received:
                raise DataError(
                    f"{self.data.path}: {name}: expected {received} as the model was trained on,"
                    f" received {expected}"
                )

    def porosity_only(self, field: PropertyField) -> PropertyField:
        """The field that a cubic polynomial in the porosity of each SVE gives, fitted to all SVEs
        of the dataset.
        """
        baseline = PorosityBaseline(self.data.porosity(), self.data.properties)
        values = baseline.predict(field.porosity.ravel()).reshape(*field.porosity.shape, -1)
        return PropertyField.known(
            self.data.names, self.data.units, values, field.porosity, field.edge
        )

    def solve(self, pores: np.ndarray, n: int, cluster: Cluster) -> PropertyField:
        """The field of a part (x, y, z) that the solver gives, SVE by SVE; kept as labels are."""
        sves, position = cut(pores, n)
        names = [f"SVE at {tuple(map(int, place))}" for place in position]
        columns = label_sves(
            sves, names, self.labels, Journal(JOURNAL / "labels", self.labels), cluster, batch=4
        )
        names, units = property_names(("z",))
        lateral = np.stack([poisson(columns["stiffness"], "z", axis) for axis in "xy"], axis=1)
        values = np.hstack([columns["properties"], lateral]).astype(float)
        shape = tuple(edge // n for edge in pores.shape)
        porosity = sves.mean((1, 2, 3)).reshape(shape)
        edge = n * (self.data.voxel_size or 1.0)
        return PropertyField.known(
            (*names, "nu_zx", "nu_zy"),
            (*units, "-", "-"),
            values.reshape(*shape, -1),
            porosity,
            edge,
        )


def series(purpose: str, seed: int) -> int:
    """A seed of its own for each purpose, so that no study draws what the dataset or another study
    was made from.
    """
    return int(np.random.SeedSequence([seed, *purpose.encode()]).generate_state(1)[0])


def draw_bars(
    settings: Compare | Propagate,
    part: tuple[int, ...],
    n: int,
    count: int,
    seed: int,
    first: int = 0,
) -> np.ndarray:
    """Generated parts of `part` SVEs of n voxels, numbers `first` and on of the study's `series`:
    (part, x, y, z) uint8.

    Raises ConfigError that names the parameter of multiscale/params.yaml.
    """
    shape, section = tuple(edge * n for edge in part), type(settings).__name__.lower()
    own, bars = series(f"{section}: bars", seed), []
    for k in range(first, first + count):
        try:
            values = random_parameters(settings.generator, settings.parameters, own, k)
            bars.append(make_part(settings.generator, shape, own, k, values))
        except ConfigError as error:
            raise ConfigError(f"multiscale/params.yaml: {section}: part {k}: {error}") from error
    return np.stack(bars)


def simulate(
    fields: list[PropertyField],
    law: Law,
    parts: MultiscaleShared,
    outline: np.ndarray | None = None,
) -> Response:
    """Tension of parts of one shape from their property fields, as one batch. Raises as
    `svevae.physics.part.pull`.

    `outline` (x, y, z) of elements, `refine` along each edge of an SVE, is where the part is; else
    it is where its SVEs are not air.
    """
    if outline is None:
        outline = np.any([field.solid for field in fields], axis=0)
        for axis in range(3):
            outline = outline.repeat(parts.refine, axis)
    settings = replace(PART_SETTINGS, tolerance=parts.tolerance)
    names = [f"part {k}" for k in range(len(fields))]
    material = material_of(fields, law, parts.refine)
    return pull(
        material,
        outline,
        parts.strain,
        grip=parts.refine,
        block=parts.refine,
        settings=settings,
        names=names,
    )
