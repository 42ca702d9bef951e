"""Meshes as commands read them: what crashes a library is a message."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from svevae.errors import DataError
from svevae.meshes.reading import read_mesh
from svevae.use.mesh_file import mesh_of
from tests.meshes.test_groups import BRACKET


def test_meshes_of_hdf5_and_others(tmp_path: Path) -> None:
    mesh, own = mesh_of(BRACKET), read_mesh(BRACKET)
    np.testing.assert_array_equal(mesh.points, own.points)
    assert (mesh.remarks, set(mesh.node_sets)) == (own.remarks, set(own.node_sets))
    for name in ("a.med", "a.inp"):
        with pytest.raises(DataError, match=f"{name}: expected the file of a mesh, received none"):
            mesh_of(tmp_path / name)
    path = tmp_path / "a.inp"
    path.write_text("*NODE\n1, 0, 0, 0\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"a.inp: expected solid elements"):
        mesh_of(path)


def test_a_file_that_crashes_hdf5(tmp_path: Path) -> None:
    """Zeros in the name of a family and behind it: HDF5 (1.14.6) ends with SIGSEGV."""
    content, path = bytearray(BRACKET.read_bytes()), tmp_path / "a.med"
    place = content.index(b"_3D_1\xbc\x1b")
    content[place : place + 8] = bytes(8)
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"a.med: "):
        mesh_of(path)
