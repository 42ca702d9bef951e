"""Digests that say which data a model has seen and was judged on."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from svevae.errors import DataError, blaming
from svevae.yaml_text import parse_yaml

BLOCK = 1 << 20


def dataset_digest(path: Path) -> str:
    """Name the data as DVC does: by the md5 in the .dvc file of `path` or of a folder above it,
    else by the md5 of the file itself.

    Raises ConfigError where a .dvc file is no YAML, DataError where it has no md5.
    """
    for tracked in (path, *path.parents):
        pointer = tracked.with_name(f"{tracked.name}.dvc") if tracked.name else None
        if pointer is not None and pointer.is_file():
            with blaming(f"{pointer}: "):
                found = parse_yaml(pointer.read_bytes())
            try:
                return found["outs"][0]["md5"]
            except (KeyError, TypeError, IndexError) as error:
                raise DataError(
                    f"{pointer}: expected the md5 of {tracked} under outs, received something else"
                ) from error
    return file_md5(path)


def file_md5(path: Path) -> str:
    """md5 of a file's bytes."""
    digest = hashlib.md5(usedforsecurity=False)
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def content_digest(voxels: np.ndarray, properties: np.ndarray) -> str:
    """md5 of SVEs and their labels, however a file packs them; (sve, n, n, n) of 0 and 1, (sve,
    property) float32.
    """
    digest = hashlib.md5(np.packbits(voxels.astype(bool)).tobytes(), usedforsecurity=False)
    digest.update(np.asarray(properties, np.float32).tobytes())
    return digest.hexdigest()


def text_md5(text: str) -> str:
    """md5 of a text in UTF-8."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
