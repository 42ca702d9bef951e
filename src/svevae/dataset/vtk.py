"""SVEs and parts as VTKHDF image data, the format that ParaView (5.12 and newer) and VTK (9.3 and
newer) open as they are.

A voxel is a cell. In ParaView: Cell Data to Point Data, then Contour of `pore` at 0.5 for the pore
surfaces; or Threshold. Format:
https://docs.vtk.org/en/latest/vtk_file_formats/vtkhdf_file_format/vtkhdf_specifications.html
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import h5py
import numpy as np

from svevae.dataset.statistics import read_position
from svevae.dataset.store import SVEDataset, composed
from svevae.errors import DataError
from svevae.files import written_whole
from svevae.words import counted

VERSION = (2, 6)  # of the format; readers of 2.0 skip what is newer: which field is active
SUFFIXES = (".vtkhdf", ".hdf")  # ParaView chooses its reader by them
MISSING = 255  # `pore` where the file has no SVE
VOXEL_LIMIT = 2**30  # of a part, 4 GB a property
CHUNK = 64  # voxels along each edge of a compressed block

Lengths = float | tuple[float, float, float]


def write_vtkhdf(
    path: str | Path,
    fields: Mapping[str, np.ndarray],
    spacing: Lengths,
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> None:
    """Write cell data `fields`, each (x, y, z) or (x, y, z, component), to `path`, whole or not at
    all.

    `spacing` is the voxel's edge in micrometres, one or three; `origin` the outer corner of the
    first voxel. Numbers keep their type (booleans become uint8); the first field is what ParaView
    colours by. On disk the axes are (z, y, x), since VTK counts x fastest. Raises DataError for
    fields that do not fit together, names or types that VTK does not have, and a path it would not
    know.
    """
    fields = {name: np.asarray(field) for name, field in fields.items()}
    if not fields:
        raise DataError(f"{path}: not written: expected at least one field, received none")
    name, first = next(iter(fields.items()))
    for other, field in fields.items():
        if field.ndim not in (3, 4) or field.size == 0:
            raise DataError(
                f"{path}: not written: {other}: expected (x, y, z) or (x, y, z, component),"
                f" received shape {field.shape}"
            )
        if field.shape[:3] != first.shape[:3]:
            raise DataError(
                f"{path}: not written: {other}: expected {first.shape[:3]} voxels as {name} has,"
                f" received {field.shape[:3]}"
            )
    _write(Path(path), first.shape[:3], fields.items(), spacing, origin)


def export_sve(data: SVEDataset, index: int, path: str | Path) -> None:
    """Write one SVE: `pore` (0 solid, 1 pore) and each property, constant over the cube, in the
    units of the file.

    Where the file has /position, the SVE lies where it lies in its part. Lengths are in
    micrometres, or in voxels where the file has no voxel size. Raises DataError for an index that
    the file lacks, and as `write_vtkhdf`.
    """
    if not 0 <= index < data.count:
        raise DataError(
            f"{data.path}: SVE: expected an index from 0 to {data.count - 1}, received {index}"
        )
    position = read_position(data)
    corner = np.zeros(3) if position is None else position[index] * _stride(data) * _edge(data)
    _write(
        Path(path),
        (data.n,) * 3,
        _fields(data, np.full((1, 1, 1), index)),
        _edge(data),
        tuple(corner),
    )


def export_part(data: SVEDataset, part: int, path: str | Path) -> None:
    """Put a part together from its SVEs by /position and write it: `pore`, `sve` (index in the
    file), each property per SVE.

    Where the file lacks an SVE inside the box that the others span, `pore` is 255, `sve` -1 and
    properties are NaN, which ParaView paints in a colour of its own. Memory: one field of the whole
    part, and the compressed file. Raises DataError for a part or /position that the file lacks,
    SVEs that overlap or leave gaps (an attribute `stride` other than n), two SVEs in one place, a
    box of more than 2^30 voxels, and as `write_vtkhdf`.
    """
    chosen = np.flatnonzero(data.part_id == part)
    if not len(chosen):
        known = np.unique(data.part_id)
        raise DataError(
            f"{data.path}: part: expected one of {counted(len(known), 'part')} from {known[0]} to"
            f" {known[-1]}, received {part}"
        )
    if _stride(data) != data.n:
        raise DataError(
            f"{data.path}: stride: expected SVEs that fill the part, {data.n} voxels apart,"
            f" received {_stride(data):g}"
        )
    position = read_position(data)
    if position is None:
        raise DataError(
            f"{data.path}: /position is missing; a part is put together by it. One SVE can be"
            " exported without"
        )
    corner = position[chosen].min(axis=0)
    extent = position[chosen].max(axis=0) - corner + 1
    if np.prod(extent * float(data.n)) > VOXEL_LIMIT:
        raise DataError(
            f"{data.path}: /position: expected a part of at most {VOXEL_LIMIT} voxels, received one"
            f" of {' x '.join(map(str, extent.tolist()))} SVEs, {len(chosen)} of them in the file"
        )
    places = np.full(extent, -1)
    places[tuple((position[chosen] - corner).T)] = chosen
    shape = tuple((extent * data.n).tolist())
    _write(
        Path(path), shape, _fields(data, places), _edge(data), tuple(corner * data.n * _edge(data))
    )


def _fields(data: SVEDataset, places: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """The cell data of the SVEs `places` (index in the file, -1 for none), one field at a time: the
    whole part may be large.
    """
    taken = {"pore", "sve"} & set(data.names)
    if taken:
        raise DataError(
            f"{data.path}: /properties: `{taken.pop()}` is the name of a field of voxels, expected"
            " another name"
        )
    n = data.n
    pore = np.full(tuple(edge * n for edge in places.shape), MISSING, np.uint8)
    for i, layer in enumerate(places):
        present = np.argwhere(layer >= 0)
        for (j, k), cube in zip(present, data.voxels(layer[layer >= 0]), strict=True):
            pore[i * n : (i + 1) * n, j * n : (j + 1) * n, k * n : (k + 1) * n] = cube
    yield "pore", pore
    yield "sve", _expand(places.astype(np.int32), n)
    if data.properties is not None:
        for name, column in zip(data.names, data.properties.T, strict=True):
            yield name, _expand(np.where(places < 0, np.float32(np.nan), column[places]), n)


def _expand(places: np.ndarray, n: int) -> np.ndarray:
    return places.repeat(n, 0).repeat(n, 1).repeat(n, 2)


def _edge(data: SVEDataset) -> float:
    return 1.0 if data.voxel_size is None else data.voxel_size


def _stride(data: SVEDataset) -> float:
    """Voxels from one SVE to the next. Raises DataError for what is no number above 0."""
    stride = data.attributes.get("stride", data.n)
    values = np.asarray(stride)
    if values.dtype.kind not in "iuf" or values.size != 1 or not 0 < values.item() < np.inf:
        raise DataError(
            f"{data.path}: stride: expected voxels from one SVE to the next, received"
            f" {reprlib.repr(stride)}"
        )
    return values.item()


def _write(
    path: Path,
    shape: tuple[int, ...],
    fields: Iterable[tuple[str, np.ndarray]],
    spacing: Lengths,
    origin: tuple[float, ...],
) -> None:
    if path.suffix not in SUFFIXES:
        raise DataError(
            f"{path}: expected a name that ends in {' or '.join(SUFFIXES)}, by which ParaView knows"
            " the format"
        )
    lengths = np.broadcast_to(np.asarray(spacing, np.float64), 3)
    if not (np.isfinite(lengths).all() and (lengths > 0).all()):
        raise DataError(
            f"{path}: not written: spacing: expected lengths above 0, received {spacing}"
        )
    with written_whole(path) as beside, composed(beside) as file:
        root = file.create_group("VTKHDF")
        root.attrs["Version"] = np.array(VERSION, np.int64)
        root.attrs["Type"] = np.bytes_("ImageData")
        root.attrs["WholeExtent"] = np.array([[0, edge] for edge in shape], np.int64).ravel()
        root.attrs["Origin"] = np.asarray(origin, np.float64)
        root.attrs["Spacing"] = lengths
        root.attrs["Direction"] = np.eye(3).ravel()
        cells = root.create_group("CellData")
        for name, field in fields:
            stored = _write_field(cells, name, field, path)
            if len(cells) == 1:
                stored.attrs["Attribute"] = np.bytes_("Scalars")


def _write_field(cells: h5py.Group, name: str, field: np.ndarray, path: Path) -> h5py.Dataset:
    if not name or "/" in name or name == ".":
        raise DataError(
            f"{path}: not written: expected names of fields without '/', received {name!r}"
        )
    field = field.astype(np.uint8) if field.dtype == bool else field
    if field.dtype.kind not in "iuf" or (field.dtype.itemsize == 2 and field.dtype.kind == "f"):
        raise DataError(
            f"{path}: not written: {name}: expected integers, float32 or float64, received"
            f" {field.dtype}"
        )
    stored = np.ascontiguousarray(field.swapaxes(0, 2))
    chunks = tuple(min(edge, CHUNK) for edge in stored.shape[:3]) + stored.shape[3:]
    return cells.create_dataset(
        name, data=stored, chunks=chunks, compression="gzip", compression_opts=1, shuffle=True
    )
