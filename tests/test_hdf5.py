"""HDF5 files opened: what is wrong with one is said by its name, and nothing is read without
end.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from svevae import hdf5
from svevae.errors import DataError
from svevae.hdf5 import HEAP, _cause, _spans, reading

NAMES = [str(i % 7) * (i % 5) for i in range(50)]


def write(path: Path) -> Path:
    """Strings of variable length as attributes, numbers in one piece and in chunks."""
    with h5py.File(path, "w") as file:
        file["v"] = np.arange(1000)
        file["v"].attrs["names"] = NAMES
        file.create_dataset("packed", data=np.arange(1000), chunks=(10,), compression="gzip")
        file.attrs["unit"] = "um"
    return path


def read(path: Path) -> list[str]:
    with reading(path) as file:
        return [file.attrs["unit"], *file["v"].attrs["names"]]


def test_whole_heaps_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a piece ends in the middle of a signature; what looks like a heap among numbers is
    none.
    """
    path = write(tmp_path / "a.h5")
    expected = ["um", *NAMES]
    with h5py.File(path, "r+") as file:
        file["like"] = np.frombuffer(HEAP + (4096).to_bytes(8, "little") + bytes(8192), np.uint8)
    assert read(path) == expected
    for piece in (1 << 10, 13):
        monkeypatch.setattr(hdf5, "PIECE", piece)
        assert read(path) == expected


def test_damaged_heaps_are_refused_or_read(tmp_path: Path) -> None:
    """400 seeded changes of a byte of the heaps: an error that names the file, or an end."""
    content = write(tmp_path / "a.h5").read_bytes()
    start = content.index(HEAP)
    rng, said = np.random.default_rng(0), []
    places = rng.integers(start, start + 2000, 400)
    for place, value in zip(places, rng.integers(0, 8, 400), strict=True):
        changed = bytearray(content)
        changed[place] = value
        (tmp_path / "b.h5").write_bytes(changed)
        try:
            read(tmp_path / "b.h5")
        except DataError as error:
            said.append(str(error))
    assert all(message.startswith(str(tmp_path / "b.h5")) for message in said)
    assert any("an object without a size" in message for message in said)


def test_chunks_lie_in_the_file(tmp_path: Path) -> None:
    """All of a sound file; beyond 6,000 bytes, where some of these lie, none."""
    path = write(tmp_path / "a.h5")
    with reading(path) as file:
        spans = _spans(file, path.stat().st_size)
        assert len(spans) == 101  # one piece, and 1,000 numbers by 10
        assert max(stop for _, stop in spans) > 6000
        with pytest.raises(DataError, match=r"a\.h5: cannot be read, damaged: packed: expected ch"):
            _spans(file, 6000)


def test_a_volume_is_no_sve_file_yet(tmp_path: Path) -> None:
    (tmp_path / "scan.tif").write_bytes(b"II*\0" + bytes(100))
    with (
        pytest.raises(
            DataError, match=r"scan\.tif: expected an HDF5 .*; `svevae import` makes SVE"
        ),
        reading(tmp_path / "scan.tif"),
    ):
        pass


def test_a_filter_that_is_sought_in_no_folder() -> None:
    """What HDF5 says where another library of the process has switched plugins off."""
    said = "Can't synchronously read data (can't open directory (disable). Please verify it)"
    assert _cause(OSError(said), Path("none.h5")).startswith(
        "it is packed by an HDF5 filter that is not installed"
    )
