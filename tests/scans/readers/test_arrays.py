"""Arrays in .npy, .npz and HDF5: the one asked for is read, and no more than the file explains."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from svevae.errors import DataError
from svevae.scans.readers import arrays
from svevae.scans.volume import arrays_of, read_array, read_volume
from tests.scans.readers.volumes import GREYS


def test_a_pickle_beside_the_volume(tmp_path: Path) -> None:
    """It is never opened: with --dataset and without, the array is read."""
    path = tmp_path / "scan.npz"
    np.savez(path, v=GREYS, info={"sample": "A"})
    np.testing.assert_array_equal(read_volume(path), GREYS)
    np.testing.assert_array_equal(read_volume(path, dataset="v"), GREYS)
    with pytest.raises(
        DataError, match=r"scan\.npz: expected the array info, received v \(5, 6, 7\)"
    ):
        read_volume(path, dataset="info")


def test_members_that_are_no_arrays(tmp_path: Path) -> None:
    path = tmp_path / "scan.npz"
    np.savez(path, v=GREYS)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("readme.txt", "greys")
    np.testing.assert_array_equal(read_volume(path), GREYS)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("w.npy", "no array")
    with pytest.raises(
        DataError, match=r"scan\.npz: expected an array in w\.npy, cannot be read: .*magic"
    ):
        read_volume(path)


def test_arrays_stay_unread(tmp_path: Path) -> None:
    """A list of volumes (sve, x, y, z) of .npy is memory-mapped; of .npz the shape is known."""
    np.save(tmp_path / "list.npy", np.stack([GREYS, GREYS]))
    assert isinstance(read_array(tmp_path / "list.npy"), np.memmap)
    with arrays_of(tmp_path / "list.npy") as arrays:
        assert {name: array.shape for name, array in arrays.items()} == {"": (2, 5, 6, 7)}
    np.savez(tmp_path / "list.npz", v=np.stack([GREYS, GREYS]))
    with arrays_of(tmp_path / "list.npz") as arrays:
        member = arrays["v"]
    assert (member.shape, member.ndim, member.dtype) == ((2, 5, 6, 7), 4, np.uint16)
    np.testing.assert_array_equal(np.asarray(member)[1], GREYS)


@pytest.mark.parametrize("shape", [(5, 6, 7, 1), (1, 5, 6, 7), (1, 5, 6, 7, 1), (5, 1, 6, 7)])
@pytest.mark.parametrize("suffix", [".npy", ".npz", ".h5"])
def test_axes_of_length_1(tmp_path: Path, shape: tuple[int, ...], suffix: str) -> None:
    """One channel or one time, as ilastik, DREAM3D and Keras store volumes."""
    path = tmp_path / f"scan{suffix}"
    array = GREYS.reshape(shape)
    if suffix == ".npy":
        np.save(path, array)
    elif suffix == ".npz":
        np.savez(path, exported_data=array)
    else:
        with h5py.File(path, "w") as file:
            file["exported_data"] = array
            file["comment"] = h5py.Empty("S9")
    np.testing.assert_array_equal(read_volume(path), GREYS)


def test_several_channels(tmp_path: Path) -> None:
    np.save(tmp_path / "rgb.npy", np.stack([GREYS] * 3, -1))
    with pytest.raises(
        DataError,
        match=r"rgb\.npy: .* received shape \(5, 6, 7, 3\): a volume with 3 channels, as colours"
        r" have; save one of them by itself, in Python array\[\.\.\., 0\]",
    ):
        read_volume(tmp_path / "rgb.npy")


def header(shape: tuple[int, ...]) -> bytes:
    stream = io.BytesIO()
    said = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, said)
    return stream.getvalue()


def test_headers_beyond_what_the_file_holds(tmp_path: Path) -> None:
    """Refused before anything is allocated: 8 GB in kilobytes, packed or not."""
    shape = (2000, 2000, 2000)
    (tmp_path / "a.npy").write_bytes(header(shape) + bytes(1000))
    with pytest.raises(
        DataError, match=r"a\.npy: expected a \.npy file, .*: truncated, its header"
    ):
        read_volume(tmp_path / "a.npy")
    for packing in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        with zipfile.ZipFile(tmp_path / "a.npz", "w", packing) as file:
            file.writestr("v.npy", header(shape) + bytes(1000))
        with pytest.raises(DataError, match=r"a\.npz: v: expected at most the \d+ bytes that its"):
            read_volume(tmp_path / "a.npz")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("v", (10**6,) * 3, "u1", chunks=(100,) * 3, compression="gzip")
        file["v"][0, 0, 0] = 1
    with pytest.raises(
        DataError, match=r"a\.h5: v: expected at most .* bytes of memory that are free"
    ):
        read_volume(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("v", shape, "u1")
    with pytest.raises(
        DataError, match=r"a\.h5: v: expected voxels, .* that nothing is written in"
    ):
        read_volume(tmp_path / "a.h5")


def test_a_header_of_numpy_that_does_not_end(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", GREYS)
    data = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(data.replace(b"}", b"("))
    with pytest.raises(DataError, match=r"a\.npy: expected a \.npy file, cannot be read"):
        read_volume(tmp_path / "a.npy")


def test_chunks_that_nothing_is_written_in(tmp_path: Path) -> None:
    """Sparse HDF5 is valid: they hold the fill value."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("v", (90, 90, 90), "u1", chunks=(10, 10, 10), compression="gzip")
        file["v"][0, 0, 0] = 1
    assert read_volume(tmp_path / "a.h5").sum() == 1


def test_a_large_array_of_hdf5_in_one_piece_is_memory_mapped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrays, "MAPPED", 1)
    volume = np.arange(60, dtype=">i2").reshape(3, 4, 5)
    for name, options in (("one.h5", {}), ("chunks.h5", {"chunks": (1, 4, 5)})):
        with h5py.File(tmp_path / name, "w") as file:
            file.create_dataset("before", data=np.arange(7))
            file.create_dataset("v", data=volume, **options)
        found = arrays.read_array(tmp_path / name, "v")
        assert isinstance(found, np.memmap) == (name == "one.h5")
        np.testing.assert_array_equal(found, volume)
