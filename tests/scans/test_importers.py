"""Volumes written by the test and imported: cut, cropped, made binary by one threshold, joined,
reported, with their provenance.
"""

from __future__ import annotations

import hashlib
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile

from svevae import __version__
from svevae.config import Generate, load_params
from svevae.dataset.cluster import HERE
from svevae.dataset.label_settings import label_settings
from svevae.dataset.store import describe_dataset, find_problems, open_dataset, write_dataset
from svevae.dataset.vtk import export_part
from svevae.errors import ConfigError, DataError, SolverError
from svevae.physics.label import property_names
from svevae.scans import importers
from svevae.scans.importers import Samples, import_dataset, label_samples, read_samples
from svevae.scans.options import ImportOptions
from tests.conftest import ROOT
from tests.scans.readers.surfaces import ball, save, sphere
from tests.scans.sources import COUNT, CUBES, STIFF, N, imported, write_hdf5


def grey(binary: np.ndarray, seed: int = 0) -> np.ndarray:
    """A scan of `binary`: dark pores, bright solid, noise that never mixes them."""
    return (
        np.where(binary == 1, 9000, 30000)
        + np.random.default_rng(seed).integers(-3000, 3000, binary.shape)
    ).astype(np.uint16)


def test_a_scan_is_cut_into_sves_of_one_part(tmp_path: Path) -> None:
    """13 x 14 x 19 voxels in SVEs of 6: 2 x 2 x 3, each at its position, the rest dropped."""
    binary = (np.random.default_rng(1).random((13, 14, 19)) < 0.1).astype(np.uint8)
    path, scan = tmp_path / "scan.tif", grey(binary)
    size = {"resolution": (0.1, 0.1), "metadata": {"spacing": 10.0, "unit": "um", "axes": "ZYX"}}
    tifffile.imwrite(path, np.ascontiguousarray(scan.T), imagej=True, **size)
    file, report = imported([path], tmp_path, size=6)
    with file:
        assert set(file) == {"voxels", "part_id", "porosity", "position"}
        for sve, (x, y, z) in zip(file["voxels"][:], 6 * file["position"][:], strict=True):
            np.testing.assert_array_equal(sve, binary[x : x + 6, y : y + 6, z : z + 6])
        assert set(file["part_id"][:]) == {0}
        assert {
            key: file.attrs[key]
            for key in ("voxel_size_um", "axes", "size", "svevae_version", "source", "source_files")
        } == {
            "voxel_size_um": 10.0,
            "axes": "zyx",
            "size": 6,
            "svevae_version": __version__,
            "source": str(path),
            "source_files": 1,
        }
        assert file.attrs["source_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert scan[binary == 1].max() <= file.attrs["threshold"] < scan[binary == 0].min()
        assert (
            file.attrs["segmentation"]
            == f"at or below Otsu's threshold {file.attrs['threshold']:g}"
        )
    assert "12 SVEs of 6 x 6 x 6 voxels from 1 part, voxel size 10 um" in report
    assert f"porosity {binary.mean():.3%}" in report
    assert "-5% " in report
    assert f"{1 - 12 * 216 / binary.size:.1%} of the volume lies in no SVE" in report


def test_surfaces_of_pores_are_cut_into_sves(tmp_path: Path) -> None:
    """Two spheres that overlap, in mm, in a box of 24 voxels of 10 um: porosity by their formulas,
    the place of every voxel, and where they came from.
    """
    one, two = ((-0.91, 2.05, 0.1), 0.07), ((-0.85, 2.06, 0.11), 0.06)
    path = save(tmp_path / "pores.stl", sphere(*one), sphere(*two))
    box = (-1.0, 1.95, 0.0, -0.76, 2.19, 0.24)
    options = {"size": 12, "voxel_size": 10.0, "length_unit": "mm", "box": box}
    file, report = imported([path], tmp_path, **options)
    corner = np.array(box[:3])
    exact = [ball(24, tuple((c - corner) / 0.01), r / 0.01) for c, r in (one, two)]
    with file:
        found = np.zeros((24, 24, 24), np.uint8)
        for sve, (x, y, z) in zip(file["voxels"][:], 12 * file["position"][:], strict=True):
            found[x : x + 12, y : y + 12, z : z + 12] = sve
        wanted = {"voxel_size_um": 10.0, "unit": "mm", "box": "-1 1.95 0 -0.76 2.19 0.24"}
        assert {key: file.attrs[key] for key in wanted} == wanted
    away, (big, small) = np.linalg.norm(np.subtract(one[0], two[0])), (one[1], two[1])
    lens = (
        np.pi
        * (big + small - away) ** 2
        * (away**2 + 2 * away * (big + small) - 3 * (big - small) ** 2)
        / (12 * away)
    )
    union = 4 / 3 * np.pi * (big**3 + small**3) - lens
    assert found.mean() == pytest.approx(union / 0.24**3, rel=0.02)
    assert (found != (exact[0] | exact[1])).sum() < 0.02 * found.sum()
    assert "2 closed surfaces; voxels from (-1, 1.95, 0) to (-0.76, 2.19, 0.24) mm" in report
    assert f"porosity {found.mean():.3%}" in report


@pytest.mark.parametrize("name", ["scan.npy", "scan.h5"])
def test_a_source_is_never_written_over(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    np.save(path, CUBES[0])
    path = Path(f"{path}.npy").rename(path) if name.endswith(".h5") else path
    before = path.read_bytes()
    with pytest.raises(
        DataError,
        match=(
            r"expected the name of a \.h5 file|expected another file than the source .*, which"
            r" would be lost"
        ),
    ):
        import_dataset([path], path, ImportOptions())
    (tmp_path / "old.h5").write_bytes(b"one of the folder's files")
    with pytest.raises(DataError, match=r"old\.h5: expected another file than the source"):
        import_dataset([tmp_path], tmp_path / "old.h5", ImportOptions())
    assert path.read_bytes() == before


def test_a_source_behind_a_link_is_never_written_over(tmp_path: Path) -> None:
    """A folder of links to volumes that lie elsewhere, and a link to a volume."""
    path, folder, link = (
        write_hdf5(tmp_path / "scan.h5", {"v": CUBES[0]}),
        tmp_path / "links",
        tmp_path / "link.h5",
    )
    before = path.read_bytes()
    folder.mkdir()
    for place in (folder / "a.h5", link):
        place.symlink_to(path)
    (folder / "b.h5").symlink_to(tmp_path / "nothing.h5")
    for source, output in ((folder, path), (link, path), (path, link)):
        with pytest.raises(
            DataError,
            match=(
                f"^{output}: expected another file than the source {source}, which would be lost$"
            ),
        ):
            import_dataset([source], output, ImportOptions())
    assert path.read_bytes() == before
    assert link.is_symlink()


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (".", r"\.: expected the name of a \.h5 file to write, received no suffix"),
        (
            "nowhere/a.h5",
            r"nowhere/a\.h5: not written: .* nowhere that .* to, found no folder; make it first",
        ),
        ("folder.h5", r"folder\.h5: not written: expected the name of a file, this is a folder"),
        (f"{250 * 'a'}.h5", r"a+\.h5: not written: File name too long"),
        (f"{300 * 'a'}.h5", r"a+\.h5: not written: File name too long"),
    ],
)
def test_an_output_that_cannot_be_is_refused_before_anything_is_read(
    tmp_path: Path, output: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder.h5").mkdir()
    with pytest.raises(DataError, match=f"^{message}"):
        import_dataset(["nothing.tif"], output, ImportOptions())


def test_files_are_parts_with_a_threshold_each(tmp_path: Path) -> None:
    for i, shift in enumerate((0, 25000)):
        np.save(tmp_path / f"{i}.npy", grey(CUBES[i], i) + shift)
    file, report = imported(
        [tmp_path / "0.npy", tmp_path / "1.npy"], tmp_path, size=3, stride=3, voxel_size=5.0
    )
    with file:
        np.testing.assert_array_equal(file["part_id"][:], [0] * 8 + [1] * 8)
        np.testing.assert_array_equal(file["voxels"][8], CUBES[1, :3, :3, :3])
        assert file.attrs["parts"] == f"0: {tmp_path / '0.npy'}, 1: {tmp_path / '1.npy'}"
        assert file.attrs["voxel_size_um"] == 5
        assert "threshold" not in file.attrs
    assert report.count("Otsu's threshold") == 2


def test_crop_threshold_and_raw(tmp_path: Path) -> None:
    """A raw file of (z, y, x), cropped to a part in air."""
    scan = np.full((12, 12, 12), 100, np.uint16)
    scan[3:9, 4:10, 5:11] = grey(CUBES[0])
    np.ascontiguousarray(scan.T).astype(">u2").tofile(tmp_path / "scan.vol")
    crop = ((3, 9), (4, 10), (5, 11))
    for options in ({}, {"threshold": 20000.0}):
        file, _ = imported(
            [tmp_path / "scan.vol"], tmp_path, shape=(12, 12, 12), dtype=">u2", crop=crop, **options
        )
        with file:
            np.testing.assert_array_equal(file["voxels"][0], CUBES[0])
            assert file.attrs["crop"] == "3:9 4:10 5:11"
            assert file.attrs["threshold"] == options.get("threshold", file.attrs["threshold"])


def test_the_threshold_comes_from_the_whole_scan(tmp_path: Path) -> None:
    """A part without a pore stays solid when the air around it is cropped; porosity and its
    sensitivity are those of the crop.
    """
    binary = np.ones((12, 12, 12), np.uint8)
    binary[:, :, 3:9] = 0
    binary[0, 0, 4] = 1
    np.save(tmp_path / "scan.npy", grey(binary))
    for x, porosity in ((0, 1 / 216), (6, 0)):
        file, report = imported(
            [tmp_path / "scan.npy"], tmp_path, crop=((x, x + 6), (0, 6), (3, 9))
        )
        with file:
            np.testing.assert_array_equal(file["voxels"][0], binary[x : x + 6, :6, 3:9])
        assert f"porosity {porosity:.3%}: pore is at or below Otsu's threshold" in report


def test_air_around_a_part_is_remarked(tmp_path: Path) -> None:
    np.save(tmp_path / "inverted.npy", 1 - CUBES[0])
    assert (
        "SVEs that are mostly pore: 1; leave out the air around a part with --crop,"
        " --field-of-view or --mask, or name the pores with --pores"
        in imported([tmp_path / "inverted.npy"], tmp_path)[1]
    )
    file, _ = imported([tmp_path / "inverted.npy"], tmp_path, pores=0.0)
    with file:
        np.testing.assert_array_equal(file["voxels"][0], CUBES[0])
        assert file.attrs["segmentation"] == "the value 0"


def test_sves_beside_air_are_counted(tmp_path: Path) -> None:
    """Of 3 x 3 x 3 SVEs a corner is air: the 7 around it may have a share of it."""
    scan = (np.random.default_rng(0).random((12, 12, 12)) < 0.1).astype(np.uint8)
    scan[:4, :4, :4] = 1
    np.save(tmp_path / "a.npy", scan)
    _, report = imported([tmp_path / "a.npy"], tmp_path, size=4)
    assert "SVEs that are mostly pore: 1;" in report
    assert "SVEs beside these, which may have a share of the air: 7;" in report


@pytest.mark.parametrize(
    ("options", "stride"),
    [({"size": 3}, 3), ({"size": 3, "stride": 3}, 3), ({}, N), ({"size": 3, "stride": 2}, 2)],
)
def test_a_part_is_put_together_by_the_stride(
    tmp_path: Path, options: dict[str, int], stride: int
) -> None:
    """The stride stands in the file also where nobody gave it; SVEs that overlap make no part."""
    np.save(tmp_path / "scan.npy", CUBES[0])
    file, _ = imported([tmp_path / "scan.npy"], tmp_path, **options)
    with file:
        assert file.attrs["stride"] == stride
    data, path = open_dataset(tmp_path / "imported.h5", labelled=False), tmp_path / "part.vtkhdf"
    if stride < data.n:
        with pytest.raises(
            DataError, match=r"stride: expected SVEs that fill the part, 3 voxels apart, received 2"
        ):
            export_part(data, 0, path)
        return
    export_part(data, 0, path)
    with h5py.File(path, "r") as part:
        np.testing.assert_array_equal(part["VTKHDF/CellData/pore"][:].T, CUBES[0])


def test_a_stride_without_positions_is_not_made_up(tmp_path: Path) -> None:
    write_hdf5(tmp_path / "set.h5", {"v": CUBES, "part": np.arange(COUNT) // 2})
    read = read_samples([tmp_path / "set.h5"], ImportOptions())
    assert "position" not in read.arrays
    assert "stride" not in read.attributes


def test_grey_samples_share_a_threshold(tmp_path: Path) -> None:
    """One sample is solid all through: a threshold of its own would make half of it pore."""
    folder = tmp_path / "set"
    folder.mkdir()
    for i, cube in enumerate(CUBES):
        np.save(folder / f"s{i}.npy", grey(cube * (i > 0), i))
    file, report = imported([folder], tmp_path)
    with file:
        np.testing.assert_array_equal(
            file["voxels"][:], CUBES * (np.arange(COUNT) > 0)[:, None, None, None]
        )
    assert report.count("Otsu's threshold") == 1


def test_several_files_are_joined_and_have_to_agree(tmp_path: Path) -> None:
    for i, unit in enumerate(("MPa", "MPa", "GPa")):
        write_hdf5(
            tmp_path / f"{i}.h5",
            {"v": CUBES, "E": STIFF, "part": np.arange(COUNT) // 2},
            {"E": {"units": unit}},
        )
    read = read_samples([tmp_path / "0.h5", tmp_path / "1.h5"], ImportOptions())
    np.testing.assert_array_equal(read.arrays["part_id"], [0, 0, 1, 1, 2, 3, 3, 4, 4, 5])
    np.testing.assert_array_equal(read.arrays["properties"][:, 0], np.tile(STIFF, 2))
    with pytest.raises(
        DataError, match=r"2\.h5: expected the properties and units of .*0\.h5, received E GPa"
    ):
        read_samples([tmp_path / "0.h5", tmp_path / "2.h5"], ImportOptions())


def test_sources_have_one_voxel_size(tmp_path: Path) -> None:
    for i, edge in enumerate((10.0, 20.0)):
        write_hdf5(tmp_path / f"{i}.h5", {"v": CUBES}, {"/": {"voxel_size_um": edge}})
    sources = [tmp_path / "0.h5", tmp_path / "1.h5"]
    with pytest.raises(
        DataError,
        match=r"expected one voxel size, the sources have .* um; give it with --voxel-size$",
    ):
        read_samples(sources, ImportOptions())
    assert read_samples(sources, ImportOptions(voxel_size=10.0)).attributes["voxel_size_um"] == 10


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (
            {"a": CUBES, "E": STIFF},
            {"size": 3},
            (
                r"a\[0\]: properties belong to a whole sample, .*, received 6 x 6 x 6 voxels;"
                r" --no-labels"
            ),
        ),
        (
            {"a": CUBES[..., :5]},
            {},
            (
                r"a\[0\]: expected a cube, received 6 x 6 x 5 voxels; give the --size of the SVEs"
                r" to cut from it"
            ),
        ),
        (
            {"a": CUBES},
            {"size": 7},
            (
                r"a\[0\]: expected a volume of at least one SVE of 7 x 7 x 7 voxels, received 6 x"
                r" 6 x 6"
            ),
        ),
        (
            {"a": CUBES},
            {"crop": ((0, 6), (0, 6), (2, 9))},
            r"a\[0\]: --crop along z: expected 0 <= start < stop <= 6, received 2 to 9",
        ),
    ],
)
def test_each_fault_of_cutting_is_named(
    tmp_path: Path, content: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=r"set\.h5: " + message):
        read_samples([write_hdf5(tmp_path / "set.h5", content)], ImportOptions(**options))


def test_labels_may_be_added_before_writing(tmp_path: Path) -> None:
    np.save(tmp_path / "scan.npy", CUBES[0])
    read = read_samples([tmp_path / "scan.npy"], ImportOptions(size=3))
    assert isinstance(read, Samples)
    read.arrays["properties"] = np.arange(8.0)[:, None]
    write_dataset(tmp_path / "out.h5", read.arrays, ("E_x",), ("MPa",), read.attributes)
    assert open_dataset(tmp_path / "out.h5").properties[5, 0] == 5


MOST = 12  # pores of an SVE, of which the solver here does not converge


@pytest.fixture
def section(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Generate:
    """The shipped settings of labels; without processes, and labels that count the pores."""

    def count_pores(voxels: np.ndarray, names: list[str], *_: Any) -> Any:
        assert names == [f"SVE {i}" for i in range(len(voxels))]
        pores = voxels.sum(axis=(1, 2, 3), dtype=np.float32)
        path = np.ones((len(voxels), 3), np.uint8)
        path[0, 2] = 0
        columns = len(property_names(settings.tension)[0])
        index = np.flatnonzero(pores < MOST)
        found = {"properties": np.tile(pores[:, None], columns), "load_path": path}
        errors = [SolverError(f"{names[i]}: residual 1") for i in np.flatnonzero(pores >= MOST)]
        return {key: column[index] for key, column in found.items()}, index, errors

    settings = load_params(ROOT / "params.yaml").generate
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(importers, "open_cluster", lambda _: nullcontext())
    monkeypatch.setattr(importers, "label_converged", count_pores)
    return settings


def test_samples_that_do_not_converge_are_left_out(tmp_path: Path, section: Generate) -> None:
    """One of 8: of all datasets; the file and the report say which, and why."""
    scan = CUBES[0].copy()
    scan[:3, :3, :3] = 1
    np.save(tmp_path / "scan.npy", scan)
    report = import_dataset(
        [tmp_path / "scan.npy"],
        tmp_path / "out.h5",
        ImportOptions(size=3),
        partial(label_samples, section, HERE),
    )
    assert find_problems(tmp_path / "out.h5") == []
    data = open_dataset(tmp_path / "out.h5")
    assert data.count == 7
    assert (data.voxels(np.arange(7)).sum(axis=(1, 2, 3)) < MOST).all()
    lost = "1 SVE could not be labelled and is left out:\n  SVE 0: residual 1"
    assert data.attributes["unlabelled"] == lost
    assert lost in report
    assert "  1 SVE could not be labelled and is left out" in describe_dataset(tmp_path / "out.h5")


def test_samples_are_labelled_as_generated_ones(tmp_path: Path, section: Generate) -> None:
    """Each SVE has the labels of its voxels, the file says how they were made, and the report that
    one has no load path.
    """
    np.save(tmp_path / "scan.npy", CUBES[0])
    label = partial(label_samples, section, HERE)
    report = import_dataset(
        [tmp_path / "scan.npy"], tmp_path / "out.h5", ImportOptions(size=3), label
    )
    data = open_dataset(tmp_path / "out.h5")
    assert (data.names, data.units) == property_names(section.tension)
    pores = data.voxels(np.arange(data.count)).sum(axis=(1, 2, 3))
    np.testing.assert_array_equal(data.properties[:, 0], pores)
    assert data.attributes["label_digest"] == label_settings(section).digest()
    assert "properties by the solver: E_x, E_y, E_z" in report
    assert "1 SVE without a load path (1 along z), labelled 0 there" in report
    with h5py.File(tmp_path / "out.h5") as file:
        np.testing.assert_array_equal(file["tension/strain"], section.strain)


def test_wrong_settings_of_labels_name_the_file_they_stand_in(
    tmp_path: Path, section: Generate
) -> None:
    np.save(tmp_path / "scan.npy", CUBES[0])
    samples = read_samples([tmp_path / "scan.npy"], ImportOptions(size=3))
    with pytest.raises(ConfigError, match=r"^my\.yaml: generate\.material: expected .* 'steel'$"):
        label_samples(replace(section, material="steel"), HERE, samples, origin="my.yaml")


def test_what_would_be_in_two_parts(tmp_path: Path) -> None:
    """A file given twice is refused, a copy is told, SVEs of solid alone are not."""
    for name, cube in (("a", CUBES[0]), ("b", CUBES[0]), ("c", 0 * CUBES[0]), ("d", 0 * CUBES[0])):
        np.save(tmp_path / f"{name}.npy", cube)
    a, b, c, d = (tmp_path / f"{name}.npy" for name in "abcd")
    with pytest.raises(DataError, match=r"a\.npy: expected each file for one volume"):
        read_samples([a, a], ImportOptions())
    report = read_samples([a, b, c, d], ImportOptions(pores=1.0)).report
    assert f"SVEs WITH THE VOXELS OF ANOTHER PART: 1, first of {b} and {a};" in report
