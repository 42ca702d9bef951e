#!/usr/bin/env bash
# VTK 9.7.2 (PyPI, manylinux wheel, Python 3.11): vtkPolyDataToImageStencil, which fills surfaces
# with voxels, takes what lies in two closed surfaces at once for outside, and faces for inside.
#
# Expected of surfaces of pores: voxels in either pore, whether pores overlap or one was meshed
# twice; and N^3 voxels for a cube of N voxels wherever its faces lie.
# Seen: an overlap is left out, so that a cube given twice is empty; a cube of 4 voxels whose faces
# go through centres of voxels has 5 x 5 x 4, and two that share such a face share its voxels.
# SetTolerance(0) makes the cube 4 x 4 x 4.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check vtk==9.7.2 numpy==2.4.6
cat > "$folder/fill.py" <<'PY'
import vtk
from vtk.util.numpy_support import vtk_to_numpy


def filled(*cubes, tolerance=None):
    """Voxels of 1 x 1 x 1 with centres at 0.5 to 15.5 inside cubes (x0, x1, y0, y1, z0, z1)."""
    together = vtk.vtkAppendPolyData()
    for bounds in cubes:
        cube = vtk.vtkCubeSource()
        cube.SetBounds(*bounds)
        cube.Update()
        together.AddInputData(cube.GetOutput())
    joined = vtk.vtkTriangleFilter()
    joined.SetInputConnection(together.GetOutputPort())
    stencil = vtk.vtkPolyDataToImageStencil()
    stencil.SetInputConnection(joined.GetOutputPort())
    stencil.SetOutputSpacing(1, 1, 1)
    stencil.SetOutputOrigin(0.5, 0.5, 0.5)
    stencil.SetOutputWholeExtent(0, 15, 0, 15, 0, 15)
    if tolerance is not None:
        stencil.SetTolerance(tolerance)
    image = vtk.vtkImageStencilToImage()
    image.SetInputConnection(stencil.GetOutputPort())
    image.SetInsideValue(1)
    image.SetOutsideValue(0)
    image.Update()
    return int(vtk_to_numpy(image.GetOutput().GetPointData().GetScalars()).sum())


between, through = (2, 6) * 3, (2.5, 6.5) * 3
counts = {
    "a cube of 4 voxels": filled(between),
    "the same twice": filled(between, between),
    "and one half over it": filled(between, (4, 8, 2, 6, 2, 6)),
    "faces through centres": filled(through),
    "so, tolerance 0": filled(through, tolerance=0),
}
print(vtk.vtkVersion.GetVTKVersion(), counts)
assert list(counts.values()) == [64, 0, 64, 100, 64], counts
PY
"$folder/venv/bin/python" "$folder/fill.py"
