"""Labels of an SVE: apparent stiffness, stress-strain curves, and the properties read from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from svevae.errors import ConfigError
from svevae.physics.alloys import in_units_of, laws_of, strains_of
from svevae.physics.connectivity import load_path
from svevae.physics.elasticity import AXES, Material, poisson, young
from svevae.physics.homogenize import Solver
from svevae.physics.knee import proof_stress
from svevae.physics.loading import Loading
from svevae.physics.voce import OFFSET

# of the mean modulus: less is what the solver's tolerance leaves of a mechanism, voxels that hang
# together by their edges
HINGED = 2e-3
# raise it where properties are read from the same curves in another way; 1 took them as linear
# between increments, 2 their ratio to the matrix's curve, which makes yields 0.6 % lower to 12 %
# higher, the more the stronger the metal
READING = 3


@dataclass(frozen=True)
class Tension:
    """Which curves: uniaxial stress along each of `axes` (of "xyz") at the mean strains `strain`,
    positive and increasing.
    """

    axes: tuple[str, ...]
    strain: tuple[float, ...]

    def __post_init__(self) -> None:
        if (
            not self.axes
            or any(axis not in AXES for axis in self.axes)
            or len(set(self.axes)) < len(self.axes)
        ):
            raise ConfigError(
                f"tension: expected some of x, y, z, each once, received {list(self.axes)}"
            )
        strain = np.asarray(self.strain, float)
        if (
            strain.ndim != 1
            or not len(strain)
            or not (np.diff(strain, prepend=0.0) > 0).all()
            or not np.isfinite(strain).all()
        ):
            raise ConfigError(
                "strain: expected positive strains, each above the one before, received"
                f" {list(self.strain)}"
            )
        if strain[-1] < 2 * OFFSET:
            raise ConfigError(
                f"strain: expected to end at {2 * OFFSET:g} or more, or there is no yield; received"
                f" {strain[-1]:g}"
            )


@dataclass(frozen=True)
class Labels:
    """Labels of a batch of SVEs: `properties` (sve, property) with `names` and `units`, `stiffness`
    (sve, 6, 6) in MPa.

    `stress` has a curve (sve, increment) in MPa for each axis; `residual` (sve,) is the largest
    that any increment was left with; `load_path` (sve, 3) says along which axes the matrix hangs
    together. Along the others all is zero. `late` has, by the place of an SVE of which a curve ends
    before the 0.2 % yield, the error that says so; that yield is NaN.
    """

    names: tuple[str, ...]
    units: tuple[str, ...]
    properties: np.ndarray
    stiffness: np.ndarray
    stress: dict[str, np.ndarray]
    residual: np.ndarray
    load_path: np.ndarray
    late: dict[int, ConfigError] = field(default_factory=dict)


def proof_strain(material: Material) -> float:
    """Strain at the 0.2 % yield of the pore-free material under uniaxial stress: s0 + Q (1 -
    exp(-0.002 b)) over E, and 0.002.
    """
    stress = material.s0 + material.Q * (1 - np.exp(-OFFSET * material.b))
    return float(stress / material.E + OFFSET)


def property_names(axes: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names and units: moduli, Poisson's ratios under tension along z, 0.2 % yield, and flow stress
    at the last strain.
    """
    lateral = [axis for axis in axes if axis != "z"] if "z" in axes else []
    groups = (
        ("E_", axes, "MPa"),
        ("nu_z", lateral, "-"),
        ("yield_", axes, "MPa"),
        ("flow_", axes, "MPa"),
    )
    pairs = [(prefix + axis, unit) for prefix, group, unit in groups for axis in group]
    return tuple(name for name, _ in pairs), tuple(unit for _, unit in pairs)


def label(
    voxels: np.ndarray,
    material: Material,
    tension: Tension,
    solver: Solver,
    names: Sequence[object] | None = None,
    halves: bool = False,
    laws: np.ndarray | None = None,
) -> Labels:
    """Labels of SVEs (sve, x, y, z), 1 where there is a pore, solved as one batch.

    `material` has one number for each constant. Where SVEs have `laws` (sve, 5) of their own, as
    `svevae.physics.alloys.LAW`, it is the law whose strains those of `tension` are: another law's
    are the same multiples of its s0/E. `names` are what errors call the SVEs, else their places in
    the batch; `halves` takes each increment in two steps. Raises SolverError that names the SVE and
    the strain of `tension` that was not reached.
    """
    count, strain = len(voxels), np.asarray(tension.strain)
    if laws is None:
        laws, strains = laws_of(material, count), np.broadcast_to(strain, (count, len(strain)))
        rigidity = strength = np.ones(count)
    else:
        strains = strains_of(laws, material, strain)
        rigidity, strength = laws[:, 0] / material.E, laws[:, 2] / material.s0
        material = in_units_of(laws, material)
    called = [f"SVE {i}" if names is None else str(names[i]) for i in range(len(voxels))]
    paths = np.array([load_path(sve) for sve in voxels]).reshape(-1, 3)
    stiffness, residual = np.zeros((len(voxels), 6, 6)), np.zeros(len(voxels))
    stress = {axis: np.zeros((len(voxels), len(tension.strain))) for axis in tension.axes}
    steps = (
        np.sort(np.concatenate([strain, strain - np.diff(strain, prepend=0.0) / 2]))
        if halves
        else strain
    )
    aims = np.repeat(strain, 2) if halves else strain
    connected = np.flatnonzero(paths.any(axis=1))
    if connected.size:
        solid = material.take(connected)
        elastic = solver.elastic(solid, voxels[connected], [called[i] for i in connected])
        stiffness[connected] = elastic.stiffness
        whole = np.broadcast_to(solid.E, voxels[connected].shape) * (
            np.asarray(voxels[connected]) == 0
        )
        moduli = np.stack([young(elastic.stiffness, axis) for axis in "xyz"], axis=1)
        paths[connected] &= moduli > HINGED * whole.mean(axis=(1, 2, 3))[:, None]
    for axis in tension.axes:
        inside = np.flatnonzero(paths[connected, AXES[axis]])
        sves = connected[inside]
        if sves.size:
            loading = Loading.uniaxial_stress(
                axis, steps, [f"tension along {axis} to strain {aim:g}" for aim in aims]
            )
            path = solver.path(
                material.take(sves),
                loading,
                voxels[sves],
                elastic.take(inside),
                [called[i] for i in sves],
            )
            stress[axis][sves] = (
                path.stress[:, 1::2, AXES[axis]] if halves else path.stress[:, :, AXES[axis]]
            )
            residual[sves] = np.maximum(residual[sves], path.residual.max(axis=1))
    stiffness *= rigidity[:, None, None]
    stress = {axis: curves * strength[:, None] for axis, curves in stress.items()}
    columns = {
        f"E_{axis}": np.where(paths[:, AXES[axis]], young(stiffness, axis), 0.0)
        for axis in tension.axes
    }
    columns |= {
        f"nu_z{axis}": np.where(paths[:, 2], poisson(stiffness, "z", axis), 0.0) for axis in "xy"
    }
    columns |= {f"flow_{axis}": curve[:, -1] for axis, curve in stress.items()}
    late: dict[int, ConfigError] = {}
    for axis, curves in stress.items():
        yields = proof_stress(strains, curves, columns[f"E_{axis}"], laws)
        columns[f"yield_{axis}"] = yields
        for i in np.flatnonzero(np.isnan(yields)):
            late.setdefault(int(i), _late(f"{called[i]} along {axis}", strains[i, -1]))
    properties, units = property_names(tension.axes)
    return Labels(
        properties,
        units,
        np.column_stack([columns[name] for name in properties]),
        stiffness,
        stress,
        residual,
        paths,
        late,
    )


def yield_stress(
    strain: npt.ArrayLike,
    stress: npt.ArrayLike,
    modulus: float,
    offset: float = OFFSET,
    name: str = "the curve",
) -> float:
    """Find the stress, MPa, at which the curve, linear between its points and from the origin,
    meets the line of slope `modulus` through (`offset`, 0).

    0 for a modulus of 0. Raises ConfigError, which calls the curve `name`, where it ends above that
    line.
    """
    if modulus <= 0:
        return 0.0
    x, y = np.append(0.0, strain), np.append(0.0, stress)
    above = y - modulus * (x - offset)
    k = int(np.argmax(above < 0))
    if k == 0:
        raise _late(name, x[-1])
    share = above[k - 1] / (above[k - 1] - above[k])
    return float(y[k - 1] + share * (y[k] - y[k - 1]))


def _late(name: str, last: float) -> ConfigError:
    return ConfigError(
        f"strain: expected to go on until the 0.2 % yield of {name}, received {last:g} as the last"
    )
