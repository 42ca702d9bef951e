"""Volumes as scanners and other people store them, read and cropped; a module of
`svevae.scans.readers` for each family of formats.

Every volume that leaves this module is (x, y, z), z the build direction. What scanners and image
programs write (tif stacks, folders of slices, .raw, .nrrd, DICOM) comes slice by slice with x
running fastest, so its array is (slice, row, column): `axes` "zyx". What numpy and HDF5 hold is
taken as "xyz", unless an HDF5 or Zarr file names its axes. Any other order of the three letters
says what a file's axes mean, slowest first, e.g. "yzx".
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from svevae.errors import DataError
from svevae.scans.readers import (
    arrays,
    dicom,
    dream3d,
    legacy,
    medical,
    raw,
    slices,
    surfaces,
    tif,
    vti,
    zarr,
)
from svevae.scans.readers.apart import apart
from svevae.scans.readers.arrays import HDF5, arrays_of, read_array
from svevae.scans.readers.base import (
    NO_LENGTHS,
    UNREADABLE,
    Format,
    Header,
    Lengths,
    Wanted,
    squeezed,
)
from svevae.scans.readers.slices import natural

__all__ = [
    "HDF5",
    "UNREADABLE",
    "VOLUMES",
    "Box",
    "Lengths",
    "arrays_of",
    "corner_of",
    "crop",
    "default_axes",
    "files_of",
    "is_slices",
    "natural",
    "notes_of",
    "oriented",
    "read_array",
    "read_volume",
    "squeezed",
    "volumes_in",
    "voxel_edges",
    "voxel_size",
]

FORMATS = (
    tif.TIF,
    raw.RAW,
    raw.VGI,
    arrays.ARRAYS,
    dream3d.DREAM3D,
    medical.MEDICAL,
    vti.VTI,
    legacy.LEGACY,
    surfaces.SURFACES,
    zarr.ZARR,
    dicom.DICOM,
    slices.SLICES,
)
VOLUMES = tuple(suffix for format_ in FORMATS for suffix in format_.suffixes)
# what no kept library reads
EXPORT = {
    ".am": "Amira and Avizo: save it there as .tif or .nrrd",
    ".czi": "ZEN: export it there as OME-TIFF",
    ".txm": "Xradia: export it there as .tif",
    ".vge": "VGStudio: export it there as .vgi with .vol",
}
Box = tuple[tuple[int | None, int | None], ...]


def read_volume(
    path: str | Path,
    shape: tuple[int, ...] | None = None,
    dtype: str | None = None,
    dataset: str | None = None,
    axes: str | None = None,
    skip: int = 0,
    lengths: Lengths = NO_LENGTHS,
) -> np.ndarray:
    """The volume in `path`, (x, y, z), of the file's own numbers; memory-mapped where the format
    allows.

    `path` is a file of one of `VOLUMES`, or a folder: Zarr, a DICOM series, or tif or png slices in
    the order of the numbers in their names. A raw file needs `shape`, as the file's axes run,
    `dtype`, and the bytes of a header to `skip`; surfaces need the unit and the edge of `lengths`.
    `dataset` names one of several arrays. `axes` defaults to `default_axes`. Raises DataError where
    this is not one volume of numbers, or claims
    more bytes than the file can hold or memory has free.
    """
    path = Path(path)
    wanted, one = Wanted(dataset, shape, dtype, skip, lengths), _format(path)
    if dataset and not one.of_arrays:
        raise DataError(f"{path}: expected no --dataset, as it holds one array, received {dataset}")
    if lengths.unit and not one.unitless:
        raise DataError(
            f"{path}: expected no --unit, which is for files that say none: {_unitless()}; received"
            f" {lengths.unit}"
        )
    if lengths.box and not one.surfaces:
        raise DataError(
            f"{path}: expected no --box, which is for surfaces: {', '.join(surfaces.SUFFIXES)};"
            " --crop counts voxels"
        )
    where = f"{path}{f': {dataset}' if dataset else ''}"
    read = apart(path, one.read, path, wanted) if one.apart else one.read(path, wanted)
    array = squeezed(read, where)
    return oriented(array, axes or default_axes(path, dataset), where)


def _format(path: Path) -> Format:
    """How to read `path`. Raises DataError."""
    if path.is_dir():
        return next((one for one in FORMATS if one.is_folder(path)), slices.SLICES)
    if not path.is_file():
        raise DataError(f"{path}: expected a volume, found nothing")
    name, suffix = path.name.lower(), path.suffix.lower()
    for one in FORMATS:
        if name.endswith(one.suffixes):
            return one
    if suffix in EXPORT:
        raise DataError(f"{path}: expected a format that is read here, received {EXPORT[suffix]}")
    raise DataError(
        f"{path}: expected a folder of slices or a file {', '.join(VOLUMES)}, received"
        f" {suffix or 'a name without suffix'}"
    )


def _unitless() -> str:
    return ", ".join(suffix for one in FORMATS if one.unitless for suffix in one.suffixes)


def _header(path: Path, dataset: str | None, lengths: Lengths = NO_LENGTHS) -> Header:
    one, wanted = _format(path), Wanted(dataset, lengths=lengths)
    return apart(path, one.header, path, wanted) if one.apart else one.header(path, wanted)


def default_axes(path: Path, dataset: str | None = None) -> str:
    """The order of the axes where the user does not give it: what the file says, else "xyz" for
    numpy, HDF5 and Zarr, "zyx" for what scanners write.
    """
    return _header(path, dataset).axes if path.exists() else "zyx"


def voxel_edges(
    path: Path,
    axes: str | None = None,
    dataset: str | None = None,
    lengths: Lengths = NO_LENGTHS,
) -> tuple[float, float, float] | None:
    """Edges of a voxel along x, y and z in micrometres, as the header of `path` has them; None
    where it says nothing. They may differ.
    """
    header = _header(path, dataset, lengths)
    # a ratio of integers in the file, or a float32: 0.1 is 1/10 only to 7 digits
    edges = [float(f"{abs(edge):.6g}") for edge in header.edges]
    if len(edges) != 3 or not all(0 < edge < np.inf for edge in edges):
        return None
    x, y, z = (edges[(axes or header.axes).index(axis)] for axis in "xyz")
    return x, y, z


def voxel_size(
    path: Path,
    axes: str | None = None,
    dataset: str | None = None,
    lengths: Lengths = NO_LENGTHS,
) -> float | None:
    """Edge of a voxel in micrometres as the header of `path` has it; None where it says nothing.

    Raises DataError where the voxels are no cubes.
    """
    edges = voxel_edges(path, axes, dataset, lengths)
    if edges is None:
        return None
    if max(edges) > 1.001 * min(edges):
        received = " x ".join(f"{edge:g}" for edge in edges)
        raise DataError(
            f"{path}: expected voxels that are cubes, received {received} um; --resample makes them"
            " cubes, or give the right --voxel-size"
        )
    return edges[0]


def notes_of(
    path: Path, dataset: str | None = None, lengths: Lengths = NO_LENGTHS
) -> tuple[str, ...]:
    """What people should know of how `path` is read: an orientation that is not turned back, a unit
    that is taken for granted, where the voxels of surfaces lie.
    """
    return _header(path, dataset, lengths).notes


def corner_of(
    path: Path, dataset: str | None = None, lengths: Lengths = NO_LENGTHS
) -> tuple[float, float, float] | None:
    """Where the outer corner of the first voxel is along x, y and z in micrometres; None where
    `path` does not say.
    """
    return _header(path, dataset, lengths).corner


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
        hint = "; of slices import the folder" if array.ndim == 2 else ""
        raise DataError(
            f"{where}: expected a volume of three axes, received shape {array.shape}{hint}"
        )
    if array.dtype.kind not in "biuf":
        raise DataError(f"{where}: expected numbers, received {array.dtype}")
    return array.transpose([axes.index(axis) for axis in "xyz"])


def is_slices(folder: Path) -> bool:
    """Whether a folder is one volume: slices, a DICOM series or Zarr."""
    return any(one.is_folder(folder) for one in FORMATS)


def files_of(path: Path) -> list[Path]:
    """The files that a volume is read from: of a folder that is one volume, slices in the order of
    the numbers in their names; of a tif that belongs to an OME-TIFF set, the set.
    """
    if path.is_dir():
        return _files_in(path)
    return tif.files_of(path) if path.name.lower().endswith(tif.SUFFIXES) else [path]


def _files_in(folder: Path) -> list[Path]:
    if _format(folder) is slices.SLICES:
        return slices.files_of(folder)
    return sorted(path for path in folder.rglob("*") if path.is_file())


def volumes_in(folder: Path) -> list[Path]:
    """The volumes in a folder: files and sub-folders, without the voxels that a header among them
    names.
    """
    paths = [
        path
        for path in folder.iterdir()
        if not path.name.startswith(".") and (path.is_dir() or path.name.lower().endswith(VOLUMES))
    ]
    voxels = {name for path in paths if path.is_file() for name in detached(path)}
    return sorted((path for path in paths if path.name not in voxels), key=natural)


def detached(path: Path) -> list[str]:
    """The names of the files that hold the voxels of a header; [] where it holds them itself."""
    if path.name.lower().endswith(raw.VGI.suffixes):
        return [raw.vgi_data(path).name]
    return medical.detached(path)


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
