"""Apparent elastic stiffness of one SVE by UNO-CG: python unocg_worker.py JOB.npz RESULT.npz

UNO-CG 1.0.0 (torch 2.13.0), trilinear hexahedra with 2x2x2 Gauss points ("hex8", no B-bar) or one
("hex8r", which hinges), displacement CG preconditioned by the Green's operator of a reference
stiffness (FANS); the six load cases are one batch. Pores have zero stiffness.

job: voxels (x, y, z) uint8, 1 = pore; E (MPa), nu; tolerance; optional: element "hex8" or "hex8r"
(default "hex8"), dtype "float64" or
    "float32" (default "float64"), threads (default 1).
result: stiffness (6, 6), MPa, Mandel order xx yy zz sqrt2*yz sqrt2*xz sqrt2*xy, a column for each
load case, not symmetrised;
    setup_seconds and solve_seconds, without imports; iterations of the slowest case; version. What
    does not converge raises.

tolerance: a case stops when its greatest nodal force out of equilibrium is tolerance times that of
the uniform strain.
"""

from __future__ import annotations

import sys
import time
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from unocg.materials.mechanical import LinearElasticity
from unocg.preconditioners.torch import FansPreconditioner
from unocg.problems.mechanical import MechanicalProblem
from unocg.solvers.torch import CgSolver

POINTS = {"hex8": 2, "hex8r": 1}  # Gauss points along an axis
ORDER = [0, 1, 2, 5, 4, 3]  # UNO-CG's Mandel order is xx yy zz xy xz yz
MOST_ITERATIONS = 2000


def stiffness(
    voxels: np.ndarray,
    E: float,
    nu: float,
    tolerance: float,
    element: str = "hex8",
    dtype: str = "float64",
    threads: int = 1,
) -> dict[str, Any]:
    if element not in POINTS:
        raise ValueError(f"element: expected one of {sorted(POINTS)}, received {element!r}")
    torch.set_num_threads(int(threads))
    started = time.perf_counter()
    on = {"device": "cpu", "dtype": getattr(torch, dtype)}
    # UNO-CG's arrays are (z, y, x)
    solid = torch.from_numpy(1.0 - voxels.transpose(2, 1, 0)).to(**on)
    lame = torch.tensor([E * nu / (1 + nu) / (1 - 2 * nu), E / 2 / (1 + nu)], **on)
    fields = (lame[:, None, None, None] * solid)[None]  # SVE, constant, z, y, x
    edges = [n / max(solid.shape) for n in solid.shape]  # cubic voxels
    problem = MechanicalProblem(
        tuple(solid.shape), LinearElasticity(3, **on), quad_degree=POINTS[element], lengths=edges
    )
    problem.dtype = on["dtype"]
    green = FansPreconditioner(problem, problem.stiffness(lame))
    # residual of a solid SVE
    noise = 100 * torch.finfo(on["dtype"]).eps * E / max(voxels.shape) ** 2
    solver = CgSolver(problem, green, rtol=tolerance, atol=noise, max_iter=MOST_ITERATIONS)
    ready = time.perf_counter()
    solved = solver.solve(fields, loadings=torch.eye(6, **on))
    # load case, component
    stress = problem.get_hom_response(solved["sol"], fields, torch.eye(6, **on)).reshape(6, 6)
    finished = time.perf_counter()
    first, last = solved["err_history"][0], solved["err_history"][-1]
    left = torch.where(last > noise, last / first, 0.0).max().item()
    if not left <= tolerance:
        raise RuntimeError(
            f"UNO-CG: residual {left:.1e} after {solved['n_iter']} iterations, tolerance"
            f" {tolerance:.1e}"
        )
    return {
        "stiffness": stress.numpy().T[np.ix_(ORDER, ORDER)].astype(float),
        "setup_seconds": ready - started,
        "solve_seconds": finished - ready,
        "iterations": solved["n_iter"],
        "version": f"unocg {version('unocg')}, torch {torch.__version__}",
    }


if __name__ == "__main__":
    with np.load(sys.argv[1]) as job:
        arguments = {name: value if value.ndim else value.item() for name, value in job.items()}
    np.savez(sys.argv[2], **stiffness(**arguments))
