"""DREAM3D's .dream3d files: arrays (z, y, x, component) on an image geometry, in HDF5.

DREAM3D-NX (file version 8) has the attributes _DIMENSIONS and _SPACING, x, y, z, at the group of
the geometry; DREAM.3D 6 (version 7) has datasets of _SIMPL_GEOMETRY in it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from svevae.errors import DataError
from svevae.hdf5 import reading
from svevae.scans.readers.arrays import checked, is_array, link_name
from svevae.scans.readers.base import Format, Header, Wanted, chosen


def read_dream3d(path: Path, wanted: Wanted) -> np.ndarray:
    """The array that `wanted.dataset` names by its path or its last name, or the only one of one
    component, (z, y, x, 1).
    """
    with reading(path) as file:
        _, cells, _ = _geometry(path, file)
        arrays: dict[str, tuple[int, ...]] = {}

        def look(name: str, item: Any) -> None:
            if is_array(item) and item.shape in (cells, (*cells, 1)):
                arrays[link_name(name)] = item.shape

        file.visititems(look)
        names = [name for name in arrays if name.rpartition("/")[2] == wanted.dataset]
        name = names[0] if len(names) == 1 else chosen(path, arrays, wanted.dataset)
        return checked(f"{path}: {name}", file[name])[()]


def dream3d_header(path: Path, wanted: Wanted) -> Header:
    with reading(path) as file:
        _, _, spacing = _geometry(path, file)
    note = "the spacing of a .dream3d file is taken in micrometres"
    return Header("zyx", tuple(reversed(spacing)), (note,))


def _geometry(path: Path, file: h5py.File) -> tuple[str, tuple[int, ...], tuple[float, ...]]:
    """The one image geometry: its group, its cells (z, y, x) and its spacing (x, y, z)."""
    found: dict[str, tuple[Any, Any]] = {}

    def look(name: str, item: Any) -> None:
        group = isinstance(item, h5py.Group)
        if {"_DIMENSIONS", "_SPACING"} <= set(item.attrs):
            found[name] = item.attrs["_DIMENSIONS"], item.attrs["_SPACING"]
        elif group and name.endswith("_SIMPL_GEOMETRY") and {"DIMENSIONS", "SPACING"} <= set(item):
            found[name] = item["DIMENSIONS"][()], item["SPACING"][()]

    file.visititems(look)
    if len(found) != 1 or any(np.shape(value) != (3,) for pair in found.values() for value in pair):
        raise DataError(
            f"{path}: expected a DREAM3D file with one image geometry, received"
            f" {', '.join(found) or 'none'}"
        )
    name, (cells, spacing) = found.popitem()
    return name, tuple(int(n) for n in reversed(cells)), tuple(float(edge) for edge in spacing)


DREAM3D = Format((".dream3d",), read_dream3d, dream3d_header, of_arrays=True)
