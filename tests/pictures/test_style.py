"""What pictures share: figures become files whole, and importing svevae changes no notebook."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import matplotlib.image
import pytest
from matplotlib.figure import Figure

from svevae.errors import DataError
from svevae.pictures.style import DPI, grid, save

IMPORT_ALL = """
import importlib, pkgutil
import matplotlib
import svevae

before, backend = dict(matplotlib.rcParams), matplotlib.get_backend(auto_select=False)
names = [module.name for module in pkgutil.walk_packages(svevae.__path__, "svevae.")]
for name in names:
    if name.endswith(".__main__"):
        continue  # it runs the command line
    importlib.import_module(name)
assert len(names) > 50, names
assert matplotlib.get_backend(auto_select=False) == backend
assert dict(matplotlib.rcParams) == before
"""


def test_importing_every_module_changes_neither_backend_nor_settings() -> None:
    """A notebook that has chosen its backend, or not yet, keeps it."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL], capture_output=True, encoding="utf-8", timeout=300
    )
    assert done.returncode == 0, done.stderr


def test_a_figure_is_written_whole(tmp_path: Path) -> None:
    save(Figure(figsize=(2, 1)), tmp_path / "a.png")
    assert matplotlib.image.imread(tmp_path / "a.png").shape[:2] == (DPI, 2 * DPI)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    with pytest.raises(DataError, match=r"a\.pdf: expected a name that ends in \.png"):
        save(Figure(), tmp_path / "a.pdf")


@pytest.mark.parametrize(("count", "rows", "columns"), [(1, 1, 1), (4, 1, 4), (6, 2, 4)])
def test_four_panels_in_a_row(count: int, rows: int, columns: int) -> None:
    figure, cells = grid(count)
    assert len(cells) == len(figure.axes) == count
    assert figure.get_size_inches() == pytest.approx([3.6 * columns, 3.2 * rows])
