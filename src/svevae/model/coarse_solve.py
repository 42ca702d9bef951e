"""Statistics of the elastic fields of an SVE under load, found on coarse voxels by a few steps of
the conjugate gradient method, as fixed Keras layers.

Statistics of the first-order response (`svevae.model.elastic`) do not know how the load finds its
way round the pores, on which Poisson's ratios of weak SVEs depend. These do: each uniform strain
along x, y and z is followed by the displacements that lower the elastic energy. Voxels have the
stiffness of the metal, E = 1 and nu = NU, times the square of the part of them that is solid, which
serves better than that part itself (docs/model-log.md). Displacements sit on the faces between
voxels, shears on their edges (staggered grid: Schneider, Ospald, Kabel 2016, Int. J. Numer. Meth.
Engng 105, 693). The preconditioner is the inverse of the operator of solid metal, less what couples
the components of the displacement, which is diagonal in the real Fourier basis.

What is known of an SVE after STEPS steps, 30 numbers, lengths in coarse voxels:

- the stiffness between normal strains: xx, yy, zz, yz, xz, xy;
- Young's moduli along x, y, z and Poisson's ratios xy, xz, yx, yz, zx, zy that follow from it;
- under unit tension along x, y, z: means over the solid of powers of the distortion v, the norm of
  the deviatoric strain, v^(1/2), v, v^2 and v^4, and of the volume change squared; of powers above
  1 their roots.

They do not change when an SVE is mirrored or shifted periodically by whole coarse voxels.
"""

from __future__ import annotations

from itertools import permutations

import keras
import numpy as np
from keras import KerasTensor, layers, ops

from svevae.model.fourier import fixed_dense, fourier_basis, wave_numbers

STEPS = 8  # mean R2 0.9962 after 4, 0.9973 after 8 (docs/model-log.md)
NU = 0.33
LAME, SHEAR = NU / ((1 + NU) * (1 - 2 * NU)), 0.5 / (1 + NU)  # of E = 1
VOID = 1e-3  # stiffness of a pore, of the metal's: the operator stays regular
SEVERED = 1e-3  # added to the diagonal of a stiffness, so that what carries nothing has moduli
TINY = 1e-20  # where the first residual is zero, as in solid metal, so are all others
AXES = range(3)
EDGES = ((1, 2), (0, 2), (0, 1))  # axes of the shears yz, xz, xy
RATIOS = tuple(permutations(AXES, 2))  # along, across
POWERS = (0.5, 1.0, 2.0, 4.0)  # of the distortion
STATISTICS = 3 + len(EDGES) + 3 + len(RATIOS) + 3 * (len(POWERS) + 1)

Fields = list[KerasTensor]  # one a component, each (batch, load, n, n, n)


def transposed(turn: tuple[int, int, int]) -> np.ndarray:
    """Where each statistic of voxels.transpose(turn) is among those of the voxels themselves: (30,)
    integers.
    """
    edges = [EDGES.index(tuple(sorted((turn[a], turn[b])))) for a, b in EDGES]
    ratios = [RATIOS.index((turn[a], turn[b])) for a, b in RATIOS]
    of_axes = np.array(turn)
    moments = [of_axes + 3 * i for i in range(len(POWERS) + 1)]
    groups = [of_axes, np.array(edges), of_axes, np.array(ratios), np.concatenate(moments)]
    starts = np.cumsum([0, *map(len, groups[:-1])])
    return np.concatenate([group + start for group, start in zip(groups, starts, strict=True)])


def coarse_statistics(n: int) -> keras.Model:
    """Pore fractions of voxels (batch, n, n, n) -> the statistics (batch, 30), dimensionless.
    Nothing in it is trained.
    """
    pores = keras.Input((n, n, n), name="pores", dtype="float32")
    pore = layers.Reshape((1, n, n, n), dtype="float32")(pores)
    stiffness = _stiffness(pore)
    preconditioner, step = _preconditioner(pore, n), _step(n)
    displacement = ops.repeat(ops.zeros_like(pore), 9, axis=1)
    residual = -_force(*_stress(*_uniform(*_strain(displacement)), stiffness))
    direction, size = displacement, ops.mean(displacement[:, :3], axis=(2, 3, 4))
    for _ in range(STEPS):
        displacement, residual, direction, size = step(
            [stiffness, preconditioner, displacement, residual, direction, size]
        )
    strain = _uniform(*_strain(displacement))
    found, tension = _moduli(strain, _stress(*strain, stiffness), n)
    statistics = [*found, *_moments(tension, 1.0 - pore, n)]
    model = keras.Model(pores, ops.concatenate(statistics, axis=1), name="coarse_solve")
    model.trainable = False
    return model


def _stiffness(pore: KerasTensor) -> KerasTensor:
    """Of voxels, and of their edges along x, y, z as the mean of the four voxels there:
    (batch, 4, n, n, n).
    """
    solid = ops.maximum(ops.square(1.0 - pore), VOID)
    edges = []
    for a, b in EDGES:
        pair = solid + _behind(solid, a)
        edges.append((pair + _behind(pair, b)) / 4)
    return ops.concatenate([solid, *edges], axis=1)


def _step(n: int) -> keras.Model:
    """One step of the conjugate gradient method, for the three loads at once. Displacement,
    residual and direction are (batch, 9, n, n, n), component x's three loads first; the residual's
    size (batch, 3) is that in the norm of the preconditioner.
    """
    stiffness = keras.Input((4, n, n, n), name="stiffness", dtype="float32")
    preconditioner, displacement, residual, direction = (
        keras.Input((9, n, n, n), name=name, dtype="float32")
        for name in ("preconditioner", "displacement", "residual", "direction")
    )
    size = keras.Input((3,), name="size", dtype="float32")
    precise = _preconditioned(residual, preconditioner, n)
    new = _product(residual, precise)
    # the first direction is zero, whatever it is multiplied by
    conjugate = precise + _each(new / ops.maximum(size, TINY)) * direction
    force = _force(*_stress(*_strain(conjugate), stiffness))
    length = _each(new / ops.maximum(_product(conjugate, force), TINY))
    after = [displacement + length * conjugate, residual - length * force, conjugate, new]
    inputs = [stiffness, preconditioner, displacement, residual, direction, size]
    return keras.Model(inputs, after, name="step")


def _preconditioner(pore: KerasTensor, n: int) -> KerasTensor:
    """In the Fourier basis: (batch, 9, n, n, n), the same for all SVEs. Keras saves it as the
    weights of a layer.
    """
    k = 2 - 2 * np.cos(2 * np.pi * wave_numbers(n) / n)  # of minus the second difference
    each = np.stack(np.meshgrid(k, k, k, indexing="ij"))
    operator = SHEAR * each.sum(axis=0) + (LAME + SHEAR) * each
    inverse = np.divide(1.0, operator, out=np.zeros_like(operator), where=operator > 0)
    one = ops.ones_like(pore[:, 0, 0, 0, :1])
    return layers.Reshape((9, n, n, n), dtype="float32")(
        fixed_dense(inverse.repeat(3, axis=0).reshape(1, -1))(one)
    )


def _preconditioned(residual: KerasTensor, preconditioner: KerasTensor, n: int) -> KerasTensor:
    def turned(field: KerasTensor, kernel: np.ndarray) -> KerasTensor:
        """The product along each axis; always along the last, which becomes the first."""
        for _ in AXES:
            field = layers.Permute((1, 4, 2, 3), dtype="float32")(fixed_dense(kernel)(field))
        return field

    basis = fourier_basis(n)
    return turned(preconditioner * turned(residual, basis.T), basis)


def _product(a: KerasTensor, b: KerasTensor) -> KerasTensor:
    """Scalar product of each load's fields: (batch, 3)."""
    of_components = ops.sum(a * b, axis=(2, 3, 4))
    return ops.sum(ops.reshape(of_components, (-1, 3, 3)), axis=1)


def _each(of_load: KerasTensor) -> KerasTensor:
    """(batch, 3) as a factor of (batch, 9, n, n, n)."""
    return ops.reshape(ops.tile(of_load, (1, 3)), (-1, 9, 1, 1, 1))


def _sum(terms: list[KerasTensor]) -> KerasTensor:
    """In one order. TensorFlow makes one operation of a + b + c, which begins with whichever
    memory is free first: the last digit would change from run to run.
    """
    return ops.sum(ops.stack(terms, axis=0), axis=0)


def _ahead(field: KerasTensor, axis: int) -> KerasTensor:
    return ops.roll(field, -1, axis=axis + 2)


def _behind(field: KerasTensor, axis: int) -> KerasTensor:
    return ops.roll(field, 1, axis=axis + 2)


def _strain(displacement: KerasTensor) -> tuple[Fields, Fields]:
    """Normal strains of voxels, and shears (twice the tensor's) of their edges."""
    u = ops.split(displacement, 3, axis=1)
    normal = [_ahead(u[a], a) - u[a] for a in AXES]
    return normal, [u[a] - _behind(u[a], b) + u[b] - _behind(u[b], a) for a, b in EDGES]


def _uniform(normal: Fields, shears: Fields) -> tuple[Fields, Fields]:
    """The strains with the load's own: 1 along x, y or z."""
    offsets = [[[[float(a == load)]]] for a in AXES for load in AXES]
    every = layers.Rescaling(1.0, offsets, dtype="float32")(ops.concatenate(normal, axis=1))
    return ops.split(every, 3, axis=1), shears


def _stress(normal: Fields, shears: Fields, stiffness: KerasTensor) -> tuple[Fields, Fields]:
    solid, *edges = ops.split(stiffness, 4, axis=1)
    volume = LAME * _sum(normal)
    along = [solid * (volume + 2 * SHEAR * strain) for strain in normal]
    return along, [edge * (SHEAR * strain) for edge, strain in zip(edges, shears, strict=True)]


def _force(along: Fields, across: Fields) -> KerasTensor:
    """On the faces, out of balance: (batch, 9, n, n, n)."""
    force = [_behind(along[a], a) - along[a] for a in AXES]
    for stress, (a, b) in zip(across, EDGES, strict=True):
        force[a] = force[a] + stress - _ahead(stress, b)
        force[b] = force[b] + stress - _ahead(stress, a)
    return ops.concatenate(force, axis=1)


def _moduli(
    strain: tuple[Fields, Fields], stress: tuple[Fields, Fields], n: int
) -> tuple[list[KerasTensor], Fields]:
    """Stiffness, Young's moduli and Poisson's ratios; the strains under unit tension along x, y, z,
    three normal ones and three shears.
    """

    def flat(fields: tuple[Fields, Fields]) -> KerasTensor:
        every = [ops.reshape(field, (-1, 3, n**3)) for field in (*fields[0], *fields[1])]
        return ops.concatenate(every, axis=2)

    strains = flat(strain)
    stiffness = layers.Dot(axes=2, dtype="float32")([strains, flat(stress)]) / n**3
    c = {(a, b): stiffness[:, a, b][:, None] for a in AXES for b in AXES}
    regular = {pair: c[pair] + SEVERED * (pair[0] == pair[1]) for pair in c}

    def minor(a: int, b: int) -> KerasTensor:
        (i, j), (k, m) = ([axis for axis in AXES if axis != left] for left in (a, b))
        sign = (-1.0) ** (a + b)
        return sign * (regular[i, k] * regular[j, m] - regular[i, m] * regular[j, k])

    adjugate = {(a, b): minor(a, b) for a in AXES for b in AXES}
    determinant = _sum([regular[0, b] * adjugate[0, b] for b in AXES])
    moduli = [determinant / adjugate[a, a] for a in AXES]
    across = {(a, b): adjugate[a, b] / adjugate[a, a] for a in AXES for b in AXES}
    mixed = ops.reshape(
        ops.concatenate([across[a, b] for a in AXES for b in AXES], axis=1), (-1, 3, 3)
    )
    tension = ops.reshape(ops.matmul(mixed, strains), (-1, 18, n, n, n))
    fields = ops.split(ops.reshape(tension, (-1, 3, 6, n**3)), 6, axis=2)
    found = [c[a, a] for a in AXES] + [c[pair] for pair in EDGES]
    ratios = [-across[pair] for pair in RATIOS]
    return [*found, *moduli, *ratios], [ops.reshape(f, (-1, 3, n, n, n)) for f in fields]


def _moments(tension: Fields, solid: KerasTensor, n: int) -> list[KerasTensor]:
    """Of the strains under unit tension, each (batch, 3)."""
    normal, shears = tension[:3], tension[3:]
    volume = _sum(normal)
    squares = [ops.square(strain - volume / 3) for strain in normal]
    for shear, (a, b) in zip(shears, EDGES, strict=True):
        squared = ops.square(shear)
        squared = squared + _ahead(squared, a)  # of a voxel: the mean of its four edges
        squares.append((squared + _ahead(squared, b)) / 8)
    distortion = _sum(squares)

    def mean(field: KerasTensor) -> KerasTensor:
        return ops.mean(solid * field, axis=(2, 3, 4))

    moments = [mean(ops.power(distortion + TINY, power / 2)) for power in POWERS]
    moments = [
        ops.power(moment, 1 / power) if power > 1 else moment
        for moment, power in zip(moments, POWERS, strict=True)
    ]
    return [*moments, ops.sqrt(mean(ops.square(volume)))]
