"""Views of meshes: the colours of a cut are those of the bar, what is up is up, and a process that
fails is a line. On a machine without libEGL and libOSMesa nothing can be rendered, and those that
render are skipped.
"""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest

from svevae.errors import DataError
from svevae.meshes.vtu import write_vtu
from svevae.pictures import render as module
from svevae.pictures.render import View, render
from tests.meshes.bars import bar


def rendered(path: Path, axis: int, views: list[View]) -> list[np.ndarray]:
    pytest.importorskip("pyvista")
    try:
        return render(path, axis, views)
    except DataError as error:
        if "libEGL" not in str(error):
            raise
        pytest.skip(str(error))


@pytest.mark.parametrize(("kind", "axis"), [("C3D8", 2), ("C3D10", 0), ("C3D15", 1)])
def test_colours_of_a_cut(kind: str, axis: int, tmp_path: Path) -> None:
    """A bar whose upper half has the value 4, below 2, as elements and as nodes have it; moved by
    its own length to the side, which the frame follows.
    """
    shape = [2, 2, 2]
    shape[axis] = 8
    mesh, path = bar(kind, tuple(shape)), tmp_path / "a.vtu"
    upper = mesh.geometry()[0][:, axis] > 4
    nodes = np.where(mesh.points[:, axis] > 4, 4.0, 2.0)
    moved = np.zeros((len(nodes), 3))
    moved[:, (axis + 1) % 3] = mesh.points[:, axis] / 8
    write_vtu(path, mesh, {"half": 2.0 + 2 * upper}, {"near": nodes, "moved": moved})
    views = [
        View("half", "viridis", 1.0, 5.0),
        View("near", "viridis", 100.0, 500.0, factor=100.0),
        View("half", "viridis", 1.0, 5.0, moved="moved", scale=4.0),
    ]
    images = rendered(path, axis, views)
    colours = matplotlib.colormaps["viridis"](np.array([0.75, 0.25]))[:, :3]
    for image in images[:2]:
        rows, columns = np.nonzero(image[..., 3] == 255)
        for share, colour in zip((0.25, 0.75), colours, strict=True):
            at = int(rows.min() + share * np.ptp(rows)), int(np.median(columns))
            np.testing.assert_allclose(image[at][:3] / 255, colour, atol=0.06)
    straight, leaning = (np.ptp(np.nonzero(images[k][..., 3])[1]) for k in (0, 2))
    size = images[0].shape, images[2].shape
    assert leaning / size[1][0] > 1.3 * straight / size[0][0]


def stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A Python that does something else."""
    program = folder / "python"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setattr(module, "find_spec", lambda name: name)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("kill -SEGV $$", "it ended with SIGSEGV; on a machine without a display it needs libEGL"),
        ("echo noise >&2; echo ValueError: why >&2; exit 1", "draw here: ValueError: why; on a"),
        ("exit 3", "it ended with 3"),
    ],
)
def test_a_process_that_fails(
    script: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, monkeypatch, script)
    with pytest.raises(DataError, match=rf"a.vtu: VTK does not .*{message}"):
        render(Path("a.vtu"), 2, [])


def test_a_process_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, monkeypatch, "exec sleep 60")
    monkeypatch.setattr(module, "PATIENCE", 0.2)
    with pytest.raises(DataError, match=r"a.vtu: expected VTK to draw it within 0.2 s"):
        render(Path("a.vtu"), 2, [])


def test_without_pyvista(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="pyvista"):
        render(Path("a.vtu"), 2, [])
