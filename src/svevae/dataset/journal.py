"""The journal of labels: what was solved once is never solved again, whoever asks and in whatever
order, even after `kill -9`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import numpy as np

from svevae.dataset.label_settings import LabelSettings
from svevae.dataset.seal import plain_attributes, row_slabs
from svevae.errors import DataError
from svevae.files import load_arrays, locked, save_arrays
from svevae.hdf5 import reading
from svevae.physics.alloys import laws_of

JOURNAL = Path(".checkpoints/generate")
LABEL_KEYS = ("properties", "stiffness", "residual", "load_path")


def voxel_digest(sve: np.ndarray, law: np.ndarray | None = None) -> str:
    """The name of an SVE (x, y, z) in the journal, the same for every integer type; `law` (5,) is
    its own, None for that of the journal's settings.
    """
    content = repr(np.shape(sve)).encode() + np.packbits(np.asarray(sve, bool)).tobytes()
    if law is not None:
        content += np.asarray(law, "<f8").tobytes()
    return hashlib.sha256(content).hexdigest()[:24]


def digests_of(voxels: np.ndarray, laws: np.ndarray | None, settings: LabelSettings) -> list[str]:
    """The names of SVEs (sve, x, y, z) in the journal of `settings`; `laws` is (sve, 5)."""
    if laws is None:
        return [voxel_digest(sve) for sve in voxels]
    own = (laws != laws_of(settings.material, 1)).any(axis=1)
    return [
        voxel_digest(sve, law if other else None)
        for sve, law, other in zip(voxels, laws, own, strict=True)
    ]


def alone_at(folder: Path, settings: LabelSettings, command: str) -> AbstractContextManager[None]:
    """Keep other processes from the journal of `settings` in `folder`, which would make the same
    labels. Raises DataError as `svevae.files.locked`.
    """
    return locked(folder / settings.digest() / "journal.lock", command)


class Journal:
    """Finished labels in a folder, a file for each piece of work: rows by the digest of the
    voxels.
    """

    def __init__(self, folder: Path, settings: LabelSettings):
        self.settings = settings
        self.folder = folder / settings.digest()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.rows: dict[str, dict[str, np.ndarray]] = {}
        for path in sorted(self.folder.glob("*.npz")):
            columns = load_arrays(path)
            if columns is None or "digest" not in columns:
                path.unlink()  # damaged: its SVEs are labelled again
            else:
                self.remember(columns.pop("digest"), columns)

    def adopt(self, path: Path) -> None:
        """Remember the labels of a finished file too, if they were made with the same settings."""
        if not path.is_file():
            return
        with suppress(DataError), reading(path) as file:
            if plain_attributes(file).get("label_digest") == self.folder.name:
                keys = [
                    key
                    for key in (
                        *LABEL_KEYS,
                        *(f"tension/{name}" for name in file["tension"] if name != "strain"),
                    )
                    if key in file
                ]
                laws = file["law"][:] if "law" in file else None
                for slab in row_slabs(file["voxels"]):
                    own = None if laws is None else laws[slab]
                    self.remember(
                        digests_of(file["voxels"][slab], own, self.settings),
                        {key: file[key][slab] for key in keys},
                    )

    def remember(self, digests: Iterable[str], columns: Mapping[str, np.ndarray]) -> None:
        for i, digest in enumerate(digests):
            self.rows[str(digest)] = {key: column[i] for key, column in columns.items()}

    def add(self, digests: Sequence[str], columns: Mapping[str, np.ndarray]) -> None:
        """Remember and write, whole or not at all."""
        self.remember(digests, columns)
        save_arrays(self.folder / f"{digests[0]}.npz", {**columns, "digest": np.array(digests)})

    @contextmanager
    def gathered(
        self, count: int
    ) -> Iterator[Callable[[Sequence[str], Mapping[str, np.ndarray]], None]]:
        """Give a function that remembers as `add` does, and writes once `count` SVEs have come
        together, or the block ends, by an error too.
        """
        waiting: list[str] = []

        def write() -> None:
            if waiting:
                rows = [self.rows[digest] for digest in waiting]
                self.add(waiting, {key: np.stack([row[key] for row in rows]) for key in rows[0]})
                waiting.clear()

        def keep(digests: Sequence[str], columns: Mapping[str, np.ndarray]) -> None:
            self.remember(digests, columns)
            waiting.extend(digests)
            if len(waiting) >= count:
                write()

        try:
            yield keep
        finally:
            write()
