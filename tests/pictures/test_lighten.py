"""What is plotted of a gradation: both designs over the distance, and their load curves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from svevae.parts.lightest import Gradation
from svevae.pictures import lighten as module
from svevae.pictures.lighten import plot_lightened
from svevae.use.lighten import Lightened

DESIGNS = {"uniform": Gradation(0.03, 0.03, 1.0), "graded": Gradation(0.01, 0.06, 0.5)}


def made() -> Lightened:
    curves = pd.DataFrame(
        [
            {"design": name, "seed": seed, "strain": strain, "force [N]": 1e4 * strain + seed}
            for name in DESIGNS
            for seed in (4, 5)
            for strain in (0.005, 0.01)
        ]
    )
    verified = pd.DataFrame({name: [100.0, 102.0] for name in DESIGNS}, index=[4, 5])
    means = {"uniform": 0.03, "graded": 0.05}
    none = np.empty(0)
    return Lightened(
        *(pd.DataFrame(), DESIGNS, means, 99.0, verified, curves, none, none, 2.0, "mm", (), "")
    )


def test_porosity_and_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Figure] = []
    monkeypatch.setattr(module, "save", lambda figure, _: kept.append(figure))
    plot_lightened(Path("a.png"), made())
    left, right = kept[0].axes
    graded = left.lines[1]
    assert graded.get_xdata()[[0, -1]].tolist() == [0.0, 2.0]
    assert graded.get_ydata()[[0, -1]] == pytest.approx([1.0, 6.0])
    assert graded.get_label() == "graded, mean 5.00%"
    assert len(right.lines) == 5
    assert right.lines[0].get_ydata() == pytest.approx([0, 54, 104])
    labels = [text.get_text() for text in right.get_legend().get_texts()]
    assert labels == [
        r"uniform, yields at 101.0 $\pm$ 1.4 N",
        r"graded, yields at 101.0 $\pm$ 1.4 N",
        "wanted at yield, 99.0 N",
    ]


def test_it_is_a_picture(tmp_path: Path) -> None:
    plot_lightened(tmp_path / "a.png", made())
    assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"
