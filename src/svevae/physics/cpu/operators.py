"""What the solver does to whole grids: forces of a displacement, and the vector work between.

Every kernel takes planes `first` to `last` along x, so that threads can share a grid; their forces
on the plane `last` go to `edge`, which the caller adds.
"""

from __future__ import annotations

import numpy as np

from svevae.physics.cpu import element as rows
from svevae.physics.cpu.element import DILATATION, MONOMIALS, STRESS_SUMS
from svevae.physics.cpu.plasticity import (
    ACCUMULATED,
    BULK,
    MEAN_TANGENT,
    SHEAR,
    STATE_ROWS,
    VOLUME,
    commit,
    consistent_tangent,
    linear,
    radial_return,
)
from svevae.physics.cpu.porous import commit_porous, elliptic_return, elliptic_tangent
from svevae.physics.cpu.rows import ROW, STRIDE, kernel


@kernel
def elastic_forces(u, mean, moduli, s, sums, out, edge, first, last):
    """Nodal forces (3, x, y, z) of the displacement `u` and the mean strain on elastic voxels,
    `moduli` rows of bulk and 16 times the shear modulus. Adds the stress summed over the voxels to
    the first six of `sums`; `s` is a scratch array.
    """
    _, nx, ny, nz = u.shape
    rows.clear(s, out, edge, first, last)
    nodes, beyond = out.reshape(out.size), edge.reshape(edge.size)
    for i in range(first, last):
        for j in range(ny):
            for piece in range(moduli.shape[2]):
                rows.gather(u, i, j, piece * ROW, s)
                rows.strain(s, mean)
                stiffen(s, moduli[i, j, piece])
                rows.forces(s)
                rows.scatter(s, i, j, piece * ROW, nodes, (nx, ny, nz), beyond, last)
        rows.collect(s, STRESS_SUMS, sums[:6])


@kernel
def stiffen(s, moduli):
    """Stresses of elastic strains, as sums over the Gauss points: monomials are orthogonal, so each
    is eight times twice the shear modulus.
    """
    for k in range(ROW):
        s[DILATATION + k] *= moduli[k]
        shear = moduli[ROW + k]
        for row in range(35):
            s[MONOMIALS + row * STRIDE + k] *= shear


@kernel
def tangent_forces(u, mean, tangent, s, sums, out, edge, first, last):
    """As `elastic_forces`, of what `tangent` makes of the strain."""
    _, nx, ny, nz = u.shape
    rows.clear(s, out, edge, first, last)
    nodes, beyond = out.reshape(out.size), edge.reshape(edge.size)
    for i in range(first, last):
        for j in range(ny):
            for piece in range(tangent.shape[2]):
                rows.gather(u, i, j, piece * ROW, s)
                rows.strain(s, mean)
                rows.to_gauss_points(s)
                linear(s, tangent[i, j, piece])
                rows.from_gauss_points(s)
                rows.forces(s)
                rows.scatter(s, i, j, piece * ROW, nodes, (nx, ny, nz), beyond, last)
        rows.collect(s, STRESS_SUMS, sums[:6])


@kernel
def stress_forces(u, mean, material, state, tangent, s, sums, out, edge, first, last):
    """As `elastic_forces`, of the stress that the law makes of the strain and the state; writes its
    tangent, and adds MEAN_TANGENT to the other `sums`.
    """
    _, nx, ny, nz = u.shape
    rows.clear(s, out, edge, first, last)
    nodes, beyond = out.reshape(out.size), edge.reshape(edge.size)
    for i in range(first, last):
        for j in range(ny):
            for piece in range(material.shape[2]):
                rows.gather(u, i, j, piece * ROW, s)
                rows.strain(s, mean)
                rows.to_gauss_points(s)
                here, now = material[i, j, piece], state[i, j, piece]
                if len(now) > STATE_ROWS * ROW:
                    elliptic_return(s, here, now)
                    elliptic_tangent(s, here, tangent[i, j, piece])
                else:
                    radial_return(s, here, now)
                    consistent_tangent(s, here, tangent[i, j, piece])
                rows.from_gauss_points(s)
                rows.forces(s)
                rows.scatter(s, i, j, piece * ROW, nodes, (nx, ny, nz), beyond, last)
        rows.collect(s, STRESS_SUMS, sums[:6])
        rows.collect(s, MEAN_TANGENT, sums[6:])


@kernel
def commit_state(u, mean, material, state, s, first, last):
    """Let the state follow the strain."""
    _, _, ny, _ = u.shape
    for i in range(first, last):
        for j in range(ny):
            for piece in range(material.shape[2]):
                rows.gather(u, i, j, piece * ROW, s)
                rows.strain(s, mean)
                rows.to_gauss_points(s)
                here, now = material[i, j, piece], state[i, j, piece]
                if len(now) > STATE_ROWS * ROW:
                    elliptic_return(s, here, now)
                    commit_porous(s, here, now)
                else:
                    radial_return(s, here, now)
                    commit(s, here, now)


@kernel
def dot(a, b):
    """Scalar product of two vectors, in double precision from pieces of 4,096."""
    total = 0.0
    for start in range(0, len(a), 4096):
        p, q = a[start : start + 4096], b[start : start + 4096]
        part = a.dtype.type(0)
        for k in range(len(p)):
            part += p[k] * q[k]
        total += part
    return total


@kernel
def step(x, r, p, image, alpha):
    """x + alpha p and r - alpha image, in place."""
    for k in range(len(x)):
        x[k] += alpha * p[k]
        r[k] -= alpha * image[k]
    return 0.0


@kernel
def turn(p, z, beta):
    """z + beta p, in p."""
    for k in range(len(p)):
        p[k] = z[k] + beta * p[k]
    return 0.0


@kernel
def voxel_means(u, mean, material, state, s, strain, stress, plastic, first, last):
    """Voxel means of strain and stress (x, y, z, 6) and of the accumulated plastic strain (x, y,
    z).
    """
    number = s.dtype.type
    half, sixth = number(rows.HALF), number(rows.SIXTH)
    two, third, eighth, zero = number(2), number(1 / 3), number(1 / 8), number(0)
    _, _, ny, nz = u.shape
    deviator, lost = np.zeros(5, s.dtype), np.zeros(5, s.dtype)
    for i in range(first, last):
        for j in range(ny):
            for piece in range(material.shape[2]):
                rows.gather(u, i, j, piece * ROW, s)
                rows.strain(s, mean)
                m, now = material[i, j, piece], state[i, j, piece]
                for k in range(min(ROW, nz - piece * ROW)):
                    z = piece * ROW + k
                    for c in range(5):
                        deviator[c] = s[MONOMIALS + 7 * c * STRIDE + k]
                        lost[c] = zero
                        for g in range(8):
                            lost[c] += eighth * now[(8 * c + g) * ROW + k]
                    change = s[DILATATION + k]
                    _mandel(strain[i, j, z], deviator, third * change, half, sixth)
                    if len(now) > STATE_ROWS * ROW:
                        for g in range(8):
                            change -= eighth * now[VOLUME + g * ROW + k]
                    for c in range(5):
                        deviator[c] = two * m[SHEAR + k] * (deviator[c] - lost[c])
                    _mandel(stress[i, j, z], deviator, m[BULK + k] * change, half, sixth)
                    plastic[i, j, z] = now[ACCUMULATED + k]


@kernel
def _mandel(tensor, deviator, spherical, half, sixth):
    """A tensor of a deviator in DEVIATORIC_BASIS and a multiple of the unit tensor."""
    a, b = half * deviator[0], sixth * deviator[1]
    tensor[0], tensor[1], tensor[2] = spherical + a - b, spherical - a - b, spherical + b + b
    tensor[3], tensor[4], tensor[5] = deviator[2], deviator[3], deviator[4]
