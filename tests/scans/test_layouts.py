"""Each layout written by the test and imported: the same voxels, parts, labels and units; and each
fault by name.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile

from svevae.dataset.store import open_dataset, write_dataset
from svevae.errors import DataError
from svevae.scans.importers import import_dataset, read_samples
from svevae.scans.options import ImportOptions
from tests.scans.sources import COUNT, CUBES, STIFF, N, imported, write_hdf5

NU = np.linspace(0.2, 0.3, COUNT)


def labels_of(file: h5py.File) -> dict[str, tuple[str, list[float]]]:
    """name: (unit, values)."""
    table = file["properties"]
    return {
        name: (unit, list(column))
        for name, unit, column in zip(
            table.attrs["names"], table.attrs["units"], table[:].T, strict=True
        )
    }


# volumes


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
    (folder / "table.csv").write_text("\n".join(lines) + extra + "\n")
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
    return lambda folder: (folder / file).write_text(text)


def save_cube(name: str, cube: np.ndarray) -> Callable[[Path], None]:
    return lambda folder: np.save(folder / name, cube)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda folder: (folder / "s3.npy").unlink(),
            r"table\.csv: expected one row for each volume in .*set; no volume for the rows s3$",
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
            r"table\.csv: expected 2 columns of distinct names, received in row 2: s1$",
        ),
        (
            spoil("table.csv", "a,a\ns0,1"),
            r"table\.csv: expected 2 columns of distinct names, received in row 0: a, a",
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
            r"s2\.npy: expected finite greys, received nan at voxel",
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
    [("", "nothing"), ("nan", "nan"), ("inf", "inf"), ("70 GPa", "70 GPa"), ("7,5", "7,5")],
)
def test_cells_that_are_no_numbers_are_named(tmp_path: Path, cell: str, received: str) -> None:
    folder = write_folder(tmp_path / "set")
    (folder / "table.csv").write_text(
        "\n".join(
            ["name;E_x [MPa]", *(f"s{i};{cell if i == 2 else STIFF[i]}" for i in range(COUNT))]
        )
    )
    with pytest.raises(
        DataError, match=rf"table\.csv: E_x of s2: expected a finite number, received {received}$"
    ):
        read_samples([folder], ImportOptions())


def test_a_sample_given_twice_is_named(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "set", extra="\ns1.npy,1,2,a,text")
    with pytest.raises(DataError, match=r"table\.csv: .*; several rows for s1\.npy$"):
        read_samples([folder], ImportOptions())


# an array of samples


TABLE = np.stack([STIFF, NU], axis=1)


def write_stack(folder: Path, kind: str) -> Path:
    """Labels as a table with names, one without, a compound table, or an array each."""
    if kind == "npz":
        np.savez(
            folder / "set.npz",
            images=CUBES,
            table=TABLE,
            names=["E_x", "nu"],
            units=["MPa", "-"],
            part_id=np.arange(COUNT) // 2,
        )
        return folder / "set.npz"
    compound = np.array(list(zip(STIFF, NU, strict=True)), [("E_x [MPa]", float), ("nu", float)])
    columns = {"data/E_x": STIFF, "data/nu": NU}
    labels = {
        "named": {"properties": TABLE},
        "bare": {"labels": TABLE},
        "compound": {"labels": compound},
        "columns": columns,
    }[kind]
    attributes = {
        "named": {"properties": {"names": ["E_x", "nu"], "units": ["MPa", "-"]}},
        "columns": {"data/E_x": {"units": "MPa"}},
    }
    content = {"microstructures": CUBES, "part_id": np.arange(COUNT) // 2, "seed": 3, **labels}
    return write_hdf5(folder / "set.h5", content, attributes.get(kind))


@pytest.mark.parametrize("kind", ["npz", "named", "bare", "compound", "columns"])
def test_an_array_of_samples(tmp_path: Path, kind: str) -> None:
    file, _ = imported([write_stack(tmp_path, kind)], tmp_path)
    names = {"bare": {"labels_0": "-", "labels_1": "-"}}.get(kind, {"E_x": "MPa", "nu": "-"})
    with file:
        np.testing.assert_array_equal(file["voxels"][:], CUBES)
        np.testing.assert_array_equal(file["part_id"][:], np.arange(COUNT) // 2)
        assert labels_of(file) == dict(
            zip(names, zip(names.values(), TABLE.T.tolist(), strict=True), strict=True)
        )


def test_a_file_of_the_contract_comes_back(tmp_path: Path) -> None:
    """Its table is found among other arrays with a row for each SVE."""
    content = {
        "voxels": CUBES,
        "properties": TABLE,
        "part_id": np.arange(COUNT) + 3,
        "porosity": CUBES.mean((1, 2, 3)),
    }
    content |= {
        "position": np.zeros((COUNT, 3), int),
        "tension/strain": np.arange(COUNT) / 100,
        "tension/stress_x": np.ones((COUNT, COUNT)),
    }
    write_dataset(tmp_path / "a.h5", content, ("E_x", "nu"), ("MPa", "-"), {"voxel_size_um": 10.0})
    read = read_samples([tmp_path / "a.h5"], ImportOptions())
    for key in ("voxels", "properties", "part_id"):
        np.testing.assert_array_equal(read.arrays[key], content[key])
    assert (read.names, read.units, read.attributes["voxel_size_um"]) == (
        ("E_x", "nu"),
        ("MPa", "-"),
        10,
    )


def test_axes_of_a_stack(tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", v=CUBES.transpose(0, 3, 2, 1))
    np.testing.assert_array_equal(
        read_samples([tmp_path / "set.npz"], ImportOptions(axes="zyx")).arrays["voxels"], CUBES
    )
    with pytest.raises(
        DataError,
        match=(
            r"set\.npz: v\[0\]: axes: expected an order of the letters x, y and z such as zyx,"
            r" received 'zxx'"
        ),
    ):
        read_samples([tmp_path / "set.npz"], ImportOptions(axes="zxx"))


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (
            {"a": CUBES, "b": CUBES},
            {},
            (
                r"expected one array \(sve, x, y, z\), or volumes \(x, y, z\), received a \(5, 6,"
                r" 6, 6\), b"
            ),
        ),
        (
            {"a": CUBES},
            {"dataset": "c"},
            r"expected volumes in c, received a \(5, 6, 6, 6\); name one with --dataset",
        ),
        (
            {"a": STIFF},
            {},
            r"expected one array \(sve, x, y, z\), or volumes \(x, y, z\), received a \(5,\)",
        ),
        (
            {"a": CUBES, "t": TABLE, "u": TABLE},
            {},
            r"expected one table of properties, found t, u; say which with --table",
        ),
        (
            {"a": CUBES, "t": TABLE},
            {"table": "u"},
            r"--table: expected one of t, of 5 rows each, received 'u'",
        ),
        (
            {"a": CUBES, "t": TABLE, "names": ["E"]},
            {},
            r"t: expected 2 names, one for each column, received E",
        ),
        (
            {"a": CUBES, "E": np.where(NU > 0.25, np.nan, 1)},
            {},
            r"E of 3: expected a finite number, received nan",
        ),
        ({"a": CUBES[:0]}, {}, r"a: expected at least one volume, received shape \(0, 6, 6, 6\)"),
    ],
)
def test_each_fault_of_a_stack_is_named(
    tmp_path: Path, content: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=r"set\.h5: " + message):
        read_samples([write_hdf5(tmp_path / "set.h5", content)], ImportOptions(**options))


# samples with attributes


def test_datasets_with_attributes(tmp_path: Path) -> None:
    attributes = {
        f"s{i}": {"E_x [MPa]": STIFF[i], "nu": NU[i], "part": "ab"[i % 2], "who": "me"}
        for i in range(COUNT)
    }
    file, _ = imported(
        [
            write_hdf5(
                tmp_path / "set.h5", {f"s{i}": cube for i, cube in enumerate(CUBES)}, attributes
            )
        ],
        tmp_path,
    )
    with file:
        np.testing.assert_array_equal(file["voxels"][:], CUBES)
        assert labels_of(file) == {"E_x": ("MPa", list(STIFF)), "nu": ("-", list(NU))}
        np.testing.assert_array_equal(file["part_id"][:], [0, 1, 0, 1, 0])


def test_groups_with_attributes(tmp_path: Path) -> None:
    """Attributes of a group count where it holds one array; one that is missing is named."""
    attributes = {f"s{i}": {"E_x": STIFF[i]} for i in range(COUNT)} | {"/": {"voxel_size_um": 4.0}}
    path = write_hdf5(
        tmp_path / "set.h5", {f"s{i}/image": cube for i, cube in enumerate(CUBES)}, attributes
    )
    file, _ = imported([path], tmp_path)
    with file:
        np.testing.assert_array_equal(file["voxels"][:], CUBES)
        assert labels_of(file) == {"E_x": ("-", list(STIFF))}
        assert file.attrs["voxel_size_um"] == 4
    with h5py.File(path, "a") as changed:
        del changed["s3"].attrs["E_x"]
    with pytest.raises(
        DataError, match=r"set\.h5: E_x of s3/image: expected a finite number, received nothing"
    ):
        read_samples([path], ImportOptions())


# FANS


def tangent(i: int) -> np.ndarray:
    """An orthotropic stiffness in the order of FANS, xx yy zz xy xz yz: every modulus its own."""
    compliance = np.diag(1 / np.array([70e3, 60e3, 50e3, 2 * 26e3, 2 * 24e3, 2 * 22e3])) / (1 + i)
    compliance[:3, :3] -= 0.3 / 70e3 / (1 + i) * (1 - np.eye(3))
    return np.linalg.inv(compliance)


def check_fans(file: h5py.File, count: int) -> None:
    labels = labels_of(file)
    factors = 1 + np.arange(count)
    for name, modulus in {"E_x": 70e3, "E_y": 60e3, "E_z": 50e3}.items():
        assert labels[name][0] == "MPa"
        np.testing.assert_allclose(labels[name][1], modulus * factors, rtol=1e-12)
    stiffness = file["stiffness"][:]
    for index, shear in ((3, 22e3), (4, 24e3), (5, 26e3)):  # ours: xx yy zz yz xz xy
        np.testing.assert_allclose(stiffness[:, index, index], 2 * shear * factors, rtol=1e-12)
    np.testing.assert_array_equal(stiffness[:, :3, :3], [tangent(i)[:3, :3] for i in range(count)])


def test_fans_results_beside_their_microstructures(tmp_path: Path) -> None:
    """Two files as FANS has them: microstructures (z, y, x), results in
    <path>_results/<prefix>/load0/time_step0.
    """
    images = {f"set/{i}/ms": CUBES[i].T for i in range(3)} | {"set/10/ms": CUBES[3].T}
    results = {
        f"set/{i}/ms_results/run/load0/time_step0/homogenized_tangent": tangent(i) for i in range(3)
    }
    paths = [write_hdf5(tmp_path / "results.h5", results), write_hdf5(tmp_path / "ms.h5", images)]
    file, report = imported(paths, tmp_path)
    with file:
        np.testing.assert_array_equal(file["voxels"][:], CUBES[:3])
        check_fans(file, 3)
        assert file.attrs["axes"] == "zyx"
        assert file.attrs["source_files"] == 2
    assert "volumes without a tangent are left out: set/10/ms" in report


def test_fans_microstructures_in_the_same_file(tmp_path: Path) -> None:
    """`microstructure` among the results, (z, y, x, 1), or the only volume in a group above, here
    with xyz as its order.
    """
    step = "ms_results/load0/time_step0"
    write_hdf5(
        tmp_path / "a.h5",
        {
            f"{step}/homogenized_tangent": tangent(0) / 1000,
            f"{step}/microstructure": CUBES[0].T[..., None],
            f"{step}/stress": np.zeros((6, 6, 6, 6)),
        },
    )
    file, _ = imported([tmp_path / "a.h5"], tmp_path, stress_unit="GPa")
    with file:
        np.testing.assert_array_equal(file["voxels"][0], CUBES[0])
        np.testing.assert_allclose(labels_of(file)["E_x"][1], 70e3, rtol=1e-12)
    content = {}
    for i in range(2):
        content |= {
            f"s{i}/image_data/dset_0/image": CUBES[i],
            f"s{i}/image/ab12/load0/time_step0/homogenized_tangent": tangent(i),
        }
    order = {f"s{i}/image_data/dset_0/image": {"permute_order": "xyz"} for i in range(2)}
    file, _ = imported([write_hdf5(tmp_path / "b.h5", content, order)], tmp_path)
    with file:
        np.testing.assert_array_equal(file["voxels"][:], CUBES[:2])
        check_fans(file, 2)


def test_each_fault_of_fans_results_is_named(tmp_path: Path) -> None:
    first, second = (f"ms_results/load{i}/time_step0/homogenized_tangent" for i in range(2))
    both = {"ms": CUBES[0], first: tangent(0), second: tangent(1)}
    path = write_hdf5(tmp_path / "two.h5", both)
    with pytest.raises(
        DataError,
        match=(
            r"two\.h5: ms: expected one tangent, found .*load0.* and .*load1.*; say which with"
            r" --tangent"
        ),
    ):
        read_samples([path], ImportOptions())
    read = read_samples([path], ImportOptions(tangent="*load1*"))
    np.testing.assert_allclose(read.arrays["properties"][0], [140e3, 120e3, 100e3], rtol=1e-12)
    with pytest.raises(
        DataError,
        match=r"two\.h5: expected a homogenized_tangent that fits --tangent \*load7\*, found none",
    ):
        read_samples([path], ImportOptions(tangent="*load7*"))
    for content, message in (
        (
            {first: tangent(0)},
            (
                r"load0/time_step0/homogenized_tangent: expected one microstructure at ms or in a"
                r" group above, found none"
            ),
        ),
        (
            {"a": CUBES[0], "b": CUBES[1], first: tangent(0)},
            r"expected one microstructure at ms or in a group above, found .*: a, .*: b",
        ),
        (
            {"ms": CUBES[0], first: np.eye(3)},
            (
                r"homogenized_tangent: expected a symmetric, positive definite .* received shape"
                r" \(3, 3\)"
            ),
        ),
        (
            {"ms": CUBES[0], first: -np.eye(6)},
            (
                r"homogenized_tangent: expected a symmetric, positive definite .* received a"
                r" diagonal of"
            ),
        ),
    ):
        with pytest.raises(DataError, match=message):
            read_samples([write_hdf5(tmp_path / "bad.h5", content)], ImportOptions())


# everything


def test_what_is_no_source(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.tif").write_text("no picture")
    (tmp_path / "bad.h5").write_text("no HDF5")
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
        DataError, match=r"--table: expected a \.csv file for .*scan\.npy, received 'labels'"
    ):
        read_samples([tmp_path / "scan.npy"], ImportOptions(table="labels"))
    write_hdf5(tmp_path / "labelled.h5", {"v": CUBES, "E": STIFF})
    with pytest.raises(
        DataError,
        match=r"bare\.h5: expected the properties and units of .*labelled\.h5, received none",
    ):
        read_samples([tmp_path / "labelled.h5", tmp_path / "bare.h5"], ImportOptions())


def test_options_are_checked() -> None:
    with pytest.raises(DataError, match=r"--voxel-size: expected micrometres above 0, received -1"):
        ImportOptions(voxel_size=-1)
    with pytest.raises(
        DataError, match=r"--stress-unit: expected one of Pa, kPa, MPa, GPa, received 'psi'"
    ):
        ImportOptions(stress_unit="psi")
    for name in ("size", "stride"):
        for value in (0, -1):
            with pytest.raises(
                DataError, match=f"^--{name}: expected at least 1 voxel, received {value}$"
            ):
                ImportOptions(**{name: value})
