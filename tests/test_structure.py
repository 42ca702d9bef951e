"""The architecture held: imports point one way, dvc.yaml lists what stages import, MLproject names
what params.yaml has.
"""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.deps import FILES, PACKAGE, ROOT, imported, with_deps

FLOORS = [  # the lowest first; rooms of one floor do not import each other
    ["words", "lazy"],
    ["errors"],
    ["yaml_text"],
    ["files", "hdf5", "places", "records", "sections", "serving"],
    ["config"],
    ["tracking", "physics"],
    ["dataset"],
    ["scans", "model", "meshes"],
    ["search", "parts"],
    ["use"],
    ["pictures"],
    ["explore", "reports", "project"],
    ["stages"],
    ["cli", "experiment"],
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
FREE = {"__init__"}  # the face of the package: it imports on first use
STAGES = ["prepare", "search", "train", "evaluate", "register"]
MULTISCALE = ["compare", "propagate", "grade"]


def modules(folder: str) -> list[Path]:
    return sorted((PACKAGE / folder).glob("*.py"))


def room(name: str) -> str:
    """The folder of a module by its dotted name, or the module itself at the top level."""
    return name.partition(".")[0]


def test_imports_point_one_way() -> None:
    """A module imports from its own room and those of lower floors: every file of the package."""
    for path in sorted(PACKAGE.rglob("*.py")):
        here = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        if here in FREE:
            continue
        for name in imported(path) - {"__version__"}:
            assert room(here) == room(name) or FLOOR[room(name)] < FLOOR[room(here)], (
                f"{here} imports {name}, which is not below it"
            )


def test_every_room_has_its_floor() -> None:
    rooms = {
        room(str(p.relative_to(PACKAGE).with_suffix(""))).partition("/")[0]
        for p in PACKAGE.rglob("*.py")
    }
    assert rooms - {"__init__"} == set(FLOOR)


def test_no_stage_imports_a_stage() -> None:
    """Stages meet through files."""
    for path in modules("stages"):
        assert not {name for name in imported(path) if room(name) == "stages"}, path.name


def test_who_may_import_tracking() -> None:
    """Whatever else needs no MLflow; `use.champion` imports it when it is asked for a registry."""
    allowed = {"tracking", "search", "stages", "reports", "cli", "experiment"}
    for path in PACKAGE.rglob("*.py"):
        here = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        if "tracking" in {room(name) for name in imported(path)}:
            assert room(here) in allowed or here == "use.champion", f"{here} imports tracking"


def test_only_tracking_imports_mlflow() -> None:
    for path in PACKAGE.rglob("*.py"):
        roots = {
            node.module or ""
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.ImportFrom)
        }
        roots |= {
            alias.name
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Import)
            for alias in node.names
        }
        if any(root.split(".")[0] == "mlflow" for root in roots):
            assert path.parent.name == "tracking", path


@pytest.mark.parametrize("file", FILES)
def test_deps_are_the_import_closure(file: str) -> None:
    """`make deps` writes them."""
    text = (ROOT / file).read_text(encoding="utf-8")
    assert text == with_deps(text)


def test_each_stage_has_a_module_a_command_and_an_mlproject_entry() -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    entries = yaml.safe_load((ROOT / "MLproject").read_text(encoding="utf-8"))["entry_points"]
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    assert list(stages) == STAGES
    assert set(entries) == {"main", *STAGES, *MULTISCALE}
    # generate makes data/, so it runs outside the pipeline
    assert list(params) == [
        "base",
        "generate",
        *STAGES,
    ]
    for name, stage in stages.items():
        assert stage["cmd"] == f"svevae {name}"
        assert set(stage["params"]) <= {"base", name}


def test_each_multiscale_stage_has_a_module_a_command_and_parameters() -> None:
    stages = yaml.safe_load((ROOT / "multiscale" / "dvc.yaml").read_text(encoding="utf-8"))[
        "stages"
    ]
    assert list(stages) == MULTISCALE
    assert list(
        yaml.safe_load((ROOT / "multiscale" / "params.yaml").read_text(encoding="utf-8"))
    ) == [
        "parts",
        *MULTISCALE,
    ]
    for name, stage in stages.items():
        assert (stage["cmd"], stage["wdir"]) == (f"svevae {name}", "..")
        assert stage["params"] == [{"multiscale/params.yaml": ["parts", name]}]
        assert (PACKAGE / "stages" / f"{name}.py").is_file()


def test_mlproject_parameters_are_keys_of_params_yaml() -> None:
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    for name, entry in yaml.safe_load((ROOT / "MLproject").read_text(encoding="utf-8"))[
        "entry_points"
    ].items():
        for parameter in entry.get("parameters", {}):
            sections = [
                section
                for section in ("base", name)
                if f"{section}.{parameter}={{{parameter}}}" in entry["command"]
            ]
            assert len(sections) == 1
            assert parameter in params[sections[0]]


def test_every_module_has_its_test_file() -> None:
    tests = "\n".join(
        str(path.relative_to(ROOT / "tests")) for path in (ROOT / "tests").rglob("test_*.py")
    )
    for folder in (
        "tracking",
        "physics",
        "dataset",
        "scans",
        "scans/readers",
        "model",
        "meshes",
        "search",
        "parts",
        "use",
        "pictures",
        "explore",
        "reports",
    ):
        for path in modules(folder):
            if path.stem != "__init__":
                assert f"{folder}/test_{path.stem}.py" in tests, (
                    f"{folder}/{path.name} has no test file"
                )


def test_no_result_of_the_pipeline_is_committed() -> None:
    """Decision 5: a committed lock names outputs that a fresh clone does not find."""
    listed = subprocess.run(
        ["git", "ls-files", "dvc.lock", "artifacts"], cwd=ROOT, capture_output=True, text=True
    )
    if listed.returncode:
        pytest.skip("no git repository here")
    assert listed.stdout == ""


def test_requirements_pin_every_version_and_name_no_index() -> None:
    for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines():
        assert "==" in line.split(";")[0], line
        assert "http" not in line.partition("==")[2], line
        assert not line.startswith("-"), line


def test_one_module_opens_hdf5_files_to_read() -> None:
    """So that every error names the file."""
    for path in PACKAGE.rglob("*.py"):
        opened = [
            node
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Call)
            and ast.unparse(node.func) == "h5py.File"
            and "'r'" in map(ast.unparse, node.args)
        ]
        assert not opened or path.stem == "hdf5", f"{path.name} opens an HDF5 file itself"


def test_text_files_have_an_encoding() -> None:
    """UTF-8, whatever the machine's locale is: ruff's PLW1514, which is in preview, knows fewer."""
    files = {path for folder in ("src", "tests") for path in (ROOT / folder).rglob("*.py")}
    for path in sorted(files - {ROOT / "tests" / "conftest.py"}):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and _opens_text(node):
                named = {keyword.arg for keyword in node.keywords}
                assert named & {"encoding", None}, f"{path}:{node.lineno}: no encoding"


def _opens_text(call: ast.Call) -> bool:
    """Whether it is read_text, write_text, or open with a mode that is not binary."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ast.unparse(call.func)
    arguments = [one.value for one in call.args if isinstance(one, ast.Constant)]
    if name == "read_text":
        return not call.args
    if name == "write_text":
        return len(call.args) == 1
    modes = {one for one in arguments if isinstance(one, str) and re.fullmatch("[rwax]\\+?", one)}
    alone = isinstance(call.func, ast.Name) and len(call.args) == 1 and not call.keywords
    return name == "open" and (bool(modes) or alone)
