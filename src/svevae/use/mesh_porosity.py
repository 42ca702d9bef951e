"""The porosity that a sampled part is to have: one number, a number for each element, or a function
of the distance to the surface.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from svevae.errors import DataError
from svevae.meshes.mesh import Mesh
from svevae.meshes.points import Points
from svevae.meshes.surface import distance, triangles_of
from svevae.words import counted, some

NUMBERS = "a number from 0 to 1 or DISTANCE:POROSITY,..."
FILES = ", or the name of a .csv or .npy file of element values"


@dataclass(frozen=True)
class OfElements:
    """Porosities (element,) in the order of `Mesh.elements`."""

    values: np.ndarray

    def at(self, points: Points) -> np.ndarray:
        """Porosities (point,)."""
        return self.values[points.element]


@dataclass(frozen=True)
class OfDistance:
    """Porosities (knot,) at distances (knot,) to the nearest of the `triangles` of a surface, in
    its unit; linear between, constant beyond.
    """

    distances: np.ndarray
    porosities: np.ndarray
    triangles: np.ndarray

    def at(self, points: Points) -> np.ndarray:
        """Porosities (point,)."""
        return np.interp(distance(self.triangles, points.at), self.distances, self.porosities)


Asked = float | OfElements | OfDistance


def read_porosity(text: str, mesh: Mesh) -> Asked:
    """What `--porosity` says: the mean of the part, DISTANCE:POROSITY,... from the surface of the
    mesh, or a file of the porosity of its elements: .csv with the columns element and porosity, or
    .npy in the order of the mesh. Raises DataError.
    """
    path = Path(text)
    if path.suffix.lower() in (".csv", ".npy") or path.is_file():
        return OfElements(_of_file(path, mesh))
    return typed_porosity(text, mesh, FILES)


def typed_porosity(text: str, mesh: Mesh, more: str = "") -> float | OfDistance:
    """As `read_porosity`, but for files. `more` is what else an error says was expected."""
    try:
        if ":" not in text:
            return float(_checked(np.array(float(text)), "porosity"))
        pairs = np.array([[float(one) for one in pair.split(":")] for pair in text.split(",")])
        distances, porosities = pairs.T
    except ValueError:
        raise DataError(f"porosity: expected {NUMBERS}{more}, received {text!r}") from None
    if not np.isfinite(distances).all() or (distances < 0).any() or (np.diff(distances) <= 0).any():
        raise DataError(
            "porosity: expected distances from 0 on that grow, received"
            f" {', '.join(f'{one:g}' for one in distances)}"
        )
    return OfDistance(distances, _checked(porosities, "porosity"), triangles_of(mesh))


def _of_file(path: Path, mesh: Mesh) -> np.ndarray:
    """The porosity of each element, (element,)."""
    if not path.is_file():
        raise DataError(f"porosity {path}: expected a file of element values, received none")
    count = len(mesh.elements)
    if path.suffix.lower() == ".npy":
        try:
            values = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise DataError(f"{path}: expected an array, cannot be read: {error}") from error
        if values.shape != (count,) or values.dtype.kind not in "fiu":
            raise DataError(
                f"{path}: expected a number for each of {counted(count, 'element')}, received"
                f" {values.dtype} of shape {values.shape}"
            )
        return _checked(values.astype(float), str(path))
    try:
        table = pd.read_csv(path, skipinitialspace=True)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: expected a table, cannot be read: {error}") from error
    for name in ("element", "porosity"):
        if name not in table or table[name].dtype.kind not in "fiu":
            raise DataError(
                f"{path}: expected columns of numbers called element and porosity, received"
                f" {some([str(column) for column in table.columns], 10)}"
            )
    numbers = pd.Index(table["element"])
    if twice := numbers[numbers.duplicated()].tolist():
        raise DataError(f"{path}: expected each element once, received {twice[0]} twice")
    if strange := numbers[~numbers.isin(mesh.elements)].tolist():
        raise DataError(
            f"{path}: expected elements of the mesh, received {some(list(map(str, strange)), 10)}"
        )
    if lost := mesh.elements[~np.isin(mesh.elements, numbers)].tolist():
        raise DataError(
            f"{path}: expected the porosity of each element, received none of"
            f" {some(list(map(str, lost)), 10)}"
        )
    values = table["porosity"].to_numpy(float)[numbers.get_indexer(mesh.elements)]
    return _checked(values, str(path))


def _checked(values: np.ndarray, where: str) -> np.ndarray:
    """The values, unless one is no porosity."""
    wrong = values[~((values >= 0) & (values < 1))]
    if wrong.size:
        raise DataError(f"{where}: expected porosities from 0 to 1, received {wrong.flat[0]:g}")
    return values
