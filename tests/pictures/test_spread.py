"""Load curves of many parts: what is plotted, and where there is nothing to plot."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from svevae.errors import DataError
from svevae.pictures import spread as module
from svevae.pictures.spread import plot_spread
from svevae.use.spread import Spread


def made(count: int = 80) -> Spread:
    """Bars of forces that spread by 10 %: the yield load is 100 N times a factor, the end 110 N."""
    factors = 1 + 0.1 * np.linspace(-1, 1, count)
    strain = np.array([0.002, 0.004, 0.01])
    curves = pd.concat(
        [
            pd.DataFrame({"seed": k, "strain": strain, "force [N]": one * np.array([80, 100, 110])})
            for k, one in enumerate(factors)
        ]
    )
    table = pd.DataFrame({"seed": np.arange(count), "porosity": 0.03, "stiffness [N/mm]": factors})
    table["yield load [N]"], table["force [N]"] = 100 * factors, 110 * factors
    table["peak PEEQ"], table["failed"] = 0.02, ""
    table["element"], table["sve"] = 1, 0
    return Spread(table, curves, 2.0, 0.01, "mm", ())


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    kept: list[Figure] = []
    monkeypatch.setattr(module, "save", lambda figure, _: kept.append(figure))
    return kept


def test_the_fan_and_the_distribution(figures: list[Figure]) -> None:
    """The median of the curves ends at 110 N; quantiles are written at the yield loads, of which
    half are below 100 N.
    """
    plot_spread(Path("a.png"), made())
    left, right = figures[0].axes
    median = next(line for line in left.lines if line.get_label() == "median")
    np.testing.assert_allclose([median.get_xdata()[-1], median.get_ydata()[-1]], [1.0, 110.0])
    assert len(left.lines) == 81
    assert right.get_xlabel() == "yield load [N]"
    assert [text.get_text() for text in right.texts] == ["5%: 91", "50%: 100", "95%: 109"]


def test_where_few_parts_yield(figures: list[Figure]) -> None:
    """The distribution is that of the force at the end; a run that failed is not plotted."""
    spread = made()
    table = spread.table.assign(**{"yield load [N]": np.nan})
    table.loc[0, "failed"] = "stopped"
    plot_spread(Path("a.png"), replace(spread, table=table))
    assert figures[0].axes[1].get_xlabel() == "force [N]"
    assert figures[0].axes[0].get_title() == "79 parts"
    with pytest.raises(DataError, match=r"a.png: expected parts whose run reached the end"):
        plot_spread(Path("a.png"), replace(spread, table=table.assign(failed="stopped")))


def test_it_is_a_picture(tmp_path: Path) -> None:
    plot_spread(tmp_path / "a.png", made(3))
    assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"
