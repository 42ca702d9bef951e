"""A volume that was dropped on the page: bounded, and read without its place on disk being told."""

from __future__ import annotations

import reprlib
import tempfile
from pathlib import Path

from svevae.errors import DataError, SvevaeError
from svevae.scans.importers import Samples, read_samples
from svevae.scans.layouts import ImportOptions
from svevae.scans.unpacked import unpacked_bytes

LARGEST = 128 << 20  # bytes of an uploaded file; what is larger is a thing for `svevae import`
UNPACKED = 2 << 30  # bytes that it may unpack to


def file_name(name: str) -> str:
    """The last part of the `name` that a browser gives, never hidden or empty."""
    return Path(name.replace("\\", "/")).name.lstrip(".") or "volume"


def check_size(name: str, content: bytes) -> None:
    """Raises DataError for a file of more than `LARGEST` bytes."""
    if len(content) > LARGEST:
        received = (
            f"received {len(content) >> 20}; cut it by svevae import --crop, and give the file"
            " to svevae explore"
        )
        raise DataError(f"{name}: expected at most {LARGEST >> 20} MB, {received}")


def read_upload(name: str, content: bytes, options: ImportOptions, unpacked: int) -> Samples:
    """The SVEs cut from a volume, given as a file's name and bytes. Raises DataError, which names
    the file as the user does, for what is no volume, too small, or claims to unpack to more than
    `unpacked` bytes.
    """
    with tempfile.TemporaryDirectory(prefix="svevae-") as folder:

        def named(text: str) -> str:
            return text.replace(f"{folder}/", "").replace(folder, "")

        path = Path(folder) / name
        try:
            path.write_bytes(content)
            _check_unpacked(path, unpacked)
            found = read_samples([path], options)
        except SvevaeError as error:
            raise DataError(named(str(error))) from error
        except Exception as error:  # of a stranger's file any library may raise anything
            raise DataError(
                f"{reprlib.repr(name)}: expected a volume, cannot be read:"
                f" {reprlib.repr(named(str(error)))}"
            ) from error
        found.report = named(found.report)
    return found


def _check_unpacked(path: Path, most: int) -> None:
    if (claimed := unpacked_bytes(path)) > most:
        raise DataError(
            f"{path}: expected a volume of at most {most / 2**30:.3g} GiB, received one that"
            f" unpacks to {claimed / 2**30:.3g} GiB; cut it by svevae import --crop, or raise"
            " --upload-limit"
        )
