"""NRRD, MetaImage and NIfTI, written by their own libraries, in SimpleITK's axes: its array
is (z, y, x), its spacing x, y, z in millimetres.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel
import nrrd
import numpy as np
import pytest
import SimpleITK

from svevae.errors import DataError
from svevae.scans.volume import notes_of, read_volume, volumes_in, voxel_edges
from tests.scans.readers.volumes import GREYS, STACK


def image(spacing: tuple[float, ...] = (0.01, 0.02, 0.03)) -> SimpleITK.Image:
    made = SimpleITK.GetImageFromArray(STACK)
    made.SetSpacing(spacing)
    return made


@pytest.mark.parametrize("suffix", ["nrrd", "nhdr", "mha", "mhd", "nii", "nii.gz"])
@pytest.mark.parametrize("packed", [False, True])
def test_what_simpleitk_writes(tmp_path: Path, suffix: str, packed: bool) -> None:
    path = tmp_path / f"scan.{suffix}"
    SimpleITK.WriteImage(image(), str(path), packed)
    np.testing.assert_array_equal(read_volume(path), GREYS)
    assert voxel_edges(path) == (10, 20, 30)
    assert voxel_edges(path, axes="xyz") == (30, 20, 10)
    assert volumes_in(tmp_path) == [path]  # a detached file of voxels is no volume of its own


@pytest.mark.parametrize("suffix", ["nrrd", "nhdr"])
def test_what_pynrrd_writes(tmp_path: Path, suffix: str) -> None:
    """Its array is (x, y, z). A unit that it states is taken; none and no spacing is none."""
    path = tmp_path / f"scan.{suffix}"
    nrrd.write(str(path), GREYS, {"spacings": [3, 4, 5], "units": ["um"] * 3})
    np.testing.assert_array_equal(read_volume(path), GREYS)
    assert voxel_edges(path) == (3, 4, 5)
    nrrd.write(str(path), GREYS)
    assert voxel_edges(path) is None
    turned = {
        "space dimension": 3,
        "space directions": 7 * np.eye(3)[[1, 0, 2]],
        "space units": ["um"] * 3,
    }
    nrrd.write(str(path), GREYS, turned)
    np.testing.assert_array_equal(read_volume(path), GREYS)
    assert voxel_edges(path) == (7, 7, 7)
    assert "not turned by the direction cosines 0 1 0; 1 0 0; 0 0 1" in notes_of(path)[0]


@pytest.mark.parametrize(("unit", "edge"), [("micron", 5), ("mm", 5000), ("unknown", None)])
def test_what_nibabel_writes(tmp_path: Path, unit: str, edge: float | None) -> None:
    """NIfTI states its unit; a spacing of 1 without one says nothing."""
    path = tmp_path / "scan.nii.gz"
    made = nibabel.Nifti1Image(GREYS, np.diag([5, 5, 5, 1]) if edge else np.eye(4))
    made.header.set_xyzt_units(unit)
    nibabel.save(made, path)
    np.testing.assert_array_equal(read_volume(path), GREYS)
    assert voxel_edges(path) == (None if edge is None else (edge,) * 3)
    assert notes_of(path)  # +x of NIfTI is to the right, of ITK to the left


def test_the_unit_of_a_metaimage_is_said(tmp_path: Path) -> None:
    path = tmp_path / "scan.mhd"
    SimpleITK.WriteImage(image((3.0, 3.0, 3.0)), str(path))
    assert voxel_edges(path) == (3000, 3000, 3000)
    assert notes_of(path) == ("no unit in the header: its spacing is taken in millimetres",)
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text.replace("ElementSpacing", "DistanceUnits = um\nElementSpacing"), encoding="utf-8"
    )
    assert (voxel_edges(path), notes_of(path)) == ((3, 3, 3), ())


def test_a_fourth_axis_of_one(tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(GREYS[..., None], np.eye(4)), tmp_path / "one.nii")
    np.testing.assert_array_equal(read_volume(tmp_path / "one.nii"), GREYS)
    two = np.stack([GREYS, GREYS], -1)
    nibabel.save(nibabel.Nifti1Image(two, np.eye(4)), tmp_path / "two.nii")
    with pytest.raises(DataError, match=r"two\.nii: expected a volume .* \(2, 7, 6, 5\): several"):
        read_volume(tmp_path / "two.nii")
    SimpleITK.WriteImage(SimpleITK.Compose(image(), image()), str(tmp_path / "rgb.nrrd"))
    with pytest.raises(DataError, match=r"rgb\.nrrd: .* received vector of 16-bit unsigned"):
        read_volume(tmp_path / "rgb.nrrd")


@pytest.mark.parametrize("suffix", ["nrrd", "nhdr", "mha", "mhd", "nii", "nii.gz"])
@pytest.mark.parametrize("share", [0, 0.2, 0.7])
def test_cut_files(tmp_path: Path, suffix: str, share: float, capfd) -> None:
    """The message names the file, and nothing is printed."""
    path = tmp_path / f"scan.{suffix}"
    SimpleITK.WriteImage(image(), str(path))
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(DataError, match=rf"scan\.{suffix}: expected ") as error:
        read_volume(path)
    assert len(str(error.value)) < 2000
    assert capfd.readouterr() == ("", "")


def test_voxels_stand_beside_their_header(tmp_path: Path) -> None:
    SimpleITK.WriteImage(image(), str(tmp_path / "scan.mhd"))
    text = (tmp_path / "scan.mhd").read_text(encoding="utf-8")
    (tmp_path / "scan.raw").unlink()
    with pytest.raises(DataError, match=r"mhd: expected the voxels in scan\.raw beside it, found"):
        read_volume(tmp_path / "scan.mhd")
    (tmp_path / "scan.mhd").write_text(text.replace("scan.raw", "../scan.raw"), encoding="utf-8")
    with pytest.raises(
        DataError, match=r"mhd: expected voxels in a file beside it, received '\.\."
    ):
        read_volume(tmp_path / "scan.mhd")


@pytest.mark.parametrize("suffix", ["mhd", "nhdr"])
def test_voxels_in_a_list_of_files(tmp_path: Path, suffix: str) -> None:
    """A header may name a file for each slice; a pattern of names is refused."""
    path = tmp_path / f"scan.{suffix}"
    SimpleITK.WriteImage(image(), str(path))
    (tmp_path / "scan.raw").unlink()
    for i, layer in enumerate(STACK):
        (tmp_path / f"s{i}.raw").write_bytes(layer.tobytes())
    names = "\n".join(f"s{i}.raw" for i in range(len(STACK)))
    key = "ElementDataFile = " if suffix == "mhd" else "data file: "
    head = path.read_text(encoding="utf-8").partition(key)[0]
    path.write_text(
        f"{head}{key}LIST 2{'D' if suffix == 'mhd' else ''}\n{names}\n", encoding="utf-8"
    )
    np.testing.assert_array_equal(read_volume(path), GREYS)
    assert volumes_in(tmp_path) == [path]
    path.write_text(f"{head}{key}s%d.raw 0 6 1\n", encoding="utf-8")
    with pytest.raises(
        DataError, match=rf"scan\.{suffix}: expected the names of its files of voxel"
    ):
        read_volume(path)


def test_a_size_beyond_what_the_file_holds(tmp_path: Path) -> None:
    """1 kB of gzip unpacks to 1 MB at most."""
    header = nibabel.Nifti1Image(GREYS, np.eye(4)).header
    header.set_data_shape((2000, 2000, 2000))
    (tmp_path / "big.nii.gz").write_bytes(gzip.compress(header.binaryblock + bytes(1000)))
    with pytest.raises(
        DataError, match=r"big\.nii\.gz: .* 2000 x 2000 x 2000 of uint16, 16000000000"
    ):
        read_volume(tmp_path / "big.nii.gz")


@pytest.mark.parametrize("suffix", ["nrrd", "nhdr", "mha", "mhd", "nii"])
def test_unpacked_voxels_are_memory_mapped(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"scan.{suffix}"
    SimpleITK.WriteImage(image(), str(path))
    volume = read_volume(path)
    assert isinstance(volume, np.memmap)
    np.testing.assert_array_equal(volume, GREYS)


def test_big_endian_and_scaled_voxels(tmp_path: Path) -> None:
    """Memory-mapped or not, the numbers are those that ITK and nibabel read."""
    nrrd.write(str(tmp_path / "big.nrrd"), GREYS.astype(">u2"), {"encoding": "raw"})
    np.testing.assert_array_equal(read_volume(tmp_path / "big.nrrd"), GREYS)
    header = nibabel.Nifti1Header(endianness=">")
    nibabel.save(nibabel.Nifti1Image(GREYS.astype(">u2"), np.eye(4), header), tmp_path / "big.nii")
    np.testing.assert_array_equal(read_volume(tmp_path / "big.nii"), GREYS)
    scaled = nibabel.Nifti1Image(GREYS.astype(np.int16), np.eye(4))
    scaled.header.set_slope_inter(2, 1)
    nibabel.save(scaled, tmp_path / "scaled.nii")
    theirs = nibabel.load(tmp_path / "scaled.nii").get_fdata()
    np.testing.assert_array_equal(read_volume(tmp_path / "scaled.nii"), theirs)


def test_packed_voxels_that_are_cut_off(tmp_path: Path) -> None:
    """ITK's own reason is that there is no such file."""
    path = tmp_path / "scan.mha"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(STACK), str(path), useCompression=True)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(
        DataError,
        match=r"scan\.mha: expected a MetaImage file, cannot be read: voxels of 420 bytes are"
        r" expected, 3\d\d are there$",
    ):
        read_volume(path)


@pytest.mark.parametrize("suffix", [".mha", ".mhd", ".nrrd", ".nii.gz"])
def test_a_flipped_bit_of_packed_voxels_is_told(tmp_path: Path, suffix: str) -> None:
    """Wherever it is: the checksum of zlib or gzip, which MetaIO does not look at, knows."""
    random = np.random.default_rng(0)
    greys = random.integers(0, 200, (9, 8, 7), np.uint8)
    path = tmp_path / f"scan{suffix}"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(greys), str(path), useCompression=True)
    stored = path.with_suffix(".zraw") if suffix == ".mhd" else path
    whole = stored.read_bytes()
    np.testing.assert_array_equal(read_volume(path), greys.T)
    start = {".mha": whole.find(b"LOCAL\n") + 6, ".nrrd": whole.find(b"\n\n") + 12}.get(suffix, 10)
    said = []
    for place in [start, len(whole) - 1, *random.integers(start, len(whole), 6)]:
        flipped = bytearray(whole)
        flipped[place] ^= 1 << random.integers(8)
        stored.write_bytes(flipped)
        try:  # a few bits of deflate mean nothing
            np.testing.assert_array_equal(read_volume(path), greys.T)
        except DataError as error:
            said.append(str(error))
    assert len(said) >= 6
    assert not [message for message in said if "ImageIO" in message]


def test_voxels_packed_in_several_members(tmp_path: Path) -> None:
    """As bgzip packs; and with something behind them."""
    greys = np.arange(9 * 8 * 7, dtype=np.uint8).reshape(9, 8, 7)
    head = "NRRD0004\ntype: uint8\ndimension: 3\nsizes: 7 8 9\nencoding: gzip\n\n"
    pieces = [gzip.compress(greys[:4].tobytes()), gzip.compress(greys[4:].tobytes())]
    path = tmp_path / "scan.nrrd"
    for behind in (b"", b"end"):
        path.write_bytes(head.encode() + b"".join(pieces) + behind)
        np.testing.assert_array_equal(read_volume(path), greys.T)
    path.write_bytes(head.encode() + pieces[0])
    with pytest.raises(DataError, match="voxels of 504 bytes are expected, 224 are there"):
        read_volume(path)
    path.write_bytes(head.encode() + gzip.compress(greys.tobytes() + b"more"))
    with pytest.raises(DataError, match="voxels of 504 bytes are expected, received more"):
        read_volume(path)
