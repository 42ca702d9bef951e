"""Results of FANS (github.com/DataAnalyticsEngineering/FANS): microstructures and the tangents that
it found for them.

FANS writes <microstructure>_results/<prefix>/load0/time_step0/homogenized_tangent, in Mandel order
xx yy zz xy xz yz, and takes microstructures as (z, y, x) unless their attribute `permute_order`
says xyz.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path

import numpy as np

from svevae.errors import DataError
from svevae.scans.arrays import Array, last_of, stored
from svevae.scans.options import STRESS_UNITS, ImportOptions
from svevae.scans.sources import Column, Source, labelled
from svevae.words import some

TANGENT = "homogenized_tangent"
FROM_FANS = np.array([0, 1, 2, 5, 4, 3])  # where FANS has our xx yy zz yz xz xy
Place = tuple[Path, str]  # a dataset in a file


def has_tangent(arrays: Mapping[str, Array]) -> bool:
    """Whether a file has results of FANS."""
    return any(last_of(name) == TANGENT for name in arrays)


def read_fans(files: Mapping[Path, Mapping[str, Array]], options: ImportOptions) -> Source:
    """Microstructures and their stiffness. Raises DataError.

    The microstructure of <path>_results/... is <path>, in any of the files; else the only volume in
    the nearest group above the tangent.
    """
    images = {
        (path, name): array
        for path, arrays in files.items()
        for name, array in arrays.items()
        if _is_image(name, array)
    }
    tangents = _tangents(files, images, options)
    where = ", ".join(map(str, files))
    if not tangents:
        raise DataError(
            f"{where}: expected a {TANGENT} that fits --tangent {options.tangent}, found none"
        )
    stiffness = np.stack(
        [tangent[np.ix_(FROM_FANS, FROM_FANS)] for _, tangent in tangents.values()]
    )
    moduli = 1 / np.diagonal(np.linalg.inv(stiffness), axis1=1, axis2=2)[:, :3]
    columns = [
        Column(f"E_{axis}", column, number + 1, "MPa")
        for number, (axis, column) in enumerate(zip("xyz", moduli.T, strict=True))
    ]
    source = stored(where, {key: images[key] for key in tangents}, "zyx", options)
    source = labelled(source, where, columns, [name for name, _ in tangents.values()], options)
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


def _tangents(
    files: Mapping[Path, Mapping[str, Array]],
    images: Mapping[Place, Array],
    options: ImportOptions,
) -> dict[Place, tuple[str, np.ndarray]]:
    """The name and the tangent, in MPa, of each image that has one."""
    named, below = defaultdict(list), defaultdict(list)
    for path, name in images:
        named[name].append((path, name))
        for group in _groups(name):
            below[path, group].append((path, name))
    tangents: dict[Place, tuple[str, np.ndarray]] = {}
    for path, arrays in files.items():
        for name, array in arrays.items():
            if last_of(name) != TANGENT or not fnmatch(name, options.tangent):
                continue
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
            tangent = _checked(f"{path}: {name}", array.read())
            tangents[near[0]] = name, tangent * STRESS_UNITS[options.stress_unit]
    return tangents


def _checked(where: str, tangent: np.ndarray) -> np.ndarray:
    """`tangent` itself; DataError where it is no stiffness."""
    numbers = tangent.shape == (6, 6) and tangent.dtype.kind in "iuf"
    good = (
        numbers
        and np.isfinite(tangent).all()
        and np.allclose(tangent, tangent.T, atol=1e-3 * np.abs(tangent).max())
    )
    if not good or np.linalg.eigvalsh(tangent.astype(np.float64)).min() <= 0:
        received = (
            f"a diagonal of {np.diagonal(tangent)}"
            if numbers
            else f"shape {tangent.shape} of {tangent.dtype}"
        )
        raise DataError(
            f"{where}: expected a symmetric, positive definite stiffness (6, 6), received"
            f" {received}"
        )
    return tangent.astype(np.float64)


def _is_image(name: str, array: Array) -> bool:
    """A volume, or the `microstructure` among FANS's results, which has a fourth axis of length
    1.
    """
    return len(array.shape) == 3 or (last_of(name) == "microstructure" and array.rank == 3)


def _groups(name: str) -> list[str]:
    """The groups a path lies in, nearest first."""
    parts = name.split("/")[:-1]
    return ["/".join(parts[:depth]) for depth in range(len(parts), -1, -1)]
