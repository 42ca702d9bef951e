"""Bytes of arrays from headers alone, against the arrays themselves."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

from svevae.errors import DataError
from svevae.scans.unpacked import unpacked_bytes

VOLUME = np.zeros((9, 10, 11), np.uint16)


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".tif", ".h5"])
def test_bytes_of_a_volume(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    if suffix == ".npy":
        np.save(path, VOLUME)
    elif suffix == ".npz":
        np.savez_compressed(path, VOLUME)
    elif suffix == ".tif":
        tifffile.imwrite(path, VOLUME, compression="zlib")
    else:
        with h5py.File(path, "w") as file:
            file.create_dataset("group/a", data=VOLUME, compression="gzip")
            file["null"] = h5py.Empty("f4")
            file["scalar"] = np.float64(1)
    header = {".npz": 128, ".h5": 8}.get(suffix, 0)
    assert unpacked_bytes(path) == VOLUME.nbytes + header


def test_the_larger_of_two_claims(tmp_path: Path) -> None:
    """numpy allocates what the header of the array says, whatever the archive says of it."""
    stream = io.BytesIO()
    claim = {"shape": (1 << 20, 1 << 20), "fortran_order": False, "descr": "<f8"}
    np.lib.format.write_array_header_1_0(stream, claim)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("a.npy", stream.getvalue())
    assert unpacked_bytes(tmp_path / "a.npz") == 8 << 40


def test_other_files_are_as_large_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "a.raw").write_bytes(bytes(7))
    assert unpacked_bytes(tmp_path / "a.raw") == 7


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.tif", "a.h5"])
def test_a_damaged_file_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"no volume")
    with pytest.raises(DataError, match=rf"{name}: expected an? "):
        unpacked_bytes(tmp_path / name)
