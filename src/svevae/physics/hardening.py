"""Tabulated hardening: the flow stress of a material as a list of points, as finite element codes
take it (*PLASTIC of Abaqus and CalculiX).

Between two points the flow stress is linear in the accumulated plastic strain, beyond the last it
is constant, as there: what shall harden further needs another point. Strains are fractions,
stresses in MPa. Numpy alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from svevae.errors import ConfigError


@dataclass(frozen=True)
class Hardening:
    """Flow `stress` at the plastic `strain` of each point, (..., point) each: one table for all
    voxels, (point,), or one for each, (sve, x, y, z, point); the two broadcast.

    The first strain is 0, where yield begins, and each is above the one before. Stresses do not
    fall: softening gathers in one layer of elements, however thin these are, and would be the
    mesh's. A voxel whose stresses are all infinite never yields. Raises ConfigError, which names
    the parameter, for anything else.
    """

    strain: np.ndarray
    stress: np.ndarray

    def __post_init__(self) -> None:
        strain, stress = np.asarray(self.strain, float), np.asarray(self.stress, float)
        object.__setattr__(self, "strain", strain)
        object.__setattr__(self, "stress", stress)
        for name, value in (("strain", strain), ("stress", stress)):
            if value.ndim not in (1, 5) or not value.shape[-1]:
                _refuse(name, "shape (point,) or (sve, x, y, z, point)", value.shape)
        if strain.shape[-1] != stress.shape[-1]:
            _refuse("stress", f"one for each of {strain.shape[-1]} strains", stress.shape[-1])
        if not np.isfinite(strain).all() or strain[..., 0].any():
            bad = strain[..., 0].flat[np.argmax(strain[..., 0] != 0)]
            _refuse("strain", "finite plastic strains that begin at 0", f"{bad:g}")
        if not (rises := np.diff(strain) > 0).all():
            _refuse("strain", "plastic strains that grow", _first_pair(strain, rises))
        if not (good := stress >= 0).all():
            _refuse("stress", "at least 0", f"{stress[~good].flat[0]:g}")
        if not (np.isfinite(stress).all(-1) | np.isposinf(stress).all(-1)).all():
            _refuse("stress", "finite stresses, or none that is", "some of each")
        with np.errstate(invalid="ignore"):  # infinity less infinity
            falls = np.diff(stress) < 0
        if falls.any():
            _refuse("stress", "stresses that do not fall", _first_pair(stress, ~falls))

    def take(self, index: np.ndarray) -> Hardening:
        """Select the SVEs `index`."""
        strain, stress = (
            value[index] if value.ndim == 5 and len(value) > 1 else value
            for value in (self.strain, self.stress)
        )
        return Hardening(strain, stress)

    def with_stress(self, stress: np.ndarray) -> Hardening:
        """Put other stresses at the same strains; where they would fall they stay."""
        return Hardening(self.strain, np.maximum.accumulate(stress, axis=-1))

    def tension(self, E: np.ndarray, strain: np.ndarray) -> np.ndarray:
        """Stress under tension at total strains (any,) that only grow, (sve, x, y, z, any), of
        materials of Young's modulus `E` (sve, x, y, z); 0 where it is 0.

        The total strain at each point of the table is its plastic strain and stress / E; between
        two points stress is linear in it, too.
        """
        table, flow = np.broadcast_arrays(self.strain, self.stress)
        shape = (*E.shape, table.shape[-1])
        found = np.zeros((*E.shape, len(strain)))
        plastic, flow = np.broadcast_to(table, shape), np.broadcast_to(flow, shape)
        for at in np.argwhere(E > 0):
            here = tuple(at)
            total = plastic[here] + flow[here] / E[here]
            found[here] = np.minimum(E[here] * strain, np.interp(strain, total, flow[here]))
        return found

    def lines(self) -> np.ndarray:
        """Plastic strain and flow stress at each point, and the slope of the line that begins
        there: (point, 3, sve or 1, x or 1, y or 1, z or 1).
        """
        strain, stress = np.broadcast_arrays(self.strain, self.stress)
        with np.errstate(invalid="ignore"):
            slope = np.diff(stress) / np.diff(strain)
        slope = np.append(slope, np.zeros((*stress.shape[:-1], 1)), axis=-1)
        table = np.stack([strain, stress, np.where(np.isfinite(stress), slope, 0.0)], axis=-1)
        table = table.reshape((1,) * (6 - table.ndim) + table.shape)
        return np.moveaxis(table, (4, 5), (0, 1))


def _first_pair(values: np.ndarray, good: np.ndarray) -> str:
    """The first two neighbours that are not `good` together."""
    where = tuple(np.argwhere(~good)[0])
    after = (*where[:-1], where[-1] + 1)
    return f"{values[where]:g}, {values[after]:g}"


def _refuse(name: str, expected: str, received: object) -> None:
    raise ConfigError(f"material.hardening.{name}: expected {expected}, received {received}")
