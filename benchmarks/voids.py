"""Elastic moduli of periodic arrays of spherical voids, from voxel cells of 32 to 128 voxels
extrapolated to voxels of no size.

    python -m benchmarks.voids

Solves what benchmarks/voids.json does not have yet, about an hour on one core from nothing, and
writes the file whole after each result; prints the tables of docs/voids.md.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.void_series import moduli_by_series
from tqdm import tqdm

from svevae.files import write_text
from svevae.physics.elasticity import PRESETS, moduli, young
from svevae.physics.homogenize import Settings, Solver
from svevae.physics.microstructure import make_part

RESULT = Path(__file__).with_suffix(".json")
CENTRES = {
    "simple cubic": [(0, 0, 0)],
    "body-centred": [(0, 0, 0), (0.5, 0.5, 0.5)],
    "face-centred": [(0, 0, 0), (0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0)],
}
POROSITIES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4)
POISSON = (0.3, 0.33)  # the second is that of AlSi10Mg in PRESETS
SHIFTS = {32: 8, 48: 4, 64: 4, 96: 1, 128: 1}  # how many, by the voxels along an edge
COLUMNS = ("K/Ks", "C'/Gs", "C44/Gs", "E100/Es")
OBLATE, PARTS = (0.1, 0.3, 0.5), 4  # porosities of oblate pores, cells of each
PLASTIC = 1.22074408460575947536  # x^4 = x + 1: its powers spread points evenly in a cube
SETTINGS = Settings(elastic_tolerance=1e-5)  # in double precision the ratios are 1e-7 apart


def cell(lattice: str, porosity: float, n: int, shift: int) -> np.ndarray:
    """(n, n, n) voxels, 1 where the centre lies in a void.

    The array is moved by a part of a voxel, another for each `shift`, so that no voxel lies as far
    from a void's centre as another does but by the lattice's own translations; the radius is then
    the one that gives the porosity, within half a voxel a void.
    """
    moved = (shift + 1) * PLASTIC ** -np.arange(1.0, 4.0) % 1
    squared = np.full((n, n, n), np.inf)
    for centre in CENTRES[lattice]:
        away = (np.arange(n) + 0.5 - moved[:, None]) / n - np.array(centre)[:, None]
        x, y, z = np.square((away + 0.5) % 1 - 0.5)
        np.minimum(squared, x[:, None, None] + y[:, None] + z, out=squared)
    voxels = np.zeros(n**3, np.uint8)
    voxels[np.argsort(squared, axis=None)[: _count(lattice, porosity, n)]] = 1
    return voxels.reshape(n, n, n)


def _count(lattice: str, porosity: float, n: int) -> int:
    """Pore voxels of a cell: as many in each void."""
    voids = len(CENTRES[lattice])
    return voids * round(porosity * n**3 / voids)


def solve(lattice: str, porosity: float, nu: float, n: int, shift: int) -> list[float]:
    """K, (C11 - C12) / 2 and C44 of a cell over the matrix's, from all six cases: the means over
    the axes, since a shift leaves them a little unlike.
    """
    material = replace(PRESETS["as-built-z"], E=1.0, nu=nu)
    voxels = cell(lattice, porosity, n, shift)
    C = Solver((n, n, n), SETTINGS).elastic(material, voxels[None]).stiffness[0]
    C11, all_normal = np.trace(C[:3, :3]) / 3, C[:3, :3].sum()
    C12 = (all_normal - 3 * C11) / 6
    bulk, shear = moduli(1.0, nu)
    ratios = (all_normal / 9 / bulk, (C11 - C12) / 2 / shear, np.trace(C[3:, 3:]) / 6 / shear)
    return [round(float(ratio), 7) for ratio in ratios]


def oblate(porosity: float, part: int) -> float:
    """Young's modulus over the matrix's, mean of the axes, of a cell of overlapping oblate pores,
    1 : 1 : 0.25, every direction alike, 25.4 voxels across; 96 along an edge.
    """
    pores = {"porosity": porosity, "diameter": 16.0, "diameter_spread": 0.0}
    shape = {"elongation": 0.25, "tilt": 90.0}
    voxels = make_part("overlapping_ellipsoids", (96,) * 3, 0, part, pores | shape)
    material = replace(PRESETS["as-built-z"], E=1.0, nu=0.2)
    solver = Solver((96,) * 3, Settings(elastic_tolerance=1e-3))  # right to 1e-6
    C = solver.elastic(material, voxels[None]).stiffness[0]
    return round(float(np.mean([young(C, axis) for axis in "xyz"])), 4)


def young_100(bulk: np.ndarray, shear: np.ndarray, nu: float) -> np.ndarray:
    """Young's modulus along a cube's edge over the matrix's, from the ratios of K and of (C11 -
    C12) / 2.
    """
    K, G = (ratio * modulus for ratio, modulus in zip((bulk, shear), moduli(1.0, nu), strict=True))
    return 9 * K * G / (3 * K + G)


def hashin_shtrikman(porosity: np.ndarray | float, nu: float) -> np.ndarray:
    """(2, ...): upper bounds of K and G of an isotropic porous solid over the matrix's (1963)."""
    K, G = moduli(1.0, nu)
    a = 3 * K / (4 * G), 6 * (K + 2 * G) / (9 * K + 8 * G)
    return np.array([(1 - np.asarray(porosity)) / (1 + np.asarray(porosity) * each) for each in a])


def dilute(nu: float) -> np.ndarray:
    """(2,): by how much of the porosity few voids lower K and G (Mackenzie 1950)."""
    K, G = moduli(1.0, nu)
    return np.array([1 + 3 * K / (4 * G), 15 * (1 - nu) / (7 - 5 * nu)])


def extrapolated(
    cells: dict[str, Any], lattice: str, porosity: float, nu: float
) -> tuple[np.ndarray, np.ndarray]:
    """(4,) K, (C11 - C12) / 2, C44 and E along an edge for voxels of no size, and standard errors.

    Least squares a + b / n + c / n^2 through every cell; cells scatter as 1 / n^2. What a cell
    misses of its porosity is put right by the bounds' slope.
    """
    sizes, ratios = [], []
    for n, solved in cells.items():
        if n == "series":
            continue
        met = _count(lattice, porosity, int(n)) / int(n) ** 3
        bulk, shear = hashin_shtrikman(porosity, nu) / hashin_shtrikman(met, nu)
        values = np.array(solved) * [bulk, shear, shear]
        sizes += [int(n)] * len(solved)
        ratios += list(np.column_stack([values, young_100(values[:, 0], values[:, 1], nu)]))
    weight = np.array(sizes, float)[:, None] ** 2
    design = weight * (1 / np.array(sizes, float)[:, None]) ** [0, 1, 2]
    found, missed, *_ = np.linalg.lstsq(design, weight * ratios, rcond=None)
    variance = np.linalg.inv(design.T @ design)[0, 0] * missed / (len(sizes) - 3)
    return found[0], np.sqrt(variance)


def tables(found: dict[str, Any]) -> dict[str, str]:
    """Markdown, by the heading of each table."""
    out = {}
    for nu in POISSON:
        for lattice in CENTRES:
            rows = ["| porosity | " + " | ".join(f"{name} | voxels" for name in COLUMNS) + " |"]
            rows.append("| --- " * (1 + 2 * len(COLUMNS)) + "|")
            for porosity in POROSITIES:
                solved = found[f"nu {nu:g}"][lattice][f"{porosity:g}"]
                exact = np.array(solved["series"])
                exact = [*exact, young_100(*exact[:2], nu)]
                pairs = zip(exact, *extrapolated(solved, lattice, porosity, nu), strict=True)
                cells = [f"{e:.5f} | {v:.5f} ± {2 * s:.5f}" for e, v, s in pairs]
                rows.append(f"| {100 * porosity:g} % | " + " | ".join(cells) + " |")
            out[f"{lattice.capitalize()}, nu = {nu:g}"] = "\n".join(rows)
    out["What cells of n voxels take too much"] = _excess_table(found)
    out["The dilute limit"] = _dilute_table(found)
    rows = ["| porosity | (1 - porosity / 0.798)^2.25 | svevae |", "| --- | --- | --- |"]
    for porosity in OBLATE:
        cells = np.array(found["oblate"][f"{porosity:g}"])
        error = 2 * cells.std(ddof=1) / len(cells) ** 0.5
        law = (1 - porosity / 0.798) ** 2.25
        rows.append(f"| {100 * porosity:g} % | {law:.3f} | {cells.mean():.3f} ± {error:.3f} |")
    out["Overlapping oblate pores"] = "\n".join(rows)
    return out


def _excess_table(found: dict[str, Any]) -> str:
    """The least and the most of all lattices, matrices and of K, C' and C44, mean of the shifts."""
    rows = ["| porosity | " + " | ".join(f"n = {n}" for n in SHIFTS) + " |"]
    rows.append("| --- " * (1 + len(SHIFTS)) + "|")
    for porosity in POROSITIES:
        cells = []
        for n in SHIFTS:
            of = [
                found[f"nu {nu:g}"][lattice][f"{porosity:g}"]
                for nu in POISSON
                for lattice in CENTRES
            ]
            exact = np.array([one["series"] for one in of])
            taken = 1 - np.array([np.mean(one[f"{n}"], axis=0) for one in of])
            excess = 100 * (taken / (1 - exact) - 1)
            cells.append(f"{excess.min():.1f} to {excess.max():.1f} %")
        rows.append(f"| {100 * porosity:g} % | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def _dilute_table(found: dict[str, Any]) -> str:
    names = [f"{lattice}: series | voxels" for lattice in CENTRES]
    rows = ["| nu | of | exact | " + " | ".join(names) + " |", "| --- " * 9 + "|"]
    for nu in POISSON:
        limits = {lattice: dilute_limits(found, lattice, nu) for lattice in CENTRES}
        for number, name in enumerate(COLUMNS[:3]):
            cells = [f"{value[number]:.3f}" for pair in limits.values() for value in pair]
            exact = dilute(nu)[min(number, 1)]
            rows.append(f"| {nu:g} | {name} | {exact:.3f} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def dilute_limits(found: dict[str, Any], lattice: str, nu: float) -> tuple[np.ndarray, np.ndarray]:
    """(3,) each: the shares of the porosity that few voids take from the moduli, by the series and
    by voxels, from 1, 2 and 5 %.

    Porosity over what it takes away is nearly straight, as the bounds are; a line is fitted to it.
    """
    few = np.array(POROSITIES[:3])
    of = [found[f"nu {nu:g}"][lattice][f"{p:g}"] for p in few]
    series = np.array([solved["series"] for solved in of])
    voxels = np.array(
        [extrapolated(one, lattice, p, nu)[0][:3] for one, p in zip(of, few, strict=True)]
    )
    first, second = (
        1 / np.polynomial.polynomial.polyfit(few, few[:, None] / (1 - ratios), 1, w=few)[0]
        for ratios in (series, voxels)
    )
    return first, second


def main() -> None:
    found: dict[str, Any] = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    cases = list(itertools.product(POISSON, CENTRES, POROSITIES))
    todo: list[tuple[Any, ...]] = [("series", 0, *case) for case in cases]
    todo += [
        (n, shift, *case)
        for n, shifts in SHIFTS.items()
        for shift in range(shifts)
        for case in cases
    ]
    for n, shift, nu, lattice, porosity in tqdm(todo, unit="cell"):
        solved = found
        for key in (f"nu {nu:g}", lattice, f"{porosity:g}"):
            solved = solved.setdefault(key, {})
        if n == "series" and n not in solved:
            exact = moduli_by_series(lattice, porosity, nu)
            solved[n] = [round(float(ratio), 7) for ratio in exact]
        elif n != "series" and len(solved.setdefault(f"{n}", [])) == shift:
            solved[f"{n}"].append(solve(lattice, porosity, nu, n, shift))
        else:
            continue
        write_text(RESULT, json.dumps(found))
    for porosity, part in tqdm(list(itertools.product(OBLATE, range(PARTS))), unit="cell"):
        cells = found.setdefault("oblate", {}).setdefault(f"{porosity:g}", [])
        if len(cells) == part:
            cells.append(oblate(porosity, part))
            write_text(RESULT, json.dumps(found))
    print(*(f"### {name}\n\n{table}" for name, table in tables(found).items()), sep="\n\n")


if __name__ == "__main__":
    main()
