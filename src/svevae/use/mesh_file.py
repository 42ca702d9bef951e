"""The file of a mesh that a command names."""

from __future__ import annotations

from pathlib import Path

import h5py

from svevae.meshes.mesh import Mesh
from svevae.meshes.reading import read_mesh
from svevae.scans.readers.apart import apart


def mesh_of(path: Path) -> Mesh:
    """Read a mesh as `svevae.meshes.reading.read_mesh`; what is of HDF5, such as .med, in a process
    of its own, since damaged files crash its library. Raises DataError for these, too.
    """
    if path.is_file() and h5py.is_hdf5(path):
        return apart(path, read_mesh, path)
    return read_mesh(path)
