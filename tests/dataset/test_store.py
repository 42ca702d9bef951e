"""The data contract: what a valid file says, and each way in which a file can be wrong."""

from __future__ import annotations

import errno
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from svevae.dataset.store import (
    LabelledDataset,
    describe_dataset,
    find_problems,
    open_dataset,
    write_dataset,
)
from svevae.errors import DataError


def arrays(count: int = 6, n: int = 8) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    voxels = (random.random((count, n, n, n)) < 0.1).astype(np.uint8)
    return {
        "voxels": voxels,
        "properties": random.random((count, 2)).astype(np.float32),
        "part_id": np.arange(count) // 2,
        "porosity": voxels.mean((1, 2, 3)),
    }


def write_raw(
    path: Path,
    content: dict[str, np.ndarray],
    names: tuple[str, ...] = ("E_x", "E_z"),
    units: tuple[str, ...] = ("MPa", "MPa"),
) -> Path:
    """A file with whatever content, not checked."""
    with h5py.File(path, "w") as file:
        for key, array in content.items():
            file[key] = array
        if "properties" in content:
            file["properties"].attrs.update({"names": list(names), "units": list(units)})
    return path


def test_round_trip_keeps_every_array_and_attribute(tmp_path: Path) -> None:
    content = arrays()
    write_dataset(
        tmp_path / "a.h5",
        content,
        ("E_x", "E_z"),
        ("MPa", "GPa"),
        {"voxel_size_um": 5.0, "seed": 3},
    )
    data = open_dataset(tmp_path / "a.h5")
    assert (data.count, data.n, data.names, data.units, data.voxel_size) == (
        6,
        8,
        ("E_x", "E_z"),
        ("MPa", "GPa"),
        5.0,
    )
    np.testing.assert_array_equal(data.properties, content["properties"])
    np.testing.assert_array_equal(data.voxels(np.array([4, 0, 4])), content["voxels"][[4, 0, 4]])
    np.testing.assert_array_equal(
        np.concatenate([voxels for _, voxels in data.slabs()]), content["voxels"]
    )
    assert data.attributes["seed"] == 3


def test_reference_dataset_is_valid(tiny_file: Path) -> None:
    assert find_problems(tiny_file) == []
    text = describe_dataset(tiny_file)
    assert "96 SVEs of 32 x 32 x 32 voxels, voxel size 10 um" in text
    assert "8 parts of 12 SVEs" in text
    assert re.search(r"yield_z .* MPa", text)


def change(
    key: str, value: Callable[[dict[str, np.ndarray]], np.ndarray | None]
) -> Callable[[dict[str, np.ndarray]], None]:
    def apply(content: dict[str, np.ndarray]) -> None:
        replacement = value(content)
        content.pop(key, None)
        if replacement is not None:
            content[key] = replacement

    return apply


def with_value(
    key: str, position: tuple[int, ...], value: float
) -> Callable[[dict[str, np.ndarray]], None]:
    def apply(content: dict[str, np.ndarray]) -> None:
        content[key] = content[key].copy()
        content[key][position] = value

    return apply


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            change("voxels", lambda c: None),
            "/voxels is missing; the file has part_id, porosity, properties",
        ),
        (change("part_id", lambda c: None), "/part_id is missing"),
        (
            change("voxels", lambda c: c["voxels"][0]),
            "/voxels: expected 4 axes, received 3: shape (8, 8, 8)",
        ),
        (
            change("voxels", lambda c: c["voxels"][:, :4]),
            "/voxels: expected cubes (sve, n, n, n), received shape (6, 4, 8, 8)",
        ),
        (
            change("properties", lambda c: c["properties"][:5]),
            "/properties: expected 6 rows, one for each SVE of /voxels, received 5",
        ),
        (
            change("part_id", lambda c: c["part_id"] + 0.5),
            "/part_id: expected integers, received float64",
        ),
        (
            change("position", lambda c: np.zeros((6, 2), int)),
            "/position: expected shape (sve, 3), received (6, 2)",
        ),
        (
            change("stiffness", lambda c: np.zeros((6, 6, 5))),
            "/stiffness: expected shape (sve, 6, 6), received (6, 6, 5)",
        ),
        (
            change("load_path", lambda c: np.ones((6, 2), int)),
            "/load_path: expected shape (sve, 3), received (6, 2)",
        ),
        (
            change("residual", lambda c: np.full(6, np.nan)),
            "/residual: expected finite numbers, received nan at (0,); 6 in all",
        ),
        (
            change("residual", lambda c: np.zeros(3)),
            "/residual: expected 6 rows, one for each SVE of /voxels, received 3",
        ),
        (
            change("parts", lambda c: np.zeros((3, 2))),
            "/parts: expected a table (part, column) with an attribute `columns`",
        ),
        (
            change("parts/seed", lambda c: np.zeros(3)),
            "/parts: expected a table (part, column) with an attribute `columns`",
        ),
        (
            change("tension/stress_x", lambda c: np.zeros((6, 3))),
            "/tension: expected a group with strain (increment,)",
        ),
        (
            with_value("voxels", (3, 1, 2, 5), 2),
            "/voxels: expected 0 (solid) and 1 (pore), received 2 in SVE 3 at voxel (1, 2, 5)",
        ),
        (
            with_value("properties", (2, 1), np.nan),
            "/properties: expected finite numbers, received nan at (2, 1); 1 in all",
        ),
        (
            with_value("properties", (0, 0), np.inf),
            "/properties: expected finite numbers, received inf at (0, 0)",
        ),
        (with_value("porosity", (4,), 0.9), "/porosity: SVE 4 is given as 0.9, its voxels have"),
        # values are checked as they will be used
        (
            change("properties", lambda c: np.add(c["properties"], np.array([1e39, 0.0]))),
            "/properties: expected numbers that float32 can hold, received 1e+39 at (0, 0); 6 in",
        ),
        (
            change("part_id", lambda c: np.full(6, 2**63, np.uint64)),
            "/part_id: expected at most 9223372036854775807, received 9223372036854775808",
        ),
        (
            change("part_id", lambda c: h5py.Empty("i8")),
            "/part_id: expected numbers, received a dataset that is null",
        ),
        (
            change("tension/strain", lambda c: h5py.Empty("f8")),
            "/tension: expected a group with strain (increment,)",
        ),
        (
            change("parts", lambda c: h5py.Empty("f8")),
            "/parts: expected a table",
        ),
    ],
)
def test_each_fault_is_named(
    tmp_path: Path, spoil: Callable[[dict[str, np.ndarray]], None], message: str
) -> None:
    content = arrays()
    spoil(content)
    path = write_raw(tmp_path / "bad.h5", content)
    assert any(problem.startswith(message) for problem in find_problems(path)), find_problems(path)


def test_all_faults_are_listed_at_once(tmp_path: Path) -> None:
    content = arrays()
    content["properties"][0, 0] = np.nan
    content["part_id"] = content["part_id"][:3]
    path = write_raw(tmp_path / "bad.h5", content, names=("E_x",), units=("MPa", "MPa"))
    assert len(find_problems(path)) == 3
    with pytest.raises(DataError, match=r"(?s)bad\.h5: .*bad\.h5: .*bad\.h5: "):
        open_dataset(path)


def test_names_and_units_must_fit_the_columns(tmp_path: Path) -> None:
    path = write_raw(tmp_path / "bad.h5", arrays(), names=("E_x", "E_x"), units=("MPa",))
    assert find_problems(path) == [
        "/properties: expected distinct names, received E_x, E_x",
        "/properties: expected 2 units, one for each column, received 1",
    ]


def test_no_sves(tmp_path: Path) -> None:
    path = write_raw(tmp_path / "none.h5", {key: array[:0] for key, array in arrays().items()})
    assert find_problems(path) == ["/voxels: expected at least one SVE, received none"]


def test_empty_file_text_file_folder_and_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty.h5").touch()
    (tmp_path / "text.h5").write_text("not HDF5", encoding="utf-8")
    for name, received in (
        ("empty.h5", "something else"),
        ("text.h5", "something else"),
        ("missing.h5", "found nothing"),
        (".", "found a folder"),
    ):
        with pytest.raises(DataError, match=f"expected an HDF5 file, .*{received}"):
            open_dataset(tmp_path / name)


@pytest.mark.parametrize("share", [0.02, 0.5, 0.98])
def test_truncated_file(tmp_path: Path, tiny_file: Path, share: float) -> None:
    content = tiny_file.read_bytes()
    path = tmp_path / "cut.h5"
    path.write_bytes(content[: int(share * len(content))])
    (problem,) = find_problems(path)
    assert "truncated" in problem


def test_damaged_chunk_is_a_problem_not_a_crash(tmp_path: Path, tiny_file: Path) -> None:
    with h5py.File(tiny_file, "r") as file:
        chunk = file["voxels"].id.get_chunk_info(1)
    content = bytearray(tiny_file.read_bytes())
    content[chunk.byte_offset : chunk.byte_offset + chunk.size] = bytes(chunk.size)
    path = tmp_path / "damaged.h5"
    path.write_bytes(content)
    (problem,) = find_problems(path)
    assert problem.startswith("cannot be read, damaged or truncated")


def test_writing_a_broken_dataset_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    write_dataset(path, arrays(), ("E_x", "E_z"), ("MPa", "MPa"), {})
    before = path.read_bytes()
    broken = arrays()
    broken["voxels"][0] = 7
    with pytest.raises(DataError, match=r"a\.h5: not written: /voxels: expected 0"):
        write_dataset(path, broken, ("E_x", "E_z"), ("MPa", "MPa"), {})
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == ["a.h5"]


def test_full_disk_while_writing_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.replace", no_space)
    with pytest.raises(DataError, match=r"a\.h5: not written: .*No space left on device"):
        write_dataset(tmp_path / "a.h5", arrays(), ("E_x", "E_z"), ("MPa", "MPa"), {})
    assert list(tmp_path.iterdir()) == []


def test_what_has_labels_is_a_type_of_its_own(tmp_path: Path, tiny_file: Path) -> None:
    """Whether labels were asked for or not; without them there are none to read."""
    voxels = write_raw(tmp_path / "ct.h5", {"voxels": arrays()["voxels"]})
    for data in (open_dataset(tiny_file), open_dataset(tiny_file, labelled=False)):
        assert isinstance(data, LabelledDataset)
        assert data.properties.shape == (data.count, len(data.names))
    assert not isinstance(open_dataset(voxels, labelled=False), LabelledDataset)


def test_unlabelled_file_opens_only_when_asked(tmp_path: Path) -> None:
    path = write_raw(tmp_path / "ct.h5", {"voxels": arrays()["voxels"]})
    data = open_dataset(path, labelled=False)
    assert data.properties is None
    assert data.names == ()
    with pytest.raises(DataError, match="/properties is missing"):
        open_dataset(path)


def test_labels_without_a_load_path_are_told(tmp_path: Path) -> None:
    """Three SVEs, the first without a load path along z, the second along y and z; then the second
    alone.
    """
    arrays = {
        "voxels": np.zeros((3, 4, 4, 4), np.uint8),
        "properties": np.ones((3, 1)),
        "part_id": np.arange(3),
        "load_path": np.array([[1, 1, 0], [1, 0, 0], [1, 1, 1]], np.uint8),
        "residual": np.array([1e-4, 3e-4, 2e-4]),
    }
    write_dataset(tmp_path / "a.h5", arrays, ("E_x",), ("MPa",), {})
    text = describe_dataset(tmp_path / "a.h5")
    assert "2 SVEs without a load path (1 along y, 2 along z), labelled 0 there" in text
    assert "largest residual of the solver 3.0e-04" in text
    write_dataset(
        tmp_path / "a.h5",
        {key: array[1:2] for key, array in arrays.items()},
        ("E_x",),
        ("MPa",),
        {},
    )
    text = describe_dataset(tmp_path / "a.h5")
    assert "  1 SVE of 4 x 4 x 4 voxels" in text
    assert "  1 part of 1 SVE: one part only" in text
    assert "  1 SVE without a load path (1 along y, 1 along z), labelled 0 there" in text
    write_dataset(
        tmp_path / "a.h5",
        arrays | {"load_path": np.ones((3, 3), np.uint8), "part_id": np.array([0, 1, 1])},
        ("E_x",),
        ("MPa",),
        {},
    )
    text = describe_dataset(tmp_path / "a.h5")
    assert "  2 parts of 1 to 2 SVEs\n" in text
    assert "load path" not in text


def written(path: Path, **attributes: object) -> Path:
    content = arrays() | {"tension/strain": np.array([0.01, 0.02])}
    write_dataset(path, content, ("E_x", "E_z"), ("MPa", "MPa"), attributes)
    return path


def test_what_svevae_writes_has_checksums_everywhere(tmp_path: Path) -> None:
    path = written(tmp_path / "a.h5")
    with h5py.File(path) as file:
        kept: dict[str, bool] = {}
        file.visititems(
            lambda name, item: (
                kept.update({name: item.fletcher32}) if isinstance(item, h5py.Dataset) else None
            )
        )
    assert kept == dict.fromkeys(
        ("voxels", "properties", "part_id", "porosity", "tension/strain"), True
    )
    assert re.search(r"checksums agree, content digest [0-9a-f]{32}", describe_dataset(path))


def test_older_files_read_and_say_that_they_have_no_checksums(tmp_path: Path) -> None:
    path = write_raw(tmp_path / "a.h5", arrays())
    assert open_dataset(path).count == 6
    assert "no checksums" in describe_dataset(path)


def digest_of(path: Path) -> str:
    return describe_dataset(path).partition("content digest ")[2].split()[0]


def test_the_content_digest_does_not_depend_on_how_a_file_packs(tmp_path: Path) -> None:
    path = written(tmp_path / "a.h5", title="steel", voxel_size_um=5.0)
    with h5py.File(path) as source, h5py.File(tmp_path / "b.h5", "w") as target:
        for name in source:
            source.copy(name, target)
        target.attrs.update(source.attrs)
        voxels = target["voxels"][:]
        del target["voxels"]
        target.create_dataset("voxels", data=voxels, chunks=(1, 4, 4, 4), compression="lzf")
    assert digest_of(tmp_path / "b.h5") == digest_of(path)
    assert digest_of(written(tmp_path / "c.h5", title="iron", voxel_size_um=5.0)) != digest_of(path)


def flip_part(file: h5py.File) -> None:
    file["part_id"][1] = 7


def flip_voxel(file: h5py.File) -> None:
    file["voxels"][5, 7, 7, 7] ^= 1


def rename_property(file: h5py.File) -> None:
    file["properties"].attrs["names"] = ["E_x", "E_y"]


def rescale(file: h5py.File) -> None:
    file.attrs["voxel_size_um"] = 6.0


def forge(file: h5py.File) -> None:
    lines = file.attrs["contents"]
    lines[-1] = lines[-1][:-1] + (b"0" if lines[-1][-1:] != b"0" else b"1")
    file.attrs["contents"] = lines


@pytest.mark.parametrize(
    ("spoil", "labelled", "message", "at_opening"),
    [
        (lambda file: file.pop("properties"), False, "lost or renamed: /properties", True),
        (lambda file: file.move("porosity", "pores"), True, "added later: /pores", True),
        (lambda file: file.pop("porosity"), True, "lost or renamed: /porosity", True),
        (flip_part, True, "/part_id: the values are not those that were written", True),
        (rename_property, True, "/properties@names: the attribute is not what was written", True),
        (rescale, True, "/@voxel_size_um: the attribute is not what was written", True),
        (lambda file: file.attrs.pop("voxel_size_um"), True, "renamed: /@voxel_size_um", True),
        (lambda file: file.attrs.pop("contents"), True, "do not fit together", True),
        (lambda file: file.attrs.pop("content_digest"), True, "do not fit together", True),
        (forge, True, "do not fit together", True),
        (flip_voxel, True, "/voxels: the values are not those that were written", False),
    ],
)
def test_what_was_changed_after_writing_is_found(
    tmp_path: Path,
    spoil: Callable[[h5py.File], None],
    labelled: bool,
    message: str,
    at_opening: bool,
) -> None:
    """A change of voxels is found by a pass over all, and the porosity does not tell: 1 of 512."""
    path = tmp_path / "a.h5"
    content = arrays()
    del content["porosity"]
    content |= {} if spoil is flip_voxel else {"porosity": arrays()["porosity"]}
    write_dataset(path, content, ("E_x", "E_z"), ("MPa", "MPa"), {"voxel_size_um": 5.0})
    with h5py.File(path, "r+") as file:
        spoil(file)
    assert any(message in problem for problem in find_problems(path, labelled))
    assert bool(find_problems(path, labelled, scan_voxels=False)) == at_opening
    with pytest.raises(DataError, match=r"a\.h5: \d problem"):
        describe_dataset(path)


def test_an_attribute_added_later_is_no_fault(tmp_path: Path) -> None:
    path = written(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        file.attrs["voxel_size_um"] = np.array([4.0])
    assert open_dataset(path).voxel_size == 4
    assert find_problems(path) == []


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (5, 5.0),
        (np.array([5.0]), 5.0),
        (np.array([5.0, 5.0, 5.0]), 5.0),
        (np.array([5.0, 5.0, 10.0]), "expected voxels that are cubes, received 5 x 5 x 10 um"),
        (np.nan, "expected a number above 0, in um, received nan"),
        (np.inf, "received inf"),
        (0, "received 0"),
        (-1.0, "received -1.0"),
        ("10 um", "received '10 um'"),
        (h5py.Empty("f8"), "received nothing"),
        (np.array([5.0, 5.0]), "received [5.0, 5.0]"),
    ],
)
def test_the_voxel_size_is_checked_as_it_will_be_used(
    tmp_path: Path, size: object, expected: float | str
) -> None:
    path = write_raw(tmp_path / "a.h5", arrays())
    with h5py.File(path, "r+") as file:
        file.attrs["voxel_size_um"] = size
    if isinstance(expected, float):
        assert open_dataset(path).voxel_size == expected
        assert "voxel size 5 um" in describe_dataset(path)
    else:
        (problem,) = find_problems(path)
        assert problem.startswith("voxel_size_um: ")
        assert problem.endswith(expected)


def test_a_null_dataset_that_is_not_of_the_contract_is_no_fault(tmp_path: Path) -> None:
    path = write_raw(tmp_path / "a.h5", arrays() | {"comment": h5py.Empty("S9")})
    assert find_problems(path) == []


@pytest.mark.parametrize(
    ("names", "usable"),
    [
        (("Rp0.2%", "E [MPa]"), True),  # MLflow takes another name for them, the file keeps its own
        (("", "E_x"), False),
        ((" ", "E_x"), False),
        (("E\nx", "E_y"), False),
    ],
)
def test_names_of_properties(tmp_path: Path, names: tuple[str, str], usable: bool) -> None:
    problems = find_problems(write_raw(tmp_path / "a.h5", arrays(), names))
    assert problems == [] if usable else "control characters" in problems[0]


def test_a_shape_that_the_file_cannot_hold_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    shape = (2**40, 8, 8, 8)
    with h5py.File(path, "w") as file:
        file.create_dataset("voxels", shape, "u1", chunks=(64, 8, 8, 8), compression="gzip")
    (problem,) = find_problems(path, labelled=False)
    assert problem.startswith("/voxels: expected values that the file of")
    assert problem.endswith(f"received shape {shape}")


@pytest.mark.parametrize("chunks", [None, (1, 8, 8, 8), (4, 8, 8, 8), (40, 8, 8, 8)])
def test_scattered_sves(tmp_path: Path, chunks: tuple[int, ...] | None) -> None:
    random = np.random.default_rng(3)
    voxels = (random.random((40, 8, 8, 8)) < 0.3).astype(np.uint8)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("voxels", data=voxels, chunks=chunks)
    data = open_dataset(tmp_path / "a.h5", labelled=False)
    for index in ([], [39], [5, 5, 0], random.permutation(40), random.integers(0, 40, 100)):
        index = np.asarray(index, int)
        np.testing.assert_array_equal(data.voxels(index), voxels[index])
    with pytest.raises(IndexError, match="expected 0 to 39"):
        data.voxels(np.array([40]))


def test_a_file_open_elsewhere(tmp_path: Path) -> None:
    path = written(tmp_path / "a.h5")
    code = "import h5py; file = h5py.File('a.h5', 'r+'); print('open', flush=True); input()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, **pipes) as other:
        assert other.stdout.readline() == "open\n"
        (problem,) = find_problems(path)
        other.communicate("\n")
    assert "another program has open; close it there" in problem


def test_a_filter_that_is_not_installed(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        space, kind = h5py.h5s.create_simple((6, 8, 8, 8)), h5py.h5t.NATIVE_UINT8
        packing = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        packing.set_chunk((6, 8, 8, 8))
        packing.set_filter(301, h5py.h5z.FLAG_OPTIONAL)
        item = h5py.h5d.create(file.id, b"voxels", kind, space, packing)
        item.write_direct_chunk((0, 0, 0, 0), bytes(6 * 512))
    (problem,) = find_problems(path, labelled=False)
    assert problem.endswith("by an HDF5 filter that is not installed here: voxels: filter 301")
