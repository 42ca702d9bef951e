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
from svevae.physics.hardening import Hardening
from svevae.physics.knee import tension_table
from svevae.physics.voce import OFFSET, fit_voce

AXIS = "z"  # of the tension that parts are under and that properties are read from
VOID = 0.5  # an SVE with more pore than this is air around the part, not material


@dataclass(frozen=True)
class Law:
    """How properties become a material: total strains of the labelled curve, at whose last the flow
    stress is, Voce's exponent b and Poisson's ratio nu of the matrix.
    """

    strain: tuple[float, ...]
    b: float
    nu: float

    @property
    def flow_strain(self) -> float:
        return self.strain[-1]

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
        matrix = record["material"]
        return cls(tuple(record["tension"]["strain"]), matrix["b"], matrix["nu"])


@dataclass(frozen=True)
class PropertyField:
    """Properties of the SVEs of a part, in `units`: values and std (x, y, z, property); porosity
    and novelty (x, y, z).

    `edge` is that of an SVE in micrometres. `std` and `novelty` are zero where the properties do
    not come from a predictor. `hardening`, of one part (1, x, y, z, point), is the flow stress
    along AXIS where whole curves are known, None where yield and flow stress alone are.
    """

    names: tuple[str, ...]
    units: tuple[str, ...]
    values: np.ndarray
    std: np.ndarray
    porosity: np.ndarray
    novelty: np.ndarray
    edge: float
    hardening: Hardening | None = None

    @classmethod
    def known(
        cls,
        names: tuple[str, ...],
        units: tuple[str, ...],
        values: np.ndarray,
        porosity: np.ndarray,
        edge: float,
        hardening: Hardening | None = None,
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
            hardening,
        )

    @classmethod
    def predicted(
        cls, model: LatentModel, latent: np.ndarray, porosity: np.ndarray
    ) -> PropertyField:
        """Predict a field from latent vectors (x, y, z, latent) and porosities (x, y, z)."""
        shape = latent.shape[:3]
        flat = latent.reshape(-1, latent.shape[-1])
        prediction = model.prediction(flat)
        values, std = (
            array.reshape(*shape, -1).astype(float)
            for array in (prediction.properties, prediction.std)
        )
        edge = model.n * (model.voxel_size or 1.0)
        hardening = None
        if model.contract.law and f"E_{AXIS}" in model.names:
            axes = [name.removeprefix("E_") for name in model.names if name.startswith("E_")]
            response = model.response(flat)
            hardening = tension_table(
                response.strain[0].astype(float),
                response.stress[:, axes.index(AXIS)].reshape(1, *shape, -1).astype(float),
                values[None, ..., model.names.index(f"E_{AXIS}")],
                np.array(model.contract.law),
            )
        return cls(
            model.names,
            model.units,
            values,
            std,
            porosity,
            prediction.novelty.reshape(shape).astype(float),
            edge,
            hardening,
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

        The hardening moves with yield and flow stress: up to the former it is scaled as this is,
        from the latter on as that is, and linearly between.
        """
        values = self.values + self.std * random.standard_normal(self.values.shape)
        drawn = replace(self, values=values)
        if self.hardening is None:
            return drawn
        before, after = (
            [field.column(f"{kind}_{AXIS}")[None, ..., None] for kind in ("yield", "flow")]
            for field in (self, drawn)
        )
        early, late = (
            np.divide(new, old, out=np.ones_like(old), where=old > 0).clip(0)
            for new, old in zip(after, before, strict=True)
        )
        stress, span = self.hardening.stress, before[1] - before[0]
        share = np.divide(stress - before[0], span, out=np.ones_like(stress), where=span > 0)
        moved = stress * (early + share.clip(0, 1) * (late - early))
        return replace(drawn, hardening=self.hardening.with_stress(moved))

    def homogeneous(self) -> PropertyField:
        """Put the mean properties of the part everywhere, and the mean of its curves."""
        mean = self.values[self.solid].mean(axis=0)
        table = self.hardening
        if table is not None:
            own = (value[:, self.solid].mean(axis=1) for value in (table.strain, table.stress))
            table = Hardening(*(np.broadcast_to(one, table.stress.shape) for one in own))
        return replace(
            self,
            values=np.broadcast_to(mean, self.values.shape),
            std=np.zeros_like(self.std),
            hardening=table,
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

    def tension(self, strain: tuple[float, ...]) -> dict[str, np.ndarray]:
        """Stress (x, y, z) in MPa under tension along AXIS at each of the total strains, called
        stress_0.0123; nothing where no curves are known, 0 in the void.
        """
        if self.hardening is None:
            return {}
        E = np.where(self.solid, self.column(f"E_{AXIS}"), 0.0).clip(0)
        stress = self.hardening.tension(E[None], np.array(strain))[0]
        return {f"stress_{at:.4g}": stress[..., k] for k, at in enumerate(strain)}

    def columns(self, law: Law) -> dict[str, np.ndarray]:
        """What `write` has of each SVE, (x, y, z) each, beside its centre."""
        constants, known = self.constants(law), ~np.isnan(self.porosity)
        std = {name: np.where(known, one, 0.0) for name, one in self.constants_std(law).items()}
        columns = {"E": constants["E"], "porosity": self.porosity}
        columns |= {name: constants[name] for name in ("nu", "s0", "Q", "b", "nu_p")}
        columns |= {f"{name}_std": value for name, value in std.items()} | {
            "novelty": np.where(known, self.novelty, np.nan)
        }
        return columns | self.tension(law.strain)

    def write(
        self, path: Path, law: Law, corner: tuple[float, float, float] = (0.0, 0.0, 0.0)
    ) -> None:
        """Write .vtkhdf for ParaView, or a .csv table of element centroids for other finite element
        codes, whole or not at all; the outer corner of the first SVE is at `corner` [um].

        Columns: x, y, z [um] of the centre of the SVE, porosity, E, nu, s0, Q, b, nu_p, standard
        deviations of E, nu, s0 and Q, novelty, and, where whole curves are known, the stress of
        tension at each strain of the labels. Where an SVE touches the outside of the field of view,
        porosity and novelty are NaN, all else is 0.
        """
        columns = self.columns(law)
        if path.suffix == ".csv":
            first = np.reshape(corner, (3, 1, 1, 1))
            centre = (np.indices(self.porosity.shape) + 0.5) * self.edge + first
            table = {
                f"{axis} [um]": place.ravel() for axis, place in zip("xyz", centre, strict=True)
            }
            table |= {column_head(name): value.ravel() for name, value in columns.items()}
            with written_whole(path) as beside:
                pd.DataFrame(table).to_csv(beside, index_label="sve", float_format="%.7g")
        else:
            fields = {name: value.astype(np.float32) for name, value in columns.items()}
            write_vtkhdf(path, fields, self.edge, corner)


def column_head(name: str) -> str:
    """The head of a column of `PropertyField.columns` in a table, with its unit."""
    stress = name.startswith("stress_") or name.removesuffix("_std") in ("E", "s0", "Q", "yield")
    return f"{name} [MPa]" if stress else name


def material_of(fields: list[PropertyField], law: Law, refine: int = 1) -> PorousMaterial:
    """The material of parts of one shape, a batch for `svevae.physics.part.pull`, `refine` elements
    along each edge of an SVE.

    It hardens as the curves of the fields, or by Voce's law where any has none.
    """
    constants = [field.constants(law) for field in fields]

    def refined(values: np.ndarray) -> np.ndarray:
        for axis in (1, 2, 3):
            values = values.repeat(refine, axis)
        return values

    tables = [field.hardening for field in fields]
    known = [table for table in tables if table is not None]
    hardening = None
    if len(known) == len(tables):
        hardening = Hardening(
            *(
                refined(np.concatenate([vars(table)[name] for table in known]))
                for name in ("strain", "stress")
            )
        )
    return PorousMaterial(
        **{name: refined(np.stack([one[name] for one in constants])) for name in constants[0]},
        hardening=hardening,
    )
