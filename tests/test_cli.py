"""Bad input as a user meets it: exit code 2, one message that names what is wrong, no traceback,
nothing half-written.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from svevae.cli import as_typed, main
from svevae.cli.options import make_parser
from svevae.meshes.deck import Pull, write_deck
from tests.conftest import PATIENCE, TINY_TRAIN, Run, change_yaml
from tests.meshes.bars import bar
from tests.meshes.test_calculix import BINS, needs_ccx, small_disk


def fails(run: Run, *command: str | Path, cwd: Path, **variables: str) -> str:
    """The message of a command that must exit with 2."""
    done = run(*command, cwd=cwd, code=2, **variables)
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.fixture
def refused(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> Callable[[Path, str], str]:
    """-> a function that runs a command of svevae in this process and in a folder, where it must
    exit with 2; its message.
    """

    def message(folder: Path, *arguments: str) -> str:
        monkeypatch.chdir(folder)
        monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
        capfd.readouterr()
        assert main(arguments) == 2
        return capfd.readouterr().err

    return message


def test_check_says_what_is_in_a_file(run: Run, tiny_file: Path) -> None:
    text = run("svevae", "check", tiny_file, cwd=tiny_file.parent).stdout
    assert "96 SVEs of 32 x 32 x 32 voxels" in text
    assert "porosity" in text


def test_check_lists_everything_that_is_wrong(run: Run, tiny_file: Path, tmp_path: Path) -> None:
    bad = shutil.copy(tiny_file, tmp_path / "bad.h5")
    with h5py.File(bad, "r+") as file:
        file["properties"][3, 1] = np.nan
        del file["part_id"]
        file["part_id"] = np.zeros(5, int)
    message = fails(run, "svevae", "check", "bad.h5", cwd=tmp_path)
    assert message.startswith("svevae check: bad.h5: 2 problems")
    assert "/part_id: expected 96 rows" in message
    assert "/properties: expected finite numbers, received nan at (3, 1)" in message


def test_check_of_no_hdf5(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_text("hello", encoding="utf-8")
    assert "a.h5: 1 problem" in fails(run, "svevae", "check", "a.h5", cwd=tmp_path)


@pytest.mark.parametrize(
    ("section", "values", "message"),
    [
        (
            "train",
            {"latent_dim": 0},
            "params.yaml: train.latent_dim: expected at least 1, received 0",
        ),
        ("train", {"latent_dims": 8}, "params.yaml: train.latent_dims: unknown key"),
        (
            "prepare",
            {"dataset": "data/none.h5"},
            "prepare.dataset: expected an SVE file, found nothing at data/none.h5",
        ),
    ],
)
def test_prepare_refuses(
    refused: Callable[..., str], project: Path, section: str, values: dict, message: str
) -> None:
    change_yaml(project / "params.yaml", **{section: values})
    assert message in refused(project, "prepare")
    assert not (project / "artifacts").exists()


@pytest.fixture
def split(project: Path, finished: Path) -> Path:
    """A project whose data are split."""
    shutil.copytree(finished / "artifacts" / "split", project / "artifacts" / "split")
    return project


def test_train_refuses_what_the_architecture_cannot_do(
    run: Run, refused: Callable[..., str], split: Path
) -> None:
    params = split / "params.yaml"
    change_yaml(params, train={"depth": 6, "from_search": False})
    message = refused(split, "train")
    assert "svevae train: train.depth: expected a smaller one, received 6: patch would" in message
    assert "take 128 voxels along an edge, SVEs have n = 32" in message
    change_yaml(params, train={"depth": TINY_TRAIN["depth"], "architecture": "transformer"})
    assert (
        "train.architecture: expected one of conv, residual, patch, received 'transformer'"
        in refused(split, "train")
    )
    change_yaml(params, train={"architecture": "patch"})
    message = fails(run, "svevae", "train", cwd=split, MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    assert "expected an MLflow server at http://127.0.0.1:9, which does not answer" in message
    assert not (split / "artifacts" / "model").exists()


def test_a_part_alone_cannot_be_split(refused: Callable[..., str], project: Path) -> None:
    with h5py.File(project / "data" / "tiny.h5", "r+") as file:
        file["part_id"][:] = 0
        del file.attrs["contents"], file.attrs["content_digest"]
    assert "/part_id: expected at least 3 parts" in refused(project, "prepare")


def test_train_needs_the_search_that_it_is_told_to_use(
    refused: Callable[..., str], split: Path
) -> None:
    assert (
        "artifacts/search/best.yaml: expected what the search found, found nothing; run `dvc repro"
        " search`" in refused(split, "train")
    )


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (
            ["--crop", "a:b", ":", ":"],
            "--crop: expected START:STOP, either may be left out, received 'a:b'",
        ),
        (
            ["--crop", ":", "5", ":"],
            "--crop: expected START:STOP, either may be left out, received '5'",
        ),
        (
            ["--crop", ":", ":", "\N{SUPERSCRIPT TWO}:"],
            "--crop: expected START:STOP, either may be left out, received '\N{SUPERSCRIPT TWO}:'",
        ),
        (["--pores", "foo"], "--pores: expected dark, bright or a number, received 'foo'"),
        (["--threshold", "nan"], "--threshold: expected a number, received 'nan'"),
        (["--shape", "-4", "4", "4"], "--shape: expected at least 1, received -4"),
        (["--workers", "x"], "--workers: expected at least 1, received x"),
        (["--workers", "0"], "--workers: expected at least 1, received 0"),
    ],
)
def test_import_names_what_an_option_expects(
    option: list[str], message: str, capsys: pytest.CaptureFixture
) -> None:
    with pytest.raises(SystemExit) as refusal:
        main(["import", "a.tif", "-o", "a.h5", *option])
    assert refusal.value.code == 2
    assert capsys.readouterr().err.endswith(f"svevae import: error: argument {message}\n")


@pytest.mark.parametrize(
    "command",
    [
        ("check", "ADDRESS"),
        ("predict", "a.h5", "-o", "ADDRESS"),
        ("import", "a.npy", "ADDRESS", "-o", "a.h5"),
        ("import", "a.npy", "-o", "a.h5", "--table", "ADDRESS"),
        ("field", "a.npy", "-o", "a.csv", "--mask", "ADDRESS"),
        ("spread", "a.h5", "--mesh", "ADDRESS", "-o", "a.csv"),
        ("generate", "--params", "ADDRESS"),
    ],
)
def test_an_address_where_a_file_belongs(
    command: tuple[str, ...], capsys: pytest.CaptureFixture
) -> None:
    with pytest.raises(SystemExit) as left:
        main([word.replace("ADDRESS", "s3://bucket/a.h5") for word in command])
    assert left.value.code == 2
    said = "expected a path on this machine, received the address s3://bucket/a.h5; fetch the file"
    assert f"{said} first: dvc get-url s3://bucket/a.h5 (pip install dvc-s3)\n" in (
        capsys.readouterr().err
    )


def test_arguments_are_told_as_they_are_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    named = make_parser().parse_args(["spread", "a", "--mesh", "b", "-o", "c"]).named
    for message, typed in {
        "material: expected a preset": "--material: expected a preset",
        "material.nu: expected a number": "--material.nu: expected a number",
        "count: expected at least 3": "--samples: expected at least 3",
        "pull TOP, hold BASE: expected": "--pull TOP, --hold BASE: expected",
        "a/mesh.inp: expected a mesh": "a/mesh.inp: expected a mesh",
        "source: expected": "source: expected",
        "material is said twice": "material is said twice",
    }.items():
        assert as_typed(message, named) == typed
    Path("mesh").touch()
    assert as_typed("mesh: expected a file", named) == "mesh: expected a file"


def test_crop_as_it_is_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("a.npy", np.arange(216).reshape(6, 6, 6))
    assert main(["import", "a.npy", "-o", "a.h5", "--crop", "1:4", ":3", "3:"]) == 0
    with h5py.File("a.h5") as file:
        assert file.attrs["crop"] == "1:4 0:3 3:"


@pytest.mark.parametrize(
    ("arguments", "how"),
    [
        (["predict", "a.h5", "-o", "a.csv"], "begins again"),
        (["sample", "-o", "a.h5"], "begins again"),
        (["import", "a.tif", "-o", "a.h5"], "goes on where it stopped"),
    ],
)
def test_what_an_interrupted_command_keeps(
    arguments: list[str], how: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def interrupted(options: object) -> None:
        raise KeyboardInterrupt

    for name in ("run_predict", "run_sample", "run_import"):
        monkeypatch.setattr(f"svevae.cli.commands.{name}", interrupted)
    assert main(arguments) == 130
    said = f"svevae {arguments[0]}: interrupted; the same command {how}\n"
    assert capsys.readouterr().err == said


def test_sigterm_ends_as_ctrl_c_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """What runs puts its things away, which a second one does not disturb; then the signal is
    heeded as before.
    """
    put_away = []

    def ended(options: object) -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(PATIENCE)
        except KeyboardInterrupt:
            os.kill(os.getpid(), signal.SIGTERM)
            put_away.append(True)
            raise

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr("svevae.cli.commands.run_predict", ended)
    assert main(["predict", "a.h5", "-o", "a.csv"]) == 143
    assert put_away == [True]
    assert signal.getsignal(signal.SIGTERM) is before
    assert capsys.readouterr().err == "svevae predict: ended; the same command begins again\n"


def test_a_reader_that_has_enough(tiny_file: Path, environment: dict[str, str]) -> None:
    """`svevae check FILE | head -1`, whose pipe is closed before anything is written."""
    check = subprocess.Popen(
        ["svevae", "check", tiny_file],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    check.stdout.close()
    assert check.stderr.read() == ""
    check.stderr.close()
    assert check.wait(PATIENCE) == 1


def test_no_stdout(run: Run, tiny_file: Path, tmp_path: Path) -> None:
    done = run("sh", "-c", f"svevae check {tiny_file} >&-", cwd=tmp_path)
    assert done.stderr == ""


def test_outside_a_project(run: Run, tmp_path: Path) -> None:
    assert "params.yaml: expected the parameters of the pipeline" in fails(
        run, "svevae", "train", cwd=tmp_path
    )
    assert "run `make repro`" in fails(run, "svevae", "summary", cwd=tmp_path)
    np.save(tmp_path / "pores.npy", np.eye(8, dtype="u1") * np.ones((8, 1, 1), "u1"))
    command = ("svevae", "import", "pores.npy", "-o", "sves.h5", "--size", "8", "--label")
    said = fails(run, *command, cwd=tmp_path)
    assert "params.yaml: expected the parameters of the pipeline" in said
    assert "name another with --params" in said


def test_full_disk(run: Run, project: Path) -> None:
    """A real file system of 64 KiB under artifacts/, where the machine lets us mount one."""
    folder = project / "artifacts"
    folder.mkdir()
    mounted = run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder, cwd=project, code=None)
    if mounted.returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        message = fails(run, "svevae", "prepare", cwd=project)
    finally:
        run("umount", folder, cwd=project)
    assert "No space left on device" in message


@pytest.mark.parametrize(
    "option",
    [
        *("--clamp", "--rotation 0 0 90", "--origin 0 0 0", "--mesh-unit cm", "--drawn"),
        *("--stress-error 0.1", "--without drop", "--keep-types", "--increments 5"),
        *("--uncorrelated", "--pull TOP", "--porosity 0.1"),
    ],
)
def test_options_of_a_mesh_without_one(
    option: str, refused: Callable[..., str], tmp_path: Path
) -> None:
    """Nothing heeds them: so they are refused."""
    name = option.split()[0]
    said = refused(tmp_path, "field", "a.npy", "-o", "a.csv", "-m", "any", *option.split())
    assert said == f"svevae field: {name}: expected --mesh MESH with it, received none\n"


@needs_ccx
def test_a_disk_that_ccx_fills(refused: Callable[..., str], tmp_path: Path) -> None:
    """Is told as what it is, not as a run that did not converge; tables go where there is room."""
    mesh = bar("C3D8I", (2, 2, 4), 0.5)
    with small_disk(tmp_path / "disk", "256k") as disk:
        pull = Pull.between(mesh, "TOP", "BOTTOM", 0.03)
        write_deck(disk / "a.inp", mesh, BINS, np.zeros(16, int), pull=pull)
        said = refused(disk, "run", "a.inp")
        told = f"{disk}: No space left on device; make room there and run it again; up to there: "
        assert said.startswith("svevae run: a.inp: CalculiX stopped at a displacement of 0.0")
        assert f" mm: {told}a.dat\n  a-load.csv: not written: No space left on device" in said
        said = refused(disk, "run", "a.inp", "-o", str(tmp_path / "a.csv"))
        assert f" mm: {told}{tmp_path / 'a.csv'}, " in said
    assert 2 < len((tmp_path / "a.csv").read_text(encoding="utf-8").splitlines()) < 52


def test_keras_comes_without_what_nobody_needs() -> None:
    """TensorFlow imports JAX where it finds it, Keras matplotlib: 0.1 GiB in every command. Both
    can be imported afterwards.
    """
    script = """
import sys
from svevae.cli.quiet_keras import GUESTS, import_keras
import_keras("tensorflow")
assert sys.modules["keras"] and not set(GUESTS) & set(sys.modules)
import jax, matplotlib
assert jax.numpy.ones(2).sum() == 2
"""
    subprocess.run(
        [sys.executable, "-c", script], check=True, timeout=PATIENCE, capture_output=True
    )


def test_an_open_surface_is_told_without_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    facet = "facet normal 0 0 1\nouter loop\n{}endloop\nendfacet\n"
    corners = "vertex 0 0 0\nvertex 3 0 0\nvertex 0 4 0\n"
    Path("pores.stl").write_text(f"solid a\n{facet.format(corners)}endsolid a\n", encoding="utf-8")
    command = ["import", "pores.stl", "-o", "a.h5", "--size", "4", "--unit", "mm"]
    assert main([*command, "--voxel-size", "1000", "--box", "-1", "-1", "-1", "3", "3", "3"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(
        "svevae import: pores.stl: expected closed surfaces, received 3 edges of one triangle"
    )
    assert not Path("a.h5").exists()
