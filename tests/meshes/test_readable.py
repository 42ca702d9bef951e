"""Files on which meshio fails, as they are and made readable."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import meshio
import numpy as np
import pytest

from svevae.errors import DataError
from svevae.meshes.readable import readable
from svevae.meshes.reading import read_mesh
from tests.meshes.test_groups import BRACKET

STEP = "-0000000000000000001-0000000000000000001"
# as gmsh writes it: bulk data alone; a tetrahedron that goes on with a mark, as it does by default,
# or without, in its long format
NASTRAN = """$ Created by Gmsh
GRID    1       0       0.00E+000.00E+000.00E+00
GRID    2       0       2.0000000.00E+000.00E+00
GRID    3       0       0.00E+002.0000000.00E+00
GRID    4       0       0.00E+000.00E+002.000000
GRID    5       0       1.0000000.00E+000.00E+00
GRID    6       0       1.0000001.0000000.00E+00
GRID    7       0       0.00E+001.0000000.00E+00
GRID    8       0       0.00E+000.00E+001.000000
GRID    9       0       1.0000000.00E+001.000000
GRID    10      0       0.00E+001.0000001.000000
CTRIA6  1       5       1       2       3       5       6       7       {tail}
CTETRA  68      4       1       2       3       4       5       6       {mark}
{more}7       8       9       10      {tail}
ENDDATA
"""
FORMS = {
    "marked": {"mark": "+E68    ", "more": "+E68    ", "tail": ""},
    "blank": {"mark": "", "more": "        ", "tail": ""},
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("whole", [False, True])
def test_bulk_data_of_nastran(form: str, whole: bool, tmp_path: Path) -> None:
    """With and without its first and last line; properties are sets."""
    path, text = tmp_path / "a.bdf", NASTRAN.format(**FORMS[form])
    path.write_text(
        f"SOL 101\nBEGIN BULK\n{text}" if whole else text.replace("ENDDATA\n", ""), encoding="utf-8"
    )
    mesh = read_mesh(path)
    assert (mesh.blocks[0].kind, mesh.elements.tolist()) == ("C3D10", [1])
    assert mesh.geometry()[1].sum() == pytest.approx(8 / 6)
    assert mesh.element_sets["VOLUME4"].tolist() == [1]
    assert mesh.face("SURFACE5").tolist() == [1, 2, 3, 5, 6, 7]


def test_elements_without_a_family(tmp_path: Path) -> None:
    """Those of one type are in no group, and the file says nothing of them."""
    path = tmp_path / "a.med"
    shutil.copyfile(BRACKET, path)
    with h5py.File(path, "r+") as file:
        [mesh] = file["ENS_MAA"].values()
        del mesh[STEP]["MAI"]["TE4"]["FAM"]
    before = path.read_bytes()
    mesh = read_mesh(path)
    assert mesh.face("BOTTOM").tolist() == mesh.face("ZMIN").tolist()
    assert not mesh.element_sets
    assert path.read_bytes() == before


def test_groups_of_the_same_name_but_for_accents(tmp_path: Path) -> None:
    """They stay apart where meshio cannot read their letters."""
    path = tmp_path / "a.med"
    shutil.copyfile(BRACKET, path)
    with h5py.File(path, "r+") as file:
        [families] = (mesh["ELEME"] for mesh in file["FAS"].values())
        for family in families.values():
            names = family["GRO/NOM"]
            text = "c\u00f4t\u00e8" if bytes(names[0])[:6] == b"BOTTOM" else "c\u00f4t\u00e9"
            names[0] = np.frombuffer(text.encode().ljust(80, b"\0"), np.int8)
    mesh = read_mesh(path)
    [one, other] = mesh.node_sets.values()
    assert not set(one) & set(other)


def test_families_of_no_group(tmp_path: Path) -> None:
    """As gmsh writes those of entities in no physical group; and no families at all."""
    path = tmp_path / "a.med"
    shutil.copyfile(BRACKET, path)
    with h5py.File(path, "r+") as file:
        [families] = (mesh["ELEME"] for mesh in file["FAS"].values())
        kept = [name for name, one in families.items() if bytes(one["GRO/NOM"][0])[:6] == b"BOTTOM"]
        for name in set(families) - set(kept):
            del families[name]["GRO"]
    mesh = read_mesh(path)
    assert set(mesh.node_sets) == {"BOTTOM"}
    assert not mesh.element_sets
    with h5py.File(path, "r+") as file:
        del file["FAS"]
    assert not read_mesh(path).node_sets


def test_files_that_are_read_as_they_are(tmp_path: Path) -> None:
    """Groups named in ASCII, or none: no copy is made."""
    cells = [("tetra", [[0, 2, 1, 3]])]
    mesh = meshio.Mesh(np.eye(4, 3), cells, cell_data={"cell_tags": [np.array([-1])]})
    mesh.cell_tags = {-1: ["all"]}
    path = tmp_path / "a.med"
    mesh.write(path)
    with readable(path) as (file, kind):
        assert (file, kind) == (path, None)
    assert read_mesh(path).element_sets["ALL"].tolist() == [1]
    with readable(tmp_path / "a.vtu") as (file, kind):
        assert (file, kind) == (tmp_path / "a.vtu", None)


def test_a_damaged_med_file(tmp_path: Path) -> None:
    path = tmp_path / "a.med"
    path.write_bytes(BRACKET.read_bytes()[:5000])
    with pytest.raises(DataError, match=r"a.med: "):
        read_mesh(path)
    path.write_bytes(b"no mesh")
    with pytest.raises(DataError, match=r"a.med: "):
        read_mesh(path)
    with h5py.File(path, "w") as file:
        file["a"] = 1
    with pytest.raises(DataError, match=r"a.med: "):
        read_mesh(path)
