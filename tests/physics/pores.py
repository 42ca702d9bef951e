"""Parameters of every generator of porous parts, and what tests measure of parts."""

from __future__ import annotations

import numpy as np
from skimage.measure import label, regionprops

from svevae.physics.microstructure import make_part

GAUSSIAN = {
    "porosity": 0.05,
    "pore_length": 4.0,
    "elongation": 1.5,
    "modulation_length": 20.0,
    "modulation_strength": 0.5,
}
SPHERES = {"porosity": 0.05, "diameter": 6.0, "diameter_spread": 0.2}
ELLIPSOIDS = {**SPHERES, "elongation": 2.0, "tilt": 30.0}
MODULATION = {"modulation_length": 20.0, "modulation_strength": 0.5}
GAS = SPHERES | MODULATION | {"cluster_pores": 4.0, "cluster_length": 5.0}
LACK_OF_FUSION = SPHERES | MODULATION | {"flatness": 0.3, "tilt": 20.0, "roughness": 0.2}
LACK_OF_FUSION |= {"layer": 9.0, "layer_spread": 1.0}
KEYHOLE = SPHERES | MODULATION | {"elongation": 1.5, "wander": 0.2}
KEYHOLE |= {"chain_pores": 5.0, "chain_spacing": 1.2}
MIXTURE = SPHERES | MODULATION | {"irregular": 0.5, "flat": 1.0, "chained": 0.3}
PARAMETERS = {
    "gaussian": GAUSSIAN,
    "spinodal": {"porosity": 0.05, "wavelength": 10.0, "stretch": 1.5},
    "grains": SPHERES,
    "gas": GAS,
    "lack_of_fusion": LACK_OF_FUSION,
    "keyhole": KEYHOLE,
    "mixture": MIXTURE,
    "overlapping_spheres": SPHERES,
    "spheres": SPHERES,
    "overlapping_ellipsoids": ELLIPSOIDS,
    "ellipsoids": ELLIPSOIDS,
}
SHAPE = (40, 32, 36)


def part(
    generator: str,
    shape: tuple[int, int, int] = SHAPE,
    seed: int = 0,
    number: int = 0,
    **changes: float,
) -> np.ndarray:
    return make_part(generator, shape, seed, number, {**PARAMETERS[generator], **changes})


def pair_probability(voxels: np.ndarray, axis: int, lag: int) -> float:
    """Share of the pairs of voxels `lag` apart along `axis` of which both are pores; axis -1 is z
    of a part and of many SVEs.
    """
    moved = np.moveaxis(voxels, axis, 0)
    return float((moved[lag:] & moved[:-lag]).mean())


def boolean_pair_probability(porosity: float, lag: float) -> float:
    """Of the Boolean model of spheres of one diameter, at `lag` diameters up to 1: 2 p - 1 + (1 -
    p)^(1 + 3 r/2 - r^3/2). Torquato, Random Heterogeneous Materials (2002).
    """
    return 2 * porosity - 1 + (1 - porosity) ** (1 + 1.5 * lag - 0.5 * lag**3)


def whole_pores(voxels: np.ndarray, connectivity: int = 3) -> list:
    """scikit-image's regions of connected pores that no face of the part cuts; connectivity 3 joins
    voxels by corners too.
    """
    return [
        region
        for region in regionprops(label(voxels, connectivity=connectivity))
        if min(region.bbox[:3]) > 0
        and all(high < n for high, n in zip(region.bbox[3:], voxels.shape, strict=True))
    ]
