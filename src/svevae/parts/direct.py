"""Simulate parts directly, every pore resolved; responses are cached in .checkpoints."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from svevae.dataset.cluster import Cluster, progress
from svevae.dataset.journal import voxel_digest
from svevae.files import load_arrays, save_arrays
from svevae.physics.elasticity import Material
from svevae.physics.homogenize import RECIPE
from svevae.physics.part import GRIP, GRIP_NU, PART_SETTINGS, Response, pull

FOLDER = Path(".checkpoints/multiscale")


@dataclass(frozen=True)
class Direct:
    """How parts are simulated directly: the matrix, the elongations of the cell, the solver's
    tolerance, voxels `n` of an SVE's edge.

    The grip is as thick as an SVE, and plastic strain is measured on blocks as large as one.
    """

    material: Material
    strain: tuple[float, ...]
    tolerance: float
    n: int

    def path(self, pores: np.ndarray, outline: np.ndarray) -> Path:
        """Name the file that caches the response of a part."""
        what = repr(
            (RECIPE, GRIP, GRIP_NU, asdict(self), voxel_digest(pores), voxel_digest(outline))
        )
        return FOLDER / f"{hashlib.sha256(what.encode()).hexdigest()[:24]}.npz"

    def simulate(self, pores: np.ndarray, outline: np.ndarray, name: str) -> tuple[Response, float]:
        """Simulate one part, pores and outline (x, y, z): its response, and the seconds that the
        solver took when it was solved; a bar on the terminal counts increments.

        Raises as `svevae.physics.part.pull`.
        """
        path = self.path(pores, outline)
        if (found := _read(path)) is not None:
            return found
        with progress(len(self.strain), len(self.strain), name, "increment") as bar:

            def report(k: int) -> None:
                bar.update(k + 1 - bar.n)  # goes back where increments are halved

            solved = solve(self, pores, outline, name, report)
        _keep(path, *solved)
        return solved

    def simulate_all(
        self, parts: np.ndarray, outline: np.ndarray, cluster: Cluster
    ) -> tuple[Response, np.ndarray]:
        """Simulate many parts (part, x, y, z), each as a piece of work of the cluster: their
        responses and seconds (part,).
        """
        paths = [self.path(pores, outline) for pores in parts]
        found = [_read(path) for path in paths]
        missing = [k for k, known in enumerate(found) if known is None]
        with progress(len(parts), len(missing), "direct simulation", "part") as bar:
            work = ((self, parts[k], outline, f"part {k}") for k in missing)
            for i, solved in cluster.map(solve, work, bar.idle):
                found[missing[i]] = solved
                _keep(paths[missing[i]], *solved)
                bar.update()
        responses, seconds = zip(*found, strict=True)
        return joined(list(responses)), np.array(seconds)


def joined(responses: list[Response]) -> Response:
    """Join the responses of several batches."""
    return Response(
        **{
            name: np.concatenate([vars(response)[name] for response in responses])
            for name in vars(responses[0])
        }
    )


def solve(
    settings: Direct,
    pores: np.ndarray,
    outline: np.ndarray,
    name: str,
    report: Callable[[int], None] | None = None,
) -> tuple[Response, float]:
    """Solve one part without the cache: its response and the seconds spent. Raises as
    `svevae.physics.part.pull`.
    """
    begun = time.monotonic()
    response = pull(
        settings.material,
        outline,
        settings.strain,
        pores[None],
        grip=settings.n,
        block=settings.n,
        settings=replace(PART_SETTINGS, tolerance=settings.tolerance),
        names=[name],
        report=report,
    )
    return response, time.monotonic() - begun


def _keep(path: Path, response: Response, seconds: float) -> None:
    save_arrays(path, vars(response) | {"seconds": np.array(seconds)})


def _read(path: Path) -> tuple[Response, float] | None:
    """Read what was cached; None where nothing is, or where it is damaged or of another version."""
    arrays = load_arrays(path)
    if arrays is None or set(arrays) != {"seconds", *Response.__dataclass_fields__}:
        return None
    seconds = float(arrays.pop("seconds"))
    return Response(**arrays), seconds
