"""Surfaces of pores as process simulators and image programs write them (.stl, .vtp, .ply, .obj and
VTK's legacy .vtk), filled with voxels: 1 inside, 0 outside.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from svevae.errors import DataError
from svevae.scans.readers.apart import apart
from svevae.scans.readers.base import (
    DEFLATE,
    MICROMETRES,
    Format,
    Header,
    Lengths,
    Wanted,
    allow,
    free_memory,
)
from svevae.scans.readers.shells import FARTHEST, Shells, closed, filled, listed
from svevae.scans.readers.vti import watched
from svevae.words import counted

if TYPE_CHECKING:
    import vtk

SUFFIXES = (".stl", ".vtp", ".ply", ".obj")
PACKED = 16  # bytes in memory for one of a file that is not compressed, at most
HEAD, FACET = 84, 50  # bytes of a binary .stl: before the triangles, and of each
LONGEST = 1e9  # voxels that floats still tell apart, along an axis
WHOLE = 1e-3  # of a voxel that a box may be off
Surface = tuple[np.ndarray, np.ndarray]  # points (point, 3); triangles (triangle, 3) of them
Laid = tuple[Shells, np.ndarray, tuple[int, int, int]]


def read_surface(path: Path, wanted: Wanted) -> np.ndarray:
    """Voxels (x, y, z) uint8 of `wanted.lengths`, 1 inside the surfaces of `path`.

    Raises DataError for surfaces that are not closed, without unit or voxel size, and for a box
    that is no whole number of voxels, or more than memory has free.
    """
    shells, _, shape = _laid(path, wanted.lengths)
    _laid_as_now.cache_clear()
    return filled(shells, shape)


def surface_header(path: Path, wanted: Wanted) -> Header:
    """Axes, and where unit and voxel size are given, notes of the surfaces and of their box."""
    lengths = wanted.lengths
    if lengths.unit is None or lengths.edge is None:
        return Header("xyz")
    shells, corner, shape = _laid(path, lengths)
    found = counted(shells.count, "closed surface")
    if 0 < shells.inward < shells.count:
        found += f", of which {shells.inward} wound inwards: solid where they lie in a pore"
    end = corner + np.array(shape) * lengths.edge / MICROMETRES[lengths.unit]
    span = f"{listed(corner)} to {listed(end)} {lengths.unit}"
    if lengths.box is None:
        span += (
            ", the box around the pores: the part is larger and its porosity smaller, --box says"
            " its corners"
        )
    x, y, z = (float(place) for place in corner * MICROMETRES[lengths.unit])
    return Header("xyz", notes=(f"{found}; voxels from {span}",), corner=(x, y, z))


def _laid(path: Path, lengths: Lengths) -> Laid:
    """The surfaces on the lattice of the voxels; the corner of the box in the file's unit, and how
    many voxels it has along x, y and z.
    """
    file = path.stat()
    return _laid_as_now(path, lengths, file.st_size, file.st_mtime_ns)


@lru_cache(maxsize=1)
@np.errstate(over="ignore", divide="ignore", invalid="ignore")  # what is too far is refused
def _laid_as_now(path: Path, lengths: Lengths, size: int, changed: int) -> Laid:
    """`_laid` of a file as it is now: read once for its notes and its voxels."""
    points, triangles = apart(path, read_triangles, path)
    low, high = points.min(axis=0).astype(float), points.max(axis=0).astype(float)
    if lengths.unit is None:
        raise DataError(
            f"{path}: expected --unit um, mm, cm or m, since surfaces say no unit of length;"
            f" received none. The surfaces span {listed(low)} to {listed(high)}"
        )
    if lengths.edge is None:
        raise DataError(
            f"{path}: expected --voxel-size with surfaces, which have no voxels; received none. The"
            f" surfaces span {listed(low)} to {listed(high)} {lengths.unit}"
        )
    edge = lengths.edge / MICROMETRES[lengths.unit]
    if not (high - low).max() < edge * LONGEST:
        raise DataError(
            f"{path}: expected surfaces of at most {LONGEST:g} voxels, received some from"
            f" {listed(low)} to {listed(high)} {lengths.unit}: another --unit or --voxel-size?"
        )
    if lengths.box is None:
        counts = np.maximum(np.ceil((high - low) / edge - WHOLE), 1)
    else:
        low, high = np.reshape(lengths.box, (2, 3))
        counts = _whole(path, (high - low) / edge)
    _check_counts(path, counts)
    x, y, z = (int(count) for count in counts)
    return closed(path, points, triangles, low, edge), low, (x, y, z)


def _whole(path: Path, counts: np.ndarray) -> np.ndarray:
    """`counts` of voxels along the edges of a box, rounded. DataError where they are not whole."""
    found = np.rint(counts)
    if (np.abs(counts - found) > WHOLE).any() or found.min() < 1:
        raise DataError(
            f"{path}: expected a --box of whole voxels, received"
            f" {' x '.join(f'{count:.6g}' for count in counts)} voxels"
        )
    return found


def _check_counts(path: Path, counts: np.ndarray) -> None:
    """DataError for more voxels than memory has free, or than the lattice has along an axis."""
    free = free_memory()
    most = f"{FARTHEST} along an axis" if counts.max() > FARTHEST else f"the {free} of free memory"
    if counts.max() > FARTHEST or np.prod(counts) > free:
        raise DataError(
            f"{path}: expected at most {most}, received a box of"
            f" {' x '.join(f'{count:g}' for count in counts)} voxels: another --unit or"
            " --voxel-size?"
        )


def read_triangles(path: Path) -> Surface:
    """Points and triangles of a file, the size of which bounds the memory that this takes. Raises
    DataError for what cannot be read, and for a file without triangles.
    """
    import vtk

    makers: dict[str, Callable[[], vtk.vtkPolyDataAlgorithm]] = {
        ".stl": vtk.vtkSTLReader,
        ".vtp": vtk.vtkXMLPolyDataReader,
        ".ply": vtk.vtkPLYReader,
        ".obj": vtk.vtkOBJReader,
        ".vtk": vtk.vtkPolyDataReader,
    }
    suffix = path.suffix.lower()
    if suffix == ".stl":
        _check_stl(path)
    size = path.stat().st_size
    ratio = DEFLATE if suffix == ".vtp" else PACKED
    allow(min(ratio * size, free_memory()))
    with watched(path, f"a {suffix} file of surfaces") as no_errors:
        reader = makers[suffix]()
        reader.SetFileName(str(path))
        reader.Update()
        no_errors()
        return _triangles(reader, path)


def _triangles(reader: vtk.vtkPolyDataAlgorithm, path: Path) -> Surface:
    import vtk
    from vtk.util.numpy_support import vtk_to_numpy

    split = vtk.vtkTriangleFilter()
    split.SetInputConnection(reader.GetOutputPort())
    split.PassVertsOff()
    split.PassLinesOff()
    split.Update()
    data = split.GetOutput()
    if not data.GetNumberOfPolys():
        raise DataError(f"{path}: expected surfaces, received no triangle")
    points = vtk_to_numpy(data.GetPoints().GetData())
    corners = vtk_to_numpy(data.GetPolys().GetConnectivityArray())
    if not (corners.min() >= 0 and corners.max() < len(points)):
        raise DataError(
            f"{path}: expected triangles of its {counted(len(points), 'point')}, received others"
        )
    if not np.isfinite(points).all():
        raise DataError(f"{path}: expected coordinates that are finite, received some that are not")
    return points, corners.reshape(-1, 3).astype(np.int32)


def _check_stl(path: Path) -> None:
    """DataError for an .stl file that is cut: VTK goes by its length, and takes a text without end
    for binary numbers.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(HEAD)
        file.seek(max(0, size - 4096))
        tail = file.read()
    if len(head) == HEAD:
        [count] = struct.unpack("<I", head[80:])
        if size == HEAD + FACET * count:
            return
    if head.lstrip().lower().startswith(b"solid"):
        if b"endsolid" in tail.lower():
            return
        raise DataError(f"{path}: expected endsolid at the end of an .stl file, received none: cut")
    received = (
        f"a header of {count} triangles in {size} bytes" if len(head) == HEAD else f"{size} bytes"
    )
    raise DataError(
        f"{path}: expected an .stl file, {HEAD} bytes and {FACET} for each triangle, received"
        f" {received}"
    )


SURFACES = Format(SUFFIXES, read_surface, surface_header, unitless=True, surfaces=True)
