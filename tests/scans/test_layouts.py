"""Each layout written by the test and imported: the same voxels, parts, labels and units; and each
fault by name.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

from svevae.dataset.store import open_dataset
from svevae.errors import DataError
from svevae.scans.importers import import_dataset, read_samples
from svevae.scans.options import ImportOptions
from svevae.scans.volume import read_volume
from tests.scans.sources import (
    COUNT,
    CUBES,
    NU,
    STIFF,
    N,
    imported,
    labels_of,
    tangent,
    write_hdf5,
)

# volumes


def with_named_axes(path: Path, kind: str, volume: np.ndarray, names: list[str]) -> Path:
    """An HDF5 file that names the axes of `volume` as Data Exchange, NeXus or netCDF do."""
    with h5py.File(path, "w") as file:
        group = file.create_group("entry/data")
        file["exchange/data" if kind == "exchange" else "entry/data/data"] = volume
        data = file["exchange/data" if kind == "exchange" else "entry/data/data"]
        if kind == "exchange":
            data.attrs["axes"] = ":".join(names)
        elif kind == "nexus":
            group.attrs.update({"NX_class": "NXdata", "signal": "data", "axes": names})
            for name, size in zip(names, volume.shape, strict=True):
                group[name] = np.arange(size) * 10.0
        else:
            for dimension, name in zip(data.dims, names, strict=True):
                dimension.label = name
    return path


@pytest.mark.parametrize("kind", ["exchange", "nexus", "labels"])
def test_the_axes_that_an_hdf5_file_names(tmp_path: Path, kind: str) -> None:
    """A volume, a list of them, and the options, which have the last word; a mask as well."""
    path = tmp_path / ("scan.nxs" if kind == "nexus" else "scan.h5")
    with_named_axes(path, kind, CUBES[0].T, ["z", "y", "x"])
    read = read_samples([path], ImportOptions())
    np.testing.assert_array_equal(read.arrays["voxels"], CUBES[:1])
    assert "axes zyx" in read.report
    np.testing.assert_array_equal(read_volume(path), CUBES[0])
    read = read_samples([path], ImportOptions(axes="xyz"))
    np.testing.assert_array_equal(read.arrays["voxels"][0], CUBES[0].T)
    with_named_axes(path, kind, CUBES.transpose(0, 3, 2, 1), ["sve", "z", "y", "x"])
    np.testing.assert_array_equal(read_samples([path], ImportOptions()).arrays["voxels"], CUBES)


@pytest.mark.parametrize(("unit", "steps"), [("mm", 0.01), ("um", 10.0), ("metre", 1e-5)])
@pytest.mark.parametrize("scales", [False, True])
def test_the_voxel_size_that_positions_along_the_axes_say(
    tmp_path: Path, unit: str, steps: float, scales: bool
) -> None:
    """Of NeXus, and of netCDF and xarray."""
    path = with_named_axes(tmp_path / "scan.h5", "nexus", CUBES[0].T, ["z", "y", "x"])
    with h5py.File(path, "r+") as file:
        group = file["entry/data"]
        for i, name in enumerate("zyx"):
            group[name][:] = ((np.arange(N) + 7) * steps).astype("f4")
            group[name].attrs["units"] = unit
            if scales:
                group[name].make_scale()
                group["data"].dims[i].attach_scale(group[name])
        if scales:
            del group.attrs["axes"]
    assert read_samples([path], ImportOptions()).attributes["voxel_size_um"] == 10
    with h5py.File(path, "r+") as file:
        file["entry/data/x"][:] = np.arange(N) ** 2
    assert "voxel_size_um" not in read_samples([path], ImportOptions()).attributes


def test_a_voxel_size_beside_a_volume(tmp_path: Path) -> None:
    np.savez(tmp_path / "scan.npz", scan=CUBES[0], voxel_size_um=10.0)
    read = read_samples([tmp_path / "scan.npz"], ImportOptions())
    assert read.attributes["voxel_size_um"] == 10


@pytest.mark.parametrize("kind", ["exchange", "nexus", "labels"])
def test_projections_are_no_volume(tmp_path: Path, kind: str) -> None:
    path = with_named_axes(tmp_path / "scan.h5", kind, CUBES[0], ["theta", "y", "x"])
    with pytest.raises(DataError, match=r"scan\.h5.*letters x, y and z.*theta:y:x"):
        read_samples([path], ImportOptions())
    assert read_samples([path], ImportOptions(axes="zyx")).arrays["voxels"].shape == (
        1,
        *CUBES[0].shape,
    )


def test_folders_of_slices_and_hdf5_volumes(tmp_path: Path) -> None:
    (tmp_path / "slices").mkdir()
    for z in range(N):
        tifffile.imwrite(tmp_path / "slices" / f"{z}.tif", 255 * (1 - CUBES[0, :, :, z].T))
    write_hdf5(
        tmp_path / "scan.h5",
        {"scan/image": CUBES[0].T, "scan/angles": np.arange(4)},
        {"scan/image": {"permute_order": "zyx"}},
    )
    write_hdf5(tmp_path / "two.h5", {"a": CUBES[1], "b": CUBES[0]})
    np.savez(tmp_path / "scan.npz", image=CUBES[0])
    for name, options in {
        "slices": {},
        "scan.h5": {},
        "two.h5": {"dataset": "/b"},
        "scan.npz": {},
    }.items():
        file, _ = imported([tmp_path / name], tmp_path, **options)
        with file:
            np.testing.assert_array_equal(file["voxels"][:], CUBES[:1])


# a folder and a table


def write_folder(
    folder: Path,
    kind: str = ".npy",
    head: str = "sample,E_x [MPa],nu (-),part,remark",
    extra: str = "",
) -> Path:
    folder.mkdir(exist_ok=True)
    lines = [head]
    for i, cube in enumerate(CUBES):
        path = folder / f"s{i}{kind}"
        if kind == ".npy":
            np.save(path, cube)
        elif kind == ".tif":
            tifffile.imwrite(path, np.ascontiguousarray(cube.T), photometric="minisblack")
        else:
            path.mkdir()
            for z in range(N):
                tifffile.imwrite(path / f"{z}.tif", cube[:, :, z].T)
        lines.append(f"s{i},{STIFF[i]},{NU[i]},{'ab'[i % 2]},text")
    (folder / "table.csv").write_text("\n".join(lines) + extra + "\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize("kind", [".npy", ".tif", ""])
def test_a_folder_with_a_csv(tmp_path: Path, kind: str) -> None:
    file, report = imported([write_folder(tmp_path / "set", kind)], tmp_path)
    with file:
        np.testing.assert_array_equal(file["voxels"][:], CUBES)
        assert labels_of(file) == {"E_x": ("MPa", list(STIFF)), "nu": ("-", list(NU))}
        np.testing.assert_array_equal(file["part_id"][:], [0, 1, 0, 1, 0])
        assert file.attrs["parts"] == "0: a, 1: b"
        assert file.attrs["source_files"] == 1 + COUNT * (N if kind == "" else 1)
        assert "position" not in file
    assert "columns left out: remark" in report
    assert open_dataset(tmp_path / "imported.h5").names == ("E_x", "nu")


def test_the_table_may_lie_elsewhere_in_any_order_and_name_files(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "set")
    rows = [f"{STIFF[i]}\t{7 - i}\ts{i}.npy" for i in (3, 0, 4, 1, 2)]
    (tmp_path / "other.csv").write_text(
        "\n".join(["E_x\tPart_ID\tfile", *rows]), encoding="utf-8-sig"
    )
    file, _ = imported([folder], tmp_path, table=str(tmp_path / "other.csv"))
    with file:
        np.testing.assert_array_equal(file["voxels"][:], CUBES[[3, 0, 4, 1, 2]])
        np.testing.assert_array_equal(file["part_id"][:], [4, 7, 3, 6, 5])
        assert labels_of(file) == {"E_x": ("-", list(STIFF[[3, 0, 4, 1, 2]]))}


def test_properties_are_chosen_and_samples_without_a_part_are_remarked(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "set", head="sample,E_x [MPa],nu (-),lot,remark")
    file, report = imported([folder], tmp_path, properties=("nu",))
    with file:
        assert list(labels_of(file)) == ["nu"]
        np.testing.assert_array_equal(file["part_id"][:], range(COUNT))
    assert "no part is named, so each sample is one" in report
    with pytest.raises(
        DataError, match=r"table\.csv: expected the properties G_xy, found nu, E_x, lot, remark$"
    ):
        read_samples([folder], ImportOptions(properties=("nu", "G_xy")))


def test_without_labels_samples_may_be_cut(tmp_path: Path) -> None:
    file, report = imported([write_folder(tmp_path / "set")], tmp_path, labels=False, size=3)
    with file:
        assert "properties" not in file
        np.testing.assert_array_equal(file["part_id"][:], np.repeat([0, 1, 0, 1, 0], 8))
    assert "no properties" in report


def test_a_folder_of_volumes_without_a_table(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "set", ".tif")
    (folder / "table.csv").unlink()
    file, _ = imported([folder], tmp_path)
    with file:
        np.testing.assert_array_equal(file["voxels"][:], CUBES)
        np.testing.assert_array_equal(file["part_id"][:], range(COUNT))


def spoil(file: str, text: str) -> Callable[[Path], None]:
    return lambda folder: (folder / file).write_text(text, encoding="utf-8")


def save_cube(name: str, cube: np.ndarray) -> Callable[[Path], None]:
    return lambda folder: np.save(folder / name, cube)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda folder: (folder / "s3.npy").unlink(),
            (
                r"table\.csv: expected one row for each volume in .*set; no volume for the rows s3"
                r" in line 5$"
            ),
        ),
        (
            save_cube("s9.npy", CUBES[0]),
            (
                r"table\.csv: expected one row for each volume in .*set; no row for the volumes"
                r" s9\.npy$"
            ),
        ),
        (
            spoil("table.csv", "a,b\nx,1\ny,2"),
            r"table\.csv: expected a column of names such as s0, received a, b",
        ),
        (
            spoil("table.csv", "a,b"),
            r"table\.csv: expected a header and a row for each sample, received 1 line$",
        ),
        (
            spoil("table.csv", "a,b\ns0,1\ns1"),
            r"table\.csv: line 3: expected 2 cells as in the header, received 1: s1$",
        ),
        (
            spoil("table.csv", "n,a,a\n" + "".join(f"s{i},1,2\n" for i in range(COUNT))),
            r"table\.csv: column 3: expected distinct names, received a in column 2 too$",
        ),
        (
            spoil("more.csv", "a,b\ns0,1"),
            (
                r"set: expected one CSV file of properties, found more\.csv, table\.csv; choose by"
                r" --table"
            ),
        ),
        (
            save_cube("s2.npy", CUBES[0, :, :, :4]),
            r"s2\.npy: properties belong to a whole sample, a cube, received 6 x 6 x 4 voxels",
        ),
        (
            save_cube("s2.npy", CUBES[0, :4, :4, :4]),
            r"s2\.npy: expected 6 voxels along each axis like the samples before, .* --size cuts",
        ),
        (
            save_cube("s2.npy", np.where(CUBES[0], np.nan, 1)),
            r"s2\.npy: properties belong to a whole sample, received one with voxels outside",
        ),
        (
            save_cube("s2.npy", 2 * CUBES[0]),
            r"set: expected greys or two phases, received 3 phases: 0, 1, 2; say which is pore",
        ),
        (
            save_cube("s2.npy", CUBES[0, 0]),
            r"s2\.npy: expected a volume of three axes, received shape \(6, 6\)",
        ),
        (spoil("s2.npy", "text"), r"s2\.npy: expected a \.npy file, cannot be read"),
    ],
)
def test_each_fault_of_a_folder_is_named(
    tmp_path: Path, change: Callable[[Path], None], message: str
) -> None:
    folder = write_folder(tmp_path / "set")
    change(folder)
    with pytest.raises(DataError, match=message):
        import_dataset([folder], tmp_path / "out.h5", ImportOptions())
    assert not (tmp_path / "out.h5").exists()


@pytest.mark.parametrize(
    ("cell", "received"),
    [("", "nothing"), ("nan", "nan"), ("inf", "inf"), ("70 or so", "70 or so")],
)
def test_cells_that_are_no_numbers_are_named(tmp_path: Path, cell: str, received: str) -> None:
    folder = write_folder(tmp_path / "set")
    (folder / "table.csv").write_text(
        "\n".join(
            ["name;E_x [MPa]", *(f"s{i};{cell if i == 2 else STIFF[i]}" for i in range(COUNT))]
        ),
        encoding="utf-8",
    )
    with pytest.raises(
        DataError,
        match=rf"table\.csv: E_x of s2 in line 4: expected a finite number, received {received}$",
    ):
        read_samples([folder], ImportOptions())


@pytest.mark.parametrize("head", [",sample,E_x", "index,sample,E_x", "Unnamed: 0,sample,E_x"])
def test_the_index_that_pandas_writes_is_no_property(tmp_path: Path, head: str) -> None:
    folder = write_folder(tmp_path / "set")
    rows = [f"{i},s{i},{STIFF[i]}" for i in (2, 0, 1, 4, 3)]
    (folder / "table.csv").write_text("\n".join([head, *rows]), encoding="utf-8")
    file, report = imported([folder], tmp_path)
    with file:
        assert labels_of(file) == {"E_x": ("-", list(STIFF[[2, 0, 1, 4, 3]]))}
    assert f"are no properties: {head.split(',')[0] or 'column 1'}" in report


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "latin-1"])
def test_a_german_table(tmp_path: Path, encoding: str) -> None:
    """Decimal commas, semicolons and an umlaut, as spreadsheets save them there."""
    folder = write_folder(tmp_path / "set")
    rows = [f"s{i};{STIFF[i]};{NU[i]}".replace(".", ",") for i in range(COUNT)]
    text = "\r\n".join(["Prüfling;E_x [MPa];nu", *rows])
    (folder / "table.csv").write_bytes(text.encode(encoding))
    file, report = imported([folder], tmp_path)
    with file:
        assert labels_of(file) == {"E_x": ("MPa", list(STIFF)), "nu": ("-", list(NU))}
    assert "table.csv is read with decimal commas" in report


def test_numbers_in_another_notation_are_never_left_out(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "set")
    rows = [f"s{i};60.10{i};0,30{i}" for i in range(COUNT)]
    (folder / "table.csv").write_text("\n".join(["name;E_x;nu", *rows]), encoding="utf-8")
    with pytest.raises(
        DataError,
        match=r"table\.csv: line 2, E_x: expected one decimal sign in the whole file, received 60",
    ):
        read_samples([folder], ImportOptions())
    assert read_samples([folder], ImportOptions(properties=("nu",))).names == ("nu",)
    assert read_samples([folder], ImportOptions(labels=False)).names == ()


@pytest.mark.parametrize(
    ("stems", "cells"),
    [
        (["001", "002"], ["001", "002"]),
        (["001", "002"], ["1", "2"]),  # as spreadsheets change them
        (["001", "1"], ["1", "001"]),
        (["a b", "ü"], ["C:\\data\\a b.npy", "D:\\u\u0308.npy"]),
        (["x", "y"], ["/home/me/x.npy", "../y"]),
        (["d/x", "e/x"], ["e/x.npy", "d\\x"]),
        (["a.b", "a.c"], ["a.b", "a.c.npy"]),
    ],
)
def test_names_of_volumes(tmp_path: Path, stems: list[str], cells: list[str]) -> None:
    """Found as they are, by as much of a path as tells them, on whatever system it was written."""
    paths = [tmp_path / f"{stem}.npy" for stem in stems]
    for path, cube in zip(paths, CUBES[:2], strict=True):
        path.parent.mkdir(exist_ok=True)
        np.save(path, cube)
    rows = [f"{cell},{i}" for i, cell in enumerate(cells)]
    (tmp_path / "t.csv").write_text("\n".join(["name,E", *rows]), "utf-8")
    read = read_samples(paths, ImportOptions(table=str(tmp_path / "t.csv")))
    swapped = cells in (["1", "001"], ["e/x.npy", "d\\x"])
    np.testing.assert_array_equal(read.arrays["voxels"], CUBES[:2][:: -1 if swapped else 1])
    np.testing.assert_array_equal(read.arrays["properties"][:, 0], [0, 1])


def test_parts_keep_their_leading_zeros(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "set")
    rows = [f"s{i},{i / 2},{part}" for i, part in enumerate(["01", "1", "01", f"{10**24}", "1"])]
    (folder / "table.csv").write_text("\n".join(["name,E,part", *rows]), encoding="utf-8")
    file, _ = imported([folder], tmp_path)
    with file:
        np.testing.assert_array_equal(file["part_id"][:], [0, 1, 0, 2, 1])
        assert file.attrs["parts"] == f"0: 01, 1: 1, 2: {10**24}"


def test_a_sample_given_twice_is_named(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "set", extra="\ns1.npy,1,2,a,text")
    with pytest.raises(DataError, match=r"table\.csv: .*; several rows for s1\.npy$"):
        read_samples([folder], ImportOptions())


# everything


def test_what_is_no_source(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.tif").write_text("no picture", encoding="utf-8")
    (tmp_path / "bad.h5").write_text("no HDF5", encoding="utf-8")
    for sources, message in (
        ([], r"expected at least one file or folder to import, received none"),
        (["nothing.tif"], r"nothing\.tif: expected a file or folder to import, found nothing"),
        (["empty"], r"empty: expected slices, or volumes: .*; found none"),
        (["bad.tif"], r"bad\.tif: expected a tif file, cannot be read"),
        (["bad.h5"], r"bad\.h5: expected an HDF5 file, received something else"),
    ):
        with pytest.raises(DataError, match=message):
            read_samples([tmp_path / source for source in sources], ImportOptions())


def test_sources_that_do_not_go_together(tmp_path: Path) -> None:
    np.save(tmp_path / "scan.npy", CUBES[0])
    write_hdf5(
        tmp_path / "fans.h5",
        {"ms": CUBES[0], "ms_results/load0/time_step0/homogenized_tangent": tangent(0)},
    )
    write_hdf5(tmp_path / "bare.h5", {"v": CUBES})
    with pytest.raises(DataError, match=r"scan\.npy: expected HDF5 files beside results of FANS"):
        read_samples([tmp_path / "fans.h5", tmp_path / "scan.npy"], ImportOptions())
    with pytest.raises(
        DataError,
        match=r"table: expected a file \.csv, \.tsv, \.txt for .*scan\.npy, received 'labels'",
    ):
        read_samples([tmp_path / "scan.npy"], ImportOptions(table="labels"))
    write_hdf5(tmp_path / "labelled.h5", {"v": CUBES, "E": STIFF})
    with pytest.raises(
        DataError,
        match=r"bare\.h5: expected the properties and units of .*labelled\.h5, received none",
    ):
        read_samples([tmp_path / "labelled.h5", tmp_path / "bare.h5"], ImportOptions())


def test_options_are_checked() -> None:
    with pytest.raises(DataError, match=r"voxel_size: expected micrometres above 0, received -1"):
        ImportOptions(voxel_size=-1)
    with pytest.raises(
        DataError, match=r"stress_unit: expected one of Pa, kPa, MPa, GPa, received 'psi'"
    ):
        ImportOptions(stress_unit="psi")
    for name in ("size", "stride"):
        for value in (0, -1):
            with pytest.raises(
                DataError, match=f"^{name}: expected at least 1 voxel, received {value}$"
            ):
                ImportOptions(**{name: value})


def test_a_voxel_size_that_overrules_the_header_is_told(tmp_path: Path) -> None:
    edges = {"resolution": (1 / 10, 1 / 10), "metadata": {"spacing": 10, "unit": "um"}}
    tifffile.imwrite(tmp_path / "v.tif", CUBES[0].T, imagej=True, **edges)
    note = "--voxel-size 20 takes the place of 10 x 10 x 10 um in the header"
    for given in (None, 10.0, 20.0):
        read = read_samples([tmp_path / "v.tif"], ImportOptions(voxel_size=given))
        assert read.attributes["voxel_size_um"] == pytest.approx(given or 10)
        assert (note in read.report) == (given == 20)


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize(("target", "factor"), [(0.0, 1), (10.0, 1), (20.0, 2)])
def test_resampling_from_the_voxel_size_that_is_given(
    tmp_path: Path, header: bool, target: float, factor: int
) -> None:
    """Voxels are cubes of 10 um, whatever the header says, and each `factor` of them become one."""
    said = {"resolution": (1 / 4, 1 / 4), "metadata": {"spacing": 7, "unit": "um"}, "imagej": True}
    stored = np.kron(CUBES[0], np.ones((factor,) * 3, np.uint8)).T
    tifffile.imwrite(tmp_path / "v.tif", stored, **(said if header else {}))
    options = ImportOptions(voxel_size=10.0, resample=target)
    read = read_samples([tmp_path / "v.tif"], options)
    np.testing.assert_array_equal(read.arrays["voxels"], CUBES[:1])
    assert read.attributes["voxel_size_um"] == 10 * factor
    assert f"from voxels of 10 x 10 x 10 um to cubes of {10 * factor} um" in read.report
