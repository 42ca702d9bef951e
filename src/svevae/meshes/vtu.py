"""Meshes with values of elements and nodes as .vtu files for ParaView; meshio cannot hold wedges of
15 nodes, and the numbers of elements would be lost.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np

from svevae.files import written_whole
from svevae.meshes.elements import ELEMENTS
from svevae.meshes.mesh import Mesh

# vtkCellType of a form by its count of nodes, whose order is that of Abaqus
CELLS = {4: 10, 10: 24, 6: 13, 15: 26, 8: 12, 20: 25}
TYPES = {"f": "Float", "i": "Int", "u": "UInt"}


def write_vtu(
    path: Path,
    mesh: Mesh,
    columns: Mapping[str, np.ndarray],
    fields: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Write a mesh whole or not at all. `columns` (element,) are in the order of `mesh.elements`,
    `fields` (node,) or (node, component) in that of `mesh.numbers`; numbers of nodes and elements
    are there as `node` and `element`.
    """
    with written_whole(path) as beside, beside.open("w", encoding="utf-8", newline="\n") as file:
        for line in _lines(mesh, columns, fields or {}):
            file.write(line + "\n")


def _lines(
    mesh: Mesh, columns: Mapping[str, np.ndarray], fields: Mapping[str, np.ndarray]
) -> Iterator[str]:
    counts = [ELEMENTS[block.kind].count for block in mesh.blocks]
    lengths = np.repeat(counts, [len(block.numbers) for block in mesh.blocks])
    nodes = np.concatenate([mesh.rows(block.nodes).ravel() for block in mesh.blocks])
    yield '<VTKFile type="UnstructuredGrid" version="1.0" byte_order="LittleEndian"'
    yield ' header_type="UInt64"><UnstructuredGrid>'
    yield f'<Piece NumberOfPoints="{len(mesh.numbers)}" NumberOfCells="{len(lengths)}"><Points>'
    yield _array("points", mesh.points)
    yield "</Points><Cells>"
    yield _array("connectivity", nodes.astype(np.int64))
    yield _array("offsets", np.cumsum(lengths).astype(np.int64))
    yield _array("types", np.array([CELLS[one] for one in lengths.tolist()], np.uint8))
    yield "</Cells><PointData>"
    yield _array("node", mesh.numbers)
    yield from (_array(name, values) for name, values in fields.items())
    yield "</PointData><CellData>"
    yield _array("element", mesh.elements)
    yield from (_array(name, values) for name, values in columns.items())
    yield "</CellData></Piece></UnstructuredGrid></VTKFile>"


def _array(name: str, values: np.ndarray) -> str:
    """An array in base64 behind its length in bytes."""
    kind = f"{TYPES[values.dtype.kind]}{8 * values.dtype.itemsize}"
    data = np.ascontiguousarray(values, values.dtype.newbyteorder("<")).tobytes()
    text = base64.b64encode(struct.pack("<Q", len(data)) + data).decode()
    shape = f' NumberOfComponents="{values.shape[1]}"' if values.ndim > 1 else ""
    named = f"Name={quoteattr(name)}{shape}"
    return f'<DataArray type="{kind}" {named} format="binary">{text}</DataArray>'
