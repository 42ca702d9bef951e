"""A part pulled along z between stiff grips: every pore resolved, or an element for each SVE with a
material of its own.

One solver serves both. The periodic cell holds the part, beyond its end a grip over the whole
cross-section of its box, as thick as `grip` says, and beside both a layer of void, so that their
faces are free. The mean strain of the cell is given; of its lateral components the part feels
nothing. Lengths in elements; stresses in MPa.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.fft import next_fast_len

from svevae.errors import ConfigError, DataError, SolverError
from svevae.physics.connectivity import load_path
from svevae.physics.elasticity import DEVIATORIC_BASIS, Material, PorousMaterial
from svevae.physics.hardening import Hardening
from svevae.physics.homogenize import Path, Settings, Solver
from svevae.physics.loading import Loading
from svevae.physics.voce import OFFSET
from svevae.words import counted

GRIP = 10.0  # its modulus over the largest of the part
GRIP_NU = 0.33
# an increment needs 1 to 3 Newton iterations, of 20 to 170 of CG each
PART_SETTINGS = Settings(newton=5, cg=250)


@dataclass(frozen=True)
class Response:
    """What parts do under tension, at each increment.

    `strain` (part, increment) is the elongation between the grips over their distance; `stress`
    (part, increment) the force over the area of the box that holds the part, MPa; `lateral` (part,
    increment) the mean of the lateral strains over the middle half of the part's length. `plastic`
    (part, increment, x, y, z) is the equivalent plastic strain of the mean stress and strain of
    blocks of `block` elements, and `iterations` (part, increment) those of CG.
    """

    strain: np.ndarray
    stress: np.ndarray
    lateral: np.ndarray
    plastic: np.ndarray
    iterations: np.ndarray

    def at(self, strain: float) -> np.ndarray:
        """Stress (part,) at a strain, linear between increments. Raises ConfigError where a part
        was not pulled so far.
        """
        return self._along(self.strain, strain, self.stress)

    @property
    def stiffness(self) -> np.ndarray:
        """Stress over strain at the first increment, (part,), MPa: make it an elastic one."""
        return self.stress[:, 0] / self.strain[:, 0]

    @property
    def yield_stress(self) -> np.ndarray:
        """Stress (part,) where the strain is 0.2 % beyond the elastic one, linear between
        increments, MPa.
        """
        return self._along(self.strain - self.stress / self.stiffness[:, None], OFFSET, self.stress)

    def lateral_at(self, strain: float) -> np.ndarray:
        """Lateral strain (part,) at a strain, linear between increments."""
        return self._along(self.strain, strain, self.lateral)

    def _along(self, x: np.ndarray, value: float, y: np.ndarray) -> np.ndarray:
        if (x[:, -1] < value).any():
            raise ConfigError(
                f"strain: expected to reach {value:g}, received parts that end at"
                f" {x[:, -1].min():.4g}"
            )
        return np.array([np.interp(value, row, values) for row, values in zip(x, y, strict=True)])


def pull(
    material: Material,
    outline: np.ndarray,
    strain: npt.ArrayLike,
    pores: np.ndarray | None = None,
    *,
    grip: int = 1,
    block: int = 1,
    settings: Settings = PART_SETTINGS,
    names: Sequence[str] | None = None,
    report: Callable[[int], None] | None = None,
) -> Response:
    """Tension along z of parts of one shape, solved as one batch, to each elongation of the cell
    `strain`.

    `outline` (x, y, z) is True within the part; `pores` (part, x, y, z) are 1 where there is a
    pore; the fields of `material` are numbers or (part, x, y, z). `grip` is the thickness of the
    grip in elements, `block` the edge of the cubes that `Response.plastic` stands for. `names` are
    what errors call the parts. An increment that does not converge is taken again, and all with it,
    in two steps with twice the CG iterations. Raises DataError for shapes that do not fit and for a
    part without a load path from grip to grip, SolverError where a part does not converge in halved
    increments either.
    """
    outline = np.asarray(outline, bool)
    count, shape = _shape(material, outline, pores, block)
    called = [f"part {k}" for k in range(count)] if names is None else list(names)
    solid = (
        np.broadcast_to(outline, (count, *shape))
        if pores is None
        else outline & (np.asarray(pores) == 0)
    )
    stiff = np.broadcast_to(np.asarray(material.E, float), (count, *shape)) * solid
    margin = [next_fast_len(edge + 1) - edge for edge in shape[:2]]
    cell = (shape[0] + margin[0], shape[1] + margin[1], shape[2] + grip)
    for name, part in zip(called, stiff, strict=True):
        if not load_path(_embed((part[None] == 0).astype(np.uint8), cell, 1, 0)[0])[2]:
            raise DataError(
                f"{name}: expected material that leads from grip to grip, found no load path"
                " along z"
            )
    largest = stiff.max(axis=(1, 2, 3), keepdims=True)
    ends = {
        "E": (0.0, GRIP * largest),
        "nu": (GRIP_NU, GRIP_NU),
        "s0": (0.0, np.inf),
        "nu_p": (0.5, 0.5),
    }
    inner = {name: np.asarray(value, float) for name, value in _numbers(material).items()}
    inner |= {"E": stiff}
    fields: dict[str, Any] = {
        name: _embed(np.broadcast_to(field, (count, *shape)), cell, *ends.get(name, (0.0, 0.0)))
        for name, field in inner.items()
    }
    if (table := _table(material)) is not None:
        fields["hardening"] = _embed_table(table, (count, *shape), cell)
    whole = dataclasses.replace(material, **fields)
    shear = largest / (
        2
        * (
            1
            + np.mean(
                np.broadcast_to(inner["nu"], stiff.shape),
                axis=(1, 2, 3),
                keepdims=True,
                where=stiff > 0,
            )
        )
    )
    measure = partial(_measure, outline, block, shear)

    def follow(steps: np.ndarray, settings: Settings, report: Callable[[int], None] | None) -> Path:
        target = np.zeros((len(steps), 6))
        target[:, 2] = steps
        return Solver(cell, settings).path(
            whole, Loading.prescribed_strain(target), names=called, report=report, measure=measure
        )

    aims = np.asarray(strain, float)
    try:
        path = follow(aims, settings, report)
    except SolverError:
        steps = np.sort(np.append(aims, aims - np.diff(aims, prepend=0.0) / 2))
        path = follow(
            steps,
            dataclasses.replace(settings, cg=2 * settings.cg),
            report and (lambda k: report(k // 2)),
        )
    halves = len(path.measured) // len(aims)  # increments that the path took for each strain
    reached: list[_Measured] = path.measured[halves - 1 :: halves]
    force = path.stress[:, halves - 1 :: halves, 2] * (cell[0] * cell[1])
    return Response(
        strain=np.stack([one.elongation for one in reached], axis=1),
        stress=force / (shape[0] * shape[1]),
        lateral=np.stack([one.lateral for one in reached], axis=1),
        plastic=np.stack([one.plastic for one in reached], axis=1),
        iterations=path.iterations.reshape(count, len(aims), -1).sum(axis=2),
    )


def block_means(field: np.ndarray, block: int) -> np.ndarray:
    """Means over cubes of `block` elements of a field (part, x, y, z, ...) that they divide: (part,
    x/block, y/block, z/block, ...).
    """
    count, x, y, z, *rest = field.shape
    blocks = field.reshape(count, x // block, block, y // block, block, z // block, block, *rest)
    return blocks.mean(axis=(2, 4, 6), dtype=np.float64)


class _Measured(NamedTuple):
    """Elongation and lateral strain (part,), and plastic strain of blocks (part, x, y, z)."""

    elongation: np.ndarray
    lateral: np.ndarray
    plastic: np.ndarray


def _measure(
    outline: np.ndarray, block: int, shear: np.ndarray, fields: dict[str, np.ndarray]
) -> _Measured:
    """Measure the parts at one increment, from voxel means of the cell.

    Plastic is what the shear modulus (part, 1, 1, 1) of its stiffest element does not explain. The
    mean strain of the box along z is what its two ends, which are the grips', move apart, whatever
    is void between them.
    """
    inside = (slice(None), *map(slice, outline.shape))
    strain, stress = (block_means(fields[name][inside], block) for name in ("strain", "stress"))
    elongation = strain[..., 2].mean(axis=(1, 2, 3))
    quarter = outline.shape[2] // 4
    middle = slice(quarter, outline.shape[2] - quarter)
    sides = fields["strain"][inside][:, :, :, middle, :2].mean(axis=-1)
    lateral = np.average(
        sides.reshape(len(sides), -1), axis=1, weights=outline[:, :, middle].ravel()
    )
    deviator = (strain - stress / (2 * shear[..., None])) @ DEVIATORIC_BASIS.T
    return _Measured(elongation, lateral, np.sqrt(2 / 3 * np.square(deviator).sum(axis=-1)))


def _shape(
    material: Material, outline: np.ndarray, pores: np.ndarray | None, block: int
) -> tuple[int, tuple[int, int, int]]:
    """Number of parts and the shape of each."""
    if outline.ndim != 3 or not outline.any():
        raise DataError(
            f"outline: expected a part (x, y, z), received shape {outline.shape} with"
            f" {counted(int(outline.sum()), 'element')} inside"
        )
    if any(edge % block for edge in outline.shape):
        raise DataError(f"block: expected one that divides {outline.shape}, received {block}")
    given = {"pores": np.shape(pores)} if pores is not None else {}
    given |= {name: np.shape(value) for name, value in _numbers(material).items() if np.ndim(value)}
    if (table := _table(material)) is not None:
        given |= {
            f"hardening.{name}": value.shape[:-1]
            for name, value in vars(table).items()
            if value.ndim > 1
        }
    for name, shape in given.items():
        if len(shape) != 4 or shape[1:] != outline.shape:
            raise DataError(
                f"{name}: expected shape (part, {', '.join(map(str, outline.shape))}), received"
                f" {shape}"
            )
    counts = {shape[0] for shape in given.values()} - {1}
    if len(counts) > 1:
        raise DataError(f"expected one number of parts, received {given}")
    return (counts.pop() if counts else 1), outline.shape


def _numbers(material: Material) -> dict[str, float | np.ndarray]:
    """The fields of a material but for its table."""
    named = {f.name: getattr(material, f.name) for f in dataclasses.fields(material)}
    return {name: value for name, value in named.items() if name != "hardening"}


def _table(material: Material) -> Hardening | None:
    return material.hardening if isinstance(material, PorousMaterial) else None


def _embed(
    field: np.ndarray, cell: tuple[int, int, int], void: float, grip: float | np.ndarray
) -> np.ndarray:
    """A field (part, x, y, z) in the cell: `grip`, a number or (part, 1, 1, 1), beyond its end,
    `void` beside both.
    """
    count, x, y, z = field.shape
    whole = np.full((count, *cell), void, np.float64 if field.dtype.kind == "f" else field.dtype)
    whole[:, :x, :y, :z] = field
    whole[:, :x, :y, z:] = grip
    return whole


def _embed_table(table: Hardening, shape: tuple[int, ...], cell: tuple[int, int, int]) -> Hardening:
    """Tables of parts of `shape` (part, x, y, z) in the cell: the grip never yields, what is void
    has no strength.
    """
    points = table.stress.shape[-1]
    strain, stress = (
        np.broadcast_to(value, (*shape, points)) for value in (table.strain, table.stress)
    )
    anywhere = strain[0, 0, 0, 0]  # strains that grow, where none are used
    return Hardening(
        np.stack([_embed(strain[..., k], cell, at, at) for k, at in enumerate(anywhere)], axis=-1),
        np.stack([_embed(stress[..., k], cell, 0.0, np.inf) for k in range(points)], axis=-1),
    )
