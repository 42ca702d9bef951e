"""Elastic moduli of periodic arrays of spherical voids by a series that converges to the exact
ones: no voxels, nothing of svevae.

Hashin and Shtrikman's principle (1963) with the matrix as the medium of comparison: stresses C : e
put into the voids, e the strain of displacements u, give an upper bound of the stiffness. Bounds
fall to the exact moduli as u takes in more of what the surface of a void can do: here vector fields
whose components are harmonic polynomials of odd degrees up to `degree` (degree 1 is the method of
uniform eigenstrains: Nemat-Nasser, Iwakuma and Hejazi 1982, Mech. Mater. 1, 239). The Fourier
transform of a harmonic polynomial in a sphere is a Bessel function times the polynomial, so that
the interaction of voids is one sum over the reciprocal lattice. It is split as Ewald did: a smooth
window leaves a short sum and a remainder in which a void meets itself alone, an integral.

Lengths in edges of the cubic cell.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from scipy.linalg import null_space
from scipy.special import spherical_jn

VOIDS = {"simple cubic": 1, "body-centred": 2, "face-centred": 4}  # in a cell
NEIGHBOUR = {"simple cubic": 1.0, "body-centred": 0.75**0.5, "face-centred": 0.5**0.5}
# mean strains and the axes along which, against a dilatation's, the parity of u is the other one
DILATATION, TENSION, SHEAR = np.eye(3) / 3, np.diag([0.5, -0.5, 0]), np.zeros((3, 3))
SHEAR[0, 1] = SHEAR[1, 0] = 0.5
LOADS = ((DILATATION, (0, 0, 0)), (TENSION, (0, 0, 0)), (SHEAR, (1, 1, 0)))
SHARP, FAR = 8.0, 5.5  # window times the gap between voids; where it ends, in its widths


def moduli_by_series(lattice: str, porosity: float, nu: float, degree: int = 15) -> np.ndarray:
    """K, (C11 - C12) / 2 and C44 of the array over those of the matrix, upper bounds, from the
    Poisson's ratio of the matrix; voids must not touch. Degree 15 gives five digits up to 40 %.
    """
    radius = (3 * porosity / (4 * np.pi * VOIDS[lattice])) ** (1 / 3)
    if not 0 < 2 * radius < NEIGHBOUR[lattice]:
        raise ValueError(f"{lattice}, porosity {porosity}: expected voids that do not touch")
    lame, shear = nu / ((1 + nu) * (1 - 2 * nu)), 1 / (2 * (1 + nu))
    found = []
    for strain, flipped in LOADS:
        fields = [_Fields(d, flipped, lame, shear) for d in range(1, degree + 1, 2)]
        stiffness = lame * np.trace(strain) * np.eye(3) + 2 * shear * strain
        b = porosity * np.concatenate([field.mean_stress(strain) for field in fields])
        t = np.linalg.lstsq(_quadratic(lattice, radius, nu, fields), b, rcond=1e-11)[0]
        found.append(1 - b @ t / np.sum(strain * stiffness))
    return np.array(found)


class _Fields:
    """Displacements u = H e_i, H the harmonic polynomials of one degree that have the parities that
    the load asks of component i.
    """

    def __init__(self, degree: int, flipped: Sequence[int], lame: float, shear: float):
        self.degree, self.lame, self.shear = degree, lame, shear
        self.polynomials = [
            _harmonic(degree, (np.eye(3, dtype=int)[i] + flipped) % 2) for i in range(3)
        ]

    def gradients(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(field, 3, point) gradients of H and (field,) components i, at points (3, point)."""
        gradients, components = [np.zeros((0, 3, points.shape[1]))], []
        for i, (powers, factors) in enumerate(self.polynomials):
            axes = []
            for axis in range(3):
                lower = np.maximum(powers - np.eye(3, dtype=int)[axis], 0)
                monomials = np.prod(points[None] ** lower[:, :, None], axis=1)
                axes.append(factors.T @ (powers[:, axis, None] * monomials))
            gradients.append(np.stack(axes, axis=1))
            components += [i] * factors.shape[1]
        return np.concatenate(gradients), np.array(components, int)

    def tractions(self, normals: np.ndarray) -> np.ndarray:
        """(field, 3, point): C : e . n at points n of the unit sphere."""
        g, i = self.gradients(normals)
        out = self.lame * g[np.arange(len(i)), i][:, None] * normals
        out += self.shear * g * normals[i][:, None]
        out[np.arange(len(i)), i] += self.shear * np.einsum("map,ap->mp", g, normals)
        return out

    def energy(self, normals: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """(field, field): e : C : e' over the unit ball, from an exact rule on its sphere."""
        g, i = self.gradients(normals)
        own, same = g[np.arange(len(i)), i], i[:, None] == i
        cross = g[:, i]  # of field m along the component of field n
        e = self.lame * (own * weights) @ own.T
        e += self.shear * np.einsum("mnp,nmp,p->mn", cross, cross, weights)
        e += self.shear * same * np.einsum("map,nap,p->mn", g, g, weights)
        return e / (2 * self.degree + 1)

    def mean_stress(self, strain: np.ndarray) -> np.ndarray:
        """(field,): the stress of each field at the centre, its mean, times `strain`."""
        gradients, i = self.gradients(np.zeros((3, 1)))
        g = gradients[:, :, 0]
        along = self.lame * g[np.arange(len(i)), i] * np.trace(strain)
        return along + 2 * self.shear * np.einsum("ma,ma->m", g, strain[i])


def _harmonic(degree: int, parity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Powers (monomial, 3) and factors (monomial, polynomial) of the harmonic polynomials that are
    odd along the axes where `parity` is 1.
    """
    exponents = np.array(list(itertools.product(range(degree + 1), repeat=3)))
    powers = exponents[(exponents.sum(axis=1) == degree) & (exponents % 2 == parity).all(axis=1)]
    laplacian: dict[tuple[int, ...], np.ndarray] = {}
    for column, power in enumerate(powers):
        for axis in np.flatnonzero(power > 1):
            row = tuple(power - 2 * np.eye(3, dtype=int)[axis])
            twice = power[axis] * (power[axis] - 1)
            laplacian.setdefault(row, np.zeros(len(powers)))[column] = twice
    return powers, null_space(np.array([*laplacian.values(), np.zeros(len(powers))]))


def _quadratic(lattice: str, radius: float, nu: float, fields: list[_Fields]) -> np.ndarray:
    """(field, field): energy of the stresses less that of what they do, over the cell."""
    voids, shear = VOIDS[lattice], fields[0].shear
    width = SHARP / (NEIGHBOUR[lattice] - 2 * radius)

    def window(k: np.ndarray) -> np.ndarray:  # 1 - window is of fourth order at k = 0
        return (1 + (k / width) ** 2) * np.exp(-((k / width) ** 2))

    def released(tractions: np.ndarray, normals: np.ndarray, weights: np.ndarray) -> np.ndarray:
        along = np.einsum("map,ap->mp", tractions, normals)
        flat = tractions.reshape(len(tractions), -1)
        total = (flat * np.tile(weights, 3)) @ flat.T
        return (total - (along * weights) @ along.T / (2 * (1 - nu))) / shear

    degrees = [field.degree for field in fields]
    signs = np.array([(-1) ** ((degree - 1) // 2) for degree in degrees])
    normals, weights = _sphere_rule(2 * max(degrees) + 4)
    at = [field.tractions(normals) for field in fields]
    of = np.repeat(np.arange(len(fields)), [len(tractions) for tractions in at])
    own = np.zeros((len(of), len(of)))
    for number, field in enumerate(fields):
        own[np.ix_(of == number, of == number)] = field.energy(normals, weights)

    # a void meets itself: the integral of Bessel functions over all k, less that under the window
    end = FAR * width * radius
    q, dq = np.polynomial.legendre.leggauss(100 + int(2 * end))
    q, dq = (q + 1) / 2 * end, dq / 2 * end
    bessel = np.stack([spherical_jn(degree, q) for degree in degrees])
    radial = np.diag([np.pi / (4 * degree + 2) for degree in degrees])
    radial = (radial - (bessel * dq * window(q / radius)) @ bessel.T) * np.outer(signs, signs)
    alone = released(np.concatenate(at), normals, weights) * radial[np.ix_(of, of)] * 2 / np.pi

    # and all others: an eighth of the reciprocal lattice stands for all of it
    last = int(FAR * width / (2 * np.pi)) + 1
    h = np.stack(np.meshgrid(*3 * [np.arange(last + 1)], indexing="ij")).reshape(3, -1)
    size = 2 * np.pi * np.sqrt(np.square(h).sum(axis=0))
    h = h[:, (size > 0) & (size < FAR * width) & _reciprocal(lattice, h)]
    between = np.zeros_like(own)
    for part in np.array_split(h, h.shape[1] // 4000 + 1, axis=1):
        size = 2 * np.pi * np.sqrt(np.square(part).sum(axis=0))
        times = window(size) * 2.0 ** (part > 0).sum(axis=0) * 16 * np.pi**2
        unit, q = 2 * np.pi * part / size, size * radius
        waves = [
            sign * field.tractions(unit) * spherical_jn(field.degree, q) / q
            for sign, field in zip(signs, fields, strict=True)
        ]
        between += released(np.concatenate(waves), unit, times)
    return voids * radius**3 * (own - alone - voids * radius**3 * between)


def _reciprocal(lattice: str, h: np.ndarray) -> np.ndarray:
    if lattice == "simple cubic":
        return np.ones(h.shape[1], bool)
    if lattice == "body-centred":
        return h.sum(axis=0) % 2 == 0
    return (h % 2 == h[0] % 2).all(axis=0)


def _sphere_rule(degree: int) -> tuple[np.ndarray, np.ndarray]:
    """Points (3, point) of the unit sphere and weights, exact for polynomials up to `degree`."""
    z, weight = np.polynomial.legendre.leggauss(degree // 2 + 1)
    angle = 2 * np.pi * np.arange(degree + 1) / (degree + 1)
    x, y = (np.outer(np.sqrt(1 - z**2), circle(angle)) for circle in (np.cos, np.sin))
    points = np.stack([x, y, np.repeat(z[:, None], len(angle), 1)]).reshape(3, -1)
    return points, np.repeat(weight * 2 * np.pi / len(angle), len(angle))
