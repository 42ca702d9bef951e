"""Decks that CalculiX runs. A bar of one material under tension is in the same state everywhere, so
force over area is the table of its curve, whatever the elements.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from svevae.errors import DataError, SolverError
from svevae.meshes.bins import Bins, Curves
from svevae.meshes.calculix import Load, read_load, run_deck
from svevae.meshes.deck import Pull, write_deck
from svevae.meshes.elements import ELEMENTS
from svevae.meshes.mesh import Mesh
from svevae.meshes.results import read_results
from svevae.physics.elasticity import PorousMaterial
from svevae.physics.hardening import Hardening
from svevae.physics.part import pull
from tests.meshes.bars import bar

needs_ccx = pytest.mark.skipif(
    shutil.which("ccx") is None, reason="needs CalculiX, apt install calculix-ccx"
)
# a round knee, then hardening
STRAIN = np.array([0.001, 0.002, 0.003, 0.004, 0.006, 0.01, 0.02, 0.04])
STRESS = np.array([70.0, 138.0, 180.0, 200.0, 215.0, 230.0, 250.0, 270.0])
CURVES = Curves(
    STRAIN,
    np.array([70e3, 63e3]),
    np.array([0.33, 0.3]),
    np.stack([STRESS, 0.9 * STRESS]),
)
BINS = Bins(CURVES, np.arange(2))


def pulled(mesh: Mesh, path: Path, which: np.ndarray, strain: float = 0.03) -> Load:
    write_deck(path, mesh, BINS, which, pull=Pull.between(mesh, "TOP", "BOTTOM", strain))
    return run_deck(path)


@needs_ccx
@pytest.mark.parametrize("kind", ELEMENTS)
def test_one_material_answers_as_its_table(kind: str, tmp_path: Path) -> None:
    """A distorted box of two cells of 0.5: the curve at all increments within 0.1 %."""
    mesh = bar(kind, (1, 1, 2), 0.5)
    points = mesh.points.copy()
    points[:, 0] *= 1 + 0.2 * points[:, 1]  # sides that are no right angles
    mesh = replace(mesh, points=points)
    area = 0.25 * 1.05
    load = pulled(mesh, tmp_path / "a.inp", np.zeros(len(mesh.elements), int))
    assert load.whole
    assert len(load.force) >= 50
    expected = CURVES.tension(load.displacement / load.length)[0]
    np.testing.assert_allclose(load.force / area, expected, rtol=1e-3)
    strain = np.linspace(1e-4, 0.03, 3000)
    stress = CURVES.tension(strain)[0]
    proof = np.interp(0.002, strain - stress / 70e3, stress)
    assert load.yield_load == pytest.approx(area * proof, rel=3e-3)


@needs_ccx
def test_materials_side_by_side_and_in_series(tmp_path: Path) -> None:
    """Bars of two materials without Poisson's ratio: in parallel the force is the mean of both, in
    series the weaker one flows alone and their displacements add up.
    """
    curves = replace(CURVES, nu=np.full(2, 1e-9))
    at = np.linspace(0, 0.04, 4001)
    stress = curves.tension(at)
    for shape, name in (((2, 1, 1), "parallel"), ((1, 1, 2), "series")):
        mesh = bar("C3D8", shape)
        path = tmp_path / f"{name}.inp"
        pull = Pull.between(mesh, "TOP", "BOTTOM", 0.002)  # elastic, but for the knee
        write_deck(path, mesh, Bins(curves, np.arange(2)), np.array([0, 1]), pull=pull)
        load = run_deck(path)
        if name == "parallel":
            expected = [np.interp(load.displacement, at, one) for one in stress]
            np.testing.assert_allclose(load.force, sum(expected), rtol=2e-3)
        else:
            grid = np.linspace(0, 130, 500)
            total = sum(np.interp(grid, one, at) for one in stress)
            expected = np.interp(load.displacement, total, grid)
            np.testing.assert_allclose(load.force, expected, rtol=2e-3)


@needs_ccx
def test_between_clamps_a_flat_sheet_cannot_contract(tmp_path: Path) -> None:
    """Its modulus is E (1 - nu) / ((1 + nu) (1 - 2 nu)); between free faces it is E."""
    mesh, nu = bar("C3D8I", (2, 2, 1)), 0.33
    stiff = (1 - nu) / ((1 + nu) * (1 - 2 * nu))
    for clamped, expected in ((False, 1.0), (True, stiff)):
        path = tmp_path / f"{clamped}.inp"
        pull = Pull.between(mesh, "TOP", "BOTTOM", 1e-4, increments=2, clamped=clamped)
        write_deck(path, mesh, BINS, np.zeros(4, int), pull=pull)
        assert run_deck(path).force[-1] == pytest.approx(4 * 70e3 * 1e-4 * expected, rel=1e-4)


@needs_ccx
def test_the_force_is_in_newtons(tmp_path: Path) -> None:
    """A bar of 1 um, pulled down: MPa um^2 are micronewtons, and tension is positive."""
    mesh, path = bar("C3D8I"), tmp_path / "a.inp"
    pull = Pull.between(mesh, "BOTTOM", "TOP", displacement=0.001, unit="um", increments=2)
    write_deck(path, mesh, BINS, np.zeros(1, int), pull=pull)
    load = run_deck(path)
    assert load.force[-1] == pytest.approx(70e-6, rel=1e-4)
    assert load.displacement[-1] == pytest.approx(0.001)
    assert load.yield_load is None
    load.write(tmp_path / "a.csv")
    table = pd.read_csv(tmp_path / "a.csv", index_col="increment")
    assert list(table) == ["displacement [um]", "strain", "force [N]"]


@needs_ccx
@pytest.mark.parametrize("name", ["my part", "part\u2003 2.1", "p" * 200])
def test_names_that_ccx_does_not_take(name: str, tmp_path: Path) -> None:
    """Results have the deck's own name, and those of a deck called by its first word stay."""
    mesh, first, deck = bar("C3D8I"), tmp_path / "my.inp", tmp_path / f"{name}.inp"
    before = pulled(mesh, first, np.zeros(1, int))
    kept = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    load = pulled(mesh, deck, np.zeros(1, int))
    np.testing.assert_array_equal(load.force, before.force)
    assert read_results(deck).field("PE").max() > 0
    written = {path.name for path in tmp_path.iterdir()} - set(kept)
    assert {Path(one).stem for one in written} == {name}
    assert {Path(one).suffix for one in written} >= {".dat", ".frd", ".inp", ".log", ".sta"}
    assert {one: (tmp_path / one).read_bytes() for one in kept} == kept


@needs_ccx
def test_what_ccx_refuses_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "a.inp"
    mesh = bar("C3D8I")
    write_deck(path, mesh, BINS, np.zeros(1, int), pull=Pull.between(mesh, "TOP", "BOTTOM", 0.01))
    path.write_text(
        path.read_text(encoding="utf-8").replace(", MATERIAL=SVEVAE_1", ", MATERIAL=STEEL"),
        encoding="utf-8",
    )
    with pytest.raises(SolverError, match=r"(?s)a.inp: .* ended with 201 .*nonexistent material"):
        run_deck(path)


def test_without_ccx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, mesh = tmp_path / "a.inp", bar("C3D8I")
    write_deck(path, mesh, BINS, np.zeros(1, int), pull=Pull.between(mesh, "TOP", "BOTTOM", 0.01))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DataError, match=r"ccx: expected CalculiX on PATH.*apt install calculix"):
        run_deck(path)
    with pytest.raises(DataError, match="cannot be read: No such file"):
        run_deck(tmp_path / "b.inp")


def test_what_was_reached_is_kept(tmp_path: Path) -> None:
    """Of a run that stopped at half of the displacement."""
    path = tmp_path / "a.dat"
    text = " total force (fx,fy,fz) for set SVEVAE_PULL and time  {}\n\n  1.0E-16 2.0E+00 {}\n\n"
    path.write_text(
        text.format("0.2500000E+00", "1.5E+02") + text.format("0.5E+00", "3.0E+02"),
        encoding="utf-8",
    )
    step = {"axis": 2, "length": 2.0, "displacement": 0.1, "unit": "mm"}
    load = read_load(path, step)
    assert load is not None
    assert (load.whole, load.displacement.tolist(), load.force.tolist()) == (
        *(False, [0.025, 0.05]),
        [150.0, 300.0],
    )
    assert read_load(tmp_path / "b.dat", step) is None


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A real file system of a size, where the machine lets us mount one."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        yield folder
    finally:
        # lazily: the guard of ccx may still be ending there
        subprocess.run(["umount", "-l", str(folder)], check=True)


@needs_ccx
@pytest.mark.parametrize("size", ["12k", "256k"])
def test_a_full_disk(size: str, tmp_path: Path) -> None:
    """CalculiX loses what it writes there and exits with 0; what was reached is kept."""
    mesh = bar("C3D8I", (2, 2, 4), 0.5)
    with small_disk(tmp_path / "disk", size) as disk:
        told = f"{disk}: No space left on device; make room there"
        if size == "12k":
            with pytest.raises(SolverError, match="before the first increment: /") as raised:
                pulled(mesh, disk / "a.inp", np.zeros(16, int))
            assert told in str(raised.value)
            return
        load = pulled(mesh, disk / "a.inp", np.zeros(16, int))
    assert told in load.stopped
    assert not load.whole
    whole = pulled(mesh, tmp_path / "a.inp", np.zeros(16, int))
    assert (whole.whole, whole.stopped) == (True, "")
    np.testing.assert_array_equal(load.force, whole.force[: len(load.force)])


@needs_ccx
def test_what_ends_ccx_from_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit of the size of files stands for all signals."""
    real, folder = shutil.which("ccx"), tmp_path / "bin"
    folder.mkdir()
    program = folder / "ccx"
    program.write_text(f'#!/bin/sh\nulimit -f 100\nexec {real} "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    load = pulled(bar("C3D8I", (2, 2, 4), 0.5), tmp_path / "a.inp", np.zeros(16, int))
    assert not load.whole
    assert load.stopped.startswith("it was ended by SIGXFSZ, at the largest size that files may")


@needs_ccx
def test_a_bar_of_sves_as_our_own_solver_pulls_it(tmp_path: Path) -> None:
    """2 x 2 x 4 SVEs of two elements each way, E and strength scattered by a tenth, between elastic
    grips: a solver by FFT on a periodic cell and CalculiX give one load curve, to 0.4 %.

    In ours the grip lies between a bar and the next; here half of it at each end. Its own
    elongation is taken off.
    """
    shape, fine, grip = (2, 2, 4), 2, 10 * 70e3
    factor = np.random.default_rng(1).uniform(0.8, 1.0, shape)
    for axis in range(3):
        factor = factor.repeat(fine, axis)
    scale = factor.ravel()
    own = Curves(STRAIN, 70e3 * scale, np.full(scale.shape, 0.33), STRESS * scale[:, None])
    tables = [own.table(k, 0.0) for k in range(factor.size)]
    stress, plastic = (
        np.array(one).reshape(1, *factor.shape, -1) for one in zip(*tables, strict=True)
    )
    nothing = np.zeros((1, *factor.shape))
    material = PorousMaterial(
        E=70e3 * factor[None],
        nu=nothing + 0.33,
        s0=nothing,
        Q=nothing,
        b=nothing,
        nu_p=nothing + 0.5,
        hardening=Hardening(plastic, stress),
    )
    aims = np.array([0.0005, 0.001, 0.002, 0.004, 0.008, 0.014])
    ours = pull(material, np.ones(factor.shape, bool), aims, grip=fine)

    x, y, z = factor.shape
    mesh = bar("C3D8I", (x, y, z + fine))
    inner = np.full((x, y, z + fine), factor.size)
    inner[..., fine // 2 : -fine // 2] = np.arange(factor.size).reshape(x, y, z)
    curves = Curves(
        STRAIN,
        np.append(own.E, grip),
        np.append(own.nu, 0.33),
        np.vstack([own.stress, grip * STRAIN]),  # elastic as far as it is strained
    )
    path = tmp_path / "a.inp"
    bins = Bins(curves, np.arange(len(curves)), slack=1e-3)
    ends = Pull.between(mesh, "TOP", "BOTTOM", displacement=0.018 * z)
    write_deck(path, mesh, bins, inner.ravel(), pull=ends)
    load = run_deck(path)
    elongation = load.displacement - load.force * fine / (grip * x * y)
    force = np.interp(ours.strain[0], elongation / z, load.force / (x * y))
    np.testing.assert_allclose(force, ours.stress[0], rtol=4e-3)
