"""How large the arrays of a file are in memory, from its headers alone."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import h5py
import numpy as np

from svevae.errors import DataError
from svevae.hdf5 import reading
from svevae.scans.readers.tif import opened
from svevae.scans.volume import HDF5, UNREADABLE


def unpacked_bytes(path: Path) -> int:
    """Bytes that reading the .npy, .npz, tif or HDF5 file at `path` takes, as its headers claim;
    the file's own size for other files. Raises DataError for a damaged file.
    """
    suffix = path.suffix.lower()
    if suffix in (".tif", ".tiff"):
        with opened(path) as tif:
            return int(tif.series[0].nbytes)
    if suffix in HDF5:
        sizes: list[int] = []
        with reading(path) as file:
            file.visititems(lambda _, item: sizes.extend(_dataset_bytes(item)))
        return sum(sizes)
    if suffix in (".npy", ".npz"):
        try:
            return sum(_numpy_bytes(path))
        except UNREADABLE as error:
            raise DataError(f"{path}: expected a {suffix} file, cannot be read: {error}") from error
    return path.stat().st_size


def _dataset_bytes(item: h5py.Group | h5py.Dataset) -> Iterator[int]:
    if isinstance(item, h5py.Dataset) and item.shape is not None:
        yield math.prod(map(int, item.shape)) * item.dtype.itemsize


def _numpy_bytes(path: Path) -> Iterator[int]:
    if path.suffix.lower() == ".npy":
        with path.open("rb") as stream:
            yield _header_bytes(stream)
        return
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            claimed = 0
            if member.filename.endswith(".npy"):
                with archive.open(member) as stream:
                    claimed = _header_bytes(stream)
            yield max(member.file_size, claimed)


def _header_bytes(stream: IO[bytes]) -> int:
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0
    if version != (1, 0):
        read = np.lib.format.read_array_header_2_0
    shape, _, dtype = read(stream)
    return math.prod(shape) * dtype.itemsize
