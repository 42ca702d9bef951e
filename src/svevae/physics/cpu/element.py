"""The element of `svevae.physics.element` in modes, for one row of voxels at a time.

With sums and differences of neighbours instead of corner values the strain falls apart into
monomials of the voxel's coordinates xi, eta, zeta along x, y, z, each of two to four modes. The
mode pqr of a displacement component is the sum over the corners, in [-1, 1]^3, of the component
times xi^p eta^q zeta^r; for u, v, w along x, y, z:

    4 eps_xx = u100 + u110 eta + u101 zeta + u111 eta zeta
    4 eps_yy = v010 + v110 xi + v011 zeta + v111 xi zeta
    4 eps_zz = w001 + w101 xi + w011 eta + w111 xi eta
    8 eps_yz = v001 + w010 + (v101 + w110) xi + v011 eta + w011 zeta + w111 xi zeta + v111 xi eta
    8 eps_xz = u001 + w100 + u101 xi + (u011 + w110) eta + w101 zeta + w111 eta zeta + u111 xi eta
    8 eps_xy = u010 + v100 + u110 xi + v110 eta + (u011 + v101) zeta + v111 eta zeta + u111 xi zeta

Over the Gauss points the monomials are orthogonal. A deviator is seven numbers, in the order 1, xi,
eta, zeta, eta zeta, xi zeta, xi eta, each the coefficient times the monomial's value at (1, 1, 1) /
sqrt(3), so that the values at the Gauss points are sums and differences of them.
"""

from __future__ import annotations

import numpy as np

from svevae.physics.cpu.rows import ROW, STRIDE, kernel

# rows of the scratch array
SUMS = 0  # 12: for each component sums along y and x, differences along y, along x, along both
LOW = 12 * STRIDE  # 12: forces on these at the lower end of each voxel along z
HIGH = 24 * STRIDE  # 12: and at the upper, one place on: at the voxel whose lower end that is
MONOMIALS = 36 * STRIDE  # 35: seven for each of the five deviators
DILATATION = 71 * STRIDE
GAUSS_POINTS = 72 * STRIDE  # 40: eight for each of the five deviators
STRESS_SUMS = 112 * STRIDE  # 6: stresses in Mandel order, summed over the rows that went through
NODES = 118 * STRIDE  # 4: forces on the nodes of a row, at its four edges
SCRATCH_ROWS = 122

# of strain monomials from modes: 1, xi, xi eta, and the same of shears in Mandel order
ONE, LINEAR, BILINEAR = 1 / 4, 1 / (4 * 3**0.5), 1 / 12
SHEAR_ONE, SHEAR_LINEAR, SHEAR_BILINEAR = ONE / 2**0.5, LINEAR / 2**0.5, BILINEAR / 2**0.5
HALF, SIXTH = 2**-0.5, 6**-0.5  # the entries of DEVIATORIC_BASIS


def scratch(dtype: str) -> np.ndarray:
    """A scratch array for the kernels, one for each thread."""
    return np.zeros(SCRATCH_ROWS * STRIDE, dtype)


@kernel
def clear(s, out, edge, first, last):
    """Begin the planes `first` to `last` of nodes (3, x, y, z): no forces yet."""
    zero = s.dtype.type(0)
    out[:, first:last] = zero
    edge[:] = zero


@kernel
def collect(s, row, sums):
    """Add rows of sums, from `row` on, to `sums` in double precision, and begin them anew: once for
    each plane, as single precision loses some of a long sum.
    """
    for n in range(len(sums)):
        for k in range(ROW):
            sums[n] += s[row + n * STRIDE + k]
            s[row + n * STRIDE + k] = s.dtype.type(0)


@kernel
def gather(u, i, j, start, s):
    """Sums and differences along x and y of the corner displacements of a row, into SUMS."""
    _, nx, ny, nz = u.shape
    right, back = 0 if i + 1 == nx else i + 1, 0 if j + 1 == ny else j + 1
    count = min(ROW, nz - start)
    end = 0 if start + count == nz else start + count
    for f in range(3):
        a, b = u[f, i, j, start : start + count], u[f, i, back, start : start + count]
        c, d = u[f, right, j, start : start + count], u[f, right, back, start : start + count]
        o = SUMS + 4 * f * STRIDE
        w, x = s[o : o + STRIDE], s[o + STRIDE : o + 2 * STRIDE]
        y, z = s[o + 2 * STRIDE : o + 3 * STRIDE], s[o + 3 * STRIDE : o + 4 * STRIDE]
        for k in range(count):
            low, high, left, far = a[k] + b[k], c[k] + d[k], b[k] - a[k], d[k] - c[k]
            w[k], x[k], y[k], z[k] = low + high, left + far, high - low, far - left
        low, left = u[f, i, j, end] + u[f, i, back, end], u[f, i, back, end] - u[f, i, j, end]
        high = u[f, right, j, end] + u[f, right, back, end]
        far = u[f, right, back, end] - u[f, right, j, end]
        w[count], x[count], y[count], z[count] = low + high, left + far, high - low, far - left


@kernel
def scatter(s, i, j, start, out, shape, edge, last):
    """Add the forces LOW and HIGH of a row to the nodes `out`, (3, x, y, z) of `shape` in one
    line; beyond the plane before `last` to `edge`, (3, y, z).
    """
    nx, ny, nz = shape
    back = 0 if j + 1 == ny else j + 1
    count = min(ROW, nz - start)
    end = 0 if start + count == nz else start + count
    for f in range(3):
        low = s[LOW + 4 * f * STRIDE : LOW + 4 * (f + 1) * STRIDE]
        high = s[HIGH + 4 * f * STRIDE : HIGH + 4 * (f + 1) * STRIDE]
        nodes = s[NODES : NODES + 4 * STRIDE]
        for k in range(STRIDE):
            a, b = low[k] + high[k], low[STRIDE + k] + high[STRIDE + k]
            c = low[2 * STRIDE + k] + high[2 * STRIDE + k]
            d = low[3 * STRIDE + k] + high[3 * STRIDE + k]
            nodes[k], nodes[STRIDE + k] = a - b - c + d, a + b - c - d
            nodes[2 * STRIDE + k], nodes[3 * STRIDE + k] = a - b + c - d, a + b + c + d
        first = (f * nx + i) * ny * nz
        add(out, first + j * nz, s, NODES, start, count, end)
        add(out, first + back * nz, s, NODES + STRIDE, start, count, end)
        far = out
        if i + 1 < last:
            first += ny * nz
        else:
            far, first = edge, f * ny * nz
        add(far, first + j * nz, s, NODES + 2 * STRIDE, start, count, end)
        add(far, first + back * nz, s, NODES + 3 * STRIDE, start, count, end)


@kernel
def add(values, row, s, nodes, start, count, end):
    """Add `count` forces of the scratch array to a row of nodes from `start` on, one more at
    `end`.
    """
    to, of = np.uintp(row + start), np.uintp(nodes)  # unsigned: else each index is tested
    for k in range(np.uintp(count)):
        values[to + k] += s[of + k]
    values[row + end] += s[nodes + count]


@kernel
def strain(s, mean):
    """MONOMIALS of the deviators and DILATATION from SUMS and a mean strain (6,)."""
    number = s.dtype.type
    one, linear, bilinear = number(ONE), number(LINEAR), number(BILINEAR)
    s_one, s_linear, s_bilinear = (
        number(SHEAR_ONE),
        number(SHEAR_LINEAR),
        number(SHEAR_BILINEAR),
    )
    half, sixth, zero = number(HALF), number(SIXTH), number(0)
    xx, yy, zz, yz, xz, xy = mean[0], mean[1], mean[2], mean[3], mean[4], mean[5]
    for k in range(ROW):
        low, high = s[SUMS + k], s[SUMS + k + 1]
        u001 = high - low
        low, high = s[SUMS + STRIDE + k], s[SUMS + STRIDE + k + 1]
        u010, u011 = low + high, high - low
        low, high = s[SUMS + 2 * STRIDE + k], s[SUMS + 2 * STRIDE + k + 1]
        u100, u101 = low + high, high - low
        low, high = s[SUMS + 3 * STRIDE + k], s[SUMS + 3 * STRIDE + k + 1]
        u110, u111 = low + high, high - low
        low, high = s[SUMS + 4 * STRIDE + k], s[SUMS + 4 * STRIDE + k + 1]
        v001 = high - low
        low, high = s[SUMS + 5 * STRIDE + k], s[SUMS + 5 * STRIDE + k + 1]
        v010, v011 = low + high, high - low
        low, high = s[SUMS + 6 * STRIDE + k], s[SUMS + 6 * STRIDE + k + 1]
        v100, v101 = low + high, high - low
        low, high = s[SUMS + 7 * STRIDE + k], s[SUMS + 7 * STRIDE + k + 1]
        v110, v111 = low + high, high - low
        low, high = s[SUMS + 8 * STRIDE + k], s[SUMS + 8 * STRIDE + k + 1]
        w001 = high - low
        low, high = s[SUMS + 9 * STRIDE + k], s[SUMS + 9 * STRIDE + k + 1]
        w010, w011 = low + high, high - low
        low, high = s[SUMS + 10 * STRIDE + k], s[SUMS + 10 * STRIDE + k + 1]
        w100, w101 = low + high, high - low
        low, high = s[SUMS + 11 * STRIDE + k], s[SUMS + 11 * STRIDE + k + 1]
        w110, w111 = low + high, high - low

        x, y, z = one * u100 + xx, one * v010 + yy, one * w001 + zz
        s[DILATATION + k] = x + y + z
        s[MONOMIALS + k] = half * (x - y)
        s[MONOMIALS + 7 * STRIDE + k] = sixth * (z + z - x - y)
        y, z = linear * v110, linear * w101  # xi
        s[MONOMIALS + STRIDE + k] = -half * y
        s[MONOMIALS + 8 * STRIDE + k] = sixth * (z + z - y)
        x, z = linear * u110, linear * w011  # eta
        s[MONOMIALS + 2 * STRIDE + k] = half * x
        s[MONOMIALS + 9 * STRIDE + k] = sixth * (z + z - x)
        x, y = linear * u101, linear * v011  # zeta
        s[MONOMIALS + 3 * STRIDE + k] = half * (x - y)
        s[MONOMIALS + 10 * STRIDE + k] = -sixth * (x + y)
        x, y, z = bilinear * u111, bilinear * v111, bilinear * w111
        s[MONOMIALS + 4 * STRIDE + k] = half * x
        s[MONOMIALS + 11 * STRIDE + k] = -sixth * x
        s[MONOMIALS + 5 * STRIDE + k] = -half * y
        s[MONOMIALS + 12 * STRIDE + k] = -sixth * y
        s[MONOMIALS + 13 * STRIDE + k] = sixth * (z + z)

        for row in (6, 18, 26, 34):  # stresses have these monomials too
            s[MONOMIALS + row * STRIDE + k] = zero
        s[MONOMIALS + 14 * STRIDE + k] = s_one * (v001 + w010) + yz
        s[MONOMIALS + 15 * STRIDE + k] = s_linear * (v101 + w110)
        s[MONOMIALS + 16 * STRIDE + k] = s_linear * v011
        s[MONOMIALS + 17 * STRIDE + k] = s_linear * w011
        s[MONOMIALS + 19 * STRIDE + k] = s_bilinear * w111
        s[MONOMIALS + 20 * STRIDE + k] = s_bilinear * v111
        s[MONOMIALS + 21 * STRIDE + k] = s_one * (u001 + w100) + xz
        s[MONOMIALS + 22 * STRIDE + k] = s_linear * u101
        s[MONOMIALS + 23 * STRIDE + k] = s_linear * (u011 + w110)
        s[MONOMIALS + 24 * STRIDE + k] = s_linear * w101
        s[MONOMIALS + 25 * STRIDE + k] = s_bilinear * w111
        s[MONOMIALS + 27 * STRIDE + k] = s_bilinear * u111
        s[MONOMIALS + 28 * STRIDE + k] = s_one * (u010 + v100) + xy
        s[MONOMIALS + 29 * STRIDE + k] = s_linear * u110
        s[MONOMIALS + 30 * STRIDE + k] = s_linear * v110
        s[MONOMIALS + 31 * STRIDE + k] = s_linear * (u011 + v101)
        s[MONOMIALS + 32 * STRIDE + k] = s_bilinear * v111
        s[MONOMIALS + 33 * STRIDE + k] = s_bilinear * u111


@kernel
def forces(s):
    """LOW and HIGH, and STRESS_SUMS, of a stress: the transpose of `strain`.

    The MONOMIALS of its deviators are sums over the Gauss points, and DILATATION is the mean
    stress.
    """
    number = s.dtype.type
    eighth, one = number(1 / 8), number(ONE)
    linear, bilinear = number(LINEAR / 8), number(BILINEAR / 8)
    s_one, s_linear, s_bilinear = (
        number(SHEAR_ONE / 8),
        number(SHEAR_LINEAR / 8),
        number(SHEAR_BILINEAR / 8),
    )
    half, sixth = number(HALF), number(SIXTH)
    for k in range(ROW):
        a, b = half * s[MONOMIALS + k], sixth * s[MONOMIALS + 7 * STRIDE + k]
        mean = s[DILATATION + k]
        xx, yy, zz = eighth * (a - b) + mean, eighth * (-a - b) + mean, eighth * (b + b) + mean
        yz = s[MONOMIALS + 14 * STRIDE + k]
        xz = s[MONOMIALS + 21 * STRIDE + k]
        xy = s[MONOMIALS + 28 * STRIDE + k]
        s[STRESS_SUMS + k] += xx
        s[STRESS_SUMS + STRIDE + k] += yy
        s[STRESS_SUMS + 2 * STRIDE + k] += zz
        s[STRESS_SUMS + 3 * STRIDE + k] += eighth * yz
        s[STRESS_SUMS + 4 * STRIDE + k] += eighth * xz
        s[STRESS_SUMS + 5 * STRIDE + k] += eighth * xy
        xx, yy, zz = one * xx, one * yy, one * zz
        yz, xz, xy = s_one * yz, s_one * xz, s_one * xy
        a, b = half * s[MONOMIALS + STRIDE + k], sixth * s[MONOMIALS + 8 * STRIDE + k]
        xi_y, xi_z = linear * (-a - b), linear * (b + b)
        xi_yz = s_linear * s[MONOMIALS + 15 * STRIDE + k]
        xi_xz = s_linear * s[MONOMIALS + 22 * STRIDE + k]
        xi_xy = s_linear * s[MONOMIALS + 29 * STRIDE + k]
        a, b = half * s[MONOMIALS + 2 * STRIDE + k], sixth * s[MONOMIALS + 9 * STRIDE + k]
        eta_x, eta_z = linear * (a - b), linear * (b + b)
        eta_yz = s_linear * s[MONOMIALS + 16 * STRIDE + k]
        eta_xz = s_linear * s[MONOMIALS + 23 * STRIDE + k]
        eta_xy = s_linear * s[MONOMIALS + 30 * STRIDE + k]
        a, b = half * s[MONOMIALS + 3 * STRIDE + k], sixth * s[MONOMIALS + 10 * STRIDE + k]
        zeta_x, zeta_y = linear * (a - b), linear * (-a - b)
        zeta_yz = s_linear * s[MONOMIALS + 17 * STRIDE + k]
        zeta_xz = s_linear * s[MONOMIALS + 24 * STRIDE + k]
        zeta_xy = s_linear * s[MONOMIALS + 31 * STRIDE + k]
        u111 = bilinear * (
            half * s[MONOMIALS + 4 * STRIDE + k] - sixth * s[MONOMIALS + 11 * STRIDE + k]
        ) + s_bilinear * (s[MONOMIALS + 27 * STRIDE + k] + s[MONOMIALS + 33 * STRIDE + k])
        v111 = s_bilinear * (
            s[MONOMIALS + 20 * STRIDE + k] + s[MONOMIALS + 32 * STRIDE + k]
        ) - bilinear * (
            half * s[MONOMIALS + 5 * STRIDE + k] + sixth * s[MONOMIALS + 12 * STRIDE + k]
        )
        w111 = s_bilinear * (s[MONOMIALS + 19 * STRIDE + k] + s[MONOMIALS + 25 * STRIDE + k])
        b = bilinear * sixth * s[MONOMIALS + 13 * STRIDE + k]
        w111 += b + b

        s[LOW + k], s[HIGH + k + 1] = -xz, xz
        sloping = eta_xz + zeta_xy
        s[LOW + STRIDE + k], s[HIGH + STRIDE + k + 1] = xy - sloping, xy + sloping
        sloping = zeta_x + xi_xz
        s[LOW + 2 * STRIDE + k], s[HIGH + 2 * STRIDE + k + 1] = xx - sloping, xx + sloping
        level = eta_x + xi_xy
        s[LOW + 3 * STRIDE + k], s[HIGH + 3 * STRIDE + k + 1] = level - u111, level + u111
        s[LOW + 4 * STRIDE + k], s[HIGH + 4 * STRIDE + k + 1] = -yz, yz
        sloping = zeta_y + eta_yz
        s[LOW + 5 * STRIDE + k], s[HIGH + 5 * STRIDE + k + 1] = yy - sloping, yy + sloping
        sloping = xi_yz + zeta_xy
        s[LOW + 6 * STRIDE + k], s[HIGH + 6 * STRIDE + k + 1] = xy - sloping, xy + sloping
        level = xi_y + eta_xy
        s[LOW + 7 * STRIDE + k], s[HIGH + 7 * STRIDE + k + 1] = level - v111, level + v111
        s[LOW + 8 * STRIDE + k], s[HIGH + 8 * STRIDE + k + 1] = -zz, zz
        sloping = eta_z + zeta_yz
        s[LOW + 9 * STRIDE + k], s[HIGH + 9 * STRIDE + k + 1] = yz - sloping, yz + sloping
        sloping = xi_z + zeta_xz
        s[LOW + 10 * STRIDE + k], s[HIGH + 10 * STRIDE + k + 1] = xz - sloping, xz + sloping
        level = xi_yz + eta_xz
        s[LOW + 11 * STRIDE + k], s[HIGH + 11 * STRIDE + k + 1] = level - w111, level + w111


@kernel
def to_gauss_points(s):
    """GAUSS_POINTS from MONOMIALS."""
    for component in range(5):
        o, g = MONOMIALS + 7 * component * STRIDE, GAUSS_POINTS + 8 * component * STRIDE
        m, v = s[o : o + 7 * STRIDE], s[g : g + 8 * STRIDE]
        for k in range(ROW):
            value, zeta = m[k], m[3 * STRIDE + k]
            xi, xi_zeta = m[STRIDE + k], m[5 * STRIDE + k]
            eta, eta_zeta = m[2 * STRIDE + k], m[4 * STRIDE + k]
            xi_eta = m[6 * STRIDE + k]
            a, b, c = value - zeta, xi - xi_zeta, eta - eta_zeta
            low, high, left, right = a - b, a + b, c - xi_eta, c + xi_eta
            v[k], v[2 * STRIDE + k] = low - left, low + left
            v[4 * STRIDE + k], v[6 * STRIDE + k] = high - right, high + right
            a, b, c = value + zeta, xi + xi_zeta, eta + eta_zeta
            low, high, left, right = a - b, a + b, c - xi_eta, c + xi_eta
            v[STRIDE + k], v[3 * STRIDE + k] = low - left, low + left
            v[5 * STRIDE + k], v[7 * STRIDE + k] = high - right, high + right


@kernel
def from_gauss_points(s):
    """MONOMIALS as sums over GAUSS_POINTS: the transpose of `to_gauss_points`."""
    for component in range(5):
        o, g = MONOMIALS + 7 * component * STRIDE, GAUSS_POINTS + 8 * component * STRIDE
        m, v = s[o : o + 7 * STRIDE], s[g : g + 8 * STRIDE]
        for k in range(ROW):
            a, b = v[k], v[2 * STRIDE + k]
            c, d = v[4 * STRIDE + k], v[6 * STRIDE + k]
            low, high, left, right = a + b, c + d, b - a, d - c
            one, xi, eta, xi_eta = low + high, high - low, left + right, right - left
            a, b = v[STRIDE + k], v[3 * STRIDE + k]
            c, d = v[5 * STRIDE + k], v[7 * STRIDE + k]
            low, high, left, right = a + b, c + d, b - a, d - c
            a, b, c = low + high, high - low, left + right
            m[k], m[3 * STRIDE + k] = one + a, a - one
            m[STRIDE + k], m[5 * STRIDE + k] = xi + b, b - xi
            m[2 * STRIDE + k], m[4 * STRIDE + k] = eta + c, c - eta
            m[6 * STRIDE + k] = xi_eta + right - left
