"""A mesh that was dropped on the page: known by what it is, bounded, and read by itself."""

from __future__ import annotations

import re
from pathlib import Path

from svevae.errors import DataError
from svevae.explore.upload import check_alone, check_size, on_disk
from svevae.meshes.mesh import Mesh
from svevae.meshes.reading import read_mesh
from svevae.scans.readers import base
from svevae.scans.readers.apart import apart

MESHES = (".inp", ".msh", ".vtu", ".vtk", ".med", ".bdf", ".nas", ".fem")  # all in one file
MOST = 300_000  # elements that a browser turns round without delay
HINT = "svevae field --mesh takes more"
HEAD = 1 << 14  # bytes in which the header of a .vtk file ends
GRIDS = ("UNSTRUCTURED_GRID", "STRUCTURED_GRID", "RECTILINEAR_GRID")


def is_mesh(name: str, content: bytes) -> bool:
    """Whether a file is a mesh by its name; of a .vtk file its header says."""
    suffix = Path(name).suffix.lower()
    if suffix != ".vtk":
        return suffix in MESHES
    head = content[:HEAD].decode("latin-1")
    found = re.search(r"^\s*DATASET\s+(\S+)", head, re.IGNORECASE | re.MULTILINE)
    return found is not None and found[1].upper() in GRIDS


def read_mesh_upload(name: str, content: bytes, unpacked: int, most: int = MOST) -> Mesh:
    """The mesh of a file, given as name and bytes, read in a process of its own, in which it may
    take about twice `unpacked` bytes.

    Raises DataError, which names the file as the user does, for what is no mesh of solids, for one
    of more than `most` elements or `LARGEST` bytes, for a file that names another one of this
    machine, and where the library that reads it is missing.
    """
    check_size(name, content, HINT)
    with on_disk(name, content, "mesh") as path:
        try:
            return apart(path, read_bounded, path, unpacked, most)
        except ModuleNotFoundError as error:
            hint = " 'svevae[mesh]'" if error.name == "meshio" else f" {error.name}"
            raise DataError(
                f"{path}: needs {error.name}, which is not installed: pip install{hint}; an .inp"
                " file is read without"
            ) from error


def read_bounded(path: Path, unpacked: int, most: int) -> Mesh:
    """Read a mesh of at most `most` elements; see `read_mesh_upload`."""
    base.allow(unpacked)
    check_alone(path, "mesh")
    mesh = read_mesh(path, alone=True)
    if len(mesh.elements) > most:
        raise DataError(
            f"{path}: expected at most {most:,} elements to show, received"
            f" {len(mesh.elements):,}; {HINT}"
        )
    return mesh
