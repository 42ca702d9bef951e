"""Files and folders appear whole or not at all; arrays are kept, found again, and not found where
they are damaged.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from svevae.files import load_arrays, repair_folder, replace_folder, save_arrays, write_text


def test_what_is_kept_is_found(tmp_path: Path) -> None:
    path = tmp_path / "below" / "work.npz"
    assert load_arrays(path) is None
    save_arrays(path, {"codes": np.arange(6.0).reshape(2, 3), "name": np.array(["bar"])})
    found = load_arrays(path)
    np.testing.assert_array_equal(found["codes"], np.arange(6.0).reshape(2, 3))
    assert found["name"].tolist() == ["bar"]
    assert [file.name for file in path.parent.iterdir()] == ["work.npz"]


@pytest.mark.parametrize("damage", ["cut", "scrambled", "empty", "text", "array"])
def test_what_is_damaged_is_not_found(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "work.npz"
    save_arrays(path, {"codes": np.random.default_rng(0).random(1000)})
    whole = path.read_bytes()
    if damage == "array":  # .npy beneath the name of .npz
        with path.open("wb") as file:
            np.save(file, np.zeros(3))
    else:
        path.write_bytes(
            {
                "cut": whole[:200],
                "scrambled": whole[:150] + bytes(50) + whole[200:],
                "empty": b"",
                "text": b"hello",
            }[damage]
        )
    assert load_arrays(path) is None


def make_folder(path: Path, text: str) -> Path:
    path.mkdir()
    (path / "model").write_text(text)
    return path


def test_a_folder_takes_the_place_of_another(tmp_path: Path) -> None:
    for text in ("first", "second", "third"):
        replace_folder(make_folder(tmp_path / "new", text), tmp_path / "kept")
        assert (tmp_path / "kept" / "model").read_text() == text
        assert [path.name for path in tmp_path.iterdir()] == ["kept"]


@pytest.mark.parametrize("step", [1, 2])
def test_an_error_while_a_folder_is_replaced_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    old, new = make_folder(tmp_path / "kept", "old"), make_folder(tmp_path / "new", "new")
    rename, calls = os.rename, []

    def failing(source: Path, target: Path) -> None:
        calls.append(source)
        if len(calls) == step:
            raise OSError("no space left on device")
        rename(source, target)

    monkeypatch.setattr(os, "rename", failing)
    with pytest.raises(OSError, match="no space left"):
        replace_folder(new, old)
    assert (old / "model").read_text() == "old"
    assert not (tmp_path / ".kept.old").exists()


KILLED = """
import os, shutil, sys
from pathlib import Path
from svevae.files import replace_folder
step, calls = int(sys.argv[1]), []
def killed_before(function):
    def call(*arguments, **options):
        calls.append(function)
        if len(calls) == step:
            os._exit(9)
        return function(*arguments, **options)
    return call
os.rename, shutil.rmtree = killed_before(os.rename), killed_before(shutil.rmtree)
replace_folder(Path("new"), Path("kept"))
"""


@pytest.mark.parametrize("step", [1, 2, 3, 4])
def test_a_kill_while_a_folder_is_replaced_loses_nothing(tmp_path: Path, step: int) -> None:
    """Before: 1 the removal of a leftover, 2 and 3 the two renames, 4 the removal of the old."""
    make_folder(tmp_path / "kept", "old")
    make_folder(tmp_path / "new", "new")
    done = subprocess.run([sys.executable, "-c", KILLED, str(step)], cwd=tmp_path, check=False)
    assert done.returncode == 9
    assert (tmp_path / "kept").exists() == (step != 3)
    repair_folder(tmp_path / "kept")
    assert (tmp_path / "kept" / "model").read_text() == ("new" if step == 4 else "old")
    again = make_folder(tmp_path / "newest", "newest")
    replace_folder(again, tmp_path / "kept")
    assert (tmp_path / "kept" / "model").read_text() == "newest"
    assert not (tmp_path / ".kept.old").exists()


def test_nothing_to_repair(tmp_path: Path) -> None:
    repair_folder(tmp_path / "absent")
    assert not list(tmp_path.iterdir())


def test_a_text_that_cannot_be_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "metrics.json"
    write_text(path, "{}\n")

    def half(self: Path, text: str) -> None:
        with open(self, "w") as file:
            file.write(text[:3])
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_text", half)
    with pytest.raises(KeyboardInterrupt):
        write_text(path, '{"mean_r2": 0.9}\n')
    assert path.read_text() == "{}\n"
    assert [file.name for file in tmp_path.iterdir()] == ["metrics.json"]
