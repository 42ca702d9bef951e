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
| /tension | group | strain (increment,), of several metals (sve, increment); stress_x, stress_y, \
stress_z (sve, increment), MPa |
| /residual | (sve,) float | largest residual of an increment that is left, of its load |
| /load_path | (sve, 3) 0 or 1 | does the matrix hang together along x, y, z; if not, labels are 0 |
| /law | (sve, 5) float | E, nu, s0, Q, b of the metal of each SVE; without it the attribute \
`material` is that of all |
| /family | (sve,) integer | index into its attribute `names`: what kind of pores an SVE has |
| /parts | (part, column) float | attribute `columns`; how each part was generated |

Any voxel count n and any number of properties; n and the names are read from the file. The file's
attributes say where it comes from; `voxel_size_um` (micrometres) is the one that svevae reads.
What svevae writes also has checksums and a list of its contents, see `svevae.dataset.seal`.
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

from svevae.dataset.problems import (
    examined,
    find_problems,
    phase_problem,
    pore_counts,
    strings_of,
    voxel_size,
)
from svevae.dataset.seal import (
    CONTENTS,
    DIGEST,
    SLAB,
    content_digest_of,
    pack,
    plain_attributes,
    row_slabs,
    seal,
)
from svevae.errors import DataError
from svevae.files import release, written_whole
from svevae.hdf5 import reading
from svevae.words import counted

CHUNK = 4  # SVEs unpacked at once: a few of many are read 3 times as fast as from chunks of 32
UNLABELLED = "unlabelled"  # the attribute that says which SVEs the solver left out, and why


@dataclass(frozen=True)
class SVEDataset:
    """A valid file, its small arrays read, its voxels left on disk.

    `properties` is (sve, property) float32 in `units`, None in a file without labels (with labels
    it is a `LabelledDataset`); `part_id` is (sve,) int64, zeros where the file has none;
    `voxel_size` is in micrometres, None where the file does not say. `families` names the kinds of
    pores and `family` (sve,) is an index into it, None where the file has none; `laws` (sve, 5) as
    `svevae.physics.alloys.LAW`, None where all SVEs are of one metal.
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
    families: tuple[str, ...] = ()
    family: np.ndarray | None = None
    laws: np.ndarray | None = None

    def slabs(self) -> Iterator[tuple[slice, np.ndarray]]:
        """All voxels in file order, as (slice of SVEs, (SVEs of about 64 MB, n, n, n) uint8).
        Raises DataError where one is not 0 or 1.
        """
        with reading(self.path, known=True) as file:
            for slab in row_slabs(file["voxels"]):
                voxels = file["voxels"][slab]
                if problem := phase_problem(voxels, range(slab.start, slab.stop)):
                    raise DataError(f"{self.path}: {problem}")
                yield slab, voxels.astype(np.uint8, copy=False)

    def porosity(self) -> np.ndarray:
        """(sve,): of the voxels themselves, a pass over all of them. Raises DataError as `slabs`
        does.
        """
        return np.concatenate([pore_counts(pack(voxels)) for _, voxels in self.slabs()]) / self.n**3

    def voxels(self, index: np.ndarray) -> np.ndarray:
        """The SVEs of `index` (integers, any order): (len(index), n, n, n) uint8. Raises DataError
        as `slabs` does.
        """
        index = np.asarray(index, dtype=np.int64)
        if len(index) and not (index.min() >= 0 and index.max() < self.count):
            raise IndexError(f"SVE: expected 0 to {self.count - 1}, received {index}")
        order = np.argsort(index, kind="stable")
        voxels = np.empty((len(index), self.n, self.n, self.n), np.uint8)
        with reading(self.path, known=True) as file:
            for rows, cubes in scattered(file["voxels"], index[order]):
                if problem := phase_problem(cubes, rows):
                    raise DataError(f"{self.path}: {problem}")
                at = slice(*np.searchsorted(index[order], [rows[0], rows[-1] + 1]))
                voxels[order[at]] = cubes[index[order[at]] - rows[0]]
        return voxels


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
        common: dict[str, Any] = {
            "path": path,
            "count": count,
            "n": n,
            "part_id": (
                file["part_id"][:].astype(np.int64)
                if "part_id" in file
                else np.zeros(count, np.int64)
            ),
            "voxel_size": voxel_size(file),
            "attributes": plain_attributes(file),
        }
        if "family" in file:
            common["families"] = strings_of(file["family"], "names")
            common["family"] = file["family"][:].astype(np.int64)
        if "law" in file:
            common["laws"] = file["law"][:].astype(np.float64)
        properties = file.get("properties")
        if properties is None:
            return SVEDataset(names=(), units=(), properties=None, **common)
        return LabelledDataset(
            names=strings_of(properties, "names") or (),
            units=strings_of(properties, "units") or (),
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
        if "tension_settings" in data.attributes:
            record["tension"] = json.loads(data.attributes["tension_settings"])
            return record | {"label_digest": data.attributes["label_digest"]}
        with reading(data.path, known=True) as file:
            if "tension/strain" not in file:
                return None
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
    described = {key: dict(values) for key, values in (dataset_attributes or {}).items()}
    if "properties" in arrays:
        described.setdefault("properties", {}).update(names=list(names), units=list(units))
    with written_whole(path) as beside:
        write_arrays(beside, arrays, attributes, described)
        if problems := find_problems(beside, labelled="properties" in arrays):
            raise DataError("\n".join(f"{path}: not written: {problem}" for problem in problems))


def write_arrays(
    path: Path,
    arrays: Mapping[str, np.ndarray],
    attributes: Mapping[str, Any],
    dataset_attributes: Mapping[str, Mapping[str, Any]],
) -> None:
    """Write arrays by name with checksums and the list of contents, whatever they are; the
    contract is not checked.
    """
    with composed(path) as file:
        file.attrs.update(
            {key: value for key, value in attributes.items() if key not in (CONTENTS, DIGEST)}
        )
        for key, given in arrays.items():
            array = np.asarray(given)
            chunked = array.ndim > 0 and array.size > 0
            large = key == "voxels" and chunked
            stored = file.create_dataset(
                key,
                array.shape if large else None,
                array.dtype if large else None,
                data=None if large else array,
                chunks=(min(len(array), CHUNK), *array.shape[1:])
                if large
                else (True if chunked else None),
                compression="gzip" if chunked and array.ndim > 1 else None,
                fletcher32=chunked,
            )
            # a memory-mapped array stays on disk
            for rows in row_slabs(stored) if large else ():
                stored[rows] = array[rows]
                release(array)
        for key, values in dataset_attributes.items():
            file[key].attrs.update(values)
        seal(file)


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
    voxels, once. Raises DataError that lists everything wrong.
    """
    path = Path(path)
    try:
        with reading(path) as file:
            problems, pores = examined(file, labelled=False)
            digest = content_digest_of(file)
    except DataError as error:
        problems = [str(error).removeprefix(f"{path}: ")]
    if problems:
        raise DataError("\n  ".join([f"{path}: {counted(len(problems), 'problem')}", *problems]))
    data = open_dataset(path, labelled=False)
    porosity = pores / data.n**3
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
    if data.family is not None:
        counts = np.bincount(data.family, minlength=len(data.families))
        pairs = zip(data.families, counts, strict=True)
        lines.append("  pores: " + ", ".join(f"{name} {count}" for name, count in pairs))
    if data.laws is not None:
        metals = len(np.unique(data.laws, axis=0))
        lines.append(f"  {counted(metals, 'metal')}: /law has E, nu, s0, Q, b of each SVE")
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
    lines.append(
        "  no checksums: written by another program, or by svevae before it had them"
        if digest is None
        else f"  checksums agree, content digest {digest}"
    )
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
        lost = str(file.attrs.get(UNLABELLED, "")).partition(":")[0]
    return lines + [f"  {said}" for said in (stuck, lost) if said]


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


def scattered(voxels: h5py.Dataset, index: np.ndarray) -> Iterator[tuple[range, np.ndarray]]:
    """The SVEs of `index` (ascending) as (rows of the file, their cubes), what lies in one chunk of
    the file at once: h5py unpacks each chunk once, where a list of rows takes it many times.
    """
    each = max(1, voxels.nbytes // len(voxels))
    rows = voxels.chunks[0] if voxels.chunks else 1
    rows = max(1, min(rows, SLAB // each))
    for block in np.unique(index // rows):
        inside = index[slice(*np.searchsorted(index, [block * rows, (block + 1) * rows]))]
        span = range(int(inside[0]), int(inside[-1]) + 1)
        yield span, voxels[span.start : span.stop]


def _span(sizes: np.ndarray) -> str:
    return ("" if sizes.min() == sizes.max() else f"{sizes.min()} to ") + counted(
        sizes.max(), "SVE"
    )
