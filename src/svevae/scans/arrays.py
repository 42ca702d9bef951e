"""Samples in .npy, .npz and HDF5 files: an array (sve, x, y, z) with arrays of labels beside it, or
several arrays (x, y, z) with their labels as attributes.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from svevae.dataset.problems import cube_edge
from svevae.errors import DataError
from svevae.scans import volume as vol
from svevae.scans.options import ImportOptions
from svevae.scans.readers.arrays import axis_steps, link_name, named_axes
from svevae.scans.readers.base import MICROMETRES, several_channels
from svevae.scans.sources import EDGE, PARTS, Column, Sample, Source, labelled, text_of
from svevae.words import counted, short, some

NOTES = ("permute_order", EDGE)  # attributes of volumes that are no properties
LENGTH = re.compile(r"\s*([\d.eE+-]+)\s*(\S*)\s*")  # such as "10 um"


@dataclass(frozen=True)
class Array:
    """An array in a .npy, .npz or HDF5 file that is not read yet."""

    shape: tuple[int, ...]
    dtype: np.dtype
    attributes: Mapping[str, Any]
    read: Callable[[], np.ndarray] = field(repr=False)

    @property
    def ones(self) -> tuple[int, ...]:
        """Axes of length 1 to leave out, such as of one channel: all but the first axis, while more
        than three are left.
        """
        ones = [axis for axis in range(len(self.shape) - 1, 0, -1) if self.shape[axis] == 1]
        return tuple(ones[: max(0, len(self.shape) - 3)])

    @property
    def rank(self) -> int:
        """3 for a volume, 4 for a list of them."""
        return len(self.shape) - len(self.ones)

    def voxels(self) -> np.ndarray:
        """The array without `ones`."""
        return np.squeeze(self.read(), self.ones)


def arrays_in(path: Path) -> dict[str, Array]:
    """Every array in a .npy, .npz or HDF5 file by its path, "" in a .npy file; attributes are its
    own, and its group's where it is the only array there; `permute_order` is the order of its axes
    where the file names them.
    """
    described: dict[str, Array] = {}
    with vol.arrays_of(path) as arrays:
        for name, array in arrays.items():
            attributes: dict[str, Any] = {}
            if isinstance(array, h5py.Dataset):
                group = array.parent
                attributes |= {EDGE: array.file.attrs[EDGE]} if EDGE in array.file.attrs else {}
                alone = group.name != "/" and len(group) == 1
                for attrs in (group.attrs, array.attrs) if alone else (array.attrs,):
                    attributes |= {link_name(key): value for key, value in attrs.items()}
                if "permute_order" not in attributes and (axes := named_axes(array)):
                    attributes["permute_order"] = axes
                if EDGE not in attributes and (edges := axis_steps(array)):
                    attributes[EDGE] = edges
            read = partial(vol.read_array, path, name)
            described[name] = Array(array.shape, array.dtype, attributes, read)
    return described


def is_stack(arrays: Mapping[str, Array], options: ImportOptions) -> bool:
    """Whether the voxels of a file are a list of volumes, one array (sve, x, y, z)."""
    return len(_volumes(arrays, options, 4)) == 1


def read_container(path: Path, arrays: Mapping[str, Array], options: ImportOptions) -> Source:
    """The volumes in a file: an array of them, one, or several of which each has its properties as
    attributes. Raises DataError.
    """
    three, four = (_volumes(arrays, options, rank) for rank in (3, 4))
    if len(four) == 1:
        return _stack(path, four[0], arrays, options)
    if four or not three:
        listed = some([f"{short(name)} {array.shape}".lstrip() for name, array in arrays.items()])
        channels = [said for array in arrays.values() if (said := several_channels(array.shape))]
        expected = (
            f"volumes in {options.dataset}"
            if options.dataset
            else "one array (sve, x, y, z), or volumes (x, y, z)"
        )
        raise DataError(
            f"{path}: expected {expected}, received"
            f" {': '.join([listed or 'no array', *channels[:1]])}"
            f"{'' if path.suffix.lower() == '.npy' else '; name one with --dataset'}"
        )
    volumes = {(path, name): arrays[name] for name in three}
    source = stored(str(path), volumes, "xyz", options, arrays)
    source = replace(source, notes=(*source.notes, *_unread(path, arrays)))
    numbers = [
        {
            key: np.asarray(value).item() if np.size(value) == 1 else value
            for key, value in arrays[name].attributes.items()
            if key not in NOTES and not isinstance(value, h5py.Empty) and np.size(value) == 1
        }
        for name in three
    ]
    keys = dict.fromkeys(key for one in numbers for key in one) if len(three) > 1 else ()
    columns = [
        Column(key, [one.get(key) for one in numbers], number + 1)
        for number, key in enumerate(keys)
    ]
    return labelled(source, str(path), columns, three, options)


def _volumes(arrays: Mapping[str, Array], options: ImportOptions, rank: int) -> list[str]:
    wanted = options.dataset and options.dataset.strip("/")
    return [
        name
        for name, array in arrays.items()
        if array.rank == rank
        and wanted in (None, "", name)
        and (wanted or name == "" or rank == 4 or 0 not in array.shape)
    ]


def _stack(path: Path, name: str, arrays: Mapping[str, Array], options: ImportOptions) -> Source:
    """An array (sve, x, y, z), and what else in the file has a row for each of its entries."""
    voxels, where = arrays[name].voxels(), f"{path}: {name}" if name else str(path)
    if channels := several_channels(voxels.shape):
        raise DataError(f"{where}: expected volumes, received shape {voxels.shape}: {channels}")
    axes = options.axes or text_of(arrays[name].attributes.get("permute_order", "xyz"))
    samples = [
        Sample(f"{where}[{i}]", partial(vol.oriented, cube, axes, f"{where}[{i}]"))
        for i, cube in enumerate(voxels)
    ]
    if not samples:
        raise DataError(f"{where}: expected at least one volume, received shape {voxels.shape}")
    rows = {
        key: array
        for key, array in arrays.items()
        if key not in (name, EDGE) and array.shape[:1] == voxels.shape[:1]
    }
    lists = {
        last_of(key): array
        for key, array in rows.items()
        if len(array.shape) == 1 and not array.dtype.names
    }
    chosen = _table(path, rows, options)
    if chosen:
        lists = {key: array for key, array in lists.items() if key.lower() in PARTS}
    columns = [Column(key, array.read(), unit=_unit(array)) for key, array in lists.items()] + (
        _columns(path, chosen, arrays) if chosen else []
    )
    columns = [replace(column, number=i + 1) for i, column in enumerate(columns)]
    notes = (*_left_out(where, arrays[name]), *_unread(path, arrays))
    edges = edges_of(path, {name: arrays[name]}, arrays, options)
    source = Source(str(path), samples, [path], axes, edges, notes=notes)
    return labelled(source, str(path), columns, [str(i) for i in range(len(samples))], options)


def _table(path: Path, rows: Mapping[str, Array], options: ImportOptions) -> str | None:
    """The name of the table of properties among arrays with a row for each sample."""
    tables = [
        key
        for key, array in rows.items()
        if array.dtype.names or (len(array.shape) == 2 and array.dtype.kind in "biuf")
    ]
    if options.table is not None:
        if options.table.strip("/") in tables:
            return options.table.strip("/")
        listed = some([short(key) for key in tables]) or "the tables in it, of which it has none"
        raise DataError(
            f"{path}: --table: expected one of {listed}, with a row for each sample, received"
            f" {options.table!r}"
        )
    named = [key for key in tables if last_of(key) == "properties"] or tables
    if len(named) > 1:
        raise DataError(
            f"{path}: expected one table of properties, found {some(named)}; say which with --table"
        )
    return named[0] if named else None


def _unit(array: Array) -> str | None:
    return text_of(array.attributes["units"]) if "units" in array.attributes else None


def _columns(path: Path, name: str, arrays: Mapping[str, Array]) -> list[Column]:
    """The columns of a table: from a compound type, or from lists `names` and `units`, attributes
    or arrays beside it.
    """
    table, values = arrays[name], arrays[name].read()
    if values.dtype.names:
        return [Column(column, values[column]) for column in values.dtype.names]
    width = values.shape[1]
    lists: dict[str, list[str] | None] = {}
    for key in ("names", "units"):
        beside = arrays[key].read() if key in arrays else None
        said = table.attributes.get(key, beside)
        lists[key] = None if said is None else [text_of(item) for item in np.atleast_1d(said)]
        if said is not None and len(lists[key] or []) != width:
            raise DataError(
                f"{path}: {name}: expected {width} {key}, one for each column, received"
                f" {some([short(item) for item in lists[key] or []]) or 'none'}"
            )
    names = lists["names"] or [f"{last_of(name)}_{i}" for i in range(width)]
    units = lists["units"]
    return [
        Column(column, values[:, i], unit=None if units is None else units[i])
        for i, column in enumerate(names)
    ]


def stored(
    where: str,
    arrays: Mapping[tuple[Path, str], Array],
    axes: str,
    options: ImportOptions,
    others: Mapping[str, Array] | None = None,
) -> Source:
    """Volumes that are arrays in files, each with the order of axes that the options or its
    attribute say, else `axes`; `others` are what else is in the file.
    """
    orders = [
        options.axes or text_of(array.attributes.get("permute_order", axes))
        for array in arrays.values()
    ]

    def load(name: str, array: Array, order: str) -> np.ndarray:
        return vol.oriented(array.voxels(), order, name)

    samples, notes = [], []
    for ((path, name), array), order in zip(arrays.items(), orders, strict=True):
        at = f"{path}: {name}" if name else str(path)
        samples.append(Sample(at, partial(load, at, array, order)))
        notes += _left_out(at, array)
    edges = tuple(
        edge
        for (path, name), array in arrays.items()
        for edge in edges_of(path, {name: array}, others or {}, options)
    )
    files = list(dict.fromkeys(path for path, _ in arrays))
    more = f"and {counted(len(notes) - 3, 'more volume')} likewise"
    some_notes = notes[:3] + [more] * (len(notes) > 3)
    return Source(
        where,
        samples,
        files,
        some([short(order) for order in dict.fromkeys(orders)]),
        edges,
        notes=tuple(some_notes),
    )


def edges_of(
    path: Path, arrays: Mapping[str, Array], others: Mapping[str, Array], options: ImportOptions
) -> tuple[float, ...]:
    """The edge of a voxel in micrometres of each of `arrays` that says it by an attribute, or the
    file by one of `others`: a number, three that are equal, or a text such as "10 um". Raises
    DataError.
    """
    if options.voxel_size is not None:
        return ()
    edges = []
    for name, array in arrays.items():
        if EDGE in array.attributes:
            said = array.attributes[EDGE]
        elif EDGE in others and others[EDGE].dtype.kind in "iufSUO":
            said = others[EDGE].read()
        else:
            continue
        try:
            edges.append(cube_edge(_length(said)))
        except DataError as error:
            raise DataError(
                f"{f'{path}: {name}' if name else path}: {error}; --voxel-size says another"
            ) from error
    return tuple(edges)


def _length(said: Any) -> Any:
    """Micrometres where `said` is a text such as "10 um"; else itself."""
    if isinstance(said, h5py.Empty) or np.size(said) != 1:
        return said
    item = np.asarray(said).item()
    match = LENGTH.fullmatch(text_of(item)) if isinstance(item, str | bytes) else None
    if match is None or (unit := MICROMETRES.get(match[2].lower() or "um")) is None:
        return said
    try:
        return float(match[1]) * unit
    except ValueError:
        return said


def _left_out(where: str, array: Array) -> list[str]:
    """A note where axes of length 1 are left out."""
    if not array.ones:
        return []
    shape = tuple(n for axis, n in enumerate(array.shape) if axis not in array.ones)
    return [f"{where}: of shape {array.shape} the axes of length 1 are left out: {shape}"]


def _unread(path: Path, arrays: Mapping[str, Array]) -> list[str]:
    """A note of what in a .npz file is no array of numbers or text."""
    if path.suffix.lower() != ".npz":
        return []
    with zipfile.ZipFile(path) as file:
        names = [name.removesuffix(".npy") for name in file.namelist()]
    names = [short(name) for name in names if name not in arrays]
    return [f"left out since it is no array of numbers: {some(names)}"] if names else []


def last_of(name: str) -> str:
    return name.rsplit("/", 1)[-1]
