"""A notched round bar and a plate with a hole, pulled between clamps: properties of SVEs on a mesh
with curved faces in CalculiX, beside direct simulation of the same part with every pore resolved.

gmsh makes the meshes (`.venv-benchmark`, which `sh benchmarks/run.sh` makes; or any Python with it,
by --gmsh). The voxels that a mesh covers are the part of the direct simulation, and of the scan
that the latent path reads, with air round it. Beside it stand the mean properties of the part, and
properties by the porosity alone; and the part without pores, which tells what meshes, clamps and
the steps of voxels cost. Loads are over the area of the box round the part. Writes
notched.json. `python benchmarks/notched.py` (half an hour on 2 cores; `dvc pull data.dvc
champion.dvc` first; it goes on where it was stopped)
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from svevae.meshes.bins import Bins, Curves, binned
from svevae.meshes.calculix import Load, run_deck
from svevae.meshes.deck import Pull, write_deck
from svevae.meshes.mesh import Mesh
from svevae.meshes.reading import read_mesh
from svevae.meshes.results import read_results
from svevae.parts.config import load_multiscale
from svevae.parts.direct import Direct
from svevae.parts.fields import PropertyField
from svevae.parts.ground import Ground
from svevae.physics.elasticity import Material
from svevae.physics.microstructure import make_part
from svevae.physics.part import Response
from svevae.physics.voce import voce_curve
from svevae.scans.options import ImportOptions
from svevae.use.field import Corner, read_scan
from svevae.use.mesh_average import Averages
from svevae.use.mesh_curves import curves_of
from svevae.use.mesh_options import MeshOptions
from svevae.use.mesh_places import Grid, Places

HERE = Path(__file__).parent
ROOT = HERE.parent
RESULT = Path(__file__).with_suffix(".json")
FOLDER = Path(".checkpoints/notched")
MODEL = "champion/model"
N, VOXEL = 32, 0.01  # voxels of an SVE's edge, mm
SEED = 11
PORES = {"porosity": 0.04, "pore_length": 5.0, "elongation": 1.5}
PORES |= {"modulation_length": 48, "modulation_strength": 0.6}
STRAIN = 0.015  # of the distance of the clamps
SHAPES = """
import sys

import gmsh

kind, path, x, y, z, radius, size = sys.argv[1], sys.argv[2], *map(float, sys.argv[3:])
gmsh.initialize()
gmsh.option.setNumber("General.Terminal", 0)
build = gmsh.model.occ
if kind == "bar":
    body = build.addCylinder(x / 2, y / 2, 0, 0, 0, z, x / 2)
    tool = build.addTorus(x / 2, y / 2, z / 2, x / 2, radius)
else:
    body = build.addBox(0, 0, 0, x, y, z)
    tool = build.addCylinder(x / 2, -y, z / 2, 0, 3 * y, 0, radius)
(solid,) = build.cut([(3, body)], [(3, tool)])[0]
build.synchronize()
gmsh.model.addPhysicalGroup(3, [solid[1]], name="PART")
gmsh.option.setNumber("Mesh.MeshSizeMax", size)
gmsh.option.setNumber("Mesh.MeshSizeFromCurvature", 20)
gmsh.option.setNumber("Mesh.HighOrderOptimize", 2)
gmsh.model.mesh.generate(3)
gmsh.model.mesh.setOrder(2)
gmsh.write(path)
"""


@dataclass(frozen=True)
class Part:
    """A part in a box of `sves` (3,), with a notch or hole of `radius` SVEs."""

    kind: str
    sves: tuple[int, int, int]
    radius: float

    @property
    def voxels(self) -> tuple[int, int, int]:
        x, y, z = (N * count for count in self.sves)
        return x, y, z

    def mesh(self, python: Path, size: float) -> Mesh:
        """Elements C3D10 of at most `size` SVEs' edges, in mm."""
        path = FOLDER / f"{self.kind}-{size:g}.inp"
        if not path.is_file():
            numbers = [str(N * VOXEL * one) for one in (*self.sves, self.radius, size)]
            subprocess.run([python, "-c", SHAPES, self.kind, path, *numbers], check=True)
        return read_mesh(path)


PARTS = (Part("bar", (5, 5, 7), 1.0), Part("plate", (6, 2, 8), 1.0))
SIZES = (0.7, 0.45)  # of elements, in SVEs' edges: the second one is to tell what the first costs


def ground() -> Ground:
    return Ground.read(ROOT / load_multiscale(ROOT / "multiscale/params.yaml").parts.dataset)


def direct(part: Part, pores: np.ndarray, outline: np.ndarray) -> tuple[Response, float]:
    """The response with every pore resolved, and the seconds it took."""
    shared = load_multiscale(ROOT / "multiscale/params.yaml").parts
    strain = tuple(one for one in shared.strain if one < 1.3 * STRAIN)
    settings = Direct(ground().material, strain, shared.tolerance, N)
    return settings.simulate(pores, outline, part.kind)


@dataclass(frozen=True)
class Materials:
    """Of a mesh: `bins`, and the one of each element (element,)."""

    bins: Bins
    of: np.ndarray


def options(scan: Path) -> MeshOptions:
    return MeshOptions(scan, pull="ZMAX", hold="ZMIN", strain=STRAIN, clamp=True)


def of_scan(scan: Path, field: str, mesh: Mesh) -> Materials:
    """Each element has the properties of the SVEs round it, as `fields` names them."""
    chosen = options(scan)

    def covers(shape: tuple[int, int, int], edge: float, corner: Corner | None) -> np.ndarray:
        return Grid.of_voxels(shape, edge, corner, chosen).covered(mesh)

    read = read_scan(scan, str(ROOT / MODEL), ImportOptions(voxel_size=10.0), None, covers)
    curves, solid = curves_of(fields(read.field)[field], read.law)
    grid = Grid.of_scan(read, chosen)
    places = Places.of(mesh, grid, solid, chosen, read.share)
    assert not places.missing.any()
    own, which = Averages(places.weights).curves(curves, solid)
    bins = binned(own, chosen.tolerance)
    return Materials(bins, bins.which[which])


def of_matrix(matrix: Material, mesh: Mesh) -> Materials:
    """The metal of the matrix everywhere."""
    E, nu, s0, Q, b = (float(one) for one in (matrix.E, matrix.nu, matrix.s0, matrix.Q, matrix.b))
    strain = np.geomspace(s0 / E, 3 * STRAIN, 60)
    stress = voce_curve(E, s0, Q, b, strain)[None]
    curves = Curves(strain, np.array([E]), np.array([nu]), stress)
    return Materials(
        binned(curves, options(Path("mesh")).tolerance), np.zeros(len(mesh.elements), int)
    )


def on_mesh(
    part: Part, mesh: Mesh, name: str, materials: Callable[[Mesh], Materials]
) -> tuple[Load, dict]:
    """The load curve of a part by CalculiX, and plastic strains (x, y, z) of SVEs, with seconds
    from where the materials are sought.
    """
    began = time.monotonic()
    found = materials(mesh)
    pull = Pull.between(mesh, "ZMAX", "ZMIN", STRAIN, increments=30, clamped=True)
    deck = FOLDER / f"{name}.inp"
    write_deck(deck, mesh, found.bins, found.of, [name], pull)
    load = run_deck(deck)
    results = read_results(deck)
    seconds = time.monotonic() - began
    there = Grid.of_voxels(part.sves, 10.0 * N, None, options(deck)).sves(mesh.points)
    values = np.nan_to_num(results.field("PE")[:, 0])
    count = np.bincount(there, minlength=int(np.prod(part.sves)))
    mean = np.bincount(there, values, len(count)) / np.maximum(count, 1)
    said = {"elements": len(mesh.elements), "materials": len(found.bins.curves), "seconds": seconds}
    return load, said | {"plastic": mean.reshape(part.sves)}


def fields(known: PropertyField) -> dict[str, PropertyField]:
    """What SVEs have by their codes, by the mean of the part, and by their porosity."""
    alone = ground().porosity_only(replace(known, porosity=np.nan_to_num(known.porosity)))
    return {"latent": known, "mean": known.homogeneous(), "porosity": alone}


def compare(truth: Response, load: Load, area: float) -> dict[str, float]:
    """Errors in % of the yield load and of the curve, at the strains of the direct simulation."""
    inside = truth.strain[0] <= STRAIN
    strain, stress = truth.strain[0][inside], truth.stress[0][inside]
    found = np.interp(strain, load.displacement / load.length, load.force / area)
    error = 100 * (found / stress - 1)
    proof = load.yield_load
    assert proof is not None
    return {
        "yield": 100 * (proof / area / float(truth.yield_stress[0]) - 1),
        "curve_rms": float(np.sqrt(np.square(error).mean())),
        "curve_worst": float(error[np.abs(error).argmax()]),
        "at": {f"{at:.4f}": float(one) for at, one in zip(strain, error, strict=True)},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gmsh", type=Path, default=ROOT / ".venv-benchmark/bin/python")
    python = parser.parse_args().gmsh
    FOLDER.mkdir(parents=True, exist_ok=True)
    table = {}
    for part in PARTS:
        table[part.kind] = row = row_of(part, *(part.mesh(python, size) for size in SIZES))
        print(json.dumps({part.kind: row}, indent=1), flush=True)
    RESULT.write_text(json.dumps(table, indent=1) + "\n")


def row_of(part: Part, mesh: Mesh, finer: Mesh) -> dict:
    """A part with pores by each kind of properties, and without pores."""
    pores = make_part("gaussian", part.voxels, SEED, 0, PORES)
    whole = Grid.of_voxels(part.voxels, 10.0, None, options(Path("mesh")))
    outline = whole.covered(mesh)
    scan = FOLDER / f"{part.kind}.npy"
    np.save(scan, np.where(outline, pores, 1).astype(np.uint8))
    response, seconds = direct(part, pores, outline)
    row: dict = {
        "voxels": int(outline.sum()),
        "pores": float(pores[outline].mean()),
        "direct": {"seconds": seconds, "yield": float(response.yield_stress[0])},
    }
    box = part.sves[0] * part.sves[1] * (N * VOXEL) ** 2
    last = int(np.flatnonzero(response.strain[0] <= STRAIN)[-1])
    plastic = response.plastic[0, last]
    inner = outline.reshape(*(v for n in part.sves for v in (n, N))).mean(axis=(1, 3, 5)) > 0.5
    for field in ("latent", "mean", "porosity"):
        load, found = on_mesh(part, mesh, f"{part.kind}-{field}", partial(of_scan, scan, field))
        there = found.pop("plastic")
        row[field] = found | compare(response, load, box)
        row[field]["plastic_correlation"] = float(np.corrcoef(there[inner], plastic[inner])[0, 1])
    matrix = partial(of_matrix, ground().material)
    full, _ = direct(part, np.zeros_like(pores), outline)
    for name, one, materials, truth in (
        ("latent, finer", finer, partial(of_scan, scan, "latent"), response),
        ("no pores", mesh, matrix, full),
        ("no pores, finer", finer, matrix, full),
    ):
        load, found = on_mesh(
            part, one, f"{part.kind}-{'-'.join(re.findall('[a-z]+', name))}", materials
        )
        del found["plastic"]
        row[name] = found | compare(truth, load, box)
    return row


if __name__ == "__main__":
    main()
