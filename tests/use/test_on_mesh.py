"""Properties of a scan on the elements of a mesh: which SVE an element gets, what is said of those
without, what is refused. A stand-in encodes the porosity.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import h5py
import meshio
import numpy as np
import pandas as pd
import PIL.Image
import pytest

from svevae.cli import main
from svevae.dataset.store import write_dataset
from svevae.errors import DataError
from svevae.meshes.bins import Bins, Curves
from svevae.meshes.deck import Pull, write_deck
from svevae.meshes.inp import read_inp
from svevae.meshes.mesh import Mesh
from svevae.model.latent import Response
from svevae.parts.fields import Law, PropertyField
from svevae.scans.options import ImportOptions
from svevae.use import field as module
from svevae.use import mesh_sample
from svevae.use.mesh_curves import curves_of
from svevae.use.mesh_options import MeshOptions
from svevae.use.on_mesh import Deck, Plot, deck_file
from tests.contracts import make_contract
from tests.meshes.bars import bar
from tests.meshes.test_calculix import needs_ccx
from tests.scans.readers.surfaces import cuboid, save
from tests.use.test_field import LABELS, VOLUME, stand_in

LAW = (70e3, 0.33, 200.0, 300.0, 40.0)


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SimpleNamespace:
    """Predicts whole curves; SVEs of 4 voxels of 10 um, so 0.04 mm. The folder has a scan."""
    model = stand_in()
    model.contract = make_contract(labels=LABELS, law=LAW)

    def response(latent: np.ndarray) -> Response:
        stress = (1 - latent)[:, None] * np.array([300.0, 400.0])
        strain = np.array([[0.01, 0.03]]).repeat(len(latent), 0)
        return Response(strain, stress, 0 * stress, np.zeros(0))

    model.response = response
    monkeypatch.chdir(tmp_path)
    for one in (module, mesh_sample):
        monkeypatch.setattr(one, "load", lambda _, material: model)
    np.save("scan.npy", VOLUME)
    return model


def write_mesh(mesh: Mesh, name: str = "mesh.inp") -> Path:
    """A file of a mesh, with one material that nobody reads."""
    one = Curves(np.ones(1), np.ones(1), np.zeros(1), np.ones((1, 1)))
    path = Path(name).resolve()
    write_deck(path, mesh, Bins(one, np.zeros(1, int)), np.zeros(len(mesh.elements), int))
    return path


def deck(chosen: MeshOptions, **options: object) -> tuple[str, Mesh, pd.DataFrame]:
    said = deck_file(Path("scan.npy"), Path("part.inp"), "any", ImportOptions(**options), chosen)
    assert Path("part.vtu").is_file()
    return said, read_inp(Path("part.inp")), pd.read_csv("part.csv", index_col="element")


def porosity(x: int, y: int, z: int) -> float:
    return VOLUME[4 * x : 4 * x + 4, 4 * y : 4 * y + 4, 4 * z : 4 * z + 4].mean()


def test_each_element_gets_its_sve(model: SimpleNamespace) -> None:
    """2 x 2 x 2 elements as large as the SVEs, and their numbers 7, 14 and so on."""
    path = write_mesh(bar("C3D8", (2, 2, 2), 0.04))
    chosen = MeshOptions(path, pull="TOP", hold="BOTTOM", strain=0.02)
    said, mesh, table = deck(chosen)
    expected = [porosity(x, y, z) for x in range(2) for y in range(2) for z in range(2)]
    np.testing.assert_allclose(table["porosity"], expected, rtol=1e-6)
    np.testing.assert_allclose(table["E [MPa]"], 70e3 * (1 - np.array(expected)), rtol=1e-6)
    assert table.index.tolist() == mesh.elements.tolist() == list(range(7, 63, 7))
    assert mesh.blocks[0].kind == "C3D8I"
    materials = len(set(expected))
    assert f"part.inp: 8 elements (8 of C3D8I), 27 nodes, {materials} materials for" in said
    found = re.search(r"stress within ([\d.]+)% of each SVE's own \(0\.002 asked for\)", said)
    assert found is not None
    assert float(found[1]) <= 0.2
    assert "C3D8 is written as C3D8I" in said
    assert "TOP (9 nodes) moves by 0.0016 mm along z, BOTTOM (9 nodes) is held" in said
    assert "next: svevae run part.inp" in said
    for k, number in enumerate(mesh.elements):
        own = f"SVEVAE_{table['material'].iloc[k]}"
        assert number in mesh.element_sets[own]


def test_a_picture_beside_the_deck(model: SimpleNamespace) -> None:
    """By what is given to plot it; where that cannot, all else is written, and a picture of a deck
    before is gone.
    """
    path = write_mesh(bar("C3D8", (2, 2, 2), 0.04))

    def said(plot: Plot) -> str:
        options = ImportOptions(), MeshOptions(path)
        return deck_file(Path("scan.npy"), Path("part.inp"), "any", *options, None, plot)

    def draws(picture: Path, fields: Path, deck: Deck) -> None:
        table = pd.read_csv("part.csv")
        np.testing.assert_allclose(table["yield [MPa]"], deck.columns["yield"], rtol=1e-6)
        assert "yield [MPa]" in meshio.read(fields).cell_data
        picture.write_text("a picture", encoding="utf-8")

    def cannot(*_: object) -> None:
        raise DataError("VTK does not draw here")

    def lacks(*_: object) -> None:
        raise ModuleNotFoundError("No module named 'pyvista'", name="pyvista")

    assert said(draws).endswith("the part cut open, porosity and yield stress: part.png")
    assert Path("part.png").read_text(encoding="utf-8") == "a picture"
    assert said(cannot).endswith("no picture of the part: VTK does not draw here")
    assert not Path("part.png").exists()
    assert "no picture of the part: needs pyvista: pip install 'svevae[mesh]'" in said(lacks)
    assert pd.read_csv("part.csv")["yield [MPa]"].between(100, 400).all()
    Path("part.png").symlink_to("scan.npy")
    with pytest.raises(DataError, match=r"part.png: expected another file than the source"):
        said(draws)


def test_a_scan_is_placed_by_its_origin(model: SimpleNamespace) -> None:
    """In micrometres, shifted by an SVE along x and y; a crop does not move what it leaves."""
    mesh = bar("C3D8", (1, 1, 2), 40.0)
    path = write_mesh(replace(mesh, points=mesh.points + np.array([40.0, 0, 0])))
    here = MeshOptions(path, unit="um", keep_types=True)
    _, same, table = deck(here)
    assert table["porosity"].tolist() == pytest.approx([porosity(1, 0, 0), porosity(1, 0, 1)])
    assert same.blocks[0].kind == "C3D8"
    _, _, table = deck(replace(here, origin=(40.0, -40.0, 0.0)))
    assert table["porosity"].tolist() == pytest.approx([porosity(0, 1, 0), porosity(0, 1, 1)])
    _, _, table = deck(here, crop=((4, 10), (0, 8), (0, 9)))
    assert table["porosity"].tolist() == pytest.approx([porosity(1, 0, 0), porosity(1, 0, 1)])


def test_surfaces_are_where_their_file_says(model: SimpleNamespace) -> None:
    """Without --origin; in mm, on a mesh in um."""
    box = (1.0, 0.0, -0.04, 1.08, 0.04, 0.04)
    path = save(Path("pores.stl"), cuboid(1.05, 0.01, 0.01, 1.07, 0.03, 0.03))
    mesh = bar("C3D8", (1, 1, 2), 40.0)
    moved = write_mesh(replace(mesh, points=mesh.points + np.array([1040.0, 0, -40.0])))
    options = ImportOptions(voxel_size=10.0, length_unit="mm", box=box)
    chosen = MeshOptions(moved, unit="um")
    deck_file(path, Path("part.inp"), "any", options, chosen)
    assert pd.read_csv("part.csv")["porosity"].tolist() == pytest.approx([0, 8 / 64])


def test_the_air_round_a_printed_piece_is_no_pore(model: SimpleNamespace) -> None:
    """SVEs of 4 voxels and a mesh of 10 x 9 x 8: an SVE half in it has the porosity of that half,
    one of which a quarter is has the material of its neighbour.
    """
    random = np.random.default_rng(2)
    block = (random.random((16, 12, 8)) < 0.2).astype(np.uint8)
    piece = np.ones_like(block)
    piece[:10, :9] = block[:10, :9]
    mesh = bar("C3D8I", (10, 9, 8), 0.01)
    path = write_mesh(mesh)
    tables = []
    for volume in (block, piece):
        np.save("scan.npy", volume)
        said, _, table = deck(MeshOptions(path))
        assert "80 elements in SVEs that are mostly outside of the part: of the nearest" in said
        tables.append(table)
    pd.testing.assert_frame_equal(*tables)
    place = np.stack([tables[0][f"{axis} [mm]"] for axis in "xyz"], axis=1)
    x, y, z = np.minimum(np.floor(place / 0.04).astype(int), [2, 1, 1]).T
    expected = [
        block[4 * i : min(4 * i + 4, 10), 4 * j : 4 * j + 4, 4 * k : 4 * k + 4].mean()
        for i, j, k in zip(x, y, z, strict=True)
    ]
    np.testing.assert_allclose(tables[0]["porosity"], expected, rtol=1e-6)


def test_elements_without_material(model: SimpleNamespace) -> None:
    """One in air, one outside the scan: refused by name, given the nearest, or left out."""
    volume = VOLUME[:8, :4, :8].copy()
    volume[4:, :, 4:] = 1
    np.save("scan.npy", volume)
    path = write_mesh(bar("C3D8I", (2, 1, 3), 0.04))
    with pytest.raises(
        DataError,
        match=r"mesh.inp: expected material round each element, received 3 elements without:"
        r" 2 outside the scan, 1 in SVEs .*: 21, 35, 42; --without nearest or drop",
    ):
        deck(MeshOptions(path))
    said, mesh, table = deck(MeshOptions(path, without="nearest"))
    assert "3 elements without material have that of the nearest SVE: 2 outside the scan" in said
    a, b, c = porosity(0, 0, 0), porosity(0, 0, 1), porosity(1, 0, 0)
    assert table["porosity"].tolist()[:4] == pytest.approx([a, b, b, c])
    assert table["porosity"].iloc[4] in (pytest.approx(b), pytest.approx(c))  # as near
    said, mesh, table = deck(MeshOptions(path, without="drop"))
    assert "3 elements without material are left out" in said
    assert mesh.elements.tolist() == table.index.tolist() == [7, 14, 28]
    assert "TOP" not in mesh.node_sets


@pytest.mark.parametrize("kind", ["C3D8I", "C3D20R"])
def test_a_large_element_has_the_average_of_its_sves(kind: str, model: SimpleNamespace) -> None:
    """8 SVEs in an element; standard deviations are those of the mean of 8 independent ones."""
    path = write_mesh(bar(kind, (1, 1, 1), 0.08))
    said, _, table = deck(MeshOptions(path))
    assert "1 element larger than an SVE of 0.04 mm: averages over their volume, of 8 SVEs" in said
    assert "1 material for 0 SVEs and 1 average, stress within" in said
    own = np.array([porosity(x, y, z) for x in range(2) for y in range(2) for z in range(2)])
    row = table.loc[7]
    assert row["porosity"] == pytest.approx(own.mean())
    assert row["E [MPa]"] == pytest.approx(70e3 * (1 - own.mean()), rel=1e-6)
    std = 0.01 * 70e3 * np.sqrt(np.square(1 - own).sum()) / 8
    assert row["E_std [MPa]"] == pytest.approx(std, rel=1e-6)
    assert (row["sves"], row["novelty"]) == (8, pytest.approx(own.max()))
    assert row["stress_0.01 [MPa]"] == pytest.approx(300 * (1 - own.mean()), rel=1e-6)
    written = Path("part.inp").read_text(encoding="utf-8")
    assert f"{70e3 * (1 - own.mean()):.7g}, {0.33 * (1 - own.mean()):.7g}" in written


def test_a_turned_scan_of_two_halves(model: SimpleNamespace) -> None:
    """Dense below and porous above along z; turned by 90 degrees about y, z comes along x and x
    along -z, so that the origin goes up by the width.
    """
    volume = np.zeros((4, 4, 8), np.uint8)
    volume[::2, :, 4:] = 1
    np.save("scan.npy", volume)
    path = write_mesh(bar("C3D8", (4, 2, 2), 0.02))
    chosen = MeshOptions(path, rotation=(0.0, 90.0, 0.0), origin=(0.0, 0.0, 0.04))
    said, _, table = deck(chosen)
    assert "tension along z of the scan, 90 degrees from z of the mesh" in said
    expected = np.where(table["x [mm]"] < 0.04, 0.0, 0.5)
    np.testing.assert_array_equal(table["porosity"], expected)
    said, _, _ = deck(replace(chosen, pull="XMAX", hold="XMIN", strain=0.01))
    assert "degrees from" not in said
    with pytest.raises(DataError, match=r"--mesh-unit, --origin and --rotation place it"):
        deck(replace(chosen, origin=(0.0, 0.0, 0.0)))


def write_process() -> np.ndarray:
    """A file of 8 parts of 2 x 2 x 4 SVEs, of 0 to 40 % porosity: (sve,)."""
    random = np.random.default_rng(5)
    level = random.uniform(0.05, 0.35, 128)
    voxels = (random.random((128, 4, 4, 4)) < level[:, None, None, None]).astype(np.uint8)
    position = np.tile(np.array(list(np.ndindex(2, 2, 4))), (8, 1))
    arrays = {"voxels": voxels, "part_id": np.repeat(np.arange(8), 16), "position": position}
    write_dataset("process.h5", arrays, (), (), {"voxel_size_um": 10.0})
    return voxels.mean((1, 2, 3))


def sampled(chosen: MeshOptions) -> tuple[str, str, pd.DataFrame]:
    said = deck_file(Path("process.h5"), Path("part.inp"), "any", ImportOptions(), chosen)
    return (
        said,
        Path("part.inp").read_text(encoding="utf-8"),
        pd.read_csv("part.csv", index_col="element"),
    )


def test_a_sampled_part(model: SimpleNamespace) -> None:
    """The same seed, the same deck; codes are encoded once."""
    known = write_process()
    chosen = MeshOptions(write_mesh(bar("C3D8", (4, 4, 8), 0.02)), sample=3)
    said, first, table = sampled(chosen)
    assert (
        "2 x 2 x 4 SVEs of 4^3 voxels sampled with seed 3 from a latent field of 128 SVEs of 8"
        f" parts of process.h5, porosity {known.mean():.3%}" in said
    )
    assert f"mean porosity of the part {table['porosity'].mean():.3%}, none asked for" in said
    assert table["sve"].nunique() == 16
    assert table["porosity"].nunique() > 8
    assert known.min() <= table["porosity"].min()
    assert table["porosity"].max() <= known.max()
    assert sampled(chosen)[1] == first
    assert model.encoded == 128
    assert sampled(replace(chosen, sample=4))[1] != first
    assert "voxel size unknown" not in said
    with h5py.File("process.h5", "r+") as file:
        for name in ("voxel_size_um", "contents", "content_digest"):
            del file.attrs[name]
    assert "voxel size unknown, taken for the 10 um that the model" in sampled(chosen)[0]


def test_the_porosity_of_a_sampled_part(model: SimpleNamespace) -> None:
    """Its mean; one that is the same everywhere; that of another part; by the distance to the
    surface: 0.01 mm of the outer elements, of all but 16 of 128.
    """
    write_process()
    chosen = MeshOptions(write_mesh(bar("C3D8", (4, 4, 8), 0.02)), sample=0)
    said, _, table = sampled(replace(chosen, porosity="0.3"))
    assert "mean porosity of the part 30.000%, 30.000% asked for" in said
    assert table["porosity"].mean() == pytest.approx(0.3, abs=1e-6)
    assert table["porosity"].std() > 0.01
    table["porosity"].to_csv("given.csv")
    _, _, again = sampled(replace(chosen, sample=1, porosity="given.csv"))
    np.testing.assert_allclose(again["porosity"], table["porosity"], atol=1e-3)
    _, _, table = sampled(replace(chosen, porosity="0:0.2"))
    np.testing.assert_allclose(table["porosity"], 0.2, atol=1e-6)
    np.testing.assert_allclose(table["E [MPa]"], 70e3 * 0.8, rtol=0.1)
    said, _, table = sampled(replace(chosen, porosity="0.01:0.1,0.03:0.3"))
    # of the 8 elements of an SVE one lies within, at 0.03 mm; of those at half the height two
    within = table["z [mm]"].between(0.04, 0.12)
    np.testing.assert_allclose(table["porosity"][within], (6 * 0.1 + 2 * 0.3) / 8, atol=1e-3)
    np.testing.assert_allclose(table["porosity"][~within], (7 * 0.1 + 0.3) / 8, atol=1e-3)
    assert "mean porosity of the part 13.750%, 13.750% asked for" in said
    with pytest.raises(DataError, match=r"porosity: expected a mean between .* received 0.9"):
        sampled(replace(chosen, porosity="0.9"))
    with pytest.raises(DataError, match=r"part.csv: expected another file than the source part.cs"):
        sampled(replace(chosen, porosity="part.csv"))


@needs_ccx
def test_a_step_of_the_user(model: SimpleNamespace) -> None:
    """A sampled deck of one porosity stretched in its elastic range, all faces free to contract:
    force / area is E times strain. The deck lies in another folder than the step.
    """
    write_process()
    path = write_mesh(bar("C3D8", (2, 2, 2), 0.04))
    lines = ["*BOUNDARY", "BOTTOM, 3, 3", "11, 1, 2", "*STEP", "*STATIC", "*BOUNDARY"]
    lines += ["TOP, 3, 3, 8e-5", "*NODE PRINT, NSET=TOP, TOTALS=ONLY", "RF", "*END STEP"]
    Path("steps").mkdir()
    Path("steps/pull.inp").write_text("\n".join([*lines, ""]), encoding="utf-8")
    Path("decks").mkdir()
    chosen = MeshOptions(path, sample=0, porosity="0:0.2", step=Path("steps/pull.inp"))
    target = Path("decks/part.inp")
    said = deck_file(Path("process.h5"), target, "any", ImportOptions(), chosen)
    assert "step: ../steps/pull.inp, included; next, in decks: ccx part" in said
    blank = deck_file(Path("process.h5"), Path("a part.inp"), "any", ImportOptions(), chosen)
    assert "included; next, in ., under a short name without blanks: ccx NAME" in blank
    assert target.read_text(encoding="utf-8").endswith("*INCLUDE, INPUT=../steps/pull.inp\n")
    subprocess.run(["ccx", "part"], cwd="decks", check=True, stdout=subprocess.DEVNULL)
    force = float(Path("decks/part.dat").read_text(encoding="utf-8").split()[-1])
    table = pd.read_csv("decks/part.csv")
    parallel = table["E [MPa]"].mean()
    series = 1 / (1 / table["E [MPa]"].to_numpy().reshape(4, 2)).mean(axis=1)
    assert series.mean() * 0.998 <= force / (0.08**2 * 1e-3) <= parallel * 1.002


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pull": "TOP"}, "pull, hold: expected both or none, received TOP to pull and nothing to"),
        ({"strain": 0.1}, "strain: expected --pull and --hold with it"),
        ({"displacement": 0.1}, "displacement: expected --pull and --hold with it"),
        ({"pull": "TOP", "hold": "ZMIN"}, "displacement: expected one of them with.* none"),
        (
            {"pull": "TOP", "hold": "ZMIN", "strain": 0.1, "displacement": 0.1},
            "strain, displacement: expected one of them with.* received both",
        ),
        ({"pull": "LID", "hold": "ZMIN", "strain": 0.1}, "LID: expected a set of nodes, a surface"),
        ({"tolerance": 0.0}, "tolerance: expected a fraction between 0 and 1, received 0"),
        (
            {"unit": "m"},
            r"expected elements in the scan, received a mesh from .* to .* m; --mesh-un",
        ),
        ({"mesh": Path("part.inp")}, r"part.inp: expected the file of a mesh, received none"),
    ],
)
def test_bad_options(change: dict, message: str, model: SimpleNamespace) -> None:
    path = write_mesh(bar("C3D8", (1, 1, 2), 0.04))
    with pytest.raises(DataError, match=message):
        deck(MeshOptions(**{"mesh": path} | change))
    assert not Path("part.inp").exists()


def test_bad_files(model: SimpleNamespace) -> None:
    path = write_mesh(bar("C3D8", (1, 1, 2), 0.04))
    with pytest.raises(DataError, match=r"expected a name that ends in .inp for a deck"):
        deck_file(Path("scan.npy"), Path("a.csv"), "any", ImportOptions(), MeshOptions(path))
    with pytest.raises(DataError, match=r"mesh.inp: expected another file than the source"):
        deck_file(Path("scan.npy"), path, "any", ImportOptions(), MeshOptions(path))


def test_a_model_without_curves(model: SimpleNamespace) -> None:
    """Has tables of Voce's law, which go through yield and flow stress, and a remark says so."""
    model.contract = make_contract(labels=LABELS)
    said, _, table = deck(MeshOptions(write_mesh(bar("C3D8", (2, 2, 2), 0.04))))
    assert (
        "the model predicts no whole curves: tables are of Voce's law through yield and flow"
        " stress, with the matrix's b, 40" in said
    )
    assert "stress_0.01 [MPa]" not in table
    np.testing.assert_allclose(table["yield [MPa]"], 240 * (1 - table["porosity"]), rtol=3e-3)
    model.names = ("E_z", "nu_zx", "yield_z", "other")
    with pytest.raises(DataError, match=r"flow_z: expected one of E_z, nu_zx, yield_z, other"):
        deck(MeshOptions(Path("mesh.inp")))


@needs_ccx
def test_a_bar_of_sves_from_the_shell(
    model: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    """2 x 2 x 2 SVEs by 8 elements each: its force lies between that of SVEs that share the stress
    and of SVEs that share the strain, at each increment. Names may have blanks.
    """
    write_mesh(bar("C3D8", (4, 4, 4), 0.02))
    options = ["--mesh", "mesh.inp", "-o", "a part.inp", "-m", "any", "--voxel-size", "10"]
    options += ["--pull", "zmax", "--hold", "zmin", "--strain", "0.02"]
    assert main(["field", "scan.npy", *options]) == 0
    said = capsys.readouterr().out
    assert "next: svevae run 'a part.inp'" in said
    assert ("yield stress: a part.png" in said) != ("no picture of the part: " in said)
    assert ("yield stress: a part.png" in said) == Path("a part.png").is_file()
    assert main(["run", "a part.inp"]) == 0
    said = capsys.readouterr().out
    load = pd.read_csv("a part-load.csv", index_col="increment")
    assert Path("a part-load.png").is_file()
    assert f"{load['force [N]'].iloc[-1]:.5g} N at 0.0016 mm" in said
    table = pd.read_csv("a part.csv", index_col="element")
    found = re.search(
        r"plastic strain ([\d.]+)% at node \d+ \(.* mm\), element (\d+) \((.*)\)", said
    )
    assert found is not None
    assert float(found[1]) == pytest.approx(100 * load["peak PEEQ"].iloc[-1], abs=1e-3)
    row = table.loc[int(found[2])]
    assert found[3] == f"SVE {row['sve']:.0f}, material {row['material']:.0f}"
    assert row["porosity"] == table["porosity"].max()  # the weakest
    assert "porosity" in meshio.read("a part-result.vtu").cell_data
    if "no picture of the part" in said:  # without PyVista, or where nothing can be rendered
        assert re.search("no picture of the part: .*(libEGL|pip install)", said)
    else:
        with PIL.Image.open("a part-part.png") as image:
            assert min(image.size) > 200
    dense = 1 - table["porosity"].to_numpy()
    curves, _ = curves_of(solid_field(model, dense), Law.of(model))
    strain = load["strain"].to_numpy()
    parallel = curves.tension(strain).mean(axis=0)
    grid, at = np.linspace(0, 0.06, 3001), np.linspace(1, parallel[-1], 1000)
    series = np.mean([np.interp(at, one, grid) for one in curves.tension(grid)], axis=0)
    stress = load["force [N]"].to_numpy() / 0.08**2
    assert (stress < 1.002 * parallel).all()
    assert (stress > 0.998 * np.interp(strain, series, at)).all()


@needs_ccx
def test_a_sampled_bar_from_the_shell(
    model: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    """Pulled along x, of which people are told; its stress lies between those of its SVEs."""
    write_process()
    write_mesh(bar("C3D8", (4, 4, 4), 0.02))
    options = ["--mesh", "mesh.inp", "-o", "part.inp", "-m", "any", "--sample", "7"]
    options += ["--porosity", "0.2", "--pull", "xmax", "--hold", "xmin", "--strain", "0.02"]
    assert main(["field", "process.h5", *options]) == 0
    said = capsys.readouterr().out
    assert "mean porosity of the part 20.000%, 20.000% asked for" in said
    assert "tension along z of the sample, 90 degrees from x, along which the part" in said
    assert main(["run", "part.inp"]) == 0
    load = pd.read_csv("part-load.csv", index_col="increment")
    stress = load["force [N]"].iloc[-1] / 0.08**2
    table = pd.read_csv("part.csv", index_col="element")
    assert load["strain"].iloc[-1] == pytest.approx(0.02)
    assert table["stress_0.01 [MPa]"].min() < stress < table["stress_0.03 [MPa]"].max()


def solid_field(model: SimpleNamespace, dense: np.ndarray) -> PropertyField:
    """SVEs of these densities."""
    porosity = 1 - dense[:, None, None]
    return PropertyField.predicted(model, porosity[..., None], porosity)


def test_options_of_a_mesh_need_a_mesh(
    model: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["field", "scan.npy", "-o", "a.csv", "-m", "any", "--pull", "TOP"]) == 2
    assert "pull: expected --mesh MESH with it" in capsys.readouterr().err
    assert main(["field", "scan.npy", "-o", "a.csv", "-m", "any", "--sample", "0"]) == 2
    assert "--sample: expected --mesh MESH with it" in capsys.readouterr().err
    assert main(["run", "a.inp"]) == 2
    assert "a.inp: cannot be read" in capsys.readouterr().err


@needs_ccx
def test_what_a_run_has_without_fields_or_picture(
    model: SimpleNamespace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that cannot render, a run that stops, and a deck without plastic strains: all else
    is written, and files of a run before are gone. Hardens from 210 to 250 MPa at 4 %.
    """

    def no_picture(*_: object) -> None:
        raise DataError("a.vtu: VTK does not draw here: because")

    monkeypatch.setattr("svevae.pictures.part.plot_part", no_picture)
    mesh, path = bar("C3D8I", (1, 1, 2)), Path("a.inp")
    curves = Curves(
        np.array([0.003, 0.04]), np.array([70e3]), np.array([0.3]), np.array([[210.0, 250.0]])
    )
    pull = Pull.between(mesh, "TOP", "BOTTOM", 0.02, increments=4)
    write_deck(path, mesh, Bins(curves, np.zeros(1, int)), np.zeros(2, int), pull=pull)
    assert main(["run", "a.inp"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("a-load.csv, a-load.png, a-result.vtu: yield load")
    assert "\n  largest equivalent plastic strain 1.674% at node" in said
    assert "\n  no picture of the part: a.vtu: VTK does not draw here: because\n" in said
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("INC=10000", "INC=3"), encoding="utf-8")
    assert main(["run", "a.inp"]) == 2
    said = capsys.readouterr().err
    assert "stopped at a displacement of 0.03 mm, see a.log; up to there: a-load.csv, a-" in said
    assert "largest equivalent plastic strain 1.181% at node" in said
    path.write_text(text.replace("S, PEEQ", "S"), encoding="utf-8")
    assert main(["run", "a.inp"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("a-load.csv, a-load.png: yield load")
    assert "\n  no fields: a.frd: increment 1 of step 1: expected DISP, STRESS, PE" in said
    assert not Path("a-result.vtu").exists()
    assert list(pd.read_csv("a-load.csv"))[-1] == "force [N]"
