"""Folders of slices: one pattern of names, each number once, none missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import tifffile

from svevae.errors import DataError
from svevae.scans.volume import read_volume
from tests.scans.readers.volumes import GREYS, STACK


def save(folder: Path, name: Callable[[int], str] = "s{:02d}.tif".format) -> Path:
    folder.mkdir(exist_ok=True)
    for i, layer in enumerate(STACK):
        path = folder / name(i)
        if path.suffix == ".png":
            PIL.Image.fromarray(layer).save(path)
        else:
            tifffile.imwrite(path, layer)
    return folder


@pytest.mark.parametrize(
    "name",
    [
        lambda i: f"s{i}.tif",
        lambda i: f"scan2_{100 - 0 + 10 * i}_v3.tif",
        lambda i: f"{i:04d}_z{0.5 * i:.1f}mm.png",
        lambda i: f"slice_{i}_of_7.TIF",
    ],
)
def test_names_that_count_the_slices(tmp_path: Path, name: Callable[[int], str]) -> None:
    np.testing.assert_array_equal(read_volume(save(tmp_path / "scan", name)), GREYS)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "s{:02d}.png",
            r"names of one pattern, received s#\.png \(7 files, s00\.png\), s#\.tif \(7",
        ),
        ("s{:02d}_mask.tif", r"received s#\.tif \(7 files, s00\.tif\), s#_mask\.tif \(7 files"),
        ("after_{:02d}.tif", r"received after_#\.tif \(7 files, .*\), s#\.tif \(7 files"),
    ],
)
def test_two_kinds_of_files(tmp_path: Path, name: str, message: str) -> None:
    save(save(tmp_path / "scan"), name.format)
    with pytest.raises(DataError, match=rf"scan: expected the slices of one volume, .*{message}"):
        read_volume(tmp_path / "scan")


def test_a_copied_slice_and_two_scans(tmp_path: Path) -> None:
    folder = save(tmp_path / "scan")
    tifffile.imwrite(folder / "s03 (1).tif", STACK[3])
    with pytest.raises(
        DataError, match=r"scan: .* received .*, s# \(#\)\.tif \(1 file, s03 \(1\)\.tif\)"
    ):
        read_volume(folder)
    folder = save(save(tmp_path / "two", "a1_{:02d}.tif".format), "a2_{:02d}.tif".format)
    with pytest.raises(
        DataError,
        match=r"two: expected one slice for each number, received a1_00\.tif, a2_00\.tif: several",
    ):
        read_volume(folder)


def test_a_missing_slice(tmp_path: Path) -> None:
    folder = save(tmp_path / "scan")
    (folder / "s04.tif").unlink()
    with pytest.raises(
        DataError, match=r"scan: expected slices .* received none of number 4 after s03\.tif$"
    ):
        read_volume(folder)


def test_labels_of_a_palette(tmp_path: Path) -> None:
    """Both colours are equally bright; the indices are the labels, as of a tif."""
    labels = (STACK[0] % 2).astype(np.uint8)
    for i in range(2):
        picture = PIL.Image.frombytes("P", (5, 6), labels.tobytes())
        picture.putpalette([0, 0, 255, 255, 0, 0])
        picture.save(tmp_path / f"s{i}.png")
    np.testing.assert_array_equal(read_volume(tmp_path), np.stack([labels, labels]).T)


def test_large_slices(tmp_path: Path) -> None:
    """Above the size at which Pillow warns, 89 million pixels: a large slice is no fault."""
    PIL.Image.new("L", (10000, 9000), 7).save(tmp_path / "s.png")
    volume = read_volume(tmp_path)
    assert (volume.shape, volume.min(), volume.max()) == ((10000, 9000, 1), 7, 7)


def test_a_header_beyond_what_the_file_holds(tmp_path: Path) -> None:
    import struct
    import zlib

    PIL.Image.fromarray(STACK[0]).save(tmp_path / "s.png")
    data = bytearray((tmp_path / "s.png").read_bytes())
    data[16:24] = struct.pack(">II", 20000, 20000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    (tmp_path / "s.png").write_bytes(data)
    with pytest.raises(DataError, match=r"s\.png: expected at most the .* 20000 x 20000 of uint8"):
        read_volume(tmp_path)


def test_slices_of_one_bit(tmp_path: Path) -> None:
    """Pillow's bool has 255 for True: they are 0 and 1 all the same, and 1 is the pore."""
    bits = GREYS.T % 3 == 0
    for i, layer in enumerate(bits):
        PIL.Image.fromarray(layer).save(tmp_path / f"s{i}.png")
    assert set(np.unique(read_volume(tmp_path).view(np.uint8))) == {0, 1}
    np.testing.assert_array_equal(read_volume(tmp_path), bits.T)
