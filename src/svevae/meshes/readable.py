"""Files that other programs write and that meshio (5.3.5) does not read as they are, made readable:

- Nastran bulk data alone, without the lines BEGIN BULK or ENDDATA, and lines that go on without the
  blanks of the tenth field, as gmsh writes them;
- wedges of 15 nodes, whose dimension it does not know;
- MED in which some types of elements have no families, all being in none, or families no list of
  groups, as gmsh writes it of entities in none, or where names of groups have letters beyond ASCII.
"""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from svevae.hdf5 import reading
from svevae.meshes.groups import distinct

NASTRAN = (".bdf", ".fem", ".nas")
LENGTH = 80  # bytes of the name of a group


def complete() -> None:
    """Let meshio know the dimension of wedges of 15 nodes."""
    from meshio._mesh import topological_dimension

    topological_dimension.setdefault("wedge15", 3)


@contextmanager
def readable(path: Path) -> Iterator[tuple[Any, str | None]]:
    """What `meshio.read` takes in place of a path: a file or text, and the name of its format where
    that must be said. Raises DataError for a .med file that is no HDF5 file.
    """
    suffix = path.suffix.lower()
    if suffix in NASTRAN:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        lines = [one.ljust(80) if len(one) >= 72 and "," not in one else one for one in lines]
        begun, ended = (
            any(one.lstrip().startswith(words) for one in lines)
            for words in ("BEGIN BULK", "ENDDATA")
        )
        lines = [*([] if begun else ["BEGIN BULK"]), *lines, *([] if ended else ["ENDDATA"]), ""]
        yield io.StringIO("\n".join(lines)), "nastran"
    elif suffix == ".med" and not _plain(path):
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / path.name
            shutil.copyfile(path, copy)
            with h5py.File(copy, "r+") as file:
                _mend(file)
            yield copy, None
    else:
        yield path, None


def _plain(path: Path) -> bool:
    """Whether meshio reads the families of a MED file."""
    with reading(path) as file:
        types = list(_types(file))
        whole = len({"FAM" in one for one in types}) < 2 and "FAS" in file
        bare = any("GRO" not in one for one in _families(file))
        return whole and not bare and not any((_bytes(one) > 127).any() for one in _names(file))


def _mend(file: h5py.File) -> None:
    """Put elements without families into family 0, of no group, leave families of no group out, and
    give groups names that .inp files may have.
    """
    for mesh in file["ENS_MAA"]:
        file.require_group(f"FAS/{mesh}")
    for family in list(_families(file)):
        if "GRO" not in family:
            del file[family.name]
    for one in _types(file):
        if "FAM" not in one:
            kind = next(each["FAM"].dtype for each in _types(file) if "FAM" in each)
            one["FAM"] = np.zeros(int(one["NOD"].attrs["NBR"]), kind)
    texts = [
        [bytes(row).decode("utf-8", "replace").rstrip("\0 ") for row in _bytes(names)]
        for names in _names(file)
    ]
    plain = distinct(one for own in texts for one in own)
    for names, own in zip(_names(file), texts, strict=True):
        ascii_ = [plain[one].encode()[:LENGTH].ljust(LENGTH, b"\0") for one in own]
        rows = [np.frombuffer(one, np.int8) for one in ascii_]
        names[...] = np.array(rows).reshape(-1, LENGTH)


def _types(file: h5py.File) -> Iterator[h5py.Group]:
    """The types of elements of all meshes."""
    found: list[h5py.Group] = []
    for mesh in file["ENS_MAA"].values():
        for step in (mesh, *mesh.values()):
            if isinstance(step, h5py.Group) and "MAI" in step:
                found += step["MAI"].values()
    yield from found


def _families(file: h5py.File) -> Iterator[h5py.Group]:
    """The families of nodes and of elements, of all meshes."""
    for mesh in file["FAS"].values() if "FAS" in file else ():
        for kind in ("NOEUD", "ELEME"):
            if kind in mesh:
                yield from mesh[kind].values()


def _names(file: h5py.File) -> Iterator[h5py.Dataset]:
    """The names of the groups of each family."""
    yield from (one["GRO/NOM"] for one in _families(file) if "GRO/NOM" in one)


def _bytes(names: h5py.Dataset) -> np.ndarray:
    return np.asarray(names[()]).view(np.uint8).reshape(-1, LENGTH)
