"""What the tests of surfaces share: shells as VTK makes and writes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import vtk

WRITERS = {
    ".stl": vtk.vtkSTLWriter,
    ".vtp": vtk.vtkXMLPolyDataWriter,
    ".ply": vtk.vtkPLYWriter,
    ".obj": vtk.vtkOBJWriter,
    ".vtk": vtk.vtkPolyDataWriter,
}


def sphere(centre: tuple[float, float, float], radius: float, inward: bool = False):
    """A sphere of 64 meridians; `inward` turns its triangles round."""
    source = vtk.vtkSphereSource()
    source.SetCenter(*centre)
    source.SetRadius(radius)
    source.SetThetaResolution(64)
    source.SetPhiResolution(64)
    turn = vtk.vtkReverseSense()
    turn.SetInputConnection(source.GetOutputPort())
    turn.SetReverseCells(inward)
    turn.Update()
    return turn.GetOutput()


def cuboid(*corners: float):
    """Six squares from the smallest x, y, z to the largest."""
    source = vtk.vtkCubeSource()
    source.SetBounds(*(corners[i] for i in (0, 3, 1, 4, 2, 5)))
    source.Update()
    return source.GetOutput()


def save(path: Path, *shells: vtk.vtkPolyData, text: bool = False) -> Path:
    """All shells in one file of the format of its suffix, without normals of points."""
    together = vtk.vtkAppendPolyData()
    for shell in shells:
        together.AddInputData(shell)
    triangles = vtk.vtkTriangleFilter()
    triangles.SetInputConnection(together.GetOutputPort())
    triangles.Update()
    triangles.GetOutput().GetPointData().Initialize()  # normals, which are not read
    writer = WRITERS[path.suffix]()
    writer.SetFileName(str(path))
    writer.SetInputData(triangles.GetOutput())
    if path.suffix in (".stl", ".ply", ".vtk"):
        (writer.SetFileTypeToASCII if text else writer.SetFileTypeToBinary)()
    writer.Write()
    return path


def centres(n: int) -> np.ndarray:
    """x, y and z (3, n, n, n) of the centres of voxels."""
    return np.indices((n, n, n)) + 0.5


def ball(n: int, centre: tuple[float, float, float], radius: float) -> np.ndarray:
    """Voxels (n, n, n) whose centre lies in a sphere."""
    away = centres(n) - np.reshape(centre, (3, 1, 1, 1))
    return (away**2).sum(axis=0) < radius**2
