"""Fields of elastoplastic properties over a part: one value for each SVE in place of its pores."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from svevae.dataset.cut import cut
from svevae.dataset.vtk import write_vtkhdf
from svevae.errors import DataError
from svevae.files import written_whole
from svevae.model.latent import LatentModel
from svevae.physics.elasticity import PorousMaterial, plastic_poisson
from svevae.physics.voce import OFFSET, fit_voce

AXIS = "z"  # of the tension that parts are under and that properties are read from
VOID = 0.5  # an SVE with more pore than this is air around the part, not material


@dataclass(frozen=True)
class Law:
    """How properties become a material: total strain of the flow stress, Voce's exponent b and
    Poisson's ratio nu of the matrix.
    """

    flow_strain: float
    b: float
    nu: float

    @classmethod
    def of(cls, model: LatentModel) -> Law:
        """Read the law of the labels that a model was trained on. Raises DataError where the model
        does not say.
        """
        record = model.contract.labels
        if not record:
            text = (
                "expected a model trained on labels of svevae's solver, which say material and"
                " strains; this one does not"
            )
            raise DataError(f"contract.json: labels: {text}")
        return cls(
            record["tension"]["strain"][-1], record["material"]["b"], record["material"]["nu"]
        )


@dataclass(frozen=True)
class PropertyField:
    """Properties of the SVEs of a part, in `units`: values and std (x, y, z, property); porosity
    and novelty (x, y, z).

    `edge` is that of an SVE in micrometres. `std` and `novelty` are zero where the properties do
    not come from a predictor.
    """

    names: tuple[str, ...]
    units: tuple[str, ...]
    values: np.ndarray
    std: np.ndarray
    porosity: np.ndarray
    novelty: np.ndarray
    edge: float

    @classmethod
    def known(
        cls,
        names: tuple[str, ...],
        units: tuple[str, ...],
        values: np.ndarray,
        porosity: np.ndarray,
        edge: float,
    ) -> PropertyField:
        """Make a field of known properties, e.g. the solver's; std and novelty are zero."""
        return cls(
            tuple(names),
            tuple(units),
            values,
            np.zeros_like(values),
            porosity,
            np.zeros_like(porosity),
            edge,
        )

    @classmethod
    def predicted(
        cls, model: LatentModel, latent: np.ndarray, porosity: np.ndarray
    ) -> PropertyField:
        """Predict a field from latent vectors (x, y, z, latent) and porosities (x, y, z)."""
        shape = latent.shape[:3]
        prediction = model.prediction(latent.reshape(-1, latent.shape[-1]))
        values, std = (
            array.reshape(*shape, -1).astype(float)
            for array in (prediction.properties, prediction.std)
        )
        edge = model.n * (model.voxel_size or 1.0)
        return cls(
            model.names,
            model.units,
            values,
            std,
            porosity,
            prediction.novelty.reshape(shape).astype(float),
            edge,
        )

    @classmethod
    def encoded(cls, model: LatentModel, pores: np.ndarray) -> PropertyField:
        """Cut a part (x, y, z), 1 where there is a pore, into SVEs, encode them and predict.
        Raises DataError where SVEs do not divide it.
        """
        if any(edge % model.n for edge in pores.shape):
            raise DataError(
                f"part: expected a multiple of {model.n} voxels along each axis, received"
                f" {pores.shape}"
            )
        shape = tuple(edge // model.n for edge in pores.shape)
        sves, _ = cut(pores, model.n)
        return cls.predicted(
            model, model.encode(sves)[0].reshape(*shape, -1), sves.mean((1, 2, 3)).reshape(shape)
        )

    @property
    def solid(self) -> np.ndarray:
        """Where the part is, (x, y, z) bool: SVEs that are mostly pore are the air around it."""
        return self.porosity <= VOID

    def drawn(self, random: np.random.Generator) -> PropertyField:
        """Draw the values from the predictor's uncertainty, independently for each SVE and each
        property.
        """
        return replace(
            self, values=self.values + self.std * random.standard_normal(self.values.shape)
        )

    def homogeneous(self) -> PropertyField:
        """Put the mean properties of the part everywhere."""
        mean = self.values[self.solid].mean(axis=0)
        return replace(
            self, values=np.broadcast_to(mean, self.values.shape), std=np.zeros_like(self.std)
        )

    def column(self, name: str) -> np.ndarray:
        """One property (x, y, z). Raises DataError where the field lacks it."""
        if name not in self.names:
            raise DataError(
                f"{name}: expected one of {', '.join(self.names)}; a part needs E, yield and flow"
                " along z"
            )
        return self.values[..., self.names.index(name)]

    def constants(self, law: Law) -> dict[str, np.ndarray]:
        """E, nu, s0, Q, b and nu_p of each SVE, (x, y, z), MPa: an isotropic material that answers
        as the SVE does to tension along z.

        nu is the mean of the contractions that the properties have; s0 and Q as
        `svevae.physics.voce.fit_voce`; nu_p, the plastic Poisson's ratio, as
        `svevae.physics.porous.plastic_poisson`; all zero in the void.
        """
        E, stress, flow = (self.column(f"{kind}_{AXIS}") for kind in ("E", "yield", "flow"))
        lateral = [self.column(name) for name in self.names if name.startswith(f"nu_{AXIS}")]
        nu = np.mean(lateral, axis=0) if lateral else np.full(E.shape, np.nan)
        if np.isnan(nu).any():
            raise DataError(
                f"nu_{AXIS}: expected a Poisson's ratio among the properties"
                f" {', '.join(self.names)}"
            )
        solid = self.solid & (E > 0)
        s0, Q = fit_voce(np.where(solid, E, 1.0), stress, flow, law.flow_strain, law.b)
        constants = {
            "E": E,
            "nu": np.clip(nu, 0.0, 0.49),
            "s0": s0,
            "Q": Q,
            "b": np.full(E.shape, law.b),
            "nu_p": plastic_poisson(nu, law.nu),
        }
        return {
            name: np.where(solid, np.maximum(np.nan_to_num(value), 0.0), 0.0)
            for name, value in constants.items()
        }

    def constants_std(self, law: Law) -> dict[str, np.ndarray]:
        """Standard deviations of E, nu, s0 and Q, (x, y, z), as if the properties erred
        independently.
        """
        std = {name: self.std[..., k] for k, name in enumerate(self.names)}
        strength, flow = std[f"yield_{AXIS}"], std[f"flow_{AXIS}"]
        E, flow_stress = np.maximum(self.column(f"E_{AXIS}"), 1e-9), self.column(f"flow_{AXIS}")
        at_yield, left = (
            1 - np.exp(-law.b * OFFSET),
            np.exp(-law.b * np.maximum(law.flow_strain - flow_stress / E, 2 * OFFSET)),
        )
        span = 1 - left - at_yield
        # dQ/dflow
        slope = (1 + (flow_stress - self.column(f"yield_{AXIS}")) / span * law.b * left / E) / span
        lateral = [value for name, value in std.items() if name.startswith(f"nu_{AXIS}")]
        return {
            "E": std[f"E_{AXIS}"],
            "nu": np.sqrt(np.square(lateral).sum(axis=0)) / len(lateral),
            "s0": np.hypot((1 + at_yield / span) * strength, at_yield * slope * flow),
            "Q": np.hypot(strength / span, slope * flow),
        }

    def write(self, path: Path, law: Law) -> None:
        """Write .vtkhdf for ParaView, or a .csv table of element centroids for other finite element
        codes, whole or not at all.

        Columns: x, y, z [um] of the centre of the SVE, porosity, E, nu, s0, Q, b, nu_p, standard
        deviations of the first four, novelty. Where an SVE touches the outside of the field of
        view, porosity and novelty are NaN, all else is 0.
        """
        constants, known = self.constants(law), ~np.isnan(self.porosity)
        std = {name: np.where(known, one, 0.0) for name, one in self.constants_std(law).items()}
        columns = {"E": constants["E"], "porosity": self.porosity}
        columns |= {name: constants[name] for name in ("nu", "s0", "Q", "b", "nu_p")}
        columns |= {f"{name}_std": value for name, value in std.items()} | {
            "novelty": np.where(known, self.novelty, np.nan)
        }
        if path.suffix == ".csv":
            centre = (np.indices(self.porosity.shape) + 0.5) * self.edge
            units = {"E": " [MPa]", "s0": " [MPa]", "Q": " [MPa]"}
            table = {
                f"{axis} [um]": place.ravel() for axis, place in zip("xyz", centre, strict=True)
            }
            table |= {
                f"{name}{units.get(name.removesuffix('_std'), '')}": value.ravel()
                for name, value in columns.items()
            }
            with written_whole(path) as beside:
                pd.DataFrame(table).to_csv(beside, index_label="sve", float_format="%.7g")
        else:
            write_vtkhdf(
                path, {name: value.astype(np.float32) for name, value in columns.items()}, self.edge
            )


def material_of(fields: list[PropertyField], law: Law, refine: int = 1) -> PorousMaterial:
    """The material of parts of one shape, a batch for `svevae.physics.part.pull`, `refine` elements
    along each edge of an SVE.
    """
    constants = [field.constants(law) for field in fields]

    def stacked(name: str) -> np.ndarray:
        values = np.stack([constant[name] for constant in constants])
        for axis in (1, 2, 3):
            values = values.repeat(refine, axis)
        return values

    return PorousMaterial(**{name: stacked(name) for name in constants[0]})
