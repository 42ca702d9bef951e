"""The pages: they build strictly, load nothing from elsewhere, and name what is there."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deps import PACKAGE, ROOT
from tests.test_readme import PAGES, TEXT
from tests.test_structure import FLOORS

DOCS = ROOT / "docs"
NAMES = sorted(set(re.findall(r"\bsvevae(?:\.(?!md\b)\w+)+", TEXT)))
ADDRESS = re.compile(
    r"<(?:script|img|link|iframe|source)\b[^>]*?(?:src|href)=\"((?:https?:)?//[^\"]*)"
)


class _Loader(yaml.SafeLoader):
    """Reads mkdocs.yml, whose tags name Python objects."""


def settings() -> dict[str, Any]:
    return yaml.load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"), _Loader)


def nav_pages(entries: list[Any]) -> list[str]:
    """The files of a nav, in order."""
    pages = []
    for entry in entries:
        for value in entry.values() if isinstance(entry, dict) else [entry]:
            pages += nav_pages(value) if isinstance(value, list) else [value]
    return pages


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built strictly: a broken link, a missing page or a name without docstring ends
    it.
    """
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        encoding="utf-8",
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


def test_every_page_is_built(site: Path) -> None:
    for page in nav_pages(settings()["nav"]):
        assert (site / page).with_suffix(".html").is_file(), page


def test_the_nav_names_every_page_and_notebook() -> None:
    pages = nav_pages(settings()["nav"])
    written = {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")}
    notebooks = {f"notebooks/{path.stem}.md" for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert len(pages) == len(set(pages))
    assert set(pages) == written | notebooks


def test_the_pages_load_nothing_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 20
    for page in pages:
        assert not ADDRESS.findall(page.read_text(encoding="utf-8")), page.name


def test_notebooks_are_rendered(site: Path) -> None:
    text = (site / "notebooks" / "04-part.html").read_text(encoding="utf-8")
    assert "A part through the latent space" in text
    assert "PropertyField" in text
    assert "<code>notebooks/04-part.ipynb</code>" in text


@pytest.mark.parametrize("package", sorted(p.parent.name for p in PACKAGE.glob("*/__init__.py")))
def test_the_api_has_every_name_of_a_face_with_a_docstring(site: Path, package: str) -> None:
    if package in ("cli", "stages", "tracking"):  # commands, and a room for our own use
        return
    tree = ast.parse((PACKAGE / package / "__init__.py").read_text(encoding="utf-8"))
    homes = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if node.module and node.module.startswith(f"svevae.{package}.")
    }
    text = (site / "api" / f"{package}.html").read_text(encoding="utf-8")
    for name, module in homes.items():
        source = PACKAGE.parent / f"{module.replace('.', '/')}.py"
        if isinstance(definition(source, name), ast.FunctionDef | ast.ClassDef):
            assert f'id="svevae.{package}.{name}"' in text, name


def definition(source: Path, name: str) -> ast.stmt | None:
    """The statement at the top of a module that defines `name`."""
    for node in ast.parse(source.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
            return node
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            return node
    return None


@pytest.mark.parametrize("name", NAMES)
def test_modules_and_names_in_the_pages_exist(name: str) -> None:
    """`svevae.physics.label.label` is a module and what it defines, or a name of a face."""
    words = name.split(".")[1:]
    path = PACKAGE
    while words and (path / words[0]).is_dir():
        path /= words.pop(0)
    if words and (path / f"{words[0]}.py").is_file():
        path = path / f"{words.pop(0)}.py"
    if not words:
        return
    if path.is_dir():
        assert words[0] in (path / "__init__.py").read_text(encoding="utf-8"), name
    else:
        assert definition(path, words[0]), name


def test_guides_are_linked_from_readme() -> None:
    """README leads to every page of its own folder; the guides are a folder."""
    readme = PAGES[0].read_text(encoding="utf-8")
    for page in DOCS.glob("*.md"):
        assert f"(docs/{page.name})" in readme, page.name
    assert "(docs/guides)" in readme


def test_the_map_of_contributing_is_the_tower_that_is_tested() -> None:
    rows = re.findall(
        r"^\| (\d+) \| (`[^|]*`) \|", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.M
    )
    assert [int(floor) for floor, _ in rows] == list(range(1, len(FLOORS) + 1))
    assert [sorted(re.findall(r"`(\w+)`", rooms)) for _, rooms in rows] == [
        sorted(rooms) for rooms in FLOORS
    ]
