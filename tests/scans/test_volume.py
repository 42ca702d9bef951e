"""Volumes from every format, the same voxels at the same place; and cropped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import PIL.Image
import pytest
import SimpleITK
import tifffile

from svevae.errors import DataError
from svevae.scans.layouts import ImportOptions, find_sources
from svevae.scans.volume import Lengths, crop, read_volume, volumes_in, voxel_size

SHAPE = (5, 6, 7)
# (x, y, z), every voxel its own value
GREYS = np.arange(np.prod(SHAPE), dtype=np.uint16).reshape(SHAPE)
STACK = np.ascontiguousarray(GREYS.T)  # (slice, row, column), as an image program has it


def save_slices(folder: Path, suffix: str) -> Path:
    """Slices 0.tif to 10.tif and so on: by text 10 would come before 2."""
    folder.mkdir()
    for i, image in enumerate(STACK):
        path = folder / f"scan_{5 * i}{suffix}"
        PIL.Image.fromarray(image).save(path) if suffix == ".png" else tifffile.imwrite(path, image)
    (folder / "notes.txt").write_text("not a slice", encoding="utf-8")
    return folder


def save_hdf5(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        file["scan/greys"] = GREYS
        file["scan/angles"] = np.arange(4)
    return path


def save(path: Path) -> Path:
    """`GREYS` in the format of the suffix."""
    writers: dict[str, Callable[[], object]] = {
        ".npy": lambda: np.save(path, GREYS),
        ".npz": lambda: np.savez(path, scan=GREYS),
        ".tif": lambda: tifffile.imwrite(path, STACK, photometric="minisblack"),
        ".tiff": lambda: tifffile.imwrite(
            path, STACK, photometric="minisblack", compression="zlib"
        ),
        ".raw": lambda: STACK.astype(">u2").tofile(path),
        ".h5": lambda: save_hdf5(path),
        ".slices": lambda: save_slices(path, ".tif"),
        ".pngs": lambda: save_slices(path, ".png"),
    }
    writers[path.suffix]()
    return path


@pytest.mark.parametrize(
    "suffix", [".npy", ".npz", ".tif", ".tiff", ".raw", ".h5", ".slices", ".pngs"]
)
def test_every_format_gives_the_same_voxels(tmp_path: Path, suffix: str) -> None:
    raw = {"shape": STACK.shape, "dtype": ">u2"} if suffix == ".raw" else {}
    np.testing.assert_array_equal(read_volume(save(tmp_path / f"scan{suffix}"), **raw), GREYS)


def test_imagej_and_paged_tifs(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "imagej.tif", STACK, imagej=True)
    with tifffile.TiffWriter(tmp_path / "pages.tif") as file:
        for image in STACK:
            file.write(image, contiguous=False, metadata=None)
    for name in ("imagej.tif", "pages.tif"):
        np.testing.assert_array_equal(read_volume(tmp_path / name), GREYS)


@pytest.mark.parametrize("suffix", [".npy", ".tif", ".raw"])
def test_big_formats_are_memory_mapped(tmp_path: Path, suffix: str) -> None:
    raw = {"shape": STACK.shape, "dtype": ">u2"} if suffix == ".raw" else {}
    assert isinstance(read_volume(save(tmp_path / f"scan{suffix}"), **raw), np.memmap)


@pytest.mark.parametrize("axes", ["xyz", "zyx", "yzx", "zxy"])
def test_axes_say_what_the_axes_of_a_file_mean(tmp_path: Path, axes: str) -> None:
    """A file whose axes are `axes`, slowest first, gives (x, y, z)."""
    np.save(tmp_path / "scan.npy", GREYS.transpose(["xyz".index(axis) for axis in axes]))
    np.testing.assert_array_equal(read_volume(tmp_path / "scan.npy", axes=axes), GREYS)


def test_a_dataset_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "two.npz", a=GREYS, b=GREYS + 1)
    np.testing.assert_array_equal(read_volume(tmp_path / "two.npz", dataset="b"), GREYS + 1)
    with pytest.raises(
        DataError,
        match=r"two\.npz: expected one array of three axes, received a \(5, 6, 7\), b \(5, 6, 7\)",
    ):
        read_volume(tmp_path / "two.npz")
    with pytest.raises(DataError, match=r"two\.npz: expected the array c, received a "):
        read_volume(tmp_path / "two.npz", dataset="c")
    tifffile.imwrite(tmp_path / "one.tif", GREYS)
    with pytest.raises(DataError, match=r"one\.tif: expected no --dataset, .* received c"):
        read_volume(tmp_path / "one.tif", dataset="c")
    with pytest.raises(
        DataError,
        match=r"scan\.h5: scan/angles: expected a volume of three axes, received shape \(4,\)",
    ):
        read_volume(save_hdf5(tmp_path / "scan.h5"), dataset="scan/angles")


def test_raw_files_need_shape_and_type_that_fit(tmp_path: Path) -> None:
    path = save(tmp_path / "scan.raw")
    with pytest.raises(
        DataError,
        match=(
            r"scan\.raw: a raw file says nothing of itself: give its --shape and --dtype, e\.g\."
            r" --shape"
        ),
    ):
        read_volume(path, shape=STACK.shape)
    with pytest.raises(
        DataError, match=r"scan\.raw: expected 210 bytes, 7 x 6 x 5 of uint8, received 420 bytes"
    ):
        read_volume(path, shape=STACK.shape, dtype="uint8")
    with pytest.raises(
        DataError,
        match=r"scan\.raw: --dtype: expected a type of numpy such as uint16 .* received 'greys'",
    ):
        read_volume(path, shape=STACK.shape, dtype="greys")


@pytest.mark.parametrize("axes", ["xy", "xyy", "zyxx", "abc"])
def test_unknown_axes(tmp_path: Path, axes: str) -> None:
    with pytest.raises(
        DataError,
        match=(
            r"scan\.npy: axes: expected an order of the letters x, y and z such as zyx, received"
            rf" '{axes}'"
        ),
    ):
        read_volume(save(tmp_path / "scan.npy"), axes=axes)


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".tif", ".h5"])
def test_files_that_are_not_what_their_name_says(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"bad{suffix}"
    path.write_text(
        "not a volume, only some text that is long enough for a header", encoding="utf-8"
    )
    said = (
        r"an HDF5 file, received" if suffix == ".h5" else rf"a .*{suffix[1:]} file, cannot be read"
    )
    with pytest.raises(DataError, match=rf"bad\{suffix}: expected {said}"):
        read_volume(path)


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".h5", ".pngs"])
def test_truncated_files(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path / f"cut{suffix}")
    file = path / "scan_10.png" if path.is_dir() else path
    file.write_bytes(file.read_bytes()[: int(0.7 * file.stat().st_size)])
    kind = file.suffix[1:] if path.is_dir() else file.suffix
    said = {
        ".h5": "an HDF5 file, received a truncated one",
    }.get(suffix, f"a {kind} file, cannot be read")
    with pytest.raises(DataError, match=rf"{file.name}: expected {said}"):
        read_volume(path)


@pytest.mark.parametrize("share", [0.3, 0.6])
@pytest.mark.parametrize(
    "options",
    [
        {"imagej": True},
        {"photometric": "minisblack"},
        {"photometric": "minisblack", "compression": "zlib"},
    ],
)
def test_a_truncated_tif_is_an_error_not_fewer_slices(
    tmp_path: Path, share: float, options: dict[str, object]
) -> None:
    path = tmp_path / "cut.tif"
    tifffile.imwrite(
        path, np.random.default_rng(0).integers(0, 65535, (20, 30, 40), np.uint16), **options
    )
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(DataError, match=r"cut\.tif: expected a tif file, cannot be read"):
        read_volume(path)


def test_what_is_no_volume(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "colour.tif", np.zeros((4, 5, 3), np.uint8), photometric="rgb")
    tifffile.imwrite(tmp_path / "slice.tif", STACK[0])
    np.save(tmp_path / "text.npy", np.full((2, 2, 2), "pore"))
    (tmp_path / "scan.step").touch()
    (tmp_path / "scan.am").touch()
    (tmp_path / "empty").mkdir()
    for name, message in {
        "colour.tif": r"colour\.tif: expected greys, received colours: axes YXS, shape \(4, 5, 3\);"
        " save greys, or one channel by itself",
        "slice.tif": r"slice\.tif: expected a volume of three axes, received shape \(6, 5\)",
        "text.npy": r"text\.npy: expected numbers, received <U4",
        "scan.am": r"scan\.am: expected a format that is read here, .* Amira .* as \.tif or",
        "scan.step": r"scan\.step: expected a folder of slices or a file \.tif, .* received \.step",
        "nothing.tif": r"nothing\.tif: expected a volume, found nothing",
        "empty": r"empty: expected slices, files \.tif, \.tiff, \.png, found none",
    }.items():
        with pytest.raises(DataError, match=message):
            read_volume(tmp_path / name)


def test_slices_have_one_shape_and_no_colours(tmp_path: Path) -> None:
    folder = save_slices(tmp_path / "scan", ".png")
    PIL.Image.fromarray(STACK[0, :3]).save(folder / "scan_10.png")
    with pytest.raises(
        DataError,
        match=(
            r"scan_10\.png: expected a slice like scan_0\.png, 6 x 5 of uint16, received 3 x 5 of"
            r" uint16"
        ),
    ):
        read_volume(folder)
    PIL.Image.new("RGB", (5, 6)).save(folder / "scan_0.png")
    with pytest.raises(
        DataError, match=r"scan_0\.png: expected a slice of greys, received shape \(6, 5, 3\); save"
    ):
        read_volume(folder)
    (folder / "scan_0.png").write_text("no picture", encoding="utf-8")
    with pytest.raises(DataError, match=r"scan_0\.png: expected a png file, cannot be read"):
        read_volume(folder)


def test_voxel_size_from_imagej_and_ome(tmp_path: Path) -> None:
    tenth = {"resolution": (0.1, 0.1), "metadata": {"spacing": 10.0, "unit": "um", "axes": "ZYX"}}
    tifffile.imwrite(tmp_path / "imagej.tif", STACK, imagej=True, **tenth)
    sizes = {f"PhysicalSize{axis}": 0.0035 for axis in "XYZ"} | {
        f"PhysicalSize{axis}Unit": "mm" for axis in "XYZ"
    }
    tifffile.imwrite(
        tmp_path / "ome.ome.tif", STACK, photometric="minisblack", metadata={"axes": "ZYX", **sizes}
    )
    tifffile.imwrite(
        tmp_path / "plain.tif",
        STACK,
        photometric="minisblack",
        resolution=(72, 72),
        resolutionunit="INCH",
    )
    assert voxel_size(tmp_path / "imagej.tif") == 10
    assert voxel_size(tmp_path / "ome.ome.tif") == 3.5
    assert voxel_size(tmp_path / "plain.tif") is None
    assert voxel_size(save(tmp_path / "scan.npy")) is None
    tenth["metadata"]["spacing"] = 20.0
    tifffile.imwrite(tmp_path / "flat.tif", STACK, imagej=True, **tenth)
    with pytest.raises(
        DataError,
        match=(
            r"flat\.tif: expected voxels that are cubes, received 10 x 10 x 20 um; .* the right"
            r" --voxel-size$"
        ),
    ):
        voxel_size(tmp_path / "flat.tif")


def test_crop_to_a_box() -> None:
    np.testing.assert_array_equal(crop(GREYS, ((1, 4), (None, 2), (3, None))), GREYS[1:4, :2, 3:])
    for span in ((0, 8), (4, 4), (5, 2), (-1, 3)):
        with pytest.raises(
            DataError,
            match=(
                rf"--crop along z: expected 0 <= start < stop <= 7, received {span[0]} to {span[1]}"
            ),
        ):
            crop(GREYS, ((0, 5), (0, 6), span))


def test_a_folder_of_volumes_has_no_detached_voxels(tmp_path: Path) -> None:
    """Headers and their files of voxels are one volume each; sub-folders of slices too."""
    image = SimpleITK.GetImageFromArray(STACK)
    for name in ("a.mhd", "b.nhdr", "c.nii.gz"):
        SimpleITK.WriteImage(image, str(tmp_path / name))
    save(tmp_path / "d.slices")
    save(tmp_path / "e.npy")
    (tmp_path / "notes.txt").touch()
    volumes = volumes_in(tmp_path)
    assert [path.name for path in volumes] == ["a.mhd", "b.nhdr", "c.nii.gz", "d.slices", "e.npy"]
    for path in volumes:
        np.testing.assert_array_equal(read_volume(path), GREYS)


def test_sources_say_what_a_header_says(tmp_path: Path) -> None:
    """Edge of a voxel, axes and notes, as `svevae import` and `svevae field` use them."""
    image = SimpleITK.GetImageFromArray(STACK)
    image.SetSpacing((0.01, 0.01, 0.01))
    image.SetDirection((0, 1, 0, 1, 0, 0, 0, 0, -1))
    SimpleITK.WriteImage(image, str(tmp_path / "scan.mha"))
    (source,) = find_sources([tmp_path / "scan.mha"], ImportOptions())
    assert (source.edges, source.axes) == ((10,), "zyx")
    assert "not turned by the direction cosines 0 1 0; 1 0 0; 0 0 -1" in source.notes[0]
    np.testing.assert_array_equal(source.samples[0].load(), GREYS)


def test_units_and_boxes_of_files_that_have_voxels(tmp_path: Path) -> None:
    """Only what VTK's images and surfaces lack is taken from people."""
    path = save(tmp_path / "scan.npy")
    with pytest.raises(DataError, match=r"scan\.npy: expected no --unit, .* \.vti, \.vtk, \.stl"):
        read_volume(path, lengths=Lengths("mm"))
    with pytest.raises(DataError, match=r"scan\.npy: expected no --box, .* \.stl, \.vtp"):
        read_volume(path, lengths=Lengths(box=(0, 0, 0, 1, 1, 1)))
