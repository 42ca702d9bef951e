"""A mesh whose elements have properties, on a page of `svevae explore`: what is shown of it, the
SVEs of its elements, and its deck.
"""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from shlex import quote

import numpy as np

from svevae.errors import DataError
from svevae.explore.mesh_faces import Faces
from svevae.meshes.bins import Curves
from svevae.meshes.mesh import Mesh
from svevae.meshes.vtu import write_vtu
from svevae.parts.fields import column_head
from svevae.use.mesh_options import MeshOptions
from svevae.use.mesh_places import Places
from svevae.use.mesh_sample import Sample
from svevae.use.on_mesh import Scanned, deck_of, say_pull

Pores = Callable[[int], tuple[np.ndarray | None, np.ndarray]]  # of an SVE: latent or None, voxels


@dataclass(frozen=True)
class Filled:
    """A mesh whose elements have properties: `values` (element,) by name.

    `summary`, `boxes` and `said` tell people what it is, where, and how it was read; `notes` warn
    them. `pores` are those of an SVE, `title` is the first line of a deck, `held` the bytes of what
    the pores are from.
    """

    mesh: Mesh
    faces: Faces
    part: Scanned | Sample
    curves: Curves
    places: Places
    chosen: MeshOptions
    values: dict[str, np.ndarray]
    summary: str
    boxes: tuple[str, ...]
    notes: tuple[str, ...]
    said: tuple[str, ...]
    pores: Pores
    title: str
    held: int

    @property
    def centres(self) -> np.ndarray:
        """Centroids of the elements, (element, 3)."""
        return self.places.centres

    @cached_property
    def box(self) -> tuple[np.ndarray, np.ndarray]:
        """The lowest and the highest corner of the elements."""
        return box_of(self.mesh)

    @property
    def nbytes(self) -> int:
        """Bytes of what is held for it, roughly."""
        values = sum(value.nbytes for value in self.values.values())
        weights = self.places.weights
        points = self.places.points
        places = [weights.data, weights.indices, weights.indptr, points.at, points.element]
        places += [points.volume, self.centres, self.curves.stress]
        return self.held + self.faces.nbytes + values + sum(array.nbytes for array in places)

    def sve(self, number: int) -> tuple[str, np.ndarray | None, np.ndarray]:
        """The SVE that element `number` has most of: its name, its latent vector where it has one
        of its own, its voxels. Raises DataError for a number that no element has.
        """
        [row] = np.flatnonzero(self.mesh.elements == number)[:1].tolist() or [None]
        if row is None:
            raise DataError(f"{self.chosen.mesh}: expected an element of it, received {number}")
        sve = int(self.places.sves[row])
        place = ", ".join(str(int(k)) for k in np.unravel_index(sve, self.part.grid.shape))
        shape = " x ".join(map(str, self.part.grid.shape))
        title = f"SVE ({place}) of {shape}, round element {number} of {self.chosen.mesh}"
        return title, *self.pores(sve)

    def deck(self, pull: str | None, hold: str | None, percent: float | None) -> tuple[bytes, str]:
        """A zip file with the deck (.inp), its table (.csv) and .vtu file, and what people should
        know of it. Without `pull` it has no step. Raises DataError for faces between which none can
        be pulled.
        """
        chosen = self.chosen
        if pull is not None:
            if percent is None or not 0 < percent <= 100:
                received = "none" if percent is None else f"{percent:g} %"
                raise DataError(f"expected a strain above 0 %, at most 100 %, received {received}")
            chosen = replace(chosen, pull=pull, hold=hold, strain=percent / 100)
        made = deck_of(self.mesh, self.part, self.curves, self.places, chosen)
        name = f"{chosen.mesh.stem}-part"
        packed = io.BytesIO()
        with tempfile.TemporaryDirectory(prefix="svevae-") as folder:
            target = Path(folder) / f"{name}.inp"
            made.write(target, self.title)
            made.write_table(target.with_suffix(".csv"))
            columns = {column_head(name): one for name, one in made.columns.items()}
            write_vtu(target.with_suffix(".vtu"), made.mesh, columns)
            with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
                for path in sorted(Path(folder).iterdir()):
                    archive.write(path, path.name)
        lines = [
            f"{name}.inp: {made.summary}",
            *(one for one in made.remarks if one not in self.notes),
            *self.part.grid.tilt(made.pull),
        ]
        if made.pull is None:
            lines.append("no step: include one of your own, or choose faces to pull and to hold")
        else:
            lines.append(f"{say_pull(made.pull, chosen)}; next: svevae run {quote(name + '.inp')}")
        return packed.getvalue(), "\n".join(lines)


def box_of(mesh: Mesh) -> tuple[np.ndarray, np.ndarray]:
    """The lowest and the highest corner of the elements."""
    points = mesh.points[mesh.rows(mesh.used())]
    return points.min(axis=0), points.max(axis=0)
