"""Apparent elastic stiffness or elastoplastic response of one SVE by muSpectre: python
muspectre_worker.py JOB.npz RESULT.npz

muSpectre 0.27.0: C++, double precision, one thread; Newton-CG on strains with the compatibility
projection; pores of zero stiffness. Elements: "hex4", trilinear hexahedra with 4 of the 8 Gauss
points (it has no place for 8), exact but for terms in xyz, and locking less; "tet5", muSpectre's
own 5 linear tetrahedra in a voxel, stiffer and slower.

job: kind "elastic" or "plastic"; voxels (x, y, z) uint8, 1 = pore; E (MPa), nu; tolerance; element
(optional, "hex4" if absent);
    plastic: s0, H (MPa; yield stress s0 + H p), path (step, 3, 3), the mean small strain at the end
    of each step.
result: stiffness (6, 6), MPa, Mandel order xx yy zz sqrt2*yz sqrt2*xz sqrt2*xy, a column for each
load case, not symmetrised; or stress
    (step, 3, 3), mean, MPa; setup_seconds and solve_seconds, without imports; CG iterations of each
    case or step; version.

tolerance: on the stress out of equilibrium (projected on compatible strains), root mean square over
all points of the SVE, pores too;
    elastic: relative to that before CG; plastic: relative to s0.

Its J2 plasticity is hyperelastic in the logarithmic strain and of finite strain only. Small-strain
J2 has stress(k strain; k s0) = k stress(strain; s0); with k = 0.001 the effects of finite strain, 3
% of the stress at 1 % strain, become 0.003 %, and the first Piola-Kirchhoff stress, which muSpectre
gives, is Cauchy's.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import muFFT
import numpy as np
from muSpectre import (
    Formulation,
    Verbosity,
    cell,
    linear_finite_elements,
    material,
    solvers,
    version,
)

SCALE = 1e-3  # k above
NEWTON_CG = 1e-2  # residual reduction of CG in a Newton step
MOST_NEWTON, MOST_CG = 50, 2000
PAIRS = [(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]  # Mandel order
WEIGHTS = np.array([1, 1, 1, 2**0.5, 2**0.5, 2**0.5])


def hex4() -> tuple[list[Any], list[float]]:
    """Derivatives of trilinear shape functions along x, y, z at 4 Gauss points, and their
    weights.
    """
    stencils = []
    for x, y in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
        point = 0.5 + np.array([x, y, x * y]) / 12**0.5
        for axis in range(3):
            factors = [
                np.array([-1, 1]) if a == axis else np.array([1 - point[a], point[a]])
                for a in range(3)
            ]
            stencils.append(muFFT.DiscreteDerivative([0, 0, 0], np.einsum("i,j,k->ijk", *factors)))
    return stencils, [1.0] * 4


ELEMENTS = {"hex4": hex4, "tet5": lambda: linear_finite_elements.gradient_3d_5tet}


class Sve:
    """A cell of solid and pores, on which mean strains are imposed one after another."""

    def __init__(
        self,
        voxels: np.ndarray,
        element: str,
        law: Any,
        constants: list[float],
        formulation: Any,
        cg: float,
    ):
        """law: muSpectre's class of material; cg: relative residual at which CG stops."""
        if element not in ELEMENTS:
            raise ValueError(f"element: expected one of {sorted(ELEMENTS)}, received {element!r}")
        gradient, weights = ELEMENTS[element]()
        self.grid = cell.CellData.make(list(voxels.shape), [float(n) for n in voxels.shape])
        self.grid.nb_quad_pts = len(weights)
        phases = (
            law.make(self.grid, "solid", *constants),
            material.MaterialLinearElastic1_3d.make(self.grid, "pore", 0.0, 0.0),
        )
        for pixel, phase in enumerate(voxels.ravel(order="F")):
            phases[phase].add_pixel(pixel)
        self.krylov = solvers.KrylovSolverCG(cg, MOST_CG)
        self.solver = solvers.SolverNewtonCG(
            self.grid, self.krylov, Verbosity.Silent, 1.0, 1.0, 1, gradient, weights
        )
        self.solver.formulation = formulation
        self.solver.initialise_cell()
        self.strain, self.stress = self.solver.grad.field.array(), self.solver.flux.field.array()
        self.fractions = np.array(weights) / sum(weights) / voxels.size

    def mean(self, field: np.ndarray) -> np.ndarray:
        return np.einsum("ijqxyz,q->ij", field, self.fractions)

    def residual(self, strain: np.ndarray) -> np.ndarray:
        self.strain[:] = strain
        self.solver.evaluate_stress_tangent()
        return -self.solver.projection.apply_projection(self.stress)

    def impose(self, mean: np.ndarray, relative: float, absolute: float) -> tuple[np.ndarray, int]:
        """-> mean stress (3, 3), MPa, and CG iterations, by Newton with backtracking: muSpectre's
        own has none and may diverge.
        """
        count, norm = self.krylov.counter, np.linalg.norm
        strain = self.strain + (mean - self.mean(self.strain))[:, :, None, None, None, None]
        residual = self.residual(strain)
        enough = max(1.001 * relative * norm(residual), absolute * (residual.size / 9) ** 0.5)
        for _ in range(MOST_NEWTON):
            if norm(residual) <= enough:
                self.grid.save_history_variables()
                return self.mean(self.stress), self.krylov.counter - count
            change = self.krylov.solve(residual.ravel(order="F")).reshape(strain.shape, order="F")
            for factor in (1, 0.5, 0.2, 0.05):
                trial = self.residual(strain + factor * change)
                if norm(trial) < norm(residual):
                    break
            strain, residual = strain + factor * change, trial
        raise RuntimeError(
            f"muSpectre: Newton leaves {norm(residual) / enough:.1e} of the residual allowed, mean"
            f" {mean.tolist()}"
        )


def elastic(
    voxels: np.ndarray, E: float, nu: float, tolerance: float, element: str = "hex4"
) -> dict[str, Any]:
    strains = np.zeros((6, 3, 3))
    for case, (i, j) in enumerate(PAIRS):
        strains[case, i, j] = strains[case, j, i] = 1 / WEIGHTS[case]
    sve = (
        voxels,
        element,
        material.MaterialLinearElastic1_3d,
        [E, nu],
        Formulation.small_strain,
        tolerance,
    )
    stresses, seconds = solve(strains, tolerance, 1e-9 * E, *sve)
    return {"stiffness": WEIGHTS[:, None] * [stresses[:, i, j] for i, j in PAIRS], **seconds}


def plastic(
    voxels: np.ndarray,
    E: float,
    nu: float,
    s0: float,
    H: float,
    path: np.ndarray,
    tolerance: float,
    element: str = "hex4",
) -> dict[str, Any]:
    sve = (
        voxels,
        element,
        material.MaterialHyperElastoPlastic1_3d,
        [E, nu, SCALE * s0, H],
        Formulation.finite_strain,
        NEWTON_CG,
    )
    stresses, seconds = solve(np.eye(3) + SCALE * path, 0.0, tolerance * SCALE * s0, *sve)
    return {"stress": stresses / SCALE, **seconds}


def solve(
    means: np.ndarray, relative: float, absolute: float, *arguments: Any
) -> tuple[np.ndarray, dict[str, Any]]:
    """-> mean stresses (mean strain, 3, 3), MPa, and what it took."""
    started = time.perf_counter()
    sve = Sve(*arguments)
    ready = time.perf_counter()
    stresses, iterations = zip(
        *(sve.impose(mean, relative, absolute) for mean in means), strict=True
    )
    seconds = {"setup_seconds": ready - started, "solve_seconds": time.perf_counter() - ready}
    return np.array(stresses), {
        **seconds,
        "iterations": iterations,
        "version": f"muSpectre {version.description()}",
    }


if __name__ == "__main__":
    with np.load(sys.argv[1]) as job:
        inputs = {name: value if value.ndim else value.item() for name, value in job.items()}
    np.savez(sys.argv[2], **{"elastic": elastic, "plastic": plastic}[inputs.pop("kind")](**inputs))
