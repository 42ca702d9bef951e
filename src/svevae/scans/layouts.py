"""Describe what other people's files and folders hold; `svevae.scans.importers` reads it.

| layout of a source | SVEs | properties |
| --- | --- | --- |
| a volume | cut from it; each source is a part | none |
| a folder of volumes | each volume, or cut from it | a table, a row for each volume |
| an array (sve, x, y, z) | each entry, or cut from it | arrays or a table, a row for each |
| several arrays (x, y, z) | each array, or cut from it | their attributes, their group's, a table |
| results of FANS | each microstructure | E_x, E_y, E_z from its homogenised tangent |

A volume is a file or folder that `svevae.scans.volume` reads. Arrays stand in a .npy, .npz or HDF5
file; properties beside an array (sve, x, y, z) are (sve, property), a compound table, or 1-D
arrays. Of attributes the numbers count. A table is a text file, see `svevae.scans.tables`. Results
of FANS are HDF5, with their microstructures or beside them, see `svevae.scans.fans`.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePath, PureWindowsPath

from svevae.dataset.problems import same_size
from svevae.errors import DataError
from svevae.scans import volume as vol
from svevae.scans.arrays import Array, arrays_in, is_stack, read_container
from svevae.scans.fans import has_tangent, read_fans
from svevae.scans.options import ImportOptions
from svevae.scans.sources import Column, Sample, Source, labelled, whole_numbers
from svevae.scans.tables import TABLES, Table, read_table, with_plain_numbers
from svevae.words import counted, short, some

Containers = Mapping[Path, Mapping[str, Array]]


def find_sources(paths: list[Path], options: ImportOptions) -> list[Source]:
    """Say what each path holds, by the table above. Raises DataError."""
    if not paths:
        raise DataError("expected at least one file or folder to import, received none")
    for path in paths:
        if not path.exists():
            raise DataError(f"{path}: expected a file or folder to import, found nothing")
    containers = _containers(paths, options)
    others = [str(path) for path in paths if path not in containers]
    if options.labels and any(map(has_tangent, containers.values())):
        if others:
            raise DataError(f"{some(others)}: expected HDF5 files beside results of FANS")
        return [read_fans(containers, options)]
    if options.table is not None and options.table.lower().endswith(TABLES):
        if len(paths) == len(containers) == 1:
            return [_tabled_arrays(paths[0], containers[paths[0]], Path(options.table), options)]
        return _each_once([_tabled_volumes(paths, Path(options.table), options)])
    if options.table is not None and others:
        raise DataError(
            f"table: expected a file {', '.join(TABLES)} for {some(others)}, received"
            f" {options.table!r}"
        )
    return _each_once(
        [
            (
                read_container(path, containers[path], options)
                if path in containers
                else _volumes(path, options)
            )
            for path in paths
        ]
    )


def _each_once(sources: list[Source]) -> list[Source]:
    """`sources`; DataError where a file is read for two volumes, as a file given twice is, or each
    file of an OME-TIFF set: these would be equal parts.
    """
    files = {os.path.abspath(file): str(file) for source in sources for file in source.files}
    often = Counter(os.path.abspath(file) for source in sources for file in source.files)
    if twice := sorted(files[path] for path, times in often.items() if times > 1):
        listed = some(twice, 3)
        raise DataError(
            f"{listed}: expected each file for one volume, received for several; of an OME-TIFF set"
            " name one file, or the folder"
        )
    return sources


def _containers(paths: Sequence[Path], options: ImportOptions) -> Containers:
    """The arrays of .npz and HDF5 files, and of .npy files that are lists of volumes."""
    found = {}
    for path in paths:
        suffix = path.suffix.lower()
        if path.is_file() and suffix in (*vol.HDF5, ".npz", ".npy"):
            arrays = arrays_in(path)
            if suffix != ".npy" or any(len(array.shape) > 3 for array in arrays.values()):
                found[path] = arrays
    return found


def _volumes(path: Path, options: ImportOptions) -> Source:
    """A volume, or a folder of them, with a table or without."""
    if not path.is_dir():
        return _source(str(path), [path], options)
    tables = sorted(
        file
        for file in path.iterdir()
        if file.suffix.lower() in (".csv", ".tsv") and not file.name.startswith(".")
    )
    if len(tables) > 1:
        raise DataError(
            f"{path}: expected one CSV file of properties, found"
            f" {some([table.name for table in tables])}; choose by --table"
        )
    if tables:
        return _tabled_volumes([path], tables[0], options)
    return _source(str(path), [path] if vol.is_slices(path) else _members(path), options)


def _source(name: str, paths: list[Path], options: ImportOptions) -> Source:
    read = partial(
        vol.read_volume,
        shape=options.shape,
        dtype=options.dtype,
        dataset=options.dataset,
        axes=options.axes,
        skip=options.skip,
        lengths=options.lengths,
    )
    files = [file for path in paths for file in vol.files_of(path)]
    samples = [Sample(str(path), partial(read, path)) for path in paths]
    given = options.voxel_size is not None or options.resample is not None
    edges = (
        ()
        if given
        else tuple(
            vol.voxel_size(path, options.axes, options.dataset, options.lengths) for path in paths
        )
    )
    notes = tuple(
        dict.fromkeys(
            note for path in paths for note in vol.notes_of(path, options.dataset, options.lengths)
        )
    )
    axes = options.axes or vol.default_axes(paths[0], options.dataset)
    notes = (*notes, *_overruled(paths, options))
    corner = None
    if len(paths) == 1 and options.axes is None:
        corner = vol.corner_of(paths[0], options.dataset, options.lengths)
    return Source(name, samples, files, axes, edges, notes=notes, corner=corner)


def _overruled(paths: list[Path], options: ImportOptions) -> list[str]:
    """A note where the option for the voxel size is another than what the files say."""
    given = options.voxel_size
    if given is None:
        return []
    said = [vol.voxel_edges(path, options.axes, options.dataset, options.lengths) for path in paths]
    others = [
        " x ".join(f"{edge:g}" for edge in edges)
        for edges in said
        if edges and not all(same_size(edge, given) for edge in edges)
    ]
    listed = some(list(dict.fromkeys(others)))
    return (
        [f"--voxel-size {given:g} takes the place of {listed} um in the header"] if others else []
    )


def _members(folder: Path) -> list[Path]:
    """The volumes in a folder: files and sub-folders of slices."""
    paths = vol.volumes_in(folder)
    if not paths:
        raise DataError(
            f"{folder}: expected slices, or volumes: sub-folders or files {', '.join(vol.VOLUMES)};"
            " found none"
        )
    return paths


def _tabled_volumes(paths: list[Path], path: Path, options: ImportOptions) -> Source:
    """Volumes and a table with a row for each; its order is that of the samples."""
    volumes = [member for one in paths for member in (_members(one) if one.is_dir() else [one])]
    table, where = read_table(path), ", ".join(map(str, paths))
    key, order = _matched(table, volumes, where)
    source = _source(where, [volumes[i] for i in order], options)
    source = replace(source, files=[*source.files, path])
    return _with_columns(source, table, key, options)


def _tabled_arrays(
    path: Path, arrays: Mapping[str, Array], table_path: Path, options: ImportOptions
) -> Source:
    """The volumes in one file and a table with a row for each: in their order, or, of an array
    each, by its name.
    """
    source = read_container(path, arrays, replace(options, table=None, labels=False))
    table = read_table(table_path)
    source = replace(source, files=[*source.files, table_path])
    if is_stack(arrays, options):
        return _with_columns(_by_number(source, table), table, None, options)
    names = [PurePath(sample.name.removeprefix(f"{path}: ")) for sample in source.samples]
    key, order = _matched(table, names, str(path))
    source = replace(source, samples=[source.samples[i] for i in order])
    return _with_columns(source, table, key, options)


def _by_number(source: Source, table: Table) -> Source:
    """`source` with a sample for each row: in their order, or in that of the index that numbers the
    rows, where this has every number from 0 or 1 on.
    """
    count = len(source.samples)
    if len(table.lines) != count:
        raise DataError(
            f"{table.path}: expected {counted(count, 'row')}, one for each volume in {source.name},"
            f" received {len(table.lines)}"
        )
    for column in table.columns:
        numbers = whole_numbers(column.cells) if column.counts else None
        if numbers is None or sorted(numbers) not in (
            list(range(count)),
            list(range(1, count + 1)),
        ):
            continue
        samples = [source.samples[number - min(numbers)] for number in numbers]
        name = column.title or f"column {column.number}"
        note = f"rows of {table.path.name} are for the volumes that {name} numbers"
        return replace(source, samples=samples, notes=(*source.notes, note))
    note = f"rows of {table.path.name} are for the volumes in their order"
    return replace(source, notes=(*source.notes, note))


def _with_columns(
    source: Source, table: Table, key: Column | None, options: ImportOptions
) -> Source:
    """`source` with the labels that `table` says, whose column `key` has the names of the
    samples.
    """
    columns = [column for column in table.columns if column is not key]
    names = [f"line {line}" for line in table.lines]
    if key is not None:
        pairs = zip(key.cells, table.lines, strict=True)
        names = [f"{short(cell)} in line {line}" for cell, line in pairs]
    notes: tuple[str, ...] = ()
    if options.labels:
        wanted = [
            column
            for column in columns
            if options.properties is None or column.named[0] in options.properties
        ]
        changed, notes = with_plain_numbers(table, wanted)
        by_number = {column.number: column for column in changed}
        columns = [by_number.get(column.number, column) for column in columns]
    source = replace(source, notes=(*source.notes, *table.notes, *notes))
    return labelled(source, str(table.path), columns, names, options)


def _matched(table: Table, volumes: Sequence[PurePath], where: str) -> tuple[Column, list[int]]:
    """The column that names the volumes, the one that fits them best, and for each row the number
    of its volume. Raises DataError unless each has one row.
    """
    finder = _finder(volumes)
    found = {column.number: [finder(cell) for cell in column.cells] for column in table.columns}
    hits = {number: sum(one is not None for one in ones) for number, ones in found.items()}
    key = max(table.columns, key=lambda column: (hits[column.number], not column.counts))
    rows = found[key.number]
    if not hits[key.number]:
        example = volumes[0].stem if isinstance(volumes[0], Path) else str(volumes[0])
        raise DataError(
            f"{table.path}: expected a column of names such as {example}, received"
            f" {some([short(column.title) for column in table.columns])}"
        )
    often = Counter(rows)
    lines = zip(table.lines, key.cells, rows, strict=True)
    faults = {
        "no volume for the rows": [
            f"{short(cell)} in line {line}" for line, cell, row in lines if row is None
        ],
        "no row for the volumes": [v.name for i, v in enumerate(volumes) if i not in often],
        "several rows for": [v.name for i, v in enumerate(volumes) if often[i] > 1],
    }
    if any(faults.values()):
        listed = "; ".join(f"{fault} {some(names, 8)}" for fault, names in faults.items() if names)
        raise DataError(f"{table.path}: expected one row for each volume in {where}; {listed}")
    return key, [row for row in rows if row is not None]


def _finder(volumes: Sequence[PurePath]) -> Callable[[str], int | None]:
    """What finds the number of the volume that a cell names: by its name, with a suffix or without,
    and as much of a path as tells it from the others, of Windows or not. Leading zeros, which
    spreadsheets cut off, may lack.
    """
    exact: dict[tuple[str, ...], set[int]] = defaultdict(set)
    loose: dict[tuple[str, ...], set[int]] = defaultdict(set)
    for i, volume in enumerate(volumes):
        parts = [unicodedata.normalize("NFC", part) for part in volume.parts]
        for name in {parts[-1], PurePath(parts[-1]).stem, _stem(parts[-1])}:
            for depth in range(len(parts)):
                path = (*parts[len(parts) - 1 - depth : -1], name)
                exact[path].add(i)
                loose[_loose(path)].add(i)

    def find(cell: str) -> int | None:
        parts = PureWindowsPath(unicodedata.normalize("NFC", cell)).parts
        for known, path in ((exact, parts), (loose, _loose(parts))):
            for start in range(len(path)):
                if len(numbers := known.get(path[start:], set())) == 1:
                    return next(iter(numbers))
        return None

    return find


def _stem(name: str) -> str:
    """`name` without the suffix of its format, such as .nii.gz."""
    suffix = max((s for s in vol.VOLUMES if name.lower().endswith(s)), key=len, default="")
    return name[: len(name) - len(suffix)] if suffix else name


def _loose(path: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(re.sub(r"\d+", lambda digits: digits[0].lstrip("0") or "0", part) for part in path)
