"""How near the curves that parts are made of come to what the solver finds in fine steps, between
the few strains of the labels.

`svevae.physics.knee.SHARE` was fitted to these SVEs: of each family and metal of the file those
that have 40 to 99 % of the matrix's modulus, some at random. The solver pulls them along z in 37
steps, of which the labels' eleven are given. Writes knee.json: for the round curve, and for that
whose ratio to the matrix's own is linear between labels, the error in % over the curve from 0.7
yield strains on (root mean square), at its worst strain (root mean square and largest over SVEs),
and the latter by family. `python benchmarks/knee.py` (5 minutes; `dvc pull data.dvc` first)
"""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
from tqdm import tqdm

from svevae.dataset.store import open_dataset
from svevae.physics.elasticity import Material
from svevae.physics.homogenize import Loading, Solver
from svevae.physics.knee import round_curve
from svevae.physics.voce import curve_at

RESULT = Path(__file__).with_suffix(".json")
FILE = "data/porous_metals_32.h5"
COUNT, SEED = 7, 5  # of each family
MODULUS = (0.4, 0.99)  # of the matrix's
STEPS = (8, 8, 4, 4, 2, 2, 2, 2, 2, 2)  # between the labels
KNEE = 0.7  # in yield strains


def errors(reading: str, curve: dict[str, np.ndarray]) -> np.ndarray:
    """Errors in % of one SVE's curve, from the knee on, where `reading` is "round" or "matrix"."""
    strain, stress, law = curve["strain"], curve["stress"], curve["law"]
    labels = np.cumsum(np.append(0, STEPS))
    read = {"round": round_curve, "matrix": curve_at}[reading]
    found = read(strain[labels], stress[labels], curve["modulus"], law, strain)
    return 100 * (found / stress - 1)[strain > KNEE * law[2] / law[0]]


def solved() -> list[dict[str, np.ndarray]]:
    """Fine curves of SVEs of every family."""
    data = open_dataset(FILE)
    with h5py.File(FILE) as file:
        family = np.array(file["family"].attrs["names"])[file["family"][:]]
        laws = file["law"][:].astype(float)
        strains = file["tension/strain"][:].astype(float)
    share = data.properties[:, data.names.index("E_z")] / laws[:, 0]
    random, chosen = np.random.default_rng(SEED), []
    for kind in np.unique(family):
        able = np.flatnonzero((family == kind) & (share > MODULUS[0]) & (share < MODULUS[1]))
        chosen += list(random.choice(able, min(COUNT, len(able)), replace=False))
    solver, curves = Solver((data.n,) * 3), []
    for k in tqdm(sorted(chosen), unit="SVE"):
        ends, law = strains[k], laws[k]
        fine = [ends[:1]]
        for a, b, count in zip(ends, ends[1:], STEPS, strict=False):
            fine.append(np.linspace(a, b, count + 1)[1:])
        strain, voxels, material = np.concatenate(fine), data.voxels([k]), Material(*law)
        elastic = solver.elastic(material, voxels)
        path = solver.path(material, Loading.uniaxial_stress("z", strain), voxels, elastic)
        modulus = 1 / np.linalg.inv(elastic.stiffness)[:, 2, 2]
        curves.append(
            {"family": family[k], "law": law, "modulus": modulus[0], "strain": strain}
            | {"stress": path.stress[0, :, 2]}
        )
    return curves


def main() -> None:
    curves = solved()
    found: dict[str, object] = {"sves": len(curves)}
    for reading in ("round", "matrix"):
        off = [errors(reading, curve) for curve in curves]
        worst = np.array([np.abs(one).max() for one in off])
        families = np.array([curve["family"] for curve in curves])
        found[reading] = {
            "over_the_curve": float(np.sqrt(np.mean([np.square(one).mean() for one in off]))),
            "at_the_worst_strain": float(np.sqrt(np.square(worst).mean())),
            "largest": float(worst.max()),
            "by_family": {
                str(kind): float(np.sqrt(np.square(worst[families == kind]).mean()))
                for kind in np.unique(families)
            },
        }
    RESULT.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
