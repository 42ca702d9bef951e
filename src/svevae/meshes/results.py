"""What CalculiX found in a part: the field at the last increment, and how the largest equivalent
plastic strain grew.

Stresses and plastic strains at nodes are CalculiX's, carried there from the Gauss points of each
element and averaged over the elements that meet, of one material or several.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from svevae.errors import DataError
from svevae.meshes.deck import read_pull
from svevae.meshes.frd import Increment, increments
from svevae.meshes.inp import read_inp
from svevae.meshes.mesh import Mesh
from svevae.meshes.vtu import write_vtu

PEAK = "peak PEEQ"  # heads of columns
AT = "node of the peak"
NEAR = 1e-5  # of the step, what the time of an increment may differ by: .frd files have six digits


@dataclass(frozen=True)
class Peak:
    """The largest equivalent plastic strain: `value` at a `node` in `place` (3,), and the `element`
    of those round the node that flows most; `about` says what the table of the deck has of it.
    """

    value: float
    node: int
    place: np.ndarray
    element: int
    about: Mapping[str, int]

    def told(self, unit: str) -> str:
        """Say it to people; `unit` is that of the mesh."""
        if self.value == 0:
            return "no plastic strain yet"
        place = ", ".join(f"{one:.4g}" for one in self.place)
        about = ", ".join(f"{name} {number}" for name, number in self.about.items())
        return (
            f"largest equivalent plastic strain {self.value:.3%} at node {self.node} ({place}"
            f" {unit}), element {self.element}{f' ({about})' if about else ''}"
        )


@dataclass(frozen=True)
class Results:
    """What a .frd file has of a deck with a step of tension: the `last` increment on the `mesh`,
    and for each increment (increment,) its `displacement` in the `unit` of the mesh, the largest
    equivalent plastic strain `peaks`, and the number of its node, in `at`. `axis` (0, 1, 2) is that
    of the tension. `table` is that of the elements (deck .csv), in the order of the mesh, without a
    column where there is none; `damage` says what is wrong with the file behind the last increment.
    """

    mesh: Mesh
    table: pd.DataFrame
    last: Increment
    displacement: np.ndarray
    peaks: np.ndarray
    at: np.ndarray
    unit: str = "mm"
    axis: int = 2
    damage: str | None = None

    def field(self, name: str) -> np.ndarray:
        """A field at the last increment, (node, component) in the order of the mesh; NaN at nodes
        that no element has.
        """
        values = self.last.fields[name]
        order = np.argsort(self.last.nodes, kind="stable")
        near = np.searchsorted(self.last.nodes, self.mesh.numbers, sorter=order)
        rows = order[near.clip(0, len(order) - 1)]
        there = self.last.nodes[rows] == self.mesh.numbers
        return np.where(there[:, None], values[rows], np.nan)

    @property
    def von_mises(self) -> np.ndarray:
        """Von Mises stress [MPa] of the averaged stress at the last increment, (node,)."""
        xx, yy, zz, xy, yz, zx = self.field("STRESS").T
        square = ((xx - yy) ** 2 + (yy - zz) ** 2 + (zz - xx) ** 2) / 2
        return np.sqrt(square + 3 * (xy**2 + yz**2 + zx**2))

    @property
    def peak(self) -> Peak:
        """Where the plastic strain is largest at the last increment."""
        node = int(self.at[-1])
        plastic = self.field("PE")[:, 0]
        best, element = -np.inf, 0
        for block in self.mesh.blocks:
            here = np.flatnonzero((block.nodes == node).any(axis=1))
            if len(here):
                means = plastic[self.mesh.rows(block.nodes[here])].mean(axis=1)
                k = int(np.argmax(means))
                if means[k] > best:
                    best, element = float(means[k]), int(block.numbers[here[k]])
        about = {}
        for column, name in (("sve", "SVE"), ("material", "material")):
            if column in self.table:
                about[name] = int(self.table[column].iloc[self._row(element)])
        place = self.mesh.points[self.mesh.rows(np.array([node]))[0]]
        return Peak(float(self.peaks[-1]), node, place, element, about)

    def columns(self, displacement: np.ndarray) -> dict[str, np.ndarray]:
        """Columns for a table whose rows are at these displacements, empty where the file has no
        such increment.
        """
        apart = np.abs(displacement[:, None] - self.displacement)
        nearest = apart.argmin(axis=1)
        known = apart.min(axis=1) <= NEAR * max(displacement[-1], self.displacement[-1])
        at = self.at[nearest].astype(object)
        at[~known | (self.peaks[nearest] == 0)] = None
        return {PEAK: np.where(known, self.peaks[nearest], np.nan), AT: at}

    def write(self, path: Path) -> None:
        """Write a .vtu file, whole or not at all: the last increment at the nodes, the table of
        elements, and the numbers of both.
        """
        fields = {
            f"displacement [{self.unit}]": self.field("DISP"),
            "stress [MPa]": self.field("STRESS"),
            "von Mises stress [MPa]": self.von_mises,
            "PEEQ": self.field("PE")[:, 0],
        }
        columns = {str(name): self.table[name].to_numpy() for name in self.table}
        write_vtu(path, self.mesh, columns, fields)

    def _row(self, element: int) -> int:
        return int(np.flatnonzero(self.mesh.elements == element)[0])


def read_results(deck: Path) -> Results:
    """The results beside a deck that CalculiX ran. A file that is damaged or cut off gives what was
    reached; DataError where that is nothing, see `svevae.meshes.frd.increments`.
    """
    path, damage = deck.with_suffix(".frd"), None
    if not path.is_file():
        raise DataError(f"{path}: expected what CalculiX writes of a deck, received none")
    step, mesh = read_pull(deck), read_inp(deck)
    kept: Increment | None = None
    time, peaks, at = [], [], []
    try:
        for one in increments(path):
            plastic = one.fields["PE"][:, 0]
            if np.isnan(plastic).any():
                raise DataError(f"{path}: increment {one.number}: expected numbers, received NaN")
            kept, k = one, int(np.argmax(plastic))
            time.append(one.time)
            peaks.append(float(plastic[k]))
            at.append(int(one.nodes[k]))
    except DataError as error:
        damage = str(error)
    if kept is None:
        raise DataError(damage or f"{path}: expected increments, received none")
    return Results(
        mesh,
        _elements(deck.with_suffix(".csv"), mesh),
        kept,
        np.array(time) * abs(float(step["displacement"])),
        np.array(peaks),
        np.array(at),
        str(step["unit"]),
        int(step["axis"]),
        damage,
    )


def _elements(path: Path, mesh: Mesh) -> pd.DataFrame:
    """The numbers of a table of elements, in the order of the mesh; no columns where there is no
    such table, or where it is not of these elements.
    """
    none = pd.DataFrame(index=mesh.elements)
    try:
        table = pd.read_csv(path, index_col="element")
    except (OSError, ValueError):
        return none
    if not table.index.is_unique or not np.isin(mesh.elements, table.index).all():
        return none
    own = table.loc[mesh.elements].select_dtypes("number")
    return own.drop(columns=[name for name in own if str(name)[:3] in ("x [", "y [", "z [")])
