"""HDF5 files opened, in one place: whatever is wrong with one, the error names it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import h5py

from svevae.errors import DataError, SvevaeError, elsewhere

# What h5py raises of damaged files, of filters that are not installed and of sizes beyond memory.
UNREADABLE = (OSError, RuntimeError, ValueError, TypeError, LookupError, OverflowError, MemoryError)
HEAP = b"GCOL\x01\0\0\0"  # signature and version of a global heap collection
PIECE = 1 << 24  # bytes read at a time


@contextmanager
def reading(path: str | Path, known: bool = False) -> Iterator[h5py.File]:
    """The file at `path`, open to read; its structure is not looked through where it is `known` to
    be sound.

    What h5py raises while the context lasts becomes a DataError that names the file; keep the
    context short, so that this holds of nothing else. Raises DataError also where there is no file,
    another program writes it, or it is no HDF5 file.
    """
    path = Path(path)
    if not path.is_file():
        found = "a folder" if path.is_dir() else elsewhere(path) or "nothing"
        raise DataError(f"{path}: expected an HDF5 file, found {found}")
    file = _opened(path)
    try:
        with file:
            if not known:
                _check_structure(file)
            yield file
    except SvevaeError:
        raise
    except UNREADABLE as error:
        raise DataError(f"{path}: cannot be read, {_cause(error, path)}") from error


def _check_structure(file: h5py.File) -> None:
    """Raises DataError where the file is damaged in a way that the HDF5 library reads without end
    or crashes of. Reads what the file has beside the values of its datasets.
    """
    size = os.path.getsize(file.filename)
    _check_heaps(file, sorted(_spans(file, size)), size)


def _spans(file: h5py.File, size: int) -> list[tuple[int, int]]:
    """Where the values of datasets begin and end in the file, of `size` bytes.

    Raises DataError for a chunk without bytes, beyond the end, or in the place of another.
    """
    spans: list[tuple[int, int]] = []

    def look(name: str, item: h5py.HLObject) -> None:
        if not isinstance(item, h5py.Dataset) or not item.shape:
            return
        if item.chunks:
            places: set[tuple[int, ...]] = set()

            def chunk(found: h5py.h5d.StoreInfo) -> None:
                stop = found.byte_offset + found.size
                if not found.byte_offset < stop <= size or found.chunk_offset in places:
                    raise DataError(
                        f"{file.filename}: cannot be read, damaged: {name}: expected chunks, each"
                        f" once, within {size} bytes, received one of {found.size} bytes at byte"
                        f" {found.byte_offset} for {found.chunk_offset}"
                    )
                places.add(found.chunk_offset)
                spans.append((found.byte_offset, stop))

            item.id.chunk_iter(chunk)
        elif (offset := item.id.get_offset()) is not None:
            spans.append((offset, offset + item.id.get_storage_size()))

    file.visititems(look)
    return spans


def _check_heaps(file: h5py.File, spans: list[tuple[int, int]], size: int) -> None:
    """Raises DataError where a heap, which has the strings of variable length, is damaged: the HDF5
    library may read such a one without end. Heaps lie beside the `spans` of values.
    """
    start = 0
    with open(file.filename, "rb") as stream:
        for first, last in [*spans, (size, size)]:
            for place in _found(stream, HEAP, start, min(first, size)):
                _check_heap(file.filename, stream, place, size)
            start = max(start, last)


def _found(stream: BinaryIO, mark: bytes, start: int, stop: int) -> Iterator[int]:
    """Where `mark` begins between two places."""
    for begin in range(start, stop, PIECE):
        stream.seek(begin)
        piece = stream.read(min(PIECE, stop - begin) + len(mark) - 1)
        at = piece.find(mark)
        while at >= 0:
            yield begin + at
            at = piece.find(mark, at + 1)


def _check_heap(name: str, stream: BinaryIO, place: int, size: int) -> None:
    """Walk the objects of a global heap collection, as section III.E of the HDF5 File Format
    Specification, version 3.0, has them: index 2, references 2, reserved 4, size 8 bytes, and the
    data, filled up to 8; index 0 is the space that is left, whose size counts its head.
    """
    stream.seek(place + len(HEAP))
    length = int.from_bytes(stream.read(8), "little")
    if not 16 <= length <= size - place:
        return  # no heap, or one that the library refuses
    stream.seek(place)
    heap, at = stream.read(length), 16
    while at + 16 <= length:
        index = int.from_bytes(heap[at : at + 2], "little")
        held = int.from_bytes(heap[at + 8 : at + 16], "little")
        step = 16 + (held + 7) // 8 * 8 if index else held
        if step < 16:
            raise DataError(
                f"{name}: cannot be read, damaged: expected a heap of strings at byte {place},"
                f" received an object without a size at byte {place + at}"
            )
        at += step


def _opened(path: Path) -> h5py.File:
    try:
        return h5py.File(path, "r")
    except BlockingIOError as error:
        raise DataError(
            f"{path}: expected a file that nobody writes, received one that another program has"
            " open; close it there"
        ) from error
    except PermissionError as error:
        raise DataError(f"{path}: expected a file that may be read, {error.strerror}") from error
    except UNREADABLE as error:
        if "truncated" in str(error):
            received = f"a truncated one ({_first_line(error)})"
        elif path.suffix.lower() in (".h5", ".hdf5"):
            received = f"something else ({_first_line(error)})"
        else:
            received = "something else; `svevae import` makes SVE files of volumes and tables"
        raise DataError(f"{path}: expected an HDF5 file, received {received}") from error


def _cause(error: BaseException, path: Path) -> str:
    """Why reading the file at `path` failed, in words."""
    said = _first_line(error)
    # HDF5 opens a folder to look for a filter, whose name another library may have set
    if any(sign in said for sign in ("required filter", "plugin", "can't open directory")):
        missing = ", ".join(_missing_filters(path)) or said
        return f"it is packed by an HDF5 filter that is not installed here: {missing}"
    return f"damaged or truncated: {said}"


def _missing_filters(path: Path) -> list[str]:
    """Which datasets are packed by what this HDF5 library has not, as "voxels: filter 32008"; the
    numbers are registered at https://github.com/HDFGroup/hdf5_plugins.
    """
    missing: list[str] = []

    def look(name: str, item: h5py.HLObject) -> None:
        if isinstance(item, h5py.Dataset):
            packing = item.id.get_create_plist()
            for number in range(packing.get_nfilters()):
                code = packing.get_filter(number)[0]
                if not h5py.h5z.filter_avail(code):
                    missing.append(f"{name}: filter {code}")

    with suppress(*UNREADABLE), h5py.File(path, "r") as file:
        file.visititems(look)
    return missing


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:300]
