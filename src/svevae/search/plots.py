"""Optuna's plots of a study, as far as its trials allow, for a page (plotly) and as pictures
(matplotlib), made legible.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import optuna
import optuna.visualization.matplotlib as still
from matplotlib.category import StrCategoryConverter
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter
from optuna import visualization as interactive
from optuna.distributions import IntDistribution
from optuna.trial import FrozenTrial, TrialState

if TYPE_CHECKING:
    from plotly.graph_objects import Figure as PlotlyFigure

KINDS = {  # in the order of the page: title, Optuna's function
    "front": ("Pareto front", "plot_pareto_front"),
    "importance": ("What matters: importance for the variation", "plot_param_importances"),
    "parallel": ("Parallel coordinates", "plot_parallel_coordinate"),
    "slice": ("Each parameter by itself: slices", "plot_slice"),
    "history": ("History", "plot_optimization_history"),
}
COLUMNS = 4  # slices beside each other
# from the least error to the largest, as a factor, beyond which its axis is logarithmic: one bad
# trial hides the others
WIDE = 5.0
BEST, OTHER = "#c0392b", "#8aa0b5"
SCALE = "viridis"  # Optuna's blues begin with white, on which nothing is seen
GROUND = "#ffffffbf"  # under labels that lines cross


@dataclass(frozen=True)
class StudyPlot:
    """One plot of `study`. `options` are those of Optuna's function; with `is_log` the axes of
    errors, x and y alike, are logarithmic.
    """

    study: optuna.Study
    kind: str
    name: str
    title: str
    options: dict[str, Any]
    is_log: bool

    def plotly_figure(self) -> PlotlyFigure:
        """Draw it for a page."""
        with _quiet():
            plot = getattr(interactive, KINDS[self.kind][1])(self.study, **self.options)
        plot.update_layout(
            title=None, template="plotly_white", margin={"t": 30}, height=420, font={"size": 13}
        )
        if self.kind == "front":
            _tidy_front_plot(plot, self.study)
        elif self.kind == "parallel":
            _tidy_parallel_plot(plot, _integers(self.study), self.is_log)
        elif self.kind == "slice":
            _tidy_slice_plot(plot, _integers(self.study))
        if self.is_log and self.kind in ("front", "slice", "history"):
            values = [value for trace in plot.data for value in trace.y if value is not None]
            plot.update_yaxes(**_log_axis(values))
            if self.kind == "front":
                plot.update_xaxes(**_log_axis([value for trace in plot.data for value in trace.x]))
        return plot

    def matplotlib_figure(self) -> Figure:
        """Draw it for a file of 110 dots an inch; the caller closes the figure. Optuna's style
        lasts until the end of the caller's `plt.rc_context`.
        """
        with _quiet():
            getattr(still, KINDS[self.kind][1])(self.study, **self.options)
        figure = plt.gcf()
        figure.set_layout_engine("none")
        figure.set_size_inches(9.0, 5.0)
        main = figure.axes[0]
        if self.kind == "parallel":
            _tidy_parallel_picture(figure, _integers(self.study), self.is_log)
        elif self.kind == "slice":
            _tidy_slice_picture(figure, _integers(self.study), self.is_log)
        elif self.is_log and self.kind in ("front", "history"):
            main.set_yscale("log")
            _tick_log(main.yaxis)
            if self.kind == "front":
                main.set_xscale("log")
                _tick_log(main.xaxis)
        if self.kind in ("history", "importance"):
            if legend := main.get_legend():
                legend.remove()  # Optuna's stands outside, or on the bars
            if len(main.lines):
                main.legend()
        if self.kind != "slice":
            main.set_title("")
            main.set_title(
                self.title, loc="left", fontsize=13, pad=32 if self.kind == "parallel" else 12
            )
        return figure


def study_plots(study: optuna.Study) -> Iterator[StudyPlot]:
    """Yield the front of two objectives, then each other kind for each objective, as far as the
    trials allow; none without a complete trial.
    """
    trials, names, parameters = complete(study), objectives(study), varying(study)
    if not trials:
        return
    several = len(names) > 1
    is_log = {name: _is_wide([trial.values[i] for trial in trials]) for i, name in enumerate(names)}
    for kind, (title, _) in KINDS.items():
        if kind == "front":
            if several:
                yield StudyPlot(
                    study,
                    kind,
                    kind,
                    title,
                    {"target_names": [f"{name} error" for name in names]},
                    any(is_log.values()),
                )
            continue
        for index, name in enumerate(names):
            if kind != "history" and (not parameters or name in constant(study)):
                continue
            options: dict[str, Any] = {"target_name": f"{name} error"}
            if several:  # without a target Optuna also draws the best so far
                options["target"] = lambda trial, index=index: trial.values[index]
            if kind != "history":
                options["params"] = parameters
            if kind == "parallel" and is_log[name]:
                options["target"] = lambda trial, index=index: math.log10(trial.values[index])
            yield StudyPlot(
                study,
                kind,
                f"{kind}-{name}" if several else kind,
                f"{title} of the {name} error",
                options,
                is_log[name],
            )


def complete(study: optuna.Study) -> list[FrozenTrial]:
    """List the complete trials: those that have errors."""
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def objectives(study: optuna.Study) -> list[str]:
    """Name the objectives."""
    return study.metric_names or [f"objective {i}" for i in range(len(study.directions))]


def varying(study: optuna.Study) -> list[str]:
    """List the parameters that have more than one value among complete trials."""
    names = dict.fromkeys(name for trial in complete(study) for name in trial.params)
    return [
        name for name in names if len({trial.params.get(name) for trial in complete(study)}) > 1
    ]


def constant(study: optuna.Study) -> list[str]:
    """List the objectives whose value is the same in all complete trials."""
    return [
        name
        for i, name in enumerate(objectives(study))
        if len({trial.values[i] for trial in complete(study)}) < 2
    ]


def label(choice: str, separator: str = "\n") -> str:
    """Write the words of a choice one on a line. '["flip_x", "flip_y"]', the JSON text of a list,
    would cover its neighbours; "[]" becomes "none".
    """
    return separator.join(re.findall(r"[\w.+-]+", choice)) or "none"


def log_ticks(low: float, high: float) -> list[float]:
    """Choose about five round numbers for a logarithmic axis from `low` to `high`, both above 0."""
    decades = math.log10(high / low)
    steps = (
        (1, 2, 3, 4, 5, 6, 7, 8)
        if decades < 0.7
        else (1, 2, 5)
        if decades < 1.5
        else (1, 3)
        if decades < 3
        else (1,)
    )
    powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
    return [float(f"{step}e{power}") for power in powers for step in steps]


def _is_wide(values: Sequence[float]) -> bool:
    finite = [value for value in values if math.isfinite(value)]
    return (
        min(finite, default=0.0) > 0
        and max(finite) > WIDE * min(finite)
        and len(finite) == len(values)
    )


def _integers(study: optuna.Study) -> set[str]:
    return {
        name
        for trial in complete(study)
        for name, kind in trial.distributions.items()
        if isinstance(kind, IntDistribution)
    }


def _hover(trial: FrozenTrial, study: optuna.Study) -> str:
    errors = [
        f"{name} error: {value:.4f}"
        for name, value in zip(objectives(study), trial.values, strict=True)
    ]
    params = [
        f"{key}: {value:.4g}" if isinstance(value, float) else f"{key}: {value}"
        for key, value in trial.params.items()
    ]
    return "<br>".join([f"trial {trial.number}", *errors, *params])


def _log_axis(values: Sequence[float]) -> dict[str, Any]:
    """A logarithmic axis with whole numbers at its ticks: Plotly's own read 2, 5, 0.1, 2, 5."""
    ticks = log_ticks(min(values), max(values))
    return {"type": "log", "tickvals": ticks, "ticktext": [f"{tick:g}" for tick in ticks]}


def _tidy_front_plot(plot: PlotlyFigure, study: optuna.Study) -> None:
    """Give the front one colour and the other trials another: Optuna colours by number, which
    leaves early trials of the front white on white. Shorten the text that hovers.
    """
    hover = {trial.number: _hover(trial, study) for trial in complete(study)}
    for trace, name, colour, size in zip(
        plot.data, ("not on the front", "on the front"), (OTHER, BEST), (7, 10), strict=True
    ):
        trace.text = [hover[number] for number in trace.marker.color]
        trace.update(
            marker={"color": colour, "size": size, "showscale": False}, name=name, showlegend=True
        )
        trace.hovertemplate = "%{text}<extra></extra>"


def _tidy_parallel_plot(plot: PlotlyFigure, integers: set[str], is_log: bool) -> None:
    ticks_shown = []
    for note in plot.layout.annotations:
        is_integer = plot.layout.xaxis.ticktext[int(note.x)] in integers
        if is_integer and "." in note.text:  # no depth of 2.5
            continue
        is_error = is_log and note.x == 0
        text = f"{10 ** float(note.text):.3g}" if is_error else label(note.text, "<br>")
        note.update(text=text, bgcolor=GROUND, font={"size": 11, "color": "#1a1a1a"}, align="right")
        ticks_shown.append(note)
    plot.layout.annotations = ticks_shown
    plot.layout.yaxis.range = (-0.18, 1.12)  # labels of four lines
    if is_log:
        for line in plot.data[:-1]:  # what hovers; the last has no line, but the colour bar
            (name, text), *rest = line.customdata
            line.customdata = [(name, f"{10 ** float(text):.3g}"), *rest]
        marker = plot.data[-1].marker
        ticks = [
            tick
            for tick in log_ticks(10**marker.cmin, 10**marker.cmax)
            if marker.cmin <= math.log10(tick) <= marker.cmax
        ]
        marker.colorbar.update(
            tickvals=[math.log10(tick) for tick in ticks], ticktext=[f"{tick:g}" for tick in ticks]
        )


def _tidy_slice_plot(plot: PlotlyFigure, integers: set[str]) -> None:
    """Arrange the slices in rows of four instead of one row wider than the page. The first axis of
    each row has the labels.
    """
    x_axes, y_axes = list(plot.select_xaxes()), list(plot.select_yaxes())
    columns = min(COLUMNS, len(x_axes))
    rows = -(-len(x_axes) // columns)
    name = y_axes[0].title.text
    for i, (x, y) in enumerate(zip(x_axes, y_axes, strict=True)):
        row, column = divmod(i, columns)
        x.domain = (column / columns, (column + 0.88) / columns)
        y.update(
            domain=(1 - (row + 0.68) / rows, 1 - row / rows),
            showticklabels=column == 0,
            title={"text": name if column == 0 else ""},
        )
        x.title.standoff = 8
        if x.categoryarray:
            words = [label(choice, "<br>") for choice in x.categoryarray]
            x.update(
                tickvals=list(range(len(words))),
                ticktext=words,
                tickangle=0,
                range=(-0.4, len(words) - 0.6),
            )
        elif x.type == "log":
            x.update(**_log_axis(plot.data[i].x), tickangle=0)
        elif x.title.text in integers and max(plot.data[i].x) - min(plot.data[i].x) < 8:
            x.dtick = 1
    plot.update_traces(
        marker={
            "colorscale": SCALE,
            "size": 7,
            "colorbar": {"lenmode": "pixels", "len": 300, "y": 1, "yanchor": "top"},
        }
    )
    plot.update_layout(width=None, height=330 * rows + 40, margin={"b": 10})


def _tick_log(axis: Any) -> None:
    low, high = sorted(axis.get_view_interval())
    axis.set_major_locator(
        FixedLocator([tick for tick in log_ticks(low, high) if low <= tick <= high])
    )
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _tick_categories(axis: Any) -> None:
    axis.set_ticks(axis.get_ticklocs(), [label(text.get_text()) for text in axis.get_ticklabels()])


def _tidy_parallel_picture(figure: Figure, integers: set[str], is_log: bool) -> None:
    main, bar, *others = figure.axes
    names = [text.get_text() for text in main.get_xticklabels()]
    figure.set_size_inches(max(9.0, 1.4 * len(names) + 1), 5.5)
    main.tick_params(axis="x", rotation=0, labelsize=9, pad=26)
    main.set_xticks(main.get_xticks(), [re.sub("[_ ]", "\n", name) for name in names])
    main.collections[0].set(cmap=SCALE, alpha=0.6)
    for axis in (main.yaxis, bar.yaxis) if is_log else ():
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{10**value:.2g}"))
    for axes, name in zip(others, names[1:], strict=True):
        if axes.get_yscale() == "log":
            _tick_log(axes.yaxis)
        elif name in integers:
            axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        elif isinstance(axes.yaxis.get_major_locator(), FixedLocator):
            _tick_categories(axes.yaxis)
        axes.tick_params(axis="y", labelsize=9)
        for text in axes.get_yticklabels():
            text.set_bbox({"facecolor": GROUND, "edgecolor": "none", "pad": 0.5})


def _tidy_slice_picture(figure: Figure, integers: set[str], is_log: bool) -> None:
    *panels, bar = figure.axes
    columns = min(COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    figure.set_size_inches(max(9.0, 3.0 * columns), 3.4 * rows)
    low, high = 0.28 / rows, 1 - 0.03 / rows
    grid = GridSpec(
        rows, columns, figure, left=0.08, right=0.9, bottom=low, top=high, wspace=0.12, hspace=0.55
    )
    name = panels[0].get_ylabel()
    for i, axes in enumerate(panels):
        axes.set_subplotspec(grid[divmod(i, columns)])
        axes.collections[0].set_cmap(SCALE)
        axes.set_title("")
        axes.set_xlabel(axes.get_xlabel(), fontsize=11)
        axes.set_ylabel(name if i % columns == 0 else "", fontsize=11)
        axes.tick_params(which="both", labelsize=9)
        axes.tick_params(axis="y", labelleft=i % columns == 0)
        if is_log:
            axes.set_yscale("log")
            _tick_log(axes.yaxis)
        if axes.get_xscale() == "log":
            _tick_log(axes.xaxis)
        elif isinstance(axes.xaxis.get_converter(), StrCategoryConverter):
            axes.set_xlim(-0.4, len(axes.get_xticks()) - 0.6)
            _tick_categories(axes.xaxis)
        else:
            axes.xaxis.set_major_locator(MaxNLocator(5, integer=axes.get_xlabel() in integers))
    figure.suptitle("")
    bar.set(axes_locator=None, position=(0.92, low, 0.015, high - low), aspect="auto")


class _quiet(warnings.catch_warnings):  # noqa: N801
    """Silences Optuna's warnings of experimental plots and of parameters with one value."""

    def __enter__(self) -> None:
        super().__enter__()
        warnings.simplefilter("ignore")
