"""Arrays of finished work, kept so that an interrupted command goes on: a .npz file each, whole or
not there.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from svevae.dataset.store import written_whole


def keep(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays by name, whole or not at all. Raises DataError as `written_whole`."""
    content = io.BytesIO()
    np.savez(content, **arrays)
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as beside:
        beside.write_bytes(content.getvalue())


def kept(path: Path) -> dict[str, np.ndarray] | None:
    """What `keep` wrote; None where there is nothing, or where it is damaged."""
    try:
        with (
            path.open("rb") as stream,
            np.load(stream) as file,
        ):  # numpy leaves a damaged file open that it has opened itself
            return {name: file[name] for name in file.files}
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error):
        return None
