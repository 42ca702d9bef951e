"""One contender of solver.py: python solver_worker.py JOB.npz RESULT.npz. Times are of the second
run, after compilation.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import prototype

from svevae.physics.cpu import operators
from svevae.physics.cpu.equilibrium import Grid
from svevae.physics.cpu.plasticity import TANGENT_ROWS
from svevae.physics.elasticity import AXES, PRESETS
from svevae.physics.homogenize import Loading, Settings, Solver
from svevae.physics.label import Tension, label

MATERIAL = PRESETS["as-built-z"]


def labels(voxels: np.ndarray, strain: np.ndarray) -> dict[str, Any]:
    """The full label set, one SVE after another."""
    solver, tension = Solver(voxels.shape[1:]), Tension(("x", "z"), tuple(strain.tolist()))
    label(voxels[:1], MATERIAL, tension, solver)
    started = time.perf_counter()
    done = [label(voxels[i : i + 1], MATERIAL, tension, solver) for i in range(len(voxels))]
    return {
        "seconds": time.perf_counter() - started,
        "stress": np.array([[one.stress[axis][0] for axis in "xz"] for one in done]),
    }


def prototype_labels(voxels: np.ndarray, strain: np.ndarray) -> dict[str, Any]:
    """The same by the prototype: six load cases of a small strain, and two curves."""
    E, nu = MATERIAL.E, MATERIAL.nu
    law, n = (
        (E * nu / (1 + nu) / (1 - 2 * nu), E / 2 / (1 + nu), MATERIAL.s0, MATERIAL.Q, MATERIAL.b),
        voxels.shape[1],
    )
    case = jax.jit(prototype.build(n, law, free=[]).prescribed)
    curves = {
        axis: jax.jit(prototype.build(n, law, [i for i in range(6) if i != AXES[axis]]))
        for axis in "xz"
    }
    seconds, stress = [], []
    for sve in [voxels[0], *voxels]:
        solid = jnp.asarray(1.0 - sve, jnp.float32)
        started = time.perf_counter()
        jax.block_until_ready([case(solid, 1e-4 * np.eye(6)[j : j + 1]) for j in range(6)])
        stress.append(
            [np.asarray(curve(solid, strain)[0])[:, AXES[axis]] for axis, curve in curves.items()]
        )
        seconds.append(time.perf_counter() - started)
    return {"seconds": sum(seconds[1:]), "stress": np.array(stress[1:])}


def elastic(voxels: np.ndarray, dtype: str, tolerance: float) -> dict[str, Any]:
    """Apparent stiffness, one SVE after another."""
    solver = Solver(voxels.shape[1:], Settings(dtype=dtype, elastic_tolerance=tolerance))
    solver.elastic(MATERIAL, voxels[:1])
    started = time.perf_counter()
    done = [solver.elastic(MATERIAL, voxels[i : i + 1]) for i in range(len(voxels))]
    return {
        "seconds": time.perf_counter() - started,
        "stiffness": np.concatenate([one.stiffness for one in done]),
    }


def growth(voxels: np.ndarray, strain: np.ndarray) -> dict[str, Any]:
    """Stiffness and one curve of a single SVE of any size."""
    solver, loading = Solver(voxels.shape[1:]), Loading.uniaxial_stress("z", strain)
    for _ in range(2):
        started = time.perf_counter()
        stiffness = solver.elastic(MATERIAL, voxels)
        between = time.perf_counter()
        path = solver.path(MATERIAL, loading, voxels, stiffness)
        finished = time.perf_counter()
    counts = {
        "elastic_cg": stiffness.iterations.sum(),
        "newton": path.newton.sum(),
        "path_cg": path.iterations.sum(),
    }
    return {
        "elastic_seconds": between - started,
        "path_seconds": finished - between,
        "memory": solver.memory(),
        **counts,
    }


def limit(voxels: np.ndarray) -> dict[str, Any]:
    """Seconds of one CG iteration of a plastic increment, of its parts, and the memory bandwidth of
    a core, bytes/s.

    The bytes are what must pass through memory at least: each array once in and once out for each
    part, no intermediate result.
    """
    shape, n = voxels.shape[1:], voxels[0].size
    random, grid = np.random.default_rng(0), Grid(shape, "float32")
    u, mean = grid.nodal(), np.zeros(6)
    tangent = grid.tangent(TANGENT_ROWS)
    for field in (u, tangent, grid.waves.forces):
        field[:] = random.random(field.shape)
    medium = grid.waves.medium(1.0, np.eye(5), np.arange(6) != 2)
    forces = operators.tangent_forces
    copied = np.zeros(64 * 2**20, np.uint8)
    return {
        "operator_seconds": _best(lambda: grid.forces(forces, u, mean, tangent, out=grid.image)),
        "operator_bytes": 4 * n * (3 + 48 + 1 + 3),  # displacement, tangent, bulk modulus; forces
        "fft_seconds": _best(lambda: grid.waves.precondition(medium)),
        # three axes forth and back, three components; the symbol
        "fft_bytes": 4 * n * (3 * 2 * 3 + 3),
        "bandwidth": 2 * copied.size / _best(lambda: copied.copy()),
    }


def _best(function: Any, times: int = 20) -> float:
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


if __name__ == "__main__":
    with np.load(sys.argv[1]) as file:
        job = {name: value if value.ndim else value.item() for name, value in file.items()}
    kinds = {
        "labels": labels,
        "prototype": prototype_labels,
        "elastic": elastic,
        "growth": growth,
        "limit": limit,
    }
    np.savez(sys.argv[2], **kinds[job.pop("kind")](**job))
