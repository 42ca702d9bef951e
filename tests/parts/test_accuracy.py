"""Errors of bars and their summary: curves, peaks and fields whose errors are known."""

from __future__ import annotations

import numpy as np
import pytest

from svevae.parts.accuracy import accuracy_scores, bar_errors
from svevae.physics.part import Response

STRAIN = np.array([0.001, 0.002, 0.005, 0.01, 0.02])


def response(scale: float, lateral: float = -0.3, peak: int = 0, bars: int = 2) -> Response:
    """Bars of 1 x 1 x 4 SVEs, linear with 100 GPa up to 0.2 % and hardening with 1 GPa, all times
    `scale`; the SVE `peak` is strained twice as much as the others at the end.
    """
    stress = scale * np.where(STRAIN < 0.002, 1e5 * STRAIN, 200 + 1e3 * (STRAIN - 0.002))
    plastic = np.full((bars, len(STRAIN), 1, 1, 4), 0.01)
    plastic[:, -1, 0, 0, peak] = 0.02
    rows = np.ones((bars, 1))
    return Response(
        rows * STRAIN, rows * stress, lateral * rows * STRAIN, plastic, rows * np.ones(len(STRAIN))
    )


def test_a_response_two_per_cent_too_stiff() -> None:
    """Every load is 2 % too high, so is the curve; the peak is three SVEs away, and one SVE of four
    apart correlates by -1/3.
    """
    table = bar_errors(
        response(1.0), {"latent": response(1.02, -0.33, peak=3)}, np.array([0.01, 0.05])
    )
    assert table.bar.tolist() == [0, 1]
    assert table.porosity.tolist() == [0.01, 0.05]
    for column in ("E", "load at 1%", "load at 2%", "curve"):
        np.testing.assert_allclose(table[column], 2.0, err_msg=column)
    # The offset line of the stiffer bar meets its curve later: 2 % of stress and a little more.
    np.testing.assert_allclose(table["yield"], 2.0, atol=0.01)
    np.testing.assert_allclose(table["lateral strain"], 10.0)
    np.testing.assert_allclose(table["plastic correlation"], -1 / 3)
    np.testing.assert_allclose(table["peak off"], 3.0)


def test_a_uniform_field_correlates_with_nothing() -> None:
    uniform = response(1.0)
    uniform.plastic[:] = 0.01
    table = bar_errors(response(1.0, peak=2), {"mean properties": uniform}, np.array([0.01, 0.05]))
    assert table["plastic correlation"].tolist() == [0.0, 0.0]
    assert table["peak off"].tolist() == [2.0, 2.0]
    assert table["curve"].tolist() == [0.0, 0.0]


def test_the_curve_is_a_root_mean_square() -> None:
    """Off by 5 % at one of five increments: 5 / sqrt(5) %."""
    off = response(1.0)
    off.stress[:, 3] *= 1.05
    table = bar_errors(response(1.0), {"latent": off}, np.array([0.01, 0.05]))
    np.testing.assert_allclose(table["curve"], 5 / np.sqrt(5))
    np.testing.assert_allclose(table["load at 1%"], 5.0)
    np.testing.assert_allclose(table["load at 2%"], 0.0, atol=1e-12)


def test_scores_are_means_and_maxima_of_absolute_errors() -> None:
    contenders = {"latent": response(0.97), "porosity only": response(1.05)}
    contenders["latent"].stress[1] = response(1.01).stress[1]
    table = bar_errors(response(1.0), contenders, np.array([0.01, 0.05]))
    scores = accuracy_scores(table, np.array([300.0, 500.0]), np.array([1.0, 3.0]))
    assert scores["latent"]["E_mean"] == pytest.approx(2.0)
    assert scores["latent"]["E_max"] == pytest.approx(3.0)
    assert scores["latent"]["load_at_1_percent_max"] == pytest.approx(3.0)
    assert scores["porosity only"]["curve_mean"] == pytest.approx(5.0)
    assert scores["latent"]["plastic_correlation"] == pytest.approx(1.0)
    assert (scores["bars"], scores["bars_ahead_of_porosity_only"]) == (2, 2)
    assert (scores["direct_seconds"], scores["latent_seconds"], scores["faster"]) == (400, 2, 200)
