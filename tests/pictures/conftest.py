"""Figures that a module would write, kept in memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from matplotlib.figure import Figure


@pytest.fixture
def figures_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[ModuleType], dict[str, Figure]]:
    """The figures that a module of pictures saves from now on, by file name; nothing is written."""

    def watch(module: ModuleType) -> dict[str, Figure]:
        figures: dict[str, Figure] = {}

        def save(figure: Figure, path: Path) -> None:
            figure.canvas.draw()  # what cannot be drawn fails here as it would in a file
            figures[path.name] = figure

        monkeypatch.setattr(module, "save", save)
        return figures

    return watch
