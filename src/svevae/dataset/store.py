"""The SVE data contract: one HDF5 file of voxel cubes and their properties.

| dataset | shape and type | meaning |
| --- | --- | --- |
| /voxels | (sve, n, n, n) uint8 | 0 solid, 1 pore; axes (sve, x, y, z), z the build direction |
| /properties | (sve, property) float | attributes `names` and `units`, a string for each property |
| /part_id | (sve,) integer | the part an SVE was cut from; datasets are split by part |

Optional:

| dataset | shape and type | meaning |
| --- | --- | --- |
| /porosity | (sve,) float | mean of the voxels |
| /position | (sve, 3) integer | index of the SVE in its part |
| /stiffness | (sve, 6, 6) float | apparent stiffness, Mandel order xx yy zz yz xz xy, MPa |
| /tension | group | strain (increment,); stress_x, stress_y, stress_z (sve, increment), MPa |
| /residual | (sve,) float | largest residual of an increment that is left, of its load |
| /load_path | (sve, 3) 0 or 1 | does the matrix hang together along x, y, z; if not, labels are 0 |
| /parts | (part, column) float | attribute `columns`; how each part was generated |

Any voxel count n and any number of properties; n and the names are read from the file. The file's
attributes say where it comes from; `voxel_size_um` (micrometres) is the one that svevae reads.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, overload

import h5py
import numpy as np

from svevae.errors import DataError
from svevae.files import release, written_whole
from svevae.hdf5 import reading
from svevae.words import counted

SLAB = 256  # SVEs read at a time: 8 MB at n = 32
POROSITY_TOLERANCE = 1e-4  # a stored porosity may be rounded to float32 or to a few digits


@dataclass(frozen=True)
class SVEDataset:
    """A valid file, its small arrays read, its voxels left on disk.

    `properties` is (sve, property) float32 in `units`, None in a file without labels (with labels
    it is a `LabelledDataset`); `part_id` is (sve,) int64, zeros where the file has none;
    `voxel_size` is in micrometres, None where the file does not say.
    """

    path: Path
    count: int
    n: int
    names: tuple[str, ...]
    units: tuple[str, ...]
    properties: np.ndarray | None
    part_id: np.ndarray
    voxel_size: float | None
    attributes: dict[str, Any] = field(repr=False)

    def slabs(self) -> Iterator[tuple[slice, np.ndarray]]:
        """All voxels in file order, as (slice of SVEs, (up to 256, n, n, n) uint8). Raises
        DataError where one is not 0 or 1.
        """
        with reading(self.path) as file:
            for slab, voxels in _slabs(file["voxels"]):
                if problem := _phase_problem(voxels, slab.start):
                    raise DataError(f"{self.path}: {problem}")
                yield slab, voxels.astype(np.uint8, copy=False)

    def porosity(self) -> np.ndarray:
        """(sve,): of the voxels themselves, a pass over all of them. Raises DataError as `slabs`
        does.
        """
        return np.concatenate([voxels.mean((1, 2, 3)) for _, voxels in self.slabs()])

    def voxels(self, index: np.ndarray) -> np.ndarray:
        """The SVEs of `index` (integers, any order): (len(index), n, n, n) uint8. Raises DataError
        as `slabs` does.
        """
        index = np.asarray(index, dtype=np.int64)
        unique, inverse = np.unique(index, return_inverse=True)
        with reading(self.path) as file:
            voxels = file["voxels"][unique]
        if ((voxels != 0) & (voxels != 1)).any():
            raise DataError(
                "\n".join(
                    f"{self.path}: {problem}"
                    for problem in find_problems(self.path, labelled=False)
                )
            )
        return voxels[inverse].astype(np.uint8, copy=False)


@dataclass(frozen=True)
class LabelledDataset(SVEDataset):
    """A valid file with labels: `properties` is always (sve, property) float32, in `units`."""

    properties: np.ndarray


@overload
def open_dataset(path: str | Path, labelled: Literal[True] = True) -> LabelledDataset: ...


@overload
def open_dataset(path: str | Path, labelled: bool) -> SVEDataset: ...


def open_dataset(path: str | Path, labelled: bool = True) -> SVEDataset:
    """Open a file of the contract; what does not need a pass over the voxels is checked now, the
    voxels when they are read.

    `labelled=False` accepts a file without /properties and /part_id, such as a volume whose
    properties are to be predicted; what has /properties is a `LabelledDataset` all the same.
    Raises DataError that lists everything wrong.
    """
    path = Path(path)
    if problems := find_problems(path, labelled=labelled, scan_voxels=False):
        raise DataError("\n".join(f"{path}: {problem}" for problem in problems))
    with reading(path) as file:
        count, n = file["voxels"].shape[:2]
        size = file.attrs.get("voxel_size_um")
        common: dict[str, Any] = {
            "path": path,
            "count": count,
            "n": n,
            "part_id": (
                file["part_id"][:].astype(np.int64)
                if "part_id" in file
                else np.zeros(count, np.int64)
            ),
            "voxel_size": None if size is None else float(size),
            "attributes": {
                key: value.item() if isinstance(value, np.generic) else value
                for key, value in file.attrs.items()
            },
        }
        properties = file.get("properties")
        if properties is None:
            return SVEDataset(names=(), units=(), properties=None, **common)
        return LabelledDataset(
            names=_strings(properties, "names") or (),
            units=_strings(properties, "units") or (),
            properties=properties[:].astype(np.float32),
            **common,
        )


def label_record(data: SVEDataset) -> dict[str, Any] | None:
    """How the labels of a file were made, for JSON: material, solver_settings, tension (axes,
    strain), label_digest; None where it does not say.

    `svevae.dataset.label_settings.parse_settings` reads it, and tells whether this version makes
    the same labels.
    """
    try:
        record = {key: json.loads(data.attributes[key]) for key in ("material", "solver_settings")}
        with reading(data.path) as file:
            axes = [axis for axis in "xyz" if f"tension/stress_{axis}" in file]
            record["tension"] = {
                "axes": axes,
                "strain": file["tension/strain"][:].astype(float).tolist(),
            }
        return record | {"label_digest": data.attributes["label_digest"]}
    except (KeyError, TypeError, ValueError):
        return None


def write_dataset(
    path: str | Path,
    arrays: Mapping[str, np.ndarray],
    names: tuple[str, ...],
    units: tuple[str, ...],
    attributes: Mapping[str, Any],
    dataset_attributes: Mapping[str, Mapping[str, Any]] | None = None,
) -> None:
    """Write `arrays` (keys as in the contract, e.g. "voxels", "tension/strain") to `path`, whole or
    not at all.

    `attributes` are the file's, `dataset_attributes` those of the datasets named. Raises DataError
    when what was written breaks the contract or the disk is full; an older file at `path` is then
    untouched.
    """
    path = Path(path)
    with written_whole(path) as beside:
        with composed(beside) as file:
            file.attrs.update(attributes)
            for key, array in arrays.items():
                chunks = (
                    (min(len(array), 32), *array.shape[1:])
                    if key == "voxels" and len(array)
                    else None
                )
                stored = file.create_dataset(
                    key,
                    array.shape,
                    array.dtype,
                    chunks=chunks,
                    compression="gzip" if array.ndim > 1 and array.size else None,
                )
                # a memory-mapped array stays on disk
                step = SLAB if key == "voxels" else max(1, len(array))
                for start in range(0, len(array), step):
                    stored[start : start + step] = array[start : start + step]
                    release(array)
            if "properties" in arrays:
                file["properties"].attrs["names"] = list(names)
                file["properties"].attrs["units"] = list(units)
            for key, values in (dataset_attributes or {}).items():
                file[key].attrs.update(values)
        if problems := find_problems(beside, labelled="properties" in arrays):
            raise DataError("\n".join(f"{path}: not written: {problem}" for problem in problems))


@contextmanager
def composed(path: Path) -> Iterator[h5py.File]:
    """An HDF5 file in memory that goes to `path` when the context ends well: on a full disk that
    raises OSError, where h5py crashes.
    """
    with h5py.File(path.name, "w", driver="core", backing_store=False) as file:
        yield file
        file.flush()
        path.write_bytes(file.id.get_file_image())


def describe_dataset(path: str | Path) -> str:
    """Describe a valid file: counts, sizes, porosity, a line for each property. Reads all
    voxels.
    """
    data = open_dataset(path, labelled=False)
    porosity = data.porosity()
    parts, sizes = np.unique(data.part_id, return_counts=True)
    size = "unknown" if data.voxel_size is None else f"{data.voxel_size:g} um"
    lines = [
        f"{data.path}: valid",
        (
            f"  {counted(data.count, 'SVE')} of {data.n} x {data.n} x {data.n} voxels, voxel size"
            f" {size}"
        ),
        f"  {counted(len(parts), 'part')} of {_span(sizes)}"
        + (": one part only, cannot be split by part" if len(parts) == 1 else ""),
        f"  porosity {porosity.min():.4%} to {porosity.max():.4%}, mean {porosity.mean():.4%}",
    ]
    if data.properties is None:
        lines.append("  no labels: /properties is absent")
    else:
        for name, unit, column in zip(
            data.names, data.units, data.properties.T.astype(float), strict=True
        ):
            lines.append(
                f"  {name:12s} {column.mean():12.5g} +- {column.std():<10.4g} {column.min():.5g} to"
                f" {column.max():.5g} {unit}"
            )
    lines += _caveats(path)
    lines += [f"  {key}: {value}" for key, value in data.attributes.items()]
    return "\n".join(lines)


def _caveats(path: str | Path) -> list[str]:
    """List what limits the labels of a valid file: the largest residual, and SVEs without a load
    path.
    """
    with reading(path) as file:
        lines = (
            [f"  largest residual of the solver {file['residual'][:].max():.1e}"]
            if "residual" in file
            else []
        )
        stuck = without_load_path(file["load_path"][:]) if "load_path" in file else ""
    return lines + ([f"  {stuck}"] if stuck else [])


def without_load_path(load_path: np.ndarray) -> str:
    """Say how many SVEs have no load path, and along which axes; `load_path` is (sve, 3). An empty
    text for none.
    """
    broken = load_path == 0
    along = ", ".join(
        f"{count} along {axis}"
        for axis, count in zip("xyz", broken.sum(axis=0), strict=True)
        if count
    )
    return (
        f"{counted(broken.any(axis=1).sum(), 'SVE')} without a load path ({along}), labelled 0"
        " there"
        if along
        else ""
    )


def find_problems(path: str | Path, labelled: bool = True, scan_voxels: bool = True) -> list[str]:
    """Everything in which the file breaks the contract, in words; an empty list for a valid file.

    `scan_voxels` reads every voxel too, a slab at a time.
    """
    try:
        with reading(path) as file:
            return _problems(file, labelled, scan_voxels)
    except DataError as error:
        return [str(error).removeprefix(f"{path}: ")]


def _problems(file: h5py.File, labelled: bool, scan_voxels: bool) -> list[str]:
    required = ("voxels", "properties", "part_id") if labelled else ("voxels",)
    ranks = {
        "voxels": 4,
        "properties": 2,
        "part_id": 1,
        "porosity": 1,
        "position": 2,
        "stiffness": 3,
        "residual": 1,
        "load_path": 2,
    }
    items, problems = {}, []
    for name, rank in ranks.items():
        item = file.get(name)
        if item is None:
            if name in required:
                problems.append(
                    f"/{name} is missing; the file has {', '.join(sorted(file)) or 'nothing'}"
                )
        elif not isinstance(item, h5py.Dataset):
            problems.append(f"/{name}: expected a dataset, received a group")
        elif item.ndim != rank:
            problems.append(
                f"/{name}: expected {rank} axes, received {item.ndim}: shape {item.shape}"
            )
        elif item.dtype.kind not in "biuf":
            problems.append(f"/{name}: expected numbers, received {item.dtype}")
        else:
            items[name] = item
    if "voxels" in items:
        problems += _shape_problems(items)
    for name in items.keys() & {"properties", "porosity", "stiffness", "residual"}:
        problems += _finite_problems(items[name])
    if "properties" in items:
        problems += _label_problems(items["properties"])
    if "parts" in file:
        problems += _parts_problems(file["parts"])
    if "tension" in file:
        problems += _tension_problems(
            file["tension"], len(items["voxels"]) if "voxels" in items else None
        )
    if scan_voxels and "voxels" in items and not problems:
        problems += _voxel_problems(items["voxels"], items.get("porosity"))
    return problems


def _shape_problems(items: Mapping[str, h5py.Dataset]) -> Iterator[str]:
    shape = items["voxels"].shape
    if shape[0] == 0:
        yield "/voxels: expected at least one SVE, received none"
    if len(set(shape[1:])) != 1 or shape[1] == 0:
        yield f"/voxels: expected cubes (sve, n, n, n), received shape {shape}"
    for name, item in items.items():
        if len(item) != shape[0]:
            yield (
                f"/{name}: expected {shape[0]} rows, one for each SVE of /voxels, received"
                f" {len(item)}"
            )
    for name, inner in (("position", (3,)), ("stiffness", (6, 6)), ("load_path", (3,))):
        if name in items and items[name].shape[1:] != inner:
            yield (
                f"/{name}: expected shape (sve, {', '.join(map(str, inner))}), received"
                f" {items[name].shape}"
            )
    if "part_id" in items and items["part_id"].dtype.kind not in "iu":
        yield f"/part_id: expected integers, received {items['part_id'].dtype}"


def _finite_problems(item: h5py.Dataset) -> Iterator[str]:
    bad = np.argwhere(~np.isfinite(item[:]))
    if len(bad):
        yield (
            f"{item.name}: expected finite numbers, received {item[tuple(bad[0])]} at"
            f" {tuple(map(int, bad[0]))}; {len(bad)} in all"
        )


def _label_problems(item: h5py.Dataset) -> Iterator[str]:
    if item.shape[1] == 0:
        yield "/properties: expected at least one property, received none"
    for attribute in ("names", "units"):
        strings = _strings(item, attribute)
        if strings is None:
            yield f"/properties: the attribute `{attribute}` is missing or not a list of strings"
        elif len(strings) != item.shape[1]:
            yield (
                f"/properties: expected {item.shape[1]} {attribute}, one for each column, received"
                f" {len(strings)}"
            )
        elif attribute == "names" and len(set(strings)) != len(strings):
            yield f"/properties: expected distinct names, received {', '.join(strings)}"


def _parts_problems(item: Any) -> Iterator[str]:
    columns = _strings(item, "columns")
    shape: tuple[int, ...] = getattr(item, "shape", ())
    if len(shape) != 2 or columns is None or len(columns) != shape[1]:
        yield (
            "/parts: expected a table (part, column) with an attribute `columns` that names each,"
            f" received shape {shape} and {columns}"
        )


def _tension_problems(group: Any, count: int | None) -> Iterator[str]:
    strain = group.get("strain") if isinstance(group, h5py.Group) else None
    if not isinstance(strain, h5py.Dataset) or strain.ndim != 1:
        yield "/tension: expected a group with strain (increment,)"
        return
    for name in sorted(set(group) - {"strain"}):
        shape = getattr(group[name], "shape", None)
        if count is not None and shape != (count, len(strain)):
            yield f"/tension/{name}: expected shape {(count, len(strain))}, received {shape}"
        elif shape is not None:
            yield from _finite_problems(group[name])


def _voxel_problems(voxels: h5py.Dataset, porosity: h5py.Dataset | None) -> Iterator[str]:
    for slab, cubes in _slabs(voxels):
        if problem := _phase_problem(cubes, slab.start):
            yield problem
            return
        if porosity is not None:
            seen = cubes.mean((1, 2, 3))
            apart = np.abs(seen - porosity[slab])
            if apart.max() > POROSITY_TOLERANCE:
                i = int(apart.argmax())
                yield (
                    f"/porosity: SVE {slab.start + i} is given as {porosity[slab.start + i]:.6g},"
                    f" its voxels have {seen[i]:.6g}"
                )
                return


def _phase_problem(voxels: np.ndarray, first: int) -> str | None:
    bad = np.argwhere((voxels != 0) & (voxels != 1))
    if not len(bad):
        return None
    sve, *voxel = map(int, bad[0])
    return (
        f"/voxels: expected 0 (solid) and 1 (pore), received {voxels[tuple(bad[0])]} in SVE"
        f" {first + sve} at voxel {tuple(voxel)}"
    )


def _slabs(voxels: h5py.Dataset) -> Iterator[tuple[slice, np.ndarray]]:
    for start in range(0, len(voxels), SLAB):
        slab = slice(start, min(start + SLAB, len(voxels)))
        yield slab, voxels[slab]


def _strings(item: h5py.Dataset | h5py.Group, attribute: str) -> tuple[str, ...] | None:
    values = item.attrs.get(attribute)
    if values is None or np.ndim(values) != 1:
        return None
    strings = tuple(value.decode() if isinstance(value, bytes) else value for value in values)
    return strings if all(isinstance(value, str) for value in strings) else None


def _span(sizes: np.ndarray) -> str:
    return ("" if sizes.min() == sizes.max() else f"{sizes.min()} to ") + counted(
        sizes.max(), "SVE"
    )
