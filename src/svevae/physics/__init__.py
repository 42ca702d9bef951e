"""The mechanics of porous metals by numba and JAX: parts from a seed, the solver, labels.

`Solver` finds the periodic response of voxel boxes of a `Material` under a `Loading`; `make_part`
grows a porous part; `pull` simulates a whole part in tension. `svevae.physics.label.label` reads
the properties of SVEs from what the solver finds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from svevae.lazy import lazy

if TYPE_CHECKING:
    from svevae.physics.connectivity import load_path
    from svevae.physics.elasticity import (
        PRESETS,
        Material,
        PorousMaterial,
        hashin_shtrikman,
        poisson,
        voigt_bound,
        young,
    )
    from svevae.physics.hardening import Hardening
    from svevae.physics.homogenize import Elastic, Path, Settings, Solver
    from svevae.physics.label import Labels, Tension, property_names, yield_stress
    from svevae.physics.loading import Loading
    from svevae.physics.microstructure import GENERATORS, make_part, parameter_names
    from svevae.physics.part import Response, pull
    from svevae.physics.voce import fit_voce, voce_curve

__all__ = [
    "GENERATORS",
    "PRESETS",
    "Elastic",
    "Hardening",
    "Labels",
    "Loading",
    "Material",
    "Path",
    "PorousMaterial",
    "Response",
    "Settings",
    "Solver",
    "Tension",
    "fit_voce",
    "hashin_shtrikman",
    "load_path",
    "make_part",
    "parameter_names",
    "poisson",
    "property_names",
    "pull",
    "voce_curve",
    "voigt_bound",
    "yield_stress",
    "young",
]

__getattr__ = lazy(
    __name__,
    {
        "Elastic": "homogenize",
        "Hardening": "hardening",
        "GENERATORS": "microstructure",
        "Labels": "label",
        "Loading": "loading",
        "Material": "elasticity",
        "PRESETS": "elasticity",
        "Path": "homogenize",
        "PorousMaterial": "elasticity",
        "Response": "part",
        "Settings": "homogenize",
        "Solver": "homogenize",
        "Tension": "label",
        "fit_voce": "voce",
        "hashin_shtrikman": "elasticity",
        "load_path": "connectivity",
        "make_part": "microstructure",
        "parameter_names": "microstructure",
        "poisson": "elasticity",
        "property_names": "label",
        "pull": "part",
        "voce_curve": "voce",
        "voigt_bound": "elasticity",
        "yield_stress": "label",
        "young": "elasticity",
    },
)
