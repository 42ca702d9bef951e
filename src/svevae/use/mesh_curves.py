"""Tension curves of the SVEs of a part for the tables of a deck: those that are predicted, or where
yield and flow stress alone are, Voce's law through both.
"""

from __future__ import annotations

import numpy as np

from svevae.errors import DataError
from svevae.meshes.bins import Curves
from svevae.parts.fields import Law, PropertyField
from svevae.physics.hardening import Hardening
from svevae.physics.knee import REACH
from svevae.physics.voce import voce_curve

# between the strains of Voce's law: about the knees of all SVEs, and beyond; stress between two is
# then off by at most 0.8 % at a knee, 0.2 % beyond
FINE, COARSE = 1.03, 1.15
AROUND = 4.0  # of the median strain at yield, how far knees are followed on either side


def curves_of(field: PropertyField, law: Law) -> tuple[Curves, np.ndarray]:
    """Curves of the SVEs that have material, and which these are, (x * y * z,) bool. All have the
    same strains, between which they are linear. Raises DataError where E, nu, yield and flow stress
    are not predicted.
    """
    constants = {name: one.ravel() for name, one in field.constants(law).items()}
    table = field.hardening
    if table is None:
        strength = constants["s0"]
    else:
        shape = (1, *field.porosity.shape, table.strain.shape[-1])
        plastic, stress = (
            np.broadcast_to(one, shape).reshape(-1, shape[-1])
            for one in (table.strain, table.stress)
        )
        strength = stress.min(axis=1)
    solid = field.solid.ravel() & (constants["E"] > 0) & (strength > 0)
    if not solid.any():
        raise DataError("part: expected SVEs with stiffness and strength, received none")
    E, nu, s0, Q = (constants[name][solid] for name in ("E", "nu", "s0", "Q"))
    if table is None:
        strain = _strains(s0 / E, law)
        stress = voce_curve(E[:, None], s0[:, None], Q[:, None], law.b, strain)
        return Curves(strain, E, nu, stress), solid
    plastic, stress = plastic[solid], stress[solid]
    # tables have about one set of total strains, but where stresses are drawn, or are predicted
    # above those of elasticity
    strain = np.median(plastic + stress / E[:, None], axis=0)
    table = Hardening(*(one.reshape(-1, 1, 1, 1, len(strain)) for one in (plastic, stress)))
    stress = table.tension(E.reshape(-1, 1, 1, 1), strain).reshape(-1, len(strain))
    return Curves(strain, E, nu, stress), solid


def _strains(knees: np.ndarray, law: Law) -> np.ndarray:
    """Strains (point,) at which Voce's law is taken, of SVEs that yield at the strains `knees`:
    from the first knee on, to REACH times the last strain of the labels.
    """
    middle = np.median(knees)
    low, high = max(knees.min(), middle / AROUND), min(knees.max(), middle * AROUND)
    far = max(REACH * law.flow_strain, COARSE * high)
    return np.append(_apart(low, high, FINE), _apart(high, far, COARSE)[1:])


def _apart(first: float, last: float, factor: float) -> np.ndarray:
    """Numbers from the first to the last, at most by `factor` apart."""
    steps = np.log(last / first) / np.log(factor)
    return np.geomspace(first, last, 1 + max(0, int(np.ceil(steps - 1e-9))))
