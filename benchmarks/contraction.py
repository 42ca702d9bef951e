"""How far the plastic Poisson's ratio of SVEs is from 1/2, against how far their elastic one is
from the matrix's: the slope between them.

`svevae.physics.porous.SLOPE` is that of the reference dataset. The solver pulls SVEs along z over
the whole range of porosities; between the first increment beyond yield and 3 % strain the lateral
and the axial plastic strain grow in the ratio. Writes contraction.json: for each file the slope
through the origin and what it misses. `python benchmarks/contraction.py` (a minute; `dvc pull
data.dvc` first)
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from tqdm import tqdm

from svevae.dataset.label_settings import read_settings
from svevae.dataset.store import SVEDataset, open_dataset
from svevae.physics.elasticity import plastic_poisson
from svevae.physics.homogenize import Loading, Settings, Solver

RESULT = Path(__file__).with_suffix(".json")
FILES = ("data/sve_porous_alsi10mg_32.h5", "data/spheres_32.h5")
COUNT, BATCH = 48, 8
STRAIN = np.array([0.0008, 0.0043, 0.0092, 0.0152, 0.0222, 0.03])
LEAST = 0.005  # porosity below which both differences vanish


def contractions(data: SVEDataset) -> np.ndarray:
    """(sve, 3): porosity, elastic and plastic Poisson's ratio, means of both sides."""
    porosity, material = data.porosity(), read_settings(data).material
    known = np.flatnonzero(porosity > LEAST)
    chosen = known[np.argsort(porosity[known])][np.linspace(0, len(known) - 1, COUNT).astype(int)]
    solver, rows = Solver((data.n,) * 3, Settings(tolerance=1e-3)), []
    for first in tqdm(range(0, COUNT, BATCH), desc=data.path.name, unit="batch"):
        voxels = data.voxels(chosen[first : first + BATCH])
        path = solver.path(
            material, Loading.uniaxial_stress("z", STRAIN), voxels, solver.elastic(material, voxels)
        )
        stress, lateral = path.stress[:, :, 2], -path.strain[:, :, :2].mean(axis=2)
        modulus, nu = (values[:, :1] / STRAIN[0] for values in (stress, lateral))
        axial, sideways = STRAIN - stress / modulus, lateral - nu * stress / modulus
        ratio = (sideways[:, -1] - sideways[:, 1]) / (axial[:, -1] - axial[:, 1])
        rows.append(np.column_stack([voxels.mean((1, 2, 3)), nu, ratio]))
    return np.concatenate(rows)


def main() -> None:
    found = {}
    for file in FILES:
        data = open_dataset(file)
        _, nu, nu_p = contractions(data).T
        matrix = read_settings(data).material.nu
        elastic, plastic = matrix - nu, 0.5 - nu_p
        slope = float(elastic @ plastic / (elastic @ elastic))
        missed = nu_p - plastic_poisson(nu, matrix)
        found[file] = {
            "slope": slope,
            "spread": float(nu_p.std()),
            "missed_rms": float(np.sqrt(np.square(missed).mean())),
            "sves": COUNT,
        }
    RESULT.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
