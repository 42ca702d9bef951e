"""DICOM series as SimpleITK writes them, slice by slice."""

from __future__ import annotations

import locale
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from svevae.errors import DataError
from svevae.scans.volume import files_of, is_slices, read_volume, voxel_edges
from tests.scans.readers.volumes import GREYS, STACK


def save_series(folder: Path, count: int = len(STACK), series: str = "1.2.3") -> Path:
    """Slices as a DICOM exporter writes them, names in the opposite order of the positions."""
    folder.mkdir(exist_ok=True)
    writer, before = SimpleITK.ImageFileWriter(), locale.setlocale(locale.LC_ALL)
    writer.KeepOriginalImageUIDOn()
    for i, layer in enumerate(STACK[:count]):
        one = SimpleITK.GetImageFromArray(layer)
        one.SetSpacing((0.01, 0.01))
        tags = {
            "0008|0060": "CT",
            "0020|000e": series,
            "0020|000d": "1.2",
            "0008|0018": f"{series}.{i}",
            "0020|0032": f"0\\0\\{0.02 * i:.3f}",
            "0020|0037": "1\\0\\0\\0\\1\\0",
            "0020|0013": str(i),
        }
        for key, value in tags.items():
            one.SetMetaData(key, value)
        writer.SetFileName(str(folder / f"{series}-{90 - i}.dcm"))
        writer.Execute(one)
    locale.setlocale(locale.LC_ALL, before)  # the writer leaves that of C
    return folder


def test_a_dicom_series(tmp_path: Path, capfd) -> None:
    folder = save_series(tmp_path / "scan")
    assert is_slices(folder)
    assert len(files_of(folder)) == len(STACK)
    np.testing.assert_array_equal(read_volume(folder), GREYS)
    assert voxel_edges(folder) == (10, 10, 20)
    (folder / "1.2.3-87.dcm").unlink()
    with pytest.raises(
        DataError,
        match=r"scan: expected slices at one distance, 0\.02 mm, received 0\.04 mm between"
        r" 1\.2\.3-88\.dcm and 1\.2\.3-86\.dcm: a slice is missing",
    ):
        read_volume(folder)
    assert capfd.readouterr() == ("", "")


def test_two_dicom_series_in_a_folder(tmp_path: Path) -> None:
    folder = save_series(tmp_path / "scan")
    save_series(folder, 3, "1.2.4")
    with pytest.raises(
        DataError, match=r"scan: expected one DICOM series, received 1\.2\.\d.* --dat"
    ):
        read_volume(folder)
    np.testing.assert_array_equal(read_volume(folder, dataset="1.2.4"), GREYS[:, :, :3])


@pytest.mark.parametrize("share", [0.2, 0.5, 0.99])
def test_a_cut_slice_of_dicom(tmp_path: Path, share: float) -> None:
    """An error, not a volume with one slice less, or with a slice half empty."""
    folder = save_series(tmp_path / "scan")
    file = folder / f"1.2.3-{90 - len(STACK) + 1}.dcm"
    file.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])
    with pytest.raises(DataError, match=r"scan"):
        read_volume(folder)
