"""What is refused before TensorFlow is imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from svevae.cli import commands, given, main, mesh_commands
from svevae.errors import DataError
from svevae.use.targets import ENDS, check_output


@pytest.mark.parametrize("verb", ENDS)
def test_names_of_outputs(verb: str, tmp_path: Path) -> None:
    for end in ENDS[verb]:
        check_output(verb, tmp_path / f"a{end}")
    for name, received in {"a.xyz": ".xyz", "a": "none"}.items():
        with pytest.raises(DataError) as refused:
            check_output(verb, tmp_path / name)
        said = str(refused.value)
        assert said.startswith(f"{tmp_path / name}: expected a name that ends in {ENDS[verb][0]}")
        assert said.endswith(f", received {received}")


def test_sources_are_there_and_are_kept(tmp_path: Path) -> None:
    scan = tmp_path / "scan.csv"
    with pytest.raises(DataError, match=r"scan\.csv: expected a file to read, found nothing"):
        check_output("field", tmp_path / "a.csv", [scan])
    scan.touch()
    check_output("field", tmp_path / "a.csv", [scan])
    with pytest.raises(DataError, match="expected another file than the source"):
        check_output("field", scan, [scan])


LAW = ("--material", "steel")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("predict", "a.h5", "-o", "b.txt"), "b.txt: expected a name that ends in .csv or .h5"),
        (("predict", "no.h5", "-o", "b.csv"), "no.h5: expected a file to read, found nothing"),
        (("predict", "a.h5", "-o", "no/b.csv"), "expected a folder no that can be written to"),
        (("predict", "a.h5", "-o", "b.csv", *LAW), "--material: expected one of"),
        (("sample", "-o", "b.csv"), "b.csv: expected a name that ends in .h5"),
        (("sample", "-o", "no/b.h5"), "expected a folder no that can be written to"),
        (("field", "a.h5", "-o", "b.txt"), "b.txt: expected a name that ends in .csv or .vtkhdf"),
        (("field", "a.h5", "-o", "a.csv", "--voxel-size", "0"), "--voxel-size: expected micro"),
        (("field", "a.h5", "-o", "b.csv", "--pull", "TOP"), "--pull: expected --mesh MESH"),
        (("field", "a.h5", "-o", "b.csv", "--drawn"), "--drawn: expected --mesh MESH"),
        (("field", "a.h5", "-o", "b.csv", "--mesh", "a.h5"), ".inp for a deck of --mesh, received"),
        (("field", "a.h5", "-o", "b.inp", "--mesh", "no.inp"), "no.inp: expected a file to read"),
        (("scatter", "a.h5", "-o", "b.pdf"), "b.pdf: expected a name that ends in .png"),
        (("design", "-t", "E_z=1", "-o", "b.csv"), "b.csv: expected a name that ends in .h5"),
        (("export", "model", "-o", "no/b.onnx"), "expected a folder no that can be written to"),
        (("spread", "a.h5", "--mesh", "a.h5", "-o", "b.h5"), "b.h5: expected a name that ends in"),
    ],
)
def test_commands_refuse_before_they_import_keras(
    command: tuple[str, ...],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.chdir(tmp_path)
    for module in (commands, given, mesh_commands):
        monkeypatch.setattr(
            module, "import_keras", lambda backend: pytest.fail("imports Keras"), raising=False
        )
    (tmp_path / "a.h5").touch()
    assert main(command) == 2
    assert said in capsys.readouterr().err


def test_no_tensorflow_is_needed() -> None:
    code = (
        "import sys\nfrom svevae.cli import main\nassert main(['sample', '-o', 'b.csv']) == 2\n"
        "assert not {'keras', 'tensorflow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
