"""Cases of public reports: fill values, hot voxels, fields of view, masks, voxels of another shape;
imported with their right porosity or refused by name.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

from svevae.errors import DataError
from svevae.scans import cutting, importers
from svevae.scans.importers import CACHE, import_dataset, read_samples
from svevae.scans.options import ImportOptions
from svevae.scans.volumes import RULE, Volumes, source_digest, sources_of
from tests.scans.sources import imported

PORE = np.random.default_rng(0).random((16, 16, 16)) < 0.1
GREY = (np.where(PORE, 60, 200) + np.random.default_rng(1).normal(0, 5, PORE.shape)).astype("u1")
CROP = ((None, None), (None, None), (0, 16))


def padded(fill: float, dtype: str = "f4") -> np.ndarray:
    """The scan, and half as much of `fill` beyond it along z."""
    volume = np.full((16, 16, 24), fill, dtype)
    volume[:, :, :16] = GREY / 255 if dtype == "f4" else 100 * GREY.astype(dtype)
    return volume


def check_pores(file: h5py.File, report: str) -> None:
    """The SVEs of the scan, and a report that says of them what they are."""
    with file:
        count, n = file["voxels"].shape[:2]
        assert count * n**3 == PORE.size
        for sve, corner in zip(file["voxels"][:], n * file["position"][:], strict=True):
            x, y, z = (slice(start, start + n) for start in corner)
            np.testing.assert_array_equal(sve, PORE[x, y, z])
        np.testing.assert_allclose(file["porosity"][:], file["voxels"][:].mean((1, 2, 3)))
    assert f"mean {PORE.mean():.3%}" in report
    assert f"porosity {PORE.mean():.3%}: pore is" in report


@pytest.mark.parametrize("outlier", [1e6, 3e4, -1e9, np.inf])
def test_one_hot_voxel_changes_nothing_else(tmp_path: Path, outlier: float) -> None:
    """In a corner that the SVEs of 8^3 voxels leave out when it is not finite."""
    scan = padded(0)[:, :, :17]
    scan[:, :, 16], scan[0, 0, 16] = GREY[:, :, 0] / 255, outlier
    np.save(tmp_path / "hot.npy", scan)
    file, report = imported([tmp_path / "hot.npy"], tmp_path, size=8, crop=CROP)
    assert file["voxels"].shape == (8, 8, 8, 8)
    check_pores(file, report)


@pytest.mark.parametrize(
    ("fill", "dtype"), [(-1, "f4"), (np.nan, "f4"), (-3.4e38, "f4"), (-9999, "f4"), (0, "u2")]
)
@pytest.mark.parametrize(
    "options",
    [
        {"size": 8},
        {"size": 16, "crop": CROP},
        {"size": 8, "threshold": 0.5},
        {"size": 8, "given": 1},
    ],
)
def test_fill_values_are_neither_pore_nor_solid(
    tmp_path: Path, fill: float, dtype: str, options: dict[str, object]
) -> None:
    scan = padded(fill, dtype)
    np.save(tmp_path / "scan.npy", scan)
    options = dict(options)
    if options.pop("given", None):
        options["outside"] = fill
    if "threshold" in options and dtype == "u2":
        options["threshold"] = 13000.0
    file, report = imported([tmp_path / "scan.npy"], tmp_path, **options)
    check_pores(file, report)
    left_out = "SVEs left out since they touch the outside of the field of view: 4"
    assert (left_out in report) == ("crop" not in options)
    told = np.isfinite(fill) and abs(fill) < 1e30 and "outside" not in options
    assert (f"outside is the constant {fill:g} around" in report) == told


def test_a_cylinder_and_a_mask(tmp_path: Path) -> None:
    """Noise outside, which no constant tells."""
    x, y = np.meshgrid(np.arange(16) - 7.5, np.arange(16) - 7.5, indexing="ij")
    circle = np.broadcast_to((x**2 + y**2 <= 64)[..., None], GREY.shape)
    scan = np.where(circle, GREY, np.random.default_rng(2).integers(0, 255, GREY.shape))
    np.save(tmp_path / "scan.npy", scan.astype("u1"))
    np.save(tmp_path / "mask.npy", circle.astype("u2"))
    for options in ({"field_of_view": "cylinder"}, {"mask": str(tmp_path / "mask.npy")}):
        file, report = imported([tmp_path / "scan.npy"], tmp_path, size=4, **options)
        with file:
            assert {tuple(p) for p in file["position"][:, :2]} == {
                (1, 1), (1, 2), (2, 1), (2, 2)
            }  # fmt: skip
            for sve, corner in zip(file["voxels"][:], 4 * file["position"][:], strict=True):
                place = tuple(slice(start, start + 4) for start in corner)
                np.testing.assert_array_equal(sve, PORE[place])
            for key, value in options.items():
                assert file.attrs[key] == value
        assert f"porosity {PORE[circle].mean():.3%}: pore is" in report
        assert "touch the outside of the field of view: 48" in report


def test_where_no_sve_is_inside(tmp_path: Path) -> None:
    np.save(tmp_path / "scan.npy", padded(np.nan)[:, :, 8:])
    np.save(tmp_path / "none.npy", np.full((8, 8, 8), np.nan))
    np.save(tmp_path / "mask.npy", PORE[:8])
    with pytest.raises(DataError, match=r"scan.npy: expected SVEs .* received 1 SVE that touch"):
        read_samples([tmp_path / "scan.npy"], ImportOptions(size=16))
    with pytest.raises(DataError, match=r"none.npy: expected voxels inside the field of view"):
        read_samples([tmp_path / "none.npy"], ImportOptions())
    options = ImportOptions(crop=((0, 16), (0, 16), (8, 16)), size=8)
    with pytest.raises(DataError, match=r"scan.npy: --crop: expected voxels inside the field of"):
        read_samples([tmp_path / "scan.npy"], options)
    options = ImportOptions(size=8, mask=str(tmp_path / "mask.npy"))
    with pytest.raises(DataError, match=r"scan.npy: --mask: expected 16 x 16 x 16 voxels"):
        read_samples([tmp_path / "scan.npy"], options)


def test_no_pore_and_no_solid_cannot_be_overlooked(tmp_path: Path) -> None:
    np.save(tmp_path / "scan.npy", GREY)
    report = read_samples([tmp_path / "scan.npy"], ImportOptions(threshold=1.0)).report
    assert "NO PORE AT ALL: not one voxel is pore" in report
    np.save(tmp_path / "ones.npy", np.ones((4, 4, 4), "u1"))
    report = read_samples([tmp_path / "ones.npy"], ImportOptions()).report
    assert "NO SOLID AT ALL: not one voxel is solid" in report


def test_a_threshold_is_checked_on_the_crop(tmp_path: Path) -> None:
    """Bright material that the crop leaves out does not make a threshold right."""
    scan = np.concatenate([GREY, np.full_like(GREY, 250)])
    np.save(tmp_path / "scan.npy", scan)
    options = ImportOptions(threshold=230.0, crop=((0, 16), (None, None), (None, None)))
    with pytest.raises(DataError, match=r"--threshold: expected one that leaves some solid"):
        read_samples([tmp_path / "scan.npy"], options)


def write_imagej(path: Path) -> np.ndarray:
    """Voxels of 1 x 1 x 2 um; each slice across z stands for two."""
    tifffile.imwrite(
        path,
        np.ascontiguousarray(PORE[:, :, ::2].T).astype("u1"),
        imagej=True,
        resolution=(1.0, 1.0),
        metadata={"unit": "um", "spacing": 2.0, "axes": "ZYX"},
    )
    return PORE[:, :, ::2].repeat(2, axis=2)


def test_voxels_that_are_no_cubes_are_resampled_or_refused(tmp_path: Path) -> None:
    expected = write_imagej(tmp_path / "scan.tif")
    with pytest.raises(DataError, match=r"scan.tif: expected voxels that are cubes, .* --resample"):
        read_samples([tmp_path / "scan.tif"], ImportOptions(size=16))
    file, report = imported([tmp_path / "scan.tif"], tmp_path, size=16, resample=0.0)
    with file:
        np.testing.assert_array_equal(file["voxels"][0], expected)
        assert file.attrs["voxel_size_um"] == 1.0
        assert file.attrs["resample"] == 0.0
    assert "resampled from voxels of 1 x 1 x 2 um to cubes of 1 um" in report
    mask = np.ascontiguousarray(np.ones((16, 16, 8), "u1").T)
    mask[6:] = 0
    tifffile.imwrite(tmp_path / "mask.tif", mask)
    options = ImportOptions(size=4, resample=0.0, mask=str(tmp_path / "mask.tif"))
    read = read_samples([tmp_path / "scan.tif"], options)
    assert len(read.arrays["voxels"]) == 16 * 3


def test_a_kept_segmentation_is_found_again(tmp_path: Path) -> None:
    np.save(tmp_path / "scan.npy", padded(-1))
    [source] = sources_of([tmp_path / "scan.npy"], ImportOptions())
    first = Volumes(source, ImportOptions())
    rule = first.segment(tmp_path / "kept")

    def unread() -> np.ndarray:
        raise AssertionError("it is read again")

    source.samples[0] = type(source.samples[0])(source.samples[0].name, unread)
    again = Volumes(source, ImportOptions())
    assert again.segment(tmp_path / "kept") == rule
    assert again.fills == first.fills == {str(tmp_path / "scan.npy"): -1.0}
    (tmp_path / "kept" / RULE).write_text("[{}", encoding="utf-8")
    with pytest.raises(AssertionError, match="read again"):
        Volumes(source, ImportOptions()).segment(tmp_path / "kept")


def test_a_digest_changes_with_files_and_options(tmp_path: Path) -> None:
    np.save(tmp_path / "scan.npy", GREY)
    [source] = sources_of([tmp_path / "scan.npy"], ImportOptions())
    digests = [
        source_digest([source], ImportOptions()),
        source_digest([source], ImportOptions(size=4)),
    ]
    os.utime(tmp_path / "scan.npy", ns=(1, 1))
    digests.append(source_digest([source], ImportOptions()))
    assert len(set(digests)) == 3


def test_a_large_import_goes_on_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Killed by an error while it writes: what was cut is there, and is not cut again."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cutting, "LARGE", 1)
    np.save("scan.npy", GREY)
    with monkeypatch.context() as patch:
        patch.setattr(importers, "write_dataset", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            import_dataset(["scan.npy"], "out.h5", ImportOptions(size=8))
    assert list(CACHE.rglob("*-voxels.npy"))
    with monkeypatch.context() as patch:
        patch.setattr(cutting, "cut", lambda *_: 1 / 0)
        report = import_dataset(["scan.npy"], "out.h5", ImportOptions(size=8))
    check_pores(h5py.File("out.h5"), report)
    assert not list(CACHE.iterdir())


CHILD = """
import resource, sys
import numpy as np
from svevae.scans.importers import import_dataset
from svevae.scans.options import ImportOptions
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
import_dataset(["scan.raw"], "out.h5", ImportOptions(size=32, shape=(512, 512, 1024), dtype="u1"))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_memory_is_bounded(tmp_path: Path) -> None:
    """256 MiB of voxels, of which many are the same: far less than one copy of them."""
    scan = np.tile(GREY[:, :, :], (32, 32, 1)).reshape(512, 512, 16)
    with open(tmp_path / "scan.raw", "wb") as file:
        for _ in range(64):
            file.write(scan.tobytes())
    done = subprocess.run(
        [sys.executable, "-c", CHILD],
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert int(done.stdout) < 210 * 1024, "KiB"


@pytest.mark.parametrize("of_mask", [1, 255])
def test_a_mask_beside_greys_is_no_sample(tmp_path: Path, of_mask: int) -> None:
    """One threshold for both would make the mask pore all over; greys without a pore are greys."""
    random = np.random.default_rng(0)
    folder = tmp_path / "scans"
    folder.mkdir()
    pores = random.random((8, 8, 8)) < 0.1
    greys = (np.where(pores, 60, 200) + random.integers(-9, 9, pores.shape)).astype("u1")
    np.save(folder / "a.npy", greys)
    np.save(folder / "b.npy", np.full_like(greys, 200))
    got = read_samples([folder], ImportOptions())
    assert got.arrays["porosity"].tolist() == pytest.approx([pores.mean(), 0])
    np.save(folder / "b.npy", (of_mask * pores).astype("u1"))
    with pytest.raises(
        DataError,
        match=rf"b\.npy: expected greys as in the .* the two values 0 and {of_mask}: a mask",
    ):
        read_samples([folder], ImportOptions())
