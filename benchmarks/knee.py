"""How near the curves that parts are made of come to what the solver finds in fine steps, between
the few strains of the labels, and the 0.2 % yields that are read off them.

`svevae.physics.knee.SHARE` was fitted to these SVEs: of each family and metal of the file those
that have 40 to 99 % of the matrix's modulus, some at random. The solver pulls them along z in 37
steps, of which the labels' eleven are given. Writes knee.json: for the round curve, for that whose
ratio to the matrix's own is linear between labels, and for one that is linear itself, the error in
% over the curve from 0.7 yield strains on (root mean square), at its worst strain (root mean square
and largest over SVEs), the latter by family, and that of the 0.2 % yield (mean, root mean square
and largest) beside the one of the fine curve. `python benchmarks/knee.py` (5 minutes; `dvc pull
data.dvc` first)
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
from svevae.physics.knee import RoundCurve
from svevae.physics.label import yield_stress
from svevae.physics.voce import voce_curve

RESULT = Path(__file__).with_suffix(".json")
FILE = "data/porous_metals_32.h5"
COUNT, SEED = 7, 5  # of each family
MODULUS = (0.4, 0.99)  # of the matrix's
STEPS = (8, 8, 4, 4, 2, 2, 2, 2, 2, 2)  # between the labels
KNEE = 0.7  # in yield strains


def read(reading: str, curve: dict[str, np.ndarray]) -> np.ndarray:
    """The curve of one SVE at all its strains, read from those of the labels alone."""
    strain, stress, law = curve["strain"], curve["stress"], curve["law"]
    labels = np.cumsum(np.append(0, STEPS))
    if reading == "round":
        return RoundCurve(strain[labels], stress[labels], curve["modulus"], law)(strain)
    knots = np.append(0.0, strain[labels])
    if reading == "linear":
        return np.interp(strain, knots, np.append(0.0, stress[labels]))
    matrix = voce_curve(*law[[0, 2, 3, 4]], strain)
    ratio = np.append(curve["modulus"] / law[0], stress[labels] / matrix[labels])
    return matrix * np.interp(strain, knots, ratio)


def errors(reading: str, curve: dict[str, np.ndarray]) -> np.ndarray:
    """Errors in % of one SVE's curve from the knee on."""
    after = curve["strain"] > KNEE * curve["law"][2] / curve["law"][0]
    return 100 * (read(reading, curve) / curve["stress"] - 1)[after]


def yield_error(reading: str, curve: dict[str, np.ndarray]) -> float:
    """Error in % of one SVE's 0.2 % yield; both are read off curves in fine steps."""
    strain, modulus = curve["strain"], float(curve["modulus"])
    found, true = (
        yield_stress(strain, stress, modulus) for stress in (read(reading, curve), curve["stress"])
    )
    return 100 * (found / true - 1)


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
    for reading in ("round", "matrix", "linear"):
        off = [errors(reading, curve) for curve in curves]
        worst = np.array([np.abs(one).max() for one in off])
        families = np.array([curve["family"] for curve in curves])
        yields = np.array([yield_error(reading, curve) for curve in curves])
        found[reading] = {
            "over_the_curve": float(np.sqrt(np.mean([np.square(one).mean() for one in off]))),
            "at_the_worst_strain": float(np.sqrt(np.square(worst).mean())),
            "largest": float(worst.max()),
            "yield": {
                "mean": float(yields.mean()),
                "root_mean_square": float(np.sqrt(np.square(yields).mean())),
                "largest": float(np.abs(yields).max()),
            },
            "by_family": {
                str(kind): float(np.sqrt(np.square(worst[families == kind]).mean()))
                for kind in np.unique(families)
            },
        }
    RESULT.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
