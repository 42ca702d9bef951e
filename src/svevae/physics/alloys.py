"""Laws of the matrix: the metals that people print, and what is left of a law once its units are
taken out.

A law is (E, nu, s0, Q, b) as `svevae.physics.elasticity.Material` has them. The equations of small
strain have no length and are of first degree in stress, so two laws of equal nu, Q/s0 and b s0/E
give the same curves in units of s0 (stress) and s0/E (strain), whatever the pores, and the same
stiffness in units of E. These three numbers are all that curves and stiffness depend on beside the
voxels; the 0.2 % yield, whose offset is a strain of its own, depends on s0/E too.
"""

from __future__ import annotations

import numpy as np

from svevae.physics.elasticity import Material

LAW = ("E", "nu", "s0", "Q", "b")
LAW_UNITS = ("MPa", "-", "MPa", "MPa", "-")

# Lowest and highest of what printed metals have, as built and after the usual heat treatments: E,
# the 0.2 % yield and the tensile strength are those of the data sheets of powder and machine makers
# and of reviews (DebRoy et al., Prog. Mater. Sci. 92, 112, 2018; Aboulkhair et al., Prog. Mater.
# Sci. 106, 100578, 2019). s0 is near the yield, Q near what is left to the true tensile strength;
# Voce's b is seldom published and is drawn widely.
PRINTED: dict[str, dict[str, tuple[float, float]]] = {
    "AlSi10Mg as built": {
        "E": (64_000, 75_000),
        "nu": (0.32, 0.34),
        "s0": (180, 280),
        "Q": (150, 350),
        "b": (15, 60),
    },
    "AlSi10Mg aged": {
        "E": (58_000, 75_000),
        "nu": (0.32, 0.34),
        "s0": (130, 270),
        "Q": (50, 200),
        "b": (15, 60),
    },
    "Ti-6Al-4V": {
        "E": (104_000, 121_000),
        "nu": (0.31, 0.35),
        "s0": (800, 1150),
        "Q": (50, 300),
        "b": (10, 60),
    },
    "316L": {
        "E": (165_000, 205_000),
        "nu": (0.27, 0.31),
        "s0": (300, 580),
        "Q": (120, 450),
        "b": (4, 30),
    },
    "IN718": {
        "E": (155_000, 210_000),
        "nu": (0.28, 0.31),
        "s0": (500, 1250),
        "Q": (150, 600),
        "b": (6, 40),
    },
    "Scalmalloy": {
        "E": (64_000, 74_000),
        "nu": (0.32, 0.34),
        "s0": (280, 520),
        "Q": (20, 150),
        "b": (15, 80),
    },
}


def draw_printed(rng: np.random.Generator) -> dict[str, float]:
    """A law of a printed alloy: each alloy as likely as another, its numbers even in their
    ranges.
    """
    ranges = PRINTED[list(PRINTED)[int(rng.integers(len(PRINTED)))]]
    return {name: float(rng.uniform(low, high)) for name, (low, high) in ranges.items()}


def laws_of(material: Material, count: int) -> np.ndarray:
    """(count, 5) the laws of as many SVEs of `material`, in the order of LAW: of a field (sve, x,
    y, z) the mean over each SVE.
    """
    columns = []
    for name in LAW:
        value = np.asarray(getattr(material, name), float)
        each = value.mean(axis=(1, 2, 3)) if value.ndim == 4 else value
        columns.append(np.broadcast_to(each, count))
    return np.stack(columns, axis=1)


def in_units_of(laws: np.ndarray, reference: Material) -> Material:
    """The materials (sve, 5) that behave as `laws` in other units: with E and s0 of `reference`.

    Stress is then to be multiplied by s0 over that of `reference`, strain by s0/E over its s0/E,
    stiffness by E over its E.
    """
    E, nu, s0, Q, b = (column[:, None, None, None] for column in np.asarray(laws, float).T)
    strain = s0 / E / (reference.s0 / reference.E)
    whole = np.ones_like(nu)
    return Material(
        reference.E * whole, nu, reference.s0 * whole, Q / s0 * reference.s0, b * strain
    )


def strains_of(laws: np.ndarray, reference: Material, strain: np.ndarray) -> np.ndarray:
    """(sve, increment) the strains of `laws` (sve, 5) that correspond to those (increment,) of
    `reference`: the same multiples of s0/E.
    """
    laws = np.asarray(laws, float)
    scale = laws[:, 2] / laws[:, 0] / (reference.s0 / reference.E)
    return scale[:, None] * np.asarray(strain, float)
