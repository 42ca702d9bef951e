"""Arrays in .npy, .npz and HDF5 files: (x, y, z) unless the user or an HDF5 file says otherwise."""

from __future__ import annotations

import math
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from svevae.errors import DataError
from svevae.hdf5 import reading
from svevae.scans.readers.base import (
    DEFLATE,
    MICROMETRES,
    Format,
    Header,
    Wanted,
    chosen,
    fits,
    order_of,
    reading_as,
)

HDF5 = (".h5", ".hdf5", ".hdf", ".nxs")
MAPPED = 1 << 26  # bytes of an HDF5 dataset; smaller ones are read


@dataclass(frozen=True)
class Member:
    """An array in a .npz file that is not read yet; `np.asarray` reads it."""

    path: Path
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        with reading_as(self.path, "a .npz file"), zipfile.ZipFile(self.path) as file:
            entry = file.getinfo(f"{self.name}.npy")
            packed = entry.compress_size if entry.compress_type != zipfile.ZIP_STORED else None
            where = f"{self.path}: {self.name}"
            ratio = {zipfile.ZIP_STORED: 1, zipfile.ZIP_DEFLATED: DEFLATE}.get(entry.compress_type)
            stored = self.path.stat().st_size if packed is None else packed
            fits(where, self.shape, self.dtype, stored, ratio)
            with file.open(entry) as stream:
                array = np.lib.format.read_array(stream, allow_pickle=False)
                stream.read(1)  # at its end zipfile compares the checksum
        return array if dtype is None else array.astype(dtype)

    def __getitem__(self, key: Any) -> Any:
        return np.asarray(self)[key]


@contextmanager
def arrays_of(path: Path) -> Iterator[Mapping[str, Any]]:
    """The arrays of a .npy, .npz or HDF5 file by their paths, unread; each has `shape`, `dtype` and
    `ndim`. That of .npy, by the name "", is memory-mapped; those of HDF5 are on disk while the
    context lasts; those of .npz are read by `np.asarray`. DataError if damaged.
    """
    if path.suffix.lower() == ".npy":
        yield {"": read_npy(path)}
    elif path.suffix.lower() == ".npz":
        yield _members(path)
    else:
        arrays: dict[str, h5py.Dataset] = {}
        with reading(path) as file:
            file.visititems(
                lambda name, item: arrays.update({link_name(name): item} if is_array(item) else {})
            )
            yield arrays


def link_name(name: str | bytes) -> str:
    """A name in an HDF5 file as text; h5py gives bytes for one that is not UTF-8."""
    return name.decode("latin-1") if isinstance(name, bytes) else name


def is_array(item: Any) -> bool:
    """Whether an HDF5 object is an array; a null dataset (`h5py.Empty`) has no shape."""
    return isinstance(item, h5py.Dataset) and item.shape is not None


def named_axes(dataset: h5py.Dataset) -> str | None:
    """The order of the axes of a volume, or of a list of them, as `dataset` names them: by the
    labels of its dimensions (HDF5's dimension scales), by its attribute `axes` (z:y:x of Data
    Exchange and NeXus), or by that of the NXdata group whose `signal` it is
    (https://manual.nexusformat.org/classes/base_classes/NXdata.html); see `order_of`.
    """
    group = dataset.parent.attrs
    said: list[Any] = [[dimension.label for dimension in dataset.dims], dataset.attrs.get("axes")]
    if _texts(group.get("signal")) == [link_name(dataset.name).rsplit("/", 1)[-1]]:
        said.append(group.get("axes"))
    for names in map(_texts, said):
        if order := order_of(names, dataset.shape):
            return order
    return None


def axis_steps(dataset: h5py.Dataset) -> list[float] | None:
    """The edges of a voxel in micrometres, where each of the last three axes of `dataset` has
    positions in even steps and a unit of length: its dimension scale, or the field of its NXdata
    group that `axes` names.
    """
    names = _texts(dataset.parent.attrs.get("axes"))
    names = names if len(names) == len(dataset.shape) else [""] * len(dataset.shape)
    edges = []
    for name, scales, size in list(zip(names, dataset.dims, dataset.shape, strict=True))[-3:]:
        found: Any = scales[0] if len(scales) else dataset.parent.get(name) if name else None
        if not is_array(found) or found.shape != (size,) or found.dtype.kind not in "iuf":
            return None
        unit = MICROMETRES.get("".join(_texts(found.attrs.get("units"))))
        steps = np.diff(found[:].astype(float))
        if unit is None or not steps.size or not np.ptp(steps) <= 1e-3 * abs(steps.mean()) > 0:
            return None
        edges.append(float(f"{unit * abs(steps.mean()):.6g}"))  # the positions may be float32
    return edges if len(edges) == 3 else None


def _texts(said: Any) -> list[str]:
    """An attribute that is a list of names, or a text with commas or colons between them."""
    items: Iterable[Any] = (
        [] if said is None or isinstance(said, h5py.Empty) else np.atleast_1d(said).ravel()
    )
    texts = [item.decode("latin-1") if isinstance(item, bytes) else str(item) for item in items]
    if len(texts) == 1:
        texts = re.split(r"[:,]", texts[0].strip("[] "))
    return [text.strip().lower() for text in texts]


def _members(path: Path) -> dict[str, Member]:
    """The members of a .npz file that are arrays of something else than objects: no pickle is
    opened.
    """
    members = {}
    with reading_as(path, "a .npz file"), zipfile.ZipFile(path) as file:
        for name in file.namelist():
            if not name.endswith(".npy"):
                continue
            with reading_as(path, f"an array in {name}"), file.open(name) as stream:
                version = np.lib.format.read_magic(stream)
                read = (
                    np.lib.format.read_array_header_1_0
                    if version == (1, 0)
                    else np.lib.format.read_array_header_2_0
                )
                shape, _, dtype = read(stream)
            if not dtype.hasobject:
                name = name.removesuffix(".npy")
                members[name] = Member(path, name, shape, dtype)
    return members


def read_npy(path: Path) -> np.ndarray:
    """The array of a .npy file, of any number of axes, memory-mapped."""
    with reading_as(path, "a .npy file"):
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except ValueError as error:
            if "mmap length" not in str(error):
                raise
            raise ValueError("truncated, its header says more bytes than it has") from error
        if not isinstance(array, np.ndarray):  # a .npz by another name
            array.close()
            raise ValueError("it is an archive; name it .npz")
        return array


def read_array(path: Path, dataset: str | None = None) -> np.ndarray:
    """The array of a .npy file, or `dataset` of a .npz or HDF5 file, or its only volume, as its
    axes run. Raises DataError, also where it claims more than the file can hold or memory has free.
    """
    with arrays_of(path) as arrays:
        if "" in arrays:
            return arrays[""]
        name = chosen(path, {name: array.shape for name, array in arrays.items()}, dataset)
        array = arrays[name]
        if isinstance(array, h5py.Dataset):
            offset = _offset(array)
            if offset is not None and offset + array.nbytes <= path.stat().st_size:
                return np.memmap(path, array.dtype, "r", offset, array.shape)
            checked(f"{path}: {name}", array)
        return np.asarray(array[()])


def _offset(dataset: h5py.Dataset) -> int | None:
    """Where the numbers of a large dataset begin in its file if they lie there in one piece, so
    that they may be mapped into memory; else None.
    """
    if (
        dataset.nbytes < MAPPED
        or dataset.chunks
        or dataset.is_virtual
        or dataset.external
        or dataset.file.userblock_size
        or dataset.dtype.kind not in "iuf"
    ):
        return None
    return dataset.id.get_offset()


def checked(where: str, dataset: h5py.Dataset) -> h5py.Dataset:
    """`dataset`; DataError where the file holds too few bytes for it, or memory does."""
    stored = dataset.id.get_storage_size()
    if dataset.size and not stored and not dataset.is_virtual and not dataset.external:
        raise DataError(
            f"{where}: expected voxels, received {dataset.shape} that nothing is written in"
        )
    codecs = {"gzip": DEFLATE, None: 1}
    packed = None if dataset.is_virtual or dataset.external else stored
    # chunks that nothing is written in are of the fill value: for them only memory is a bound
    bound = None if dataset.chunks else codecs.get(dataset.compression)
    if dataset.chunks and dataset.compression == "gzip" and stored:
        written = dataset.id.get_num_chunks() * math.prod(dataset.chunks)
        fits(where, (written,), dataset.dtype, packed, DEFLATE)
    fits(where, dataset.shape, dataset.dtype, packed, bound)
    return dataset


def arrays_header(path: Path, wanted: Wanted) -> Header:
    """The axes that an HDF5 file names, else (x, y, z)."""
    if path.suffix.lower() not in HDF5:
        return Header("xyz")
    with arrays_of(path) as arrays:
        shapes = {name: array.shape for name, array in arrays.items()}
        array = arrays[chosen(path, shapes, wanted.dataset)]
        said = "".join(_texts(array.attrs.get("permute_order")))
        return Header(said or named_axes(array) or "xyz")


ARRAYS = Format(
    (*HDF5, ".npy", ".npz"),
    lambda path, wanted: read_array(path, wanted.dataset),
    arrays_header,
    of_arrays=True,
)
