"""Volumes as scanners and other people store them: read, cropped and cut into SVEs.

Every volume that leaves this module is (x, y, z), z the build direction. What scanners and image
programs write (tif stacks, folders of slices, .raw, .bin, .vol) comes slice by slice with x running
fastest, so its array is (slice, row, column): `axes` "zyx". What numpy and HDF5 hold is taken as
"xyz". Any other order of the three letters says what a file's axes mean, slowest first, e.g. "yzx".
"""

from __future__ import annotations

import logging
import re
import xml.etree.ElementTree as ElementTree
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np

from svevae.errors import DataError
from svevae.hdf5 import reading

if TYPE_CHECKING:
    import tifffile

TIF, RAW, HDF5 = (".tif", ".tiff"), (".raw", ".bin", ".vol"), (".h5", ".hdf5", ".hdf")
SLICES = (*TIF, ".png")
VOLUMES = (*TIF, *RAW, *HDF5, ".npy", ".npz")
# what numpy and h5py raise of damaged files
UNREADABLE = (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)
MICROMETRES = {
    "nm": 1e-3,
    "um": 1.0,
    "µm": 1.0,
    "μm": 1.0,
    "\\u00b5m": 1.0,
    "micron": 1.0,
    "microns": 1.0,
    "micrometer": 1.0,
}
MICROMETRES |= {"mm": 1e3, "cm": 1e4, "m": 1e6, "inch": 25400.0}
Box = tuple[tuple[int | None, int | None], ...]


def read_volume(
    path: str | Path,
    shape: tuple[int, ...] | None = None,
    dtype: str | None = None,
    dataset: str | None = None,
    axes: str | None = None,
) -> np.ndarray:
    """The volume in `path`, (x, y, z), of the file's own numbers; memory-mapped where the format
    allows.

    `path` is a .npy, .npz, tif, raw (with `shape`, as the file's axes run, and `dtype`) or HDF5
    file, or a folder of tif or png slices in the order of the numbers in their names. `dataset`
    names one of several arrays of a .npz or HDF5 file. `axes` defaults to `default_axes`. Raises
    DataError where this is not one volume of numbers.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if path.is_dir():
        array = _read_slices(path)
    elif not path.is_file():
        raise DataError(f"{path}: expected a volume, found nothing")
    elif suffix in TIF:
        array = _read_tif(path)
    elif suffix in RAW:
        array = _read_raw(path, shape, dtype)
    elif suffix in (*HDF5, ".npy", ".npz"):
        array = _read_array(path, dataset)
    else:
        raise DataError(
            f"{path}: expected a folder of slices or a file {', '.join(VOLUMES)}, received"
            f" {suffix or 'a name without suffix'}"
        )
    return oriented(array, axes or default_axes(path), f"{path}{f': {dataset}' if dataset else ''}")


def default_axes(path: Path) -> str:
    """The order of the axes where the user does not give it: "xyz" for numpy and HDF5, "zyx" for
    what scanners write.
    """
    return "xyz" if path.suffix.lower() in (*HDF5, ".npy", ".npz") and not path.is_dir() else "zyx"


def oriented(array: np.ndarray, axes: str, where: str) -> np.ndarray:
    """`array` with its `axes` brought to (x, y, z), as a view. Raises DataError, which names
    `where`, for what is not a volume.
    """
    if sorted(axes) != ["x", "y", "z"]:
        raise DataError(
            f"{where}: axes: expected an order of the letters x, y and z such as zyx, received"
            f" {axes!r}"
        )
    if array.ndim != 3 or not array.size:
        raise DataError(f"{where}: expected a volume of three axes, received shape {array.shape}")
    if array.dtype.kind not in "biuf":
        raise DataError(f"{where}: expected numbers, received {array.dtype}")
    return array.transpose([axes.index(axis) for axis in "xyz"])


def natural(path: Path) -> list[tuple[int, str]]:
    """A key that sorts slice2 before slice10."""
    return [
        (int(part), "") if part.isdecimal() else (-1, part)
        for part in re.split(r"(\d+)", path.name)
    ]


def slices_of(folder: Path) -> list[Path]:
    """The tif and png files of a folder in the order of the numbers in their names."""
    return sorted(
        (
            path
            for path in folder.iterdir()
            if path.suffix.lower() in SLICES and not path.name.startswith(".")
        ),
        key=natural,
    )


def is_slices(folder: Path) -> bool:
    """Whether a folder holds the slices of one volume: png files or tif files of one slice each."""
    slices = slices_of(folder)
    return bool(slices) and (slices[0].suffix.lower() not in TIF or _read_tif(slices[0]).ndim == 2)


def voxel_edges(path: Path) -> tuple[float, float, float] | None:
    """Edges of a voxel along x, y and z in micrometres, as the header of `path` has them; None
    where it says nothing. They may differ.
    """
    if path.is_dir() or path.suffix.lower() not in TIF:
        return None
    with _tif(path) as tif:
        edges = _imagej_edges(tif) or _ome_edges(tif.ome_metadata or "")
    # a ratio of integers in the file: 0.1 is 1/10 only to 7 digits
    rounded = [float(f"{abs(edge):.6g}") for edge in edges]
    return (rounded[0], rounded[1], rounded[2]) if len(rounded) == 3 and all(rounded) else None


def voxel_size(path: Path) -> float | None:
    """Edge of a voxel in micrometres as the header of `path` has it; None where it says nothing.

    Raises DataError where the voxels are no cubes.
    """
    edges = voxel_edges(path)
    if edges is None:
        return None
    if max(edges) > 1.001 * min(edges):
        received = " x ".join(f"{edge:g}" for edge in edges)
        raise DataError(
            f"{path}: expected voxels that are cubes, received {received} um; resample it, or give"
            " the right --voxel-size"
        )
    return edges[0]


def _imagej_edges(tif: tifffile.TiffFile) -> list[float]:
    """Edges of a voxel in micrometres as ImageJ writes them; none without a unit of length.

    ImageJ leaves out a spacing of 1.0 (https://imagej.net/ij/source/ij/io/FileSaver.java).
    """
    said = tif.imagej_metadata or {}
    unit = MICROMETRES.get(str(said.get("unit")).lower())
    if unit is None:
        return []
    tags = [tif.pages.first.tags.get(name) for name in ("XResolution", "YResolution")]
    edges = [unit * tag.value[1] / tag.value[0] for tag in tags if tag is not None and tag.value[0]]
    return [*edges, unit * float(said.get("spacing", 1.0))]


def _ome_edges(metadata: str) -> list[float]:
    """Edges of a voxel in micrometres from the XML of OME; none where it is empty."""
    pixels = ElementTree.fromstring(metadata).find(".//{*}Pixels") if metadata else None
    edges: list[float] = []
    if pixels is None:
        return edges
    for key in ("PhysicalSizeX", "PhysicalSizeY", "PhysicalSizeZ"):
        unit, length = MICROMETRES.get(pixels.get(f"{key}Unit", "µm")), pixels.get(key)
        if unit and length:
            edges.append(unit * float(length))
    return edges


def crop(volume: np.ndarray, box: Box) -> np.ndarray:
    """The part of `volume` from start to below stop along x, y and z, None for an end of the
    volume; a view. Raises DataError.
    """
    spans = [
        (start or 0, size if stop is None else stop)
        for (start, stop), size in zip(box, volume.shape, strict=True)
    ]
    for axis, (start, stop), size in zip("xyz", spans, volume.shape, strict=True):
        if not 0 <= start < stop <= size:
            raise DataError(
                f"--crop along {axis}: expected 0 <= start < stop <= {size}, received {start} to"
                f" {stop}"
            )
    return volume[tuple(slice(*span) for span in spans)]


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


class _Listener(logging.Handler):
    """Remembers what is logged."""

    def __init__(self, level: int):
        super().__init__(level)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


@contextmanager
def _tif(path: Path) -> Iterator[tifffile.TiffFile]:
    """The tif file, open. DataError for what tifffile raises, and for missing pages, which it only
    logs: it reads what is there.
    """
    import tifffile  # here, since who only cuts does not need it

    handler = _Listener(logging.ERROR)
    logger = logging.getLogger("tifffile")
    logger.addHandler(handler)
    try:
        with tifffile.TiffFile(path) as tif:
            yield tif
        if any("TiffPages" in line or "series" in line for line in handler.said):
            raise ValueError("; ".join(handler.said))
    except DataError:
        raise
    except Exception as error:  # of a damaged file tifffile raises almost anything
        raise DataError(f"{path}: expected a tif file, cannot be read: {error}") from error
    finally:
        logger.removeHandler(handler)


def _read_tif(path: Path) -> np.ndarray:
    with _tif(path) as tif:
        series = tif.series[0]
        if "S" in series.axes:
            raise DataError(
                f"{path}: expected greys, received colours: axes {series.axes}, shape"
                f" {series.shape}"
            )
        return tif.asarray(out="memmap" if series.dataoffset is not None else None)


def _read_raw(path: Path, shape: tuple[int, ...] | None, dtype: str | None) -> np.ndarray:
    if shape is None or dtype is None:
        raise DataError(
            f"{path}: a raw file says nothing of itself: give its --shape and --dtype, e.g. --shape"
            " 800 512 512 --dtype uint16"
        )
    try:
        kind = np.dtype(dtype)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"{path}: --dtype: expected a type of numpy such as uint16 or >u2 (big-endian),"
            f" received {dtype!r}"
        ) from error
    expected, received = int(np.prod(shape)) * kind.itemsize, path.stat().st_size
    if expected != received or not expected:
        raise DataError(
            f"{path}: expected {expected} bytes, {_times(shape)} of {kind}, received {received}"
            " bytes"
        )
    return np.memmap(path, kind, "r", shape=tuple(shape))


def _read_array(path: Path, dataset: str | None) -> np.ndarray:
    if path.suffix.lower() == ".npy":
        try:
            return np.load(path, mmap_mode="r", allow_pickle=False)
        except UNREADABLE as error:
            raise DataError(f"{path}: expected a .npy file, cannot be read: {error}") from error
    with arrays_of(path) as arrays:
        names = [
            name
            for name in arrays
            if name == dataset or (dataset is None and arrays[name].ndim == 3)
        ]
        if len(names) == 1:
            return arrays[names[0]][()]
        found = ", ".join(f"{name} {array.shape}" for name, array in arrays.items()) or "nothing"
    raise DataError(
        f"{path}: expected {f'the array {dataset}' if dataset else 'one array of three axes'},"
        f" received {found}"
    )


@contextmanager
def arrays_of(path: Path) -> Iterator[dict[str, np.ndarray | h5py.Dataset]]:
    """The arrays of a .npz or HDF5 file by their paths, those of HDF5 on disk while the context
    lasts. DataError if damaged.
    """
    if path.suffix.lower() == ".npz":
        try:
            # numpy leaves a damaged file open that it has opened itself
            with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as file:
                members = {name: file[name] for name in file}
        except UNREADABLE as error:
            raise DataError(f"{path}: expected a .npz file, cannot be read: {error}") from error
        yield members
        return
    arrays: dict[str, h5py.Dataset] = {}
    with reading(path) as file:
        file.visititems(
            lambda name, item: arrays.update({name: item} if isinstance(item, h5py.Dataset) else {})
        )
        yield arrays


def _read_slices(folder: Path) -> np.ndarray:
    paths = slices_of(folder)
    if not paths:
        raise DataError(f"{folder}: expected slices, files {', '.join(SLICES)}, found none")
    first = _read_slice(paths[0])
    volume = np.empty((len(paths), *first.shape), first.dtype)
    for i, path in enumerate(paths):
        image = _read_slice(path)
        if (image.shape, image.dtype) != (first.shape, first.dtype):
            received, expected = (f"{_times(one.shape)} of {one.dtype}" for one in (image, first))
            raise DataError(
                f"{path}: expected a slice like {paths[0].name}, {expected}, received {received}"
            )
        volume[i] = image
    return volume


def _read_slice(path: Path) -> np.ndarray:
    if path.suffix.lower() in TIF:
        image = np.asarray(_read_tif(path))
    else:
        import PIL.Image

        try:
            with PIL.Image.open(path) as file:
                image = np.asarray(file.convert("L") if file.mode == "P" else file)
        except (OSError, SyntaxError, ValueError) as error:
            # Pillow calls a broken chunk a SyntaxError
            raise DataError(f"{path}: expected a png file, cannot be read: {error}") from error
    if image.ndim != 2:
        raise DataError(f"{path}: expected a slice of greys, received shape {image.shape}")
    return image
