"""What each stage of dvc.yaml and multiscale/dvc.yaml imports, as its `deps`.

`make deps` writes them; `tests/test_structure.py` checks them. The import graph of the package is
the build graph of the pipeline: a stage runs again where a module that it imports has changed.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "svevae"
FILES = ("dvc.yaml", "multiscale/dvc.yaml")


def imported(path: Path) -> set[str]:
    """Dotted names below svevae that a module imports, also inside functions: "dataset.store".

    What stands under `if TYPE_CHECKING:` is not imported when a stage runs.
    """
    names = set()
    for node in run_time(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name.removeprefix("svevae.") for name in names if name.startswith("svevae.")}


def run_time(node: ast.AST) -> list[ast.AST]:
    """`node` and all below it that runs."""
    found = [node]
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"):
            found += run_time(child)
    return found


def module_file(name: str) -> Path | None:
    """The file of a module below svevae by its dotted name; None for what is no module, and for a
    face that imports on first use, of which a stage uses nothing.
    """
    path = PACKAGE / name.replace(".", "/")
    if (face := path / "__init__.py").is_file():
        return None if "svevae.lazy" in face.read_text(encoding="utf-8") else face
    return path.with_suffix(".py") if path.with_suffix(".py").is_file() else None


def data_files(path: Path) -> set[Path]:
    """Files beside a module that it names in a text, such as a template."""
    texts = {
        node.value
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "/" not in node.value
    }
    return {file for file in path.parent.iterdir() if file.is_file() and file.name in texts}


def closure(path: Path) -> set[Path]:
    """`path`, all files of the package that importing it imports, and the data files of these."""
    found: set[Path] = set()
    waiting = [path]
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting += [file for name in imported(module) if (file := module_file(name))]
    return found.union(*map(data_files, found))


def dependencies(stage: str) -> list[str]:
    """The files of the package that a stage depends on: modules, and the templates beside them."""
    modules = closure(PACKAGE / "stages" / f"{stage}.py")
    templates = {
        path for module in modules for path in module.parent.glob(f"{module.stem}.*.jinja")
    }
    return sorted(str(file.relative_to(ROOT)) for file in modules | templates)


def with_deps(text: str) -> str:
    """The text of a dvc.yaml with the `deps` of each stage below src/ as its imports are now."""
    stage, lines, written = "", [], ""
    for line in text.splitlines():
        if match := re.fullmatch(r"  (\w+):", line):
            stage = match[1]
        if line.startswith("      - src/"):
            if written != stage:
                lines += [f"      - {file}" for file in dependencies(stage)]
                written = stage
            continue
        lines.append(line)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    for name in FILES:
        (ROOT / name).write_text(
            with_deps((ROOT / name).read_text(encoding="utf-8")), encoding="utf-8"
        )
