"""tif files as tifffile, Pillow, ImageJ and OME programs write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import tifffile

from svevae.errors import DataError
from svevae.scans.importers import read_samples
from svevae.scans.options import ImportOptions
from svevae.scans.volume import is_slices, read_volume, voxel_edges
from tests.scans.readers.volumes import GREYS, STACK


@pytest.mark.parametrize(
    "compression", ["lzw", "zstd", "zlib", "lzma", "packbits", "jpeg2000", "jpegxl", "lerc"]
)
def test_all_compressions(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "scan.tif"
    options = {"compressionargs": {"level": 0}} if compression == "jpeg2000" else {}
    options = {"compressionargs": {"lossless": True}} if compression == "jpegxl" else options
    tifffile.imwrite(path, STACK, photometric="minisblack", compression=compression, **options)
    np.testing.assert_array_equal(read_volume(path), GREYS)


def test_bilevel_slices_of_pillow(tmp_path: Path) -> None:
    """CCITT group 4: pores are 1 where the picture has them."""
    bits = GREYS.T % 3 == 0
    for i, layer in enumerate(bits):
        PIL.Image.fromarray(layer).save(tmp_path / f"s{i}.tif", compression="group4")
    np.testing.assert_array_equal(read_volume(tmp_path), bits.T)


@pytest.mark.parametrize("compressions", [(None, None), ("zlib", None), ("zlib", "lzw")])
def test_appended_slabs_are_one_volume(
    tmp_path: Path, compressions: tuple[str | None, ...]
) -> None:
    path = tmp_path / "scan.tif"
    for slab, compression in zip((STACK[:3], STACK[3:]), compressions, strict=True):
        tifffile.imwrite(path, slab, append=True, photometric="minisblack", compression=compression)
    np.testing.assert_array_equal(read_volume(path), GREYS)


@pytest.mark.parametrize("mixed", [False, True])
def test_appended_slices_are_one_volume(tmp_path: Path, mixed: bool) -> None:
    """Also where every second one is compressed."""
    path = tmp_path / "scan.tif"
    for i, layer in enumerate(STACK):
        tifffile.imwrite(
            path,
            layer,
            append=True,
            photometric="minisblack",
            compression="zlib" if mixed and i % 2 else None,
        )
    np.testing.assert_array_equal(read_volume(path), GREYS)
    assert not is_slices(tmp_path)


def test_a_thumbnail_first(tmp_path: Path) -> None:
    """One that says so is skipped; one that does not is refused by name."""
    for name, options in {"said.tif": {"subfiletype": 1}, "unsaid.tif": {}}.items():
        with tifffile.TiffWriter(tmp_path / name) as file:
            file.write(STACK[0, ::2, ::2], photometric="minisblack", **options)
            file.write(STACK, photometric="minisblack")
    np.testing.assert_array_equal(read_volume(tmp_path / "said.tif"), GREYS)
    with pytest.raises(
        DataError,
        match=r"unsaid\.tif: expected one .* 2 images: 1 of 3 x 3 of uint16, 1 of 7 x 6 x 5",
    ):
        read_volume(tmp_path / "unsaid.tif")
    tifffile.imwrite(tmp_path / "pages.tif", STACK[0, ::2, ::2], photometric="minisblack")
    for page in STACK:
        tifffile.imwrite(tmp_path / "pages.tif", page, append=True, photometric="minisblack")
    with pytest.raises(DataError, match=r"8 images: 1 of 3 x 3 of uint16, 7 of 6 x 5 of uint16;"):
        read_volume(tmp_path / "pages.tif")


def test_parts_of_two_types(tmp_path: Path) -> None:
    path = tmp_path / "scan.tif"
    for slab in (STACK[:3], STACK[3:].astype(np.float32)):
        tifffile.imwrite(path, slab, append=True, photometric="minisblack")
    with pytest.raises(DataError, match=r"received 2 images: .* of uint16, .* of float32; write"):
        read_volume(path)


def test_one_channel_and_several(tmp_path: Path) -> None:
    five = STACK[None, :, None]
    tifffile.imwrite(tmp_path / "one.ome.tif", five, metadata={"axes": "TZCYX"})
    np.testing.assert_array_equal(read_volume(tmp_path / "one.ome.tif"), GREYS)
    two = np.stack([STACK, STACK], 1)
    tifffile.imwrite(tmp_path / "two.tif", two, imagej=True, metadata={"axes": "ZCYX"})
    with pytest.raises(
        DataError, match=r"two\.tif: .* received shape \(7, 2, 6, 5\): several chan"
    ):
        read_volume(tmp_path / "two.tif")


def save_ome_set(folder: Path, order: list[int]) -> Path:
    """A file for each slice, each with the metadata of all; the slice at height i is in the file
    `order[i]`.
    """
    folder.mkdir()
    files = "".join(
        f'<TiffData FirstZ="{i}" IFD="0" PlaneCount="1"><UUID FileName="z{number}.ome.tif">'
        f"urn:uuid:{number}</UUID></TiffData>"
        for i, number in enumerate(order)
    )
    for i, number in enumerate(order):
        xml = (
            '<?xml version="1.0" encoding="UTF-8"?><OME'
            ' xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"'
            f' UUID="urn:uuid:{number}"><Image ID="Image:0"><Pixels ID="Pixels:0"'
            ' DimensionOrder="XYZCT" Type="uint16" SizeX="5" SizeY="6" SizeZ="7" SizeC="1"'
            ' SizeT="1" PhysicalSizeX="4" PhysicalSizeY="4" PhysicalSizeZ="4"><Channel'
            f' ID="Channel:0:0" SamplesPerPixel="1"/>{files}</Pixels></Image></OME>'
        )
        tifffile.imwrite(
            folder / f"z{number}.ome.tif",
            STACK[i],
            metadata=None,
            photometric="minisblack",
            description=xml,
        )
    return folder


def test_a_set_of_ome_tif_is_one_volume(tmp_path: Path) -> None:
    """Read once, in the order of its metadata; from the folder and from any of its files."""
    folder = save_ome_set(tmp_path / "set", [3, 2, 1, 0, 4, 5, 6])
    assert is_slices(folder)
    np.testing.assert_array_equal(read_volume(folder), GREYS)
    np.testing.assert_array_equal(read_volume(folder / "z3.ome.tif"), GREYS)
    assert voxel_edges(folder) == (4, 4, 4)
    with pytest.raises(DataError, match=r"z0\.ome\.tif, .* and 4 more: expected each file"):
        read_samples(sorted(folder.iterdir()), ImportOptions())
    tifffile.imwrite(folder / "zz.tif", STACK[0])
    with pytest.raises(DataError, match=r"set: expected the files of one OME-TIFF set, .* zz\.tif"):
        read_volume(folder)
    (folder / "zz.tif").unlink()
    (folder / "z5.ome.tif").unlink()
    with pytest.raises(DataError, match=r"expected all files of its OME-TIFF set, z5\.ome\.tif is"):
        read_volume(folder)


def test_a_file_that_says_its_voxels_are_elsewhere(tmp_path: Path) -> None:
    """tifffile would fill them with zeros, or read files of other folders."""
    for name, message in {
        "gone.tif": r"a\.tif: .* failed to read 'gone\.tif'",
        "../b.tif": r"a\.tif: expected the files of an OME-TIFF set beside each other, rec",
    }.items():
        xml = (
            '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0">'
            '<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="5" SizeY="6"'
            ' SizeZ="7" SizeC="1" SizeT="1"><TiffData FirstZ="0" IFD="0" PlaneCount="1"><UUID'
            f' FileName="{name}">urn:uuid:1</UUID></TiffData><TiffData FirstZ="1" IFD="1"'
            ' PlaneCount="6"/></Pixels></Image></OME>'
        )
        options = {"metadata": None, "photometric": "minisblack", "description": xml}
        tifffile.imwrite(tmp_path / "a.tif", STACK, **options)
        with pytest.raises(DataError, match=message):
            read_volume(tmp_path / "a.tif")


@pytest.mark.parametrize(
    ("resolution", "metadata", "edges"),
    [
        ((2, 2), {"unit": "um"}, (0.5, 0.5, 1)),  # ImageJ leaves out a spacing of 1
        ((2, 2), {"unit": "um", "spacing": -0.5}, (0.5, 0.5, 0.5)),
        ((0.1, 0.1), {"unit": "um", "spacing": 0.01, "zunit": "mm"}, (10, 10, 10)),
        ((100, 100), {"unit": "mm", "spacing": 0.01}, (10, 10, 10)),
        ((72, 72), {"unit": "inch"}, None),
        ((600, 600), {"unit": "inch"}, None),  # slices are no inch apart
        ((2540, 2540), {"unit": "inch", "spacing": 1 / 2540}, (10, 10, 10)),
        ((2, 2), {"unit": "pixel"}, None),
        ((2, 2), {}, None),
    ],
)
def test_voxels_of_imagej(
    tmp_path: Path,
    resolution: tuple[float, float],
    metadata: dict[str, object],
    edges: tuple[float, float, float] | None,
) -> None:
    path = tmp_path / "scan.tif"
    said = {"axes": "ZYX"} | metadata
    tifffile.imwrite(path, STACK, imagej=True, resolution=resolution, metadata=said)
    assert voxel_edges(path) == (edges and pytest.approx(edges))


def test_a_header_beyond_what_the_file_holds(tmp_path: Path) -> None:
    """A page of 1 GB of zeros is 1 MB of deflate at least."""
    path = tmp_path / "scan.tif"
    tifffile.imwrite(path, STACK, photometric="minisblack", compression="zlib")
    with tifffile.TiffFile(path, mode="r+") as file:
        for page in file.pages:
            page.tags["ImageWidth"].overwrite(30000)
            page.tags["ImageLength"].overwrite(30000)
            page.tags["RowsPerStrip"].overwrite(30000)
    with pytest.raises(
        DataError, match=r"scan\.tif: expected at most the .* 30000 x 30000 of uint16"
    ):
        read_volume(path)


def test_one_bit_without_compression(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "v.tif", STACK % 3 == 0, photometric="minisblack")
    np.testing.assert_array_equal(read_volume(tmp_path / "v.tif"), GREYS % 3 == 0)
