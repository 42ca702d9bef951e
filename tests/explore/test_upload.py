"""Dropped files: bounded, and named as the user names them."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

from svevae.errors import DataError
from svevae.explore import upload
from svevae.explore.upload import UNPACKED, file_name, read_upload
from svevae.scans.layouts import ImportOptions

OPTIONS = ImportOptions(size=8, labels=False)


def refused(name: str, content: bytes, unpacked: int = UNPACKED) -> str:
    with pytest.raises(DataError) as caught:
        read_upload(name, content, OPTIONS, unpacked)
    said = str(caught.value)
    assert "/tmp" not in said
    assert "svevae-" not in said
    assert len(said) < 2000
    return said


def test_what_unpacks_to_too_much_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "read_samples", None)  # else TypeError
    np.savez_compressed(tmp_path / "a.npz", np.zeros((64, 64, 64), np.uint8))
    said = refused("a.npz", (tmp_path / "a.npz").read_bytes(), 1 << 17)
    assert said.startswith("a.npz: expected a volume of at most 0.000122 GiB, received one that")
    assert "unpacks to 0.000244 GiB" in said


def test_what_unpacks_to_as_much_is_read(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((8, 8, 16), np.uint8))
    content = (tmp_path / "a.npy").read_bytes()
    assert len(read_upload("a.npy", content, OPTIONS, 1024).arrays["voxels"]) == 2
    refused("a.npy", content, 1023)


def test_a_null_dataset_is_told_in_words(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "null.h5", "w") as file:
        file["nothing"] = h5py.Empty("f4")
    said = refused("null.h5", (tmp_path / "null.h5").read_bytes())
    assert said.startswith("null.h5: ")
    assert "NoneType" not in said


@pytest.mark.parametrize("name", [f"{'a' * 300}.npy", "a\0b.npy"])
def test_a_name_that_no_file_has(name: str) -> None:
    assert "expected a volume, cannot be read" in refused(name, b"")


@pytest.mark.parametrize(
    ("given", "name"),
    [("a.tif", "a.tif"), ("../../a.tif", "a.tif"), ("C:\\b\\a.tif", "a.tif"), ("..", "volume")],
)
def test_the_name_alone_counts(given: str, name: str) -> None:
    assert file_name(given) == name


def test_what_lies_in_other_files_of_this_machine_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "read_samples", None)  # else TypeError
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["voxels"] = np.zeros((8, 8, 8), np.uint8)
    wanted = "expected all of the volume in this file, received one that needs another"
    with h5py.File(tmp_path / "link.h5", "w") as file:
        file["voxels"] = h5py.ExternalLink(str(secret), "/voxels")
    assert wanted in refused("link.h5", (tmp_path / "link.h5").read_bytes())
    layout = h5py.VirtualLayout((8, 8, 8), np.uint8)
    layout[:] = h5py.VirtualSource(str(secret), "voxels", (8, 8, 8))
    with h5py.File(tmp_path / "virtual.h5", "w") as file:
        file.create_virtual_dataset("voxels", layout)
    assert wanted in refused("virtual.h5", (tmp_path / "virtual.h5").read_bytes())
    size = "ObjectType = Image\nNDims = 3\nDimSize = 8 8 8\nElementType = MET_UCHAR\n"
    assert wanted in refused("a.mhd", f"{size}ElementDataFile = /other/voxels.raw\n".encode())
    assert wanted in refused("a.vgi", b"[file1]\nName = voxels.vol\n")


def test_a_set_of_several_tif_files_is_not_one_file(tmp_path: Path) -> None:
    uuid = '<TiffData><UUID FileName="{}">urn:uuid:1</UUID></TiffData>'
    files = "".join(uuid.format(name) for name in ("a.tif", "b.tif"))
    said = f"<OME><Image><Pixels>{files}</Pixels></Image></OME>"
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((8, 8, 8), np.uint8), description=said)
    assert "received one that needs another, 'b.tif'" in refused(
        "a.tif", (tmp_path / "a.tif").read_bytes()
    )
