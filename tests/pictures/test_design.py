"""The picture of a design: candidates above, a panel for each target below."""

from __future__ import annotations

from pathlib import Path

import matplotlib.image
import numpy as np

from svevae.pictures.design import design_figure, plot_design
from svevae.pictures.style import WISHED
from svevae.use.design import Design


def designed() -> Design:
    """Two candidates for a modulus and a porosity, the first of them solved."""
    voxels = np.zeros((2, 8, 8, 8), np.uint8)
    voxels[:, 2:4, 2:4, 2:4] = 1
    return Design(
        targets={"E_z": 65e3, "porosity": 0.016},
        names=("E_z",),
        units=("MPa",),
        voxels=voxels,
        latent=np.zeros((2, 1)),
        predicted=np.array([[65e3], [66e3]]),
        std=np.full((2, 1), 100.0),
        solved=np.array([[64e3], [np.nan]]),
        porosity=voxels.mean((1, 2, 3)),
        novelty=np.zeros(2),
        scale=np.array([100.0, 0.001]),
        distance=np.array([1.0, 2.0]),
    )


def test_a_panel_for_each_target(tmp_path: Path) -> None:
    figure = design_figure(designed())
    modulus, porosity = figure.axes[2:]
    assert (modulus.get_ylabel(), porosity.get_ylabel()) == ("E_z [MPa]", "porosity")
    assert modulus.lines[0].get_color() == WISHED
    np.testing.assert_allclose(modulus.lines[0].get_ydata(), 65e3)
    [labels] = [[text.get_text() for text in modulus.get_legend().get_texts()]]
    assert labels[0] == "wished: 65000"
    assert "counted" in [text.get_text() for text in porosity.get_legend().get_texts()]
    above = [text.get_text() for text in figure.subfigs[0].texts]
    assert any("1: porosity 1.56%" in text and "not solved" not in text for text in above)
    assert any("distance 2.00, not solved" in text for text in above)
    plot_design(designed(), tmp_path / "a.png")
    assert matplotlib.image.imread(tmp_path / "a.png").shape[1] == 1540
