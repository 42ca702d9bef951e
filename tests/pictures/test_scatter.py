"""The picture of scatter: a row for each quantity, a colour for each field."""

from __future__ import annotations

from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from svevae.errors import DataError
from svevae.pictures.scatter import plot_scatter, scatter_figure
from svevae.pictures.style import MODEL, TRUTH
from svevae.use.scatter import Field, Scatter, scatter


def scatters(parts: int) -> dict[str, Scatter]:
    """White noise in parts of 4 x 4 x 2 SVEs, twice."""
    values = np.random.default_rng(parts).standard_normal((2, parts * 32))
    position = np.tile(np.array(list(np.ndindex(4, 4, 2))), (parts, 1))
    part_id = np.repeat(np.arange(parts), 32)
    return scatter(Field(dict(zip(("alone", "pairs"), values, strict=True)), part_id, position))


def test_a_row_for_each_quantity_and_a_colour_for_each_field(tmp_path: Path) -> None:
    found = {"data": scatters(10), "latent field": scatters(12)}
    figure = scatter_figure(found, {"alone": "-", "pairs": "MPa"})
    assert len(figure.axes) == 4
    assert figure.axes[0].get_ylabel() == "std of alone within parts"
    assert figure.axes[2].get_ylabel() == "std of pairs within parts [MPa]"
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert [label.split(":")[0] for label in labels] == ["independent SVEs", "data", "latent field"]
    lines = figure.axes[0].get_legend_handles_labels()[0]
    assert lines[0].get_color() == TRUTH
    assert lines[2].lines[0].get_color() == MODEL
    plot_scatter(found, {"alone": "-"}, tmp_path / "a.png")
    assert matplotlib.image.imread(tmp_path / "a.png").shape[1] == 1210
    with pytest.raises(DataError, match=r"a\.jpg: expected a name that ends in \.png"):
        plot_scatter(found, {"alone": "-"}, tmp_path / "a.jpg")
