"""Fields that CalculiX leaves of bars in a uniform state: the plastic strain is the strain less the
stress over E, everywhere.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import meshio
import numpy as np
import pandas as pd
import pytest

from svevae.errors import DataError
from svevae.meshes.bins import Bins
from svevae.meshes.calculix import run_deck
from svevae.meshes.deck import Pull, write_deck
from svevae.meshes.frd import Increment
from svevae.meshes.mesh import Mesh
from svevae.meshes.results import Results, read_results
from tests.meshes.bars import bar
from tests.meshes.test_calculix import BINS, CURVES, STRAIN, needs_ccx


@needs_ccx
@pytest.mark.parametrize("kind", ["C3D8I", "C3D10", "C3D20R", "C3D15"])
def test_a_bar_of_one_material(kind: str, tmp_path: Path) -> None:
    """At all nodes and increments, to the accuracy of six digits and of the return mapping."""
    mesh, path = bar(kind, (2, 1, 3), 0.5), tmp_path / "a.inp"
    pull = Pull.between(mesh, "TOP", "BOTTOM", 0.03)
    write_deck(path, mesh, BINS, np.zeros(len(mesh.elements), int), pull=pull)
    load = run_deck(path)
    results = read_results(path)
    assert results.damage is None
    np.testing.assert_array_equal(results.mesh.numbers, mesh.numbers)
    strain = load.displacement / load.length
    stress = CURVES.tension(strain)[0]
    table = results.columns(load.displacement)
    np.testing.assert_allclose(table["peak PEEQ"], strain - stress / 70e3, rtol=2e-3, atol=2e-6)
    assert table["node of the peak"][0] is None  # elastic
    plastic = 0.03 - stress[-1] / 70e3
    np.testing.assert_allclose(results.field("PE"), plastic, rtol=1e-3)
    np.testing.assert_allclose(results.von_mises, stress[-1], rtol=1e-3)
    np.testing.assert_allclose(results.field("STRESS")[:, 2], stress[-1], rtol=1e-3)
    along = results.field("DISP")[:, 2]
    np.testing.assert_allclose(along, 0.03 * mesh.points[:, 2], rtol=1e-3, atol=1e-9)
    peak = results.peak
    assert peak.value == pytest.approx(plastic, rel=1e-3)
    assert peak.node in mesh.numbers
    assert peak.element in mesh.elements


@needs_ccx
def test_two_materials_in_series(tmp_path: Path) -> None:
    """Each half flows by its own curve at the stress of both, but for where they meet and neither
    contracts as it would; the peak is in the weaker one, named by its SVE and material.
    """
    curves = replace(CURVES, nu=np.full(2, 1e-9))
    mesh, path = bar("C3D8I", (1, 1, 12)), tmp_path / "a.inp"
    upper = mesh.geometry()[0][:, 2] > 6
    pull = Pull.between(mesh, "TOP", "BOTTOM", 0.01)
    write_deck(path, mesh, Bins(curves, np.arange(2)), upper.astype(int), pull=pull)
    table = pd.DataFrame({"element": mesh.elements, "x [mm]": 0.5, "sve": 40 + upper})
    table["material"] = 1 + upper
    table.sample(frac=1, random_state=1).to_csv(path.with_suffix(".csv"), index=False)
    load = run_deck(path)
    results = read_results(path)
    stress = load.force[-1]
    plastic = [
        np.interp(stress, one, STRAIN) - stress / E
        for one, E in zip(curves.stress, curves.E, strict=True)
    ]
    assert plastic[1] > 3 * plastic[0]
    z, found = mesh.points[:, 2], results.field("PE")[:, 0]
    for here, expected in ((z == 0, plastic[0]), (z == 12, plastic[1])):
        np.testing.assert_allclose(found[here], expected, rtol=5e-3)
    # CalculiX averages both at nodes between them
    assert (found[z == 6] < 0.7 * plastic[1]).all()
    peak = results.peak
    assert peak.place[2] > 6
    assert peak.element in mesh.elements[upper]
    assert peak.about == {"SVE": 41, "material": 2}
    told = peak.told("mm")
    assert told.startswith(
        f"largest equivalent plastic strain {peak.value:.3%} at node {peak.node}"
    )
    assert told.endswith(f"mm), element {peak.element} (SVE 41, material 2)")
    assert "x [mm]" not in results.table


@needs_ccx
def test_a_file_for_paraview(tmp_path: Path) -> None:
    mesh, path = bar("C3D8I", (1, 1, 2)), tmp_path / "a.inp"
    pull = Pull.between(mesh, "TOP", "BOTTOM", 0.01, unit="um", increments=4)
    write_deck(path, mesh, BINS, np.zeros(len(mesh.elements), int), pull=pull)
    run_deck(path)
    path.with_suffix(".csv").write_text("element,E [MPa],why\n14,2,b\n7,1,a\n", encoding="utf-8")
    results = read_results(path)
    results.write(tmp_path / "a-result.vtu")
    found = meshio.read(tmp_path / "a-result.vtu")
    assert found.point_data["displacement [um]"].shape == (12, 3)
    assert found.point_data["stress [MPa]"].shape == (12, 6)
    np.testing.assert_allclose(found.point_data["PEEQ"], results.field("PE")[:, 0])
    np.testing.assert_allclose(found.point_data["von Mises stress [MPa]"], results.von_mises)
    assert found.point_data["node"].tolist() == mesh.numbers.tolist()
    assert found.cell_data["element"][0].tolist() == [7, 14]
    assert found.cell_data["E [MPa]"][0].tolist() == [1, 2]
    assert set(found.cell_data) == {"element", "E [MPa]"}


@needs_ccx
def test_a_run_that_stopped(tmp_path: Path) -> None:
    """CalculiX ends at its third increment, and a file is cut off in the second."""
    mesh, path = bar("C3D8I", (1, 1, 2)), tmp_path / "a.inp"
    pull = Pull.between(mesh, "TOP", "BOTTOM", 0.02, increments=5)
    write_deck(path, mesh, BINS, np.zeros(len(mesh.elements), int), pull=pull)
    path.write_text(
        path.read_text(encoding="utf-8").replace("INC=10000", "INC=3"), encoding="utf-8"
    )
    load = run_deck(path)
    assert not load.whole
    results = read_results(path)
    assert (len(results.peaks), results.damage) == (3, None)
    assert results.displacement == pytest.approx(load.displacement)
    frd = path.with_suffix(".frd")
    frd.write_bytes(frd.read_bytes()[: frd.stat().st_size // 2])
    results = read_results(path)
    assert len(results.peaks) == 1
    assert results.damage is not None
    assert "ends within increment 2" in results.damage
    found = results.columns(load.displacement)
    assert np.isnan(found["peak PEEQ"]).tolist() == [False, True, True]
    assert [one is None for one in found["node of the peak"]] == [False, True, True]
    load.write(tmp_path / "a.csv", found)
    assert (tmp_path / "a.csv").read_text(encoding="utf-8").splitlines()[-1].endswith(",,")


def test_of_a_state_made_by_hand() -> None:
    """Nodes in another order than those of the mesh, one that no element has, and von Mises'
    stress of shear.
    """
    cube = bar("C3D8")
    mesh = Mesh(np.append(cube.numbers, 1), np.vstack([cube.points, [[9.0] * 3]]), cube.blocks)
    nodes = cube.numbers[::-1]
    stress = np.zeros((8, 6))
    stress[:, 3] = nodes
    fields = {"DISP": np.zeros((8, 3)), "STRESS": stress, "PE": nodes[:, None] * 1e-4}
    last = Increment(1, 1, 1.0, nodes, fields)
    one = np.ones(1)
    results = Results(mesh, pd.DataFrame(), last, one, np.array([8.1e-3]), np.array([81]))
    np.testing.assert_allclose(results.von_mises[:-1], np.sqrt(3) * cube.numbers)
    assert np.isnan(results.field("PE")[-1])
    assert (results.peak.node, results.peak.element, results.peak.about) == (81, 7, {})
    still = replace(results, peaks=np.zeros(1))
    assert still.peak.told("mm") == "no plastic strain yet"
    assert still.columns(one)["node of the peak"].tolist() == [None]


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"a.frd: expected what CalculiX writes of a deck, received"
    ):
        read_results(tmp_path / "a.inp")
