"""How well a model predicts cubes of a real metal's CT that it was never trained on.

The volume is ductile iron GGG40, 100^3 voxels, its graphite taken for pores (chfem's test data,
MIT, tests/physics/ggg40_100.npz): 125 overlapping cubes of 32^3, 0 to 63 % porosity, labelled by
the solver in the model's usual metal. Writes ct.json. `python benchmarks/ct.py [MODEL]` (default:
champion/model; 2 minutes)
"""

from __future__ import annotations

import itertools
import json
import sys
import tempfile
from pathlib import Path

import numpy as np

from svevae.dataset.cluster import open_cluster
from svevae.dataset.journal import Journal
from svevae.dataset.label_settings import parse_settings
from svevae.dataset.labelling import label_sves
from svevae.model.metrics import coverage, r2
from svevae.use.champion import load

HERE = Path(__file__).resolve().parent
VOLUME = HERE.parent / "tests" / "physics" / "ggg40_100.npz"
RESULT = HERE / "ct.json"
STRIDE = 17  # voxels
MOST = {"to 8 %": 0.08, "to 24 %": 0.24, "all": 1.0}  # porosity


def cubes(n: int) -> np.ndarray:
    """(sve, n, n, n) uint8, 1 where there is graphite."""
    with np.load(VOLUME) as file:
        volume = (
            np.unpackbits(file["graphite"], count=100**3).reshape(100, 100, 100).transpose(2, 1, 0)
        )
    starts = range(0, 100 - n + 1, STRIDE)
    return np.stack(
        [
            volume[x : x + n, y : y + n, z : z + n]
            for x, y, z in itertools.product(starts, starts, starts)
        ]
    )


def main(uri: str = str(HERE.parent / "champion" / "model")) -> None:
    model = load(uri)
    settings = parse_settings(model.contract.labels)
    if settings is None:
        raise SystemExit(f"{uri}: does not say how its SVEs were labelled")
    voxels = cubes(model.n)
    names = [f"cube {i}" for i in range(len(voxels))]
    with tempfile.TemporaryDirectory() as folder, open_cluster() as cluster:
        journal = Journal(Path(folder), settings)
        true = label_sves(voxels, names, settings, journal, cluster, batch=4)["properties"]
    found = model.prediction(model.encode(voxels)[0])
    porosity, table = voxels.mean((1, 2, 3)), {}
    for name, most in MOST.items():
        inside = porosity <= most
        each = r2(true[inside].astype(float), found.properties[inside].astype(float))
        share = coverage(true[inside], found.properties[inside], found.std[inside])
        table[name] = {
            "cubes": int(inside.sum()),
            "mean_r2": float(each.mean()),
            "worst_r2": float(each.min()),
            "worst": model.names[int(each.argmin())],
            "coverage_90": float(share.mean()),
        }
        print(f"{name}: {table[name]}")
    RESULT.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
