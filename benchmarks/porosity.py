"""SVEs of 1 to 70 % of pores: whether they can be labelled, how long it takes and how exact it is.

Labels SVEs of 32^3 of six kinds (`KINDS`) as `svevae generate` does with params.yaml: six elastic
cases and curves to 3 % strain along x, y and z. The first of each kind and porosity from 50 % on is
solved again to a tenth of the tolerances. Writes porosity.json, a row for each porosity and kind,
and goes on with the missing rows when called again. `python benchmarks/porosity.py [SVES]`
(default: 6 of each row; a quarter of an hour on two cores)
"""

from __future__ import annotations

import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

RESULT = Path(__file__).resolve().parent / "porosity.json"
PARAMS = RESULT.parent.parent / "params.yaml"
EDGE = 32
KINDS = {
    "blobs": "pores are a level set of a Gaussian field of length 8",
    "fine blobs": "the same, of length 3",
    "spheres": "pores are overlapping spheres of diameter 10",
    "grains": "the solid is overlapping spheres of diameter 10",
    "walls": "the solid is where a Gaussian field of length 10 is next to 0",
    "noise": "each voxel by itself",
}
POROSITIES = (0.7, 0.6, 0.5, 0.4, 0.01)
EXACT = 0.5  # from this porosity on the first SVE is solved again, more exactly


def sve(kind: str, porosity: float, seed: int) -> np.ndarray:
    """(x, y, z) uint8 with exactly round(porosity * voxels) pores."""
    from svevae.physics.level_sets import gaussian_field
    from svevae.physics.microstructure import make_part

    shape = (EDGE,) * 3
    if kind in ("spheres", "grains"):
        share = porosity if kind == "spheres" else 1 - porosity
        values = {"porosity": share, "diameter": 10.0, "diameter_spread": 0.0}
        made = make_part("overlapping_spheres", shape, 0, seed, values)
        return made if kind == "spheres" else 1 - made
    rng = np.random.default_rng([seed, list(KINDS).index(kind)])
    if kind == "noise":
        field = rng.random(shape)
    else:
        length = {"blobs": 8.0, "fine blobs": 3.0, "walls": 10.0}[kind]
        field = gaussian_field(shape, rng, (length,) * 3)
        field = np.abs(field) if kind == "walls" else field
    made = np.zeros(shape, np.uint8)
    made.flat[np.argsort(-field, axis=None)[: round(porosity * field.size)]] = 1
    return made


def labelled(kind: str, porosity: float, seed: int) -> dict[str, Any]:
    """What happens to an SVE when it is labelled."""
    from svevae.config import load_params
    from svevae.dataset.label_settings import label_settings
    from svevae.dataset.labelling import label_batch, label_columns
    from svevae.errors import SolverError
    from svevae.physics.homogenize import Settings, Solver
    from svevae.physics.label import label

    settings = label_settings(load_params(PARAMS).generate)
    voxels = sve(kind, porosity, seed)[None]

    def by(solver: Settings) -> dict[str, np.ndarray]:
        made = label(voxels, settings.material, settings.tension, Solver(voxels.shape[1:], solver))
        return label_columns(made)

    begun, errors, first = time.process_time(), [], True
    try:
        columns = by(settings.solver())
    except SolverError:
        first = False
        columns, errors = label_batch(voxels, [f"{kind} {seed}"], settings)
    found = {
        "cpu_seconds": time.process_time() - begun,
        "first_try": first,
        "reasons": [str(error) for error in errors],
        "axes": int(columns["load_path"].sum()),
    }
    values = columns["properties"][0]
    if porosity >= EXACT and seed == 0 and not errors:
        finer = Settings(
            elastic_tolerance=settings.solver().elastic_tolerance / 10,
            tolerance=settings.tolerance / 10,
            cg=5000,
        )
        exact = by(finer)["properties"][0]
        apart = np.abs(values - exact) / np.where(exact == 0, 1, np.abs(exact))
        found["apart"] = {"E": apart[:3].max(), "yield": apart[5:8].max(), "flow": apart[8:].max()}
    return found


def row(kind: str, porosity: float, found: list[dict[str, Any]]) -> dict[str, Any]:
    reasons = [reason for one in found for reason in one["reasons"]]
    return {
        "kind": kind,
        "porosity": porosity,
        "sves": len(found),
        "axes_with_a_load_path": sum(one["axes"] for one in found),
        "labelled_at_once": sum(one["first_try"] for one in found),
        "labelled": sum(not one["reasons"] for one in found),
        "reasons": reasons,
        "cpu_seconds_median": round(float(np.median([one["cpu_seconds"] for one in found])), 2),
        "cpu_seconds_most": round(max(one["cpu_seconds"] for one in found), 2),
    } | {
        f"apart_{name}": float(f"{value:.2g}")
        for one in found
        for name, value in one.get("apart", {}).items()
    }


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 6
    os.environ["OMP_NUM_THREADS"] = "1"
    rows = json.loads(RESULT.read_text(encoding="utf-8"))["rows"] if RESULT.exists() else []
    done = {(one["kind"], one["porosity"]) for one in rows if one["sves"] >= count}
    cells = [(kind, porosity) for porosity in POROSITIES for kind in KINDS]
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for kind, porosity in cells:
            if (kind, porosity) in done:
                continue
            tasks = [[kind] * count, [porosity] * count, range(count)]
            made = row(kind, porosity, list(pool.map(labelled, *tasks)))
            rows = [one for one in rows if (one["kind"], one["porosity"]) != (kind, porosity)]
            rows.append(made)
            rows.sort(key=lambda one: cells.index((one["kind"], one["porosity"])))
            content = {"kinds": KINDS, "voxels_along_each_edge": EDGE, "rows": rows}
            RESULT.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
            print(json.dumps(made), flush=True)


if __name__ == "__main__":
    main()
