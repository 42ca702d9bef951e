"""What the tests of imports share: cubes and their properties, HDF5 files as others write them, and
an import that is checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from svevae.dataset.store import find_problems
from svevae.scans.importers import import_dataset
from svevae.scans.options import ImportOptions

COUNT, N = 5, 6
CUBES = (np.random.default_rng(0).random((COUNT, N, N, N)) < 0.2).astype(np.uint8)  # (sve, x, y, z)
STIFF = 70000 + 1000 * np.arange(COUNT) / 7  # digits that a float32 cannot hold
NU = np.linspace(0.2, 0.3, COUNT)


def imported(sources: list[Path], folder: Path, **options: Any) -> tuple[h5py.File, str]:
    """What `import_dataset` wrote, open, and its report; the file keeps the contract."""
    output = folder / "imported.h5"
    report = import_dataset(sources, output, ImportOptions(**options))
    assert find_problems(output, labelled=False) == []
    return h5py.File(output, "r"), report


def write_hdf5(
    path: Path,
    content: Mapping[str, Any],
    attributes: Mapping[str, Mapping[str, Any]] | None = None,
) -> Path:
    with h5py.File(path, "w") as file:
        for key, value in content.items():
            file[key] = value
        for key, values in (attributes or {}).items():
            file[key].attrs.update(values)
    return path


def labels_of(file: h5py.File) -> dict[str, tuple[str, list[float]]]:
    """name: (unit, values)."""
    table = file["properties"]
    return {
        name: (unit, list(column))
        for name, unit, column in zip(
            table.attrs["names"], table.attrs["units"], table[:].T, strict=True
        )
    }


def tangent(i: int) -> np.ndarray:
    """An orthotropic stiffness in the order of FANS, xx yy zz xy xz yz: every modulus its own."""
    compliance = np.diag(1 / np.array([70e3, 60e3, 50e3, 2 * 26e3, 2 * 24e3, 2 * 22e3])) / (1 + i)
    compliance[:3, :3] -= 0.3 / 70e3 / (1 + i) * (1 - np.eye(3))
    return np.linalg.inv(compliance)
