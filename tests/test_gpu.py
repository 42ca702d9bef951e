"""`make gpu` at its tiny size, as whoever has a card runs it, and what it does when it is told
nonsense, interrupted or finds no card.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from benchmarks import parameters

from svevae.config import load_params
from tests.conftest import PATIENCE, ROOT

SCRIPT = ROOT / "benchmarks" / "gpu.py"
# a machine with a card has JAX, numpy and scipy, and Keras with what that needs
MISSING = ("numba", "tensorflow", "mlflow", "optuna", "pydantic", "yaml", "dask", "torch", "monai")
CARD = "cpu"


def without(folder: Path, *modules: str) -> dict[str, str]:
    """The environment of a Python on a CPU in which these are not installed, nor is svevae.

    None in sys.modules would not do: Keras takes a name that is there for a module.
    """
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(
        f"""
import sys

class Missing:
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in {modules}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing)
""",
        encoding="utf-8",
    )
    return os.environ | {"PYTHONPATH": str(folder), "JAX_PLATFORMS": "cpu"}


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return without(tmp_path / "without", *MISSING)


def gpu(*arguments: object, **options: Any) -> subprocess.CompletedProcess:
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, **options)


def module(name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A module of benchmarks/, as its scripts import it."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module(name)


def names(monkeypatch: pytest.MonkeyPatch, size: str = "TINY") -> list[str]:
    plan = module("gpu_plan", monkeypatch)
    return [one.name for one in plan.measurements(getattr(plan, size))]


def write(path: Path, *measured: str) -> dict[str, Any]:
    """A file in which these have figures."""
    rows = {name: {"seconds": 1.0 + number} for number, name in enumerate(measured)}
    path.write_text(json.dumps({CARD: rows}), encoding="utf-8")
    return rows


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))[CARD]


def test_what_is_written_out_is_params_yaml() -> None:
    params = load_params(ROOT / "params.yaml")
    generate = params.generate
    train = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))["train"]
    assert train | {"augmentation": tuple(train["augmentation"])} == parameters.TRAIN
    assert generate.strain == parameters.STRAIN
    assert generate.tension == parameters.AXES
    family = generate.families["correlated"]
    assert generate.material[0] == parameters.MATERIAL
    assert (family["generator"], family["parameters"]) == (parameters.GENERATOR, parameters.PORES)
    assert generate.sve == parameters.EDGE


def test_all_fits_in_ten_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    """At what each is expected to take; the names are keys."""
    plan = module("gpu_plan", monkeypatch)
    found = plan.measurements(plan.FULL)
    assert sum(one.seconds for one in found) < 9 * 60
    assert len({one.name for one in found}) == len(found)


def test_without_a_gpu_it_refuses(tmp_path: Path, environment: dict[str, str]) -> None:
    """In one line, and says what to do."""
    out = tmp_path / "gpu.json"
    done = gpu("--out", out, env=environment)
    assert done.returncode == 2
    assert not done.stdout
    assert len(done.stderr.splitlines()) == 1
    assert "no GPU found: JAX finds a CPU alone" in done.stderr
    assert "--tiny" in done.stderr
    assert not out.exists()


def test_without_jax_or_numpy_it_refuses(tmp_path: Path) -> None:
    for missing in ("jax", "numpy"):
        done = gpu("--out", tmp_path / "gpu.json", env=without(tmp_path / "without", missing))
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1
        assert missing in done.stderr
        assert "not installed" in done.stderr


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"cpu": 3}', '{"cpu": {"elastic, 12^3": 1}}', "\udcff"]
)
def test_a_damaged_file_is_named_and_kept(
    tmp_path: Path, environment: dict[str, str], content: str
) -> None:
    out = tmp_path / "gpu.json"
    out.write_text(content, encoding="utf-8", errors="surrogateescape")
    before = out.read_bytes()
    done = gpu("--tiny", "--out", out, env=environment)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert f"{out}: expected the figures of cards" in done.stderr
    assert out.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--tiny",), "--tiny: expected --out FILE"),
        (("--tiny", "--out", "{}/a.json", "--again", "label"), None),
        (("--tiny", "--out", "{}/a.json", "--again", "speed"), "--again: expected the beginning"),
        (("--minutes", "nan"), "--minutes: expected 0 to 1440, received nan"),
        (("--tiny", "--out", "{}/none/a.json"), "none/a.json: not written"),
        (("--tiny", "--out", "{}/a.json", "--wheels", "{}"), "expected a folder with wheels"),
        (("--tiny", "--out", "{}/a.json", "--wheels", "{}/bad"), "a.whl: expected a wheel"),
    ],
)
def test_wrong_options(
    tmp_path: Path, environment: dict[str, str], arguments: tuple[str, ...], told: str | None
) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.whl").write_bytes(b"PK\x03\x04")
    given = [argument.format(tmp_path) for argument in arguments]
    done = gpu("--minutes", 0, *given, env=environment)
    assert done.returncode == (2 if told else 0)
    assert "Traceback" not in done.stderr
    assert (told or "") in done.stderr


def test_it_begins_nothing_that_does_not_fit(
    tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out, (first, second, *rest) = tmp_path / "gpu.json", names(monkeypatch)
    write(out, first)
    done = gpu("--tiny", "--out", out, "--minutes", 0, "--again", second, env=environment)
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        f"{CARD}: {1 + len(rest)} of {2 + len(rest)} to measure",
        f"left: {'; '.join([second, *rest])}. Run it again to go on.",
    ]
    assert [*read(out)] == [first]


def test_what_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    script = module("gpu", monkeypatch)
    with script.Processes({}) as processes:
        with pytest.raises(TimeoutError):
            processes.ask("labels", {"kind": "about"}, 0)
        assert processes.worker is None


def test_after_an_interruption_it_goes_on(
    tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was measured keeps its figures, in both calls; what --again names gets new ones."""
    out, (labels, small, large, *rest) = tmp_path / "gpu.json", names(monkeypatch)
    before = write(out, labels, *rest)
    command = [sys.executable, SCRIPT, "--tiny", "--out", out]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert "2 of 10 to measure" in process.stdout.readline()
        assert process.stdout.readline().startswith(f"[1/2] {small}: ")
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert said.split("\n") == ["", "interrupted; run it again to go on", ""]
    measured = read(out)
    assert measured.keys() == {*before, small}
    assert len(measured[small]["iterations"]) == 6
    assert measured[small]["largest_residual"] <= 2e-4

    done = gpu("--tiny", "--out", out, "--again", large, env=environment)
    assert done.returncode == 0, done.stderr
    assert f"[1/1] {large}: " in done.stdout
    again = read(out)
    assert again.keys() == {*before, small, large}
    assert {name: again[name] for name in measured} == measured


def wheel(folder: Path, code: str) -> Path:
    """A folder with a wheel of a PyTorch that does `code` when it is imported."""
    folder.mkdir()
    with zipfile.ZipFile(folder / "torch-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("torch/__init__.py", code)
    return folder


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import what_is_missing", {"not_installed": "what_is_missing"}),
        ("raise ValueError('no such card')", {"failed": "ValueError: no such card"}),
        ("import os; os._exit(3)", {"failed": "torch: ended with exit status 3"}),
    ],
)
def test_what_fails_does_not_stop_the_others(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    code: str,
    found: Mapping[str, str],
) -> None:
    """All peers are tried, also in a process anew, by the PyTorch of a wheel; a figure that is
    there stays. The next call tries again.
    """
    environment, out = without(tmp_path / "without"), tmp_path / "gpu.json"
    every = names(monkeypatch)
    peers = [name for name in every if "PyTorch" in name or "MONAI" in name]
    assert len(peers) == 3
    before = write(out, *(name for name in every if name not in peers[1:]))
    wheels = wheel(tmp_path / "wheels", code)
    options = ("--tiny", "--out", out, "--wheels", wheels, "--again", peers[0])
    done = gpu(*options, env=environment)
    assert done.returncode == ("failed" in found), done.stderr
    measured = read(out)
    assert measured[peers[0]] == before[peers[0]]
    for name in peers[1:]:
        assert found.items() <= measured[name].items()
        assert measured[name]["run"]["versions"]["jax"]
    assert "[3/3]" in done.stdout
    plan = module("gpu_plan", monkeypatch)
    left = module("gpu", monkeypatch).wanted(plan.measurements(plan.TINY), [], measured)
    assert [one.name for one in left] == peers[1:]


@pytest.mark.slow
def test_all_of_it_at_tiny_size(
    tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With nothing of MISSING: everything but the peers gives figures, which say how they came."""
    out = tmp_path / "gpu.json"
    done = gpu("--tiny", "--out", out, "--minutes", 30, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    measured = read(out)
    assert [*measured] == names(monkeypatch)
    for name, found in measured.items():
        if "PyTorch" in name or "MONAI" in name:
            assert found["not_installed"] == "torch"
            continue
        numbers = [value for value in found.values() if isinstance(value, float)]
        assert numbers, name
        assert all(number > 0 for number in numbers if number != found.get("compile_seconds"))
        assert found["run"]["sves"].startswith("48 made like those of params.yaml")
    assert measured["float32 beside float64, 8^3"]["stress"] < 5e-4
    assert measured["training, 8^3, svevae patch, batch 2"]["backend"] == "jax"
    assert measured["search trial, 8^3"]["training_sves"] == 29  # a tenth of six eighths of 384
