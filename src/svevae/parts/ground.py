"""Bars and ground truth that the multiscale studies share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from svevae.dataset.cluster import Cluster
from svevae.dataset.cut import cut
from svevae.dataset.journal import Journal
from svevae.dataset.label_settings import LabelSettings, read_settings
from svevae.dataset.labelling import label_sves
from svevae.dataset.store import LabelledDataset, open_dataset
from svevae.errors import DataError, blaming
from svevae.hdf5 import reading
from svevae.model.baselines import PorosityBaseline
from svevae.model.latent import LatentModel
from svevae.parts.direct import FOLDER
from svevae.parts.fields import Law, PropertyField
from svevae.physics.alloys import laws_of
from svevae.physics.elasticity import Material, poisson
from svevae.physics.hardening import Hardening
from svevae.physics.knee import tension_table
from svevae.physics.label import Tension, property_names
from svevae.physics.microstructure import make_part, random_parameters

CURVE = "tension/stress_z"


@dataclass(frozen=True)
class Ground:
    """What a dataset that svevae labelled says of its SVEs beside the properties: the matrix, and
    how the labels came about.
    """

    data: LabelledDataset
    labels: LabelSettings

    @classmethod
    def read(cls, path: str | Path) -> Ground:
        """Open an SVE file. Raises DataError where it does not say how it was labelled."""
        data = open_dataset(Path(path))
        labels = read_settings(data)
        if labels is None:
            raise DataError(
                f"{path}: expected a file that `svevae generate` or `svevae import"
                " --label` labelled"
            )
        return cls(data, replace(labels, tension=Tension(("z",), labels.tension.strain)))

    @property
    def material(self) -> Material:
        return self.labels.material

    @property
    def law(self) -> Law:
        return Law(self.labels.tension.strain, float(self.material.b), float(self.material.nu))

    def check(self, model: LatentModel) -> None:
        """Raise DataError where the model was trained on other SVEs."""
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
        """Predict properties and curves of a field from the porosity of each SVE alone, by cubic
        polynomials fitted to all SVEs of the dataset.
        """
        with reading(self.data.path, known=True) as file:
            # of several metals each SVE has strains of its own
            known = CURVE in file and file["tension/strain"].ndim == 1
            curves = file[CURVE][:] if known else np.zeros((self.data.count, 0))
        columns = np.hstack([self.data.properties, curves])
        found = PorosityBaseline(self.data.porosity(), columns).predict(field.porosity.ravel())
        values = found[:, : len(self.data.names)].reshape(*field.porosity.shape, -1)
        curves = found[:, len(self.data.names) :].reshape(*field.porosity.shape, -1)
        table = None
        if curves.shape[-1]:
            table = self._table(values[..., self.data.names.index("E_z")], curves)
        return PropertyField.known(
            self.data.names, self.data.units, values, field.porosity, field.edge, table
        )

    def _table(self, modulus: np.ndarray, stress: np.ndarray) -> Hardening:
        """The hardening of SVEs (x, y, z) of curves (x, y, z, increment) along z."""
        law, strain = laws_of(self.material, 1)[0], np.array(self.labels.tension.strain)
        return tension_table(strain, stress[None].astype(float), modulus[None], law)

    def solve(self, pores: np.ndarray, n: int, cluster: Cluster) -> PropertyField:
        """Label a part (x, y, z), 1 where there is a pore, SVE by SVE with the solver; labels are
        kept in a journal.
        """
        sves, position = cut(pores, n)
        names = [f"SVE at {tuple(map(int, place))}" for place in position]
        columns = label_sves(
            sves, names, self.labels, Journal(FOLDER / "labels", self.labels), cluster, batch=4
        )
        properties, units = property_names(("z",))
        lateral = np.stack([poisson(columns["stiffness"], "z", axis) for axis in "xy"], axis=1)
        values = np.hstack([columns["properties"], lateral]).astype(float)
        shape = tuple(edge // n for edge in pores.shape)
        porosity = sves.mean((1, 2, 3)).reshape(shape)
        edge = n * (self.data.voxel_size or 1.0)
        values = values.reshape(*shape, -1)
        modulus = values[..., properties.index("E_z")]
        return PropertyField.known(
            (*properties, "nu_zx", "nu_zy"),
            (*units, "-", "-"),
            values,
            porosity,
            edge,
            self._table(modulus, columns[CURVE].reshape(*shape, -1)),
        )


def series(purpose: str, seed: int) -> int:
    """Derive a seed for a purpose, so that no study draws what the dataset or another study was
    made from.
    """
    return int(np.random.SeedSequence([seed, *purpose.encode()]).generate_state(1)[0])


def generate_bars(
    generator: str,
    parameters: Mapping[str, Any],
    *,
    study: str,
    shape: tuple[int, ...],
    n: int,
    count: int,
    seed: int,
    first: int = 0,
) -> np.ndarray:
    """Generate `count` parts of `shape` SVEs of n voxels, numbers `first` and on of the `study`'s
    `series`: (part, x, y, z) uint8.

    `parameters` are numbers or ranges, as `svevae.physics.microstructure.random_parameters` takes
    them.
    Raises ConfigError that names the part and the parameter.
    """
    x, y, z = (edge * n for edge in shape)
    own, bars = series(f"{study}: bars", seed), []
    for k in range(first, first + count):
        with blaming(f"part {k}: "):
            values = random_parameters(generator, parameters, own, k)
            bars.append(make_part(generator, (x, y, z), own, k, values))
    return np.stack(bars)
