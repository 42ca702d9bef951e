"""Tension of one SVE by the solver."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from svevae.errors import DataError
from svevae.physics.alloys import laws_of
from svevae.physics.connectivity import load_path
from svevae.physics.elasticity import AXES, Material, young
from svevae.physics.homogenize import Solver
from svevae.physics.knee import proof_stress
from svevae.physics.loading import Loading


def pulled(
    material: Material,
    strain: np.ndarray,
    voxels: np.ndarray,
    axis: str,
    report: Callable[[str], None],
) -> tuple[dict[str, float], np.ndarray]:
    """Modulus, yield and flow stress by name, and the stress at each `strain` (increment,), MPa, of
    voxels (n, n, n) under tension along `axis`; `report` follows in words.

    Raises DataError for an SVE that does not hang together along `axis`, and for a curve that ends
    before the yield, SolverError, ConfigError.
    """
    if not load_path(voxels)[AXES[axis]]:
        raise DataError(f"this SVE does not hang together along {axis}: it bears no load")
    report("elastic response; the first time the solver is compiled, half a minute")
    solver = Solver(voxels.shape)
    elastic = solver.elastic(material, voxels[None])
    count = len(strain)
    steps = [f"tension along {axis} to strain {one:g}" for one in strain]
    report(f"increment 1 of {count}")
    path = solver.path(
        material,
        Loading.uniaxial_stress(axis, strain, steps),
        voxels[None],
        elastic,
        report=lambda k: report(f"increment {min(k + 2, count)} of {count}"),
    )
    stress, modulus = path.stress[0, :, AXES[axis]], float(young(elastic.stiffness, axis)[0])
    proof = float(proof_stress(strain, stress, np.asarray(modulus), laws_of(material, 1)[0]))
    if np.isnan(proof):
        raise DataError(f"the curve ends before the 0.2 % yield, at {strain[-1]:g}")
    found = {f"E_{axis}": modulus, f"yield_{axis}": proof, f"flow_{axis}": float(stress[-1])}
    return found, stress
