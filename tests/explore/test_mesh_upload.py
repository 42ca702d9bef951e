"""Dropped meshes: what is one, bounded, read by itself, named as the user names it."""

from __future__ import annotations

from pathlib import Path

import h5py
import meshio
import numpy as np
import pytest

from svevae.errors import DataError
from svevae.explore import upload
from svevae.explore.mesh_upload import MESHES, is_mesh, read_mesh_upload
from svevae.explore.upload import UNPACKED
from svevae.meshes.reading import NAMES
from tests.explore.meshes import text_of
from tests.meshes.bars import bar

BAR = bar("C3D8", (2, 2, 2), 0.04)


def written(path: Path) -> bytes:
    cells = [(NAMES["C3D8"], BAR.rows(BAR.blocks[0].nodes))]
    meshio.write(path, meshio.Mesh(BAR.points, cells))
    return path.read_bytes()


def refused(name: str, content: bytes, unpacked: int = UNPACKED, most: int = 10) -> str:
    with pytest.raises(DataError) as caught:
        read_mesh_upload(name, content, unpacked, most)
    said = str(caught.value)
    assert "/tmp" not in said
    assert "svevae-" not in said
    return said


@pytest.mark.parametrize("suffix", [one for one in MESHES if one not in (".inp", ".fem")])
def test_formats(suffix: str, tmp_path: Path) -> None:
    """As meshio writes them, and whatever the letters of the suffix."""
    content = written(tmp_path / f"a{suffix}")
    assert is_mesh(f"a{suffix.upper()}", content)
    mesh = read_mesh_upload(f"a{suffix}", content, UNPACKED)
    np.testing.assert_allclose(mesh.geometry()[0], BAR.geometry()[0], atol=1e-9)


def test_an_inp_file() -> None:
    mesh = read_mesh_upload("a.inp", text_of(BAR), UNPACKED)
    assert mesh.elements.tolist() == BAR.elements.tolist()
    assert set(mesh.node_sets) == {"TOP", "BOTTOM"}


@pytest.mark.parametrize(
    ("name", "head", "mesh"),
    [
        ("a.vtk", "# vtk DataFile Version 3.0\nx\nASCII\nDATASET STRUCTURED_POINTS\n", False),
        ("a.vtk", "# vtk DataFile Version 3.0\nx\nASCII\nDATASET POLYDATA\n", False),
        ("a.vtk", "# vtk DataFile Version 5.1\nx\nBINARY\nDATASET UNSTRUCTURED_GRID\n", True),
        ("a.npy", "", False),
        ("a.xdmf", "", False),  # names files of its own
    ],
)
def test_what_it_is(name: str, head: str, mesh: bool) -> None:
    assert is_mesh(name, head.encode()) == mesh


@pytest.mark.parametrize("line", ["*INCLUDE, INPUT={}", "*NODE, INPUT={}"])
def test_other_files_are_not_read(line: str, tmp_path: Path) -> None:
    """The server's own, that an uploaded one names; told with the name that it gave."""
    secret = tmp_path / "secret.inp"
    secret.write_bytes(text_of(BAR))
    content = f"*HEADING\n{line.format(secret)}".encode()
    with pytest.raises(DataError) as caught:
        read_mesh_upload("a.inp", content, UNPACKED)
    assert str(caught.value) == (
        "a.inp, line 2: expected all of the mesh in this file, received another one that it"
        f" includes, '{secret}'; put what that has in its place"
    )


def test_links_into_other_files_are_not_followed(tmp_path: Path) -> None:
    written(tmp_path / "secret.med")
    with h5py.File(tmp_path / "a.med", "w") as file:
        file["ENS_MAA"] = h5py.ExternalLink(str(tmp_path / "secret.med"), "/ENS_MAA")
    said = refused("a.med", (tmp_path / "a.med").read_bytes())
    assert said == (
        "a.med: expected all of the mesh in this file, received one that needs another, 'ENS_MAA'"
    )


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.inp", b"hello\n", "a.inp, line 1: expected a keyword"),
        ("a.inp", b"\0\1", "a.inp: expected a text file"),
        ("a.inp", text_of(BAR)[:100], "a.inp: expected solid elements, of type"),
        ("a.msh", b"hello", "a.msh: expected a mesh that meshio reads"),
        ("a.med", b"hello", "a.med: expected an HDF5 file"),
        (
            "a.inp",
            b"*NODE\n1,0,0,0\n2,1,0,0\n3,1,1,0\n*ELEMENT, TYPE=S3\n1,1,2,3\n",
            "received 1 of S3",
        ),
        (f"{'a' * 300}.inp", b"", "expected a mesh, cannot be read"),
    ],
)
def test_what_is_no_mesh_of_solids(name: str, content: bytes, message: str) -> None:
    assert message in refused(name, content)


def test_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    said = refused("a.inp", text_of(BAR), most=7)
    assert said == (
        "a.inp: expected at most 7 elements to show, received 8; svevae field --mesh takes more"
    )
    monkeypatch.setattr(upload, "LARGEST", 1 << 20)
    said = refused("a.inp", b"*" * (2 << 20))
    assert said == "a.inp: expected at most 1 MB, received 2; svevae field --mesh takes more"


def test_without_meshio(monkeypatch: pytest.MonkeyPatch) -> None:
    """An .inp file is read all the same; of others it is said what is missing."""

    def missing(*_: object) -> None:
        raise ModuleNotFoundError("No module named 'meshio'", name="meshio")

    monkeypatch.setattr("svevae.explore.mesh_upload.apart", missing)
    assert refused("a.msh", b"") == (
        "a.msh: needs meshio, which is not installed: pip install 'svevae[mesh]'; an .inp file is"
        " read without"
    )
