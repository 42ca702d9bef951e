"""In what a file breaks the contract of `svevae.dataset.store`, in words."""

from __future__ import annotations

import os
import reprlib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from svevae.dataset.seal import Digest, pack, row_slabs, seal_problems
from svevae.errors import DataError
from svevae.hdf5 import reading
from svevae.physics.alloys import LAW
from svevae.words import counted, short, some

INFLATION = 1032  # deflate packs that many bytes into one, at most
FILTERS = {"shuffle", "fletcher32", "1", "2", "3"}  # of HDF5; others may pack denser
POROSITY_TOLERANCE = 1e-4  # a stored porosity may be rounded to float32 or to a few digits


def find_problems(path: str | Path, labelled: bool = True, scan_voxels: bool = True) -> list[str]:
    """Everything in which the file breaks the contract, in words; an empty list for a valid file.

    `scan_voxels` reads every voxel too, a slab at a time.
    """
    try:
        with reading(path) as file:
            return examined(file, labelled)[0] if scan_voxels else _problems(file, labelled)[0]
    except DataError as error:
        return [str(error).removeprefix(f"{path}: ")]


def examined(file: h5py.File, labelled: bool) -> tuple[list[str], np.ndarray]:
    """All problems, also those of voxels and of the contents written into the file, and the number
    of pore voxels of each SVE. One pass over the voxels.
    """
    problems, items = _problems(file, labelled)
    pores = np.zeros(0)
    if not problems:
        found, pores, digest = _voxel_problems(items["voxels"], items.get("porosity"))
        problems = found or seal_problems(file, digest)
    return problems, pores


def _problems(file: h5py.File, labelled: bool) -> tuple[list[str], dict[str, h5py.Dataset]]:
    """Problems that are seen without a pass over the voxels, and the datasets that have none of
    their own.
    """
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
        "law": 2,
        "family": 1,
    }
    items: dict[str, h5py.Dataset] = {}
    problems = _size_problems(file)
    if problems:
        return problems, items
    for name, rank in ranks.items():
        item = file.get(name)
        if item is None:
            if name in required:
                problems.append(
                    f"/{name} is missing; the file has {some(sorted(file)) or 'nothing'}"
                )
        elif not isinstance(item, h5py.Dataset):
            problems.append(f"/{name}: expected a dataset, received a group")
        elif item.shape is None:
            problems.append(f"/{name}: expected numbers, received a dataset that is null")
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
    for name in items.keys() & {"properties", "porosity", "stiffness", "residual", "law"}:
        problems += _finite_problems(items[name])
    if "properties" in items:
        problems += _label_problems(items["properties"])
    if "law" in items:
        problems += _law_problems(items["law"])
    if "family" in items:
        problems += _family_problems(items["family"])
    if "parts" in file:
        problems += _parts_problems(file["parts"])
    if "tension" in file:
        problems += _tension_problems(
            file["tension"], len(items["voxels"]) if "voxels" in items else None
        )
    try:
        voxel_size(file)
    except DataError as error:
        problems.append(str(error))
    return problems or seal_problems(file), items


def _size_problems(file: h5py.File) -> list[str]:
    """Datasets that claim more than the file can hold, or than memory where they are read whole."""
    there = os.stat(file.filename).st_size
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    problems: list[str] = []

    def look(name: str, item: Any) -> None:
        if not isinstance(item, h5py.Dataset) or item.shape is None:
            return
        known = set(getattr(item, "_filters", {})) <= FILTERS | {"gzip", "lzf", "szip"}
        at_once = (
            item.nbytes // max(1, len(item)) if name == "voxels" and item.ndim else item.nbytes
        )
        if known and item.nbytes > INFLATION * there:
            problems.append(
                f"/{name}: expected values that the file of {there} bytes can hold, received shape"
                f" {item.shape}"
            )
        elif at_once > memory:
            problems.append(
                f"/{name}: expected values that the memory of {memory} bytes can hold, received"
                f" shape {item.shape}"
            )

    file.visititems(look)
    return problems


def voxel_size(file: h5py.File) -> float | None:
    """Edge of a voxel in micrometres; one number, or three that are equal. None where the file
    does not say. Raises DataError.
    """
    return cube_edge(file.attrs["voxel_size_um"]) if "voxel_size_um" in file.attrs else None


def same_size(a: float, b: float) -> bool:
    """Whether two edges of voxels are one but for rounding: within 0.1 %."""
    return abs(a - b) <= 1e-3 * b


def cube_edge(stored: Any) -> float:
    """The edge of a voxel in micrometres that an attribute voxel_size_um says: one number, or three
    that are equal. Raises DataError.
    """
    values = None if isinstance(stored, h5py.Empty) else np.asarray(stored)
    if values is not None and values.dtype.kind in "iuf" and values.size in (1, 3):
        sizes = values.astype(float).ravel()
        if (np.isfinite(sizes) & (sizes > 0)).all() and np.ptp(sizes) <= 1e-6 * sizes.max():
            return float(sizes[0])
        if (np.isfinite(sizes) & (sizes > 0)).all():
            raise DataError(
                "voxel_size_um: expected voxels that are cubes, received"
                f" {' x '.join(f'{size:g}' for size in sizes)} um"
            )
    received = "nothing" if values is None else short(reprlib.repr(values.tolist()))
    raise DataError(f"voxel_size_um: expected a number above 0, in um, received {received}")


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
    for name, inner in (
        ("position", (3,)),
        ("stiffness", (6, 6)),
        ("load_path", (3,)),
        ("law", (5,)),
    ):
        if name in items and items[name].shape[1:] != inner:
            yield (
                f"/{name}: expected shape (sve, {', '.join(map(str, inner))}), received"
                f" {items[name].shape}"
            )
    if "part_id" not in items:
        return
    part_id = items["part_id"]
    if part_id.dtype.kind not in "iu":
        yield f"/part_id: expected integers, received {part_id.dtype}"
    elif part_id.dtype == np.uint64 and (part_id[:] > np.iinfo(np.int64).max).any():
        yield f"/part_id: expected at most {np.iinfo(np.int64).max}, received {part_id[:].max()}"


def _finite_problems(item: h5py.Dataset) -> Iterator[str]:
    if item.dtype.kind not in "biuf":
        yield f"{item.name}: expected numbers, received {item.dtype}"
        return
    values = item[:]
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        yield (
            f"{item.name}: expected finite numbers, received {values[tuple(bad[0])]} at"
            f" {tuple(map(int, bad[0]))}; {len(bad)} in all"
        )
    elif values.dtype.kind == "f" and values.dtype.itemsize > 4:
        limit = np.finfo(np.float32).max
        if len(bad := np.argwhere((values > limit) | (values < -limit))):
            yield (
                f"{item.name}: expected numbers that float32 can hold, received"
                f" {values[tuple(bad[0])]} at {tuple(map(int, bad[0]))}; {len(bad)} in all"
            )


def _label_problems(item: h5py.Dataset) -> Iterator[str]:
    if item.shape[1] == 0:
        yield "/properties: expected at least one property, received none"
    for attribute in ("names", "units"):
        strings = strings_of(item, attribute)
        if strings is None:
            yield f"/properties: the attribute `{attribute}` is missing or not a list of strings"
        elif len(strings) != item.shape[1]:
            yield (
                f"/properties: expected {item.shape[1]} {attribute}, one for each column, received"
                f" {len(strings)}"
            )
        elif attribute == "names" and len(set(strings)) != len(strings):
            yield f"/properties: expected distinct names, received {some(strings)}"
        elif attribute == "names" and (bad := [name for name in strings if not _usable(name)]):
            yield (
                "/properties: expected names without control characters that are not empty,"
                f" received {reprlib.repr(bad)}"
            )


def _usable(name: str) -> bool:
    """Whether a property may have this name: Unicode's categories C are control characters."""
    return bool(name.strip()) and not any(unicodedata.category(c)[0] == "C" for c in name)


def _law_problems(item: h5py.Dataset) -> Iterator[str]:
    if item.shape[1:] != (len(LAW),):
        return  # said with the other shapes
    E, nu, s0, Q, b = item[:].astype(float).T
    for name, values, good, expected in (
        ("E", E, E > 0, "above 0"),
        ("nu", nu, (nu > -1) & (nu < 0.5), "between -1 and 0.5"),
        ("s0", s0, s0 > 0, "above 0"),
        ("Q", Q, Q >= 0, "at least 0"),
        ("b", b, b >= 0, "at least 0"),
    ):
        if not good.all():
            i = int(np.argmin(good))
            yield f"/law: expected {name} {expected}, received {values[i]:g} in SVE {i}"


def _family_problems(item: h5py.Dataset) -> Iterator[str]:
    names = strings_of(item, "names")
    if item.dtype.kind not in "iu":
        yield f"/family: expected integers, received {item.dtype}"
    elif not names:
        yield "/family: the attribute `names` is missing or not a list of strings"
    elif len(item) and not 0 <= int(item[:].min()) <= int(item[:].max()) < len(names):
        yield (
            f"/family: expected 0 to {len(names) - 1}, an index into its"
            f" {counted(len(names), 'name')}, received {int(item[:].min())} to {int(item[:].max())}"
        )


def _parts_problems(item: Any) -> Iterator[str]:
    columns = strings_of(item, "columns")
    shape: tuple[int, ...] = getattr(item, "shape", None) or ()
    if len(shape) != 2 or columns is None or len(columns) != shape[1]:
        yield (
            "/parts: expected a table (part, column) with an attribute `columns` that names each,"
            f" received shape {shape} and {None if columns is None else some(columns)}"
        )


def _tension_problems(group: Any, count: int | None) -> Iterator[str]:
    strain = group.get("strain") if isinstance(group, h5py.Group) else None
    if not isinstance(strain, h5py.Dataset) or strain.ndim not in (1, 2):
        yield "/tension: expected a group with strain (increment,) or (sve, increment)"
        return
    yield from _finite_problems(strain)
    expected = (count, strain.shape[-1])
    if strain.ndim == 2 and count is not None and strain.shape != expected:
        yield f"/tension/strain: expected shape {expected}, received {strain.shape}"
    for name in sorted(set(group) - {"strain"}):
        shape = getattr(group[name], "shape", None)
        if count is not None and shape != expected:
            yield f"/tension/{name}: expected shape {expected}, received {shape}"
        elif shape is not None:
            yield from _finite_problems(group[name])


def _voxel_problems(
    voxels: h5py.Dataset, porosity: h5py.Dataset | None
) -> tuple[list[str], np.ndarray, str]:
    """The first problem, the number of pore voxels of each SVE, and the digest of all voxels."""
    digest, pores = Digest(), np.zeros(len(voxels))
    for slab in row_slabs(voxels):
        cubes = voxels[slab]
        if problem := phase_problem(cubes, range(slab.start, slab.stop)):
            return [problem], pores, ""
        bits = pack(cubes)
        digest.update(bits)
        pores[slab] = pore_counts(bits)
    if porosity is not None:
        given, seen = porosity[:], pores / voxels[0].size
        i = int(np.abs(seen - given).argmax())
        if abs(seen[i] - given[i]) > POROSITY_TOLERANCE:
            problem = (
                f"/porosity: SVE {i} is given as {given[i]:.6g}, its voxels have {seen[i]:.6g}"
            )
            return [problem], pores, ""
    return [], pores, digest.text()


def pore_counts(bits: np.ndarray) -> np.ndarray:
    """Number of pore voxels of each SVE; (sve, bytes) of `pack`."""
    return np.bitwise_count(bits).sum(axis=1, dtype=np.int64)


def phase_problem(voxels: np.ndarray, index: Sequence[int]) -> str | None:
    """What is not 0 or 1 in the SVEs `index` of the file, in words."""
    if voxels.dtype == bool or (voxels.dtype == np.uint8 and voxels.max(initial=0) <= 1):
        return None
    wrong = (voxels != 0) & (voxels != 1)
    if not wrong.any():
        return None
    sve, *voxel = map(int, np.unravel_index(wrong.argmax(), wrong.shape))
    return (
        f"/voxels: expected 0 (solid) and 1 (pore), received {voxels[(sve, *voxel)]} in SVE"
        f" {index[sve]} at voxel {tuple(voxel)}"
    )


def strings_of(item: h5py.Dataset | h5py.Group, attribute: str) -> tuple[str, ...] | None:
    values = item.attrs.get(attribute)
    if values is None or np.ndim(values) != 1:
        return None
    strings = tuple(
        value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value
        for value in values
    )
    return strings if all(isinstance(value, str) for value in strings) else None
