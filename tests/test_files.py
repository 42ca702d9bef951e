"""Files and folders appear whole or not at all; arrays are kept, found again, and not found where
they are damaged.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from svevae.errors import DataError
from svevae.files import (
    load_arrays,
    locked,
    no_room,
    repair_folder,
    replace_folder,
    save_arrays,
    write_json,
    write_text,
)

CAPTURED = {"capture_output": True, "text": True, "check": True}


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
    (path / "model").write_text(text, encoding="utf-8")
    return path


def test_a_folder_takes_the_place_of_another(tmp_path: Path) -> None:
    for text in ("first", "second", "third"):
        replace_folder(make_folder(tmp_path / "new", text), tmp_path / "kept")
        assert (tmp_path / "kept" / "model").read_text(encoding="utf-8") == text
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
    assert (old / "model").read_text(encoding="utf-8") == "old"
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
    assert (tmp_path / "kept" / "model").read_text(encoding="utf-8") == (
        "new" if step == 4 else "old"
    )
    again = make_folder(tmp_path / "newest", "newest")
    replace_folder(again, tmp_path / "kept")
    assert (tmp_path / "kept" / "model").read_text(encoding="utf-8") == "newest"
    assert not (tmp_path / ".kept.old").exists()


def test_nothing_to_repair(tmp_path: Path) -> None:
    repair_folder(tmp_path / "absent")
    assert not list(tmp_path.iterdir())


def test_a_text_that_cannot_be_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "metrics.json"
    write_text(path, "{}\n")

    def half(self: Path, text: str, **_: str) -> None:
        with open(self, "w", encoding="utf-8") as file:
            file.write(text[:3])
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_text", half)
    with pytest.raises(KeyboardInterrupt):
        write_text(path, '{"mean_r2": 0.9}\n')
    assert path.read_text(encoding="utf-8") == "{}\n"
    assert [file.name for file in tmp_path.iterdir()] == ["metrics.json"]


def test_texts_are_utf8_whatever_the_locale(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from svevae.files import write_json, write_text;"
        " write_text(Path('a.txt'), '10 \\u00b5m\\n'); write_json(Path('a.json'), {'E_x': 1})"
    )
    environment = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)
    assert (tmp_path / "a.txt").read_bytes() == b"10 \xc2\xb5m\n"
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == '{\n "E_x": 1\n}\n'


def test_all_is_on_the_disk_before_a_name_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file, then the rename, then the folder; of a folder everything in it."""
    steps: list[str] = []
    fsync, replace, rename = os.fsync, os.replace, os.rename

    def synced(descriptor: int) -> None:
        steps.append(os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", lambda *names: (replace(*names), steps.append("->")))
    monkeypatch.setattr(os, "rename", lambda *names: (rename(*names), steps.append("->")))
    write_json(tmp_path / "a.json", {})
    assert steps == [f".a.json.{os.getpid()}.part", "->", tmp_path.name]
    steps.clear()
    replace_folder(make_folder(tmp_path / "new", "first"), tmp_path / "kept")
    assert steps == ["model", "new", "->", tmp_path.name]


def test_leftovers_of_dead_processes_go(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], **CAPTURED)
    dead, mine = done.stdout.strip(), os.getpid()
    old, fresh = tmp_path / f".a.json.{dead}.part", tmp_path / f".a.json.1{dead}000.part"
    alive, other = tmp_path / f".a.json.{os.getppid()}.part", tmp_path / f".b.json.{dead}.part"
    for path in (old, fresh, alive, other):
        path.touch()
    for path in (old, alive, other):
        os.utime(path, (0, 0))
    write_json(tmp_path / "a.json", {"by": mine})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"by": mine}
    assert not old.exists()
    assert all(path.exists() for path in (fresh, alive, other))


def test_a_member_that_is_no_array_is_damage(tmp_path: Path) -> None:
    save_arrays(tmp_path / "work.npz", {"codes": np.zeros(3)})
    with zipfile.ZipFile(tmp_path / "work.npz", "a") as archive:
        archive.writestr("note", "text")
    assert load_arrays(tmp_path / "work.npz") is None


HOLDS = """
import sys
from pathlib import Path
from svevae.files import locked
with locked(Path("work/train.lock"), "train"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_lock_names_its_holder_and_goes_with_it(tmp_path: Path) -> None:
    path = tmp_path / "work" / "train.lock"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", HOLDS], cwd=tmp_path, **pipes) as other:
        assert other.stdout.readline() == "held\n"
        for _ in range(2):  # who asked in vain has not taken the name away
            said = f"found `svevae train`, process {other.pid} since 20"
            with pytest.raises(DataError, match=said), locked(path, "evaluate"):
                pass
        with locked(tmp_path / "work" / "search.lock", "search"):
            pass
        other.kill()
        other.wait()
    with locked(path, "train"):
        assert (
            json.loads((path.parent / "train.holder.json").read_text(encoding="utf-8"))["pid"]
            == os.getpid()
        )


def test_whether_a_folder_takes_more(tmp_path: Path) -> None:
    """Where it does, nothing is left of the question."""
    assert no_room(tmp_path) is None
    assert list(tmp_path.iterdir()) == []
    assert no_room(tmp_path / "none") == "No such file or directory"
