"""The architecture held: imports point one way, dvc.yaml lists what stages import, MLproject names
what params.yaml has.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "svevae"
ORDER = ["physics", "dataset", "model", "search", "stages"]
COMMON = {"card", "errors", "config", "pictures", "tracking", "__version__"}
STAGES = ["prepare", "search", "train", "evaluate", "register"]
MULTISCALE = ["compare", "propagate", "grade"]


def imported(path: Path) -> set[str]:
    """Dotted names below svevae that a module imports, also inside functions, e.g.
    "dataset.store".
    """
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name.removeprefix("svevae.") for name in names if name.startswith("svevae.")}


def modules(folder: str) -> list[Path]:
    return sorted((PACKAGE / folder).glob("*.py"))


@pytest.mark.parametrize("folder", [*ORDER, "use"])
def test_imports_point_one_way(folder: str) -> None:
    allowed = (
        {*ORDER[: ORDER.index(folder) + 1]}
        if folder in ORDER
        else {"physics", "dataset", "model", "use"}
    )
    allowed |= {"use"} if folder == "stages" else set()
    for path in modules(folder):
        for name in imported(path):
            head = name.split(".")[0]
            assert head in allowed | COMMON, f"{path.name} imports {name}"
            if folder == "stages":
                assert head != "stages", (
                    f"{path.name} imports another stage, {name}: stages meet through files"
                )
            if folder in ("physics", "dataset", "model"):
                assert head != "tracking", f"{path.name} imports tracking"


def test_only_tracking_imports_mlflow() -> None:
    for path in PACKAGE.rglob("*.py"):
        roots = {
            node.module or ""
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.ImportFrom)
        }
        roots |= {
            alias.name
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Import)
            for alias in node.names
        }
        if any(root.split(".")[0] == "mlflow" for root in roots):
            assert path.name == "tracking.py"


def closure(path: Path) -> set[Path]:
    found, waiting = set(), [path]
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting += [
                file
                for name in imported(module)
                if (file := PACKAGE / f"{name.replace('.', '/')}.py").is_file()
            ]
    return found


@pytest.mark.parametrize(
    ("file", "stage"),
    [*(("dvc.yaml", stage) for stage in STAGES), *(("multiscale/dvc.yaml", s) for s in MULTISCALE)],
)
def test_deps_are_the_import_closure(file: str, stage: str) -> None:
    deps = yaml.safe_load((ROOT / file).read_text())["stages"][stage]["deps"]
    listed = {dep for dep in deps if dep.startswith("src/")}
    assert listed == {
        str(path.relative_to(ROOT)) for path in closure(PACKAGE / "stages" / f"{stage}.py")
    }


def test_each_stage_has_a_module_a_command_and_an_mlproject_entry() -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    entries = yaml.safe_load((ROOT / "MLproject").read_text())["entry_points"]
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    assert list(stages) == STAGES
    assert set(entries) == {"main", *STAGES, *MULTISCALE}
    assert list(params) == [
        "base",
        "generate",
        *STAGES,
    ]  # generate makes data/, so it runs outside the pipeline
    for name, stage in stages.items():
        assert stage["cmd"] == f"svevae {name}"
        assert set(stage["params"]) <= {"base", name}


def test_each_multiscale_stage_has_a_module_a_command_and_parameters() -> None:
    stages = yaml.safe_load((ROOT / "multiscale" / "dvc.yaml").read_text())["stages"]
    assert list(stages) == MULTISCALE
    assert list(yaml.safe_load((ROOT / "multiscale" / "params.yaml").read_text())) == [
        "parts",
        *MULTISCALE,
    ]
    for name, stage in stages.items():
        assert (stage["cmd"], stage["wdir"]) == (f"svevae {name}", "..")
        assert stage["params"] == [{"multiscale/params.yaml": ["parts", name]}]
        assert (PACKAGE / "stages" / f"{name}.py").is_file()


def test_mlproject_parameters_are_keys_of_params_yaml() -> None:
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    for name, entry in yaml.safe_load((ROOT / "MLproject").read_text())["entry_points"].items():
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
    for folder in ("physics", "dataset", "model", "search"):
        for path in modules(folder):
            if path.stem != "__init__":
                assert f"{folder}/test_{path.stem}.py" in tests, (
                    f"{folder}/{path.name} has no test file"
                )


def test_requirements_pin_every_version_and_name_no_index() -> None:
    for line in (ROOT / "requirements.txt").read_text().splitlines():
        assert "==" in line.split(";")[0], line
        assert "http" not in line.partition("==")[2], line
        assert not line.startswith("-"), line
