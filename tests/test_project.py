"""`svevae init`: what a new project holds, and what it refuses."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from svevae.cli import main
from svevae.config import load_params
from svevae.dataset.store import SVEDataset, write_dataset
from svevae.errors import ConfigError, DataError
from svevae.parts.config import load_multiscale
from svevae.places import PROJECT_FILES
from svevae.project import init, with_value, without_repository, without_sources
from tests.conftest import ROOT

NAME_OF_USER = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Test"), ("EMAIL", "test@example.org"))
}


@pytest.fixture(autouse=True)
def user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in NAME_OF_USER.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", *words], cwd=folder, capture_output=True, encoding="utf-8", check=True
    )
    return done.stdout


def test_without_data(tmp_path: Path) -> None:
    """Every file stands and reads as the pipeline wants it, in a first commit."""
    said = init(Path("new"))
    assert said.endswith("next: cd new && svevae generate && dvc add data && dvc repro")
    assert [path.name for path in tmp_path.iterdir()] == ["new"]
    assert set(git(tmp_path / "new", "ls-files").split()) == set(PROJECT_FILES)
    assert git(tmp_path / "new", "status", "--porcelain") == ""
    assert load_params("new/params.yaml").evaluate.others == ()
    load_multiscale("new/multiscale/params.yaml")


def test_stages_depend_on_nothing_that_the_user_lacks(tmp_path: Path) -> None:
    init(Path("new"))
    made = {"data"}
    for name in ("dvc.yaml", "multiscale/dvc.yaml"):
        stages = yaml.safe_load(Path("new", name).read_text(encoding="utf-8"))["stages"]
        assert list(stages) == list(
            yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))["stages"]
        )
        for stage in stages.values():
            made |= {
                next(iter(out)) if isinstance(out, dict) else out
                for out in stage["outs"] + stage.get("metrics", [])
            }
        for stage in stages.values():
            for dep in stage["deps"]:
                assert dep in made or str(Path(dep).parent) in made, dep
    text = "".join(Path("new", name).read_text(encoding="utf-8") for name in PROJECT_FILES)
    assert "src/svevae" not in text
    assert "docs/" not in text


def test_with_data(tmp_path: Path, tiny_file: Path, environment: dict[str, str]) -> None:
    """The file is copied, named in both parameter files and kept by DVC, not by git; it has no
    labels along y, so x and y are not swapped.
    """
    assert init(tmp_path / "new", tiny_file).endswith("dvc repro")
    folder = tmp_path / "new"
    params = load_params(folder / "params.yaml")
    assert params.prepare.dataset == "data/tiny.h5"
    assert params.train.augmentation == ("flip_x", "flip_y", "flip_z")
    assert load_multiscale(folder / "multiscale" / "params.yaml").parts.dataset == "data/tiny.h5"
    assert (folder / "data" / "tiny.h5").read_bytes() == tiny_file.read_bytes()
    assert set(git(folder, "ls-files").split()) == {*PROJECT_FILES, "data.dvc"}
    assert git(folder, "status", "--porcelain") == ""
    run = {"cwd": folder, "env": environment, "capture_output": True, "text": True, "check": True}
    assert "up to date" in subprocess.run(["dvc", "status", "data.dvc"], **run).stdout


def test_labels_along_x_and_y_are_swapped(tmp_path: Path, tiny: SVEDataset) -> None:
    arrays = {"voxels": next(tiny.slabs())[1], "part_id": tiny.part_id}
    arrays["properties"] = tiny.properties[:, :2]
    write_dataset(tmp_path / "a: b.h5", arrays, ("E_x", "E_y"), ("MPa", "MPa"), {})
    init(tmp_path / "new", tmp_path / "a: b.h5")
    params = load_params(tmp_path / "new" / "params.yaml")
    assert params.train.augmentation == ("flip_x", "flip_y", "flip_z", "swap_xy")
    assert params.prepare.dataset == "data/a: b.h5"


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    inode = (tmp_path / "here").stat().st_ino
    init(tmp_path / "here")
    assert (tmp_path / "here").stat().st_ino == inode
    assert {path.name for path in tmp_path.iterdir()} == {"here"}


def test_what_it_refuses(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    Path("full").mkdir()
    Path("full", "a").touch()
    Path("file.txt").touch()
    for name, message in (
        ("full", "full: expected a new or an empty folder, found a folder with files in it"),
        ("file.txt", "file.txt: expected a new or an empty folder, found a file"),
        ("none/new", f"none/new: expected a folder {tmp_path}/none to lay it in, found none"),
    ):
        assert main(["init", name]) == 2
        assert capsys.readouterr().err == f"svevae init: {message}\n"
    assert {path.name for path in tmp_path.iterdir()} == {"full", "file.txt"}


def test_data_without_properties(tmp_path: Path, tiny: SVEDataset) -> None:
    arrays = {"voxels": next(tiny.slabs())[1], "part_id": tiny.part_id}
    write_dataset(tmp_path / "bare.h5", arrays, (), (), {})
    with pytest.raises(DataError, match=r"bare\.h5: /properties"):
        init(tmp_path / "new", tmp_path / "bare.h5")
    with pytest.raises(ConfigError, match=r"data: expected an SVE file.*received .*bare\.txt"):
        init(tmp_path / "new", tmp_path / "bare.txt")
    assert not (tmp_path / "new").exists()


def test_nothing_is_left_of_a_failure(
    tmp_path: Path, tiny_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A git that refuses to start a repository."""
    (tmp_path / "bin").mkdir()
    refusing = tmp_path / "bin" / "git"
    refusing.write_text("#!/bin/sh\necho 'fatal: no' >&2\nexit 1\n", encoding="utf-8")
    refusing.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(ConfigError, match=r"`git init .*` in the new project failed: fatal: no"):
        init(tmp_path / "new", tiny_file)
    assert {path.name for path in tmp_path.iterdir()} == {"bin"}


def test_without_git(tmp_path: Path, tiny_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "git" else which(name))
    assert "git is not here" in init(tmp_path / "new", tiny_file)
    assert not (tmp_path / "new" / ".git").exists()
    assert (tmp_path / "new" / "data.dvc").is_file()


def test_without_a_user_of_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What git asks for is the user's to say; the project stands."""
    for name in NAME_OF_USER:
        monkeypatch.delenv(name)
    config = tmp_path / "gitconfig"
    config.write_text("[user]\n    useConfigOnly = true\n", encoding="utf-8")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    assert "nothing is committed yet" in init(tmp_path / "new")
    assert "A  params.yaml" in git(tmp_path / "new", "status", "--porcelain")


def test_a_value_is_set_and_its_comment_stays() -> None:
    text = "a:\n  x: 1 # one\n\nb: # of b\n  x: [1, 2] # two\n  y: 3\n"
    assert with_value(text, "b", "x", "5") == text.replace("[1, 2]", "5")
    assert with_value(text, "b", "y", "4") == text.replace("3", "4")
    with pytest.raises(KeyError, match=r"a\.y"):
        with_value(text, "a", "y", "4")


def test_source_files_are_no_deps() -> None:
    text = "# head\nstages:\n  a:\n    deps:\n      - data\n      - src/svevae/a.py\n    outs:\n"
    assert without_sources(text).endswith("    deps:\n      - data\n    outs:\n")


def test_comments_name_no_files_of_the_repository() -> None:
    text = "# see src/svevae/parts/config.py.\na: 5 # few; docs/search.md has more\n"
    assert without_repository(text) == "# see the module svevae.parts.config.\na: 5 # few\n"
