"""What an SVE file holds, written into the file itself, so that a lost, renamed or altered dataset
or attribute is found later.

The root attribute `contents` has a line for each dataset and attribute: its name, type, shape and
a digest of its values. `content_digest` is the digest of these lines. Digests depend on the values
alone, not on chunks, compression, byte order or the width of strings. Attributes that somebody
adds later are no fault.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

from svevae.words import some

CONTENTS, DIGEST = "contents", "content_digest"
SLAB = 1 << 26  # bytes read at a time


def row_slabs(item: h5py.Dataset) -> Iterator[slice]:
    """Slices of rows that cover `item`, of about 64 MB each and in whole chunks of the file."""
    count = len(item)
    rows = max(1, SLAB // max(1, item.nbytes // max(1, count)))
    if item.chunks:
        rows = max(item.chunks[0], rows // item.chunks[0] * item.chunks[0])
    for start in range(0, count, rows):
        yield slice(start, min(start + rows, count))


class Digest:
    """Digest of a dataset, fed by slabs of rows."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=16)

    def update(self, values: np.ndarray) -> None:
        """Take the next rows, in C order and little-endian."""
        if values.dtype.kind == "O":
            self._hash.update(repr(_plain(values)).encode("utf-8", "surrogateescape"))
        else:
            little = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
            self._hash.update(little.tobytes() if little.ndim == 0 else little.data)

    def text(self) -> str:
        return self._hash.hexdigest()


def item_digest(item: h5py.Dataset) -> str:
    """Digest of a dataset; of /voxels that of the bits, as `pack` gives them."""
    digest = Digest()
    if item.shape:
        for slab in row_slabs(item):
            rows = item[slab]
            digest.update(pack(rows) if item.name == "/voxels" else rows)
    elif item.shape is not None:
        digest.update(np.asarray(item[()]))
    return digest.text()


def pack(voxels: np.ndarray) -> np.ndarray:
    """One bit a voxel: (sve, n, n, n) of 0 and 1 -> (sve, bytes) uint8."""
    flat = voxels.reshape(len(voxels), -1)
    return np.packbits(flat if flat.dtype == np.uint8 else flat != 0, axis=1)


def seal(file: h5py.File) -> None:
    """Write `contents` and `content_digest` of what is in the file now."""
    lines = [f"{key} {value}" for key, value in sorted(_described(file, digests=True).items())]
    # of fixed width: texts of any length lie in a heap of the file, where damage leads astray
    file.attrs[CONTENTS] = np.array([line.encode("utf-8", "surrogateescape") for line in lines])
    file.attrs[DIGEST] = np.bytes_(_text_digest(lines))


def content_digest_of(file: h5py.File) -> str | None:
    """`content_digest` as the file says it; None in a file without."""
    value = _plain(file.attrs[DIGEST]) if DIGEST in file.attrs else None
    return value if isinstance(value, str) else None


def seal_problems(file: h5py.File, voxels: str | None = None) -> list[str]:
    """In what the file differs from the contents written into it, in words; nothing in a file
    without them.

    With the digest of /voxels all datasets are compared; without it, at opening, those of up to
    64 MB, and /voxels only by its type and shape.
    """
    if CONTENTS not in file.attrs and DIGEST not in file.attrs:
        return []
    lines = _plain(file.attrs[CONTENTS]) if CONTENTS in file.attrs else None
    if not isinstance(lines, list) or _text_digest(lines) != content_digest_of(file):
        return [f"the attributes `{CONTENTS}` and `{DIGEST}` do not fit together: damaged"]
    wanted = {key: " ".join(words) for key, *words in (str(line).rsplit(" ", 3) for line in lines)}
    found = _described(file, digests=False)
    problems = []
    if lost := sorted(wanted.keys() - found.keys()):
        problems.append(f"expected what was written, lost or renamed: {some(lost)}")
    if added := sorted(key for key in found.keys() - wanted.keys() if "@" not in key):
        problems.append(f"expected what was written, added later: {some(added)}")
    for key in sorted(wanted.keys() & found.keys()):
        head, _, digest = wanted[key].rpartition(" ")
        if found[key].rpartition(" ")[0] != head:
            received = found[key].rpartition(" ")[0]
            problems.append(f"{key}: expected {head} as it was written, received {received}")
        elif "@" in key:
            if found[key] != wanted[key]:
                problems.append(f"{key}: the attribute is not what was written")
        else:
            item = file[key]
            if key == "/voxels":
                received = voxels or digest
            elif voxels is not None or item.nbytes <= SLAB:
                received = item_digest(item)
            else:
                continue
            if received != digest:
                problems.append(f"{key}: the values are not those that were written")
    if problems:
        problems[-1] += (
            f"; where they were changed on purpose, delete the file's attributes `{CONTENTS}` and"
            f" `{DIGEST}`"
        )
    return problems


def plain_attributes(item: h5py.File | h5py.Group | h5py.Dataset) -> dict[str, Any]:
    """The attributes without those of the seal; texts as str, single numbers as Python's."""
    return {
        key: _plain(value) if np.ndim(value) == 0 or _is_text(value) else value
        for key, value in item.attrs.items()
        if key not in (CONTENTS, DIGEST)
    }


def _is_text(value: Any) -> bool:
    return np.asarray(value).dtype.kind in "SUO"


def _plain(value: Any) -> Any:
    """Lists, str, int and float of what h5py gives, the same for each way to store them."""
    if isinstance(value, h5py.Empty):
        return None
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value


def _text_digest(lines: list[Any]) -> str:
    text = "\n".join(map(str, lines))
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).hexdigest()


def _described(file: h5py.File, digests: bool) -> dict[str, str]:
    """Type, shape and digest of each dataset (/name) and attribute (/name@attribute); digests of
    datasets only if they are asked for, else -.
    """
    found: dict[str, str] = {}

    def describe(name: str, item: Any) -> None:
        path = f"/{name}"
        if isinstance(item, h5py.Dataset):
            shape = "x".join(map(str, item.shape)) if item.shape else "scalar"
            kind = item.dtype.newbyteorder("<").str
            found[path] = f"{kind} {shape} {item_digest(item) if digests else '-'}"
        for key, value in item.attrs.items():
            if name or key not in (CONTENTS, DIGEST):
                said = _text_digest([repr(_plain(value))])
                found[f"{path}@{key}"] = f"attribute - {said}"

    describe("", file)
    file.visititems(describe)
    return found
