"""Raw voxels, and VGStudio's header for them, laid out as the headers that VGStudio writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from svevae.errors import DataError
from svevae.scans.volume import read_volume, volumes_in, voxel_edges
from tests.scans.readers.volumes import GREYS, STACK


def test_a_header_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "scan.raw"
    path.write_bytes(bytes(100) + STACK.tobytes())
    volume = read_volume(path, STACK.shape, "uint16", skip=100)
    np.testing.assert_array_equal(volume, GREYS)
    with pytest.raises(
        DataError,
        match=r"scan\.raw: expected 420 bytes, 7 x 6 x 5 of uint16, received 520 bytes, 100 more;"
        r" leave out a header of that many by --skip-header 100$",
    ):
        read_volume(path, STACK.shape, "uint16")
    for kind, size in (("uint16", 4), ("uint8", 8)):
        path.write_bytes(bytes(size * STACK.size))
        with pytest.raises(
            DataError, match=rf"more; that is {size} bytes a voxel: is --dtype {kind} right\?$"
        ):
            read_volume(path, STACK.shape, kind)
    path.write_bytes(bytes(100) + STACK.tobytes())
    with pytest.raises(DataError, match=r"after the 101 of its header received 419 bytes$"):
        read_volume(path, STACK.shape, "uint16", skip=101)


def vgi(path: Path, skip: int = 0, **changes: str) -> Path:
    """VGStudio shows 16 bits of what the file holds as floats: two datatypes in one header."""
    said = {
        "Size": "5 6 7",
        "Name": f"C:\\data\\{path.stem}.vol",
        "Datatype": "float",
        "datarange": "0 -1",
        "BitsPerElement": "32",
        "SkipHeader": str(skip),
        "FileFormat": "raw",
    } | changes
    lines = "\n".join(f"{key} = {value}" for key, value in said.items())
    path.write_text(
        "{volume1}\n[representation]\nsize = 5 6 7\ndatatype = unsigned integer\n"
        f"bitsperelement = 16\n[file1]\n{lines}\n"
        "{volumeprimitive12}\n[geometry]\nresolution = 0.1271 0.1271 0.05\nunit = mm\n",
        encoding="utf-8",
    )
    return path


@pytest.mark.parametrize("skip", [0, 64])
@pytest.mark.parametrize(
    ("datatype", "bits", "dtype"),
    [("float", 32, "f4"), ("unsigned integer", 8, "u1"), ("signed integer", 16, "i2")],
)
def test_vgstudio(tmp_path: Path, skip: int, datatype: str, bits: int, dtype: str) -> None:
    path = vgi(tmp_path / "scan.vgi", skip, Datatype=datatype, BitsPerElement=str(bits))
    (tmp_path / "scan.vol").write_bytes(bytes(skip) + STACK.astype(dtype).tobytes())
    volume = read_volume(path)
    assert isinstance(volume, np.memmap)
    np.testing.assert_array_equal(volume, GREYS.astype(dtype))
    assert voxel_edges(path) == (127.1, 127.1, 50)
    assert volumes_in(tmp_path) == [path]
    with pytest.raises(DataError, match=r"scan\.vol: a raw file .*; scan\.vgi beside it says it"):
        read_volume(tmp_path / "scan.vol")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, r"scan\.vgi: expected the voxels in scan\.vol beside it, found nothing"),
        (
            {"Datatype": "colour"},
            r"scan\.vgi: \[file1\]: expected .* received 5 x 6 x 7, 'colour', 32",
        ),
        ({"FileFormat": "gzip"}, r"scan\.vgi: \[file1\]: expected .* and 'gzip'"),
        ({"Size": "5 6"}, r"scan\.vgi: \[file1\]: expected three sizes"),
        (
            {"BitsPerElement": "many"},
            r"scan\.vgi: expected a \.vgi file of VGStudio, cannot be read",
        ),
    ],
)
def test_faults_of_a_vgi(tmp_path: Path, changes: dict[str, str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_volume(vgi(tmp_path / "scan.vgi", **changes))
