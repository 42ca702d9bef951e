"""The journal outlives its process, forgets what is damaged, and adopts finished files."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from svevae.cli import main
from svevae.dataset import generate as generating
from svevae.dataset.journal import JOURNAL, Journal, alone_at, digests_of, voxel_digest
from svevae.dataset.label_settings import LabelSettings
from svevae.dataset.store import write_dataset
from svevae.errors import DataError
from svevae.scans import importers
from tests.conftest import ROOT
from tests.dataset.sves import NAMES, SETTINGS, STRAIN, UNITS, random_sves


def test_an_sve_is_known_by_its_voxels() -> None:
    """Whatever the integer type; but 2 x 4 x 4 pores are not 4 x 2 x 4, and one voxel makes another
    SVE.
    """
    sve = random_sves(1)[0]
    assert (
        voxel_digest(sve)
        == voxel_digest(sve.astype(bool))
        == voxel_digest(sve.astype(np.int64))
        == voxel_digest(sve.copy("F"))
    )
    assert voxel_digest(np.ones((2, 4, 4))) != voxel_digest(np.ones((4, 2, 4)))
    other = sve.copy()
    other[0, 0, 0] ^= 1
    assert voxel_digest(other) != voxel_digest(sve)


HOLDS = """
import sys
from pathlib import Path
from svevae.dataset.journal import JOURNAL, alone_at
from tests.dataset.sves import SETTINGS
with alone_at(JOURNAL, SETTINGS, "generate"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_one_process_at_a_time_makes_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """A second command is told who holds them; labels of other settings are free."""
    for module in (generating, importers):
        monkeypatch.setattr(module, "label_settings", lambda _: SETTINGS)
    monkeypatch.setattr(generating, "plan_parts", lambda _: [])
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text("generate: {output: a.h5}", encoding="utf-8")
    np.save("a.npy", random_sves(1)[0])
    paths = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")])}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", HOLDS], env=os.environ | paths, **pipes) as other:
        assert other.stdout.readline() == "held\n"
        for command in (["generate"], ["import", "a.npy", "-o", "b.h5", "--label"]):
            assert main(command) == 2
            said = f"found `svevae generate`, process {other.pid} since 20"
            assert said in capsys.readouterr().err
        with alone_at(JOURNAL, replace(SETTINGS, tolerance=1e-3), "generate"):
            pass
        other.kill()
        other.wait()
    with alone_at(JOURNAL, SETTINGS, "generate"):
        pass


def rows(count: int) -> dict[str, np.ndarray]:
    return {
        "properties": np.arange(count * 2.0).reshape(count, 2),
        "tension/stress_x": np.ones((count, 3), np.float32),
    }


def test_journal_is_read_again(tmp_path: Path) -> None:
    """What was added is there for the next process with its types, and not for other settings."""
    Journal(tmp_path, SETTINGS).add(["a", "b"], rows(2))
    again = Journal(tmp_path, SETTINGS).rows
    assert set(again) == {"a", "b"}
    np.testing.assert_array_equal(again["b"]["properties"], [2, 3])
    assert again["b"]["tension/stress_x"].dtype == np.float32
    assert not Journal(tmp_path, replace(SETTINGS, tolerance=1e-4)).rows
    assert set(Journal(tmp_path, SETTINGS).rows) == {"a", "b"}


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def scramble(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[150:200] = bytes(50)
    path.write_bytes(data)


def forget(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, properties=np.zeros((1, 2)))


@pytest.mark.parametrize(
    "damage",
    [
        truncate,
        scramble,
        forget,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_text("hello", encoding="utf-8"),
    ],
)
def test_damaged_file_of_the_journal_is_no_file(
    tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    """Cut off, overwritten, without its digests, empty or text: what it held is forgotten, the
    other file is not.
    """
    journal = Journal(tmp_path, SETTINGS)
    journal.add(["a"], rows(1))
    journal.add(["b"], rows(1))
    damage(journal.folder / "a.npz")
    assert set(Journal(tmp_path, SETTINGS).rows) == {"b"}
    journal.add(["a"], rows(1))
    assert set(Journal(tmp_path, SETTINGS).rows) == {"a", "b"}


def made(
    path: Path, settings: LabelSettings, **more: np.ndarray
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """A finished file of 3 SVEs whose labels are numbers from 0, and of `more`; its voxels and
    labels.
    """
    voxels = random_sves(3)
    columns = {
        "properties": np.arange(21.0).reshape(3, 7),
        "stiffness": np.zeros((3, 6, 6)),
        "tension/stress_x": np.ones((3, 4)),
    }
    arrays = columns | {
        "voxels": voxels,
        "part_id": np.arange(3),
        "tension/strain": np.array(STRAIN),
    }
    arrays |= more
    write_dataset(path, arrays, NAMES, UNITS, {"label_digest": settings.digest()})
    return voxels, columns


def test_finished_file_is_adopted(tmp_path: Path) -> None:
    """Its labels are those of its voxels, curves included; nothing is of one made with another
    tolerance, of none, of a damaged one.
    """
    voxels, columns = made(tmp_path / "a.h5", SETTINGS)
    journal = Journal(tmp_path, SETTINGS)
    journal.adopt(tmp_path / "a.h5")
    assert set(journal.rows) == set(map(voxel_digest, voxels))
    for i, sve in enumerate(voxels):
        for key, column in columns.items():
            np.testing.assert_array_equal(journal.rows[voxel_digest(sve)][key], column[i])
    made(tmp_path / "b.h5", replace(SETTINGS, tolerance=1e-4))
    (tmp_path / "c.h5").write_bytes((tmp_path / "a.h5").read_bytes()[:5000])
    (tmp_path / "d.h5").write_text("hello", encoding="utf-8")
    for name in ("b.h5", "c.h5", "d.h5", "e.h5"):
        other = Journal(tmp_path, SETTINGS)
        other.adopt(tmp_path / name)
        assert not other.rows


def laws() -> np.ndarray:
    """(3, 5): of the settings' own material, of another, of another still."""
    own = np.array([70_000.0, 0.33, 216.0, 312.0, 40.0])
    return np.stack([own, own * [1, 1, 1, 1, 2], own * [1, 1, 0.5, 1, 1]])


def test_an_sve_is_known_by_its_law_too() -> None:
    """Unless that is the settings' own: then it is the SVE that is known without one."""
    sve = random_sves(1)
    voxels = np.repeat(sve, 3, axis=0)
    found = digests_of(voxels, laws(), SETTINGS)
    assert len(set(found)) == 3
    assert found[0] == voxel_digest(sve[0]) == digests_of(sve, None, SETTINGS)[0]
    assert found[1:] == [voxel_digest(sve[0], law) for law in laws()[1:]]


def test_a_finished_file_of_several_laws_is_adopted(tmp_path: Path) -> None:
    """Each label under its SVE and law; not under the SVE alone where the law is another than the
    settings'.
    """
    voxels, columns = made(tmp_path / "a.h5", SETTINGS, law=laws())
    journal = Journal(tmp_path, SETTINGS)
    journal.adopt(tmp_path / "a.h5")
    digests = digests_of(voxels, laws(), SETTINGS)
    assert set(journal.rows) == set(digests)
    assert not set(map(voxel_digest, voxels[1:])) & set(journal.rows)
    for i, digest in enumerate(digests):
        np.testing.assert_array_equal(journal.rows[digest]["properties"], columns["properties"][i])


def test_file_of_a_killed_process_is_no_obstacle(tmp_path: Path) -> None:
    """`kill -9` in the middle of a write leaves a .part, which nobody reads."""
    journal = Journal(tmp_path, SETTINGS)
    (journal.folder / ".a.npz.1.part").write_bytes(b"PK\3\4")
    assert not Journal(tmp_path, SETTINGS).rows


def test_journal_that_cannot_be_written_names_its_file(tmp_path: Path) -> None:
    """/dev/full is a disk without space: DataError with the file's name; what stood there before
    still does.
    """
    journal = Journal(tmp_path, SETTINGS)
    journal.add(["a"], rows(1))
    for name in (
        "a.npz",
        "b.npz",
    ):  # however the name of the file beside is formed, it leads to the full disk
        for beside in (
            f".{name}.{os.getpid()}.part",
            f"{name.removesuffix('.npz')}.{os.getpid()}.part",
        ):
            (journal.folder / beside).symlink_to("/dev/full")
        with pytest.raises(DataError, match=rf"{name}: not written: No space left on device"):
            journal.add([name.removesuffix(".npz")], rows(1))
    assert set(Journal(tmp_path, SETTINGS).rows) == {"a"}
