"""Meshes from files of any format: .inp by our own reader, which keeps numbers, others by
meshio.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from svevae.errors import DataError
from svevae.meshes.elements import ELEMENTS
from svevae.meshes.groups import sets_of
from svevae.meshes.inp import read_inp
from svevae.meshes.mesh import Block, Mesh
from svevae.meshes.readable import complete, readable
from svevae.words import some

MESHIO = {  # the types of elements, by meshio's name of the form; VTK's order of nodes is Abaqus's
    "tetra": "C3D4",
    "tetra10": "C3D10",
    "wedge": "C3D6",
    "wedge15": "C3D15",
    "hexahedron": "C3D8",
    "hexahedron20": "C3D20",
}
NAMES = {kind: form for form, kind in MESHIO.items()} | {
    "C3D8I": "hexahedron",
    "C3D8R": "hexahedron",
    "C3D20R": "hexahedron20",
}
# meshio 5.3.5 reads no .msh file of version 4.1 in which some entities alone are in a group; those
# of version 2.2 name no groups then
SAVE_ALL = "; in gmsh save as .inp, or without Mesh.SaveAll and with the volumes in a group"
SHOWN = 5  # names in a remark
assert set(NAMES) == set(ELEMENTS)


def read_mesh(path: Path, alone: bool = False) -> Mesh:
    """Read a mesh of solid elements. Without numbers in the file, nodes and elements are numbered
    from 1 in its order.

    Raises DataError, which names the file, for what cannot be read, for a mesh without solid
    elements of the types that Abaqus and CalculiX share or with inverted ones, and for an .inp file
    that shall be `alone` and includes another.
    """
    if not path.is_file():
        raise DataError(f"{path}: expected the file of a mesh, received none")
    mesh = read_inp(path, alone) if path.suffix.lower() == ".inp" else _from_meshio(path)
    with _naming(path):
        mesh.geometry()
    return mesh


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Put the file before the message of a DataError of what is in it."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _from_meshio(path: Path) -> Mesh:
    import meshio

    complete()
    said = io.StringIO()
    try:
        # meshio prints what it does not know, and goes on without
        with (
            contextlib.redirect_stdout(said),
            contextlib.redirect_stderr(said),
            readable(path) as (file, kind),
        ):
            found = meshio.read(file, kind)
    except DataError:
        raise
    except SystemExit:  # its answer to a suffix that it does not know
        lines = " ".join(said.getvalue().split())
        raise DataError(f"{path}: expected a mesh that meshio reads: {lines}") from None
    except Exception as error:  # whatever libraries raise of damaged files
        hint = SAVE_ALL if "gmsh:physical" in str(error) else ""
        why = str(error).rstrip(".") + hint
        raise DataError(f"{path}: expected a mesh that meshio reads: {why}") from error
    blocks, start = [], 1
    others: dict[str, int] = {}
    numbers: list[np.ndarray | None] = []  # of each block of meshio's; None where it is no solid
    for cells in found.cells:
        kind, count = MESHIO.get(cells.type), len(cells.data)
        if kind is None or not count:
            numbers.append(None)
            if count:
                others[cells.type] = others.get(cells.type, 0) + count
            continue
        nodes = np.asarray(cells.data, np.int64)
        if nodes.ndim != 2 or nodes.shape[1] != ELEMENTS[kind].count:
            raise DataError(
                f"{path}: expected {cells.type} of {ELEMENTS[kind].count} nodes, received"
                f" {nodes.shape[-1]}"
            )
        own = np.arange(start, start + count)
        start += count
        numbers.append(own)
        blocks.append(Block(kind, own, nodes + 1))
    names = some([f"{count} of {kind}" for kind, count in others.items()])
    volumes = [name for name in others if re.match("tetra|wedge|hexa|pyramid|poly|voxel", name)]
    if not blocks or set(volumes) - {"polygon"}:
        raise DataError(
            f"{path}: expected solid elements alone, {', '.join(MESHIO)}, received"
            f" {names or 'no cells that meshio knows'}"
            + (f" ({' '.join(said.getvalue().split())})" if said.getvalue() else "")
        )
    points = np.asarray(found.points, float)
    if points.shape[1] != 3:
        raise DataError(f"{path}: expected points in space, received {points.shape[1]} coordinates")
    node_sets, element_sets, renamed = sets_of(found, numbers)
    remarks = []
    if others:
        left_out = "elements that are no solids are left out"
        remarks.append(f"{left_out}, {names}; their sets are sets of nodes")
    if renamed:
        told = some([f"{name!r} is {own}" for name, own in renamed.items()], SHOWN)
        remarks.append(f"of sets whose names would be the same {told}")
    with _naming(path):
        mesh = Mesh(
            np.arange(1, len(points) + 1),
            points,
            tuple(blocks),
            node_sets,
            element_sets,
            remarks=tuple(remarks),
        )
        return mesh.oriented()
