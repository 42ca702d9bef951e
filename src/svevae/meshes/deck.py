"""A deck of a mesh whose elements have materials of their own, in the words that CalculiX and
Abaqus share: nodes, elements and sets with their numbers, a section for each material, a step of
tension.

Written here, since numbers shall be kept and CalculiX reads no field of more than 20 characters
(2.20: "ERROR reading *NODE. Card image" of the 22 that meshio writes): 13 significant digits fit.
Beyond the last point of *PLASTIC both codes keep the stress, and CalculiX cuts its increments.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from svevae.errors import DataError
from svevae.files import written_whole
from svevae.meshes.bins import Bins
from svevae.meshes.mesh import FLAT, Mesh
from svevae.words import counted

OURS = (
    "SVEVAE_"  # what names of the deck's own sets begin with; a mesh's sets called so are not kept
)
WIDTH = 16  # entries of a line, as many as Abaqus reads
LONGEST = 100  # characters of the name of a file; CalculiX reads 132 of a line
ALONG = 0.9  # of the distance of two faces, the least share along an axis
PULL = re.compile(r"\*\* svevae pull (\{.*\})$", re.MULTILINE)


@dataclass(frozen=True)
class Pull:
    """Tension along `axis` (0, 1, 2): nodes `pulled` move by `displacement`, those of `held` stay
    in their plane; both faces are free to contract in theirs, unless `clamped`. `length` is the
    distance of the two faces.

    Lengths are in `unit`. The step has `increments` of one size; CalculiX cuts them where it must.
    """

    pulled: np.ndarray
    held: np.ndarray
    axis: int
    length: float
    displacement: float
    unit: str = "mm"
    increments: int = 50
    clamped: bool = False

    @classmethod
    def between(
        cls,
        mesh: Mesh,
        pull: str,
        hold: str,
        strain: float | None = None,
        displacement: float | None = None,
        unit: str = "mm",
        increments: int = 50,
        clamped: bool = False,
    ) -> Pull:
        """Tension between two faces of a mesh, see `Mesh.face`, by a strain of their distance or by
        a displacement. Raises DataError for faces that do not lie along an axis of each other, that
        share nodes, or that are not flat enough to hold, where they would not move apart, or by
        more than their distance, and where pieces of the mesh do not reach from one to the other.
        """
        pulled, held = _face(mesh, "pull", pull), _face(mesh, "hold", hold)
        if (both := np.intersect1d(pulled, held)).size:
            raise DataError(
                f"pull {pull}, hold {hold}: expected faces without a common node, received"
                f" {both[0]} in both"
            )
        apart = np.subtract(*(mesh.points[mesh.rows(one)].mean(axis=0) for one in (pulled, held)))
        axis = int(np.argmax(np.abs(apart)))
        length = float(abs(apart[axis]))
        if length < ALONG * np.linalg.norm(apart) or length == 0:
            raise DataError(
                f"pull {pull}, hold {hold}: expected faces that lie along x, y or z of each"
                f" other, received a distance of {', '.join(f'{one:.4g}' for one in apart)}"
            )
        if displacement is not None:
            moved = displacement
            if not 0 < moved <= length:
                raise DataError(
                    f"displacement: expected a length above 0, and at most {length:.4g} {unit},"
                    f" the distance of the faces, received {moved:g}"
                )
        else:
            if strain is None or not 0 < strain <= 1:
                raise DataError(
                    "strain: expected a fraction above 0, at most 1, received"
                    f" {'none' if strain is None else f'{strain:g}'}"
                )
            moved = strain * length
        _check_bodies(mesh, pulled, held, f"pull {pull}, hold {hold}")
        moved = float(np.copysign(moved, apart[axis]))
        return cls(pulled, held, axis, length, moved, unit, increments, clamped)


def _face(mesh: Mesh, option: str, name: str) -> np.ndarray:
    try:
        return mesh.face(name)
    except DataError as error:
        raise DataError(f"{option} {error}") from error


def _check_bodies(mesh: Mesh, pulled: np.ndarray, held: np.ndarray, where: str) -> None:
    """Raises DataError unless each body, of elements that share nodes, is pulled and held: others
    would fly, and carry nothing.
    """
    body = mesh.bodies
    whole = np.intersect1d(*(body[mesh.rows(one)] for one in (pulled, held)))
    if not (loose := (body >= 0) & ~np.isin(body, whole)).any():
        return
    there = mesh.points[body >= 0]
    near = FLAT * np.ptp(there, axis=0).max()
    twice = len(there) - len(np.unique(np.round(there / near), axis=0))
    hint = f"; {counted(twice, 'node')} lie where others do: merge them" if twice else ""
    raise DataError(
        f"{where}: expected elements that connect both faces, received"
        f" {counted(len(np.unique(body[loose])), 'piece')} without nodes of both, such as that of"
        f" node {mesh.numbers[np.argmax(loose)]}{hint}"
    )


def write_deck(
    path: Path,
    mesh: Mesh,
    bins: Bins,
    which: np.ndarray,
    heading: Sequence[str] = (),
    pull: Pull | None = None,
    step: str | None = None,
) -> None:
    """Write a deck whole or not at all: `which` (element,) is the material of each element, in the
    order of `mesh.elements`. Materials without an element are left out. `step` is the name of a
    file that is included at the end.

    Sets of the mesh whose names begin with OURS are those of a deck before, and are not written.
    """
    with written_whole(path) as beside, beside.open("w", encoding="utf-8", newline="\n") as file:
        for line in _lines(mesh, bins, which, heading, pull, step):
            file.write(line + "\n")


def from_folder(file: Path, deck: Path) -> str:
    """The name of a file as a deck includes it: from the deck's folder, where codes run it. Raises
    DataError for one that CalculiX does not read.
    """
    here, there = deck.parent.resolve(), file.resolve()
    name = (os.path.relpath(there, here) if there.anchor == here.anchor else str(there)).replace(
        "\\", "/"
    )
    if len(name) > LONGEST or re.search(r"[\s,]", name):
        raise DataError(
            f"step {file}: expected a name of at most {LONGEST} characters without blanks and"
            f" commas, received {name}; put it beside {deck.name}"
        )
    return name


def read_pull(path: Path) -> dict[str, float | str]:
    """What the step of tension of a deck is: axis, length, displacement and unit. Raises DataError
    where the deck has none.
    """
    try:
        found = PULL.search(path.read_text(encoding="utf-8", errors="replace"))
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    if found is None:
        raise DataError(
            f"{path}: expected a deck with a step of tension, as `svevae field --mesh MESH --pull"
            " FACE --hold FACE` writes it"
        )
    return json.loads(found[1])


def _lines(
    mesh: Mesh,
    bins: Bins,
    which: np.ndarray,
    heading: Sequence[str],
    pull: Pull | None,
    step: str | None,
) -> Iterator[str]:
    yield "*HEADING"
    yield from (line.lstrip("*") for line in heading or ("svevae",))
    yield "*NODE"
    for number, (x, y, z) in zip(mesh.numbers.tolist(), mesh.points.tolist(), strict=True):
        yield f"{number}, {x:.13g}, {y:.13g}, {z:.13g}"
    for block in mesh.blocks:
        yield f"*ELEMENT, TYPE={block.kind}"
        for number, nodes in zip(block.numbers.tolist(), block.nodes.tolist(), strict=True):
            yield from _rows((number, *nodes))
    for word, sets in (("NSET", mesh.node_sets), ("ELSET", mesh.element_sets)):
        for name, members in sets.items():
            if members.size and not name.startswith(OURS):
                yield f"*{word}, {word}={name}"
                yield from _rows(members.tolist())
    for name, pairs in mesh.surfaces.items():
        if pairs:
            yield f"*SURFACE, NAME={name}, TYPE=ELEMENT"
            yield from (f"{members}, {face}" for members, face in pairs)
    yield from _materials(mesh.elements, bins, which)
    if pull is not None:
        yield from _step(mesh, pull)
    if step is not None:
        yield f"*INCLUDE, INPUT={step}"


def _materials(elements: np.ndarray, bins: Bins, which: np.ndarray) -> Iterator[str]:
    """A set, a material and a section for each bin that has elements, by its number from 1."""
    curves = bins.curves
    order = np.argsort(which, kind="stable")
    used, starts = np.unique(which[order], return_index=True)
    for k, members in zip(used.tolist(), np.split(elements[order], starts[1:]), strict=True):
        name = f"{OURS}{k + 1}"
        yield f"*ELSET, ELSET={name}"
        yield from _rows(np.sort(members).tolist())
        yield f"*MATERIAL, NAME={name}"
        yield "*ELASTIC"
        yield f"{curves.E[k]:.7g}, {curves.nu[k]:.7g}"
        yield "*PLASTIC"
        for stress, strain in zip(*curves.table(k, bins.slack), strict=True):
            yield f"{stress:.7g}, {strain:.7g}"
        yield f"*SOLID SECTION, ELSET={name}, MATERIAL={name}"


def _step(mesh: Mesh, pull: Pull) -> Iterator[str]:
    """Small strains, as the properties are of engineering strains. Two pins in a held face that may
    contract keep it from moving and turning in its plane, and carry nothing.

    All increments are written, 190 bytes of each node: CalculiX 2.20 has one FREQUENCY for all
    output, and that of *NODE FILE would thin out the forces of *NODE PRINT too.
    """
    along, *across = (1 + (pull.axis + k) % 3 for k in range(3))
    said = {
        "axis": pull.axis,
        "length": pull.length,
        "displacement": pull.displacement,
        "unit": pull.unit,
    }
    yield f"** svevae pull {json.dumps(said)}"
    for name, nodes in (("PULL", pull.pulled), ("HOLD", pull.held)):
        yield f"*NSET, NSET={OURS}{name}"
        yield from _rows(nodes.tolist())
    size = 1 / pull.increments
    yield f"*STEP, INC={max(10_000, 2 * pull.increments)}"
    yield "*STATIC"
    yield f"{size:.6g}, 1., {size * 1e-4:.6g}, {size:.6g}"
    yield "*BOUNDARY"
    yield f"{OURS}HOLD, {along}, {along}"
    if pull.clamped:
        yield from (f"{OURS}{name}, {dof}, {dof}" for name in ("HOLD", "PULL") for dof in across)
    else:
        one, other, turn = _pins(mesh, pull)
        yield from (f"{one}, {dof}, {dof}" for dof in across)
        yield f"{other}, {across[turn]}, {across[turn]}"
    yield f"{OURS}PULL, {along}, {along}, {pull.displacement:.13g}"
    yield f"*NODE PRINT, NSET={OURS}PULL, TOTALS=YES"
    yield "RF"
    yield "*NODE FILE"
    yield "U"
    yield "*EL FILE"
    yield "S, PEEQ"
    yield "*END STEP"


def _pins(mesh: Mesh, pull: Pull) -> tuple[int, int, int]:
    """Numbers of two nodes of the held face, its middle one and the one farthest from it, and in
    which direction across the axis, 0 or 1, the second is held so that the face does not turn.
    """
    points = mesh.points[mesh.rows(pull.held)]
    across = points[:, [(pull.axis + 1) % 3, (pull.axis + 2) % 3]]
    first = int(np.argmin(np.linalg.norm(across - across.mean(axis=0), axis=1)))
    offset = across - across[first]
    second = int(np.argmax(np.linalg.norm(offset, axis=1)))
    if not offset[second].any():
        raise DataError("hold: expected a face, received nodes in one place")
    return int(pull.held[first]), int(pull.held[second]), int(np.argmin(np.abs(offset[second])))


def _rows(entries: Iterable[int]) -> Iterator[str]:
    """Entries in lines of WIDTH; a comma at the end says that an element goes on."""
    texts = [str(one) for one in entries]
    for start in range(0, len(texts), WIDTH):
        more = "," if start + WIDTH < len(texts) else ""
        yield ", ".join(texts[start : start + WIDTH]) + more
