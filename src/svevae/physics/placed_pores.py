"""Parts of single pores, placed one by one."""

from __future__ import annotations

import math

import numpy as np
from scipy.ndimage import binary_dilation

from svevae.errors import ConfigError
from svevae.physics.part_checks import Shape, check_length, check_part, within

Box = tuple[slice, slice, slice]

# diameters are drawn up to this many standard deviations of their logarithm, so that a largest one
# exists
CUT = 3.0
TRIES = 2_000  # places tried for one pore before random sequential addition gives up


def overlapping_spheres(
    shape: Shape,
    rng: np.random.Generator,
    *,
    porosity: float,
    diameter: float,
    diameter_spread: float,
) -> np.ndarray:
    """Spheres that may overlap; see `overlapping_ellipsoids` for the parameters."""
    return _placed(
        shape, rng, porosity, diameter, diameter_spread, elongation=1, tilt=0, overlap=True
    )


def spheres(
    shape: Shape,
    rng: np.random.Generator,
    *,
    porosity: float,
    diameter: float,
    diameter_spread: float,
) -> np.ndarray:
    """Spheres that do not touch; see `overlapping_ellipsoids` for the parameters, `ellipsoids` for
    the porosity that can be reached.
    """
    return _placed(
        shape, rng, porosity, diameter, diameter_spread, elongation=1, tilt=0, overlap=False
    )


def overlapping_ellipsoids(
    shape: Shape,
    rng: np.random.Generator,
    *,
    porosity: float,
    diameter: float,
    diameter_spread: float,
    elongation: float,
    tilt: float,
) -> np.ndarray:
    """Ellipsoids of revolution that may overlap.

    `diameter` is the median diameter of the sphere of equal volume, `diameter_spread` the standard
    deviation of its logarithm, which is normal up to 3 standard deviations. `elongation` (0.1 to
    10) is the length along the axis over the width: below 1 flat pores, such as lack of fusion
    leaves across the build direction. `tilt` (0 to 90 degrees) is the largest angle between the
    axis and z: 0 all pores along z, 90 every direction alike. The last pore is shrunk to meet the
    porosity.
    """
    return _placed(shape, rng, porosity, diameter, diameter_spread, elongation, tilt, overlap=True)


def ellipsoids(
    shape: Shape,
    rng: np.random.Generator,
    *,
    porosity: float,
    diameter: float,
    diameter_spread: float,
    elongation: float,
    tilt: float,
) -> np.ndarray:
    """Ellipsoids of revolution that do not touch, not even by a corner; see
    `overlapping_ellipsoids` for the parameters.

    Raises ConfigError also where no place is found before `porosity` is reached. Measured: spheres
    of one size reach 0.25 at a diameter of 16 voxels, 0.20 at 8 and 0.16 at 4, because of the voxel
    of solid between them; with diameter_spread 0.5 about 0.09.
    """
    return _placed(shape, rng, porosity, diameter, diameter_spread, elongation, tilt, overlap=False)


def grains(
    shape: Shape,
    rng: np.random.Generator,
    *,
    porosity: float,
    diameter: float,
    diameter_spread: float,
) -> np.ndarray:
    """What solid spheres that may overlap leave between them, as powder that is half sintered; see
    `overlapping_ellipsoids` for the parameters, which are the grains'.
    """
    check_part(shape, porosity)
    if porosity == 0:
        return np.zeros(shape, np.uint8)
    solid = _placed(
        shape, rng, 1 - porosity, diameter, diameter_spread, elongation=1, tilt=0, overlap=True
    )
    return 1 - solid


class Canvas:
    """A part and a margin round it, on which pores are put until the part has its porosity.

    `inside` is True in the part, `pores` where a pore is; both (x, y, z) bool with the margin.
    `missing` is how many voxels of the part are to become pores yet.
    """

    def __init__(self, shape: Shape, longest: float):
        margin = math.ceil(longest / 2) + 1
        self.part_shape = tuple(shape)
        self.inside = np.pad(np.ones(shape, bool), margin)
        self.pores = np.zeros_like(self.inside)
        self.missing = 0

    def aim(self, porosity: float) -> None:
        """Set `missing` to what the part lacks to `porosity`."""
        target = round(porosity * math.prod(self.part_shape))
        self.missing = target - int((self.pores & self.inside).sum())

    def anywhere(
        self, rng: np.random.Generator, beyond: tuple[float, float, float] = (0, 0, 0)
    ) -> np.ndarray:
        """A random point (3,), in voxels from the corner of the margin; `beyond` is how far outside
        it may lie, on either side.
        """
        return rng.random(3) * (self.inside.shape + 2 * np.array(beyond)) - beyond

    def put(self, box: Box, distance: np.ndarray) -> np.ndarray:
        """Make pores where `distance` in `box` is up to 1, of the last pore only as much as is
        missing; gives where.
        """
        gained = distance[(distance <= 1) & self.inside[box] & ~self.pores[box]]
        limit = 1 if len(gained) <= self.missing else np.sort(gained)[self.missing - 1]
        self.pores[box] |= distance <= limit
        self.missing -= len(gained)
        return distance <= limit

    def part(self) -> np.ndarray:
        """The part without its margin: (x, y, z) uint8."""
        return self.pores[self.inside].reshape(self.part_shape).astype(np.uint8)


def _placed(
    shape: Shape,
    rng: np.random.Generator,
    porosity: float,
    diameter: float,
    diameter_spread: float,
    elongation: float,
    tilt: float,
    overlap: bool,
) -> np.ndarray:
    """Ellipsoids of revolution one by one in the part and its margin."""
    longest = longest_pore(shape, porosity, diameter, diameter_spread, elongation, tilt)
    along, across = elongation ** (2 / 3), elongation ** (-1 / 3)
    canvas = Canvas(shape, longest)
    canvas.aim(porosity)
    target, taken = canvas.missing, np.zeros_like(canvas.inside)
    while canvas.missing > 0:
        radius = draw_radius(rng, diameter, diameter_spread)
        for _ in range(TRIES):
            centre = canvas.anywhere(rng)
            if taken[tuple(centre.astype(int))]:
                continue
            box, distance = ellipsoid(
                centre, draw_axis(rng, tilt), radius * along, radius * across, taken.shape
            )
            if not (taken[box] & (distance <= 1)).any():
                break
        else:
            reached = 1 - canvas.missing / target
            raise ConfigError(
                f"porosity: expected what pores that do not touch can fill, received {porosity:g};"
                f" {porosity * reached:.3g} was reached, then {TRIES} random places for the next"
                f" pore, of diameter {2 * radius:.3g}, were taken"
            )
        pore = canvas.put(box, distance)
        if not overlap:
            taken[box] |= binary_dilation(pore, np.ones((3, 3, 3)))
    return canvas.part()


def longest_pore(
    shape: Shape,
    porosity: float,
    diameter: float,
    diameter_spread: float,
    elongation: float,
    tilt: float,
) -> float:
    """Length of the longest pore that can be drawn, in voxels. Raises ConfigError."""
    check_part(shape, porosity)
    within("diameter_spread", diameter_spread, 0, 2)
    within("elongation", elongation, 0.1, 10)
    within("tilt", tilt, 0, 90)
    check_length("diameter", diameter, shape)
    stretch = max(elongation ** (2 / 3), elongation ** (-1 / 3))
    longest = diameter * math.exp(CUT * diameter_spread) * stretch
    check_length(
        f"diameter {diameter:g}, diameter_spread {diameter_spread:g}: the longest pore",
        longest,
        shape,
    )
    return longest


def draw_radius(rng: np.random.Generator, diameter: float, spread: float) -> float:
    return diameter / 2 * math.exp(spread * np.clip(rng.standard_normal(), -CUT, CUT))


def draw_axis(rng: np.random.Generator, tilt: float) -> np.ndarray:
    """Unit vector (3,), uniform over the directions within `tilt` degrees of z."""
    cosine = 1 - rng.random() * (1 - math.cos(math.radians(tilt)))
    sine, turn = math.sqrt(1 - cosine**2), 2 * math.pi * rng.random()
    return np.array([sine * math.cos(turn), sine * math.sin(turn), cosine])


def ellipsoid(
    centre: np.ndarray, axis: np.ndarray, along: float, across: float, shape: tuple[int, ...]
) -> tuple[Box, np.ndarray]:
    """The box round an ellipsoid of revolution with a voxel to spare, and its voxels' squared
    distance from the centre, 1 on the surface.

    `along` and `across` are the half axes; voxel i of an axis has its centre at i + 1/2.
    """
    reach = np.sqrt(across**2 + (along**2 - across**2) * axis**2)
    low = np.clip(np.floor(centre - reach).astype(int) - 1, 0, shape)
    high = np.clip(np.ceil(centre + reach).astype(int) + 1, 0, shape)
    x, y, z = (np.arange(a, b) + 0.5 - c for a, b, c in zip(low, high, centre, strict=True))
    x, y = x[:, None, None], y[:, None]
    on_axis = axis[0] * x + axis[1] * y + axis[2] * z
    distance = (x**2 + y**2 + z**2) / across**2 + on_axis**2 * (1 / along**2 - 1 / across**2)
    i, j, k = map(slice, low, high)
    return (i, j, k), distance
