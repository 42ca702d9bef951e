"""A file that was dropped on the page: bounded, and read without its place on disk being told."""

from __future__ import annotations

import reprlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from svevae.errors import DataError, SvevaeError
from svevae.hdf5 import reading
from svevae.scans.importers import Samples, read_samples
from svevae.scans.layouts import ImportOptions
from svevae.scans.readers import tif
from svevae.scans.unpacked import unpacked_bytes
from svevae.scans.volume import detached
from svevae.words import short

LARGEST = 128 << 20  # bytes of an uploaded file; what is larger is a thing for `svevae import`
UNPACKED = 2 << 30  # bytes that it may unpack to
HINT = "cut it by svevae import --crop, and give the file to svevae explore"


def file_name(name: str) -> str:
    """The last part of the `name` that a browser gives, never hidden or empty."""
    return Path(name.replace("\\", "/")).name.lstrip(".") or "volume"


def check_size(name: str, content: bytes, hint: str = HINT) -> None:
    """Raises DataError, with a hint, for a file of more than `LARGEST` bytes."""
    if len(content) > LARGEST:
        received = f"received {len(content) >> 20}"
        raise DataError(f"{name}: expected at most {LARGEST >> 20} MB, {received}; {hint}")


@contextmanager
def on_disk(name: str, content: bytes, noun: str = "volume") -> Iterator[Path]:
    """The path of a file, given as name and bytes, in a folder of its own while the context lasts.

    Whatever reading it raises becomes a DataError that names the file as the user does.
    """
    with tempfile.TemporaryDirectory(prefix="svevae-") as folder:
        path = Path(folder) / name
        try:
            path.write_bytes(content)
            yield path
        except SvevaeError as error:
            raise DataError(plain(str(error), path)) from error
        except Exception as error:  # of a stranger's file any library may raise anything
            raise DataError(
                f"{reprlib.repr(name)}: expected a {noun}, cannot be read:"
                f" {reprlib.repr(plain(str(error), path))}"
            ) from error


def plain(text: str, path: Path) -> str:
    """A text without the folder of `path`."""
    folder = str(path.parent)
    return text.replace(f"{folder}/", "").replace(folder, "")


def read_upload(name: str, content: bytes, options: ImportOptions, unpacked: int) -> Samples:
    """The SVEs cut from a volume, given as a file's name and bytes. Raises DataError, which names
    the file as the user does, for what is no volume, too small, or claims to unpack to more than
    `unpacked` bytes.
    """
    with on_disk(name, content) as path:
        check_alone(path)
        check_unpacked(path, unpacked)
        found = read_samples([path], options)
        found.report = plain(found.report, path)
    return found


def check_alone(path: Path, noun: str = "volume") -> None:
    """Raises DataError for a file that names another one for what it lacks: those of this machine
    are not the user's.
    """
    others: list[str] = []
    if h5py.is_hdf5(path):
        others = _elsewhere(path)
    elif path.suffix.lower() in tif.SUFFIXES:
        others = [one.name for one in tif.files_of(path) if one != path]
    elif noun == "volume":
        others = detached(path)
    if others:
        raise DataError(
            f"{path}: expected all of the {noun} in this file, received one that needs another,"
            f" {short(others[0])!r}"
        )


def _elsewhere(path: Path) -> list[str]:
    """What of an HDF5 file is a link into other files, or has its values there."""
    found: list[str] = []

    def look(name: str, link: Any) -> None:
        item = file[name] if isinstance(link, h5py.HardLink) else None
        values = isinstance(item, h5py.Dataset) and (item.external or item.is_virtual)
        if values or isinstance(link, h5py.ExternalLink):
            found.append(name)

    with reading(path) as file:
        file.visititems_links(look)
    return found


def check_unpacked(path: Path, most: int) -> None:
    """Raises DataError for a volume whose headers claim more than `most` bytes."""
    if (claimed := unpacked_bytes(path)) > most:
        raise DataError(
            f"{path}: expected a volume of at most {most / 2**30:.3g} GiB, received one that"
            f" unpacks to {claimed / 2**30:.3g} GiB; cut it by svevae import --crop, or raise"
            " --upload-limit"
        )
