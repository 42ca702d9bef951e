"""Seeded generators of porous parts, by name in `GENERATORS`.

| name | pores |
| --- | --- |
| gaussian | irregular, in dense and in porous regions: a level set of a Gaussian random field |
| spinodal | winding, all of one width: a level set of waves of one length |
| overlapping_spheres, overlapping_ellipsoids | placed at random, wherever that is: Boolean model |
| spheres, ellipsoids | placed at random, a voxel of solid apart: random sequential addition |
| gas | round, single and in clusters |
| lack_of_fusion | flat and rough, in layers across the build direction |
| keyhole | chains of drops along the build direction |
| mixture | irregular, flat, chained and round ones together |
| grains | what round grains that overlap leave between them |

Each is `f(shape, rng, *, its parameters) -> (x, y, z) uint8`, 0 solid, 1 pore, z the build
direction. Lengths are in voxels; `porosity` is met to the voxel: round(porosity * voxels) voxels
are pores. The part's faces cut pores as if it were sawn from a larger piece; no part is periodic.
Every generator raises ConfigError that names the parameter, what was expected and what was
received.

Sources: Adler, The Geometry of Random Fields (1981), level sets; Cahn, J. Chem. Phys. 42, 93
(1965), waves; Torquato, Random Heterogeneous Materials (2002), the Boolean model and random
sequential addition; Neyman and Scott, J. R. Stat. Soc. B 20, 1 (1958), clusters.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np

from svevae.errors import ConfigError
from svevae.physics import defects, level_sets, placed_pores
from svevae.physics.part_checks import Shape, is_number

GENERATORS: dict[str, Callable[..., np.ndarray]] = {
    "gaussian": level_sets.gaussian,
    "spinodal": level_sets.spinodal,
    "overlapping_spheres": placed_pores.overlapping_spheres,
    "spheres": placed_pores.spheres,
    "overlapping_ellipsoids": placed_pores.overlapping_ellipsoids,
    "ellipsoids": placed_pores.ellipsoids,
    "grains": placed_pores.grains,
    "gas": defects.gas,
    "lack_of_fusion": defects.lack_of_fusion,
    "keyhole": defects.keyhole,
    "mixture": defects.mixture,
}


def random_parameters(
    generator: str, parameters: Mapping[str, Any], seed: int, part: int
) -> dict[str, float]:
    """Give each parameter of a generator a number, a random one where `parameters` has a range, as
    in `svevae.config.Generate`. They depend on `seed` and `part` alone.

    Raises ConfigError for an unknown generator, an unknown or a missing parameter.
    """
    known = parameter_names(generator)
    for name in parameters:
        if name not in known:
            raise ConfigError(f"parameters.{name}: unknown; {generator} has {', '.join(known)}")
    rng = np.random.default_rng([seed, part, 1])
    values = {}
    for name in known:
        if name not in parameters:
            raise ConfigError(f"parameters.{name}: missing; {generator} has {', '.join(known)}")
        share, given = rng.random(), parameters[name]
        if not isinstance(given, list):
            values[name] = float(given)
        elif len(given) == 3:  # even in the logarithm
            values[name] = float(given[0] * (given[1] / given[0]) ** share)
        else:
            values[name] = float(given[0] + (given[1] - given[0]) * share)
    return values


def make_part(
    generator: str, shape: Shape, seed: int, part: int, parameters: Mapping[str, float]
) -> np.ndarray:
    """Part number `part` of the series `seed`: (x, y, z) uint8 of `shape`, from the generator of
    that name.

    Raises ConfigError for an unknown generator, an unknown or missing parameter, a value that is no
    number, and as the generator does.
    """
    names = parameter_names(generator)
    for name, value in parameters.items():
        if name not in names:
            raise ConfigError(f"{name}: unknown parameter; {generator} has {', '.join(names)}")
        if not is_number(value, Real):
            raise ConfigError(f"{name}: expected a number, received {value!r}")
    for name in names:
        if name not in parameters:
            raise ConfigError(f"{name}: missing; {generator} has {', '.join(names)}")
    for name, value in (("seed", seed), ("part", part)):
        if not is_number(value, Integral) or value < 0:
            raise ConfigError(f"{name}: expected an integer of at least 0, received {value!r}")
    return GENERATORS[generator](shape, np.random.default_rng([seed, part]), **parameters)


def parameter_names(generator: str) -> tuple[str, ...]:
    """The parameters of the generator of that name, all of them required. Raises ConfigError for an
    unknown name.
    """
    if generator not in GENERATORS:
        raise ConfigError(
            f"generator: expected one of {', '.join(GENERATORS)}, received {generator!r}"
        )
    parameters = inspect.signature(GENERATORS[generator]).parameters.values()
    return tuple(
        parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY
    )
