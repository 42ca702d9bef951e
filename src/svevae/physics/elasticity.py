"""Symmetric tensors in Mandel order, isotropic elasticity, the material presets, and the bounds
every SVE must respect.

Mandel order: xx, yy, zz, sqrt2*yz, sqrt2*xz, sqrt2*xy, so that the scalar product of two tensors is
that of their vectors and a stiffness is a symmetric (6, 6) matrix. Moduli and stresses are in MPa,
strains are fractions.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import numpy as np

from svevae.errors import ConfigError
from svevae.physics.hardening import Hardening

# of 48 SVEs of the reference dataset that the solver pulled, of spheres 2.6: `python
# benchmarks/contraction.py`
SLOPE = 2.8
# of the shear modulus: the least s0 of a porous material, since what is measured against the flow
# stress needs one
WEAKEST = 1e-6
# share of the elastic shear modulus added to the medium of a plastic tangent: perfect plasticity
# has none of its own
SOFTEST = 0.02
# how far CG goes in a step of Newton's method, as a share of the out-of-balance force: so far that
# this ends below the tolerance if the material were linear, within bounds
FORCING, FORCING_BOUNDS = 0.7, (0.02, 0.5)
TRACE = np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0])
VOLUMETRIC = np.outer(TRACE, TRACE) / 3  # projector on the spherical part
AXES = {"x": 0, "y": 1, "z": 2}
SHEARS = ("yz", "xz", "xy")  # planes of the last three of Mandel's components

# Orthonormal basis of the deviators, (5, 6): a deviator is five numbers, and its norm is theirs.
DEVIATORIC_BASIS = np.array(
    [
        [2**-0.5, -(2**-0.5), 0, 0, 0, 0],
        [-(6**-0.5), -(6**-0.5), 2 * 6**-0.5, 0, 0, 0],
        [0, 0, 0, 1, 0, 0],
        [0, 0, 0, 0, 1, 0],
        [0, 0, 0, 0, 0, 1],
    ]
)


@dataclass(frozen=True)
class Material:
    """Isotropic elasticity and J2 plasticity with Voce hardening: the yield stress is s0 + Q (1 -
    exp(-b p)).

    E, s0 and Q in MPa, nu and b without unit, p the accumulated plastic strain. Each is a number,
    or an array that broadcasts to (sve, x, y, z): one value for each voxel. E = 0 is void; s0 = inf
    never yields; Q = 0 is perfect plasticity.

    Raises ConfigError for NaN, a negative E, s0, Q or b, an infinite E, Q or b, or nu outside (-1,
    0.5).
    """

    E: float | np.ndarray
    nu: float | np.ndarray
    s0: float | np.ndarray = np.inf
    Q: float | np.ndarray = 0.0
    b: float | np.ndarray = 0.0

    def __post_init__(self) -> None:
        for name in ("E", "nu", "s0", "Q", "b"):
            value = np.asarray(getattr(self, name), float)
            if name == "nu":
                _require(name, value, (value > -1) & (value < 0.5), "between -1 and 0.5")
            else:
                finite = np.isfinite(value) | (name == "s0")
                _require(name, value, (value >= 0) & finite, "at least 0")

    def take(self, index: np.ndarray) -> Material:
        """Select the SVEs `index`."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        own = {
            name: value[index]
            for name, value in values.items()
            if np.ndim(value) == 4 and len(value) > 1
        }
        return replace(self, **own)


@dataclass(frozen=True)
class PorousMaterial(Material):
    """A material that stands for a porous one and does not keep its volume in plastic flow
    (`svevae.physics.porous`).

    `nu_p` is the plastic Poisson's ratio, lateral over axial plastic strain under uniaxial tension;
    1/2 keeps the volume. `hardening`, where it is there, is the flow stress in place of s0, Q and
    b. Raises ConfigError for an `nu_p` outside (-1, 0.5], and as `Material`.
    """

    nu_p: float | np.ndarray = 0.5
    hardening: Hardening | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        value = np.asarray(self.nu_p, float)
        _require("nu_p", value, (value > -1) & (value <= 0.5), "between -1 and 0.5, or 0.5")

    def take(self, index: np.ndarray) -> PorousMaterial:
        """Select the SVEs `index`."""
        own = super().take(index)
        assert isinstance(own, PorousMaterial)
        return own if self.hardening is None else replace(own, hardening=self.hardening.take(index))


def _require(name: str, value: np.ndarray, good: np.ndarray, expected: str) -> None:
    """Raise ConfigError, with the first number that is not `good`, unless all are."""
    if not good.all():
        raise ConfigError(
            f"material.{name}: expected a number {expected}, received {value[~good].flat[0]:g}"
        )


def plastic_poisson(nu: np.ndarray, matrix: float) -> np.ndarray:
    """Plastic Poisson's ratio of SVEs with the elastic `nu` (...), between 0 and 1/2, in a matrix
    whose own is `matrix`.

    Pores let the sides give way alike in both: 1/2 is missed by SLOPE times what the matrix's ratio
    is missed by.
    """
    return np.clip(0.5 - SLOPE * np.maximum(matrix - nu, 0.0), 0.0, 0.5)


def dilatancy(nu_p: np.ndarray | float) -> np.ndarray:
    """a of the equivalent stress from the plastic Poisson's ratio; 0 for 1/2."""
    nu_p = np.asarray(nu_p, float)
    return (0.5 - nu_p) / (1 + nu_p)


class VoxelMaterial(NamedTuple):
    """A material as the solver takes it: bulk and shear modulus (sve, x, y, z), zero in pores; the
    Voce constants s0, Q and b, each (sve or 1, x or 1, y or 1, z or 1); the `dilatancy` of a porous
    material, None where plastic flow keeps its volume; and its table `hardening`, (point, 3, sve or
    1, x or 1, y or 1, z or 1) as `svevae.physics.hardening.Hardening.lines`, None where Voce's law
    is taken. MPa.
    """

    bulk: np.ndarray
    shear: np.ndarray
    s0: np.ndarray
    Q: np.ndarray
    b: np.ndarray
    dilatancy: np.ndarray | None = None
    hardening: np.ndarray | None = None


# LPBF AlSi10Mg. Published Voce constants were not found: s0 and Q are fits through the 0.2 % yield
# and the true tensile strength of a powder maker's data sheet, with b = 40 chosen.
PRESETS = {
    "as-built-z": Material(E=70_000.0, nu=0.33, s0=216.0, Q=312.0, b=40.0),
    "as-built-xy": Material(E=70_000.0, nu=0.33, s0=250.0, Q=263.0, b=40.0),
    "aged-z": Material(E=60_000.0, nu=0.33, s0=217.0, Q=176.0, b=40.0),
}


def moduli(E: np.ndarray | float, nu: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """Bulk and shear modulus from Young's modulus and Poisson's ratio; any shape, the unit of E."""
    E, nu = np.asarray(E, float), np.asarray(nu, float)
    return E / (3 * (1 - 2 * nu)), E / (2 * (1 + nu))


def isotropic_stiffness(E: float, nu: float) -> np.ndarray:
    """(6, 6) stiffness: 3K on the spherical part, 2 mu on the deviators."""
    bulk, shear = moduli(E, nu)
    return 3 * bulk * VOLUMETRIC + 2 * shear * (np.eye(6) - VOLUMETRIC)


def mandel(tensor: np.ndarray) -> np.ndarray:
    """(..., 3, 3) symmetric tensors as (..., 6)."""
    t = np.asarray(tensor, float)
    off = [(t[..., i, j] + t[..., j, i]) / 2**0.5 for i, j in ((1, 2), (0, 2), (0, 1))]
    return np.stack([t[..., 0, 0], t[..., 1, 1], t[..., 2, 2], *off], axis=-1)


def tensor(vector: np.ndarray) -> np.ndarray:
    """(..., 6) in Mandel order as (..., 3, 3): the inverse of `mandel`."""
    v = np.asarray(vector, float)
    xx, yy, zz, yz, xz, xy = (v[..., i] / (2**0.5 if i > 2 else 1) for i in range(6))
    rows = ((xx, xy, xz), (xy, yy, yz), (xz, yz, zz))
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def young(stiffness: np.ndarray, axis: str) -> np.ndarray:
    """Apparent Young's modulus along `axis` of (..., 6, 6) stiffnesses, 1/S_ii; 0 where the
    stiffness is zero along that axis.
    """
    i = AXES[axis]
    return _uniaxial(stiffness, i)[0]


def poisson(stiffness: np.ndarray, axis: str, lateral: str) -> np.ndarray:
    """Contraction along `lateral` under tension along `axis`, -S_ji/S_ii, of (..., 6, 6)
    stiffnesses; 0 where there is no stiffness.
    """
    return -_uniaxial(stiffness, AXES[axis])[1][..., AXES[lateral]]


def shear(stiffness: np.ndarray, plane: str) -> np.ndarray:
    """Apparent shear modulus in `plane` ("yz", "xz" or "xy") of (..., 6, 6) stiffnesses; 0 where
    there is no stiffness.
    """
    return _uniaxial(stiffness, SHEARS.index(plane) + 3)[0] / 2  # Mandel's strain is sqrt(2) eps


def _uniaxial(stiffness: np.ndarray, i: int) -> tuple[np.ndarray, np.ndarray]:
    """Stress and the six strains per unit strain of Mandel's component i, the other stresses
    zero.
    """
    stiffness = np.asarray(stiffness, float)
    free = [j for j in range(6) if j != i]
    inner = np.linalg.pinv(stiffness[..., free, :][..., free], rcond=1e-6, hermitian=True)
    lateral = -np.einsum("...ij,...j->...i", inner, stiffness[..., free, i])
    stress = stiffness[..., i, i] + np.einsum("...j,...j->...", stiffness[..., i, free], lateral)
    return stress, np.insert(lateral, i, 1.0, axis=-1)


def voigt_bound(porosity: float, E: float, nu: float) -> np.ndarray:
    """(6, 6) stiffness that no porous SVE exceeds in any direction of strain: the mean of the
    phases' stiffnesses.
    """
    return (1 - porosity) * isotropic_stiffness(E, nu)


def hashin_shtrikman(porosity: float, E: float, nu: float) -> tuple[float, float]:
    """Upper bounds of bulk and shear modulus of an isotropic porous material.

    Hashin and Shtrikman, J. Mech. Phys. Solids 11 (1963) 127: with pores of zero stiffness, K = 4
    mu K0 (1-f) / (4 mu + 3 K0 f), and mu likewise with beta = 6 (K0 + 2 mu0) / (5 (3 K0 + 4 mu0)).
    """
    bulk, shear = (float(value) for value in moduli(E, nu))
    upper_bulk = 4 * shear * bulk * (1 - porosity) / (4 * shear + 3 * bulk * porosity)
    beta = 6 * (bulk + 2 * shear) / (5 * (3 * bulk + 4 * shear))
    upper_shear = shear * (1 - porosity) * (1 - beta) / (1 - beta + porosity * beta)
    return upper_bulk, upper_shear
