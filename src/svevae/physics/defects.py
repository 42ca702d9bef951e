"""Parts with the pores that powder-bed fusion leaves: of gas, of lack of fusion, of keyholes, and
all of them together.

Pores may overlap. Their density differs from place to place by exp(s m), m a unit Gaussian field of
length `modulation_length` voxels, s = `modulation_strength`: 0 for the same everywhere.

Sources: DebRoy et al., Prog. Mater. Sci. 92, 112 (2018), kinds of pores; Neyman and Scott, J. R.
Stat. Soc. B 20, 1 (1958), clusters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from svevae.errors import ConfigError
from svevae.physics.level_sets import gaussian_field, highest
from svevae.physics.part_checks import Shape, check_length, within
from svevae.physics.placed_pores import (
    TRIES,
    Box,
    Canvas,
    draw_axis,
    draw_radius,
    ellipsoid,
    longest_pore,
)
from svevae.words import counted

# a rough pore's surface moves by up to this many standard deviations
ROUGHEST = 2.0
Pore = tuple[Box, np.ndarray]


def gas(
    shape: Shape,
    rng: np.random.Generator,
    *,
    porosity: float,
    diameter: float,
    diameter_spread: float,
    cluster_pores: float,
    cluster_length: float,
    modulation_length: float,
    modulation_strength: float,
) -> np.ndarray:
    """Round pores in clusters of `cluster_pores` on average (1 to 100; 1: all single), with centres
    that are scattered by `cluster_length` voxels about the cluster's.

    `diameter` and `diameter_spread` as in `svevae.physics.placed_pores`.
    """
    canvas = Canvas(shape, longest_pore(shape, porosity, diameter, diameter_spread, 1, 0))
    within("cluster_pores", cluster_pores, 1, 100)
    check_length("cluster_length", cluster_length, shape)
    there = _density(shape, rng, modulation_length, modulation_strength)
    beyond = 2 * cluster_length if cluster_pores > 1 else 0.0  # clusters that reach into the part

    def pores() -> Iterator[Pore]:
        centre = _place(canvas, rng, there, (beyond, beyond, beyond))
        for number in range(1 + rng.poisson(cluster_pores - 1)):
            radius = draw_radius(rng, diameter, diameter_spread)
            moved = centre + (rng.standard_normal(3) * cluster_length if number else 0)
            yield ellipsoid(moved, np.array([0.0, 0, 1]), radius, radius, canvas.pores.shape)

    return _filled(canvas, porosity, pores)


def lack_of_fusion(
    shape: Shape,
    rng: np.random.Generator,
    *,
    porosity: float,
    diameter: float,
    diameter_spread: float,
    flatness: float,
    tilt: float,
    layer: float,
    layer_spread: float,
    roughness: float,
    modulation_length: float,
    modulation_strength: float,
) -> np.ndarray:
    """Flat pores whose centres lie near layers across the build direction, `layer` voxels apart,
    scattered about them by `layer_spread` voxels.

    `flatness` is the thickness over the width (0.1 to 1), `tilt` the largest angle in degrees
    between a pore's axis and z; `roughness` (0 to 0.5) the standard deviation of the logarithm of
    the distance of the surface from the centre. `diameter` and `diameter_spread` as in
    `svevae.physics.placed_pores`.
    """
    within("flatness", flatness, 0.1, 1)
    within("roughness", roughness, 0, 0.5)
    longest = longest_pore(shape, porosity, diameter, diameter_spread, flatness, tilt)
    swell = float(np.exp(ROUGHEST * roughness))
    canvas = Canvas(shape, longest * swell)
    check_length("layer", layer, shape)
    within("layer_spread", layer_spread, 0, layer)
    there = _density(shape, rng, modulation_length, modulation_strength)
    bumps = gaussian_field(canvas.pores.shape, rng, (max(1.5, diameter / 4),) * 3)
    bumps = np.exp(2 * roughness * np.clip(bumps, -ROUGHEST, ROUGHEST))
    first = layer * rng.random()
    along, across = flatness ** (2 / 3), flatness ** (-1 / 3)

    def pores() -> Iterator[Pore]:
        centre = _place(canvas, rng, there, (0, 0, layer / 2))  # so that all layers have as many
        centre[2] = first + layer * np.round((centre[2] - first) / layer)
        centre[2] += layer_spread * rng.standard_normal()
        radius = draw_radius(rng, diameter, diameter_spread) * swell
        axis = draw_axis(rng, tilt)
        box, distance = ellipsoid(centre, axis, radius * along, radius * across, canvas.pores.shape)
        yield box, distance * swell**2 * bumps[box]

    return _filled(canvas, porosity, pores)


def keyhole(
    shape: Shape,
    rng: np.random.Generator,
    *,
    porosity: float,
    diameter: float,
    diameter_spread: float,
    elongation: float,
    chain_pores: float,
    chain_spacing: float,
    wander: float,
    modulation_length: float,
    modulation_strength: float,
) -> np.ndarray:
    """Chains along z of `chain_pores` pores on average (1 to 100), `chain_spacing` diameters apart
    (0.1 to 10), each displaced along x and along y from the one before by steps that are normal
    with a standard deviation of `wander` diameters (0 to 2).

    `elongation` (0.1 to 10) is a pore's length along z over its width; `diameter` and
    `diameter_spread` as in `svevae.physics.placed_pores`.
    """
    longest = longest_pore(shape, porosity, diameter, diameter_spread, elongation, 0)
    canvas = Canvas(shape, longest)
    within("chain_pores", chain_pores, 1, 100)
    within("chain_spacing", chain_spacing, 0.1, 10)
    within("wander", wander, 0, 2)
    there = _density(shape, rng, modulation_length, modulation_strength)
    along, across = elongation ** (2 / 3), elongation ** (-1 / 3)
    step = chain_spacing * diameter

    def pores() -> Iterator[Pore]:
        centre = _place(canvas, rng, there, (0, 0, chain_pores * step))  # the chain's middle
        count = 1 + rng.poisson(chain_pores - 1)
        centre[2] -= (count - 1) / 2 * step
        for _ in range(count):
            radius = draw_radius(rng, diameter, diameter_spread)
            yield ellipsoid(
                centre, np.array([0.0, 0, 1]), radius * along, radius * across, canvas.pores.shape
            )
            aside = wander * diameter * rng.standard_normal(2)
            centre = centre + np.array([*aside, step])

    return _filled(canvas, porosity, pores)


def mixture(
    shape: Shape,
    rng: np.random.Generator,
    *,
    porosity: float,
    irregular: float,
    flat: float,
    chained: float,
    diameter: float,
    diameter_spread: float,
    modulation_length: float,
    modulation_strength: float,
) -> np.ndarray:
    """Four kinds of pores in one part, each with its share of the pore voxels: `irregular`, `flat`
    and `chained` are weights (0 to 1), round ones weigh 1.

    Irregular pores are a level set of a Gaussian field of length diameter / 2, flat ones a quarter
    as thick as wide and within 15 degrees of the layers, chained ones drops along z that touch.
    `diameter` and `diameter_spread` as in `svevae.physics.placed_pores`.
    """
    for name, weight in (("irregular", irregular), ("flat", flat), ("chained", chained)):
        within(name, weight, 0, 1)
    thin = 0.25
    canvas = Canvas(shape, longest_pore(shape, porosity, diameter, diameter_spread, thin, 15))
    there = _density(shape, rng, modulation_length, modulation_strength)
    box = canvas.pores.shape
    up = np.array([0.0, 0, 1])

    def flat_pore() -> Iterator[Pore]:
        radius = draw_radius(rng, diameter, diameter_spread)
        yield ellipsoid(
            _place(canvas, rng, there),
            draw_axis(rng, 15),
            radius * thin ** (2 / 3),
            radius * thin ** (-1 / 3),
            box,
        )

    def chain() -> Iterator[Pore]:
        centre = _place(canvas, rng, there, (0, 0, 5 * diameter))  # the chain's middle
        count = 1 + rng.poisson(4)
        radii = [draw_radius(rng, diameter, diameter_spread) for _ in range(count)]
        centre[2] -= sum(radii) - radii[-1]
        for radius in radii:
            yield ellipsoid(centre, up, radius, radius, box)
            centre = centre + np.array([*0.2 * radius * rng.standard_normal(2), 2 * radius])

    def round_pore() -> Iterator[Pore]:
        radius = draw_radius(rng, diameter, diameter_spread)
        yield ellipsoid(_place(canvas, rng, there), up, radius, radius, box)

    each = porosity / (1 + irregular + flat + chained)
    field = gaussian_field(shape, rng, (max(1.0, diameter / 2),) * 3)
    canvas.pores[canvas.inside] = highest(field, each * irregular).ravel()
    filled = each * irregular
    for weight, pores in ((flat, flat_pore), (chained, chain)):
        filled += each * weight
        _filled(canvas, filled, pores)
    return _filled(canvas, porosity, round_pore)


def _filled(canvas: Canvas, porosity: float, pores: Callable[[], Iterator[Pore]]) -> np.ndarray:
    """The part once what `pores` gives, again and again, fills `porosity` of it. Raises ConfigError
    where no more of them finds a voxel.
    """
    canvas.aim(porosity)
    vain = 0
    while canvas.missing > 0:
        before = canvas.missing
        for box, distance in pores():
            if distance.size and canvas.missing > 0:
                canvas.put(box, distance)
        vain = 0 if canvas.missing < before else vain + 1
        if vain == TRIES:
            raise ConfigError(
                f"porosity: expected what such pores can fill, received {porosity:g}; the last"
                f" {TRIES} of them found no solid, with {counted(canvas.missing, 'voxel')} missing"
            )
    return canvas.part()


def _density(shape: Shape, rng: np.random.Generator, length: float, strength: float) -> np.ndarray:
    """exp(strength m) over its largest value: the chance (x, y, z) that a pore stays."""
    check_length("modulation_length", length, shape)
    within("modulation_strength", strength, 0, 2)
    m = gaussian_field(shape, rng, (length, length, length))
    m = (m - m.mean()) / m.std()
    return np.exp(strength * (m - m.max()))


def _place(
    canvas: Canvas,
    rng: np.random.Generator,
    there: np.ndarray,
    beyond: tuple[float, float, float] = (0, 0, 0),
) -> np.ndarray:
    """A random point (3,) of the canvas and up to `beyond` voxels outside it, by the density
    `there`; outside the part by that of its nearest voxel.
    """
    margin = (np.array(canvas.pores.shape) - there.shape) // 2
    while True:
        point = canvas.anywhere(rng, beyond)
        voxel = np.clip(point.astype(int) - margin, 0, np.array(there.shape) - 1)
        if rng.random() < there[tuple(voxel)]:
            return point
