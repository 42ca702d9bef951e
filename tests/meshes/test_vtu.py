"""What meshio, and for wedges of 15 nodes VTK, read of our .vtu files."""

from __future__ import annotations

from pathlib import Path

import meshio
import numpy as np
import pytest
from vtk import vtkXMLUnstructuredGridReader
from vtk.util.numpy_support import vtk_to_numpy

from svevae.meshes.elements import ELEMENTS
from svevae.meshes.reading import NAMES
from svevae.meshes.vtu import write_vtu
from tests.meshes.bars import bar


@pytest.mark.parametrize("kind", ELEMENTS)
def test_elements_and_values(kind: str, tmp_path: Path) -> None:
    mesh, path = bar(kind, (2, 1, 1)), tmp_path / "a.vtu"
    columns = {"E": np.linspace(1, 2, len(mesh.elements)), "bin": np.arange(len(mesh.elements))}
    write_vtu(path, mesh, columns)
    reader = vtkXMLUnstructuredGridReader()
    reader.SetFileName(str(path))
    reader.Update()
    grid = reader.GetOutput()
    np.testing.assert_array_equal(vtk_to_numpy(grid.GetPoints().GetData()), mesh.points)
    for name, values in (columns | {"element": mesh.elements}).items():
        np.testing.assert_array_equal(vtk_to_numpy(grid.GetCellData().GetArray(name)), values)
    nodes = []
    for k in range(grid.GetNumberOfCells()):
        cell = grid.GetCell(k)  # one object for all
        nodes.append([cell.GetPointId(j) for j in range(cell.GetNumberOfPoints())])
        faces = [cell.GetFace(j).GetPoints() for j in range(cell.GetNumberOfFaces())]
        for one in faces:  # normals point outwards, so no element is inverted
            a, b, c = (np.array(one.GetPoint(j)) for j in range(3))
            assert np.cross(b - a, c - a) @ (a - mesh.geometry()[0][k]) > 0
    assert nodes == mesh.rows(mesh.blocks[0].nodes).tolist()
    if kind not in ("C3D6", "C3D15"):  # meshio 5.3.5 mirrors these, and cannot hold those
        [cells] = meshio.read(path).cells
        assert (cells.type, cells.data.tolist()) == (NAMES[kind], nodes)
