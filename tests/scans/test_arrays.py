"""Samples in .npy, .npz and HDF5 files: the same voxels, parts, labels and units; each fault by
name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from svevae.dataset.store import write_dataset
from svevae.errors import DataError
from svevae.scans.importers import read_samples
from svevae.scans.layouts import find_sources
from svevae.scans.options import ImportOptions
from tests.scans.sources import COUNT, CUBES, NU, STIFF, N, imported, labels_of, write_hdf5

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
            r"--table: expected one of t, with a row for each sample, received 'u'",
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


# lists of volumes in .npy files, axes of length 1, what stands beside volumes


@pytest.mark.parametrize("suffix", ["npz", "h5"])
def test_greys_and_their_mask_are_no_two_samples(tmp_path: Path, suffix: str) -> None:
    """With one threshold for both, the whole mask would be pore."""
    pores = CUBES[0].astype(bool)
    noise = np.random.default_rng(0).integers(-9, 9, pores.shape)
    greys = (np.where(pores, 60, 200) + noise).astype("u1")
    path = tmp_path / f"set.{suffix}"
    if suffix == "npz":
        np.savez(path, greys=greys, mask=pores)
    else:
        with h5py.File(path, "w") as file:
            file["greys"], file["mask"] = greys, pores
    expected = (
        rf"set\.{suffix}.*mask: expected greys as in the other volumes, received the two values"
        r" 0 and 1: a mask, .*; import it by itself, --dataset names one"
    )
    with pytest.raises(DataError, match=expected):
        read_samples([path], ImportOptions())
    got = read_samples([path], ImportOptions(dataset="greys"))
    assert np.array_equal(got.arrays["voxels"], CUBES[:1])


def test_a_list_of_volumes_in_an_npy_file(tmp_path: Path) -> None:
    """With a table, whose rows are in their order or numbered by an index, and without."""
    path, table = tmp_path / "v.npy", tmp_path / "t.csv"
    np.save(path, CUBES)
    read = read_samples([path], ImportOptions())
    np.testing.assert_array_equal(read.arrays["voxels"], CUBES)
    np.testing.assert_array_equal(read.arrays["part_id"], range(COUNT))
    assert read.names == ()
    table.write_text(
        "E_x [MPa],part\n" + "".join(f"{x},{i // 2}\n" for i, x in enumerate(STIFF)),
        encoding="utf-8",
    )
    file, report = imported([path], tmp_path, table=str(table))
    with file:
        np.testing.assert_array_equal(file["voxels"][:], CUBES)
        assert labels_of(file) == {"E_x": ("MPa", list(STIFF))}
        np.testing.assert_array_equal(file["part_id"][:], [0, 0, 1, 1, 2])
        assert file.attrs["source_files"] == 2
    assert "rows of t.csv are for the volumes in their order" in report
    order = [3, 0, 4, 1, 2]
    for first, head in ((0, ""), (1, ""), (0, "sample"), (1, "Specimen No.")):
        table.write_text(
            f"{head},E\n" + "".join(f"{i + first},{STIFF[i]}\n" for i in order), encoding="utf-8"
        )
        file, report = imported([path], tmp_path, table=str(table))
        with file:
            np.testing.assert_array_equal(file["voxels"][:], CUBES[order])
            assert labels_of(file) == {"E": ("-", list(STIFF[order]))}
        numbers = f"rows of t.csv are for the volumes that {head or 'column 1'} numbers"
        assert numbers in report
    table.write_text("E\n1\n2\n", encoding="utf-8")
    with pytest.raises(
        DataError, match=r"t\.csv: expected 5 rows, one for each volume in .*v\.npy, received 2$"
    ):
        read_samples([path], ImportOptions(table=str(table)))


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".h5"])
def test_a_volume_of_colours_is_no_list_of_volumes(tmp_path: Path, suffix: str) -> None:
    """Channels at the end would be thin volumes; what to do with them is said."""
    cube = np.zeros((8, 8, 8), np.uint8)

    def written(array: np.ndarray) -> Path:
        path = tmp_path / f"rgb{suffix}"
        if suffix == ".npy":
            np.save(path, array)
        elif suffix == ".npz":
            np.savez(path, v=array)
        else:
            write_hdf5(path, {"v": array})
        return path

    for count in (2, 3, 4):
        colours = np.stack([cube] * count, -1)
        for array in (colours, colours[None]):
            with pytest.raises(DataError) as refused:
                find_sources([written(array)], ImportOptions())
            said = f"a volume with {count} channels, as colours have; save one of them by itself"
            assert f"{said}, in Python array[..., 0]" in str(refused.value)
        [source] = find_sources([written(np.stack([cube] * count))], ImportOptions())
        assert len(source.samples) == count  # volumes one after another
    [source] = find_sources([written(np.zeros((9, 8, 8, 5), np.uint8))], ImportOptions())
    assert len(source.samples) == 9


def test_an_npy_file_is_mapped_into_memory(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", CUBES)
    [source] = find_sources([tmp_path / "v.npy"], ImportOptions())
    volume: Any = source.samples[0].load()
    while volume is not None and not isinstance(volume, np.memmap):
        volume = volume.base
    assert volume is not None


def test_a_table_names_the_arrays_of_a_file(tmp_path: Path) -> None:
    path = write_hdf5(tmp_path / "set.h5", {f"g{i}/ms": cube for i, cube in enumerate(CUBES)})
    order = [3, 0, 4, 1, 2]
    (tmp_path / "t.csv").write_text(
        "at,E\n" + "".join(f"g{i}/ms,{STIFF[i]}\n" for i in order), encoding="utf-8"
    )
    file, _ = imported([path], tmp_path, table=str(tmp_path / "t.csv"))
    with file:
        np.testing.assert_array_equal(file["voxels"][:], CUBES[order])
        assert labels_of(file) == {"E": ("-", list(STIFF[order]))}
    (tmp_path / "t.csv").write_text("at,E\nhere,1\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"expected a column of names such as g0/ms, received at"):
        read_samples([path], ImportOptions(table=str(tmp_path / "t.csv")))


@pytest.mark.parametrize(
    ("shape", "squeezed"),
    [
        ((COUNT, N, N, N, 1), (COUNT, N, N, N)),
        ((COUNT, 1, N, N, N), (COUNT, N, N, N)),
        ((1, COUNT, N, N, N), None),
        ((N, N, N, 1), (N, N, N)),
        ((N, 1, N, N), (N, N, N)),
        ((1, N, N, N), (1, N, N, N)),
        ((1, N, N, N, 1), (1, N, N, N)),
        ((COUNT, N, N, N, 3), None),
    ],
)
@pytest.mark.parametrize("kind", ["npy", "npz", "h5"])
def test_axes_of_length_one(
    tmp_path: Path, kind: str, shape: tuple[int, ...], squeezed: tuple[int, ...] | None
) -> None:
    """They are left out where three, or a first and three, are longer, and the report says so."""
    values = np.resize(CUBES, shape)
    path = tmp_path / f"v.{kind}"
    if kind == "h5":
        write_hdf5(path, {"v": values})
    else:
        (np.save if kind == "npy" else np.savez)(path, values)
    if squeezed is None:
        with pytest.raises(DataError, match=rf"v\.{kind}: expected one array \(sve, x, y, z\), or"):
            read_samples([path], ImportOptions())
        return
    read = read_samples([path], ImportOptions())
    np.testing.assert_array_equal(
        read.arrays["voxels"], values.reshape(squeezed if len(squeezed) == 4 else (1, *squeezed))
    )
    said = f"of shape {shape} the axes of length 1 are left out: {squeezed}" in read.report
    assert said == (shape != squeezed)


def test_what_is_no_array_beside_a_volume(tmp_path: Path) -> None:
    """A pickled dict is never opened, a null dataset has no values: both are left out."""
    np.savez(tmp_path / "v.npz", v=CUBES[0], info=np.array({"sample": "A"}, dtype=object))
    write_hdf5(tmp_path / "v.h5", {"v": CUBES[0], "comment": h5py.Empty("S9")})
    for name, options in (("v.npz", {}), ("v.npz", {"dataset": "v"}), ("v.h5", {})):
        read = read_samples([tmp_path / name], ImportOptions(**options))
        np.testing.assert_array_equal(read.arrays["voxels"], CUBES[:1])
        said = "left out since it is no array of numbers: info" in read.report
        assert said == (name == "v.npz")
    write_hdf5(tmp_path / "v.h5", {"v": CUBES[0], "darks": np.zeros((0, 6, 6), np.uint8)})
    read = read_samples([tmp_path / "v.h5"], ImportOptions())
    np.testing.assert_array_equal(read.arrays["voxels"], CUBES[:1])
    with pytest.raises(DataError, match=r"v\.npz: expected volumes in info, received v \(6,"):
        read_samples([tmp_path / "v.npz"], ImportOptions(dataset="info"))


@pytest.mark.parametrize(
    ("said", "edge"),
    [
        (10.0, 10),
        (np.array([10.0]), 10),
        (np.full(3, 10.0), 10),
        ("10 um", 10),
        (b"10.0", 10),
        ("0.01 mm", 10),
        ("10 micrometers", 10),
        ([10.0, 10.0, 20.0], "expected voxels that are cubes, received 10 x 10 x 20 um"),
        ("ten", "expected a number above 0, in um, received 'ten'"),
        ("10 px", "expected a number above 0, in um, received '10 px'"),
        (np.nan, "expected a number above 0, in um, received nan"),
        ([1.0, 1.0], r"expected a number above 0, in um, received \[1.0, 1.0\]"),
        (h5py.Empty("f8"), "expected a number above 0, in um, received nothing"),
    ],
)
def test_the_voxel_size_that_a_file_says(tmp_path: Path, said: Any, edge: float | str) -> None:
    for content in ({"v": CUBES}, {"v": CUBES[0]}):
        path = write_hdf5(tmp_path / "v.h5", content, {"/": {"voxel_size_um": said}})
        if isinstance(edge, str):
            with pytest.raises(DataError, match=rf"v\.h5: v: voxel_size_um: {edge}; --voxel-size"):
                read_samples([path], ImportOptions())
            read = read_samples([path], ImportOptions(voxel_size=4))
            assert read.attributes["voxel_size_um"] == 4
        else:
            found = read_samples([path], ImportOptions()).attributes["voxel_size_um"]
            assert found == pytest.approx(edge, rel=1e-12)


@pytest.mark.parametrize("said", [10.0, np.array([10.0]), "10 um"])
def test_a_voxel_size_beside_a_stack_is_no_property(tmp_path: Path, said: Any) -> None:
    path = write_hdf5(tmp_path / "v.h5", {"v": CUBES, "E_x": STIFF, "voxel_size_um": said})
    read = read_samples([path], ImportOptions())
    assert (read.names, read.attributes["voxel_size_um"]) == (("E_x",), 10)


def test_attributes_of_one_entry_are_numbers(tmp_path: Path) -> None:
    """As H5LT writes them; longer ones, and null ones, are none."""
    others = {"curve": [1, 2], "x": h5py.Empty("f")}
    attributes = {f"s{i}": {"E": [STIFF[i]], **others} for i in range(2)}
    path = write_hdf5(tmp_path / "v.h5", {"s0": CUBES[0], "s1": CUBES[1]}, attributes)
    read = read_samples([path], ImportOptions())
    assert read.names == ("E",)
    np.testing.assert_array_equal(read.arrays["properties"][:, 0], STIFF[:2])


def test_names_of_a_table_are_kept_and_its_faults_named_by_column(tmp_path: Path) -> None:
    for names, message in (
        (["Rp0.2%", "E, (x)"], None),
        (["E", "E"], r"v\.h5: column 2: expected distinct names, received E in column 1 too$"),
        (["E", ""], r"v\.h5: column 2: expected a name, received none$"),
    ):
        attributes = {"properties": {"names": names, "units": ["MPa", "GPa"]}}
        path = write_hdf5(tmp_path / "v.h5", {"v": CUBES, "properties": TABLE}, attributes)
        if message is None:
            read = read_samples([path], ImportOptions())
            assert (read.names, read.units) == (tuple(names), ("MPa", "GPa"))
        else:
            with pytest.raises(DataError, match=message):
                read_samples([path], ImportOptions())


def test_names_that_are_not_utf_8(tmp_path: Path) -> None:
    """h5py gives them as bytes; they are taken as Latin-1."""
    name = "Größe".encode("latin-1")
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file["v"] = CUBES[:2]
        file[name] = STIFF[:2]
    assert read_samples([tmp_path / "v.h5"], ImportOptions()).names == ("Größe",)
    with h5py.File(tmp_path / "w.h5", "w") as file:
        for i in range(2):
            file[f"s{i}"] = CUBES[i]
            file[f"s{i}"].attrs.create(name, STIFF[i])
    assert read_samples([tmp_path / "w.h5"], ImportOptions()).names == ("Größe",)
