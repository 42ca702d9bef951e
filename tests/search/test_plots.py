"""Which plots a study has, and that they can be read: one bad trial, long choices, more parameters
than fit beside each other.
"""

from __future__ import annotations

import json
import math

import matplotlib.pyplot as plt
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from svevae.search.plots import StudyPlot, label, log_ticks, study_plots

pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
CHOICES = tuple(
    json.dumps(flips) for flips in (["flip_x", "flip_y", "flip_z", "swap_xy"], ["flip_x"], [])
)
SPACE = {
    "latent_dim": IntDistribution(8, 128, log=True),
    "kl_weight": FloatDistribution(0.1, 2.0, log=True),
    "depth": IntDistribution(2, 4),
    "dropout": FloatDistribution(0.0, 0.5),
    "augmentation": CategoricalDistribution(CHOICES),
}


def study_of(
    objectives: list[str], worst: float = 0.2, reconstruction: float | None = None
) -> optuna.Study:
    """Six trials whose property error grows from 0.1 and is `worst` in the last; the reconstruction
    error falls, or is constant.
    """
    study = optuna.create_study(directions=["minimize"] * len(objectives), study_name="svevae")
    study.set_metric_names(objectives)
    for i in range(6):
        errors = {
            "property": worst if i == 5 else 0.1 + 0.01 * i,
            "reconstruction": reconstruction or 0.6 - 0.02 * i,
        }
        errors["combined"] = math.sqrt(errors["property"] * errors["reconstruction"])
        values = (8 * 2 ** (i % 4), 0.1 * 1.6**i, 2 + i % 3, 0.1 * (i % 5), CHOICES[i % 3])
        study.add_trial(
            optuna.create_trial(
                state=TrialState.COMPLETE,
                params=dict(zip(SPACE, values, strict=True)),
                distributions=SPACE,
                values=[errors[name] for name in objectives],
                user_attrs={"owner": {"host": "a-secret-host", "pid": 1}},
            )
        )
    return study


def plot_of(study: optuna.Study, name: str) -> StudyPlot:
    return next(plot for plot in study_plots(study) if plot.name == name)


def test_views_stand_in_the_order_of_the_page() -> None:
    """The front first, each kind for both errors beside each other, the history last; one error has
    no front.
    """
    both = [
        f"{kind}-{name}"
        for kind in ("importance", "parallel", "slice", "history")
        for name in ("property", "reconstruction")
    ]
    assert [plot.name for plot in study_plots(study_of(["property", "reconstruction"]))] == [
        "front",
        *both,
    ]
    assert [plot.name for plot in study_plots(study_of(["combined"]))] == [
        "importance",
        "parallel",
        "slice",
        "history",
    ]


def test_an_error_that_is_the_same_everywhere_has_its_history_alone() -> None:
    names = [
        plot.name
        for plot in study_plots(study_of(["property", "reconstruction"], reconstruction=0.5))
    ]
    assert [name for name in names if "reconstruction" in name] == ["history-reconstruction"]


def test_one_bad_trial_does_not_hide_the_others() -> None:
    """Errors from 0.1 to 30 stand on logarithmic axes, from 0.1 to 0.2 on linear ones."""
    bad, good = (study_of(["property", "reconstruction"], worst) for worst in (30.0, 0.2))
    for name in ("slice-property", "history-property"):
        assert plot_of(bad, name).plotly_figure().layout.yaxis.type == "log"
        assert plot_of(good, name).plotly_figure().layout.yaxis.type != "log"
    assert plot_of(bad, "front").plotly_figure().layout.xaxis.type == "log"
    with plt.rc_context():
        for study, scale in ((bad, "log"), (good, "linear")):
            figure = plot_of(study, "slice-property").matplotlib_figure()
            assert figure.axes[0].get_yscale() == scale
            plt.close(figure)


def test_parallel_coordinates_tell_errors_not_logarithms() -> None:
    """Lines are placed by the logarithm; the axis from 0.1 to 30, the colour bar and what hovers
    have the errors themselves.
    """
    plot = plot_of(
        study_of(["property", "reconstruction"], 30.0), "parallel-property"
    ).plotly_figure()
    axis = [float(note.text) for note in plot.layout.annotations if note.x == 0]
    assert axis[0] == pytest.approx(0.1, rel=0.01)
    assert axis[-1] == pytest.approx(30, rel=0.01)
    assert float(plot.data[0].customdata[0][1]) == pytest.approx(0.1, rel=0.01)
    bar = plot.data[-1].marker.colorbar
    assert "1" in bar.ticktext
    assert bar.tickvals[bar.ticktext.index("1")] == 0


def test_slices_stand_in_rows_of_four() -> None:
    """Five parameters: four axes in the first row, one in the second, none wider than the page,
    none over another.
    """
    study = study_of(["combined"])
    plot = plot_of(study, "slice").plotly_figure()
    assert plot.layout.width is None
    places = [
        (x.domain, y.domain) for x, y in zip(plot.select_xaxes(), plot.select_yaxes(), strict=True)
    ]
    assert len({y for _, y in places}) == 2
    assert [x[0] for x, _ in places] == [0, 0.25, 0.5, 0.75, 0]
    assert places[4][1][1] < places[0][1][0]
    with plt.rc_context():
        figure = plot_of(study, "slice").matplotlib_figure()
        *panels, bar = (axes.get_position() for axes in figure.axes)
        plt.close(figure)
    for first in (*panels, bar):
        assert sum(first.overlaps(second) for second in (*panels, bar)) == 1, (
            "each overlaps itself alone"
        )


def test_choices_are_words_below_each_other() -> None:
    """JSON text of a list would cover its neighbours."""
    plot = plot_of(study_of(["combined"]), "slice").plotly_figure()
    (axis,) = (axis for axis in plot.select_xaxes() if axis.title.text == "augmentation")
    assert axis.ticktext == ("flip_x<br>flip_y<br>flip_z<br>swap_xy", "flip_x", "none")
    with plt.rc_context():
        figure = plot_of(study_of(["combined"]), "slice").matplotlib_figure()
        (axes,) = (axes for axes in figure.axes if axes.get_xlabel() == "augmentation")
        assert [text.get_text() for text in axes.get_xticklabels()] == [
            "flip_x\nflip_y\nflip_z\nswap_xy",
            "flip_x",
            "none",
        ]
        plt.close(figure)
    assert label("'patch'") == "patch"


def test_whole_numbers_have_whole_ticks() -> None:
    """A depth is 2, 3 or 4, never 2.5."""
    study = study_of(["combined"])
    parallel = plot_of(study, "parallel").plotly_figure()
    column = parallel.layout.xaxis.ticktext.index("depth")
    assert [note.text for note in parallel.layout.annotations if note.x == column] == [
        "2",
        "3",
        "4",
    ]
    with plt.rc_context():
        figure = plot_of(study, "slice").matplotlib_figure()
        (axes,) = (axes for axes in figure.axes if axes.get_xlabel() == "depth")
        assert all(tick == int(tick) for tick in axes.get_xticks())
        plt.close(figure)


def test_what_hovers_over_the_front_is_short() -> None:
    """Number, errors and parameters, not every note of the trial; the front's trials are told by
    colour and legend.
    """
    study = study_of(["property", "reconstruction"], reconstruction=0.5)
    rest, front = plot_of(study, "front").plotly_figure().data
    assert [trace.name for trace in (rest, front)] == ["not on the front", "on the front"]
    assert front.text[0].startswith(
        "trial 0<br>property error: 0.1000<br>reconstruction error: 0.5000<br>latent_dim:"
        " 8<br>kl_weight: 0.1<br>"
    )
    assert len(rest.text) == 5
    assert "a-secret-host" not in str(rest.text + front.text)


@pytest.mark.parametrize(
    ("low", "high"), [(0.3, 0.9), (0.0693, 1.9), (2e-4, 5e-3), (100, 20000), (1e-6, 1.0)]
)
def test_logarithmic_ticks_are_few_and_not_too_few(low: float, high: float) -> None:
    assert 3 <= sum(low <= tick <= high for tick in log_ticks(low, high)) <= 8
