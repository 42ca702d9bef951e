"""Describe what other people's files and folders hold; `svevae.scans.importers` reads it.

| layout of a source | SVEs | properties |
| --- | --- | --- |
| a volume | cut from it; each source is a part | none |
| a folder of volumes | each volume, or cut from it | a CSV file, a row for each volume |
| an array (sve, x, y, z) | each entry, or cut from it | arrays with a row for each entry |
| several arrays (x, y, z) | each array, or cut from it | their attributes, or their group's |
| results of FANS | each microstructure | E_x, E_y, E_z from its homogenised tangent |

A volume is a file or folder that `svevae.scans.volume` reads. Arrays stand in a .npz or HDF5 file;
properties beside an array (sve, x, y, z) are (sve, property), a compound table, or 1-D arrays. Of
attributes the numbers count. Results of FANS are HDF5, with their microstructures or beside them.

FANS (github.com/DataAnalyticsEngineering/FANS) writes
<microstructure>_results/<prefix>/load0/time_step0/homogenized_tangent, in Mandel order xx yy zz xy
xz yz, and takes microstructures as (z, y, x) unless their attribute `permute_order` says xyz.
"""

from __future__ import annotations

import csv
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from svevae.errors import DataError
from svevae.scans import volume as vol
from svevae.scans.options import STRESS_UNITS, ImportOptions
from svevae.words import counted, some

PARTS, EDGE = ("part", "part_id"), "voxel_size_um"
NOTES = ("permute_order", EDGE)  # attributes of volumes that are no properties
TANGENT = "homogenized_tangent"
FROM_FANS = np.array([0, 1, 2, 5, 4, 3])  # where FANS has our xx yy zz yz xz xy
HEADER = re.compile(r"^(.*\S)\s*[\[(]([^\])]*)[\])]\s*$")  # E_x [MPa] or E_x (MPa)


@dataclass(frozen=True)
class Sample:
    """One volume that is not read yet; `part` None makes it a part of its own."""

    name: str
    load: Callable[[], np.ndarray] = field(repr=False)
    part: int | str | None = None


@dataclass(frozen=True)
class SampleLabels:
    """`values` (sample, property) with their `names` and `units`; `stiffness` (sample, 6, 6) in the
    order of the contract, MPa.
    """

    names: tuple[str, ...]
    units: tuple[str, ...]
    values: np.ndarray
    stiffness: np.ndarray | None = None


@dataclass(frozen=True)
class Source:
    """Samples that share a threshold, the files they come from, and what these say; `edges` of
    voxels in micrometres, None: unknown.
    """

    name: str
    samples: list[Sample]
    files: list[Path]
    axes: str
    edges: tuple[float | None, ...] = ()
    labels: SampleLabels | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Array:
    """An array in a .npz or HDF5 file that is not read yet."""

    shape: tuple[int, ...]
    dtype: np.dtype
    attributes: Mapping[str, Any]
    read: Callable[[], np.ndarray] = field(repr=False)


def find_sources(paths: list[Path], options: ImportOptions) -> list[Source]:
    """Say what each path holds, by the table above. Raises DataError."""
    if not paths:
        raise DataError("expected at least one file or folder to import, received none")
    for path in paths:
        if not path.exists():
            raise DataError(f"{path}: expected a file or folder to import, found nothing")
    containers = {
        path: _arrays(path)
        for path in paths
        if path.suffix.lower() in (*vol.HDF5, ".npz") and path.is_file()
    }
    others = [str(path) for path in paths if path not in containers]
    if options.labels and any(
        _last(name) == TANGENT for arrays in containers.values() for name in arrays
    ):
        if others:
            raise DataError(f"{some(others)}: expected HDF5 files beside results of FANS")
        return [_fans(containers, options)]
    if options.table is not None and options.table.lower().endswith(".csv"):
        return [_tabled(paths, Path(options.table), options)]
    if options.table is not None and others:
        raise DataError(
            f"--table: expected a .csv file for {some(others)}, received {options.table!r}"
        )
    return [
        (
            _container(path, containers[path], options)
            if path in containers
            else _volumes(path, options)
        )
        for path in paths
    ]


def _volumes(path: Path, options: ImportOptions) -> Source:
    """A volume, or a folder of them, with a CSV file or without."""
    if not path.is_dir():
        return _source(str(path), [path], options)
    tables = sorted(path.glob("*.csv"))
    if len(tables) > 1:
        raise DataError(
            f"{path}: expected one CSV file of properties, found"
            f" {some([table.name for table in tables])}; choose by --table"
        )
    if tables:
        return _tabled([path], tables[0], options)
    return _source(str(path), [path] if vol.is_slices(path) else _members(path), options)


def _source(name: str, paths: list[Path], options: ImportOptions) -> Source:
    read = partial(
        vol.read_volume,
        shape=options.shape,
        dtype=options.dtype,
        dataset=options.dataset,
        axes=options.axes,
        skip=options.skip,
    )
    files = [file for path in paths for file in (vol.slices_of(path) if path.is_dir() else [path])]
    samples = [Sample(str(path), partial(read, path)) for path in paths]
    given = options.voxel_size is not None or options.resample is not None
    edges = (
        ()
        if given
        else tuple(vol.voxel_size(path, options.axes, options.dataset) for path in paths)
    )
    notes = tuple(
        dict.fromkeys(note for path in paths for note in vol.notes_of(path, options.dataset))
    )
    axes = options.axes or vol.default_axes(paths[0], options.dataset)
    return Source(name, samples, files, axes, edges, notes=notes)


def _members(folder: Path) -> list[Path]:
    """The volumes in a folder: files and sub-folders of slices."""
    paths = vol.volumes_in(folder)
    if not paths:
        raise DataError(
            f"{folder}: expected slices, or volumes: sub-folders or files {', '.join(vol.VOLUMES)};"
            " found none"
        )
    return paths


def _tabled(paths: list[Path], table: Path, options: ImportOptions) -> Source:
    """Volumes and a CSV file with a row for each; the column that names them is the one that fits
    their names best.
    """
    volumes = [member for path in paths for member in (_members(path) if path.is_dir() else [path])]
    known = {name: volume for volume in volumes for name in (volume.name, volume.stem)}
    columns = _read_csv(table)
    key = max(columns, key=lambda column: sum(cell in known for cell in columns[column]))
    rows = columns.pop(key)
    chosen = Counter(known[row] for row in rows if row in known)
    if not chosen:
        raise DataError(
            f"{table}: expected a column of names such as {volumes[0].stem}, received"
            f" {some([key, *columns])}"
        )
    faults = {
        "no volume for the rows": [row for row in rows if row not in known],
        "no row for the volumes": [volume.name for volume in volumes if volume not in chosen],
        "several rows for": [volume.name for volume, count in chosen.items() if count > 1],
    }
    if any(faults.values()):
        listed = "; ".join(f"{fault} {some(names)}" for fault, names in faults.items() if names)
        raise DataError(
            f"{table}: expected one row for each volume in {', '.join(map(str, paths))}; {listed}"
        )
    source = _source(", ".join(map(str, paths)), list(chosen), options)
    return _labelled(
        replace(source, files=[*source.files, table]), str(table), columns, rows, options
    )


def _read_csv(path: Path) -> dict[str, list[str]]:
    """The columns of a CSV file with a header; comma, semicolon or tab, whichever the header has
    most of.
    """
    try:
        lines = [line for line in path.read_text("utf-8-sig").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: expected a CSV file in UTF-8, cannot be read: {error}") from error
    if len(lines) < 2:
        raise DataError(
            f"{path}: expected a header and a row for each sample, received"
            f" {counted(len(lines), 'line')}"
        )
    rows = [
        [cell.strip() for cell in row]
        for row in csv.reader(lines, delimiter=max(",;\t", key=lines[0].count))
    ]
    for i, row in enumerate(rows):
        if len(row) != len(rows[0]) or (i == 0 and len(set(row)) != len(row)):
            raise DataError(
                f"{path}: expected {len(rows[0])} columns of distinct names, received in row {i}:"
                f" {', '.join(row)}"
            )
    return {name: list(cells) for name, *cells in zip(*rows, strict=True)}


def _container(path: Path, arrays: dict[str, Array], options: ImportOptions) -> Source:
    """The volumes in a .npz or HDF5 file: an array of them, one, or several of which each has its
    properties as attributes.
    """
    wanted = options.dataset and options.dataset.strip("/")
    three, four = (
        [
            name
            for name, array in arrays.items()
            if len(array.shape) == rank and wanted in (None, name)
        ]
        for rank in (3, 4)
    )
    if len(four) == 1:
        return _stack(path, four[0], arrays, options)
    if four or not three:
        listed = some([f"{name} {array.shape}" for name, array in arrays.items()])
        expected = (
            f"volumes in {wanted}" if wanted else "one array (sve, x, y, z), or volumes (x, y, z)"
        )
        raise DataError(f"{path}: expected {expected}, received {listed}; name one with --dataset")
    source = _stored(str(path), {(path, name): arrays[name] for name in three}, "xyz", options)
    numbers = [
        {
            key: value
            for key, value in arrays[name].attributes.items()
            if np.ndim(value) == 0 and key not in NOTES
        }
        for name in three
    ]
    keys = dict.fromkeys(key for one in numbers for key in one) if len(three) > 1 else ()
    return _labelled(
        source, str(path), {key: [one.get(key) for one in numbers] for key in keys}, three, options
    )


def _stack(path: Path, name: str, arrays: dict[str, Array], options: ImportOptions) -> Source:
    """An array (sve, x, y, z), and what else in the file has a row for each of its entries."""
    voxels, where = arrays[name].read(), f"{path}: {name}"
    axes = options.axes or _text(arrays[name].attributes.get("permute_order", "xyz"))
    samples = [
        Sample(f"{where}[{i}]", partial(vol.oriented, cube, axes, f"{where}[{i}]"))
        for i, cube in enumerate(voxels)
    ]
    if not samples:
        raise DataError(f"{where}: expected at least one volume, received shape {voxels.shape}")
    rows = {
        key: array
        for key, array in arrays.items()
        if key != name and array.shape[:1] == voxels.shape[:1]
    }
    lists = {
        _last(key): array
        for key, array in rows.items()
        if len(array.shape) == 1 and not array.dtype.names
    }
    tables = [
        key
        for key, array in rows.items()
        if array.dtype.names or (len(array.shape) == 2 and array.dtype.kind in "biuf")
    ]
    chosen = [
        key
        for key in tables
        if (
            _last(key) == "properties" if options.table is None else key == options.table.strip("/")
        )
    ]
    if options.table is not None and not chosen:
        raise DataError(
            f"{path}: --table: expected one of {some(tables)}, of {len(samples)} rows each,"
            f" received {options.table!r}"
        )
    chosen = chosen or tables
    if len(chosen) > 1:
        raise DataError(
            f"{path}: expected one table of properties, found {some(chosen)}; say which with"
            " --table"
        )
    if chosen:
        lists = {key: array for key, array in lists.items() if key in PARTS}
    columns = {
        f"{key} [{_text(array.attributes.get('units', '-'))}]": array.read()
        for key, array in lists.items()
    }
    columns |= _columns(path, chosen[0], arrays) if chosen else {}
    source = Source(str(path), samples, [path], axes, _edges(arrays))
    return _labelled(source, str(path), columns, [str(i) for i in range(len(samples))], options)


def _columns(path: Path, name: str, arrays: dict[str, Array]) -> dict[str, np.ndarray]:
    """The columns of a table, `name [unit]`: from a compound type, or from lists `names` and
    `units`, attributes or arrays beside it.
    """
    table, values = arrays[name], arrays[name].read()
    if values.dtype.names:
        return {column: values[column] for column in values.dtype.names}
    lists = []
    for key, default in (
        ("names", [f"{_last(name)}_{i}" for i in range(values.shape[1])]),
        ("units", ["-"] * values.shape[1]),
    ):
        beside = arrays[key].read() if key in arrays else default
        lists.append([_text(item) for item in np.atleast_1d(table.attributes.get(key, beside))])
        if len(lists[-1]) != values.shape[1]:
            raise DataError(
                f"{path}: {name}: expected {values.shape[1]} {key}, one for each column, received"
                f" {some(lists[-1])}"
            )
    return {
        f"{column} [{unit}]": cells for column, unit, cells in zip(*lists, values.T, strict=True)
    }


def _fans(files: dict[Path, dict[str, Array]], options: ImportOptions) -> Source:
    """Microstructures and the tangents FANS found for them.

    The microstructure of <path>_results/... is <path>, in any of the files; else the only volume in
    the nearest group above the tangent.
    """
    images = {
        (path, name): array
        for path, arrays in files.items()
        for name, array in arrays.items()
        if _is_image(name, array)
    }
    named, below = defaultdict(list), defaultdict(list)
    for path, name in images:
        named[name].append((path, name))
        for group in _groups(name):
            below[path, group].append((path, name))
    tangents: dict[tuple[Path, str], tuple[str, np.ndarray]] = {}
    for path, arrays in files.items():
        for name in (
            name for name in arrays if _last(name) == TANGENT and fnmatch(name, options.tangent)
        ):
            head = name.partition("_results/")[0]
            near = named.get(head) or next(
                (below[path, group] for group in _groups(name) if (path, group) in below), []
            )
            near = [key for key in near if key[0] == path] or near
            if len(near) != 1:
                listed = some([f"{file}: {image}" for file, image in near]) or "none"
                raise DataError(
                    f"{path}: {name}: expected one microstructure at {head} or in a group above,"
                    f" found {listed}"
                )
            if near[0] in tangents:
                both = f"{tangents[near[0]][0]} and {name}"
                raise DataError(
                    f"{path}: {near[0][1]}: expected one tangent, found {both}; say which with"
                    " --tangent"
                )
            tangents[near[0]] = (
                name,
                _tangent(f"{path}: {name}", arrays[name].read())
                * STRESS_UNITS[options.stress_unit],
            )
    where = ", ".join(map(str, files))
    if not tangents:
        raise DataError(
            f"{where}: expected a {TANGENT} that fits --tangent {options.tangent}, found none"
        )
    stiffness = np.stack(
        [tangent[np.ix_(FROM_FANS, FROM_FANS)] for _, tangent in tangents.values()]
    )
    moduli = 1 / np.diagonal(np.linalg.inv(stiffness), axis1=1, axis2=2)[:, :3]
    columns = {f"E_{axis} [MPa]": column for axis, column in zip("xyz", moduli.T, strict=True)}
    source = _stored(where, {key: images[key] for key in tangents}, "zyx", options)
    source = _labelled(source, where, columns, [name for name, _ in tangents.values()], options)
    unused = [
        "volumes without a tangent are left out:"
        f" {some([name for _, name in images.keys() - tangents.keys()])}"
    ]
    notes = (*source.notes, *unused[: len(images) - len(tangents)])
    return replace(
        source,
        files=list(files),
        notes=notes,
        labels=source.labels and replace(source.labels, stiffness=stiffness),
    )


def _tangent(where: str, tangent: np.ndarray) -> np.ndarray:
    """`tangent` itself; DataError where it is no stiffness."""
    good = (
        tangent.shape == (6, 6)
        and np.isfinite(tangent).all()
        and np.allclose(tangent, tangent.T, atol=1e-3 * np.abs(tangent).max())
    )
    if not good or np.linalg.eigvalsh(tangent).min() <= 0:
        received = (
            f"a diagonal of {np.diagonal(tangent)}"
            if tangent.shape == (6, 6)
            else f"shape {tangent.shape}"
        )
        raise DataError(
            f"{where}: expected a symmetric, positive definite stiffness (6, 6), received"
            f" {received}"
        )
    return tangent


def _is_image(name: str, array: Array) -> bool:
    """A volume, or the `microstructure` among FANS's results, which has a fourth axis of length
    1.
    """
    return len(array.shape) == 3 or (_last(name) == "microstructure" and array.shape[3:] == (1,))


def _stored(
    where: str, arrays: dict[tuple[Path, str], Array], axes: str, options: ImportOptions
) -> Source:
    """Volumes that are arrays in files, each with the order of axes that the options or its
    attribute say, else `axes`.
    """
    orders = [
        options.axes or _text(array.attributes.get("permute_order", axes))
        for array in arrays.values()
    ]

    def load(name: str, array: Array, order: str) -> np.ndarray:
        values = array.read()
        return vol.oriented(values[..., 0] if values.ndim == 4 else values, order, name)

    samples = []
    for ((path, name), array), order in zip(arrays.items(), orders, strict=True):
        samples.append(Sample(f"{path}: {name}", partial(load, f"{path}: {name}", array, order)))
    files = list(dict.fromkeys(path for path, _ in arrays))
    return Source(
        where,
        samples,
        files,
        some(list(dict.fromkeys(orders))),
        _edges({name: array for (_, name), array in arrays.items()}),
    )


def _labelled(
    source: Source,
    where: str,
    columns: Mapping[str, Sequence[Any] | np.ndarray],
    rows: list[str],
    options: ImportOptions,
) -> Source:
    """`source` with its parts and labels, from `columns` with a cell for each of `rows`; their keys
    may end in a unit in brackets.

    A column without one number is text and left out; in any other every cell has to be a finite
    number. Without columns of numbers, or where the options want none, there are no labels.
    """
    names, units, values, left_out = [], [], [], []
    for header, cells in columns.items():
        match = HEADER.match(header)
        name, unit = match.groups() if match else (header, "-")
        if name.lower() in PARTS:
            source = replace(
                source,
                samples=[
                    replace(s, part=_part(cell))
                    for s, cell in zip(source.samples, cells, strict=True)
                ],
            )
            continue
        numbers = [_number(cell) for cell in cells]
        if not options.labels or not (
            np.isfinite(numbers).any() if options.properties is None else name in options.properties
        ):
            left_out.append(name)
            continue
        for row, cell, number in zip(rows, cells, numbers, strict=True):
            if not np.isfinite(number):
                raise DataError(
                    f"{where}: {name} of {row}: expected a finite number, received"
                    f" {'nothing' if cell in (None, '') else cell}"
                )
        names.append(name)
        units.append(unit)
        values.append(numbers)
    if options.labels and (
        missing := [name for name in options.properties or () if name not in names]
    ):
        raise DataError(
            f"{where}: expected the properties {', '.join(missing)}, found"
            f" {some([*names, *left_out]) or 'none'}"
        )
    labels = (
        SampleLabels(tuple(names), tuple(units), np.array(values, np.float64).T) if names else None
    )
    return replace(
        source,
        labels=labels,
        notes=(*source.notes, *((f"columns left out: {some(left_out)}",) if left_out else ())),
    )


def _arrays(path: Path) -> dict[str, Array]:
    """Every array in a .npz or HDF5 file by its path; attributes are its own, and its group's where
    it is the only array there.
    """
    described: dict[str, Array] = {}
    with vol.arrays_of(path) as arrays:
        for name, array in arrays.items():
            attributes: dict[str, Any] = {}
            if isinstance(array, h5py.Dataset):
                group = array.parent
                attributes |= {EDGE: array.file.attrs[EDGE]} if EDGE in array.file.attrs else {}
                attributes |= dict(group.attrs) if group.name != "/" and len(group) == 1 else {}
                attributes |= dict(array.attrs)
            read = partial(vol.read_array, path, name)
            described[name] = Array(array.shape, array.dtype, attributes, read)
    return described


def _edges(arrays: Mapping[str, Array]) -> tuple[float | None, ...]:
    return tuple(
        float(array.attributes[EDGE]) for array in arrays.values() if EDGE in array.attributes
    )


def _groups(name: str) -> list[str]:
    """The groups a path lies in, nearest first."""
    parts = name.split("/")[:-1]
    return ["/".join(parts[:depth]) for depth in range(len(parts), -1, -1)]


def _last(name: str) -> str:
    return name.rsplit("/", 1)[-1]


def _number(cell: Any) -> float:
    """nan for what is no number."""
    try:
        return float(cell)
    except (TypeError, ValueError):
        return float("nan")


def _part(value: Any) -> int | str:
    text = _text(value)
    return int(text) if re.fullmatch(r"-?\d+", text) else text


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
